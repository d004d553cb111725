"""What jobs have of the cores: how many threads one may use, and what it cost of a core."""

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.db.models import Max, Q

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

    They count from when its hand was free for it, because between two jobs a hand is idle for a moment and each step
    of a run waits for word of those before it: where jobs are small, that is a third of all. Of cores that are shared,
    only its part counts.
    """
    began, ended = job.started_at, job.finished_at
    if began is None or ended is None:
        return None
    return float((ended - freed(job, began)).total_seconds()) * share(job, began, ended)


def freed(job: Job, began: datetime) -> datetime:
    """When its hand had ended the job before it, or its run what it waited for: whichever was later, if just before."""
    before = Job.objects.filter(Q(worker=job.worker) | Q(run=job.run_id))
    just = before.filter(finished_at__gt=began - TURNAROUND, finished_at__lte=began)
    return just.aggregate(last=Max("finished_at"))["last"] or began


def share(job: Job, began: datetime, ended: datetime) -> float:
    """What part of a core it had on the whole, as those that were at work on its machine shared the cores."""
    machine = machine_of(job.worker)
    beside = Job.objects.filter(worker__contains=f"@{machine}/", started_at__lt=ended).exclude(pk=job.pk)
    others = beside.filter(Q(status=JobStatus.RUNNING) | Q(finished_at__gt=began)).only("started_at", "finished_at")
    seconds = sum(
        (min(each.finished_at or ended, ended) - max(each.started_at or ended, began)).total_seconds()
        for each in others
    )
    whole = (ended - began).total_seconds()
    return min(1.0, cores() / (1 + seconds / whole)) if whole else 1.0


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
