"""Where the bytes of an upload lie until they are an original: in one file, or as parts of an S3 object.

Both keep `upload.offset` bytes, and whatever else they hold is dropped by who receives next. They
change `offset`, `parts` and `store_id` of the upload they were given; writing those down is not
theirs.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage

from processing import storage
from uploads.models import Upload

INCOMING = "incoming"
BLOCK = 1 << 20  # bytes of one write, one read
STRETCH = 16 << 20  # bytes that a disk is given at a time
PART = 8 << 20  # S3 takes no less than 5 MiB, and memory and scratch hold no more than one each
PARTS_ALLOWED = 10_000  # by S3, of one object
ENDED = {"NoSuchUpload", "NoSuchKey"}  # what stores answer where a multipart upload is over


class Lost(Exception):
    """The upload is not ours to add to any longer: taken over, ended, or expired."""


class Keeper(Protocol):
    """Where the next bytes are to be written: into the file `handle`, to `at`, and no more than `room`."""

    @property
    def handle(self) -> int: ...

    @property
    def at(self) -> int: ...

    @property
    def room(self) -> int: ...

    def added(self, size: int) -> None:
        """So many bytes were written there. Those that fill the room are put away, and the file is another's then."""

    def settle(self, *, whole: bool = False) -> None:
        """Put away what was added, so that it outlives this process. `whole`: nothing will follow."""

    @property
    def is_settled(self) -> bool:
        """Whether what was added would outlive this process by itself."""

    def tidy(self) -> None:
        """Remove what the row has ceased to speak of, now that it is written."""

    def close(self) -> None:
        """Let go of what this process holds."""


def keeper(upload: Upload) -> Keeper:
    return Folder(upload) if storage.is_local() else Bucket(upload)


class Folder:
    """A file in the folder that all web processes share, written where it is to be read again.

    Whoever writes holds a lock on it, and each loss of an upload has a file of its own: one who was
    stopped, and taken over from, goes on writing to what nobody reads.
    """

    is_settled = True  # in the kernel's memory: a dead process loses nothing of it
    room = sys.maxsize

    def __init__(self, upload: Upload) -> None:
        path, before = path_of(upload), lying(upload)
        path.parent.mkdir(parents=True, exist_ok=True)
        if before and before != path:
            inherit(before, path, upload.offset)
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not alone(self.handle):
            os.close(self.handle)
            raise Lost
        self.at = self.begun = upload.offset
        os.ftruncate(self.handle, self.at)

    def added(self, size: int) -> None:
        self.at += size
        if self.at - self.begun >= STRETCH:
            self.begin_writing()

    def begin_writing(self) -> None:
        """Have the kernel take these bytes to the disk while the next arrive, so that the end waits for the last alone.

        It begins to write what it is told will not be needed, and waits for nothing.
        """
        os.posix_fadvise(self.handle, self.begun, self.at - self.begun, os.POSIX_FADV_DONTNEED)
        self.begun = self.at

    def settle(self, *, whole: bool = False) -> None:
        """Onto the disk: what an answer acknowledges outlives a power cut too."""
        if not whole:  # a whole one is synced on its way to its place
            os.fdatasync(self.handle)

    def tidy(self) -> None:
        """Nothing: what lies beyond the offset is cut off by who opens it next."""

    def close(self) -> None:
        os.close(self.handle)


