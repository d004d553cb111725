"""Who goes next: at most a window of an owner's jobs stands in a list, the rest is held in rows.

So that one owner's thousand films do not stand before another's first. What is held waits by rank,
then by age of its run, and is let in one by one as its owner's jobs leave the list.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now
from django.utils.timezone import now

from processing import pipelines, speeds
from processing.models import Job, JobStatus, Run

# Of one owner in one list. Enough that a list does not run dry between a claim and the next one let in,
# which is two transactions, and that a few workers can take from it at once; few enough that a stranger
# waits for eight jobs and no more.
WINDOW = 8
FIRST = ("rank", "run", "pk")
GOES_FIRST = -1  # the rank of steps that do; what an editor has moved to the front ranks before them
LISTED = {"queued_at": Now(), "rung_at": Now(), "not_before": None, "held_at": None}


def describe(run: Run, jobs: Iterable[Job]) -> None:
    """Say in the run's jobs whose they are and how much work, where they do not say it yet."""
    is_measured = bool(run.original.facts)
    unsaid = [job for job in jobs if job.owner_id is None or (is_measured and job.work is None)]
    for job in unsaid:
        say(run, job)
    if unsaid:
        Job.objects.bulk_update(unsaid, ("owner", "rank", "work"))


def say(run: Run, job: Job) -> None:
    job.owner_id, job.rank = run.original.owner_id, rank(run, job.step)
    job.work = job.work or speeds.work_of(run, job)


def admitted(run: Run, ready: Sequence[Job]) -> list[Job]:
    """Those of these ready jobs that may enter their lists now; the others are held.

    The window is counted without a lock: on PostgreSQL, who lets in at the same moment may exceed it by one each.
    """
    chosen: list[Job] = []
    for queue, jobs in groupby(sorted(ready, key=attrgetter("queue")), attrgetter("queue")):
        waiting = list(jobs)
        ranked = [job for job in waiting if job.rank < 0]
        others = [job for job in waiting if job.rank >= 0]
        count = room(run.original.owner_id, queue) if others else 0
        chosen += ranked + others[:count]
        hold(others[count:])
    return sorted(chosen, key=ready.index)


def hold(jobs: Collection[Job]) -> None:
    if new := [job.pk for job in jobs if not job.held_at]:
        Job.objects.filter(pk__in=new).update(held_at=Now())


def leave(jobs: Collection[Job]) -> None:
    """Hold these no longer: they could not begin."""
    for job in jobs:
        job.held_at = None
    if jobs:
        Job.objects.filter(pk__in=[job.pk for job in jobs]).update(held_at=None)


def room(owner: int | None, queue: str) -> int:
    """How many more of this owner's jobs the list takes."""
    listed = Job.objects.filter(owner=owner, queue=queue, status=JobStatus.QUEUED).values_list("pk")
    return WINDOW - len(listed[:WINDOW])


def may_have_moved() -> bool:
    """Whether others may have left a list since this transaction counted it.

    Not on SQLite: who has begun to write sees all that was committed, and keeps others from it until its own commit.
    """
    return connection.features.has_select_for_update


def next_runs(owner: int | None, queue: str) -> list[int]:
    """The runs whose held jobs are this owner's next for the list, as many as there is room for."""
    free = room(owner, queue)
    held = Job.objects.held().filter(owner=owner, queue=queue).order_by(*FIRST)
    return list(dict.fromkeys(held.values_list("run", flat=True)[:free])) if free else []


def with_room() -> list[tuple[int, str]]:
    """Each (owner, queue) with something held, and room for it in the list: two queries for all owners."""
    queued = Job.objects.filter(status=JobStatus.QUEUED).order_by().values_list("owner", "queue")
    full = set(queued.annotate(count=Count("pk")).filter(count__gte=WINDOW).values_list("owner", "queue"))
    held = Job.objects.held().order_by().values_list("owner", "queue").distinct()
    return [line for line in held if line not in full]


def rank(run: Run, step: str) -> int:
    """Of a run's job of this step. Below 0 it goes before all that has no rank, and past its owner's window."""
    return run.rank or (GOES_FIRST if step in pipelines.first(run.kind) else 0)


def unrank(run: Run) -> None:
    """Rank the jobs as if nobody had moved their run to the front."""
    run.jobs.update(rank=0)
    run.jobs.filter(step__in=pipelines.first(run.kind)).update(rank=GOES_FIRST)


def rank_first(run: Run) -> None:
    """Rank the run, and what it has open, before all that were ranked so far."""
    run.rank = -int(now().timestamp() * 1000)
    Run.objects.filter(pk=run.pk).update(rank=run.rank)
    run.jobs.update(rank=run.rank)
