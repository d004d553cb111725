"""A run's summary: what its jobs amount to. Written only by `runner.changing`."""

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Coalesce, Now

from processing import lines, outcomes, owed, pipelines
from processing.models import NO_WAY_ON, OPEN, Job, JobStatus, Run, RunStatus


def write(run: Run, jobs: Sequence[Job]) -> bool:
    """Bring the run's row in line with its jobs, and owe what is owed when that ends it.

    Whether it is ready now, with all that today's pipeline owes it.
    """
    status = status_of(run.kind, jobs)
    is_complete = status == RunStatus.READY and owed.is_all_there(run)
    changes: dict[str, Any] = {
        "status": status,
        "progress": 1 if status == RunStatus.READY else progress_of(run.kind, jobs),
        "cancel_wish": run.cancel_wish,
        **error_of(status, required(run.kind, jobs)),
    }
    if status == RunStatus.READY:
        changes["pipeline_version"] = pipelines.version(run.kind) if is_complete else ""
        changes["ready_at"] = Coalesce("ready_at", Now())
    if status != run.status:
        changes["moved_at"] = Now()
        changes["finished_at"] = Now() if status in RunStatus.final() else None
        if status in RunStatus.final() and run.rank:  # what moved it to the front is over
            changes["rank"] = 0
            lines.unrank(run)
    if any(getattr(run, name) != value for name, value in changes.items()):
        Run.objects.filter(pk=run.pk).update(**changes)
    if status != run.status and status in RunStatus.final():
        outcomes.owe(run, status)
    return is_complete


def status_of(kind: str, jobs: Sequence[Job]) -> RunStatus:
    """What a run's jobs amount to; an extra that has failed counts for nothing."""
    jobs = required(kind, jobs)
    if all(job.status == JobStatus.SUCCEEDED for job in jobs):
        return RunStatus.READY
    unreachable = pipelines.out_of_reach(kind, {job.step for job in jobs if job.status in NO_WAY_ON})
    if any(job.status in OPEN and job.step not in unreachable for job in jobs):
        begun = any(job.attempt for job in jobs)
        return RunStatus.PROCESSING if begun else RunStatus.RECEIVED
    failed = any(job.status == JobStatus.FAILED for job in jobs)
    return RunStatus.FAILED if failed else RunStatus.CANCELED


def required(kind: str, jobs: Sequence[Job]) -> list[Job]:
    """All but the extras that have failed."""
    extras = pipelines.extras(kind)
    return [job for job in jobs if job.status != JobStatus.FAILED or job.step not in extras]


def progress_of(kind: str, jobs: Sequence[Job]) -> float:
    """How far the run is, 0 to 1; of a step of several parts, each counts by its frames.

    A step the run has no job of is younger than the run, and not owed to it yet: it counts as done.
    """
    return pipelines.progress(kind, {step.name: mean_progress(jobs, step.name) for step in pipelines.PIPELINES[kind]})


def mean_progress(jobs: Sequence[Job], step: str) -> float:
    parts = [(frames(job), fraction(job)) for job in jobs if job.step == step]
    total = sum(share for share, _ in parts)
    return sum(share * done for share, done in parts) / total if parts else 1


def frames(job: Job) -> int:
    return max(1, job.plan["frames"]) if job.plan else 1


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
