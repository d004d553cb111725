"""Measure a video without decoding it: what it is, how people will see it, which streams to use."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from processing.engines import capture, child, ffmpeg
from processing.errors import Corrupt, Empty, NoVideo, TooLong, TooManyPixels, TooManyStreams, UnsupportedType
from processing.facts import Facts, Limits, Text

# A probe reads headers and a few megabytes: 0.1 s. 25 s leave a cold network disk its time, and
# still refuse the worst file within the 30 s we promise.
BOUNDS = child.Bounds(seconds=25, stall=25, memory=1536 * child.MIB)
# Listing packets reads the whole file: 20 GiB at 100 MB/s are 200 s.
LISTING = child.Bounds(seconds=600, stall=60, memory=1536 * child.MIB)
MOST_JSON = 4 << 20  # characters: ffmpeg stops at 1000 streams of about 500 each
THINNEST = 500  # bytes a second: less than any real video has, so its duration is a lie or missing
SAMPLE = 10  # seconds of packets to count frames in, where the header claims absurdly many
TURN = 90  # degrees
WIDEST_PIXEL = 10  # a pixel wider or higher than this is a broken header: the widest real one is 2.2

TEXT_CODECS = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")
NO_LANGUAGE = ("und", "zxx", "mul", "mis")  # undetermined, none, several, uncoded
LONGEST_TITLE = 80  # characters: what a menu shows
MATRICES = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "bt470",
    "fcc": "fcc",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
    "gbr": "auto",
}
HIGH_DEFINITION = 720  # from this height on, players take an untagged picture for BT.709, below for BT.601

Tick = Callable[[], object]


@dataclass(frozen=True)
class Look:
    """What a probe found: facts for everyone, tracks for ffmpeg."""

    facts: Facts
    tracks: ffmpeg.Tracks


@dataclass(frozen=True)
class Packets:
    """The packets of a stream: how many, and the seconds from the first's start to the last's end."""

    count: int
    seconds: float


def look(source: Path, limits: Limits, on_tick: Tick = child.nothing) -> Look:
    """Probe the source.

    Raises Empty, UnsupportedType, Corrupt, NoVideo, TooManyStreams, TooManyPixels, TooLong or
    ResourceLimit where the media is at fault; OSError where the file cannot be opened by us.
    """
    with source.open("rb") as opened:
        if not opened.read(1):
            raise Empty
    described, said = _described(source, limits, on_tick)
    container, streams = described["format"], described.get("streams", [])
    if int(container["nb_streams"]) > limits.streams:
        raise TooManyStreams(found=container["nb_streams"], allowed=limits.streams)
    video, audio = _video_stream(streams), _audio_stream(streams)
    size = _stored_size(video, said, limits)
    packets = _Listing(source, int(video["index"]), limits, on_tick)
    duration = _duration(container, video, audio, packets)
    if duration > limits.duration:
        raise TooLong(found=round(duration), allowed=round(limits.duration))
    turned = _rotation(video)
    width, height = _shown_size(size, video, turned, limits)
    rate = _frame_rate(video, packets)
    facts = Facts(
        kind="video",
        format=str(container["format_name"]).split(",", maxsplit=1)[0],
        width=width,
        height=height,
        duration=duration,
        frame_rate=rate,
        profile=video.get("profile", ""),
        bit_rate=round(8 * int(container.get("size", 0)) / duration),
        texts=_texts(streams),
        rotation=turned,
        video_codec=video["codec_name"],
        audio_codec=audio["codec_name"] if audio else None,
        start=_seconds(container, "start_time"),
        **_picture(video, min(size)),
        taken=capture.of_tags(container.get("tags", {})),
        **_sound(audio),
    )
    return Look(facts, ffmpeg.tracks_of(facts))


@dataclass(frozen=True)
class Reel:
    """What an MP4 of ours says of itself, by its index: frames, their size, the seconds of all it holds."""

    frames: int
    width: int
    height: int
    duration: float


def reel(source: Path) -> Reel:
    """An MP4 of ours; Corrupt where it has no picture, or no frame."""
    described, _ = _described(source, Limits(), child.nothing)
    video = _video_stream(described.get("streams", []))
    frames = int(video.get("nb_frames", 0))
    if not frames:
        raise Corrupt(reason="no frames")
    return Reel(
        frames,
        int(video["width"]),
        int(video["height"]),
        _own_duration(described["streams"]),
    )


def _picture(video: Any, lines: int) -> dict[str, Any]:
    """How the picture is stored, as Facts name it."""
    guess = "bt709" if lines >= HIGH_DEFINITION else "smpte170m"
    pixels = video.get("pix_fmt", "")
    depth = re.search(r"p0?(9|10|12|14|16)(le|be)?$|gray(10|12|14|16)", pixels)
    return {
        "video_track": int(video["index"]),
        "pixel_format": pixels,
        "bit_depth": int(depth[1] or depth[3]) if depth else 8,
        "matrix": MATRICES.get(video.get("color_space", ""), guess),
        "transfer": video.get("color_transfer", ""),
        "primaries": video.get("color_primaries", ""),
        "field_order": video.get("field_order", "progressive"),
        "pixel_aspect": round(float(_pixel_shape(video)), 6),
    }


def _sound(audio: Any | None) -> dict[str, Any]:
    """How the sound is stored, as Facts name it; nothing of a silent film."""
    if audio is None:
        return {}
    return {
        "audio_track": int(audio["index"]),
        "channels": int(audio.get("channels", 0)),
        "layout": audio.get("channel_layout", ""),
    }


def _described(source: Path, limits: Limits, on_tick: Tick) -> tuple[Any, str]:
    """ffprobe's JSON as values, and what it said on stderr."""
    argv = ffmpeg.describe(source, limits)
    with blaming(source, BOUNDS, limits):
        text, said = child.read(argv, BOUNDS, MOST_JSON, on_tick)
    return json.loads(text), said


