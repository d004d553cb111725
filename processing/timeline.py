"""A run's jobs on a common axis of time: when each waited, and when it worked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Self

from django.utils import timezone

from processing import listing, summary
from processing.models import OPEN, Job, JobStatus


@dataclass(frozen=True)
class Span:
    """A stretch of the axis, in per cent of it."""

    left: float
    width: float


@dataclass(frozen=True)
class Bar:
    """One job, with the stretch it stood in line and the stretch its last attempt took, where there are such."""

    job: Job
    waited: Span | None
    worked: Span | None


@dataclass(frozen=True)
class Line:
    """One step, or a stretch of its parts, with a bar for each job.

    `current` is the job that says most of it.
    """

    bars: Sequence[Bar]

    @property
    def jobs(self) -> list[Job]:
        return [bar.job for bar in self.bars]

    @property
    def step(self) -> str:
        return str(self.jobs[0].step)

    @property
    def parts(self) -> tuple[int, int] | None:
        return listing.parts(self.jobs)

    @property
    def stretches(self) -> list[Self]:
        """Its parts in lines of their own, neighbours that fare alike in one: a film may have hundreds."""
        found = [type(self)(list(alike)) for _, alike in groupby(self.bars, fortune)]
        return found if self.parts and len(found) > 1 else []

    @property
    def numbers(self) -> str:
        """Which parts these are, from 1: one, or the first and the last."""
        first, last = self.jobs[0].part + 1, self.jobs[-1].part + 1
        return str(first) if first == last else f"{first}\N{EN DASH}{last}"

    @property
    def current(self) -> Job:
        return listing.current(self.jobs) or self.jobs[-1]

    @property
    def progress(self) -> float:
        return summary.mean_progress(self.jobs, self.step)

    @property
    def attempt(self) -> int:
        """The most tries that any of them took."""
        return max(job.attempt for job in self.jobs)

    @property
    def workers(self) -> list[str]:
        return sorted({job.worker for job in self.jobs if job.worker}) or [self.jobs[0].queue]

    @property
    def seconds(self) -> float | None:
        """What their last attempts took, together."""
        took = [job.seconds for job in self.jobs if job.seconds is not None]
        return sum(took) if took else None

    @property
    def failures(self) -> list[Job]:
        return [job for job in self.jobs if job.error_code]


@dataclass(frozen=True)
class Timeline:
    """All lines, in the order of the steps' first jobs, and how many seconds the axis is long."""

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

        bars = [Bar(job, span(*waited(job, now)), span(*worked(job, now))) for job in jobs]
        return cls(lines(bars), seconds)


def fortune(bar: Bar) -> tuple[str, int | None]:
    """What makes a part worth a line of its own: that it is at work, has failed, or was tried again."""
    job = bar.job
    plain = job.status not in (JobStatus.RUNNING, JobStatus.FAILED) and job.attempt <= 1
    return job.status, None if plain else job.part


def lines(bars: Iterable[Bar]) -> list[Line]:
    """These bars by their steps."""
    found: dict[str, list[Bar]] = {}
    for bar in bars:
        found.setdefault(bar.job.step, []).append(bar)
    return [Line(step) for step in found.values()]


def waited(job: Job, now: datetime) -> tuple[datetime | None, datetime | None]:
    return job.queued_at, now if job.status == JobStatus.QUEUED else job.started_at


def worked(job: Job, now: datetime) -> tuple[datetime | None, datetime | None]:
    return job.started_at, now if job.status == JobStatus.RUNNING else job.finished_at
