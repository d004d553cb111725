"""Letting files appear: uploaded under keys that bear the attempt, then recorded in one transaction."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from processing import storage
from processing.facts import Made, Product
from processing.heartbeat import JobLost
from processing.models import Job, Rendition, Run


@dataclass(frozen=True)
class Published:
    """A made file that lies under its key, and is nobody's until its row is written."""

    made: Made
    key: str
    bytes: int
    sha256: str


def key_of(job: Job, made: Made) -> str:
    """The fenced key: no two attempts at a job ever write to the same place."""
    name = f"{made.preset}.{job.pk}-{job.attempt}{made.path.suffix}"
    return f"{storage.RENDITIONS}/{job.run.original_id}/{name}"


def upload(job: Job, product: Product) -> list[Published]:
    """Put every file of the product in the storage."""
    return [upload_file(made, key_of(job, made)) for made in product.files]


def upload_file(made: Made, key: str) -> Published:
    published = Published(made, key, made.path.stat().st_size, sha256_of(made.path))
    storage.keep(made.path, key, made.content_type)
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
    """Write down what the product says of its original, and a row for each of its files."""
    original = job.run.original  # read anew since the move, under the run's lock: nobody's word is lost
    if product.facts:
        original.facts = asdict(product.facts)
    if product.placeholder:
        original.placeholder = product.placeholder
    if product.colour:
        original.colour = product.colour
    original.save(update_fields=["facts", "placeholder", "colour"])
    for item in published:
        record_file(job, item)


def record_file(job: Job, item: Published) -> None:
    """The preset's one row. The file it pointed to before goes once the new one is there to be seen."""
    withdraw(Rendition.objects.filter(original=job.run.original_id, preset=item.made.preset))
    Rendition.objects.create(
        original=job.run.original,
        preset=item.made.preset,
        version=item.made.version,
        key=item.key,
        content_type=item.made.content_type,
        width=item.made.width,
        height=item.made.height,
        duration=item.made.duration,
        bytes=item.bytes,
        sha256=item.sha256,
    )


def withdraw(renditions: QuerySet[Rendition]) -> None:
    """Remove these rows, and on commit their files."""
    for key in renditions.values_list("key", flat=True):
        transaction.on_commit(lambda key=key: storage.drop(key))  # type: ignore[misc]
    renditions.delete()
