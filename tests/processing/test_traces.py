"""What a job's last attempt did is kept in its row, however it ended, and read only by who asks for it."""

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from processing import doorbells, heartbeat, pipelines, runner, sweeping
from processing.bridge import connection
from processing.engines import child
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.models import Job, JobStatus, Run
from processing.pipelines import Step

pytestmark = pytest.mark.django_db(transaction=True)

BOUNDS = child.Bounds(seconds=20, stall=20, memory=1024 * child.MIB)


def work() -> None:
    while message := connection().lpop("images"):
        for job_id in doorbells.job_ids(message):
            runner.run(job_id, "worker-a")


@pytest.fixture
def step_does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Order], Product]], None]:
    """Let the images' first step do something else than inspect."""

    def replace(make: Callable[[Order], Product]) -> None:
        first, *others = pipelines.PIPELINES["image"]
        changed = (Step(first.name, make, first.queue), *others)
        monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": changed})

    return replace


def told(step: str = "inspect") -> list[tuple[str, int | None, str]]:
    """Of each program that the job ran the last word of its command, its status and what it said."""
    seen = Job.objects.get(step=step).traces
    return [(item["command"].split()[-1], item["status"], item["said"]) for item in seen["commands"]]


def speak(order: Order, status: int = 0) -> Any:
    command = f"import sys; print('so it is', file=sys.stderr); sys.exit({status})"
    child.run([sys.executable, "-c", command, "it"], BOUNDS, on_tick=lambda: order.report(0))
    return Product()


def test_success__keeps_what_its_programs_did(upload):
    upload()
    work()
    assert told() == [("processing.engines.images:inspect", 0, "")]
    seen = Job.objects.get(step="thumbnails").traces
    assert seen["cpu"] > 0
    assert seen["memory"] > 1 << 20


def test_media_error__keeps_the_words_of_the_program(upload, step_does):
    def fail(order: Order) -> Product:
        speak(order)
        raise Corrupt(reason="torn")

    step_does(fail)
    upload()
    work()
    assert Job.objects.get(step="inspect").status == JobStatus.FAILED
    assert told() == [("it", 0, "so it is")]


def test_error_of_ours__keeps_them_until_the_next_try(upload, step_does):
    step_does(lambda order: speak(order, 3))
    upload()
    work()
    job = Job.objects.get(step="inspect")
    assert (job.status, told()) == (JobStatus.WAITING, [("it", 3, "so it is")])
    Job.objects.update(not_before=None)
    runner.advance(job.run_id)
    job.refresh_from_db()
    assert job.claim("worker-b")
    assert Job.objects.get(step="inspect").traces is None


def test_running__says_what_it_is_at_and_a_worker_that_vanishes_leaves_it(upload, step_does, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.05)
    beaten, seen = threading.Event(), []
    renew = Job.renew

    def renewed(job: Job, progress: float, **changes: Any) -> bool:
        ours = renew(job, progress, **changes)
        if changes["traces"]["commands"]:
            seen.append(told())
            beaten.set()
        return ours

    def wait(order: Order) -> Product:
        def until_beaten() -> None:
            if beaten.is_set():
                raise SystemExit  # as if the worker were killed: nothing of ours is said

        command = "import sys, time; print('here', file=sys.stderr, flush=True); time.sleep(60)"
        child.run([sys.executable, "-c", command, "it"], BOUNDS, on_tick=until_beaten)
        return Product()

    monkeypatch.setattr(Job, "renew", renewed)
    step_does(wait)
    upload()
    with pytest.raises(SystemExit):
        work()
    assert [(name, status) for name, status, _ in seen[0]] == [("it", None)]
    Job.objects.update(lease_until=now() - timedelta(seconds=1))
    sweeping.sweep()
    assert told()[0][0] == "it", "until another worker begins"


def test_jobs__are_read_without_it(upload):
    upload()
    work()
    run = Run.objects.get()
    for job in (*run.jobs.all(), *Job.objects.all(), Job.objects.select_related("run").first()):
        assert "traces" in job.get_deferred_fields()
