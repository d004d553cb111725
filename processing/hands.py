"""What jobs have of the cores: how many threads one may use, and what it cost of a core."""

import os
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.db.models import Q

from processing.models import Job, JobStatus

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # of this container: "200000 100000" microseconds, or "max 100000"
TURNAROUND = timedelta(seconds=2)  # a hand that was idle for longer had nothing to do


def to_spare() -> int:
    """This machine's cores, shared out among all jobs that are at work or in a queue; at least 1 for each.

    Which machine the others are on is not asked: a job on another one costs us threads that would have
    helped, and never makes two jobs fight for a core.
    """
    have = cores()
    busy = Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING))[:have].count()
    return max(1, have // max(1, busy))


def cost(job: Job) -> float | None:
    """Seconds of a core that a job which has just ended cost the hand that did it; None where its times are unknown.

    They count from when its hand was free for it, because between two jobs a hand is idle for a moment: where jobs are
    small, that is a third of all. Of cores that are shared, only its part counts.
    """
    if job.started_at is None or job.finished_at is None:
        return None
    taken = holds([job, *beside(job)])
    own = taken.pop(job.pk)
    seconds = own.together(own)
    others = sum(own.together(other) for other in taken.values())
    return seconds * min(1.0, cores() / (1 + others / seconds)) if seconds else 0.0


def beside(job: Any) -> list[Job]:
    """The jobs that were at work on its machine while it was, or just before."""
    there = Job.objects.filter(worker__contains=f"@{machine_of(job.worker)}/", started_at__lt=job.finished_at)
    late = Q(status=JobStatus.RUNNING) | Q(finished_at__gt=job.started_at - 2 * TURNAROUND)
    return list(there.filter(late).exclude(pk=job.pk).only("worker", "queued_at", "started_at", "finished_at"))


@dataclass(frozen=True)
class Hold:
    """How long a job had a hand. No end: it still has it."""

    since: datetime
    until: datetime | None

    def together(self, other: "Hold") -> float:
        """How long both had one, in seconds; where but one has an end, until that."""
        until = min(end for end in (self.until, other.until) if end)
        return max(0.0, (until - max(self.since, other.since)).total_seconds())


def holds(jobs: Iterable[Any]) -> dict[int, Hold]:
    """How long each of these begun jobs had its hand, by its id: from when the hand was free and the job there for it.

    Which hand of its worker took a job is written nowhere: the one that was free for longest is taken for it. What
    hands are idle between two jobs is the same in all whichever they were.
    """
    begun = sorted(jobs, key=attrgetter("started_at"))
    free: dict[str, deque[datetime]] = defaultdict(deque)
    for ended, worker in sorted((job.finished_at, job.worker) for job in begun if job.finished_at):
        free[worker].append(ended)
    return {job.pk: Hold(since(job, free[job.worker]), job.finished_at) for job in begun}


def since(job: Any, free: deque[datetime]) -> datetime:
    """When its hand was free for it, of these moments in which its worker's hands were; that moment is used up."""
    began: datetime = job.started_at
    while free and free[0] < began - TURNAROUND:
        free.popleft()
    freed = free.popleft() if free and free[0] <= began else began
    return max(freed, min(job.queued_at or began, began))


def machine_of(worker: str) -> str:
    """The machine, or container, in a worker's name: `images@host/1a2b3c4d`."""
    return worker.partition("@")[2].rpartition("/")[0]


def cores() -> int:
    """The whole cores that this process may use."""
    have = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no cgroup, or no limit in it
        allowed, period = CPU_LIMIT.read_text().split()
        have = min(have, max(1, int(allowed) // int(period)))
    return have
