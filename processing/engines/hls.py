"""Playlists of HLS (RFC 8216), as text. Pure: what they say is read from the files they are of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from processing.engines.fragments import Fragment, Track

SEGMENT = 4.0  # seconds: two GOPs; Apple's 6 s begins half as late to change quality, 2 s asks twice as often
SOUNDS = "audio"  # the group of sounds
LEAST = 1.0  # seconds of a segment that a rate of frames can be told by


@dataclass(frozen=True)
class Segment:
    """Bytes `start` to `end` of a file, for so many seconds."""

    start: int
    end: int
    seconds: float
    frames: int

    @property
    def bits(self) -> int:
        return 8 * (self.end - self.start)


@dataclass(frozen=True)
class Rendition:
    """One file of fragments and the playlist over it."""

    file: str
    playlist: str
    track: Track
    segments: tuple[Segment, ...]


def each(fragments: Sequence[Fragment]) -> Iterator[Segment]:
    """Every fragment as a segment."""
    for fragment in fragments:
        yield Segment(fragment.start, fragment.end, fragment.ends - fragment.begins, fragment.frames)


def by_clock(fragments: Sequence[Fragment]) -> Iterator[Segment]:
    """Fragments joined so that a segment begins with the first in each SEGMENT of the clock.

    By the clock and not by what went before, so that all renditions change at the same frames.
    """
    first = 0
    for number in range(1, len(fragments) + 1):
        if number < len(fragments) and _slot(fragments[number]) == _slot(fragments[first]):
            continue
        last = number < len(fragments)
        ends = fragments[number].begins if last else max(fragment.ends for fragment in fragments[first:number])
        frames = sum(fragment.frames for fragment in fragments[first:number])
        yield Segment(fragments[first].start, fragments[number - 1].end, ends - fragments[first].begins, frames)
        first = number


def _slot(fragment: Fragment) -> int:
    # A thousandth early, as keyframes stand at the first frame of their GOP by a rounded clock.
    return int((fragment.begins + 0.001) / SEGMENT)


def media(rendition: Rendition) -> str:
    """The playlist of one rendition; its segments are stretches of one file."""
    cut = rendition.segments
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target(cut)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{rendition.file}",BYTERANGE="{rendition.track.header}@0"',
    ]
    for segment in cut:
        lines += [
            f"#EXTINF:{segment.seconds:.6f},",
            f"#EXT-X-BYTERANGE:{segment.end - segment.start}@{segment.start}",
            rendition.file,
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def target(cut: Sequence[Segment]) -> int:
    """Whole seconds that no segment, rounded to the nearest, is longer than (RFC 8216 §4.3.3.1)."""
    return max(1, *(floor(segment.seconds + 0.5) for segment in cut))


def master(pictures: Sequence[Rendition], sound: Rendition | None) -> str:
    """The playlist a player is given: each size, and what it takes to play it."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if sound:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{SOUNDS}",NAME="{SOUNDS}",DEFAULT=YES,AUTOSELECT=YES'
            f',CHANNELS="{sound.track.channels}",URI="{sound.playlist}"'
        )
    for picture in pictures:
        together = [picture, sound] if sound else [picture]
        codecs = ",".join(rendition.track.codec for rendition in together)
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={sum(peak(r.segments) for r in together)}"
            f",AVERAGE-BANDWIDTH={sum(average(r.segments) for r in together)}"
            f',CODECS="{codecs}",RESOLUTION={picture.track.width}x{picture.track.height}'
            f",FRAME-RATE={frame_rate(picture.segments):.3f}" + (f',AUDIO="{SOUNDS}"' if sound else ""),
            picture.playlist,
        ]
    return "\n".join([*lines, ""])


def peak(cut: Sequence[Segment]) -> int:
    """The most bits a second over neighbouring segments of half to one and a half target durations together."""
    goal, highest = target(cut), 0.0
    for first in range(len(cut)):
        bits, seconds = 0, 0.0
        for segment in cut[first:]:
            bits, seconds = bits + segment.bits, seconds + segment.seconds
            if seconds > 1.5 * goal:
                break
            if seconds >= 0.5 * goal:
                highest = max(highest, bits / seconds)
    return ceil(max(highest, average(cut)))


def average(cut: Sequence[Segment]) -> int:
    """Bits a second over the whole."""
    return ceil(sum(segment.bits for segment in cut) / sum(segment.seconds for segment in cut))


def frame_rate(cut: Sequence[Segment]) -> float:
    """The most frames a second of any segment long enough to tell; of the whole, if none is."""
    long_enough = [segment for segment in cut if segment.seconds >= LEAST] or [
        Segment(0, 0, sum(s.seconds for s in cut), sum(s.frames for s in cut))
    ]
    return max(segment.frames / segment.seconds for segment in long_enough)
