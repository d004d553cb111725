"""Files that no row refers to, and that none can come to refer to."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.utils.timezone import now

from processing import storage
from processing.models import Job, JobStatus, Rendition
from uploads.intake import incoming
from uploads.models import Original, Upload

UPLOAD_MAY_TAKE = timedelta(hours=1)  # between an original's bytes and its row lie milliseconds
FORSAKEN_AFTER = timedelta(days=1)
BATCH = 1000  # keys asked about in one query; SQLite takes 32,766 variables
FENCED = re.compile(r"\.(\d+)-(\d+)\.\w+(\.\d+)?$")  # job and attempt in a key, or in its draft's

Found = tuple[str, datetime]
Item = TypeVar("Item")


def find(older_than: float) -> Iterator[str]:
    """Keys that may be dropped. `older_than`: seconds that bytes without an original are left alone."""
    before = now() - timedelta(seconds=older_than)
    for batch in batches(storage.keys(storage.ORIGINALS)):
        yield from unowned(batch, before)
    for batch in batches(storage.keys(incoming.INCOMING)):
        yield from given_up(batch)
    for batch in batches(storage.keys(storage.RENDITIONS)):
        yield from unpublished(batch, renditions)
    for batch in batches(storage.keys(storage.PIECES)):
        yield from unpublished(batch, pieces)


def batches(found: Iterator[Item]) -> Iterator[Sequence[Item]]:
    while batch := list(islice(found, BATCH)):
        yield batch


def unowned(batch: Sequence[Found], before: datetime) -> Iterator[str]:
    old = {key for key, written in batch if written < before}
    owned = set(Original.objects.filter(key__in=old).values_list("key", flat=True))
    coming = set(Upload.objects.filter(key__in=old, original=None).values_list("key", flat=True))
    yield from sorted(old - owned - coming)


def forsaken(older_than: float) -> Iterator[tuple[str, str]]:
    """Multipart uploads of the store, as (key, id), that began so long ago and that nobody will complete.

    Those of web processes are a row's. Those of workers, who send large files in parts, are a running attempt's.
    """
    before = now() - timedelta(seconds=older_than)
    for batch in batches(incoming.unfinished(storage.ORIGINALS, before)):
        known = Upload.objects.filter(original=None, store_id__in=[store_id for _, store_id in batch])
        yield from sorted(set(batch) - set(known.values_list("key", "store_id")))
    for prefix in (storage.RENDITIONS, storage.PIECES):
        for batch in batches(incoming.unfinished(prefix, before)):
            running = {f"{job}-{attempt}" for job, attempt in running_attempts()}
            yield from sorted((key, store_id) for key, store_id in batch if fence_of(key) not in running)


def abort_forsaken(older_than: float = FORSAKEN_AFTER.total_seconds()) -> int:
    """Let go of the parts of what was killed on its way to the store, which bills them and shows them to nobody."""
    found = list(forsaken(older_than))
    for key, store_id in found:
        incoming.abort(key, store_id)
    return len(found)


def given_up(batch: Sequence[Found]) -> Iterator[str]:
    """Bytes of uploads that are none any longer. A row is there before its first byte."""
    ids = {key: incoming.upload_id(key) for key, _ in batch}
    coming = set(Upload.objects.filter(pk__in=filter(None, ids.values()), original=None).values_list("pk", flat=True))
    yield from sorted(key for key, upload_id in ids.items() if upload_id not in coming)


def unpublished(batch: Sequence[Found], referred: Callable[[set[str]], set[str]]) -> Iterator[str]:
    """Files of attempts that are over. Running ones are asked for first: they may publish in between."""
    files = {key for key, _ in batch}
    running = {f"{job}-{attempt}" for job, attempt in running_attempts()}
    yield from sorted(key for key in files - referred(files) if fence_of(key) not in running)


def renditions(files: set[str]) -> set[str]:
    """Those of these keys that are a rendition's."""
    return set(Rendition.objects.filter(key__in=files).values_list("key", flat=True))


def pieces(files: set[str]) -> set[str]:
    """Those of these keys that are a piece's of the job they name."""
    jobs = Job.objects.filter(pk__in={int(fence_of(key).partition("-")[0] or 0) for key in files})
    return {piece["key"] for job in jobs for piece in job.pieces or ()}


def running_attempts() -> Iterator[tuple[int, int]]:
    return Job.objects.filter(status=JobStatus.RUNNING).values_list("pk", "attempt").iterator()


def fence_of(key: str) -> str:
    match = FENCED.search(key)
    return f"{match[1]}-{match[2]}" if match else ""
