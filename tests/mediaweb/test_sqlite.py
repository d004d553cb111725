"""Writers of the embedded database stand in line, whatever becomes of those before them."""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction

from mediaweb.desks import CARRIED_BACK, keep_connections
from mediaweb.sqlite.base import ASK_EVERY, IN_HASTE, LONG
from tests.waiting import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no such line"),
]


@pytest.fixture
def crew() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as crew:
        yield crew


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)


def in_thread(crew: ThreadPoolExecutor, action: Callable[[], Any]) -> "Future[Any]":
    def do() -> Any:
        try:
            return action()
        finally:
            connection.close()

    return crew.submit(do)


def write(name: str = "bob") -> None:
    with transaction.atomic():
        get_user_model().objects.create_user(name)


def names() -> set[str]:
    return set(get_user_model().objects.values_list("username", flat=True))


class Slow:
    """A transaction that lasts until it is told how to end."""

    def __init__(self, crew: ThreadPoolExecutor, end: Callable[[], None] = lambda: None) -> None:
        self.begun, self.told, self.end = threading.Event(), threading.Event(), end
        self.done = in_thread(crew, self.act)
        assert self.begun.wait(20)

    def act(self) -> None:
        with transaction.atomic():
            self.begun.set()
            assert self.told.wait(20)
            self.end()


def refuse() -> None:
    raise ValueError("as a view does that fails half way")


def cut_off() -> None:
    connection.close()


@pytest.mark.parametrize("end", [lambda: None, refuse, cut_off], ids=["ends", "fails", "is cut off"])
def test_writer__waits_for_another_however_that_one_ends(crew, end):
    slow = Slow(crew, end)
    waiting = [in_thread(crew, lambda name=name: write(name)) for name in ("bob", "charlie")]
    assert names() == set()
    slow.told.set()
    slow.done.exception(20)
    for each in waiting:
        each.result(20)
    assert names() == {"bob", "charlie"}


def test_writer__is_told_that_the_database_is_locked_when_it_has_waited_too_long(crew, impatient):
    slow = Slow(crew)
    with pytest.raises(OperationalError, match="locked"):
        in_thread(crew, write).result(20)
    slow.told.set()
    slow.done.result(20)
    in_thread(crew, write).result(20)
    assert names() == {"bob"}


def test_writer__waits_for_another_process_too(crew, impatient):
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"):
        in_thread(crew, write).result(20)
    connection.settings_dict["OPTIONS"]["timeout"] = 20
    waiting = in_thread(crew, write)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    waiting.result(20)
    until(lambda: names() == {"bob"})


def test_writer__of_a_web_process_asks_more_often_than_a_workers_until_that_has_waited_long(monkeypatch):
    settings, workers = connection.settings_dict, connection.pause(0.0)
    assert connection.pause(LONG + 0.1) == IN_HASTE, "nobody is kept waiting for ever"
    monkeypatch.setitem(settings, "ASK_EVERY", workers)
    monkeypatch.setitem(settings, "CONN_MAX_AGE", settings["CONN_MAX_AGE"])
    monkeypatch.setitem(settings, "OPTIONS", settings["OPTIONS"])
    keep_connections()
    assert connection.pause(0.0) == IN_HASTE < workers


def test_web_process__carries_the_log_back_seldom_and_a_worker_as_sqlite_does(monkeypatch):
    """Who carries it back keeps all that wait for its process's turn waiting."""
    settings = connection.settings_dict
    for name in ("ASK_EVERY", "CONN_MAX_AGE", "OPTIONS"):
        monkeypatch.setitem(settings, name, settings.get(name, ASK_EVERY))
    assert pages_until_carried_back() == 1000
    keep_connections()
    assert pages_until_carried_back() == CARRIED_BACK > 1000
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: what is accepted outlives a power cut"
    connection.close()  # others find it as it is elsewhere


def pages_until_carried_back() -> int:
    connection.close()
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA wal_autocheckpoint").fetchone()[0])


def test_statement_by_itself__is_not_overtaken_by_all_the_others(crew):
    """As SQLite has it, who found it taken sleeps ever longer: one of twenty let some five hundred go first."""
    write()
    is_over, done = threading.Event(), []

    def rename() -> int:
        """How many writers came first."""
        before = len(done)
        get_user_model().objects.filter(username="bob").update(first_name="Bob")
        return len(done) - before

    def write_on() -> None:
        while not is_over.is_set():
            write(secrets.token_hex(8))
            done.append(True)

    others = [in_thread(crew, write_on) for _ in range(4)]
    until(lambda: len(done) > 4)
    overtaken = in_thread(crew, lambda: [rename() for _ in range(20)]).result(60)
    is_over.set()
    for each in others:
        each.result(20)
    assert max(overtaken) < 100
