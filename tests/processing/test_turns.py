"""One sweep at a time, whoever is asked for it, and no harm where two are at it all the same."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection

from processing import runner, sweeping, turns
from processing.models import Job, JobStatus, Run
from processing.outages import is_outage
from tests.processing.test_runner import expire_leases, job_of
from uploads.intake import receiving

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = {"taken_back": 0, "begun": 0, "rung_again": 0}


def elsewhere(action: Callable[[], Any]) -> Any:
    """What the action gives on another connection, while this one goes on being held."""
    found: list[Any] = []

    def act() -> None:
        try:
            found.append(action())
        finally:
            connection.close()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(20)
    return found[0]


def test_alone__of_two_one_is_told_that_it_is_not(db):
    with turns.alone("this") as first:
        assert first
        assert elsewhere(lambda: held("this")) is False
        assert elsewhere(lambda: held("that")) is True
    assert elsewhere(lambda: held("this")) is True


def held(name: str) -> bool:
    with turns.alone(name) as is_ours:
        return is_ours


def test_alone__ends_with_an_error_too(db):
    with pytest.raises(ZeroDivisionError), turns.alone("this"):
        _ = 1 / 0
    assert elsewhere(lambda: held("this")) is True


def test_sweep__of_two_beats_does_nothing_while_the_other_is_at_it(upload):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    expire_leases()
    with turns.alone("sweep"):
        assert elsewhere(sweeping.sweep) == NOTHING
    with turns.alone("sweep-uploads"):
        assert elsewhere(receiving.sweep) == {"finished": 0, "expired": 0}
    assert sweeping.sweep()["taken_back"] == 1


def test_two_sweeps_at_once__take_each_job_back_once(upload, monkeypatch):
    """Also where the turn is lost without a word, as with a broken connection: nothing leans on it."""

    @contextmanager
    def always(name: str) -> Iterator[bool]:
        yield True

    monkeypatch.setattr(turns, "alone", always)
    jobs = [job_of(upload(), "inspect") for _ in range(6)]
    for job in jobs:
        job.claim("worker-a")
    expire_leases()
    done: list[int] = []
    begin = threading.Barrier(2)

    def sweep() -> None:
        begin.wait(20)
        done.append(sweeping.sweep()["taken_back"])
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(done) == len(jobs)
    assert set(Job.objects.filter(step="inspect").values_list("status", "losses")) == {(JobStatus.QUEUED, 1)}


def test_sweep__leaves_what_takes_long_to_the_next(upload, monkeypatch):
    job_of(upload(), "inspect").claim("worker-a")
    expire_leases()
    monkeypatch.setattr(sweeping, "ROUND", -1)
    assert sweeping.sweep() == NOTHING
    monkeypatch.undo()
    assert sweeping.sweep()["taken_back"] == 1


def test_sweep__reads_more_than_a_batch(upload, monkeypatch):
    monkeypatch.setattr(sweeping, "BATCH", 2)
    for _ in range(5):
        job_of(upload(), "inspect").claim("worker-a")
    expire_leases()
    assert sweeping.sweep()["taken_back"] == 5
    Job.objects.filter(status=JobStatus.QUEUED).update(rung_at="2020-01-01T00:00Z")
    from processing.bridge import connection as broker

    broker().flushall()
    assert sweeping.sweep()["rung_again"] == 5


def stop_within(run_id: int) -> None:
    """Be silent in a transaction until another has changed the run, then go on."""
    with runner.changing(run_id):
        elsewhere(lambda: runner.advance(run_id))
        Run.locked(run_id)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's users are on one machine")
def test_worker_that_stops_in_a_transaction__keeps_nobody_waiting_for_hours(upload):
    run_id = upload().run.pk
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
        cursor.execute("SHOW tcp_keepalives_idle")  # of one that is away
        assert cursor.fetchone() == ("30",)
        cursor.execute("SET idle_in_transaction_session_timeout = '300ms'")  # or this test would take the minute
    with pytest.raises(DatabaseError) as error:
        stop_within(run_id)
    assert is_outage(error.value)
    connection.close()
