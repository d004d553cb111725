"""Keeping what was sent: checked, stored whole, written down, and owed its processing, or refused."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce

from processing import events, parts, runner, storage
from processing.errors import Drawing, Empty, QuotaExceeded, TooLarge, UnsupportedType
from processing.models import Run, RunStatus
from uploads.models import Original, Upload
from uploads.sniffing import HEAD, is_drawing, kind_of

CHUNK = 1 << 20  # threaded writes of up to 1 MiB cost the least (Ingest, measured)
# Bytes that are put away before anybody looks whether they are there already, which is done under the owner's lock in
# any case: few send a file twice, and looking twice takes a thirtieth of what a small one costs.
QUICKLY_KEPT = 1 << 20


def keep(owner: Any, name: str, source: Any) -> Original:
    """Store the bytes of `source`, a file, as a new original of `owner` and owe it its processing.

    Raises MediaError (empty, too_large, quota_exceeded, unsupported_type) and then keeps nothing.
    What is returned is on the disk and in the database: it will end ready, or failed with a reason.
    Bytes that the owner has sent before give the original they became.
    """
    kind = kind_of_stream(source)
    with storage.scratch("upload") as folder:
        path = folder / "original"
        size, sha256 = place(source, path, room_for(owner))
        if size > QUICKLY_KEPT and (found := twin(owner, sha256)):
            return found
        original = Original(owner=owner, name=shown_name(name), kind=kind, bytes=size, sha256=sha256, key=new_key())
        storage.keep(path, original.key)
    try:
        return write_down(original)
    except QuotaExceeded:  # only then: after any other error the row may be there all the same
        storage.drop(original.key)
        raise


def write_down(original: Original, *, is_reserved: bool = False) -> Original:
    """The original's row and all it is owed, in one transaction; or the twin it has, and then its bytes go.

    The owner's uploads are written down one after the other: of two that came at once and found room
    each, the second may find none, and of two with the same bytes the second finds the first.
    `is_reserved`: its room was checked when it was announced.
    """
    with alone(original.owner_id):
        found = twin(original.owner, original.sha256)
        if found:
            transaction.on_commit(lambda: storage.drop(original.key))
            return found
        if not is_reserved:
            check_room(original.bytes, room_for(original.owner))
        original.save(force_insert=True)
        runner.start(original)
    return original


@contextmanager
def alone(owner_id: int) -> Iterator[None]:
    """A transaction in which nothing else of this owner's is announced or written down."""
    with transaction.atomic():
        if connection.features.has_select_for_update:  # elsewhere transactions that write go one after the other
            # Not FOR UPDATE: rows that merely refer to the owner may be written meanwhile.
            get_user_model().objects.select_for_update(no_key=True).only("pk").get(pk=owner_id)
        yield


def twin(owner: Any, sha256: str) -> Original | None:
    """The owner's original with these bytes. What failed or was canceled is owed again: it is sent to be made."""
    rows = Original.objects.filter(owner=owner, sha256=sha256)
    # Asked first, because most uploads have none: it costs half of what the row does.
    found = rows.select_related("run").order_by("created_at").first() if rows.exists() else None
    if found:
        found.was_there = True
        if found.run.status in {RunStatus.FAILED, RunStatus.CANCELED}:
            runner.retry(found.run.pk)
    return found


def kind_of_stream(source: Any) -> str:
    head = source.read(HEAD)
    source.seek(0)
    if not head:
        raise Empty
    return kind_of_head(head)


def kind_of_head(head: bytes) -> str:
    """What a file is by its first bytes. Raises UnsupportedType."""
    kind = kind_of(head)
    if kind is None:
        raise Drawing if is_drawing(head) else UnsupportedType
    return kind


def room_for(owner: Any) -> int:
    """How many bytes this owner's next file may have; without a quota, what any file may."""
    if settings.QUOTA_BYTES is None:
        return settings.MAX_UPLOAD_BYTES
    used = Original.objects.filter(owner=owner).aggregate(total=Sum("bytes"))["total"] or 0
    announced = Upload.objects.filter(owner=owner, original=None)
    coming = announced.aggregate(total=Sum(Coalesce("length", "offset")))["total"] or 0
    return settings.QUOTA_BYTES - used - coming


def check_size(size: int) -> None:
    if size > settings.MAX_UPLOAD_BYTES:
        raise TooLarge(allowed=settings.MAX_UPLOAD_BYTES)


def check_room(size: int, room: int) -> None:
    if size > room:
        raise QuotaExceeded(free=max(0, room), allowed=settings.QUOTA_BYTES or 0)


def place(source: Any, path: Path, room: int) -> tuple[int, str]:
    """Let the file's bytes be a file at `path`; how many, and their sha256. Raises when there are more than allowed.

    What Django has written to our disk is moved: writing a large body once more is time, and waits in line for the
    disk before what others are to be answered by.
    """
    if isinstance(source, TemporaryUploadedFile):
        measured = measure(source, room)
        path.touch()
        sent = Path(source.temporary_file_path())
        sent.chmod(path.stat().st_mode)  # as all of ours: a temporary file is closed to a server before us
        sent.replace(path)
        return measured
    with path.open("wb") as target:
        return measure(source, room, target)


def measure(source: Any, room: int, copy: BinaryIO | None = None) -> tuple[int, str]:
    """How many bytes the file has, and their sha256; writes them into `copy` on the way."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        check_size(size)
        check_room(size, room)
        digest.update(chunk)
        if copy:
            copy.write(chunk)
    return size, digest.hexdigest()


def new_key() -> str:
    """A storage key of our own making."""
    return f"{storage.ORIGINALS}/{uuid.uuid4()}"


def shown_name(name: str) -> str:
    """The last part of the name a client gave, without what cannot be shown: for people, never for paths."""
    last = PurePosixPath(name.replace("\\", "/")).name
    printable = "".join(letter for letter in last if letter.isprintable()).strip()
    return printable[-255:] if printable.strip(".") else "unnamed"


def rename(original: Original, name: str) -> None:
    """Call the original by another name; pages that show it are told."""
    original.name = shown_name(name)
    original.save(update_fields=["name"])
    events.tell(original.run)


def forget(original: Original) -> None:
    """Delete an original with its jobs, renditions, pieces and files. Its encoders notice by their heartbeat."""
    with transaction.atomic():
        Run.locked(original.run.pk)  # no rendition can appear from here on
        keys = [original.key, *original.renditions.values_list("key", flat=True)]
        parts.drop(original.run.jobs.filter(pieces__isnull=False))
        original.delete()
        transaction.on_commit(lambda: drop_all(keys))


def drop_all(keys: list[str]) -> None:
    for key in keys:
        storage.drop(key)
