"""Lists of runs for the desk: filters, counts, and keyset pages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from processing.models import OPEN, Job, JobStatus, Rendition, Run, RunStatus
from processing.standing import Lines, Standing

PAGE = 50
# What a retry would owe again: of a ready run, an extra that failed.
RETRYABLE = Q(status__in=(RunStatus.FAILED, RunStatus.CANCELED)) | Q(
    Exists(Job.objects.filter(run=OuterRef("pk"), status=JobStatus.FAILED)), status=RunStatus.READY
)
UNDONE = Job.objects.filter(run=OuterRef("pk"), status__in=(*OPEN, JobStatus.FAILED))
THUMBNAILS = ("webp-160", "webp-320", "webp-640", "poster")  # the first there is


@dataclass(frozen=True)
class Filters:
    """What the desk is narrowed to; an empty value narrows nothing."""

    status: str = ""
    kind: str = ""
    step: str = ""  # that the run still owes
    queue: str = ""  # that the run still owes something on
    error: str = ""
    owner: str = ""
    q: str = ""
    since: str = ""  # days it was received on, both included: 2026-11-26
    until: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        return cls(**{name: query.get(name, "").strip() for name in cls.__dataclass_fields__})

    def narrowed(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}

    def apply(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        wanted = {
            "status": self.status,
            "kind": self.kind,
            "error_code": self.error,
            "original__owner__username": self.owner,
        }
        rows = rows.filter(between("original__created_at", self.since, self.until), **narrowing(wanted))
        named = narrowing({"original__name__icontains": self.q})
        if named:  # names first, from their index: SQLite would look up the original of every run (390 ms of 100,000)
            rows = rows.filter(pk__in=Run.objects.filter(**named).values("pk"))
        owed = narrowing({"step": self.step, "queue": self.queue})
        return rows.filter(Exists(UNDONE.filter(**owed))) if owed else rows


def narrowing(wanted: dict[str, str]) -> dict[str, str]:
    """The lookups that narrow anything, in words every database takes.

    PostgreSQL refuses a NUL, which no stored text holds; its stand-in matches nothing all the same.
    """
    return {lookup: text.replace("\0", "\N{REPLACEMENT CHARACTER}") for lookup, text in wanted.items() if text}


def between(field: str, since: str, until: str) -> Q:
    """Rows whose `field` is on a day from `since` to `until`; what is empty, or no day, narrows nothing."""
    first, last = day_of(since), day_of(until)
    found = Q()
    if first:
        found &= Q(**{f"{field}__gte": midnight(first)})
    if last:
        found &= Q(**{f"{field}__lt": midnight(last + timedelta(days=1))})
    return found


def day_of(text: str) -> date | None:
    """The day that `2026-11-26` names, of those that have a day before and after."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date.min.year < found.year < date.max.year else None


def midnight(day: date) -> datetime:
    """When the day begins by the reader's clock."""
    return timezone.make_aware(datetime.combine(day, time()))


@dataclass(frozen=True)
class Row:
    """One run as the desk shows it."""

    run: Run
    current: Job | None  # the job that says where the run is: at work, in line, failed
    parts: tuple[int, int] | None  # of its step: done, and all; None where it is the only one
    standing: Standing
    thumbnail: Rendition | None

    @property
    def took(self) -> float | None:
        """Seconds from the upload to the end, where it has ended; to the first, where it was made again."""
        finished = self.run.ready_at or self.run.finished_at
        return (finished - self.run.original.created_at).total_seconds() if finished else None

    @classmethod
    def of(cls, run: Run, lines: Lines | None = None) -> Self:
        """The run's row, as the lines stand; they are read where they are not given."""
        jobs = list(run.jobs.all())
        now = current(jobs)
        return cls(
            run=run,
            current=now,
            parts=parts([job for job in jobs if now and job.step == now.step]),
            standing=(lines or Lines.read([run])).of(run),
            thumbnail=thumbnail(run.original.renditions.all()),
        )


@dataclass(frozen=True)
class Page:
    """Some runs, newest first, and the cursor of those that come after; None where none do."""

    rows: Sequence[Row]
    next_cursor: int | None


def runs() -> QuerySet[Run]:
    """Runs with all that a row shows, in four queries however many they are."""
    return Run.objects.select_related("original__owner").prefetch_related(
        Prefetch("jobs", Job.objects.order_by("pk")), "original__renditions"
    )


def page(rows: QuerySet[Run], cursor: str = "", limit: int = PAGE) -> Page:
    """The page of `rows` after `cursor`; a cursor that is no number of ours begins at the first."""
    ordered = rows.order_by("-pk")
    if cursor.isdecimal():
        ordered = ordered.filter(pk__lt=int(cursor))
    found = list(ordered[: limit + 1])
    shown = found[:limit]
    lines = Lines.read(shown)
    return Page([Row.of(run, lines) for run in shown], shown[-1].pk if len(found) > limit else None)


def counts(filters: Filters) -> dict[str, int]:
    """How many runs there are in each status, and under "" in all, whatever status is filtered for."""
    rows = Filters(**{**asdict(filters), "status": ""}).apply(Run.objects.all())
    found = dict(rows.order_by().values_list("status").annotate(Count("pk")))
    return {"": sum(found.values()), **{status.value: found.get(status.value, 0) for status in RunStatus}}


def current(jobs: Sequence[Job]) -> Job | None:
    order = (JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.FAILED, JobStatus.WAITING)
    return next((job for status in order for job in jobs if job.status == status), None)


def parts(jobs: Sequence[Job]) -> tuple[int, int] | None:
    done = sum(job.status == JobStatus.SUCCEEDED for job in jobs)
    return (done, len(jobs)) if len(jobs) > 1 else None


def thumbnail(renditions: Any) -> Rendition | None:
    by_preset = {item.preset: item for item in renditions}
    return next((by_preset[name] for name in THUMBNAILS if name in by_preset), None)
