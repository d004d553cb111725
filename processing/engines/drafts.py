"""A first version that plays soon: the whole film in the lowest size, encoded in haste."""

from pathlib import Path

from processing import presets
from processing.engines import child, ffmpeg, probe
from processing.engines.watching import Progress
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Made, Order, Product

OUTDATED = 0  # the version of a file that is owed again: older than any preset's
STREAMS_WELL = 8_000_000  # bits a second: what 4G carries on a usual day, and most home lines
SHORTEST = 20  # seconds: of a shorter film the ladder itself is there as soon

RUNG = presets.LADDER[0]
CRF, MAXRATE = 28, 900  # ultrafast at 28 looks like veryfast at 26 and takes as many bytes as at 24
GOP = 2  # seconds between keyframes: a player seeks to them
MEMORY = 2048 * child.MIB
SLOWEST, ALLOWANCE = 60, 300  # seconds for each second of film, and for opening and finishing
STALL = 300


def pays(facts: Facts) -> bool:
    """Whether people would wait for the ladder without a draft: nothing of the source plays well as it is."""
    if (facts.duration or 0) < SHORTEST or len(presets.rungs(facts)) == 1:
        return False
    return not presets.source(facts) or facts.bit_rate > STREAMS_WELL


def make_draft(order: Order) -> Product:
    """The lowest rung in haste, of a version that is owed again; nothing where it would not pay.

    Makes nothing of a film that cannot be read to its end: the ladder says what is wrong with it.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    if not pays(order.facts or seen.facts):
        return Product()
    size = ffmpeg.rung_size(seen.facts.width, seen.facts.height, RUNG)
    seconds = seen.facts.duration or 0
    progress = Progress(order, seconds=seconds)
    bounds = child.Bounds(
        seconds=ALLOWANCE + SLOWEST * seconds,
        stall=STALL,
        memory=MEMORY,
        file_size=round(2 * (MAXRATE + 128) * 125 * seconds) + 64 * child.MIB,
    )
    path = order.folder / f"{RUNG.name}.{RUNG.extension}"
    try:
        with probe.blaming(order.source, bounds, order.limits):
            argv = draft(order.source, seen.tracks, size, path.name, order.limits)
            child.run(argv, bounds, folder=order.folder, on_line=progress.read, on_tick=progress.tick)
        facts = probe.look(path, Limits(), progress.tick).facts
    except Corrupt:
        path.unlink(missing_ok=True)
        return Product()
    order.report(1.0)
    return Product(
        files=(Made(RUNG.name, OUTDATED, path, RUNG.content_type, facts.width, facts.height, facts.duration),)
    )


def draft(source: Path, tracks: ffmpeg.Tracks, size: tuple[int, int], name: str, limits: Limits) -> list[str]:
    """ffmpeg's argv for a quick MP4 with sound, upright and in that size. Progress comes on stdout.

    Without the loop filter a decode takes 0.7 of its time, and at a third of the size nobody sees it.
    """
    film = ffmpeg.opened(source, limits, t=limits.duration, skip_loop_filter="all")
    picture = ffmpeg.whole_frames(film[str(tracks.video)], tracks).filter("fps", 30)
    streams = [ffmpeg.scaled(picture, size, tracks, "fast_bilinear")]
    options = {
        "c:v": "libx264",
        "preset:v": "ultrafast",
        "crf:v": CRF,
        "maxrate:v": f"{MAXRATE}k",
        "bufsize:v": f"{2 * MAXRATE}k",
        "force_key_frames:v": f"expr:gte(t,n_forced*{GOP})",
        "threads:v": ffmpeg.threads(limits),
    }
    if tracks.audio is not None:
        streams.append(film[str(tracks.audio)].filter("aresample", **{"async": 1, "first_pts": 0}))
        options |= {"c:a": "aac", "b:a": "96k", "ac": 2, "ar": ffmpeg.AUDIO_RATE}
    made = ffmpeg.output(name, *streams, f="mp4", movflags="+faststart", **options)
    return ffmpeg.argv(made, limits, "-progress", "pipe:1", "-nostats")
