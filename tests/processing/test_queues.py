"""How full the queues are: rows and list lengths, and a place in line."""

import json
from dataclasses import asdict
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from processing import queues, worker
from processing.bridge import connection
from processing.models import Job, JobStatus, Speed
from tests.outage import broker_away

pytestmark = pytest.mark.django_db


def overview() -> dict[str, queues.Queue]:
    return {queue.name: queue for queue in queues.overview()}


def first_jobs() -> Any:
    return Job.objects.filter(step="inspect").order_by("pk")


def test_overview__names_every_queue_even_when_nothing_is_in_it():
    assert [queue.name for queue in queues.overview()] == ["images", "videos", "default"]
    assert overview()["videos"] == queues.Queue("videos", 0, 0, 0, 0.0, 0.0, 0, 0)


def test_overview__counts_rows_that_are_queued_and_running_and_no_others(upload):
    for _ in range(3):
        upload()
    first_jobs().first().claim("worker-a")
    images = overview()["images"]
    assert (images.queued, images.running) == (2, 1)
    assert (overview()["videos"].queued, overview()["videos"].running) == (0, 0)


def test_overview__depth_is_the_length_of_the_list():
    connection().rpush("images", "a message", "another")
    assert overview()["images"].depth == 2
    assert overview()["videos"].depth == 0


def test_overview__oldest_wait_is_that_of_who_has_waited_longest(upload):
    for _ in range(2):
        upload()
    Job.objects.filter(pk=first_jobs().first().pk).update(queued_at=now() - timedelta(minutes=5))
    assert 300 <= overview()["images"].oldest_wait_seconds < 360


def test_overview__who_runs_does_not_wait(upload):
    upload()
    first_jobs().update(queued_at=now() - timedelta(minutes=5))
    first_jobs().first().claim("worker-a")
    assert overview()["images"].oldest_wait_seconds == 0


def test_overview__backlog_is_what_is_queued_held_and_left_of_the_running(upload):
    for _ in range(4):
        upload()
    Speed.objects.create(queue="images", step="inspect", pace=4, work=1)
    running, _, _, held = first_jobs()
    running.claim("worker-a")
    Job.objects.filter(pk=running.pk).update(progress=0.5, started_at=now() - timedelta(seconds=2))
    Job.objects.filter(pk=held.pk).update(status=JobStatus.WAITING, held_at=now())
    assert overview()["images"].backlog_seconds == pytest.approx(3 * 4 + 2, abs=0.2)
    assert overview()["images"].queued == 3


def test_overview__workers_are_those_that_said_so_for_this_queue(monkeypatch):
    for name in ("host/1", "host/2"):
        monkeypatch.setattr(worker, "name", name)
        worker.be_present(["images"], 2)
    worker.be_present(["videos"], 1)
    assert [queue.workers for queue in queues.overview()] == [2, 1, 0]
    assert [queue.hands for queue in queues.overview()] == [4, 1, 0]


def test_overview__worker_that_is_silent_fades():
    worker.be_present(["images"], 2)
    (key,) = connection().scan_iter("mediaweb:worker:*")
    assert 0 < connection().ttl(key) <= worker.PRESENCE


def test_overview__says_what_it_knows_while_redis_is_down(upload, broker):
    upload()
    with broker_away(broker):
        images = overview()["images"]
    assert (images.depth, images.workers, images.queued) == (None, None, 1)


def said(*words: str) -> str:
    out = StringIO()
    call_command("queues", *words, stdout=out)
    return out.getvalue()


def test_command__json_is_what_the_api_gives():
    assert json.loads(said("--json")) == [asdict(queue) for queue in queues.overview()]


def test_command__table_has_a_line_for_each_queue_and_says_who_does_not_answer(broker):
    assert [line.split()[0] for line in said().splitlines()] == ["name", "images", "videos", "default"]
    with broker_away(broker):
        assert "no answer" in said()
