"""Where bytes live: a thin face of our own over Django's storage, local folder or S3.

Keys are made by the server and never hold a name somebody gave. A file appears under its key only
when it is whole.
"""

import errno
import fcntl
import hashlib
import mimetypes
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils.text import slugify

from processing import links

ORIGINALS = "originals"
RENDITIONS = "renditions"
PIECES = "pieces"
CHUNK = 1 << 20
# Seconds since the last write in a folder: it may be so new that it has not been locked yet, and what the dead left
# can be looked at until their lease has run out.
QUIET = 60
BODY_MAY_TAKE = 24 * 3600  # seconds from its last byte until the file is kept; minutes, for 20 GiB

Range = tuple[int, int]
OnBytes = Callable[[int], object]


class Gone(Exception):
    """There is no file under this key, though a row names it, or not the whole of it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Damaged(Exception):
    """What lies under a key is not what a row says was put there."""


def ignore(_: int) -> None:
    """What is done about arriving bytes where nobody counts them."""


def is_local() -> bool:
    """Whether files lie in a folder of this machine, so that there is nothing to fetch."""
    return isinstance(default_storage, FileSystemStorage)


@contextmanager
def fetched(key: str, folder: Path, ranges: Sequence[Range] = (), on_bytes: OnBytes = ignore) -> Iterator[Path]:
    """The file under `key` as a local path, to read and never to write: in place, or copied to `folder`.

    Of a copy, only these (start, end) bytes are there, and holes for the rest, where `ranges` are given.
    `on_bytes` is called as bytes arrive, and may raise.
    """
    if is_local():
        path = Path(default_storage.path(key))
        if not path.parent.is_dir():  # `drop` leaves it there: a disk that is not mounted just now
            raise OSError(errno.ENODEV, "the storage is away", str(path.parent))
        yield path
        return
    copy = folder / "source"
    try:
        if ranges:
            fetch_ranges(key, copy, ranges, on_bytes)
        else:
            bucket().download_file(key, str(copy), Callback=on_bytes)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def fetch_ranges(key: str, copy: Path, ranges: Iterable[Range], on_bytes: OnBytes) -> None:
    """A sparse file of the full size, with these bytes of the store's file in their places."""
    item = bucket().Object(key)
    with copy.open("wb") as file:
        file.truncate(item.content_length)
        for start, end in ranges:
            file.seek(start)
            with closing(item.get(Range=f"bytes={start}-{end - 1}")["Body"]) as body:
                for chunk in body.iter_chunks(CHUNK):
                    file.write(chunk)
                    on_bytes(len(chunk))


@contextmanager
def fetched_pieces(
    keys: Mapping[str, Sequence[tuple[str, int]]], folder: Path, on_bytes: OnBytes = ignore
) -> Iterator[dict[str, tuple[Path, ...]]]:
    """The files under these keys, of so many bytes each, as local paths, like `fetched`. Raises Gone."""
    copies = folder / PIECES
    try:
        yield {name: tuple(fetch_piece(*one, copies, on_bytes) for one in found) for name, found in keys.items()}
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def fetch_piece(key: str, bytes_kept: int, copies: Path, on_bytes: OnBytes) -> Path:
    if size(key) != bytes_kept:
        raise Gone(key)
    if is_local():
        return Path(default_storage.path(key))
    copies.mkdir(exist_ok=True)
    copy = copies / Path(key).name
    bucket().download_file(key, str(copy), Callback=on_bytes)
    return copy


def keep(path: Path, key: str, content_type: str = "") -> None:
    """Put the file at `path` under `key`: whole, and outliving a power cut, or not at all."""
    if is_local():
        move_durably(path, Path(default_storage.path(key)))
    else:
        kind = content_type or mimetypes.guess_type(key)[0] or "application/octet-stream"
        bucket().upload_file(str(path), key, ExtraArgs={"ContentType": kind})
        path.unlink()


def move_durably(path: Path, target: Path) -> None:
    """Bytes on the disk first, then the name, then the folder that holds the name."""
    make_durably(target.parent)
    sync(path)
    try:
        path.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{target.name}.{os.getpid()}")  # another disk: rename over there
        shutil.copyfile(path, draft)
        sync(draft)
        draft.replace(target)
        path.unlink()
    sync(target.parent)


