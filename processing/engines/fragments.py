"""What a fragmented MP4 of ours holds: its header, and each fragment's place, time and frames."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from processing.engines import boxes
from processing.engines.boxes import Box
from processing.engines.encoding import TIME_SCALE


@dataclass(frozen=True)
class Fragment:
    """Bytes `start` to `end`, shown from `begins` to `ends` seconds; `frames` are its samples."""

    start: int
    end: int
    begins: float
    ends: float
    frames: int


@dataclass(frozen=True)
class Track:
    """One track in fragments: the header is the bytes before the first, `codec` is as RFC 6381 names it."""

    header: int
    codec: str
    width: int
    height: int
    channels: int
    fragments: tuple[Fragment, ...]


def read(source: Path) -> Track:
    """The track of a fragmented MP4 that has one."""
    size = source.stat().st_size
    with source.open("rb") as opened:
        found = list(boxes.top(opened, size))

        def data(box: Box) -> bytes:
            opened.seek(box.start)
            return opened.read(box.end - box.start)

        moov = data(next(box for box in found if box.kind == b"moov"))
        scale, early = _clock(moov)
        pairs = [(a, b) for a, b in pairwise(found) if (a.kind, b.kind) == (b"moof", b"mdat")]
        fragments = tuple(_fragment(data(moof), moof.start, mdat.end, scale, early) for moof, mdat in pairs)
    return Track(pairs[0][0].start, *_sample_entry(moov), fragments)


def delay(source: Path, seconds: float) -> None:
    """Let the track begin so much later: each fragment says when it is read, and we add to that."""
    with source.open("r+b") as opened:
        for moof in [box for box in boxes.top(opened, source.stat().st_size) if box.kind == b"moof"]:
            opened.seek(moof.start)
            data = opened.read(moof.end - moof.start)
            tfdt = _required(data, b"moof", b"traf", b"tfdt")
            # The clock's scale is the joining's own; version 1 has 64 bits, and ffmpeg writes no other.
            later = struct.unpack_from(">Q", data, tfdt.body + 4)[0] + round(seconds * TIME_SCALE)
            opened.seek(moof.start + tfdt.body + 4)
            opened.write(struct.pack(">Q", later))


def _required(data: bytes, *path: bytes) -> Box:
    box = boxes.find(data, *path)
    if box is None:
        raise ValueError(f"there is no {b'/'.join(path).decode()} in an MP4 of ours")
    return box


def _clock(moov: bytes) -> tuple[int, int]:
    """Ticks a second of the track, and by how many its samples are early."""
    mdhd = _required(moov, b"moov", b"trak", b"mdia", b"mdhd")
    scale = struct.unpack_from(">I", moov, mdhd.body + (20 if moov[mdhd.body] else 12))[0]
    elst = boxes.find(moov, b"moov", b"trak", b"edts", b"elst")
    if elst is None:
        return scale, 0
    wide = moov[elst.body]
    early = struct.unpack_from(">q" if wide else ">i", moov, elst.body + (16 if wide else 12))[0]
    return scale, max(0, early)


def _fragment(moof: bytes, start: int, end: int, scale: int, early: int) -> Fragment:
    tfhd, tfdt, trun = (_required(moof, b"moof", b"traf", kind) for kind in (b"tfhd", b"tfdt", b"trun"))
    read = struct.unpack_from(">Q" if moof[tfdt.body] else ">I", moof, tfdt.body + 4)[0]
    begins, ends, frames = float("inf"), 0, 0
    for length, offset in _samples(moof, trun, _default_length(moof, tfhd)):
        begins, ends = min(begins, read + offset), max(ends, read + offset + length)
        read += length
        frames += 1
    return Fragment(start, end, (begins - early) / scale, (ends - early) / scale, frames)


def _default_length(moof: bytes, tfhd: Box) -> int:
    """Ticks a sample, where the samples do not say; 0 if there is no such default."""
    flags = struct.unpack_from(">I", moof, tfhd.body)[0]
    before = sum(size for flag, size in ((0x1, 8), (0x2, 4)) if flags & flag)
    return struct.unpack_from(">I", moof, tfhd.body + 8 + before)[0] if flags & 0x8 else 0


def _samples(moof: bytes, trun: Box, default: int) -> Iterator[tuple[int, int]]:
    """(length, composition offset) of each sample, in ticks."""
    flags, count = struct.unpack_from(">II", moof, trun.body)
    place = trun.body + 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    for _ in range(count):
        length = default
        if flags & 0x100:
            length = struct.unpack_from(">I", moof, place)[0]
        place += sum(4 for flag in (0x100, 0x200, 0x400) if flags & flag)
        offset = 0
        if flags & 0x800:
            offset = struct.unpack_from(">i", moof, place)[0]
            place += 4
        yield length, offset


def _sample_entry(moov: bytes) -> tuple[str, int, int, int]:
    """(codec, width, height, channels) of the track."""
    stsd = _required(moov, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes.inside(moov, stsd.body + 8, stsd.end))
    if entry.kind == b"avc1":
        width, height = struct.unpack_from(">HH", moov, entry.body + 24)
        children = boxes.inside(moov, entry.body + 78, entry.end)
        config = next(box for box in children if box.kind == b"avcC")
        profile, constraints, level = moov[config.body + 1 : config.body + 4]
        return f"avc1.{profile:02X}{constraints:02X}{level:02X}", width, height, 0
    channels = struct.unpack_from(">H", moov, entry.body + 16)[0]
    children = boxes.inside(moov, entry.body + 28, entry.end)
    return _aac(moov, next(box for box in children if box.kind == b"esds")), 0, 0, channels


def _aac(moov: bytes, esds: Box) -> str:
    """`mp4a.40.2` and its like, from the descriptors (ISO 14496-1 §7.2.6) within one another."""
    place, wanted = esds.body + 4, {0x03: 3, 0x04: 13}  # tag: bytes before what it holds
    kind = 0
    while place < esds.end:
        tag, place = moov[place], place + 1
        while moov[place] & 0x80:
            place += 1
        place += 1
        if tag == 0x04:
            kind = moov[place]
        if tag == 0x05:
            return f"mp4a.{kind:02X}.{moov[place] >> 3}"
        place += wanted.get(tag, esds.end)
    raise ValueError("there is no decoder configuration in an MP4 of ours")
