"""Outages of what we lean on cost a job nothing; its own faults do."""

import errno
from datetime import timedelta
from typing import Any

import pytest
from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError, ReadTimeoutError
from django.db import IntegrityError, OperationalError
from django.utils.timezone import now

from processing import runner, sweeping
from processing.engines.child import DiskFailed
from processing.engines.sandbox import EngineFailed
from processing.models import Job, JobStatus, RunStatus
from processing.outages import is_outage
from tests.processing.test_runner import job_of, step_does, work

__all__ = ["step_does"]


def refusal(status: int, code: str = "") -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}, "GetObject")


def wrapped(inner: Exception) -> Exception:
    """As boto3's transfers raise what the store said."""
    try:
        try:
            raise inner
        except ClientError:
            raise S3UploadFailedError("Failed to upload")  # noqa: B904
    except S3UploadFailedError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("the database system is shutting down"),
        EndpointConnectionError(endpoint_url="store"),
        ReadTimeoutError(endpoint_url="store"),
        ConnectionResetError(),
        OSError(errno.ENOSPC, "No space left on device"),
        DiskFailed("ffmpeg", 0, "Error writing trailer of mp4-360.mp4: No space left on device"),
        EngineFailed("OSError: [Errno 28] No space left on device", errno.ENOSPC),
        refusal(503),
        refusal(403, "RequestTimeTooSkewed"),
        wrapped(refusal(500)),
        RetriesExceededError(IncompleteReadError(actual_bytes=1, expected_bytes=2)),
    ],
)
def test_is_outage__of_database_store_or_disk(error):
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("ours"),
        EngineFailed("TypeError: 7"),
        IntegrityError("ours"),
        FileNotFoundError(errno.ENOENT, "gone"),
        refusal(403, "AccessDenied"),
        refusal(404, "NoSuchKey"),
        wrapped(refusal(404)),
        RetriesExceededError(ValueError("ours")),
    ],
)
def test_is_outage__a_fault_that_would_come_again_is_none(error):
    assert not is_outage(error)


def retry_now() -> None:
    Job.objects.update(not_before=now() - timedelta(seconds=1))
    sweeping.sweep()
    work()


@pytest.mark.django_db(transaction=True)
def test_outage__longer_than_all_tries_costs_none_of_them(upload, step_does):
    def fail(order: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    step_does(fail)
    original = upload()
    work()
    for _ in range(runner.ERRORS_ALLOWED + 1):
        retry_now()
    job = job_of(original, "inspect")
    assert (job.status, job.errors, job.outages) == (JobStatus.WAITING, 0, runner.ERRORS_ALLOWED + 2)
    assert "No space left" in job.error_message, "an editor can see what it waits for"
    assert job.not_before > now() + runner.OUTAGE_PAUSE / 2


@pytest.mark.django_db(transaction=True)
def test_outage__without_end_ends_as_a_failure_with_its_reason(upload, step_does):
    def fail(order: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    step_does(fail)
    original = upload()
    Job.objects.update(outages=runner.OUTAGES_ALLOWED)
    work()
    for _ in range(runner.ERRORS_ALLOWED):
        retry_now()
    original.run.refresh_from_db()
    assert (original.run.status, original.run.error_code) == (RunStatus.FAILED, "internal")
    assert "No space left" in original.run.error_message
