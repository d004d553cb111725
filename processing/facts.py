"""What engines measure and what they hand back: plain values, no behaviour."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Text:
    """A subtitle track made of text: its stream, and what the source calls its language and itself."""

    track: int
    language: str = ""
    title: str = ""


@dataclass(frozen=True)
class Facts:
    """What an engine measured of an original.

    `width` and `height` are as people see it: upright, in square pixels. `orientation` is the EXIF
    value 1-8 of an image, `rotation` the clockwise degrees a player turns a video by. `plays` is how
    often an animation is played, 0 for ever. Seconds and frames a second are floats. Names of formats,
    colours and layouts are ffmpeg's. `taken` is when it was taken, as ISO 8601: without a zone by the clock on
    the wall there, with one where only the instant is known, empty where nothing is.

    A video's `start` is where its clock begins, `lead` the most that a keyframe is read before it is
    shown, both in seconds. `steady` says that every frame has a time and that the clock never jumps
    back; `variable` that frames are not evenly spaced. `video_track` and `audio_track` are the streams used.

    `profile` is the video codec's, as ffmpeg names it, `bit_rate` the bits a second of the whole file,
    `texts` its text subtitles. `copies` turns false when somebody tried to copy its streams into an MP4
    and found that they cannot be played so; `loops` where an animation's MP4 came out larger than its WebP.
    """

    kind: str
    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    plays: int = 0
    duration: float | None = None
    frame_rate: float | None = None
    profile: str = ""
    bit_rate: int = 0
    texts: tuple[Text, ...] = ()
    copies: bool = True
    loops: bool = True
    rotation: int = 0
    video_codec: str | None = None
    audio_codec: str | None = None
    start: float = 0.0
    lead: float = 0.0
    steady: bool = True
    variable: bool = False
    video_track: int = 0
    audio_track: int | None = None
    pixel_format: str = "yuv420p"
    bit_depth: int = 8
    matrix: str = "bt709"
    transfer: str = ""
    primaries: str = ""
    field_order: str = "progressive"
    pixel_aspect: float = 1.0
    channels: int = 0
    layout: str = ""
    taken: str = ""

    def __post_init__(self) -> None:
        """Take the tracks back as JSON has kept them."""
        texts = tuple(text if isinstance(text, Text) else Text(**text) for text in self.texts)
        object.__setattr__(self, "texts", texts)

    @property
    def short_side(self) -> int:
        return min(self.width, self.height)

    @property
    def long_side(self) -> int:
        return max(self.width, self.height)


@dataclass(frozen=True)
class Limits:
    """How much an original may ask of us. The defaults are the measured ones of `CONTRACT`."""

    pixels: int = 100_000_000  # a 100 MP RGBA decode is 400 MB: what a 700 MB worker can hold
    frames: int = 500
    total_pixels: int = 1_000_000_000  # over all frames of an animation
    duration: float = 6 * 3600
    streams: int = 32
    part: float = 30  # CPU seconds of work in a part of a video: what is lost with a worker
    threads: int = 1  # of a decoder and of each encoder; 0 is as many as helps within the memory limit


@dataclass(frozen=True)
class Part:
    """A stretch of a video between keyframes, encoded on its own: `start` <= t < `end`, seconds of the source's clock.

    `frames` are the pictures in it. `ranges` are the (start, end) bytes of the source that it takes to
    decode them; empty where nobody can say, and then it takes the whole.
    """

    number: int
    start: float
    end: float
    frames: int
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Piece:
    """A file that one step makes for another, named as that one asks for it. Nobody is shown it."""

    name: str
    path: Path


@dataclass(frozen=True)
class Made:
    """One finished file in the step's folder.

    A preset of several files has one that it is known by, whose `name` is empty; the others are
    its companions, named as that file refers to them.
    """

    preset: str
    version: int
    path: Path
    content_type: str
    width: int
    height: int
    duration: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Product:
    """What a step gives back; each where it has it.

    `placeholder` is a blurhash, `colour` the dominant one as `#a1b2c3`. `parts` say how a video is cut,
    `pieces` are files for the steps that need this one, `files` are for people.
    """

    facts: Facts | None = None
    placeholder: str = ""
    colour: str = ""
    parts: tuple[Part, ...] = ()
    pieces: tuple[Piece, ...] = ()
    files: tuple[Made, ...] = ()


def _say_nothing(fraction: float) -> None:
    """The report of an engine that nobody watches."""


@dataclass(frozen=True)
class Order:
    """What a step is told: the source and the folder to write to, what is known, what is wanted.

    `part` is the stretch to work on, for a step that works on parts. `pieces` are what the steps it
    needs have left for it: the files of each name, in the order of their parts. `hands` are the threads
    that an engine may have at work at once, because nobody else needs their cores.

    `report(fraction)` is called often (twice a second at least while a child runs). It may raise:
    then the job is no longer ours, and the engine must stop its child and let the exception pass.
    """

    source: Path
    folder: Path
    facts: Facts | None = None
    presets: tuple[Any, ...] = ()
    part: Part | None = None
    pieces: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    hands: int = 1
    report: Callable[[float], None] = _say_nothing
