"""The centre: what is owed is made once, whoever dies and however often anybody rings."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import QuerySet
from django.utils.timezone import now

from processing import doorbells, heartbeat, notices, pipelines, runner, storage, sweeping
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.models import Job, JobStatus, Notice, Rendition, Run, RunStatus
from processing.pipelines import Step

pytestmark = pytest.mark.django_db(transaction=True)


def work(worker: str = "worker-a") -> None:
    """Answer every ring until the queues are silent, as a worker would."""
    for queue in doorbells.TASKS:
        while message := connection().lpop(queue):
            for job_id in doorbells.job_ids(message):
                runner.run(job_id, worker)


def job_of(original: Any, step: str) -> Any:
    return Job.objects.get(run__original=original, step=step)


def expire_leases() -> None:
    Job.objects.filter(status=JobStatus.RUNNING).update(lease_until=now() - timedelta(seconds=1))


def make_bells_old() -> None:
    Job.objects.update(rung_at=now() - sweeping.UNANSWERED * 2)


@pytest.fixture
def step_does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Order], Product]], None]:
    """Let the images' first step do something else than inspect."""

    def replace(make: Callable[[Order], Product]) -> None:
        first, *others = pipelines.PIPELINES["image"]
        changed = (Step(first.name, make, first.queue), *others)
        monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": changed})

    return replace


def test_start__rings_for_the_first_step_alone(upload):
    original = upload()
    assert [(job.step, job.status) for job in original.run.jobs.order_by("pk")] == [
        ("inspect", JobStatus.QUEUED),
        ("thumbnails", JobStatus.WAITING),
    ]
    assert doorbells.heard() == {job_of(original, "inspect").pk}


def test_run__photo_ends_ready_with_every_rendition(upload):
    original = upload()
    work()
    original.refresh_from_db()
    assert original.run.status == RunStatus.READY
    assert original.run.progress == 1
    assert original.facts["width"] == 400
    assert original.placeholder
    made = set(original.renditions.values_list("preset", flat=True))
    assert made == {"webp-160", "webp-320", "webp-640", "jpeg-1280"}
    assert {key for key, _ in storage.keys(f"renditions/{original.pk}")} == set(
        original.renditions.values_list("key", flat=True)
    )


def test_run__many_rings_make_one_rendition_each(upload):
    original = upload()
    rings = [job.pk for job in original.run.jobs.order_by("pk")] * 3
    for job_id in rings:
        runner.run(job_id, "worker-a")
    assert Rendition.objects.count() == 4
    assert set(Job.objects.values_list("attempt", flat=True)) == {1}


def test_run__job_that_is_gone_is_nobodys_trouble(upload):
    upload()
    runner.run(987654321, "worker-a")


def test_fence__a_worker_given_up_can_publish_nothing(upload, monkeypatch):
    """Worker A stops for longer than its lease; B does the work; A wakes and must change nothing."""
    original = upload()
    work_of_b: list[str] = []

    def a_sleeps(job: Job, product: Product) -> Any:
        published = upload_files(job, product)
        if job.worker == "worker-a" and job.step == "thumbnails":
            expire_leases()
            sweeping.sweep()
            runner.run(job.pk, "worker-b")
            work_of_b.extend(Rendition.objects.order_by("pk").values_list("key", flat=True))
        return published

    upload_files = runner.publishing.upload
    monkeypatch.setattr(runner.publishing, "upload", a_sleeps)
    work("worker-a")

    assert len(work_of_b) == 4
    assert list(Rendition.objects.order_by("pk").values_list("key", flat=True)) == work_of_b
    assert job_of(original, "thumbnails").worker == "worker-b"
    left = {key for key, _ in storage.keys(f"renditions/{original.pk}")}
    assert left == set(work_of_b), "the loser of the fence deletes its files"


