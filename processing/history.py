"""What the queues have finished in the last hour, stretch by stretch: from rows, for the page of the queues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncMinute
from django.utils import timezone

from processing.models import Job, JobStatus
from processing.pipelines import QUEUES

HOUR, BARS = timedelta(hours=1), 30
STRETCH = HOUR / BARS
FAILED = Q(status=JobStatus.FAILED)
ENDED = Q(status__in=(JobStatus.SUCCEEDED, JobStatus.FAILED), started_at__isnull=False)  # by a worker


@dataclass(frozen=True)
class Bar:
    """Jobs that ended in a stretch of the hour: all of them, and those that failed."""

    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Hour:
    """One queue's last hour, the oldest stretch first."""

    bars: Sequence[Bar]

    @property
    def done(self) -> int:
        return sum(bar.done for bar in self.bars)

    @property
    def failed(self) -> int:
        return sum(bar.failed for bar in self.bars)

    @property
    def most(self) -> int:
        return max(bar.done for bar in self.bars)


def last_hour() -> Mapping[str, Hour]:
    """The last hour of every queue: one query, of that hour's rows alone, counted where they lie."""
    now = timezone.now()
    rows = (
        Job.objects.filter(ENDED, finished_at__gt=now - HOUR)
        .annotate(minute=TruncMinute("finished_at"))
        .values("queue", "minute")
        .annotate(done=Count("pk"), failed=Count("pk", filter=FAILED))
    )
    found: dict[tuple[str, int], Bar] = {}
    for row in rows:
        place = row["queue"], min(BARS - 1, int((now - row["minute"]) / STRETCH))
        bar = found.get(place, Bar())
        found[place] = Bar(bar.done + row["done"], bar.failed + row["failed"])
    return {name: Hour([found.get((name, BARS - 1 - bar), Bar()) for bar in range(BARS)]) for name in QUEUES}
