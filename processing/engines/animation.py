"""Pictures that move: an animated WebP of every frame, one frame in memory at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from PIL import Image, ImageFile

from processing.engines.colour import thinned
from processing.engines.decoder import count_frames, load, load_frame, opened
from processing.engines.orientation import Size, orientation_of, turned_size, turning
from processing.engines.shrinking import Base
from processing.errors import Corrupt
from processing.facts import Made, Order
from processing.presets import AnimatedPreset, within_box

# Browsers show a frame of 10 ms or less for 100, whatever the format: GIFs are made to be seen so.
TOO_SHORT, INSTEAD = 10, 100
FOREVER, MOST_LOOPS = 0, 65_535

# 640 x 480 costs 15 ms a frame at method 2; 4 costs 1.8 times that for 7 % fewer bytes.
METHOD = 2

Beside = AbstractContextManager[object]

FLAGS_AT, ALPHA_FLAG = 20, 0x10  # of the VP8X chunk, which opens every animation


def write(order: Order, preset: AnimatedPreset, beside: Callable[["Film"], Beside] = nullcontext) -> Made:
    """Encode the animation into the order's folder; `beside(film)` is entered meanwhile, and may watch the film.

    A frame that is damaged, and all after it, show the last good one. Raises Corrupt where there is
    none, and what `order.report` raises.
    """
    path = order.folder / f"{preset.name}.{preset.extension}"
    with opened(order) as source:
        load(source, order.limits)
        film = Film(source, order, preset.box)
        with beside(film):
            film.save(
                path, "WEBP", save_all=True, duration=film.durations, loop=plays(source), quality=preset.quality,
                method=METHOD, background=(0, 0, 0, 0),
            )  # fmt: skip
    if film.is_transparent:
        flag_transparency(path)
    order.report(1.0)
    return Made(preset.name, preset.version, path, preset.content_type, *film.size, sum(film.durations) / 1000)


class Film(Image.Image):
    """The frames of `source`, ready to be encoded, each made when the encoder seeks it.

    Pillow's encoder would hold a list of them all: 800 MB for 500 frames of 640 x 640.
    """

    def __init__(self, source: ImageFile.ImageFile, order: Order, box: int) -> None:
        super().__init__()
        self.source, self.order = source, order
        self.first = first_frame(source)
        load_frame(source, self.first, order.limits)
        self.n_frames = count_frames(source, order.limits) - self.first
        self.turn = turning(source, orientation_of(source, order.limits))
        self.upright = turned_size(source.size, self.turn)
        self.durations: list[float] = []  # grows with each frame; the encoder reads it after it seeks
        self.is_damaged = self.is_transparent = False
        self.watchers: list[Callable[[], None]] = []  # called with each frame, when it is shown
        self.become(within_box(*self.upright, box))

    def seek(self, frame: int) -> None:
        """Show that frame. Frames that were shown are not shown again: the encoder ends on a seek to 0."""
        if frame < len(self.durations):
            return
        self.order.report(frame / self.n_frames)
        if frame and not self.is_damaged:
            self.advance(self.first + frame)
        self.durations.append(milliseconds(self.source))
        for watcher in self.watchers:
            watcher()

    def advance(self, number: int) -> None:
        """Decode a frame and show it; the one before stays where that fails."""
        try:
            load_frame(self.source, number, self.order.limits)
        except Corrupt:
            self.is_damaged = True
        else:
            self.become(self.size)

    def become(self, size: Size) -> None:
        """Become the frame that is decoded, at `size`."""
        frame = thinned(self.source, turned_size(size, self.turn))
        picture = Base(frame, self.upright, self.turn, self.source.info.get("icc_profile")).shrunk(size)
        self.im, self._mode, self._size = picture.im, picture.mode, picture.size
        self.is_transparent |= picture.mode == "RGBA"


def flag_transparency(path: Path) -> None:
    """Say in the file's header that it has transparency.

    libwebp says so only where a frame has some within its own rectangle, though the canvas around that
    is transparent too; who believes the header paints it black.
    """
    with path.open("r+b") as file:
        head = file.read(FLAGS_AT + 1)
        if head[12:16] == b"VP8X":
            file.seek(FLAGS_AT)
            file.write(bytes([head[FLAGS_AT] | ALPHA_FLAG]))


def first_frame(source: ImageFile.ImageFile) -> int:
    """The frame that the animation begins with; `source` is at its first good one.

    An APNG may show another picture to who cannot show it: that one is not of the animation.
    """
    return max(source.tell(), int(bool(source.info.get("default_image"))))


def milliseconds(source: ImageFile.ImageFile) -> float:
    """How long the decoded frame is shown."""
    said = float(source.info.get("duration", 0))
    return said if said > TOO_SHORT else INSTEAD


def plays(source: ImageFile.ImageFile) -> int:
    """How often the animation is played, as WebP says it.

    A GIF says how often it is *re*peated, and one that says nothing is played once. AVIF's count never
    reaches us; most loop.
    """
    said = source.info.get("loop")
    if source.format == "GIF":
        said = 1 if said is None else said and said + 1
    return min(said or FOREVER, MOST_LOOPS)
