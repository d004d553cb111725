"""The boxes that MP4 files are made of, read from bytes or from a file. Pure but for reading."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEADER = 16  # bytes: the longest header of a box, with a 64-bit size
MOST = 4096  # boxes at the top of a file; more is a fragmented one
SKIPPED = (b"mdat", b"free", b"skip", b"wide")


@dataclass(frozen=True)
class Box:
    """One box: `start` to `end` in the file, what it holds from `body` on."""

    kind: bytes
    start: int
    body: int
    end: int


def top(source: BinaryIO, size: int) -> Iterator[Box]:
    """The boxes at the top of a file of `size` bytes, as far as they make sense."""
    place = 0
    while place + 8 <= size:
        source.seek(place)
        box = _box(source.read(HEADER), place, size)
        if box is None:
            return
        yield box
        place = box.end


def inside(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie between two places of these bytes."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        box = _box(data[start : start + HEADER], start, end)
        if box is None:
            return
        yield box
        start = box.end


def _box(header: bytes, place: int, limit: int) -> Box | None:
    size, kind = struct.unpack_from(">I4s", header)
    body = 8
    if size == 1 and len(header) == HEADER:
        size, body = struct.unpack_from(">Q", header, 8)[0], 16
    elif size == 0:
        size = limit - place
    return Box(kind, place, place + body, place + size) if size >= body else None


def find(data: bytes, *path: bytes, box: Box | None = None) -> Box | None:
    """The first box at the end of a path of kinds."""
    for kind in path:
        children = inside(data, box.body, box.end) if box else inside(data)
        box = next((child for child in children if child.kind == kind), None)
        if box is None:
            return None
    return box


def headers(source: Path) -> list[tuple[int, int]]:
    """The (start, end) bytes of an MP4 that tell where its packets lie; empty if they are all over the file."""
    size = source.stat().st_size
    found = []
    with source.open("rb") as opened:
        for number, box in enumerate(top(opened, size)):
            if box.kind in (b"moof", b"sidx", b"mfra") or number == MOST:
                return []
            end = box.start + HEADER if box.kind in SKIPPED else box.end
            found.append((box.start, min(end, size)))
    return found
