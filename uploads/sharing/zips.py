"""Several originals as one zip, made while it is sent: nothing of it is kept, on disk or in memory."""

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import count
from pathlib import PurePosixPath
from uuid import UUID

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.timezone import localdate
from zipstream import ZipStream

from processing import links, storage
from uploads import listing
from uploads.models import Original

MOST = 1000  # originals in one zip; their ids fit an address of 41 kB, and servers take 64
LONGEST_NAME = 200  # bytes: file systems take 255, and a number may have to go on the end
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # what Windows has no file names with
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # nor with these before the first dot


def answer(request: HttpRequest, ids: Sequence[UUID]) -> StreamingHttpResponse:
    """These originals as an attachment, in this order. Http404 where one of them is not this user's to see."""
    archive = zip_of(chosen(request, ids))
    response = StreamingHttpResponse(streamed(archive), content_type="application/zip")
    response["Content-Length"] = len(archive)
    response["Content-Disposition"] = links.disposition(f"mediaweb-{localdate()}.zip")
    response["Cache-Control"] = "no-store"
    return response


def chosen(request: HttpRequest, ids: Sequence[UUID]) -> list[Original]:
    rows = listing.visible_to(request.user, Original.objects.only("name", "bytes", "key", "created_at"))
    found = rows.in_bulk(ids[:MOST])
    if not ids or len(found) < len(set(ids)):
        raise Http404
    return [found[original_id] for original_id in dict.fromkeys(ids)]


def zip_of(originals: Sequence[Original]) -> ZipStream:
    """Not compressed: media is already. So its size is known before the first byte of it is read."""
    archive = ZipStream(sized=True)
    for original, name in zip(originals, names(original.name for original in originals), strict=True):
        archive.add(storage.chunks(original.key), name, size=original.bytes)
    return archive


async def streamed(archive: ZipStream) -> AsyncIterator[bytes]:
    """The zip's bytes, each block read in a thread when the one before has been sent.

    Who goes away stops it, and so does a file that has gone or is not as long as it was: the answer then ends
    before the length it has told, which no client takes for a whole one.
    """
    pieces = iter(archive)
    while block := await asyncio.to_thread(gathered, pieces):
        yield block


def gathered(pieces: Iterator[bytes]) -> bytes:
    """The next block, of about storage.CHUNK: of small files, several at once."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= storage.CHUNK:
            break
    return bytes(block)


def names(wanted: Iterable[str]) -> Iterator[str]:
    """File names that every system takes, each once, also where big and small letters are the same."""
    taken: set[str] = set()
    for name in map(safe, wanted):
        path = PurePosixPath(name)
        tries = (f"{path.stem} ({number}){path.suffix}" for number in count(2))
        free = name if name.casefold() not in taken else next(one for one in tries if one.casefold() not in taken)
        taken.add(free.casefold())
        yield free


def safe(name: str) -> str:
    plain = UNSAFE.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ")
    plain = f"_{plain}" if DEVICES.match(plain) else plain or "unnamed"
    suffix = PurePosixPath(plain).suffix.encode()[:20].decode(errors="ignore")
    stem = plain.removesuffix(suffix) if suffix else plain
    return stem.encode()[: LONGEST_NAME - len(suffix.encode())].decode(errors="ignore") + suffix