def test_fence__a_worker_given_up_cannot_publish_while_its_successor_is_at_work(upload, monkeypatch):
    original = upload()

    def a_sleeps(job: Job, product: Product) -> Any:
        published = upload_files(job, product)
        if job.step == "thumbnails":
            expire_leases()
            sweeping.sweep()
            assert Job.objects.get(pk=job.pk).claim("worker-b")
        return published

    upload_files = runner.publishing.upload
    monkeypatch.setattr(runner.publishing, "upload", a_sleeps)
    work("worker-a")

    job = job_of(original, "thumbnails")
    assert (job.status, job.worker, job.attempt) == (JobStatus.RUNNING, "worker-b", 2)
    assert not Rendition.objects.exists()
    assert not list(storage.keys("renditions")), "the loser of the fence deletes its files"


def test_fence__a_stale_attempt_moves_nothing(upload):
    job = job_of(upload(), "inspect")
    stale = Job.objects.get(pk=job.pk)
    assert job.claim("worker-a")
    assert not stale.claim("worker-b")
    assert not stale.move(JobStatus.CANCELED)
    assert not stale.renew(0.5)
    assert Job.objects.get(pk=job.pk).worker == "worker-a"


def test_sweep__takes_back_a_job_whose_lease_ran_out(upload):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    expire_leases()
    assert sweeping.sweep()["taken_back"] == 1
    job.refresh_from_db()
    assert (job.status, job.losses, job.crashes, job.attempt) == (JobStatus.QUEUED, 1, 0, 1)
    assert job.pk in doorbells.heard()


def test_sweep__leaves_a_living_lease_alone(upload):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    assert sweeping.sweep()["taken_back"] == 0
    job.refresh_from_db()
    assert (job.status, job.worker) == (JobStatus.RUNNING, "worker-a")


def test_sweep__rings_again_after_the_broker_lost_everything(upload):
    job = job_of(upload(), "inspect")
    connection().flushall()
    make_bells_old()
    assert sweeping.sweep()["rung_again"] == 1
    assert doorbells.heard() == {job.pk}


def test_sweep__does_not_ring_twice_for_what_waits_in_line(upload):
    upload()
    make_bells_old()
    assert sweeping.sweep()["rung_again"] == 0
    assert connection().llen("images") == 1


def test_error_of_ours__is_tried_again_later_and_counted(upload, step_does):
    def fail(order: Order) -> Product:
        raise OSError("the disk is on fire")

    step_does(fail)
    original = upload()
    work()
    job = job_of(original, "inspect")
    assert (job.status, job.errors) == (JobStatus.WAITING, 1)
    assert job.not_before > now()
    assert sweeping.sweep()["begun"] == 0, "not before its time"
    for _ in range(runner.ERRORS_ALLOWED - 1):
        Job.objects.update(not_before=now() - timedelta(seconds=1))
        sweeping.sweep()
        work()
    original.run.refresh_from_db()
    assert (original.run.status, original.run.error_code) == (RunStatus.FAILED, "internal")
    assert "the disk is on fire" in original.run.error_message


def test_error_of_theirs__is_final_at_once(upload, step_does):
    def refuse(order: Order) -> Product:
        raise Corrupt(reason="torn in half")

    step_does(refuse)
    original = upload()
    work()
    run = Run.objects.get(original=original)
    assert (run.status, run.error_code) == (RunStatus.FAILED, "corrupt")
    assert "torn in half" in run.error_message
    assert job_of(original, "inspect").attempt == 1


def test_hand_back__costs_the_job_nothing(upload):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    connection().flushall()
    assert runner.hand_back("worker-a") == 1
    job.refresh_from_db()
    assert (job.status, job.crashes, job.errors) == (JobStatus.QUEUED, 0, 0)
    assert doorbells.heard() == {job.pk}


def test_heartbeat__engine_learns_that_its_job_was_canceled(upload, step_does, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.02)

    def encode_for_ever(order: Order) -> Product:
        runner.cancel(Run.objects.get().pk)
        for _ in range(1000):
            order.report(0.5)
            heartbeat.threading.Event().wait(0.02)
        raise AssertionError("nobody told the engine")

    step_does(encode_for_ever)
    original = upload()
    work()
    original.run.refresh_from_db()
    assert original.run.status == RunStatus.CANCELED
    assert job_of(original, "inspect").status == JobStatus.CANCELED


