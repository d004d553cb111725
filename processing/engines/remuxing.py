"""The source's own streams as an MP4 that plays at once: copied, not encoded."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from processing.engines import child, ffmpeg, probe
from processing.engines.watching import Progress
from processing.errors import MediaError
from processing.facts import Facts, Limits, Made, Order, Product

MEMORY = 1536 * child.MIB  # nothing is decoded; the index of a 6 h film is some megabytes
# A copy runs as fast as the disk, twice, as fast start moves it all: 20 GiB at 10 MB/s are 70 min.
SLOWEST, ALLOWANCE = 5_000_000, 120  # bytes a second, seconds
STALL = 300
LOOKED_AT = 5  # seconds: a GOP, where a film begins within one
FIRST_FRAME = child.Bounds(seconds=60, stall=60, memory=MEMORY)  # 8K HEVC takes 2 s
# An MP4's own boxes take 1 % of a film; a broken one may say each frame twice.
GROWTH, ROOM = 2, 16 * child.MIB
CLOSE_ENOUGH, ROUNDING = 0.05, 0.5  # of the duration, and seconds, that may be missing


def remux(order: Order) -> Product:
    """The order's preset: picture and sound copied to an MP4 with fast start, upright as players turn it.

    Makes no file where the copy could not be played, and says so in the facts: then nobody owes it.
    Raises the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    files = []
    for preset in order.presets:
        path = order.folder / f"{preset.name}.{preset.extension}"
        facts = copied(order, seen, path)
        if facts is None:
            path.unlink(missing_ok=True)
            return Product(facts=replace(order.facts or seen.facts, copies=False))
        files.append(
            Made(preset.name, preset.version, path, preset.content_type, facts.width, facts.height, facts.duration)
        )
    order.report(1.0)
    return Product(files=tuple(files))


def copied(order: Order, seen: probe.Look, path: Path) -> Facts | None:
    """The facts of the copy; None where the source's packets cannot be taken over."""
    size = order.source.stat().st_size
    bounds = child.Bounds(ALLOWANCE + size / SLOWEST, STALL, MEMORY, GROWTH * size + ROOM)
    progress = Progress(order, seconds=seen.facts.duration or 0)
    argv = copy(order.source, seen.tracks, path.name, order.limits)
    try:
        with probe.blaming(order.source, bounds, order.limits):
            child.run(argv, bounds, folder=order.folder, on_line=progress.read, on_tick=progress.tick)
        made = probe.look(path, Limits(), progress.tick)
    except MediaError:
        return None
    return made.facts if is_the_same(seen.facts, made.facts) and begins(path, made, progress) else None


def begins(path: Path, made: probe.Look, progress: Progress) -> bool:
    """Whether one of the copy's first frames can be decoded: that of an encrypted film cannot."""
    shown: list[str] = []
    with suppress(MediaError), probe.blaming(path, FIRST_FRAME, Limits()):
        child.run(first_frame(path, made.tracks), FIRST_FRAME, on_line=shown.append, on_tick=progress.tick)
    return any(not line.startswith("#") for line in shown)


def is_the_same(source: Facts, copy: Facts) -> bool:
    """Whether a copy shows what the source shows, the same way up and to its end."""
    missing = (source.duration or 0) - (copy.duration or 0)
    return abs(missing) <= max(ROUNDING, CLOSE_ENOUGH * (source.duration or 0)) and shape(source) == shape(copy)


def shape(facts: Facts) -> tuple[object, ...]:
    """What must not change on the way."""
    return facts.width, facts.height, facts.rotation, facts.video_codec, facts.audio_codec


def first_frame(path: Path, tracks: ffmpeg.Tracks) -> list[str]:
    """ffmpeg's argv for a line on stdout for the first whole frame; others are comments.

    Where it is not told to fail, the decoder makes a grey picture out of noise.
    """
    film = ffmpeg.opened(path, Limits(), err_detect="explode", t=LOOKED_AT)
    return ffmpeg.argv(ffmpeg.output("-", film[str(tracks.video)], f="framecrc", **{"frames:v": 1}), Limits())


def copy(source: Path, tracks: ffmpeg.Tracks, name: str, limits: Limits) -> list[str]:
    """ffmpeg's argv for an MP4 of these tracks as they are. Progress comes on stdout."""
    film = ffmpeg.opened(source, limits)
    streams = [film[str(track)] for track in (tracks.video, tracks.audio) if track is not None]
    made = ffmpeg.output(name, *streams, f="mp4", c="copy", movflags="+faststart", t=limits.duration)
    return ffmpeg.argv(made, limits, "-progress", "pipe:1", "-nostats")
