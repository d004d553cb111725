"""What the index of a piece says of its picture.

Read here rather than by ffprobe, which takes 0.08 s to start: twice for each size of each part, that was
2 % of what a part costs.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from processing.engines import boxes
from processing.engines.boxes import Box
from processing.errors import Corrupt

HELD_BACK = 17  # frames: of so many that are read first, one is shown first (H.264 holds back 16 at most)
TABLE = (b"mdia", b"minf", b"stbl")
COMMENT = (b"udta", b"meta", b"ilst", b"\xa9cmt", b"data")
FULL = 4  # bytes of version and flags, before what some boxes hold


@dataclass(frozen=True)
class Index:
    """Frames, size, when the first is shown in seconds of the piece's clock, and what it says of itself."""

    frames: int
    width: int
    height: int
    first: float
    comment: str


def read(piece: Path) -> Index:
    """The index of an MP4 of ours that holds one track, of pictures; Corrupt where it has none, or no frame."""
    with piece.open("rb") as opened:
        found = next((box for box in boxes.top(opened, piece.stat().st_size) if box.kind == b"moov"), None)
        if found is None:
            raise Corrupt(reason="no index")
        opened.seek(found.body)
        moov = opened.read(found.end - found.body)
    track = boxes.find(moov, b"trak")
    sizes = track and boxes.find(moov, *TABLE, b"stsz", box=track)
    frames = _int(moov, sizes, FULL + 4) if sizes else 0
    if not (track and frames):
        raise Corrupt(reason="no frames")
    entry = next(boxes.inside(moov, _box(moov, track, *TABLE, b"stsd").body + FULL + 4))
    width, height = struct.unpack_from(">HH", moov, entry.body + 24)
    return Index(frames, width, height, _first(moov, track), _comment(moov))


def _first(moov: bytes, track: Box) -> float:
    """When the first frame is shown: as its edits move it, each kind on a clock of its own."""
    scale = _scale(moov, _box(moov, track, b"mdia", b"mdhd"))
    shown = min(islice(_times(moov, track), HELD_BACK))
    delay, early = _edits(moov, track)
    return round(delay / _scale(moov, _box(moov, None, b"mvhd")) + max(0, shown - early) / scale, 6)


def _times(moov: bytes, track: Box) -> Iterator[int]:
    """When each frame is shown, in the order they are read: ticks, before any edit."""
    later = boxes.find(moov, *TABLE, b"ctts", box=track)
    offsets = _runs(moov, later) if later else iter(())
    read = 0
    for length in _runs(moov, _box(moov, track, *TABLE, b"stts")):
        yield read + next(offsets, 0)
        read += length


def _runs(moov: bytes, table: Box) -> Iterator[int]:
    """The values of a table that says how often each comes."""
    for number in range(_int(moov, table, FULL)):
        count, value = struct.unpack_from(">Ii", moov, table.body + FULL + 4 + 8 * number)
        for _ in range(count):
            yield value


def _edits(moov: bytes, track: Box) -> tuple[int, int]:
    """The film's ticks of nothing before the track, and the track's ticks that it begins with and are not shown."""
    edits = boxes.find(moov, b"edts", b"elst", box=track)
    if edits is None:
        return 0, 0
    wide, delay = moov[edits.body], 0
    layout = struct.Struct(">Qqi" if wide else ">Iii")
    for number in range(_int(moov, edits, FULL)):
        length, begins, _ = layout.unpack_from(moov, edits.body + FULL + 4 + layout.size * number)
        if begins >= 0:
            return delay, begins
        delay += length
    return delay, 0


def _comment(moov: bytes) -> str:
    place: Box | None = None
    for kind in COMMENT:
        # `meta` has a version before what it holds, `data` a type and a language before its text.
        start, end = (place.body + FULL * (place.kind == b"meta"), place.end) if place else (0, len(moov))
        place = next((box for box in boxes.inside(moov, start, end) if box.kind == kind), None)
        if place is None:
            return ""
    return moov[place.body + 8 : place.end].decode("utf-8", "replace") if place else ""


def _box(moov: bytes, within: Box | None, *path: bytes) -> Box:
    box = boxes.find(moov, *path, box=within)
    if box is None:
        raise Corrupt(reason=f"no {path[-1].decode()} in the index")
    return box


def _scale(moov: bytes, header: Box) -> int:
    """Ticks a second; the times before it are of 64 bits in version 1."""
    return _int(moov, header, 20 if moov[header.body] else 12)


def _int(moov: bytes, box: Box, offset: int) -> int:
    return int(struct.unpack_from(">I", moov, box.body + offset)[0])