def test_heartbeat__progress_of_the_job_reaches_the_run(upload, step_does, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.02)
    seen: list[float] = []

    def half_way(order: Order) -> Product:
        order.report(0.5)
        for _ in range(500):
            heartbeat.threading.Event().wait(0.02)
            if progress := Run.objects.get().progress:
                seen.append(progress)
                break
        return Product()

    step_does(half_way)
    upload()
    work()
    assert seen == [pytest.approx(0.05)]


def test_cancel_then_retry__ends_ready(upload):
    original = upload()
    runner.cancel(original.run.pk)
    work()
    assert Run.objects.get().status == RunStatus.CANCELED
    runner.retry(original.run.pk)
    work()
    assert Run.objects.get().status == RunStatus.READY


def test_retry__of_a_ready_run_makes_nothing_again(upload):
    original = upload()
    work()
    before = set(Rendition.objects.values_list("key", flat=True))
    runner.retry(original.run.pk)
    work()
    assert set(Rendition.objects.values_list("key", flat=True)) == before


def test_delete_while_running__leaves_no_file_behind(upload, monkeypatch):
    from uploads.keeping import forget

    original = upload()

    def deleted_meanwhile(job: Job, product: Product) -> Any:
        published = upload_files(job, product)
        if job.step == "thumbnails":
            forget(original)
        return published

    upload_files = runner.publishing.upload
    monkeypatch.setattr(runner.publishing, "upload", deleted_meanwhile)
    work()
    assert not Rendition.objects.exists()
    assert not list(storage.keys("renditions"))
    assert not list(storage.keys("originals"))


def test_record__a_step_leaves_alone_what_another_said_of_the_original_meanwhile(upload, monkeypatch):
    original = upload()

    def overtaken(job: Job, product: Product) -> Any:
        if job.step == "thumbnails":
            type(original).objects.update(facts={**job.run.original.facts, "frames": 7})
        return upload_files(job, product)

    upload_files = runner.publishing.upload
    monkeypatch.setattr(runner.publishing, "upload", overtaken)
    work()
    original.refresh_from_db()
    assert original.facts["frames"] == 7
    assert original.placeholder


def test_notice__one_mail_for_all_that_ended_within_the_minute(upload):
    originals = [upload(name=f"{number}.jpg") for number in range(3)]
    work()
    for run in Run.objects.all():
        runner.advance(run.pk)
    assert Notice.objects.count() == 3
    notices.send_owed()
    assert not mail.outbox, "others may still finish within the minute"
    Notice.objects.update(owed_at=now() - timedelta(minutes=2))
    notices.send_owed()
    notices.send_owed()
    assert len(mail.outbox) == 1
    assert all(original.name in mail.outbox[0].body for original in originals)


def test_notice__a_mail_whose_sender_died_goes_once_more_as_it_was(upload, monkeypatch):
    upload()
    work()
    Notice.objects.update(owed_at=now() - timedelta(minutes=2))
    with monkeypatch.context() as patch:  # sent, and killed before that was written down
        patch.setattr(QuerySet, "update", dying_at("sent_at"))
        with pytest.raises(Killed):
            notices.send_owed()
    upload(name="later.jpg")
    work()
    Notice.objects.update(owed_at=now() - timedelta(minutes=2))
    assert notices.send_owed() == 1, "of what is new alone: perhaps the sender lives"
    Notice.objects.filter(sent_at=None).update(claimed_at=now() - notices.CLAIM * 2)
    assert (notices.send_owed(), notices.send_owed()) == (1, 0)
    first, later, again = mail.outbox
    assert (again.extra_headers, again.body) == (first.extra_headers, first.body)
    assert later.extra_headers != first.extra_headers
    assert "later.jpg" not in again.body


class Killed(BaseException):
    pass


def dying_at(field):
    def update(rows, **changes):
        if field in changes:
            raise Killed
        return real(rows, **changes)

    real = QuerySet.update
    return update
