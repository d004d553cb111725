"""One part of a video encoded in every size: one decode, one process, pictures only."""

from processing.engines import child, encoding, ffmpeg, index, probe
from processing.engines.watching import Progress
from processing.errors import Corrupt, MediaError
from processing.facts import Facts, Order, Part, Piece, Product
from processing.presets import Rung

# The whole ladder reserved 1.3 GiB of addresses for 1080p (552 MiB touched), 2.1 for 8K in 10 bits.
MEMORY = 3072 * child.MIB
# 8K HEVC on one slow core runs at 1/60 of its speed; ten minutes more for opening and finishing.
SLOWEST, ALLOWANCE = 120, 600
STALL = 300  # x264 looks 60 frames ahead before the first output: 60 s where decoding makes one a second
# Missing of a film: a tenth, or half a second, is a header that rounds up; more is a broken file.
CLOSE_ENOUGH, ROUNDING = 0.1, 0.5


def transcode(order: Order) -> Product:
    """A piece for each rung of the order, of its part; the clock of each begins at the part's start.

    Reads no more of the source than the part's ranges, where it has some. Raises Corrupt where the
    part cannot be decoded, ResourceLimit, and UnsupportedType.
    """
    facts, part = order.facts, order.part
    if facts is None or part is None:
        raise TypeError("a ladder is made of a part of an inspected video")
    rungs = tuple(preset for preset in order.presets if isinstance(preset, Rung))
    sizes = [(rung, ffmpeg.rung_size(facts.width, facts.height, rung)) for rung in rungs]
    argv = encoding.rungs(order.source, part, facts, sizes, order.limits)
    progress = Progress(order, part.frames)
    bounds = bounds_of(part, rungs)
    with probe.blaming(order.source, bounds, order.limits):
        said = child.run(argv, bounds, folder=order.folder, on_line=progress.read, on_tick=progress.tick)
    pieces = tuple(Piece(rung.name, order.folder / ffmpeg.file_name(rung)) for rung in rungs)
    for piece in pieces:
        check(piece, part, facts, ffmpeg.reason(said, order.source))
    order.report(1.0)
    return Product(pieces=pieces)


def bounds_of(part: Part, rungs: tuple[Rung, ...]) -> child.Bounds:
    """What a part may use: ours to stop a runaway, far from what any good video needs."""
    seconds = part.end - part.start
    bytes_a_second = max(rung.maxrate for rung in rungs) * 1000 / 8
    return child.Bounds(
        seconds=ALLOWANCE + SLOWEST * seconds,
        stall=STALL,
        memory=MEMORY,
        file_size=round(2 * bytes_a_second * seconds) + 64 * child.MIB,
    )


def check(piece: Piece, part: Part, facts: Facts, reason: str) -> None:
    """Look at a piece before it is promised; Corrupt if more is missing than a film may lack."""
    try:
        frames = index.read(piece.path).frames
    except (FileNotFoundError, MediaError) as error:  # ffmpeg makes no file where it has no frame
        raise Corrupt(reason=reason) from error
    missing = (part.end - part.start) * (1 - frames / max(1, part.frames))
    if missing > max(ROUNDING, CLOSE_ENOUGH * (facts.duration or 0)):
        raise Corrupt(reason=f"{missing:.1f} seconds are missing; {reason}")
