"""The planar lane: a JPEG that is sRGB already is shrunk and encoded as the planes it is stored in.

Pillow decodes it as in the plain lane, so that a damaged one fails alike, but leaves it YCbCr. swscale
shrinks the planes and libwebp encodes them, both by PyAV. Nothing is turned to RGB and back, and
swscale takes a seventh of the time that Pillow takes to resize.
"""

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from processing.engines.colour import is_srgb
from processing.engines.orientation import Size, turned

# Imported where it is called: PyAV is 16 MB and 35 ms of each process, and only a sandbox needs it,
# which imports it before its first job.
if TYPE_CHECKING:
    import av

MODE = "YCbCr"

# A JPEG has the full range, a WebP the limited one. swscale converts too, but takes the chroma of grey,
# 128, to 128.44: red and blue half a level up, green half a level down, on average over a photo.
LUMA = [round(16 + sample * 219 / 255) for sample in range(256)]
CHROMA = [round(128 + (sample - 128) * 224 / 255) for sample in range(256)]
RANGES = (LUMA, CHROMA, CHROMA)

RGB_COMPONENTS = list(b"RGB")  # the ids by which a JPEG without further marks says that it is not YCbCr


@dataclass(frozen=True)
class Planes:
    """An upright picture in three planes of limited range; `size` is its own, or the original's of a source."""

    frame: "av.VideoFrame"
    size: Size

    def shrunk(self, size: Size) -> "Planes":
        """The picture at `size`, its colours at half of that."""
        width, height = size
        how = flags("LANCZOS", "ACCURATE_RND")
        return Planes(self.frame.reformat(width, height, "yuv420p", interpolation=how, threads=1), size)

    def again(self, level: "Planes", size: Size) -> "Planes":
        return level.shrunk(size)

    def picture(self) -> Image.Image:
        """The picture as RGB, for those who cannot take planes."""
        how = flags("BILINEAR", "FULL_CHR_H_INT", "ACCURATE_RND")
        frame = self.frame.reformat(
            format="rgb24", src_colorspace="ITU601", src_color_range="MPEG", interpolation=how, threads=1
        )
        pixels = frame.planes[0]
        return Image.frombytes("RGB", self.size, bytes(pixels), "raw", "RGB", pixels.line_size)

    def webp(self, quality: int, method: int) -> bytes:
        """The picture as a whole WebP file."""
        import av

        encoder = av.VideoCodecContext.create("libwebp", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *self.size, "yuv420p"
        encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
        encoder.options = {"quality": str(quality), "compression_level": str(method)}
        return b"".join(bytes(packet) for packet in (*encoder.encode(self.frame), *encoder.encode(None)))


def takes(image: ImageFile.ImageFile) -> bool:
    """Whether this lane is for the image: a JPEG, stored as YCbCr, whose colours are sRGB as they are."""
    if not isinstance(image, JpegImageFile) or image.mode != "RGB":
        return False
    is_rgb = image.info.get("adobe_transform") == 0 or [layer[0] for layer in image.layer] == RGB_COMPONENTS
    return not is_rgb and is_srgb(image.info.get("icc_profile"))


def taken(image: Image.Image, size: Size, turning: int) -> Planes:
    """The planes of a decoded image in MODE, turned upright; `size` is the upright original's."""
    bands = (turned(band.point(samples), turning) for band, samples in zip(image.split(), RANGES, strict=True))
    return Planes(frame_of(bands), size)


def frame_of(bands: Iterable[Image.Image]) -> "av.VideoFrame":
    """Three greyscale images as one frame, by the decoder that has nothing to decode."""
    import av

    bands = list(bands)
    decoder = av.VideoCodecContext.create("rawvideo", "r")
    decoder.width, decoder.height = bands[0].size
    decoder.pix_fmt, decoder.thread_count = "yuv444p", 1
    return decoder.decode(av.Packet(b"".join(band.tobytes() for band in bands)))[0]


def flags(*names: str) -> int:
    """What swscale is told. In a hurry, as it is by default, it darkens by 0.06 levels a step, and by 1.4 to RGB."""
    from av.video.reformatter import Interpolation

    return functools.reduce(operator.or_, (Interpolation[name] for name in names))