@contextmanager
def blaming(source: Path, bounds: child.Bounds, limits: Limits) -> Iterator[None]:
    """Turn the failure of a child that read `source` into the MediaError it means, if it means one."""
    try:
        yield
    except child.ChildFailed as failure:
        error = ffmpeg.blame(failure.status, failure.tail, source, bounds.memory, limits.pixels)
        if error is None:
            raise
        raise error from failure


def _video_stream(streams: list[Any]) -> Any:
    """The first stream that moves; cover art does not."""
    moving = [s for s in streams if s.get("codec_type") == "video" and not s["disposition"]["attached_pic"]]
    if not moving:
        raise NoVideo if _audio_stream(streams) else UnsupportedType
    known = [stream for stream in moving if _is_known(stream)]
    if not known:
        raise UnsupportedType
    return known[0]


def _audio_stream(streams: list[Any]) -> Any | None:
    """The first stream of sound that we can decode, if there is one."""
    sounds = (s for s in streams if s.get("codec_type") == "audio" and _is_known(s))
    return next((s for s in sounds if int(s.get("sample_rate", 0)) > 0), None)


def _texts(streams: list[Any]) -> tuple[Text, ...]:
    """The subtitle tracks that are text; pictures of letters are not."""
    found = (stream for stream in streams if stream.get("codec_type") == "subtitle")
    written = [(stream, stream.get("tags", {})) for stream in found if stream.get("codec_name") in TEXT_CODECS]
    return tuple(
        Text(int(stream["index"]), language(tags.get("language", "")), tags.get("title", "")[:LONGEST_TITLE])
        for stream, tags in written
    )


def language(tag: str) -> str:
    """The language of a tag such as `spa` or `pt-BR`, in small letters; empty where it names none."""
    found = re.match(r"[a-z]{2,3}(?![a-z])", tag.lower())
    return found[0] if found and found[0] not in NO_LANGUAGE else ""


def _is_known(stream: Any) -> bool:
    return stream.get("codec_name", "unknown") not in ("unknown", "none")


def _stored_size(video: Any, said: str, limits: Limits) -> tuple[int, int]:
    """(width, height) as stored; ffprobe leaves them 0 where the picture is over its -max_pixels."""
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if not width or not height:
        raise ffmpeg.too_many_pixels(said, limits.pixels) or Corrupt(reason="no picture size")
    _refuse_too_large(width, height, limits)
    return width, height


