"""SQLite whose writing transactions go one after the other without sleeping past their turn.

SQLite lets one write at a time. Who finds it taken asks again after 1, 2, 5, … and at last every 100 ms, so that under
load the unlucky wait for seconds while others come and go. Here the threads of a process stand in line for a lock
of their own, and the one whose turn it is asks every few milliseconds for what other processes hold.
"""

import os
import sqlite3
import threading
import time
from functools import cache
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

# Seconds between asking and asking again; a transaction takes 5 to 30 ms. Who asks more often comes first, as a rule.
ASK_EVERY = 0.005
IN_HASTE = 0.001  # for a process that people wait for, and for who has waited a second
LONG = 1.0  # seconds of waiting
PRIMARY = 0xFF  # of an error's code, what says its kind; the rest says why


@cache
def turn(process: int, name: str) -> threading.Lock:
    """What a thread of this process holds while it writes to this database; a forked one has its own."""
    return threading.Lock()


Stock: Any = base.DatabaseWrapper  # whose hooks no stub names


class DatabaseWrapper(Stock):  # type: ignore[misc]
    has_turn: "threading.Lock | None" = None  # in quotes: Python 3.11's is no type

    def _start_transaction_under_autocommit(self) -> None:
        patience: float = self.settings_dict["OPTIONS"].get("timeout", 5)
        began = time.monotonic()
        lock = turn(os.getpid(), str(self.settings_dict["NAME"]))
        if not lock.acquire(timeout=patience):
            raise OperationalError("database is locked")
        self.has_turn = lock
        try:
            self.connection.execute("PRAGMA busy_timeout = 0")
            while not self.begun():
                waited = time.monotonic() - began
                if waited > patience:
                    raise OperationalError("database is locked")
                time.sleep(self.pause(waited))
        except BaseException:
            self.let_go()
            raise
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    def pause(self, waited: float) -> float:
        """Seconds until it asks again, having waited so long."""
        return IN_HASTE if waited > LONG else float(self.settings_dict.get("ASK_EVERY", ASK_EVERY))

    def begun(self) -> bool:
        """Whether this connection holds the database now."""
        try:
            super()._start_transaction_under_autocommit()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlite_errorcode", 0) & PRIMARY != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

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