def make_durably(folder: Path) -> None:
    """A folder whose own name is on the disk as well: what lies in one that a power cut forgets is lost with it."""
    if not folder.is_dir():
        make_durably(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until the file's bytes, or the folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def drop(key: str) -> None:
    """Remove the file under `key`, if it is there, and the folder it leaves empty."""
    default_storage.delete(key)
    if is_local():
        folder = Path(default_storage.path(key)).parent
        with suppress(OSError):  # not empty, or gone: both are well
            if folder.parent != settings.LOCAL_MEDIA:
                folder.rmdir()


def keys(prefix: str) -> Iterator[tuple[str, datetime]]:
    """Every key below `prefix`, with the time its file was last written."""
    if is_local():
        root = Path(default_storage.path(prefix))
        for path in sorted(root.rglob("*")):
            with suppress(FileNotFoundError):  # dropped meanwhile
                found = path.stat()
                if stat.S_ISREG(found.st_mode):
                    yield str(path.relative_to(settings.LOCAL_MEDIA)), datetime.fromtimestamp(found.st_mtime, UTC)
    else:
        for item in bucket().objects.filter(Prefix=f"{prefix}/"):
            yield item.key, item.last_modified


def size(key: str) -> int | None:
    """How many bytes lie under `key`; None where there is no file."""
    try:
        return int(default_storage.size(key))
    except FileNotFoundError:
        return None


def sha256(key: str) -> str:
    """The digest of the file under `key`, read in pieces: a video may be larger than memory."""
    digest = hashlib.sha256()
    for chunk in chunks(key):
        digest.update(chunk)
    return digest.hexdigest()


def chunks(key: str) -> Iterator[bytes]:
    """The file under `key`, in pieces."""
    if is_local():
        with Path(default_storage.path(key)).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    else:
        with closing(bucket().Object(key).get()["Body"]) as body:
            yield from body.iter_chunks(CHUNK)


def url(key: str, download_as: str = "", good_for: int = links.GOOD_FOR) -> str:
    """An address that serves the file for `good_for` seconds: ours, signed, or the store's, presigned.

    `download_as` makes the browser save it under that name instead of showing it.
    """
    if is_local():
        return links.sign(key, download_as, good_for)
    parameters = {"ResponseContentDisposition": links.disposition(download_as)} if download_as else None
    return str(s3().url(key, parameters=parameters, expire=good_for))


def text(key: str) -> str:
    """The small text file under `key`, whole. FileNotFoundError where it is gone."""
    with default_storage.open(key) as file:
        return str(file.read().decode())


def bucket() -> Any:
    """The S3 bucket: big files go through boto3 itself, which streams and retries in parts."""
    return s3().bucket


def s3() -> Any:
    """The configured storage, where it is S3: it can do more than Django's interface says."""
    return default_storage


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder for one attempt's files. It goes with the attempt, or with `clear_scratch`.

    A lock on the folder says that its owner lives; the kernel drops it with the process, whichever
    way that ends, and it holds across containers that share the disk.
    """
    folder = Path(mkdtemp(prefix=f"{slugify(name)}.", dir=settings.SCRATCH))
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def clear_scratch() -> int:
    """Remove the folders whose owners are dead, and the uploads that ended with their web process; how many."""
    folders = sum(clear_if_abandoned(folder) for folder in settings.SCRATCH.glob("*.*/"))
    return folders + sum(clear_if_stale(path) for path in settings.SCRATCH.glob("*.upload*"))


def clear_if_abandoned(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its owner, or another worker that clears, was quicker
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_quiet = time.time() - last_write(folder) > QUIET
        if is_quiet:
            shutil.rmtree(folder, ignore_errors=True)
    except (BlockingIOError, FileNotFoundError):  # its owner lives; another one that clears is at it
        return False
    else:
        return is_quiet
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # a child forked just now shares it, and would hold it for its life
        os.close(handle)


def last_write(folder: Path) -> float:
    """When the folder, or a file that lies in it, was last changed."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def clear_if_stale(path: Path) -> bool:
    """Remove one of Django's files of a request's body, which no lock guards, when a day has passed."""
    with suppress(FileNotFoundError):
        if path.is_file() and time.time() - path.stat().st_mtime > BODY_MAY_TAKE:
            path.unlink()
            return True
    return False
