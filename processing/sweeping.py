"""One round of recovery, every ten seconds: what dead workers held, what is due, what nobody was told of.

Like all of `runner`, it may be done twice, at any time, by anybody.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from processing import doorbells, lines, runner
from processing.models import Job, JobStatus, Run

CRASHES_ALLOWED = 3  # a job that took its worker down this often is the cause of it
UNANSWERED = timedelta(seconds=10)  # from a message's leaving the list to the claim takes milliseconds


def sweep() -> dict[str, int]:
    """One round of recovery: take back what dead workers held, begin what is due, ring for what was lost."""
    return {"taken_back": take_back(), "begun": begin_due(), "rung_again": ring_again()}


def take_back() -> int:
    """Give jobs whose lease has run out to another worker, or up."""
    lost = list(Job.objects.lost().values_list("run_id", flat=True).distinct())
    return sum(take_back_run(run_id) for run_id in lost)


def take_back_run(run_id: int) -> int:
    with suppress(Run.DoesNotExist), runner.changing(run_id) as run:
        return sum(job.move(**after_crash(job)) for job in run.jobs.lost())
    return 0


def after_crash(job: Job) -> dict[str, Any]:
    """What becomes of a job whose worker vanished: another worker's try, or the end of them."""
    crashes = job.crashes + 1
    if crashes < CRASHES_ALLOWED:
        return {"to": JobStatus.WAITING, "crashes": crashes}
    reason = f"its worker vanished {crashes} times, last {job.worker}"
    return {
        "to": JobStatus.FAILED,
        "crashes": crashes,
        "error_code": "internal",
        "error_details": {"reason": reason},
        "finished_at": Now(),
    }


def begin_due() -> int:
    """Queue the jobs whose time before the next try is over, and those for whom there is room in the list."""
    due = set(Job.objects.due().values_list("run_id", flat=True))
    for run_id in due:
        runner.advance(run_id)
    return len(due) + sum(runner.let_in(owner, queue) for owner, queue in lines.held_lines())


def ring_again() -> int:
    """Ring for queued jobs whose message is in no list: it was lost."""
    late = dict(Job.objects.unanswered(UNANSWERED).values_list("pk", "run_id"))
    if not late:
        return 0
    silent = set(late) - doorbells.heard()
    for run_id in {late[job_id] for job_id in silent}:
        ring_run_again(run_id, silent)
    return len(silent)


def ring_run_again(run_id: int, silent: Collection[int]) -> None:
    with suppress(Run.DoesNotExist), runner.changing(run_id) as run:
        late = [job for job in run.jobs.unanswered(UNANSWERED).order_by("pk") if job.pk in silent]
        run.jobs.filter(pk__in=[job.pk for job in late]).update(rung_at=Now())
        runner.ring(run, late)
