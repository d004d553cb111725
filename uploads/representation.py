"""An original as JSON: the same for the API, the event stream and the pages."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from ninja import Field, Schema

from processing.models import Job, Rendition, Run
from processing.standing import Lines
from uploads import playing
from uploads.models import Original

PLAIN = ("id", "name", "kind", "bytes", "sha256", "created_at", "taken_at")


class ErrorOut(Schema):
    code: str = Field(examples=["corrupt"])
    message: str = Field(examples=["The file is damaged and cannot be read (truncated). Upload a fresh copy."])
    details: dict[str, Any] = {}


class Refusal(Schema):
    """Every answer that is not the one asked for."""

    error: ErrorOut


class FactsOut(Schema):
    width: int
    height: int
    duration: float | None = None
    frame_rate: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    orientation: int = 1
    format: str = ""
    frames: int = 1
    plays: int = 0
    rotation: int = 0


class JobOut(Schema):
    id: int
    step: str
    part: int
    queue: str
    status: str
    attempt: int
    progress: float
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    worker: str
    error: ErrorOut | None


class FileOut(Schema):
    name: str = Field(description="as the rendition's file refers to it", examples=["360.m3u8"])
    content_type: str
    bytes: int
    url: str


class RenditionOut(Schema):
    preset: str
    content_type: str
    width: int
    height: int
    bytes: int
    url: str
    files: list[FileOut] = Field([], description="its companions, where a preset is more than one file")


class OriginalOut(Schema):
    id: UUID
    name: str
    kind: str | None
    status: str
    bytes: int
    sha256: str
    owner: str
    created_at: datetime
    taken_at: datetime = Field(description="by its camera; `created_at` where that says nothing")
    ready_at: datetime | None
    progress: float
    queue_position: int | None = Field(description="place in line, from 1; null where it is in none, or at work")
    eta_seconds: float | None = Field(description="until it has ended; null where nobody can know: no worker lives")
    error: ErrorOut | None
    facts: FactsOut | None
    placeholder: str
    colour: str
    srcset: str = Field(description="for an <img>: its WebP sizes, or a video's poster", examples=["https://… 160w"])
    jobs: list[JobOut]
    renditions: list[RenditionOut]


def originals() -> QuerySet[Original]:
    """Originals with all that their JSON needs, in four queries however many they are."""
    return Original.objects.select_related("owner", "run").prefetch_related(
        Prefetch("run__jobs", Job.objects.order_by("pk")),
        Prefetch("renditions", Rendition.objects.order_by("pk")),
    )


def represent(original: Original, lines: Lines, absolute: Callable[[str], str] = str) -> OriginalOut:
    """The original's JSON, as the lines stand. `absolute` makes a full address of one that begins with a slash."""
    renditions = [rendition_out(item, companions(original, item), absolute) for item in main_files(original)]
    found = srcset(stills(original), absolute)
    return drawn_up(original, original.run.jobs.all(), lines, srcset=found, renditions=renditions)


def represent_new(original: Original, lines: Lines) -> OriginalOut:
    """The JSON of one that has just been written down, as it was then: its rows need not be read again."""
    return drawn_up(original, original.run.first_jobs, lines, srcset="", renditions=[])


def drawn_up(original: Original, jobs: Iterable[Job], lines: Lines, **files: Any) -> OriginalOut:
    run = original.run
    standing = lines.of(run)
    return OriginalOut(
        **{name: getattr(original, name) for name in PLAIN},
        status=run.status,
        owner=original.owner.get_username(),
        ready_at=run.finished_at if run.status == "ready" else None,
        progress=round(run.progress, 4),
        queue_position=standing.position,
        eta_seconds=standing.seconds,
        error=error_out(run),
        facts=FactsOut(**original.facts) if original.facts else None,
        placeholder=original.placeholder,
        colour=original.colour,
        jobs=[job_out(job) for job in jobs],
        **files,
    )


def job_out(job: Job) -> JobOut:
    plain = {name: getattr(job, name) for name in JobOut.model_fields if name != "error"}
    return JobOut(**plain, error=error_out(job))


def error_out(row: Run | Job) -> ErrorOut | None:
    if not row.error_code:
        return None
    return ErrorOut(code=row.error_code, message=row.error_message, details=row.error_details)


def main_files(original: Original) -> list[Rendition]:
    """The files that presets are known by, without their companions."""
    return [item for item in original.renditions.all() if not item.name]


def companions(original: Original, rendition: Rendition) -> list[Rendition]:
    return [item for item in original.renditions.all() if item.name and item.preset == rendition.preset]


def rendition_out(rendition: Rendition, files: Iterable[Rendition], absolute: Callable[[str], str]) -> RenditionOut:
    plain = {name: getattr(rendition, name) for name in RenditionOut.model_fields if name not in ("url", "files")}
    shown = [file_out(item, absolute) for item in files]
    return RenditionOut(**plain, url=absolute(playing.address(rendition)), files=shown)


def file_out(companion: Rendition, absolute: Callable[[str], str]) -> FileOut:
    plain = {name: getattr(companion, name) for name in ("name", "content_type", "bytes")}
    return FileOut(**plain, url=absolute(playing.address(companion)))


def stills(original: Original) -> list[Rendition]:
    """The pictures a browser may choose among, smallest first: WebP sizes, or a video's poster."""
    found = [item for item in original.renditions.all() if re.fullmatch(r"webp-\d+|poster", item.preset)]
    return sorted(found, key=lambda item: item.width)


def srcset(renditions: Iterable[Rendition], absolute: Callable[[str], str] = str) -> str:
    """These pictures, as the `srcset` of an <img>."""
    return ", ".join(f"{absolute(playing.address(item))} {item.width}w" for item in renditions)
