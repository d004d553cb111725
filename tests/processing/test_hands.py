"""A job gets the cores that no other job is about to need."""

from dataclasses import replace

import pytest

from processing import hands, pipelines, runner
from processing.models import Job, JobStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def cores(monkeypatch):
    return lambda number: monkeypatch.setattr(hands, "cores", lambda: number)


@pytest.mark.parametrize(("jobs", "expected"), [(0, 4), (1, 4), (2, 2), (3, 1), (4, 1), (9, 1)])
def test_to_spare__cores_are_shared_out_among_who_works_and_who_waits(upload, cores, jobs, expected):
    cores(4)
    for _ in range(jobs):
        upload()
    if first := Job.objects.filter(step="inspect").first():
        first.claim("worker-a")
    assert hands.to_spare() == expected


def test_to_spare__what_is_done_or_not_yet_ready_needs_no_core(upload, cores):
    cores(4)
    upload()
    upload()
    Job.objects.filter(step="inspect").update(status=JobStatus.SUCCEEDED)
    assert hands.to_spare() == 4


def test_to_spare__on_one_core_one_thread(upload, cores):
    cores(1)
    upload()
    assert hands.to_spare() == 1


@pytest.mark.parametrize(
    ("limit", "expected"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8), (None, 8)]
)
def test_cores__no_more_than_the_container_may_use(tmp_path, monkeypatch, limit, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(hands, "CPU_LIMIT", tmp_path / "cpu.max")
    if limit is not None:
        hands.CPU_LIMIT.write_text(limit)
    assert hands.cores() == expected


def test_run__order_says_how_many_hands_there_are(upload, cores, monkeypatch):
    cores(3)
    orders = []
    step = pipelines.step_named("image", "inspect")
    watched = replace(step, make=lambda order: orders.append(order) or step.make(order))
    monkeypatch.setattr(pipelines, "step_named", lambda *_: watched)
    original = upload()
    runner.run(original.run.jobs.get(step="inspect").pk, "worker-a")
    assert [order.hands for order in orders] == [3]
