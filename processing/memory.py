"""Not starting what would not fit: a worker's memory, less what its running jobs have stated."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models import Q, Subquery, Sum

from processing import owed, parts, pipelines
from processing.heartbeat import Heartbeat
from processing.models import Job, JobStatus

MIB = 1 << 20
# The worker itself: four pool children hold 121 MiB together, and each opens a sandbox.
OWN = 200 * MIB
# A job that does not fit is for another worker meanwhile: about the third of a part's half minute.
PUT_BACK = timedelta(seconds=10)
PATIENCE = 3  # times; then it is claimed and waits in hand, so that small jobs cannot pass it for ever
LOOK = 0.5  # seconds
UNLIMITED = 1 << 60  # version 1 of cgroups says "no limit" by a number near 2 to the 63rd


def stated(job: Job) -> int:
    """Bytes the job is expected to hold at its peak."""
    steps = {step.name: step for step in pipelines.PIPELINES[job.run.kind]}
    facts = owed.facts_of(job.run.original)
    return steps[job.step].memory(facts, parts.part_of(job)) if facts and job.step in steps else OWN


@contextmanager
def deciding() -> Iterator[None]:
    """Hold off this machine's other workers, and our other hands, from seeing the same room."""
    handle = os.open(settings.SCRATCH, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def fits(bytes_: int, worker: str) -> bool:
    """Whether a job that states so much may begin here now. One alone always may: else it never could."""
    beside = running_bytes(worker)
    return beside is None or (beside + bytes_ <= budget() and bytes_ <= available())


def wait_for_room(job: Job, heartbeat: Heartbeat) -> None:
    """Return once the job fits beside those that this worker began before it. May raise JobLost."""
    # Stored against stored: SQLite keeps three digits of a second, and Python's six would follow them.
    since = Subquery(Job.objects.filter(pk=job.pk).values("started_at"))
    earlier = Q(started_at__lt=since) | Q(started_at=since, pk__lt=job.pk)
    while (beside := running_bytes(job.worker, earlier)) is not None and beside + job.memory > budget():
        heartbeat.check()
        time.sleep(LOOK)


def running_bytes(worker: str, which: Q | None = None) -> int | None:
    """What this worker's running jobs have stated; None where there are none."""
    rows = Job.objects.filter(which or Q(), status=JobStatus.RUNNING, worker=worker)
    found: int | None = rows.aggregate(Sum("memory"))["memory__sum"]
    return found


def budget() -> int:
    """Bytes that this worker's jobs may state together."""
    return int(settings.WORKER_MEMORY or limit() - OWN)


@cache
def limit() -> int:
    """The memory this process may have: its container's, else the machine's."""
    return min([*cgroup_limits(own_groups()), meminfo("MemTotal")])


def available() -> int:
    """What the machine has left: neighbours may have taken what is ours on paper. All, where the budget is set."""
    return UNLIMITED if settings.WORKER_MEMORY else meminfo("MemAvailable")


def own_groups() -> Iterator[Path]:
    """The folders of our memory cgroup and those around it, in both versions of cgroups."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "memory"}:
            root = Path("/sys/fs/cgroup", controllers)
            inner = root / path.lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def cgroup_limits(groups: Iterator[Path]) -> Iterator[int]:
    for group in groups:
        for file in (group / "memory.max", group / "memory.limit_in_bytes"):
            text = file.read_text().strip() if file.is_file() else ""
            if text.isdecimal() and int(text) < UNLIMITED:
                yield int(text)


def meminfo(name: str) -> int:
    """A figure of /proc/meminfo, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
