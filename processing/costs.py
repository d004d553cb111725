"""What a step takes of a worker: work in units that its seconds grow with, and memory. Pure arithmetic.

Each function has a unit of its own, and what a job costs beside it in such units. They were fitted to
CPU seconds of one thread on a busy core of 2.4 GHz: two or three files each, so they are a beginning.
The seconds of a unit are then measured as the service works (see `estimates`). A step that owes such an
original nothing is no work.
"""

from processing import presets
from processing.engines import cutting, drafts
from processing.facts import Facts, Part

MEGAPIXEL, MEGABYTE = 1e6, 1e6
# Opening a file in a new sandbox costs as much as 1.8 encoded megapixels: 64 x 64 took 0.18 s, 12 MP 1.07 s.
OPENING = 1.8
# Of a photo's own pixel: 1.1, 4.3 and 12.2 MP took 0.12, 0.29 and 0.37 s of CPU, for 2.6, 6.0 and 6.0 MP encoded.
READING = 0.25
# Of a source's pixel against an encoded one.
DECODING = cutting.DECODING / cutting.ENCODING
# Of starting ffmpeg and looking at what it made: 10 and 30 s of 360p took 1.6 and 4.5 s.
STARTING = 9.0
# Of a draft's picture in haste: its whole job is 11 % of the ladder of a 1080p film, of which decoding is 8.
DRAFTED = 0.13
# Two runs of ffprobe and one of ffmpeg, in seconds of what each unit then costs: megapixels decoded of a
# stretch of film (poster 0.23 s at 360p, 0.69 at 1080p), and megabytes copied (0.31 s of 12 MB, 0.39 of 25).
LOOKING, COPYING = 50.0, 100.0
# A preview's own pictures are as many and as small whatever the film is: 0.45 s at 360p, 1.0 at 1080p.
PREVIEWING = 75.0
SOUNDING = 3.0  # seconds of sound: 10 s took 0.21, 30 s took 0.53
PACKING = 25.0  # megabytes, for each rung: one took 0.4 s, four 1.4, and 2 MB more 0.03
KEYFRAMES = 1 / 8  # of decoding all: what decoding keyframes alone costs


def one(facts: Facts, part: Part | None) -> float:
    """Of a step whose jobs are all alike."""
    return 1.0


def pictures(facts: Facts, part: Part | None) -> float:
    """Of decoding an image once and encoding its sizes; of what moves, all frames of it. Megapixels encoded."""
    read = READING * frame(facts) * facts.frames
    return OPENING + read + sum(painted(facts, preset) for preset in presets.image_files(facts))


def painted(facts: Facts, preset: presets.ImageFile) -> float:
    """Megapixels of one file, over its frames."""
    width, height = presets.within_box(facts.width, facts.height, preset.box)
    frames = 1 if isinstance(preset, presets.ImagePreset) else facts.frames
    return frames * width * height / MEGAPIXEL


def ladder(facts: Facts, part: Part | None) -> float:
    """Of encoding a part, or a whole video, into all its rungs from one decode. Megapixels encoded."""
    return STARTING + frames(facts, part) * (DECODING * frame(facts) + encoded(facts))


def draft(facts: Facts, part: Part | None) -> float:
    """Of encoding a whole video in haste, in its smallest size, where that pays. Megapixels encoded."""
    if not drafts.pays(facts):
        return 0.0
    return STARTING + frames(facts, part) * (DECODING * frame(facts) + DRAFTED)


def stretch(facts: Facts, part: Part | None) -> float:
    """Of decoding two seconds in all: a few stretches of most videos. Megapixels decoded."""
    return LOOKING + two_seconds(facts)


def preview(facts: Facts, part: Part | None) -> float:
    """Of decoding as much, and encoding it in small. Megapixels decoded."""
    return PREVIEWING + two_seconds(facts)


def two_seconds(facts: Facts) -> float:
    return 2 * (facts.frame_rate or 0) * frame(facts)


def keyframes(facts: Facts, part: Part | None) -> float:
    """Of decoding the keyframes of a whole video. Megapixels decoded."""
    return LOOKING + KEYFRAMES * frames(facts, part) * frame(facts)


def remuxing(facts: Facts, part: Part | None) -> float:
    """Of copying a whole film, where it gets a copy. Megabytes."""
    return copying(facts) if presets.source(facts) else 0.0


def texts(facts: Facts, part: Part | None) -> float:
    """Of reading a whole film for its text tracks, where it has some. Megabytes."""
    return copying(facts) if presets.subtitles(facts) else 0.0


def copying(facts: Facts) -> float:
    """Of reading a whole file without decoding its pictures. Megabytes."""
    return COPYING + (facts.duration or 0) * facts.bit_rate / 8 / MEGABYTE


def sound(facts: Facts, part: Part | None) -> float:
    """Of encoding the sound, where there is any. Seconds of it."""
    return SOUNDING + (facts.duration or 0) if presets.sound(facts) else 0.0


def packing(facts: Facts, part: Part | None) -> float:
    """Of joining the parts of each rung. Megabytes, at the most that a rung may have."""
    return sum(PACKING + (facts.duration or 0) * rung.maxrate * 1000 / 8 / MEGABYTE for rung in presets.rungs(facts))


def frame(facts: Facts) -> float:
    """Megapixels of one picture."""
    return facts.width * facts.height / MEGAPIXEL


def frames(facts: Facts, part: Part | None) -> float:
    """Pictures in the part, or in the whole video."""
    return part.frames if part else (facts.duration or 0) * (facts.frame_rate or 0)


MIB = 1 << 20
# What a step holds beside its pictures: ffmpeg or the sandbox, and our own part in it (RSS: ffmpeg copying 62 MiB).
BASE = 80 * MIB
PIXEL = 6  # bytes: an RGBA decode and a copy on its way to the first size; 100 MP stay under 700 MB
# The ladder of a 1080p film (3.6 MP in its four rungs) touched 552 MiB at veryfast: x264's lookahead
# and references, 36 pictures or so for each rung, and the decoder's own.
# A poster of it held 149 MiB, a preview 117, a storyboard 66.
RUNG_PIXEL, SOURCE_PIXEL = 115, 40  # bytes


def little(facts: Facts, part: Part | None) -> int:
    """Bytes of a step that measures or copies."""
    return BASE


def picture_bytes(facts: Facts, part: Part | None) -> int:
    """Bytes of a picture decoded whole."""
    return BASE + PIXEL * facts.width * facts.height


def film_bytes(facts: Facts, part: Part | None) -> int:
    """Bytes of frames decoded, one after another, beside a few that are kept."""
    return BASE + SOURCE_PIXEL * facts.width * facts.height


def ladder_bytes(facts: Facts, part: Part | None) -> int:
    """Bytes of one decoder and an encoder for each rung; a part holds as much as the whole."""
    return film_bytes(facts, part) + round(RUNG_PIXEL * MEGAPIXEL * encoded(facts))


def encoded(facts: Facts) -> float:
    """Megapixels of one picture in all its rungs."""
    sizes = [presets.by_short_side(facts.width, facts.height, rung.short_side) for rung in presets.rungs(facts)]
    return sum(width * height for width, height in sizes) / MEGAPIXEL
