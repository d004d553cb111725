"""What we make: frozen targets, and the arithmetic of their sizes. No file is opened here.

A preset's `version` goes up when its output should look different; only files of an older version
are then rendered again.
"""

from dataclasses import dataclass

from processing.facts import Facts


@dataclass(frozen=True)
class ImagePreset:
    """A still image within a square box of `box` pixels, never enlarged."""

    name: str
    box: int
    format: str
    quality: int
    version: int = 1

    @property
    def content_type(self) -> str:
        return f"image/{self.format.lower()}"

    @property
    def extension(self) -> str:
        return {"JPEG": "jpg"}.get(self.format, self.format.lower())


@dataclass(frozen=True)
class Rung:
    """An MP4 of H.264 and AAC whose short side is `short_side` pixels, never enlarged.

    `crf` sets the quality, `maxrate` (kbit/s) caps what a hard scene may cost.
    """

    name: str
    short_side: int
    crf: int
    maxrate: int
    version: int = 1
    content_type = "video/mp4"
    extension = "mp4"


Preset = ImagePreset | Rung

# Quality 80 is the level the targets in the benchmarks are stated at: within 0.002 SSIM of what
# sharp and libvips give by default.
WEBP = tuple(ImagePreset(f"webp-{box}", box, "WEBP", 80) for box in (160, 320, 640, 1280, 2048))
MAIL_JPEG = ImagePreset("jpeg-1280", 1280, "JPEG", 80)
POSTER = ImagePreset("poster", 1280, "WEBP", 80)
LADDER = (
    Rung("mp4-360", 360, crf=25, maxrate=900),
    Rung("mp4-480", 480, crf=24, maxrate=1600),
    Rung("mp4-720", 720, crf=23, maxrate=3500),
    Rung("mp4-1080", 1080, crf=23, maxrate=6500),
)


def boxes(facts: Facts) -> tuple[ImagePreset, ...]:
    """The WebP boxes that suit this image: each smaller one, and the first that holds it whole."""
    smaller = [preset for preset in WEBP if preset.box < facts.long_side]
    return (*smaller, *WEBP[len(smaller) : len(smaller) + 1])


def stills(facts: Facts) -> tuple[ImagePreset, ...]:
    """Every still file an image gets."""
    return (*boxes(facts), MAIL_JPEG)


def poster(facts: Facts) -> tuple[ImagePreset, ...]:
    """A video's poster, whatever its size."""
    return (POSTER,)


def rungs(facts: Facts) -> tuple[Rung, ...]:
    """The rungs no larger than the video; always the lowest."""
    return tuple(rung for rung in LADDER if rung is LADDER[0] or rung.short_side <= facts.short_side)


def within_box(width: int, height: int, box: int) -> tuple[int, int]:
    """(width, height) scaled so that the longest side is at most `box`; never enlarged, never 0."""
    longest = max(width, height)
    if longest <= box:
        return width, height
    return max(1, round(width * box / longest)), max(1, round(height * box / longest))


def by_short_side(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) scaled so that the short side is at most `short_side`, both sides even.

    Even, because 4:2:0 video has one colour sample for two pixels each way.
    """
    scale = min(1.0, short_side / min(width, height))
    return even(width * scale), even(height * scale)


def even(length: float) -> int:
    """The nearest even whole number, at least 2."""
    return max(2, 2 * round(length / 2))
