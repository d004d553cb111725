"""How full the queues are, from rows and from Redis: for editors, ops and scalers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from redis.exceptions import RedisError

from processing import estimates, speeds
from processing.bridge import connection
from processing.estimates import Measure
from processing.models import HELD, LEASE, Job, JobStatus
from processing.pipelines import QUEUES

UNKNOWN = Measure(pace=1, work=1)  # of a step that is no longer in the pipeline
QUEUED, RUNNING = Q(status=JobStatus.QUEUED), Q(status=JobStatus.RUNNING)


@dataclass(frozen=True)
class Queue:
    """One queue as it is now. None: Redis did not answer.

    `depth` is the length of the Redis list. `queued` counts the rows a free worker could begin, in the
    list or held for their owner's window; with `running` it is what to scale on: the list does not see
    them all. Seconds are of one hand's time; `hands` are the jobs its workers do at once.
    """

    name: str
    depth: int | None
    queued: int
    running: int
    oldest_wait_seconds: float
    backlog_seconds: float
    workers: int | None
    hands: int | None = None

    @property
    def seconds_to_empty(self) -> float:
        """What the hands there are need for all that is in line and in hand."""
        return self.backlog_seconds / max(1, self.hands or 1)


def overview() -> list[Queue]:
    """Every queue, in the order the service names them: the pages, the command and the API read this."""
    measures = speeds.measured()
    counts = {row["queue"]: row for row in counted()}
    in_line, in_hand = seconds_in_line(measures), seconds_in_hand(measures)
    return [queue_of(name, counts.get(name, {}), in_line.get(name, 0.0) + in_hand.get(name, 0.0)) for name in QUEUES]


def counted() -> list[Any]:
    rows = Job.objects.filter(QUEUED | RUNNING | HELD).values("queue")
    since = Min(Coalesce("held_at", "queued_at"), filter=~RUNNING)
    return list(
        rows.annotate(queued=Count("pk", filter=~RUNNING), running=Count("pk", filter=RUNNING), wait=Now() - since)
    )


def queue_of(name: str, row: dict[str, Any], backlog: float) -> Queue:
    wait, said = row.get("wait"), presence(name)
    return Queue(
        name=name,
        depth=depth(name),
        queued=row.get("queued", 0),
        running=row.get("running", 0),
        oldest_wait_seconds=round(max(0.0, wait.total_seconds()), 1) if wait else 0.0,
        backlog_seconds=round(backlog, 1),
        workers=None if said is None else len(said),
        hands=None if said is None else sum(said),
    )


def seconds_in_line(measures: Mapping[tuple[str, str], Measure]) -> dict[str, float]:
    """What the jobs that a free worker could begin will take, by queue."""
    sums = Job.objects.filter(QUEUED | HELD).values("queue", "step")
    seconds = dict.fromkeys(QUEUES, 0.0)
    for row in sums.annotate(units=Sum("work", default=0.0), unknown=Count("pk", filter=Q(work=None))):
        measure = measures.get((row["queue"], row["step"]), UNKNOWN)
        seconds[row["queue"]] += measure.seconds(row["units"] + row["unknown"] * measure.work)
    return seconds


def seconds_in_hand(measures: Mapping[tuple[str, str], Measure]) -> dict[str, float]:
    """What is left of the running jobs, by queue."""
    seconds = dict.fromkeys(QUEUES, 0.0)
    for job in Job.objects.filter(RUNNING):
        seconds[job.queue] += seconds_left(job, measures, timezone.now())
    return seconds


def seconds_left(job: Job, measures: Mapping[tuple[str, str], Measure], now: datetime, share: float = 1.0) -> float:
    """What is left of this job, which waits or runs and has that share of a core."""
    expected = measures.get((job.queue, job.step), UNKNOWN).seconds(job.work)
    if job.status != JobStatus.RUNNING or job.started_at is None or job.lease_until is None:
        return expected
    elapsed = share * max(0.0, (now - job.started_at).total_seconds())
    # How far it is was said at its last heartbeat, and since then it has gone on.
    since = share * max(0.0, (now - (job.lease_until - LEASE)).total_seconds()) if job.progress else 0.0
    return estimates.remaining(expected, job.progress, elapsed, since)


def depth(name: str) -> int | None:
    try:
        return int(connection().llen(name))
    except RedisError:
        return None


def workers(name: str) -> int | None:
    """Living workers that take from this queue; None where Redis does not answer."""
    said = presence(name)
    return None if said is None else len(said)


def strength() -> tuple[dict[str, int], float]:
    """The hands of every queue, and the cores of all machines that workers live on, in one look at Redis.

    No hands, and cores without end, where no worker has said so, or Redis does not answer.
    """
    found = said("mediaweb:*") or {}
    hands = {name: sum(below(f"mediaweb:worker:{name}:", found)) for name in QUEUES}
    return hands, sum(below("mediaweb:cores:", found)) or inf


def below(prefix: str, found: Mapping[str, int]) -> list[int]:
    return [value for key, value in found.items() if key.startswith(prefix)]


def presence(name: str) -> list[int] | None:
    """The hands of each worker that said within the last seconds that it takes from this queue."""
    found = said(f"mediaweb:worker:{name}:*")
    return None if found is None else list(found.values())


def said(pattern: str) -> dict[str, int] | None:
    """What living workers say, by its keys, under those like this; None where Redis does not answer."""
    try:
        keys = list(connection().scan_iter(pattern, count=1000))
        values = connection().mget(keys) if keys else []
    except RedisError:
        return None
    return {key.decode(): int(value) for key, value in zip(keys, values, strict=True) if value}
