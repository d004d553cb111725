"""The packets of one stream, listed once: when each is read and shown, where it lies, which are keyframes."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from processing.engines import child, ffmpeg
from processing.facts import Limits

# Listing packets reads the whole file: 20 GiB at 100 MB/s are 200 s.
BOUNDS = child.Bounds(seconds=600, stall=60, memory=1536 * child.MIB)
UNKNOWN = float("nan")  # the time of a packet that has none
NOWHERE = -1  # the place of a packet that nobody can say


@dataclass
class Packets:
    """Columns, in the order of the file; one row a packet. Arrays, as 6 h at 60 frames a second are 1.3 million.

    `shown` and `read` are pts and dts, `length` how long it is shown, in seconds; `place` and `size`
    are bytes. A hidden packet is decoded and not shown: what lies before an edit list's start.
    """

    shown: "array[float]" = field(default_factory=lambda: array("d"))
    read: "array[float]" = field(default_factory=lambda: array("d"))
    length: "array[float]" = field(default_factory=lambda: array("d"))
    size: "array[int]" = field(default_factory=lambda: array("q"))
    place: "array[int]" = field(default_factory=lambda: array("q"))
    key: bytearray = field(default_factory=bytearray)
    hidden: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.shown)

    def take(self, line: str) -> None:
        """Take in one line of ffmpeg.list_whole_packets; a line that is none is passed over."""
        words = line.split(",")
        if len(words) < 6:
            return
        shown, read, length, size, place, flags = words[:6]
        self.shown.append(_number(shown, UNKNOWN))
        self.read.append(_number(read, UNKNOWN))
        self.length.append(_number(length, 0.0))
        self.size.append(int(_number(size, 0)))
        self.place.append(int(_number(place, NOWHERE)))
        self.key.append("K" in flags)
        self.hidden.append("D" in flags)


def _number(word: str, otherwise: float) -> float:
    try:
        return float(word)
    except ValueError:  # N/A
        return otherwise


def listed(source: Path, stream: int, limits: Limits, on_tick: Callable[[], object] = child.nothing) -> Packets:
    """All packets of a stream; nothing is decoded."""
    found = Packets()
    child.run(ffmpeg.list_whole_packets(source, stream, limits), BOUNDS, on_line=found.take, on_tick=on_tick)
    return found
