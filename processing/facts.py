"""What engines measure and what they hand back: plain values, no behaviour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Facts:
    """What an engine measured of an original.

    `width` and `height` are as people see it: upright, in square pixels. `orientation` is the EXIF
    value 1-8 of an image, `rotation` the clockwise degrees a player turns a video by. Seconds and
    frames a second are floats.
    """

    kind: str
    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    duration: float | None = None
    frame_rate: float | None = None
    rotation: int = 0
    video_codec: str | None = None
    audio_codec: str | None = None

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
    threads: int = 1  # of a decoder and of each encoder; 0 is as many as helps within the memory limit


@dataclass(frozen=True)
class Made:
    """One finished file in the step's folder."""

    preset: str
    version: int
    path: Path
    content_type: str
    width: int
    height: int
    duration: float | None = None


@dataclass(frozen=True)
class Product:
    """What a step gives back; each where it has it.

    `placeholder` is a blurhash, `colour` the dominant one as `#a1b2c3`.
    """

    facts: Facts | None = None
    placeholder: str = ""
    colour: str = ""
    files: tuple[Made, ...] = ()


def _say_nothing(fraction: float) -> None:
    """The report of an engine that nobody watches."""


@dataclass(frozen=True)
class Order:
    """What a step is told: the source and the folder to write to, what is known, what is wanted.

    `report(fraction)` is called often (twice a second at least while a child runs). It may raise:
    then the job is no longer ours, and the engine must stop its child and let the exception pass.
    """

    source: Path
    folder: Path
    facts: Facts | None = None
    presets: tuple[Any, ...] = ()
    limits: Limits = field(default_factory=Limits)
    report: Callable[[float], None] = _say_nothing
