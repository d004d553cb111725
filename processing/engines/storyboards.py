"""What a seek bar shows: one sheet of small frames, and the WebVTT that says when each was."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from processing.engines import child, ffmpeg, probe
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Made, Order, Product
from processing.presets import Storyboard, within_box

Tile = tuple[float, Path]  # the second that it shows, and its picture

MEMORY = 2048 * child.MIB
# Keyframes of 6 h in 8K are about 4000, at 1 s each; every frame of a short film is not more.
BOUNDS = child.Bounds(seconds=7200, stall=300, memory=MEMORY)
FEWEST = 5  # tiles that a film should have, if it takes every frame of it to find them
SHORT = 30  # seconds: a film that may be decoded whole for them
KEYFRAMES, ALL = "nokey", "default"  # what a decoder is told to pass over, in its own words
SAME = 0.001  # seconds: frames closer to a mark than this are on it
TICKS = 1000  # a second: the files are named by the time of their frame


def make(order: Order) -> Product:
    """The order's preset: a WebP sheet of evenly spaced frames, and `storyboard.vtt` beside it.

    Raises Corrupt where no frame can be decoded, and the errors of `inspect`.
    """
    seen = probe.look(order.source, order.limits, lambda: order.report(0))
    (preset,) = order.presets
    size = tile_size(seen.facts, preset)
    with TemporaryDirectory(dir=order.folder, prefix=".storyboard-") as scratch:
        tiles = shown(order, seen, preset, Path(scratch))
        if not tiles:
            raise Corrupt(reason="no frame could be decoded")
        sheet = order.folder / f"{preset.name}.{preset.extension}"
        assemble(tiles, preset, size).save(sheet, "WEBP", quality=preset.quality, method=4)
    width, height = sheet_size(len(tiles), preset, size)
    index = order.folder / f"{preset.name}.vtt"
    index.write_text(cues([at for at, _ in tiles], seen.facts.duration or 0, preset, size, sheet.name))
    return Product(
        files=(
            Made(preset.name, preset.version, sheet, preset.content_type, width, height),
            Made(preset.name, preset.version, index, "text/vtt", width, height, name=index.name),
        )
    )


def shown(order: Order, seen: probe.Look, preset: Storyboard, scratch: Path) -> list[Tile]:
    """The frames to show: keyframes, or of a short film that has hardly any, whatever frames there are."""
    tiles = grabbed(order, grab(order.source, seen, preset, KEYFRAMES, order.limits), scratch / "keyframes")
    if len(tiles) < FEWEST and (seen.facts.duration or 0) <= SHORT:
        return grabbed(order, grab(order.source, seen, preset, ALL, order.limits), scratch / "frames") or tiles
    return tiles


def grabbed(order: Order, argv: Sequence[str], folder: Path) -> list[Tile]:
    """The tiles that ffmpeg finds, in order of time; of a broken film those before it breaks."""
    folder.mkdir()
    with suppress(Corrupt), probe.blaming(order.source, BOUNDS, order.limits):
        child.run(argv, BOUNDS, folder=folder, on_tick=lambda: order.report(0))
    return sorted((int(path.stem) / TICKS, path) for path in folder.glob("*.png"))


def interval(facts: Facts, preset: Storyboard) -> float:
    """Seconds from one tile to the next: as many tiles as fit, but no more than one for a glance."""
    duration = facts.duration or 0
    return max(duration / preset.most, min(preset.apart, duration / FEWEST))


def assemble(tiles: Sequence[Tile], preset: Storyboard, size: tuple[int, int]) -> Image.Image:
    """The sheet: row by row, from the top left."""
    sheet = Image.new("RGB", sheet_size(len(tiles), preset, size))
    for number, (_, path) in enumerate(tiles):
        with Image.open(path) as tile:
            sheet.paste(tile.convert("RGB"), place(number, preset, size))
    return sheet


def tile_size(facts: Facts, preset: Storyboard) -> tuple[int, int]:
    """The (width, height) of each tile."""
    return within_box(facts.width, facts.height, preset.box)


def sheet_size(count: int, preset: Storyboard, size: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) of a sheet of so many tiles."""
    rows = -(-count // preset.columns)
    return size[0] * min(count, preset.columns), size[1] * rows


def place(number: int, preset: Storyboard, size: tuple[int, int]) -> tuple[int, int]:
    """The (left, top) of a tile."""
    row, column = divmod(number, preset.columns)
    return column * size[0], row * size[1]


def cues(times: Sequence[float], duration: float, preset: Storyboard, size: tuple[int, int], sheet: str) -> str:
    """WebVTT: each tile from the time of its frame to that of the next; the first from the start on."""
    starts = [0.0, *times[1:]]
    ends = [*times[1:], max(duration, times[-1] + 1 / TICKS)]
    blocks = ["WEBVTT"]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        left, top = place(number, preset, size)
        blocks.append(f"{clock(start)} --> {clock(end)}\n{sheet}#xywh={left},{top},{size[0]},{size[1]}")
    return "\n\n".join(blocks) + "\n"


def clock(seconds: float) -> str:
    """A time as WebVTT writes it."""
    ticks = round(seconds * TICKS)
    return f"{ticks // 3_600_000:02}:{ticks // 60_000 % 60:02}:{ticks // TICKS % 60:02}.{ticks % TICKS:03}"


def grab(source: Path, seen: probe.Look, preset: Storyboard, frames: str, limits: Limits) -> list[str]:
    """ffmpeg's argv for small PNGs, each named by its time in TICKS, from KEYFRAMES or ALL.

    The first frame of each interval is taken, so that a keyframe that comes late does not put off all
    that follow.
    """
    film = ffmpeg.opened(source, limits, t=limits.duration, skip_frame=frames)
    apart = f"{interval(seen.facts, preset):.6f}"
    is_next = f"isnan(prev_selected_t)+gt(floor((t+{SAME})/{apart}),floor((prev_selected_t+{SAME})/{apart}))"
    picture = ffmpeg.whole_frames(film[str(seen.tracks.video)].filter("select", is_next), seen.tracks)
    picture = ffmpeg.drawn(ffmpeg.scaled(picture, tile_size(seen.facts, preset), seen.tracks, "bicubic"))
    options = {
        "f": "image2",
        "c:v": "png",
        "frame_pts": 1,
        "fps_mode:v": "passthrough",
        "enc_time_base:v": f"1/{TICKS}",
        "frames:v": preset.most,
    }
    return ffmpeg.argv(ffmpeg.output("%d.png", picture, **options), limits)
