"""A run's summary: what its jobs amount to. Written only by `runner.changing`."""

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from processing import notices, pipelines
from processing.models import OPEN, Job, JobStatus, Run, RunStatus

NO_WAY_ON = (JobStatus.FAILED, JobStatus.CANCELED)


def write(run: Run) -> None:
    """Bring the run's row in line with its jobs, and owe a notice when that ends it."""
    jobs = list(run.jobs.order_by("pk"))
    status = status_of(run.kind, jobs)
    changes: dict[str, Any] = {
        "status": status,
        "progress": progress_of(run.kind, jobs),
        "cancel_wish": run.cancel_wish,
        **error_of(status, jobs),
    }
    if status != run.status:
        changes["moved_at"] = Now()
        changes["finished_at"] = Now() if status in RunStatus.final() else None
    Run.objects.filter(pk=run.pk).update(**changes)
    if status != run.status and status in notices.WORTH_A_MAIL:
        notices.owe(run, status)


def status_of(kind: str, jobs: Sequence[Job]) -> RunStatus:
    """What a run's jobs amount to."""
    if all(job.status == JobStatus.SUCCEEDED for job in jobs):
        return RunStatus.READY
    unreachable = pipelines.out_of_reach(kind, {job.step for job in jobs if job.status in NO_WAY_ON})
    if any(job.status in OPEN and job.step not in unreachable for job in jobs):
        begun = any(job.attempt for job in jobs)
        return RunStatus.PROCESSING if begun else RunStatus.RECEIVED
    failed = any(job.status == JobStatus.FAILED for job in jobs)
    return RunStatus.FAILED if failed else RunStatus.CANCELED


def progress_of(kind: str, jobs: Sequence[Job]) -> float:
    """How far the run is, 0 to 1; a step of several parts counts by their mean."""
    steps = {job.step for job in jobs}
    return pipelines.progress(kind, {step: mean_progress(jobs, step) for step in steps})


def mean_progress(jobs: Sequence[Job], step: str) -> float:
    parts = [fraction(job) for job in jobs if job.step == step]
    return sum(parts) / len(parts)


def fraction(job: Job) -> float:
    if job.status == JobStatus.SUCCEEDED:
        return 1
    return job.progress if job.status == JobStatus.RUNNING else 0


def error_of(status: RunStatus, jobs: Sequence[Job]) -> dict[str, Any]:
    """The first failure, as the run's own; `canceled` where somebody stopped it."""
    failed = next((job for job in jobs if job.status == JobStatus.FAILED), None)
    if status == RunStatus.FAILED and failed:
        return {"error_code": failed.error_code, "error_details": failed.error_details}
    return {"error_code": "canceled" if status == RunStatus.CANCELED else "", "error_details": {}}
