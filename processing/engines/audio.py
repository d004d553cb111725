"""The sound of a video, encoded once for the whole of it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from processing import presets
from processing.engines import boxes, child, encoding, probe
from processing.engines.watching import Progress
from processing.errors import Corrupt
from processing.facts import Facts, Order, Piece, Product
from processing.presets import Sound

NAME = "audio"
MEMORY = 1536 * child.MIB
# Sound decodes and encodes at 50 times its speed on a slow core; a file of 20 GiB is read on the way.
SLOWEST, ALLOWANCE = 1, 600
STALL = 300
# What loudnorm's second pass wants to know, and what its first calls it.
MEASURED = {
    "measured_I": "input_i",
    "measured_TP": "input_tp",
    "measured_LRA": "input_lra",
    "measured_thresh": "input_thresh",
    "offset": "target_offset",
}


def encode(order: Order) -> Product:
    """One piece, from the film's start on; nothing of a silent film. Of sound that is all lost, one without a track.

    Raises Corrupt where the sound cannot be decoded.
    """
    facts = order.facts
    if facts is None:
        raise TypeError("the sound is made of an inspected video")
    if facts.audio_track is None:
        return Product()
    preset = next((wanted for wanted in order.presets if isinstance(wanted, Sound)), presets.SOUND)
    measured = measure(order, facts, preset) if preset.loudness is not None else None
    argv = encoding.sound(order.source, facts.audio_track, preset, order.limits, measured)
    run(order, argv, facts)
    order.report(1.0)
    return Product(pieces=(Piece(NAME, order.folder / encoding.SOUND_FILE),))


def has_sound(path: Path) -> bool:
    """Whether a piece of ours has a track: it has none where no packet could be decoded."""
    with path.open("rb") as opened:
        for box in boxes.top(opened, path.stat().st_size):
            if box.kind == b"moov":
                opened.seek(box.start)
                return boxes.find(opened.read(box.end - box.start), b"moov", b"trak") is not None
    return False


def measure(order: Order, facts: Facts, preset: Sound) -> Mapping[str, str] | None:
    """What loudnorm finds in the whole sound; None where there is nothing to hear."""
    said = run(order, encoding.loudness(order.source, facts.audio_track or 0, preset, order.limits), facts)
    answer = re.search(r"\{[^{}]*\}", said)
    if answer is None:
        raise Corrupt(reason="its loudness cannot be measured")
    found = json.loads(answer[0])
    if "inf" in found["input_i"]:
        return None
    return {wanted: found[name] for wanted, name in MEASURED.items()}


def run(order: Order, argv: list[str], facts: Facts) -> str:
    """Run ffmpeg over the whole sound; its last words."""
    seconds = facts.duration or 0
    progress = Progress(order, seconds=seconds)
    bounds = child.Bounds(seconds=ALLOWANCE + SLOWEST * seconds, stall=STALL, memory=MEMORY)
    with probe.blaming(order.source, bounds, order.limits):
        return child.run(argv, bounds, folder=order.folder, on_line=progress.read, on_tick=progress.tick)
