"""SQLite whose writers go one after the other without sleeping past their turn.

SQLite lets one write at a time. Who finds it taken asks again after 1, 2, 5, … and at last every 100 ms, so that under
load the unlucky wait for seconds while others come and go. Here the threads of a process stand in line for a lock
of their own, and the one whose turn it is asks every few milliseconds for what other processes hold.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

# Seconds between asking and asking again; a transaction takes 5 to 30 ms. Who asks more often comes first, as a rule.
ASK_EVERY = 0.005
IN_HASTE = 0.001  # for a process that people wait for, and for who has waited a second
LONG = 1.0  # seconds of waiting
PRIMARY = 0xFF  # of an error's code, what says its kind; the rest says why
WRITES = ("INSERT", "UPDATE", "DELETE")


@cache
def turn(process: int, name: str) -> threading.Lock:
    """What a thread of this process holds while it writes to this database; a forked one has its own."""
    return threading.Lock()


Stock: Any = base.DatabaseWrapper  # whose hooks no stub names


class DatabaseWrapper(Stock):  # type: ignore[misc]
    has_turn: "threading.Lock | None" = None  # in quotes: Python 3.11's is no type

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.execute_wrappers.append(self.execute_in_turn)

    def _start_transaction_under_autocommit(self) -> None:
        self.in_turn(super()._start_transaction_under_autocommit)

    def execute_in_turn(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """A statement that writes and is no part of a transaction is one by itself."""
        if self.has_turn or not sql.startswith(WRITES):
            return execute(sql, *rest)
        try:
            return self.in_turn(partial(execute, sql, *rest))
        finally:
            self.let_go()

    def in_turn(self, begin: Callable[[], Any]) -> Any:
        """What this returns that begins to write, when it can. The turn is this thread's until it lets go."""
        patience: float = self.settings_dict["OPTIONS"].get("timeout", 5)
        began = time.monotonic()
        lock = turn(os.getpid(), str(self.settings_dict["NAME"]))
        if not lock.acquire(timeout=patience):
            raise OperationalError("database is locked")
        self.has_turn = lock
        try:
            self.connection.execute("PRAGMA busy_timeout = 0")
            return self.insist(begin, began, patience)
        except BaseException:
            self.let_go()
            raise
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    def insist(self, begin: Callable[[], Any], began: float, patience: float) -> Any:
        """Ask for what another process holds, until so many seconds have passed since it began."""
        while True:
            try:
                return begin()
            except OperationalError as error:
                waited = time.monotonic() - began
                if not is_busy(error) or waited > patience:
                    raise
            time.sleep(self.pause(waited))

    def pause(self, waited: float) -> float:
        """Seconds until it asks again, having waited so long."""
        return IN_HASTE if waited > LONG else float(self.settings_dict.get("ASK_EVERY", ASK_EVERY))

    def let_go(self) -> None:
        if self.has_turn:
            self.has_turn.release()
            self.has_turn = None

    def _commit(self) -> Any:
        super()._commit()
        self.let_go()  # not where it failed: then a rollback follows, or the end of the connection

    def _rollback(self) -> Any:
        try:
            super()._rollback()
        finally:
            self.let_go()

    def _close(self) -> Any:
        try:
            super()._close()
        finally:
            self.let_go()


def is_busy(error: OperationalError) -> bool:
    """Whether another process writes to the database just now."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) & PRIMARY == sqlite3.SQLITE_BUSY
