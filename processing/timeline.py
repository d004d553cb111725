"""A run's jobs on a common axis of time: when each waited, and when it worked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.utils import timezone

from processing.models import OPEN, Job, JobStatus


@dataclass(frozen=True)
class Span:
    """A stretch of the axis, in per cent of it."""

    left: float
    width: float


@dataclass(frozen=True)
class Line:
    """One job, with the stretch it stood in line and the stretch its last attempt took, where there are such."""

    job: Job
    waited: Span | None
    worked: Span | None


@dataclass(frozen=True)
class Timeline:
    """All lines, and how many seconds the axis is long."""

    lines: Sequence[Line]
    seconds: float

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Self:
        now = timezone.now()
        begin = min((job.queued_at for job in jobs if job.queued_at), default=now)
        ends = [now if job.status in OPEN else job.finished_at or begin for job in jobs]
        seconds = max(0.001, (max(ends, default=now) - begin).total_seconds())

        def span(start: datetime | None, end: datetime | None) -> Span | None:
            if start is None or end is None or end < start:
                return None
            left, right = ((moment - begin).total_seconds() / seconds * 100 for moment in (start, end))
            return Span(left, right - left)

        return cls([Line(job, span(*waited(job, now)), span(*worked(job, now))) for job in jobs], seconds)


def waited(job: Job, now: datetime) -> tuple[datetime | None, datetime | None]:
    return job.queued_at, now if job.status == JobStatus.QUEUED else job.started_at


def worked(job: Job, now: datetime) -> tuple[datetime | None, datetime | None]:
    return job.started_at, now if job.status == JobStatus.RUNNING else job.finished_at
