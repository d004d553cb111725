"""Who goes next: a window for each owner, the rest in rows, and what an editor moves to the front."""

from typing import Any

import pytest

from processing import doorbells, lines, runner, sweeping
from processing.bridge import connection
from processing.models import Job, JobStatus, Run, RunStatus
from tests.conftest import fresh

pytestmark = pytest.mark.django_db(transaction=True)
FLOOD = 20


@pytest.fixture(autouse=True)
def empty_lists() -> None:
    connection().flushall()


def begin_next(queue: str = "images") -> Any:
    """Take the next message as a worker would, and claim its job; which that is."""
    [job_id] = doorbells.job_ids(connection().rpop(queue))
    job = Job.objects.get(pk=job_id)
    assert runner.claim(job, "worker-a")
    return job


def queued(owner: Any) -> int:
    return int(Job.objects.filter(owner=owner, status=JobStatus.QUEUED).count())


def test_window__is_all_that_one_owner_has_in_a_list(upload, alice):
    for _ in range(FLOOD):
        upload()
    assert connection().llen("images") == queued(alice) == lines.WINDOW
    assert Job.objects.held().count() == FLOOD - lines.WINDOW
    assert Run.objects.filter(status=RunStatus.RECEIVED).count() == FLOOD


def test_window__lets_the_next_in_when_one_is_begun(upload, alice):
    for _ in range(lines.WINDOW + 1):
        upload()
    begin_next()
    assert (queued(alice), Job.objects.held().count()) == (lines.WINDOW, 0)
    assert connection().llen("images") == lines.WINDOW


def test_window__bob_waits_for_a_window_of_alices_at_the_most(upload, bob):
    for _ in range(FLOOD):
        upload()
    his = upload(owner=bob)
    begun = 0
    while begin_next().run_id != his.run.pk:
        begun += 1
    assert begun == lines.WINDOW


def test_window__older_runs_go_on_before_younger_ones_begin(upload):
    """A photo's thumbnails are not made after the whole flood's inspection."""
    for _ in range(FLOOD):
        upload()
    message = connection().rpop("images")
    for job_id in doorbells.job_ids(message):
        runner.run(job_id, "worker-a")
    oldest = Run.objects.order_by("pk").first()
    following = Job.objects.get(run=oldest, step="thumbnails")
    seen = [begin_next().pk for _ in range(lines.WINDOW + 2)]
    assert following.pk in seen


def test_window__many_workers_may_be_at_one_owners_jobs(upload):
    for _ in range(FLOOD):
        upload()
    begun = {begin_next().pk for _ in range(FLOOD)}
    assert len(begun) == FLOOD


def test_cancel__of_what_is_in_the_list_lets_the_next_in(upload, alice):
    originals = [upload() for _ in range(FLOOD)]
    for original in originals[: lines.WINDOW]:
        runner.cancel(original.run.pk)
    assert queued(alice) == lines.WINDOW


def test_cancel__of_what_is_held_takes_it_out_of_the_line(upload):
    originals = [upload() for _ in range(FLOOD)]
    runner.cancel(originals[-1].run.pk)
    assert Job.objects.held().count() == FLOOD - lines.WINDOW - 1


def test_sweep__lets_in_what_everybody_forgot(upload, alice):
    """Its owner's jobs in the list went in a way that told nobody, as rows deleted by hand do."""
    for _ in range(FLOOD):
        upload()
    Job.objects.filter(status=JobStatus.QUEUED).delete()
    assert sweeping.sweep()["begun"] == lines.WINDOW
    assert queued(alice) == lines.WINDOW


def test_sweep__flushed_broker_is_filled_by_windows_again(upload, alice):
    for _ in range(FLOOD):
        upload()
    connection().flushall()
    from tests.processing.test_runner import make_bells_old

    make_bells_old()
    sweeping.sweep()
    assert connection().llen("images") == lines.WINDOW


def test_flood__ends_ready_to_the_last(upload):
    from tests.processing.test_runner import work

    for _ in range(lines.WINDOW + 2):
        upload()
    work()
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.READY}
    assert not Job.objects.held().exists()


def test_front__of_what_is_held_is_next_and_passes_the_window(upload, bob):
    for _ in range(FLOOD):
        upload()
    upload(owner=bob)
    last = upload()
    assert runner.to_front(last.run.pk)
    assert begin_next().run_id == last.run.pk


def test_front__of_what_is_in_the_list_is_next_and_the_list_is_no_longer(upload):
    originals = [upload() for _ in range(4)]
    runner.to_front(originals[2].run.pk)
    assert connection().llen("images") == 4
    assert begin_next().run_id == originals[2].run.pk
    assert begin_next().run_id == originals[0].run.pk


def test_front__goes_before_in_every_later_step_until_it_is_over(upload):
    for _ in range(3):
        upload()
    mine = upload()
    runner.to_front(mine.run.pk)
    for _ in range(2):
        for job_id in doorbells.job_ids(connection().rpop("images")):
            assert Job.objects.get(pk=job_id).run_id == mine.run.pk
            runner.run(job_id, "worker-a")
    mine.run.refresh_from_db()
    assert (mine.run.status, mine.run.rank) == (RunStatus.READY, 0)


def film() -> bytes:
    """What looks like one by its first bytes, and has never been sent before."""
    return fresh(b"\0\0\0\x18ftypmp42")


def test_package__of_a_film_that_is_all_but_ready_goes_before_what_has_not_begun(upload):
    last = [upload(film(), "film.mp4") for _ in range(lines.WINDOW + 2)][-1].run
    last.jobs.filter(step__in=("inspect", "ladder", "audio")).update(status=JobStatus.SUCCEEDED)
    runner.advance(last.pk)
    job = begin_next("videos")
    assert (job.run_id, job.step) == (last.pk, "package")


def test_front__when_it_is_over_leaves_each_step_the_rank_it_had(upload):
    run = upload(film(), "film.mp4").run
    before = dict(run.jobs.values_list("step", "rank"))
    runner.to_front(run.pk)
    assert max(run.jobs.values_list("rank", flat=True)) < min(before.values())
    runner.cancel(run.pk)
    assert dict(run.jobs.values_list("step", "rank")) == before


def test_advance__of_one_among_many_held_reads_no_more_rows(upload, alice, django_assert_max_num_queries):
    upload()
    first = Run.objects.get()
    crowd = [Run(original=original, kind="image") for original in copies(first.original, 3000)]
    Run.objects.bulk_create(crowd)
    Job.objects.bulk_create(
        Job(run=run, step="inspect", queue="images", owner=alice, held_at=first.moved_at) for run in crowd
    )
    with django_assert_max_num_queries(20):
        runner.advance(first.pk)
    assert lines.next_runs(alice.pk, "images") == [run.pk for run in crowd[: lines.WINDOW - 1]]


def copies(original: Any, count: int) -> list[Any]:
    model = type(original)
    values = {name: getattr(original, name) for name in ("owner", "name", "kind", "bytes", "sha256")}
    return list(model.objects.bulk_create(model(**values, key=f"copy-{number}") for number in range(count)))
