"""What moves under the pointer: a few seconds of the film, small and silent."""

from collections.abc import Sequence
from pathlib import Path

import ffmpeg as ff

from processing.engines import child, ffmpeg, probe
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Made, Order, Product
from processing.presets import Preview, by_short_side

# Four decoders of 4K hold 400 MB; of 8K in 10 bits one holds 700.
BOUNDS = child.Bounds(seconds=300, stall=120, memory=2048 * child.MIB, file_size=16 * child.MIB)
LARGE = 4096 * 2304  # pixels: of a larger film one stretch is shown


def make(order: Order) -> Product:
    """The order's preset: a short MP4 of stretches from all over the film.

    Raises Corrupt where no frame can be decoded, and the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    (preset,) = order.presets
    try:
        facts = filmed(order, seen, preset, stretches(seen.facts, preset))
    except Corrupt:  # in one of the places: a header that promises more than there is
        facts = filmed(order, seen, preset, [(0.0, preset.seconds)])
    path = order.folder / file_name(preset)
    order.report(1.0)
    return Product(
        files=(Made(preset.name, preset.version, path, preset.content_type, facts.width, facts.height, facts.duration),)
    )


def filmed(order: Order, seen: probe.Look, preset: Preview, chosen: Sequence[tuple[float, float]]) -> Facts:
    """Make the file of these stretches; its facts. Corrupt if there is nothing in one of them."""

    def tick() -> None:
        order.report(0)

    argv = preview(order.source, seen, preset, chosen, order.limits)
    with probe.blaming(order.source, BOUNDS, order.limits):
        child.run(argv, BOUNDS, folder=order.folder, on_tick=tick)
    return probe.look(order.folder / file_name(preset), Limits(), tick).facts


def file_name(preset: Preview) -> str:
    """The preset's file."""
    return f"{preset.name}.{preset.extension}"


def stretches(facts: Facts, preset: Preview) -> list[tuple[float, float]]:
    """The (start, length) of each, in seconds: evenly spread; of a short film the middle."""
    duration = facts.duration or 0
    number = preset.stretches
    if duration < 2 * preset.seconds or facts.width * facts.height > LARGE:
        length = min(duration, preset.seconds) or preset.seconds
        return [((max(0.0, duration - length)) / 2, length)]
    return [(duration * (place + 0.5) / number, preset.seconds / number) for place in range(number)]


def preview(
    source: Path, seen: probe.Look, preset: Preview, chosen: Sequence[tuple[float, float]], limits: Limits
) -> list[str]:
    """ffmpeg's argv for a silent MP4 of these stretches.

    Each begins at the keyframe before its time: decoding up to the exact one would cost a GOP each.
    """
    tracks, pictures = seen.tracks, []
    size = by_short_side(seen.facts.width, seen.facts.height, preset.short_side)
    for start, length in chosen:
        film = ffmpeg.opened(source, limits, ss=f"{start:.3f}", noaccurate_seek=None)
        picture = ffmpeg.whole_frames(film[str(tracks.video)], tracks).filter("setpts", "PTS-STARTPTS")
        picture = picture.filter("fps", preset.frame_rate).filter("trim", duration=f"{length:.3f}")
        pictures.append(ffmpeg.scaled(picture, size, tracks, "bicubic"))
    joined = ff.concat(*pictures) if len(pictures) > 1 else pictures[0]
    options = {
        "c:v": "libx264",
        "preset:v": "veryfast",
        "crf:v": preset.crf,
        "threads:v": ffmpeg.threads(limits),
        "movflags": "+faststart",
    }
    return ffmpeg.argv(ffmpeg.output(file_name(preset), joined, f="mp4", **options), limits)
