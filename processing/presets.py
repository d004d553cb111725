"""What we make: frozen targets, and the arithmetic of their sizes. No file is opened here.

A preset's `version` goes up when its output should look different; only files of an older version
are then rendered again.
"""

from dataclasses import dataclass
from itertools import pairwise

from processing.facts import Facts

# veryfast costs half the CPU of medium (and 500 MB against 881) for a few per cent more bytes at the
# same crf. An upload should be playable soon; who has CPU to spare makes this slower.
SPEED = "veryfast"


@dataclass(frozen=True)
class ImagePreset:
    """A still image within a square box of `box` pixels, never enlarged.

    Images no longer than `above` pixels do not get it. A `square` one fills the box, as far as the
    original does, with what matters most of the picture.
    """

    name: str
    box: int
    format: str
    quality: int
    version: int = 1
    above: int = 0
    square: bool = False

    def suits(self, facts: Facts) -> bool:
        return facts.long_side > self.above

    @property
    def content_type(self) -> str:
        return f"image/{self.format.lower()}"

    @property
    def extension(self) -> str:
        return {"JPEG": "jpg"}.get(self.format, self.format.lower())


@dataclass(frozen=True)
class AnimatedPreset:
    """A WebP that moves as the original does, within a square box of `box` pixels, never enlarged."""

    name: str
    box: int
    quality: int
    version: int = 1
    content_type = "image/webp"
    extension = "webp"

    def suits(self, facts: Facts) -> bool:
        return facts.frames > 1


@dataclass(frozen=True)
class LoopPreset:
    """A silent MP4 of an animation that has at least `above` pixels, over all its frames as they are shown.

    An MP4 cannot say how often it is played: only what plays for ever gets one, as browsers loop it.
    """

    name: str
    box: int
    crf: int
    above: int
    speed: str = "veryfast"
    version: int = 1
    content_type = "video/mp4"
    extension = "mp4"

    def suits(self, facts: Facts) -> bool:
        width, height = within_box(facts.width, facts.height, self.box)
        return facts.loops and facts.frames > 1 and not facts.plays and facts.frames * width * height >= self.above


@dataclass(frozen=True)
class Copy:
    """An MP4 of the source's own picture and sound, where browsers play them as they are.

    `pictures` are pairs of a codec and a profile, `sounds` codecs, `formats` the containers whose
    times can be taken over; names are ffmpeg's.
    """

    name: str
    formats: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...]
    sounds: tuple[str | None, ...]
    version: int = 1
    content_type = "video/mp4"
    extension = "mp4"

    def suits(self, facts: Facts) -> bool:
        return (
            facts.copies
            and facts.format in self.formats
            and (facts.video_codec, facts.profile) in self.pictures
            and facts.audio_codec in self.sounds
        )


@dataclass(frozen=True)
class Storyboard:
    """A WebP sheet of small frames, `columns` in a row, and the WebVTT that says which is where.

    At most `most` frames within a square box of `box` pixels, at least `apart` seconds from each other.
    """

    name: str
    box: int
    columns: int
    most: int
    apart: float
    quality: int
    version: int = 1
    content_type = "image/webp"
    extension = "webp"


@dataclass(frozen=True)
class Preview:
    """A silent MP4 of `stretches` short stretches of a film, `seconds` in all, to run in a loop."""

    name: str
    short_side: int
    seconds: float
    stretches: int
    frame_rate: int
    crf: int
    version: int = 1
    content_type = "video/mp4"
    extension = "mp4"


@dataclass(frozen=True)
class Captions:
    """A WebVTT for each text track, the first under the preset's name."""

    name: str
    version: int = 1
    content_type = "text/vtt"
    extension = "vtt"


@dataclass(frozen=True)
class Rung:
    """An MP4 whose short side is `short_side` pixels, never enlarged; of H.264 unless `codec` says another.

    `crf` sets the quality on the codec's own scale, `maxrate` (kbit/s) caps what a hard scene may cost,
    `speed` is the encoder's own name for how long it may search.
    """

    name: str
    short_side: int
    crf: int
    maxrate: int
    codec: str = "h264"
    version: int = 1
    speed: str = SPEED
    content_type = "video/mp4"
    extension = "mp4"


@dataclass(frozen=True)
class Playlist:
    """All rungs and the sound as HLS: what a player that follows the network asks for."""

    name: str
    version: int = 1
    content_type = "application/vnd.apple.mpegurl"
    extension = "m3u8"


@dataclass(frozen=True)
class Sound:
    """AAC in stereo at `kbits` kbit/s.

    `loudness` (LUFS) is what a film is brought to where it is given: measured first, then set by one
    constant gain as far as the peaks allow.
    """

    name: str
    kbits: int
    loudness: float | None = None
    version: int = 1
    content_type = "audio/mp4"
    extension = "m4a"


ImageFile = ImagePreset | AnimatedPreset | LoopPreset
Preset = ImageFile | Copy | Storyboard | Preview | Captions | Rung | Playlist | Sound


def family(name: str, image_format: str, quality: int) -> tuple[ImagePreset, ...]:
    """The five boxes; each suits the images that the box below it cannot hold whole."""
    return tuple(
        ImagePreset(f"{name}-{box}", box, image_format, quality, above=above)
        for above, box in pairwise((0, 160, 320, 640, 1280, 2048))
    )


# Quality 80 is the level the targets in the benchmarks are stated at: within 0.002 SSIM of what
# sharp and libvips give by default.
WEBP = family("webp", "WEBP", 80)
AVIF = family("avif", "AVIF", 60)
MAIL_JPEG = ImagePreset("jpeg-1280", 1280, "JPEG", 80)
SQUARE = ImagePreset("square-320", 320, "WEBP", 80, version=2, square=True)
ANIMATED = AnimatedPreset("animated-640", 640, 75)
# Beside it: 20 MP are 65 frames of 640 x 480.
LOOP = LoopPreset("loop-640", 640, crf=23, above=20_000_000)

