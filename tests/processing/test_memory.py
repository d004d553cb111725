"""A worker does not start what would not fit beside what it has in hand."""

from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now

from processing import costs, doorbells, memory, runner, sweeping
from processing.bridge import connection
from processing.facts import Facts
from processing.heartbeat import Heartbeat, JobLost
from processing.models import Job, JobStatus, Run, RunStatus
from tests.processing.test_runner import work

pytestmark = pytest.mark.django_db(transaction=True)
BUDGET = 300 * memory.MIB
BIG, SMALL = BUDGET - memory.MIB, 2 * memory.MIB


@pytest.fixture(autouse=True)
def narrow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of 300 MiB; each job states what its row says before it is claimed."""
    connection().flushall()
    settings.WORKER_MEMORY = BUDGET
    monkeypatch.setattr(memory, "stated", lambda _: BIG)


def job_of(original: Any) -> Any:
    return Job.objects.get(run__original=original, step="inspect")


def begun(original: Any, worker: str, stated: int) -> Any:
    job = job_of(original)
    assert runner.claim(job, worker, stated)
    return job


def test_take__first_job_of_a_worker_begins_whatever_it_states(upload, settings):
    settings.WORKER_MEMORY = 1
    upload()
    work()
    assert Run.objects.get().status == RunStatus.READY


def test_take__what_does_not_fit_is_put_back_uncounted_and_not_at_once(upload):
    begun(upload(), "worker-a", SMALL)
    job = job_of(upload())
    runner.run(job.pk, "worker-a")
    job.refresh_from_db()
    assert (job.status, job.attempt, job.errors, job.crashes) == (JobStatus.WAITING, 0, 0, 0)
    assert job.not_before > now(), "no worker turns it round and round"


def test_take__another_worker_may_have_it(upload):
    begun(upload(), "worker-a", SMALL)
    original = upload()
    runner.run(job_of(original).pk, "worker-a")
    Job.objects.filter(put_back=1).update(not_before=now())
    sweeping.sweep()
    assert job_of(original).pk in doorbells.heard()
    runner.run(job_of(original).pk, "worker-b")
    assert job_of(original).status == JobStatus.SUCCEEDED


def test_take__small_ones_fit_beside(upload, monkeypatch):
    begun(upload(), "worker-a", SMALL)
    monkeypatch.setattr(memory, "stated", lambda _: SMALL)
    original = upload()
    runner.run(job_of(original).pk, "worker-a")
    assert job_of(original).status == JobStatus.SUCCEEDED


def test_take__after_some_patience_it_is_claimed_and_others_find_no_room(upload):
    begun(upload(), "worker-a", SMALL)
    patient = job_of(upload())
    Job.objects.filter(pk=patient.pk).update(put_back=memory.PATIENCE)
    patient.refresh_from_db()
    assert runner.take(patient, "worker-a")
    assert not memory.fits(SMALL, "worker-a")
    assert (patient.put_back, patient.memory) == (0, BIG)


def test_wait_for_room__ends_when_those_before_it_have(upload, monkeypatch):
    first = begun(upload(), "worker-a", SMALL)
    second = begun(upload(), "worker-a", BIG)
    looks: list[float] = []

    def first_ends(seconds: float) -> None:
        looks.append(seconds)
        first.move(JobStatus.SUCCEEDED)

    monkeypatch.setattr(memory.time, "sleep", first_ends)
    heartbeat = Heartbeat(lambda _: True)
    memory.wait_for_room(second, heartbeat)
    memory.wait_for_room(first, heartbeat)
    assert looks == [memory.LOOK]


def test_wait_for_room__of_two_that_fill_the_worker_the_earlier_goes(upload):
    first, second = (begun(upload(), "worker-a", BIG) for _ in range(2))
    heartbeat = Heartbeat(lambda _: True)
    memory.wait_for_room(first, heartbeat)
    heartbeat.lost = True
    with pytest.raises(JobLost):
        memory.wait_for_room(second, heartbeat)


def test_limit__is_the_narrowest_of_the_groups_around_us(tmp_path: Path):
    inner = tmp_path / "pod" / "container"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text("734003200\n")
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert list(memory.cgroup_limits(iter((inner, inner.parent, tmp_path)))) == [734003200]


def test_limit__of_this_process_is_no_more_than_the_machine_has():
    assert 0 < memory.limit() <= memory.meminfo("MemTotal")
    assert memory.meminfo("MemAvailable") < memory.meminfo("MemTotal")


@pytest.mark.parametrize(
    ("facts", "low", "high"),
    [
        (Facts("image", "png", 10_000, 10_000), 600, 700),  # what a worker of 700 MB is to hold
        (Facts("image", "jpeg", 640, 480), 80, 90),
    ],
)
def test_bytes__of_pictures_are_those_that_were_measured(facts, low, high):
    assert low < costs.picture_bytes(facts, None) / memory.MIB < high


def test_bytes__of_a_ladder_are_those_that_were_measured():
    film = Facts("video", "mp4", 1920, 1080, duration=60, frame_rate=30)
    assert 530 < costs.ladder_bytes(film, None) / memory.MIB < 600
