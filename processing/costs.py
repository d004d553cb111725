"""What a step takes of a worker: work in units that its seconds grow with. Pure arithmetic.

A unit is about a megapixel that is encoded. Each function's constants are what its other costs came
to in such units; the seconds of a unit are measured as the service works (see `estimates`).
"""

from processing import presets
from processing.facts import Facts, Part

MEGAPIXEL = 1e6
# Opening a file, the sandbox, storage and rows cost a small image as much as 1.5 of its megapixels do
# (0.4 MP: 0.10 s, 12 MP: 0.75 s).
OPENING = 1.5
# Of a source's pixel against an encoded one: decoding and scaling at veryfast (720p alone against four rungs).
DECODING = 0.3
# Starting ffmpeg, looking at what it made and storing it cost a second of 360p, which are 6 megapixels.
STARTING = 6.0


def one(facts: Facts, part: Part | None) -> float:
    """Of a step whose jobs are all alike."""
    return 1.0


def pictures(facts: Facts, part: Part | None) -> float:
    """Of decoding every pixel of an image once: its sizes are smaller, and cost in proportion."""
    return OPENING + frame(facts) * facts.frames


def ladder(facts: Facts, part: Part | None) -> float:
    """Of encoding a part, or a whole video, into all its rungs from one decode."""
    sizes = [presets.by_short_side(facts.width, facts.height, rung.short_side) for rung in presets.rungs(facts)]
    encoded = sum(width * height for width, height in sizes) / MEGAPIXEL
    return STARTING + frames(facts, part) * (DECODING * frame(facts) + encoded)


def decoding(facts: Facts, part: Part | None) -> float:
    """Of decoding a whole video for one small picture of it."""
    return STARTING + frames(facts, part) * (DECODING * frame(facts) + 0.1)


def copying(facts: Facts, part: Part | None) -> float:
    """Of reading a whole video without decoding its pictures: seconds of it."""
    return STARTING + (facts.duration or 0)


def poster(facts: Facts, part: Part | None) -> float:
    """Of a stretch of two seconds, which most videos have."""
    return STARTING + 2 * (facts.frame_rate or 0) * frame(facts)


def frame(facts: Facts) -> float:
    """Megapixels of one picture."""
    return facts.width * facts.height / MEGAPIXEL


def frames(facts: Facts, part: Part | None) -> float:
    """Pictures in the part, or in the whole video."""
    return part.frames if part else (facts.duration or 0) * (facts.frame_rate or 0)
