"""Telling an outage of what we lean on from a fault of a job: nobody's tries are burnt by the first."""

import errno
from http import HTTPStatus

from boto3.exceptions import Boto3Error
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NotConnected
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from processing.engines.child import DiskFailed

# Did not answer, or not to the end.
SILENT = (OperationalError, InterfaceError, RedisError, ConnectionError, TimeoutError)
SILENT_STORE = (NotConnected, HTTPClientError, IncompleteReadError)
# A full disk, a quota, a broken or lost disk, too many open files: another job would fare no better.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS, errno.EMFILE, errno.ENFILE)
# What a store says that is busy, and to a machine whose clock is wrong.
NOT_NOW = ("RequestTimeout", "SlowDown", "Throttling", "TooManyRequests", "RequestTimeTooSkewed")

# What a request is told, and when to come again.
AWAY = ("unavailable", "We cannot reach our database or storage just now. Nothing accepted is lost; try again.")
RETRY_SECONDS = 5


def is_outage(error: BaseException | None) -> bool:
    """Whether database, broker, storage or disk did not serve, so that the job has not been tried at all."""
    match error:
        case ClientError():
            return refused_for_now(error)
        case Boto3Error():  # a transfer's: it was raised while what really happened was handled
            return is_outage(error.__context__)
        case OSError() if error.errno in DISK:
            return True
        case DiskFailed():
            return True
        case _:
            return isinstance(error, SILENT + SILENT_STORE)


def refused_for_now(error: ClientError) -> bool:
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.get("Error", {}).get("Code") in NOT_NOW
