"""What a worker does when one of its pool's processes ends under a task."""

import logging
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request as CelerysRequest
from django.db import DatabaseError, connection

from processing import quarantine, worker

log = logging.getLogger(__name__)


class Request(CelerysRequest):
    """A task that was given to a process of the pool, as the worker's main process knows it."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError):
            take_back(self.args[0], str(error))
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)


def take_back(job_id: int, said: str) -> None:
    """Say how it ended while that is known, and let another try begin. Where that fails the lease runs out."""
    end = said.removeprefix("Worker exited prematurely: ").partition(" Job: ")[0].rstrip(".")
    try:
        quarantine.died(job_id, worker.name, end)
    except DatabaseError as error:
        log.warning("job %s waits for its lease to run out: %s", job_id, error)
    finally:
        connection.close()  # the pool forks, and no child shall have it
