"""What jobs have of the cores: how many threads one may use, and what share of a core it got."""

import os
from contextlib import suppress
from pathlib import Path

from processing.models import Job, JobStatus

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # of this container: "200000 100000" microseconds, or "max 100000"


def to_spare() -> int:
    """This machine's cores, shared out among all jobs that are at work or in a queue; at least 1 for each.

    Which machine the others are on is not asked: a job on another one costs us threads that would have
    helped, and never makes two jobs fight for a core.
    """
    have = cores()
    busy = Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING))[:have].count()
    return max(1, have // max(1, busy))


def share(job: Job) -> float:
    """What part of a core a job that has just ended had, as those that are at work on its machine share the cores."""
    machine = machine_of(job.worker)
    others = Job.objects.filter(status=JobStatus.RUNNING, worker__contains=f"@{machine}/").exclude(pk=job.pk)
    return min(1.0, cores() / (1 + others.count()))


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
