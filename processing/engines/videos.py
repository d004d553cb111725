"""Videos: measured by their headers, shown by a poster, and made playable in every size at once."""

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageStat

from processing import presets
from processing.engines import alone, child, ffmpeg, images, probe
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Made, Order, Product
from processing.presets import Rung, within_box

# A poster decodes a GOP and a bit: 0.3 s for 1080p, 6 s for 8K HEVC on one slow core.
POSTER_BOUNDS = child.Bounds(seconds=60, stall=60, memory=2048 * child.MIB)
POSTER_PLACES = (0.1, 0.3, 0.5)  # of the duration; films open with black and a title
DARK = 24  # mean grey level of 255; video black is 0 here, a night scene about 30

# The whole ladder reserved 1.3 GiB of addresses for 1080p (552 MiB touched), 2.1 for 8K in 10 bits.
MEMORY = 3072 * child.MIB
# 8K HEVC on one slow core runs at 1/60 of its speed; ten minutes more for opening and finishing.
SLOWEST, ALLOWANCE = 120, 600
# x264 looks 60 frames ahead before the first output: 60 s where decoding makes one a second. The
# other silence is the end, when fast start moves the files: 17 GB of a 6 h video at 100 MB/s.
STALL = 300
AUDIO_KBITS = 128
# Missing at the end: a tenth, or half a second, is a header that rounds up; more is a broken file.
CLOSE_ENOUGH, ROUNDING = 0.1, 0.5


def inspect(order: Order) -> Product:
    """The facts of a video, from its headers, and from its packets where those are not believable.

    Raises Empty, UnsupportedType, Corrupt, NoVideo, TooManyStreams, TooManyPixels, TooLong or
    ResourceLimit.
    """
    return Product(facts=probe.look(order.source, order.limits, lambda: order.report(0)).facts)


def grab_poster(order: Order) -> Product:
    """One typical frame, not a black one where there is another, in the order's presets; its blurhash.

    Raises Corrupt where no frame can be decoded, and the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    with TemporaryDirectory(dir=order.folder, prefix=".poster-") as scratch:
        frame = lit_frame(order, seen, Path(scratch))
        return images.render(
            Order(frame, order.folder, presets=order.presets, limits=order.limits, report=order.report)
        )


def lit_frame(order: Order, seen: probe.Look, scratch: Path) -> Path:
    """A PNG of the first frame tried that is not dark; if all are, the brightest."""
    facts, found = seen.facts, []
    for place in (*POSTER_PLACES, 0):
        frame = frame_at(order, seen, (facts.duration or 0) * place, scratch / f"{place}")
        if frame:
            found.append((brightness(frame), frame))
            if found[-1][0] >= DARK:
                break
    if not found:
        raise Corrupt(reason="no frame could be decoded")
    return max(found)[1]


def frame_at(order: Order, seen: probe.Look, start: float, folder: Path) -> Path | None:
    """A PNG of the typical frame in the stretch that starts at `start` seconds; None if there is none."""
    folder.mkdir()
    facts = seen.facts
    size = within_box(facts.width, facts.height, max(preset.box for preset in order.presets))
    argv = ffmpeg.poster(order.source, seen.tracks, size, start, order.limits)
    frame = folder / ffmpeg.POSTER_FRAME
    with suppress(Corrupt), probe.blaming(order.source, POSTER_BOUNDS, order.limits):
        child.run(argv, POSTER_BOUNDS, folder=folder, on_tick=lambda: order.report(0))
        return frame if frame.exists() else None
    return None


def brightness(frame: Path) -> float:
    """The mean grey level, 0 to 255."""
    with Image.open(frame) as image:
        return ImageStat.Stat(image.convert("L")).mean[0]


def transcode(order: Order) -> Product:
    """Every rung of the order as a file in its folder, from one decode.

    Raises Corrupt where the video cannot be decoded to its end, and the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    facts = seen.facts
    sizes = [(rung, ffmpeg.rung_size(facts.width, facts.height, rung)) for rung in order.presets]
    argv = ffmpeg.ladder(order.source, seen.tracks, sizes, order.limits)
    progress = Progress(order, facts.duration or 0)
    bounds = transcode_bounds(facts, order.presets)
    with probe.blaming(order.source, bounds, order.limits):
        said = child.run(argv, bounds, folder=order.folder, on_line=progress.read, on_tick=progress.tick)
    files = tuple(made(rung, order, facts, said, progress) for rung, _ in sizes)
    order.report(1.0)
    return Product(files=files)


def transcode_bounds(facts: Facts, rungs: tuple[Rung, ...]) -> child.Bounds:
    """What the ladder may use: ours to stop a runaway, far from what any good video needs."""
    seconds = facts.duration or 0
    bytes_a_second = (max(rung.maxrate for rung in rungs) + AUDIO_KBITS) * 1000 / 8
    return child.Bounds(
        seconds=ALLOWANCE + SLOWEST * seconds,
        stall=STALL,
        memory=MEMORY,
        file_size=round(2 * bytes_a_second * seconds) + 64 * child.MIB,
    )


class Progress:
    """How far ffmpeg is, from the lines of its `-progress`."""

    def __init__(self, order: Order, duration: float) -> None:
        self.order = order
        self.duration = duration
        self.fraction = 0.0
        self.last: dict[str, str] = {}

    def read(self, line: str) -> bool:
        """Take a line in; False if it does not show that ffmpeg got any further."""
        name, _, value = line.partition("=")
        if name not in ("frame", "out_time_us") or self.last.get(name) == value:
            return False
        self.last[name] = value
        if name == "out_time_us" and value.isdigit() and self.duration:
            # The last hundredth is for fast start and for looking at what was made.
            self.fraction = max(self.fraction, min(0.99, int(value) / 1e6 / self.duration))
        return True

    def tick(self) -> None:
        """Tell the order how far we are; that may raise."""
        self.order.report(self.fraction)


def made(rung: Rung, order: Order, source: Facts, said: str, progress: Progress) -> Made:
    """The finished file of a rung, looked at before it is promised to anyone; Corrupt if it is not whole."""
    path = order.folder / ffmpeg.file_name(rung)
    reason = ffmpeg.reason(said, order.source)
    try:
        facts = probe.look(path, Limits(), progress.tick).facts
    except (OSError, Corrupt) as error:
        raise Corrupt(reason=reason) from error
    missing = (source.duration or 0) - (facts.duration or 0)
    if missing > max(ROUNDING, CLOSE_ENOUGH * (source.duration or 0)):
        raise Corrupt(reason=f"the last {missing:.1f} seconds are missing; {reason}")
    return Made(rung.name, rung.version, path, rung.content_type, facts.width, facts.height, facts.duration)


if __name__ == "__main__":
    steps = ((grab_poster, presets.poster), (transcode, presets.rungs))
    sys.exit(alone.run(inspect, steps, "Poster and every size of one video, without the service."))
