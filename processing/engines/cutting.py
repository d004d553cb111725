"""Where a video is cut into parts, from the list of its packets. Pure arithmetic.

Parts are half-open stretches of the source's clock between keyframes, of about the same work each.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, isnan

from processing.engines.packets import NOWHERE, Packets
from processing.facts import Part

# A million pixels of a frame cost this many CPU seconds to decode, and to scale and encode at the
# default speed, on a busy core of 2.4 GHz: 92 frames of 1080p in four sizes took 5.3 s, 0.4 of them to
# decode. `python -m tests.benchmarks.videos.ladders` says how far a machine is from it.
DECODING, ENCODING = 0.0021, 0.0145
SAME = 1e-5  # seconds: times closer than this are the same; ffprobe rounds to 1e-6
# The frames ffmpeg looks at before it knows how many are held back for reordering.
HEAD = 32
# Read past the last one wanted: a decoder gives a frame when it has up to 16 later ones (H.264's
# most), and each of its threads holds one more.
TAIL = 48
SHORTEST = 0.001  # seconds that the last frame is shown at least, where the container does not say
# Matroska keeps no time of reading, and ffmpeg can tell none of the first packets of a stream with
# B-frames: as many as a decoder holds back, H.264's most.
HELD_BACK = 16
UNEVEN = 0.2  # of the usual time between frames: more is a variable rate; milliseconds round 60/s by 0.06


@dataclass(frozen=True)
class Clock:
    """What the packets tell of a stream's time. `start` to `end` is what is shown of it, in seconds."""

    start: float
    end: float
    lead: float
    steady: bool
    variable: bool

    @property
    def seconds(self) -> float:
        return max(0.0, self.end - self.start)


def read_clock(packets: Packets) -> Clock:
    """The clock of a stream with at least one packet."""
    times = shown_times(packets)
    if not times:
        return Clock(0.0, 0.0, 0.0, steady=False, variable=False)
    ends = zip(packets.shown, packets.length, packets.hidden, strict=True)
    end = max(shown + max(length, SHORTEST) for shown, length, hidden in ends if shown >= times[-1] and not hidden)
    lead = max((s - r for s, r, key in _rows(packets) if key and s >= r), default=0.0)
    return Clock(times[0], end, round(lead, 6), is_steady(packets), is_variable(times))


def _rows(packets: Packets) -> Iterator[tuple[float, float, int]]:
    return zip(packets.shown, packets.read, packets.key, strict=True)


def shown_times(packets: Packets) -> list[float]:
    """When frames are shown, in order; two packets of the same time are one frame."""
    times = sorted(t for t, hidden in zip(packets.shown, packets.hidden, strict=True) if not hidden and not isnan(t))
    return times[:1] + [b for a, b in pairwise(times) if b - a > SAME]


def is_steady(packets: Packets) -> bool:
    """Whether each packet has its times, and they are read in order; the first may not say when they are read."""
    unsaid = next((n for n, read in enumerate(packets.read[: HELD_BACK + 1]) if not isnan(read)), 0)
    read = packets.read[unsaid:]
    if any(map(isnan, packets.shown)) or any(map(isnan, read)):
        return False
    return all(b >= a - SAME for a, b in pairwise(read))


def is_variable(times: Sequence[float]) -> bool:
    """Whether a frame in a hundred or more comes off the beat."""
    steps = sorted(b - a for a, b in pairwise(times))
    if not steps:
        return False
    usual = steps[len(steps) // 2]
    off = sum(abs(step - usual) > UNEVEN * usual for step in steps)
    return off * 100 >= len(steps)


def work(frames: int, stored: int, encoded: int) -> float:
    """CPU seconds to decode frames of `stored` pixels and encode `encoded` ones of each, over all rungs."""
    return frames * (DECODING * stored + ENCODING * encoded) / 1e6


def cuts(packets: Packets, number: int) -> list[float]:
    """Times of the keyframes to cut at for so many parts, as near to even as the keyframes allow."""
    candidates = clean_keyframes(packets)
    times = shown_times(packets)
    if number < 2 or not candidates:
        return []
    counted = [bisect_left(times, candidate - SAME) for candidate in candidates]
    chosen = set()
    for place in range(1, number):
        wanted = len(times) * place / number
        after = min(bisect_left(counted, wanted), len(counted) - 1)
        nearest = min(range(max(0, after - 1), after + 1), key=lambda n: abs(counted[n] - wanted))
        if 0 < counted[nearest] < len(times):
            chosen.add(candidates[nearest])
    return sorted(chosen)


def clean_keyframes(packets: Packets) -> list[float]:
    """Times, from 0 on, of the shown keyframes before which nothing is read that is shown after them."""
    found, latest = [], float("-inf")
    for shown, key, hidden in zip(packets.shown, packets.key, packets.hidden, strict=True):
        if key and not hidden and shown >= 0 and shown > latest:
            found.append(shown)
        latest = max(latest, shown)
    return found


def plan(packets: Packets, clock: Clock, number: int, fastest: float | None = None) -> list[Part]:
    """About that many parts of a stream, without ranges; one where its clock is not to be trusted.

    A rate brought down to `fastest` has that many frames a second, on one beat through all parts.
    """
    times = shown_times(packets)
    if not clock.steady or not times:
        return [Part(0, clock.start, clock.end, len(times) or len(packets))]
    edges = [clock.start, *cuts(packets, number), clock.end]
    return [
        Part(number, start, end, frames_between(times, start, end, fastest))
        for number, (start, end) in enumerate(pairwise(edges))
    ]


def frames_between(times: Sequence[float], start: float, end: float, fastest: float | None) -> int:
    """How many frames are made of the stretch."""
    if fastest:
        return max(1, beat(end, fastest) - beat(start, fastest))
    return bisect_left(times, end - SAME) - bisect_left(times, start - SAME)


def beat(time: float, rate: float) -> int:
    """The number of the beat nearest to a time, as ffmpeg's fps filter rounds."""
    return floor(time * rate + 0.5)


def seek_time(part_start: float, lead: float, whole_gop: bool) -> float:
    """Where ffmpeg is sent to for a part: the moment its keyframe is read, by the latest of any.

    A container's index goes by the time of reading. With `whole_gop` it lands on the keyframe
    before: a deinterlacer wants to see the frame before the first.
    """
    return part_start - lead + (-1 if whole_gop else 1) * 2 * SAME


def spans(packets: Packets, parts: Sequence[Part], targets: Sequence[float]) -> list[tuple[int, int]]:
    """The (start, end) bytes read for each part when ffmpeg is sent to its target; (0, 0) where unknown."""
    keys = [n for n in range(len(packets)) if packets.key[n]]
    read = [packets.read[n] for n in keys]
    starts = [part.start - SAME for part in parts]
    last = [0] * len(parts)
    for number, shown in enumerate(packets.shown):
        place = bisect_right(starts, shown) - 1
        if place >= 0:
            last[place] = number  # in the order of the file, so the last one stays
    found = []
    for number, target in enumerate(targets):
        before = bisect_right(read, target) - 1
        found.append(extent(packets, keys[before] if before >= 0 else 0, last[number] + 1 + TAIL))
    return found


def extent(packets: Packets, first: int, last: int) -> tuple[int, int]:
    """The (start, end) bytes of the packets from `first` to before `last`; (0, 0) if one has no place."""
    places = packets.place[first:last]
    if not places or min(places) == NOWHERE:
        return 0, 0
    sizes = packets.size[first:last]
    return min(places), max(place + size for place, size in zip(places, sizes, strict=True))


def merged(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same bytes in as few ranges as there can be, in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(r for r in ranges if r[0] < r[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
