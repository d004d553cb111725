"""The text tracks of a film as WebVTT, with nothing in them but words and b, i and u."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import ffmpeg as ff

from processing.engines import child, ffmpeg, probe
from processing.errors import Corrupt
from processing.facts import Limits, Made, Order, Product, Text
from processing.presets import Captions

# Reads the whole file, as subtitles lie between the pictures: 20 GiB at 10 MB/s are half an hour.
BOUNDS = child.Bounds(seconds=3600, stall=600, memory=1536 * child.MIB)
MOST_BYTES = 4 << 20  # of a track: the subtitles of a long film are 200 kB

TIMING = re.compile(r"((?:\d+:)?\d\d:\d\d\.\d{3})[ \t]+-->[ \t]+((?:\d+:)?\d\d:\d\d\.\d{3})")
KEPT = re.compile(r"</?[biu]>", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")
ENTITY = re.compile(r"&(?!(?:amp|lt|gt|lrm|rlm|nbsp);)")


def extract(order: Order) -> Product:
    """A WebVTT for each text track of the order's facts; the first is the preset's own file.

    A track that cannot be read to its end has the cues before that. Raises the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    texts = seen.facts.texts
    if not texts:
        return Product()
    (preset,) = order.presets
    with TemporaryDirectory(dir=order.folder, prefix=".subtitles-") as scratch:
        argv = convert(order.source, texts, order.limits)
        with suppress(Corrupt), probe.blaming(order.source, BOUNDS, order.limits):
            child.run(argv, BOUNDS, folder=Path(scratch), on_tick=lambda: order.report(0))
        files = tuple(write(Path(scratch), number, text, preset, order.folder) for number, text in enumerate(texts))
    order.report(1.0)
    return Product(files=files)


def write(scratch: Path, number: int, text: Text, preset: Captions, folder: Path) -> Made:
    """The finished file of a track, cleaned of all that is not a cue."""
    raw = scratch / raw_name(number)
    said = raw.read_text("utf-8", "replace") if raw.exists() else ""
    name = "" if number == 0 else companion(number, text)
    path = folder / (name or f"{preset.name}.{preset.extension}")
    path.write_text(cleaned(said), "utf-8")
    return Made(preset.name, preset.version, path, preset.content_type, 0, 0, name=name)


def companion(number: int, text: Text) -> str:
    """The name of a track's file beside the first's."""
    return f"{text.language or 'und'}-{number}.vtt"


def raw_name(number: int) -> str:
    """The name of a track as ffmpeg writes it."""
    return f"{number}.vtt"


def cleaned(said: str) -> str:
    """The same WebVTT with its cues alone: no style, no region, no note, no setting, no foreign tag."""
    blocks = ["WEBVTT"]
    for block in re.split(r"\n{2,}", said.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        timed = next((place for place, line in enumerate(lines[:2]) if TIMING.match(line)), None)
        if timed is None:
            continue
        timing = TIMING.match(lines[timed])
        words = [plain(line) for line in lines[timed + 1 :]]
        if timing and any(words):
            blocks.append("\n".join([f"{timing[1]} --> {timing[2]}", *filter(None, words)]))
    return "\n\n".join(blocks) + "\n"


def plain(line: str) -> str:
    """A line of a cue with b, i and u for tags, and nothing that a browser would take for another."""
    pieces = re.split(f"({KEPT.pattern})", line.replace("\0", ""), flags=re.IGNORECASE)
    return "".join(piece.lower() if KEPT.fullmatch(piece) else escaped(piece) for piece in pieces).strip()


def escaped(words: str) -> str:
    """Words without tags; what is left of them is text."""
    words = ENTITY.sub("&amp;", TAG.sub("", words))
    return words.replace("<", "&lt;").replace(">", "&gt;")


def convert(source: Path, texts: Sequence[Text], limits: Limits) -> list[str]:
    """ffmpeg's argv for a WebVTT of each track, in one reading of the source."""
    film = ff.input(ffmpeg.url(source), **ffmpeg.input_options(limits))
    options = {"f": "webvtt", "c:s": "webvtt", "fs": MOST_BYTES, "t": limits.duration}
    dropped = {"map_metadata": -1, "map_chapters": -1}
    files = [
        ff.output(film[str(text.track)], raw_name(number), **options, **dropped) for number, text in enumerate(texts)
    ]
    return ffmpeg.argv(ff.merge_outputs(*files), limits)
