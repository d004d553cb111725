"""Long animations as a silent MP4: what a WebP takes megabytes for, since it knows no motion.

Encoded through PyAV within the sandbox, where no program can be started, from the frames that Pillow
decodes: no demuxer or decoder of ffmpeg ever sees the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from processing.engines.animation import Film
from processing.engines.colour import on_white
from processing.engines.decoder import load, opened
from processing.facts import Made, Order
from processing.presets import LoopPreset, even, within_box

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import OutputContainer

MILLISECONDS = Fraction(1, 1000)  # what animations count in; a frame is shown for as many as it says

# BT.709 in H.273's numbers, for primaries, transfer and matrix; and its narrow range.
BT709, NARROW = 1, 1


def write(order: Order, preset: LoopPreset) -> Made:
    """Encode the animation into the order's folder: every frame for as long, on white where it is transparent.

    A frame that is damaged, and all after it, show the last good one. Raises Corrupt where there is
    none, and what `order.report` raises.
    """
    with opened(order) as source:
        load(source, order.limits)
        film = Film(source, order, preset.box)
        with recording(film, order.folder, preset):
            for number in range(film.n_frames):
                film.seek(number)
    order.report(1.0)
    return made_of(film, order.folder, preset)


@contextmanager
def recording(film: Film, folder: Path, preset: LoopPreset) -> Iterator[None]:
    """Encode each frame that the film shows, whoever asks for it: so that it is decoded once for two files."""
    import av

    # No index behind the pictures, no name of the program, no date.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path_of(folder, preset)), "w", format="mp4", options=options) as file:
        stream = stream_for(file, preset, *size_of(film, preset))
        film.watchers.append(lambda: mux(film, file, stream, picture_of(film, stream)))
        yield
        mux(film, file, stream, None)


def made_of(film: Film, folder: Path, preset: LoopPreset) -> Made:
    size, seconds = size_of(film, preset), sum(film.durations) / 1000
    return Made(preset.name, preset.version, path_of(folder, preset), preset.content_type, *size, seconds)


def path_of(folder: Path, preset: LoopPreset) -> Path:
    return folder / f"{preset.name}.{preset.extension}"


def size_of(film: Film, preset: LoopPreset) -> tuple[int, int]:
    width, height = within_box(*film.upright, preset.box)
    return even(width), even(height)


def stream_for(file: "OutputContainer", preset: LoopPreset, width: int, height: int) -> "VideoStream":
    """The file's one stream. Without frames that look ahead, so that each packet is a frame in its order."""
    stream = file.add_stream("libx264", options={"preset": preset.speed, "crf": str(preset.crf), "bf": "0"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = MILLISECONDS
    stream.thread_count = 1
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = NARROW
    return stream


def picture_of(film: Film, stream: "VideoStream") -> "VideoFrame":
    """The frame that the film shows now, from when it is shown."""
    from av import VideoFrame
    from av.video.reformatter import Colorspace

    picture = on_white(film).resize((stream.width, stream.height))
    frame = VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.pts, frame.time_base = round(sum(film.durations[:-1])), MILLISECONDS
    return cast("VideoFrame", frame)


def mux(film: Film, file: "OutputContainer", stream: "VideoStream", frame: "VideoFrame | None") -> None:
    """Encode a frame, or at last what is left. The last packet's length is nowhere but in what we say."""
    for packet in stream.encode(frame):
        packet.duration = round(film.durations[-1])
        file.mux(packet)
