"""Holding a job's lease while its work goes on."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from processing.models import LEASE

log = logging.getLogger(__name__)

BEAT = 2.0  # seconds: how soon a cancel is noticed, and how often progress moves


class JobLost(Exception):
    """The job is not ours any longer: canceled, deleted, handed back, or given to another worker."""


class Heartbeat:
    """Renews a lease from a thread of its own until the work ends, or the job is lost.

    `renew(progress)` says whether the job is still ours. A worker that cannot reach the database for
    as long as a lease lasts counts itself as lost: by then another one may be at it.
    """

    def __init__(self, renew: Callable[[float], bool]) -> None:
        self.renew = renew
        self.progress = 0.0
        self.lost = False
        self.on_beat: Callable[[], object] = lambda: None  # what else is done every `BEAT`
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.over.set()
        self.thread.join()

    def report(self, fraction: float) -> None:
        """An engine says how far it is. Raises JobLost when it may stop."""
        self.progress = max(self.progress, min(fraction, 1.0))
        self.check()

    def check(self, _: int = 0) -> None:
        """Raises JobLost when the work may stop; a callback of whoever counts bytes."""
        if self.lost:
            raise JobLost

    def beat(self) -> None:
        held_until = time.monotonic() + LEASE.total_seconds()
        while not (self.lost or self.over.wait(BEAT)):
            self.on_beat()
            try:
                self.lost = not self.renew(self.progress)
                held_until = time.monotonic() + LEASE.total_seconds()
            except DatabaseError as error:
                log.warning("the lease could not be renewed: %s", error)
                connection.close()
                self.lost = time.monotonic() > held_until
        connection.close()
