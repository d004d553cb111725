"""What becomes of a job whose worker is gone: another try, or the end of them, with the evidence.

Errors, crashes and losses are counted apart. A crash is a death that the job's own process brought
about: a signal raised in it, an exit, or the kernel's killing for want of memory. A loss is a lease
that ran out, or a killing from outside: a machine that went or slept, a database out of reach, an
administrator, none of which says much of the job.
"""

from contextlib import suppress
from typing import Any

from django.db.models.functions import Now

from processing import last_words, runner
from processing.models import Job, JobStatus, Run

CRASHES_ALLOWED = 2  # a job that took its worker down this often is the cause of it
LOSSES_ALLOWED = 5  # five nodes in a row: more likely that it takes whole machines down with it
FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")
UNKNOWN = "its lease ran out"


def died(job_id: int, worker: str, end: str) -> bool:
    """Take a job back from a process of this worker that ended as `end` says, without waiting for the lease."""
    job = Job.objects.filter(pk=job_id, status=JobStatus.RUNNING, worker=worker).first()
    with suppress(Run.DoesNotExist):
        if job:
            with runner.changing(job.run_id):
                return job.move(**after(job, end))
    return False


def after(job: Job, end: str = UNKNOWN) -> dict[str, Any]:
    """What becomes of a job whose attempt has ended so."""
    found = last_words.evidence(job, end)
    is_crash = is_own_doing(end, found)
    crashes, losses = job.crashes + is_crash, job.losses + (not is_crash)
    changes = {"crashes": crashes, "losses": losses, "evidence": [*job.evidence, found]}
    if crashes < CRASHES_ALLOWED and losses < LOSSES_ALLOWED:
        return {"to": JobStatus.WAITING, **changes}
    return {
        "to": JobStatus.FAILED,
        "error_code": "internal",
        "error_details": {"reason": reason(found, crashes, losses)},
        "finished_at": Now(),
        **changes,
    }


def is_own_doing(end: str, found: dict[str, Any]) -> bool:
    """Whether the job brought its process down: the kernel or Python said so, or nobody else sends such a signal."""
    if found["out_of_memory"] or any(line.startswith("Fatal Python error") for line in found["lines"]):
        return True
    return end != UNKNOWN and not any(name in end for name in FROM_OUTSIDE)


def reason(found: dict[str, Any], crashes: int, losses: int) -> str:
    what = f"took its worker down {crashes} times" if crashes >= CRASHES_ALLOWED else f"lost its worker {losses} times"
    return f"it {what}, last {found['worker']} at attempt {found['attempt']}: {found['end']}"