class Bucket:
    """Parts of a multipart upload; what is less than a part waits in a file here, and between requests in an object."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.spool: Any = TemporaryFile(dir=settings.SCRATCH)  # noqa: SIM115 - closed by `close`
        self.handle = self.spool.fileno()
        self.at = tail_of(upload)
        self.tail = tail_key(upload) if self.at else ""
        if self.tail:
            client().download_fileobj(bucket_name(), self.tail, self.spool)
            self.spool.flush()
        self.put_away = True

    @property
    def room(self) -> int:
        return part_size() - self.at

    def added(self, size: int) -> None:
        self.at += size
        self.put_away = False
        if not self.room:
            self.send_part()

    @property
    def is_settled(self) -> bool:
        return self.put_away

    def settle(self, *, whole: bool = False) -> None:
        if whole and not self.upload.parts:  # less than a part: an object like any other
            self.put_object(self.upload.key)
        elif whole and self.at:
            self.send_part()
        elif not self.put_away:
            self.put_object(tail_key(self.upload))
        self.put_away = True

    def put_object(self, key: str) -> None:
        with self.reading() as body:
            client().put_object(Bucket=bucket_name(), Key=key, Body=body)

    def tidy(self) -> None:
        tail = tail_key(self.upload) if self.at and not self.upload.is_whole else ""
        if self.tail not in {"", tail}:
            storage.drop(self.tail)
        self.tail = tail

    def send_part(self) -> None:
        """One more part. Its number is one that nobody who vanished may still be writing to."""
        upload = self.upload
        if not upload.store_id:
            made = client().create_multipart_upload(Bucket=bucket_name(), Key=upload.key)
            upload.store_id = made["UploadId"]
        number = len(upload.parts) + upload.losses + 1
        with self.reading() as body:
            sent = put_part(upload, number, body)
        upload.parts = [*upload.parts, [number, sent["ETag"], self.at]]
        os.ftruncate(self.handle, 0)
        self.at = 0
        self.put_away = True

    def reading(self) -> BinaryIO:
        """What waits here, from its first byte."""
        os.lseek(self.handle, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self.handle), "rb")

    def close(self) -> None:
        self.spool.close()


def put_part(upload: Upload, number: int, body: Any) -> Any:
    try:
        return client().upload_part(
            Bucket=bucket_name(), Key=upload.key, UploadId=upload.store_id, PartNumber=number, Body=body
        )
    except client().exceptions.ClientError as error:
        if code_of(error) in ENDED:
            raise Lost from error
        raise


def part_size() -> int:
    """Of every part but the last: large enough for the largest upload, with room for as many losses."""
    return max(PART, -(-2 * settings.MAX_UPLOAD_BYTES // PARTS_ALLOWED))


def tail_of(upload: Upload) -> int:
    """Bytes behind the last part, which wait in an object of their own."""
    return int(upload.offset - sum(size for _, _, size in upload.parts))


def tail_key(upload: Upload) -> str:
    """Never the same for more bytes, so that an object is there as long as a row speaks of it."""
    return f"{INCOMING}/{upload.pk}.{upload.offset}"


def upload_id(key: str) -> UUID | None:
    """Whose bytes lie under this key of `INCOMING`; None where it is no key of ours."""
    try:
        return UUID(key.rpartition("/")[2].partition(".")[0])
    except ValueError:
        return None


def path_of(upload: Upload, losses: int | None = None) -> Path:
    """Where who took the upload over after so many losses keeps its bytes."""
    losses = upload.losses if losses is None else losses
    return Path(default_storage.path(f"{INCOMING}/{upload.pk}{f'.{losses}' if losses else ''}"))


def lying(upload: Upload) -> Path | None:
    """Where the bytes lie now: with the last who took over and came to write."""
    places = (path_of(upload, losses) for losses in range(upload.losses, -1, -1))
    return next((path for path in places if path.exists()), None)


def alone(handle: int) -> bool:
    """Lock the file against every other who has it open. The lock ends with its holder, however that ends."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def inherit(before: Path, path: Path, size: int) -> None:
    """Take the file of one who was lost as it is; from one who may yet wake up and write, take a copy."""
    with before.open("rb") as file:
        if alone(file.fileno()):
            before.replace(path)
            return
        draft = path.with_name(f"{path.name}.draft")
        with draft.open("wb") as copy:
            left = size
            while left and (block := file.read(min(BLOCK, left))):
                left -= copy.write(block)
    storage.move_durably(draft, path)
    before.unlink()


def truth(upload: Upload) -> int:
    """How many bytes are kept. A power cut may have taken the last of those that no answer acknowledged."""
    if upload.original_id or not storage.is_local():
        return upload.offset
    path = lying(upload)
    if path:
        return min(upload.offset, path.stat().st_size)
    return upload.offset if upload.is_whole else 0


def put_in_place(upload: Upload) -> None:
    """Let the bytes of a whole upload be the file under its key. May be done again."""
    if storage.is_local():
        path = lying(upload)
        if path:
            storage.keep(path, upload.key)
            drop_files(upload)
        Path(default_storage.path(upload.key)).stat()
    elif upload.parts:
        complete(upload)


def complete(upload: Upload) -> None:
    parts = [{"PartNumber": number, "ETag": tag} for number, tag, _ in upload.parts]
    try:
        client().complete_multipart_upload(
            Bucket=bucket_name(), Key=upload.key, UploadId=upload.store_id, MultipartUpload={"Parts": parts}
        )
    except client().exceptions.ClientError as error:
        if code_of(error) not in ENDED:
            raise
        found = client().head_object(Bucket=bucket_name(), Key=upload.key)  # it was done before
        if found["ContentLength"] != upload.length:
            raise


def drop(upload: Upload, *, whole: bool = False) -> None:
    """Remove what is kept on the way; with `whole` also what lies under the key already."""
    if storage.is_local():
        drop_files(upload)
    else:
        abort(upload.key, upload.store_id)
        storage.bucket().objects.filter(Prefix=f"{INCOMING}/{upload.pk}.").delete()
    if whole:
        storage.drop(upload.key)


def drop_files(upload: Upload) -> None:
    for losses in range(upload.losses + 1):
        path_of(upload, losses).unlink(missing_ok=True)


def abort(key: str, store_id: str) -> None:
    """Let go of the parts of a multipart upload, if there are any."""
    if not store_id:
        return
    try:
        client().abort_multipart_upload(Bucket=bucket_name(), Key=key, UploadId=store_id)
    except client().exceptions.ClientError as error:
        if code_of(error) not in ENDED:
            raise


def unfinished(prefix: str, before: datetime) -> Iterator[tuple[str, str]]:
    """The store's multipart uploads below this prefix that began before this moment, as (key, id)."""
    if storage.is_local():
        return
    pages = client().get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket_name(), Prefix=f"{prefix}/"):
        for found in page.get("Uploads", []):
            if found["Initiated"] < before:
                yield found["Key"], found["UploadId"]


def blocks(key: str) -> Iterator[bytes]:
    """The file under `key`, block by block."""
    if storage.is_local():
        with Path(default_storage.path(key)).open("rb") as file:
            while block := file.read(BLOCK):
                yield block
    else:
        yield from client().get_object(Bucket=bucket_name(), Key=key)["Body"].iter_chunks(BLOCK)


def code_of(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def client() -> Any:
    return storage.bucket().meta.client


def bucket_name() -> str:
    return str(storage.bucket().name)
