"""Jobs that have nothing to do for their original: the sound of a silent film, the subtitles of one without.

They end without a worker. In a list they waited behind other films' work, and so did the original that was ready but
for them; and each took as long as a claim and its record do.
"""

from collections.abc import Sequence

from django.db.models.functions import Now

from processing import owed, pipelines
from processing.models import Job, JobStatus, Run


def end(run: Run, jobs: Sequence[Job]) -> None:
    """Call done what of the run could begin now and is to make nothing. Call it inside `runner.changing`."""
    names = pipelines.ready(run.kind, undone(jobs))
    for job in jobs:
        if job.status == JobStatus.WAITING and job.step in names and is_idle(run, job):
            call_done(run, job)


def undone(jobs: Sequence[Job]) -> set[str]:
    """The steps of which a job has still to succeed."""
    return {job.step for job in jobs if job.status != JobStatus.SUCCEEDED}


def is_idle(run: Run, job: Job) -> bool:
    """Whether it is no work, and still is as its presets are today."""
    return job.work == 0 and owed.to_make(run, pipelines.step_named(run.kind, job.step)) is None


def call_done(run: Run, job: Job) -> None:
    """It has succeeded without being tried, and has left all that others wait for: nothing."""
    leaves = pipelines.leaves_pieces(run.kind, pipelines.step_named(run.kind, job.step))
    done = {"progress": 1, "started_at": None, "finished_at": Now(), "held_at": None, "not_before": None}
    job.move(JobStatus.SUCCEEDED, **done, pieces=[] if leaves else None)