def _refuse_too_large(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise TooManyPixels(found=ffmpeg.megapixels(width * height), allowed=ffmpeg.megapixels(limits.pixels))


def _shown_size(size: tuple[int, int], video: Any, turned: int, limits: Limits) -> tuple[int, int]:
    """(width, height) as people see it: square pixels, upright."""
    width, height = size
    width = max(1, round(width * _pixel_shape(video)))
    _refuse_too_large(width, height, limits)
    if max(width, height) > ffmpeg.LONGEST_SIDE:
        raise UnsupportedType
    return (height, width) if turned in (TURN, 3 * TURN) else (width, height)


def _pixel_shape(video: Any) -> Fraction:
    """How wide a pixel is for its height; 1 where that is absurd."""
    shape = _ratio(video.get("sample_aspect_ratio", "1:1").replace(":", "/")) or Fraction(1)
    return shape if 1 / WIDEST_PIXEL <= shape <= WIDEST_PIXEL else Fraction(1)


def _rotation(video: Any) -> int:
    """Clockwise degrees, 0 to 359; the side data counts the other way."""
    turns = (int(data["rotation"]) for data in video.get("side_data_list", []) if "rotation" in data)
    return -next(turns, 0) % 360


class _Listing:
    """The packets of one stream, listed only if somebody asks."""

    def __init__(self, source: Path, stream: int, limits: Limits, on_tick: Tick) -> None:
        self.source = source
        self.stream = stream
        self.limits = limits
        self.on_tick = on_tick

    def measure(self, seconds: float | None = None) -> Packets:
        """Count the packets of all, or of the first `seconds`; Corrupt if there is none."""
        count, start, end = 0, float("inf"), float("-inf")

        def take(line: str) -> None:
            nonlocal count, start, end
            count += 1
            with suppress(ValueError):  # N/A: a packet without a time still counts
                at, *length = [float(word) for word in line.split(",") if word not in ("", "N/A")]
                start, end = min(start, at), max(end, at + sum(length))

        argv = ffmpeg.list_packets(self.source, self.stream, self.limits, seconds)
        with blaming(self.source, LISTING, self.limits):
            child.run(argv, LISTING, on_line=take, on_tick=self.on_tick)
        if not count:
            raise Corrupt(reason="no frames")
        return Packets(count, max(0.0, end - start))


def _duration(container: Any, video: Any, audio: Any | None, packets: _Listing) -> float:
    """Seconds from the header where it is believable, else from the packets.

    Streams that know their own duration are believed before the container: an index cannot claim
    more frames than it lists, a header can say anything.
    """
    own = _own_duration([video, audio] if audio else [video])
    claimed = own or _seconds(container, "duration")
    if claimed and int(container.get("size", 0)) >= THINNEST * claimed and claimed <= packets.limits.duration:
        return claimed
    return packets.measure().seconds or claimed or 1 / (_frame_rate(video, packets) or 1)


def _own_duration(streams: list[Any]) -> float:
    """Seconds from the first start to the last end of the streams; 0 if the video does not say."""
    if not _seconds(streams[0], "duration"):
        return 0.0
    starts = [_seconds(stream, "start_time") for stream in streams]
    ends = [_seconds(stream, "start_time") + _seconds(stream, "duration") for stream in streams]
    return round(max(ends) - min(starts), 6)


def _seconds(described: Any, name: str) -> float:
    try:
        return float(described.get(name, 0))
    except ValueError:  # N/A
        return 0.0


def _frame_rate(video: Any, packets: _Listing) -> float | None:
    """Frames a second, on average; None where there is too little to tell.

    Matroska and ASF keep milliseconds, not rates, and claim 1000 a second: then a stretch is counted.
    """
    claimed = _ratio(video.get("avg_frame_rate", "")) or _ratio(video.get("r_frame_rate", ""))
    if claimed and (claimed <= ffmpeg.FASTEST + 1 or "nb_frames" in video):
        return round(float(claimed), 3)
    counted = packets.measure(SAMPLE)
    if counted.count < 2 or not counted.seconds:
        return None
    return round(counted.count / counted.seconds, 3)


def _ratio(text: str) -> Fraction | None:
    """A positive ratio as ffprobe writes it; None for 0/0 and N/A."""
    try:
        return Fraction(text) or None
    except (ValueError, ZeroDivisionError):
        return None