# What images get, where it suits them. AVIF and SQUARE are off. To switch some on, name them here, as
# in `(*WEBP, *AVIF[1:3], SQUARE, MAIL_JPEG, ANIMATED, LOOP)`; `reprocess --stale` then makes what is missing.
ON: tuple[ImageFile, ...] = (*WEBP, MAIL_JPEG, ANIMATED, LOOP)

# What the browsers that bring their own decoder play in an MP4. HEVC is not among it: none does, so it
# plays where the machine happens to have a licence for it. Nor are AVI, ASF and Ogg, whose frames carry
# no times of their own, and program streams, whose clocks jump.
SOURCE = Copy(
    "source",
    formats=("mov", "matroska", "mpegts", "flv"),
    pictures=(
        *(("h264", profile) for profile in ("Constrained Baseline", "Baseline", "Main", "High")),
        ("vp9", "Profile 0"),
        ("av1", "Main"),
    ),
    sounds=("aac", "mp3", "opus", None),
)
POSTER = ImagePreset("poster", 1280, "WEBP", 80)
STORYBOARD = Storyboard("storyboard", 160, columns=10, most=100, apart=2, quality=60)
PREVIEW = Preview("preview", 240, seconds=4, stretches=4, frame_rate=15, crf=30)
SUBTITLES = Captions("subtitles")
LADDER = (
    Rung("mp4-360", 360, crf=25, maxrate=900),
    Rung("mp4-480", 480, crf=24, maxrate=1600),
    Rung("mp4-720", 720, crf=23, maxrate=3500),
    Rung("mp4-1080", 1080, crf=23, maxrate=6500),
)
# Off. To switch some on, add them to LADDER, as in `(*LADDER, *HEVC[-1:])`. The qualities are each
# encoder's own for about the same look; `speed` is its own name too.
HEVC = (
    Rung("hevc-720", 720, crf=26, maxrate=2400, codec="hevc", speed="veryfast"),
    Rung("hevc-1080", 1080, crf=26, maxrate=4500, codec="hevc", speed="veryfast"),
)
AV1 = (
    Rung("av1-720", 720, crf=35, maxrate=2000, codec="av1", speed="9"),
    Rung("av1-1080", 1080, crf=35, maxrate=3800, codec="av1", speed="9"),
)
VP9 = (
    Rung("vp9-720", 720, crf=33, maxrate=2400, codec="vp9", speed="5"),
    Rung("vp9-1080", 1080, crf=33, maxrate=4500, codec="vp9", speed="5"),
)
HLS = Playlist("hls")
# 128 kbit/s AAC is transparent for stereo in blind tests. Loudness is off: a film keeps the level its
# maker gave it; -16 is what people set who want them all alike.
SOUND = Sound("audio", kbits=128)


def image_files(facts: Facts) -> tuple[ImageFile, ...]:
    """Every file an image gets."""
    return tuple(preset for preset in ON if preset.suits(facts))


def poster(facts: Facts) -> tuple[ImagePreset, ...]:
    """A video's poster, whatever its size."""
    return (POSTER,)


def source(facts: Facts) -> tuple[Copy, ...]:
    """The source's own streams, where browsers play them."""
    return (SOURCE,) if SOURCE.suits(facts) else ()


def storyboard(facts: Facts) -> tuple[Storyboard, ...]:
    """What the seek bar shows, of every video."""
    return (STORYBOARD,)


def preview(facts: Facts) -> tuple[Preview, ...]:
    """What moves under the pointer, of every video."""
    return (PREVIEW,)


def subtitles(facts: Facts) -> tuple[Captions, ...]:
    """The text tracks, of a video that has some."""
    return (SUBTITLES,) if facts.texts else ()


def rungs(facts: Facts) -> tuple[Rung, ...]:
    """The rungs no larger than the video; always the lowest."""
    return tuple(rung for rung in LADDER if rung is LADDER[0] or rung.short_side <= facts.short_side)


def packages(facts: Facts) -> tuple[Rung | Playlist, ...]:
    """What the rungs are joined to: a file for each, and the playlists over all."""
    return (*rungs(facts), HLS)


def sound(facts: Facts) -> tuple[Sound, ...]:
    """What the sound of a video that has some is encoded to."""
    return () if facts.audio_track is None else (SOUND,)


def within_box(width: int, height: int, box: int) -> tuple[int, int]:
    """(width, height) scaled so that the longest side is at most `box`; never enlarged, never 0."""
    longest = max(width, height)
    if longest <= box:
        return width, height
    return max(1, round(width * box / longest)), max(1, round(height * box / longest))


def around_box(width: int, height: int, box: int) -> tuple[int, int]:
    """(width, height) scaled so that the shortest side is at most `box`; never enlarged."""
    scale = min(1.0, box / min(width, height))
    return round(width * scale), round(height * scale)


def size_in(preset: ImagePreset, width: int, height: int) -> tuple[int, int]:
    """The size at which a picture meets a preset; a square one is then cut from it."""
    return (around_box if preset.square else within_box)(width, height, preset.box)


def by_short_side(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) scaled so that the short side is at most `short_side`, both sides even.

    Even, because 4:2:0 video has one colour sample for two pixels each way.
    """
    scale = min(1.0, short_side / min(width, height))
    return even(width * scale), even(height * scale)


def even(length: float) -> int:
    """The nearest even whole number, at least 2."""
    return max(2, 2 * round(length / 2))
