"""Videos: measured by their headers, shown by a poster, and made playable in every size at once."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageStat

from processing import presets
from processing.engines import (
    alone,
    audio,
    boxes,
    child,
    cutting,
    encoding,
    ffmpeg,
    images,
    ladder,
    packaging,
    packets,
    previews,
    probe,
    remuxing,
    storyboards,
    subtitles,
)
from processing.errors import Corrupt
from processing.facts import Facts, Order, Part, Product
from processing.presets import within_box

# A poster decodes a GOP and a bit: 0.3 s for 1080p, 6 s for 8K HEVC on one slow core.
POSTER_BOUNDS = child.Bounds(seconds=60, stall=60, memory=2048 * child.MIB)
POSTER_PLACES = (0.1, 0.3, 0.5)  # of the duration; films open with black and a title
DARK = 24  # mean grey level of 255; video black is 0 here, a night scene about 30


def inspect(order: Order) -> Product:
    """The facts of a video, from its headers and packets, and the parts it is cut into: one at least.

    Raises Empty, UnsupportedType, Corrupt, NoVideo, TooManyStreams, TooManyPixels, TooLong or
    ResourceLimit.
    """

    def tick() -> None:
        order.report(0)

    facts = probe.look(order.source, order.limits, tick).facts
    with probe.blaming(order.source, packets.BOUNDS, order.limits):
        found = packets.listed(order.source, facts.video_track, order.limits, tick)
    if not len(found):
        raise Corrupt(reason="no frames")
    clock = cutting.read_clock(found)
    facts = replace(facts, lead=clock.lead, steady=clock.steady, variable=clock.variable)
    return Product(facts=facts, parts=cut(order, facts, found, clock))


def cut(order: Order, facts: Facts, found: packets.Packets, clock: cutting.Clock) -> tuple[Part, ...]:
    """The parts of a video, each with the bytes it takes where that is sure."""
    tracks = ffmpeg.tracks_of(facts)
    sizes = [ffmpeg.rung_size(facts.width, facts.height, rung) for rung in presets.rungs(facts)]
    stored = round(facts.width * facts.height / facts.pixel_aspect)
    seconds = cutting.work(len(found), stored, sum(width * height for width, height in sizes))
    parts = cutting.plan(found, clock, round(seconds / order.limits.part), ffmpeg.FASTEST if tracks.fast else None)
    headers = boxes.headers(order.source) if facts.format == "mov" and facts.steady else []
    if not headers or len(parts) == 1:
        return tuple(parts)
    targets = [encoding.target(part.start, facts) for part in parts]
    spans = cutting.spans(found, parts, targets)
    known = [*headers, cutting.extent(found, 0, cutting.HEAD)]
    return tuple(
        replace(part, ranges=cutting.merged([*known, span]) if span[1] else ())
        for part, span in zip(parts, spans, strict=True)
    )


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


STEPS = (
    alone.Step(remuxing.remux, presets.source),
    alone.Step(grab_poster, presets.poster),
    alone.Step(audio.encode, alone.nothing),
    alone.Step(ladder.transcode, presets.rungs, by_part=True),
    alone.Step(packaging.package, presets.packages),
    alone.Step(storyboards.make, presets.storyboard),
    alone.Step(previews.make, presets.preview),
    alone.Step(subtitles.extract, presets.subtitles),
)

if __name__ == "__main__":
    sys.exit(alone.run(inspect, STEPS, "All files of one video, without the service."))
