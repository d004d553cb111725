"""Telling an outage of what we lean on from a fault of a job: nobody's tries are burnt by the first."""

import sys
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError
from redis.exceptions import RedisError

from processing.engines import disk
from processing.engines.child import DiskFailed
from processing.engines.sandbox import EngineFailed

# Did not answer, or not to the end.
SILENT = (OperationalError, InterfaceError, RedisError, ConnectionError, TimeoutError)
IDLE_IN_TRANSACTION = "25P03"  # among PostgreSQL's codes
# What a store says that is busy, and to a machine whose clock is wrong.
NOT_NOW = ("RequestTimeout", "SlowDown", "Throttling", "TooManyRequests", "RequestTimeTooSkewed")

# What a request is told, and when to come again.
AWAY = ("unavailable", "We cannot reach our database or storage just now. Nothing accepted is lost; try again.")
RETRY_SECONDS = 5


def is_outage(error: BaseException | None) -> bool:
    """Whether database, broker, storage or disk did not serve, so that the job has not been tried at all."""
    match error:
        case OSError() | EngineFailed() if error.errno in disk.FAULTS:  # another job would fare no better
            return True
        case InternalError():  # we have been silent for too long, and PostgreSQL has let go of us
            return getattr(error.__cause__, "sqlstate", "") == IDLE_IN_TRANSACTION
        case _:
            return isinstance(error, (*SILENT, DiskFailed)) or is_outage_of_store(error)


def is_outage_of_store(error: BaseException | None) -> bool:
    """Whether S3's client says so. Where files are local, nobody has loaded it, and nothing comes of it."""
    if "botocore" not in sys.modules:
        return False
    from boto3.exceptions import Boto3Error, RetriesExceededError
    from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as NotConnected

    match error:
        case ClientError():
            return refused_for_now(error)
        case RetriesExceededError():  # a download's, which has broken off again and again
            return is_outage(error.last_exception)
        case Boto3Error():  # a transfer's: it was raised while what really happened was handled
            return is_outage(error.__context__)
        case _:
            return isinstance(error, (NotConnected, HTTPClientError, IncompleteReadError))


def refused_for_now(error: Any) -> bool:
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.get("Error", {}).get("Code") in NOT_NOW
