"""How full the queues are, from rows and from Redis: for editors, ops and scalers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Min, Q, Subquery
from django.db.models.functions import Now
from redis.exceptions import RedisError

from processing.bridge import connection
from processing.models import Job, JobStatus
from processing.pipelines import QUEUES

RECENT = 100  # finished jobs whose mean is what the next ones are expected to take


@dataclass(frozen=True)
class Queue:
    """One queue as it is now. None: Redis did not answer.

    `depth` is the length of the Redis list; `queued` and `running` count rows, and their sum is what
    to scale on: the list alone does not see the work in hand. Seconds are of one worker's time.
    """

    name: str
    depth: int | None
    queued: int
    running: int
    oldest_wait_seconds: float
    backlog_seconds: float
    workers: int | None


def overview() -> list[Queue]:
    """Every queue, in the order the service names them: the pages, the command and the API read this."""
    counts = {row["queue"]: row for row in counted()}
    return [queue_of(name, counts.get(name, {})) for name in QUEUES]


def counted() -> list[Any]:
    queued = Q(status=JobStatus.QUEUED)
    rows = Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING)).values("queue")
    return list(
        rows.annotate(
            queued=Count("pk", filter=queued),
            running=Count("pk", filter=Q(status=JobStatus.RUNNING)),
            wait=Now() - Min("queued_at", filter=queued),
        )
    )


def queue_of(name: str, row: dict[str, Any]) -> Queue:
    queued, running = row.get("queued", 0), row.get("running", 0)
    wait = row.get("wait")
    return Queue(
        name=name,
        depth=depth(name),
        queued=queued,
        running=running,
        oldest_wait_seconds=round(max(0.0, wait.total_seconds()), 1) if wait else 0.0,
        backlog_seconds=round((queued + running) * mean_seconds(name), 1),
        workers=workers(name),
    )


def mean_seconds(name: str) -> float:
    """How long a job of this queue takes, by the last RECENT ones."""
    done = Job.objects.filter(queue=name, status=JobStatus.SUCCEEDED, finished_at__isnull=False)
    recent = done.order_by("-pk").values_list(F("finished_at") - F("started_at"), flat=True)[:RECENT]
    took = [span.total_seconds() for span in recent]
    return sum(took) / len(took) if took else 0.0


def depth(name: str) -> int | None:
    try:
        return int(connection().llen(name))
    except RedisError:
        return None


def workers(name: str) -> int | None:
    """Workers that said within the last seconds that they take from this queue."""
    try:
        return sum(1 for _ in connection().scan_iter(f"mediaweb:worker:{name}:*", count=1000))
    except RedisError:
        return None


def position(jobs: Sequence[Job]) -> int | None:
    """Place in line, from 1, of the first of these jobs that is queued; None where none is, or one runs."""
    if any(job.status == JobStatus.RUNNING for job in jobs):
        return None
    queued = next((job for job in jobs if job.status == JobStatus.QUEUED), None)
    if queued is None:
        return None
    # Stored against stored: SQLite keeps three digits of a second, and Python's six would follow them.
    since = Subquery(Job.objects.filter(pk=queued.pk).values("queued_at"))
    earlier = Job.objects.filter(queue=queued.queue, status=JobStatus.QUEUED, queued_at__lt=since)
    return 1 + int(earlier.count())
