"""What has nothing to do for its original waits behind nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from processing import doorbells, owed, runner
from processing.bridge import connection
from processing.history import last_hour
from processing.models import Job, JobStatus, Run, RunStatus
from tests.processing.engines import films

pytestmark = pytest.mark.django_db(transaction=True)

IDLE = {"audio", "draft", "subtitles"}  # of a small film that is silent and has no text


def rung() -> list[int]:
    """The jobs in the list, in its order; the list is empty then."""
    found = []
    while message := connection().lpop("videos"):
        found += doorbells.job_ids(message)
    return found


def work() -> None:
    """Answer every ring until the list is empty, as a worker would."""
    while jobs := rung():
        for job in jobs:
            assert Job.objects.get(pk=job).step not in IDLE
            runner.run(job, "worker-a")


@pytest.fixture
def silent(upload: Callable[..., Any]) -> Run:
    """A silent film that has been measured."""
    original = upload(films.silent().read_bytes(), "silent.mp4")
    (inspect,) = rung()
    runner.run(inspect, "worker-a")
    return Run.objects.get(original=original)


def test_steps_without_work__are_done_as_soon_as_it_is_known_what_the_film_is(silent: Run) -> None:
    done = silent.jobs.filter(status=JobStatus.SUCCEEDED).exclude(step="inspect")
    assert {job.step for job in done} == IDLE
    assert not IDLE & {Job.objects.get(pk=job).step for job in rung()}
    assert all(job.attempt == 0 and job.finished_at and job.progress == 1 for job in done)


def test_steps_without_work__stay_done(silent: Run) -> None:
    ended = dict(silent.jobs.filter(step__in=IDLE).values_list("step", "finished_at"))
    runner.advance(silent.pk)
    assert dict(silent.jobs.filter(step__in=IDLE).values_list("step", "finished_at")) == ended


def test_job_that_a_worker_once_had__took_no_time_when_it_ends_without_one(silent: Run) -> None:
    job = silent.jobs.get(step="audio")
    Job.objects.filter(pk=job.pk).update(status=JobStatus.WAITING, started_at=silent.moved_at, attempt=1)
    runner.advance(silent.pk)
    job.refresh_from_db()
    assert (job.status, job.seconds) == (JobStatus.SUCCEEDED, None)


def test_film__is_ready_with_the_last_step_that_has_work(silent: Run) -> None:
    work()
    silent.refresh_from_db()
    assert silent.status == RunStatus.READY
    assert owed.is_all_there(silent)
    assert sum(queue.done for queue in last_hour().values()) == silent.jobs.count() - len(IDLE)


def test_made_again__ends_them_once_more(silent: Run) -> None:
    work()
    runner.make_again(silent.pk)
    work()
    silent.refresh_from_db()
    assert silent.status == RunStatus.READY


def test_file_owed_since_the_job_was_called_no_work__is_made_by_a_worker(silent: Run) -> None:
    job = silent.jobs.get(step="poster")
    rung()
    Job.objects.filter(pk=job.pk).update(status=JobStatus.WAITING, work=0)
    runner.advance(silent.pk)
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED
