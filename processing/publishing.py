"""Letting files appear: uploaded under keys that bear the attempt, then recorded in one transaction."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify

from processing import owed, parts, pipelines, storage
from processing.engines import capture
from processing.facts import Made, Piece, Product
from processing.heartbeat import JobLost
from processing.models import Job, Rendition, Run
from processing.pipelines import Step
from processing.presets import Sound

# A local folder is served by what its files' names end in, and an .mp4 would be a video.
SUFFIXES = {Sound.content_type: ".m4a"}


@dataclass(frozen=True)
class Published:
    """A made file that lies under its key, and is nobody's until a row knows it."""

    made: Made | Piece
    key: str
    bytes: int
    sha256: str


def key_of(job: Job, made: Made | Piece) -> str:
    """The fenced key: no two attempts at a job ever write to the same place."""
    if isinstance(made, Piece):
        folder, name, suffix = storage.PIECES, f"{made.name}.{job.part}", made.path.suffix
    else:
        name = f"{made.preset}.{slugify(Path(made.name).stem)}" if made.name else made.preset
        folder, suffix = storage.RENDITIONS, SUFFIXES.get(made.content_type, made.path.suffix)
    return f"{folder}/{job.run.original_id}/{name}.{job.pk}-{job.attempt}{suffix}"


def upload(job: Job, product: Product) -> list[Published]:
    """Put every file of the product in the storage; what a file refers to before the file."""
    files = sorted(product.files, key=lambda made: made.name == "")
    everything: list[Made | Piece] = [*product.pieces, *files]
    return [upload_file(made, key_of(job, made)) for made in everything]


def upload_file(made: Made | Piece, key: str) -> Published:
    published = Published(made, key, made.path.stat().st_size, sha256_of(made.path))
    storage.keep(made.path, key, made.content_type if isinstance(made, Made) else "")
    return published


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def dropping_on_loss(published: Sequence[Published]) -> Iterator[None]:
    """Who loses the fence deletes its files.

    Only then: after any other error the transaction may have been committed all the same, and `gc`
    finds what no row refers to.
    """
    try:
        yield
    except (JobLost, Run.DoesNotExist):
        for item in published:
            storage.drop(item.key)
        raise


def record(job: Job, product: Product, published: Sequence[Published]) -> None:
    """Write down what the product says of its original, a row for each of its files, and its pieces.

    The pieces that the step was fed with have done their work, and go.
    """
    original = job.run.original  # read under the run's lock: nobody's word is lost
    if product.facts:
        original.facts = asdict(product.facts)
        zone = timezone.get_default_timezone()
        original.taken_at = capture.moment(product.facts.taken, original.created_at, zone)
    if product.placeholder:
        original.placeholder = product.placeholder
    if product.colour:
        original.colour = product.colour
    original.save(update_fields=["facts", "placeholder", "colour", "taken_at"])
    if product.parts:
        parts.cut(job.run, product.parts)
    record_files(job, [(item.made, item) for item in published if isinstance(item.made, Made)])
    step = pipelines.step_named(job.run.kind, job.step)
    if pipelines.leaves_pieces(job.run.kind, step):
        record_pieces(job, step, [item for item in published if isinstance(item.made, Piece)])
    parts.drop(parts.feeding(job.run, job.step))


def record_files(job: Job, files: Sequence[tuple[Made, Published]]) -> None:
    """The rows of these presets. The files they had before go once the new ones are there to be seen."""
    there = Rendition.objects.filter(original=job.run.original_id, preset__in={made.preset for made, _ in files})
    finished = set(there.filter(version__gt=owed.OUTDATED).values_list("preset", flat=True))
    late = {made.preset for made, _ in files if made.version == owed.OUTDATED} & finished
    withdraw(there.exclude(preset__in=late))
    for made, item in files:
        if made.preset in late:  # a draft of what is finished by now
            transaction.on_commit(lambda key=item.key: storage.drop(key))  # type: ignore[misc]
        else:
            record_file(job, made, item)


def record_file(job: Job, made: Made, item: Published) -> None:
    Rendition.objects.create(
        original=job.run.original,
        preset=made.preset,
        name=made.name,
        version=made.version,
        key=item.key,
        content_type=made.content_type,
        width=made.width,
        height=made.height,
        duration=made.duration,
        bytes=item.bytes,
        sha256=item.sha256,
    )


def record_pieces(job: Job, step: Step, pieces: Sequence[Published]) -> None:
    """What the job has left for another: the preset's version with it, where it is one's."""
    versions = {preset.name: preset.version for preset in owed.told(job.run, step)}
    parts.drop([job])
    job.pieces = [
        {
            "name": item.made.name,
            "version": versions.get(item.made.name, 0),
            "key": item.key,
            "bytes": item.bytes,
            "sha256": item.sha256,
        }
        for item in pieces
    ]
    job.save(update_fields=["pieces"])


def withdraw(renditions: QuerySet[Rendition]) -> None:
    """Remove these rows, and on commit their files."""
    for key in renditions.values_list("key", flat=True):
        transaction.on_commit(lambda key=key: storage.drop(key))  # type: ignore[misc]
    renditions.delete()
