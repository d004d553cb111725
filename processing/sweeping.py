"""One round of recovery, every ten seconds: what dead workers held, what is due, what nobody was told of.

Like all of `runner`, it may be done twice, at any time, by anybody; a turn only spares the work. What
it reads is found by partial indexes on open jobs and read in batches, so that neither its time nor its
memory grows with what is finished (`python -m tests.benchmarks.sweep`).
"""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import takewhile
from typing import Any, TypeVar

from django.db.models.functions import Now

from processing import doorbells, lines, quarantine, runner, turns
from processing.models import Job, Run

UNANSWERED = timedelta(seconds=10)  # from a message's leaving the list to the claim takes milliseconds
BATCH = 1000  # ids in hand at once
# Seconds: what is left then is the next beat's, which takes back first what has been lost meanwhile. After an
# outage that took 3000 jobs' messages and workers away, all of it at once was 44 s on a busy machine.
ROUND = 8.0

Found = TypeVar("Found")


def sweep() -> dict[str, int]:
    """One round of recovery: take back what dead workers held, begin what is due, ring for what was lost.

    Nothing, where another is at it: of two beats the second would ask the same again.
    """
    with turns.alone("sweep") as is_ours:
        if not is_ours:
            return {"taken_back": 0, "begun": 0, "rung_again": 0}
        end = time.monotonic() + ROUND
        return {"taken_back": take_back(end), "begun": begin_due(end), "rung_again": ring_again(end)}


def in_time(found: Iterable[Found], end: float) -> Iterator[Found]:
    """These, until the end of the round."""
    return takewhile(lambda _: time.monotonic() < end, found)


def take_back(end: float) -> int:
    """Give jobs whose lease has run out to another worker, or up."""
    return sum(take_back_run(run_id) for run_id in in_time(runs_of(Job.objects.lost()), end))


def runs_of(jobs: Any) -> Iterator[int]:
    """The runs of these jobs, each once. A batch is read when the one before it is done with."""
    rows = jobs.order_by("run").values_list("run", flat=True).distinct()
    last = 0
    while batch := list(rows.filter(run__gt=last)[:BATCH]):
        yield from batch
        last = batch[-1]


def take_back_run(run_id: int) -> int:
    with suppress(Run.DoesNotExist), runner.changing(run_id) as run:
        return sum(job.move(**quarantine.after(job)) for job in run.jobs.lost())
    return 0


def begin_due(end: float) -> int:
    """Queue the jobs whose time before the next try is over, and those for whom there is room in the list."""
    due = sum(advanced(run_id) for run_id in in_time(runs_of(Job.objects.due()), end))
    return due + sum(runner.let_in(owner, queue) for owner, queue in in_time(lines.with_room(), end))


def advanced(run_id: int) -> bool:
    runner.advance(run_id)
    return True


def ring_again(end: float) -> int:
    """Ring for queued jobs whose message is in no list: it was lost."""
    began = time.monotonic()
    if not Job.objects.unanswered(UNANSWERED).exists():
        return 0
    heard = doorbells.heard()
    return sum(ring_run_again(run_id, heard, began) for run_id in in_time(silent_runs(heard, began), end))


def silent_runs(heard: Collection[int], began: float) -> Iterator[int]:
    """The runs with a job that waits for an answer, and did so when the lists were read, where it was not `heard`."""
    last = 0
    while batch := unanswered_behind(last, began):
        yield from sorted({run_id for job_id, run_id in batch if job_id not in heard})
        last, _ = batch[-1]


def unanswered_behind(last: int, began: float) -> list[tuple[int, int]]:
    rows = Job.objects.unanswered(UNANSWERED + since(began)).filter(pk__gt=last).order_by("pk")
    return list(rows.values_list("pk", "run_id")[:BATCH])


def ring_run_again(run_id: int, heard: Collection[int], began: float) -> int:
    with suppress(Run.DoesNotExist), runner.changing(run_id) as run:
        late = run.jobs.unanswered(UNANSWERED + since(began)).order_by("pk")
        silent = [job for job in late if job.pk not in heard]
        run.jobs.filter(pk__in=[job.pk for job in silent]).update(rung_at=Now())
        runner.ring(run, silent)
        return len(silent)
    return 0


def since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)
