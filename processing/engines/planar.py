"""The planar lane: a JPEG that is sRGB already is shrunk and encoded as the planes it is stored in.

Pillow decodes it as in the plain lane, so that a damaged one fails alike, but leaves it YCbCr. swscale
shrinks the planes and libwebp encodes them, both by PyAV. Nothing is turned to RGB and back, and
swscale takes a seventh of the time that Pillow takes to resize.
"""

import functools
import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from processing.engines.colour import is_srgb
from processing.engines.orientation import Size, turned, turned_size

# Imported where it is called: PyAV is 16 MB and 35 ms of each process, and only a sandbox needs it,
# which imports it before its first job.
if TYPE_CHECKING:
    import av

MODE = "YCbCr"

# A JPEG has the full range, a WebP the limited one. swscale converts too, but takes the chroma of grey,
# 128, to 128.44: red and blue half a level up, green half a level down, on average over a photo.
LUMA = [round(16 + sample * 219 / 255) for sample in range(256)]
CHROMA = [round(128 + (sample - 128) * 224 / 255) for sample in range(256)]

STRIP_ROWS = 64  # even, because two rows share one of chroma; a copy of the whole would be 24 MB at 6 MP

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
    import av

    width, height = turned_size(image.size, turning)
    frame = av.VideoFrame(width, height, "yuv420p")
    for top in range(0, height, STRIP_ROWS):
        luma, *chroma = upright_rows(image, turning, top, min(top + STRIP_ROWS, height)).split()
        fill(frame.planes[0], luma.point(LUMA), top)
        for plane, band in zip(frame.planes[1:], chroma, strict=True):
            fill(plane, band.reduce(2).point(CHROMA), top // 2)
    return Planes(frame, size)


def upright_rows(image: Image.Image, turning: int, top: int, bottom: int) -> Image.Image:
    """Rows of the upright picture, of one that is not turned yet."""
    length = image.width if turning >= 5 else image.height
    if turning in (3, 4, 7, 8):  # its last row or column comes first
        top, bottom = length - bottom, length - top
    lying = (top, 0, bottom, image.height) if turning >= 5 else (0, top, image.width, bottom)
    return turned(image.crop(lying), turning)


def fill(plane: "av.video.plane.VideoPlane", band: Image.Image, top: int) -> None:
    """Put the greyscale rows into the plane, from row `top` on."""
    stride = plane.line_size
    rows = band.crop((0, 0, stride, band.height)).tobytes()
    memoryview(plane)[top * stride : top * stride + len(rows)] = rows


def flags(*names: str) -> int:
    """What swscale is told. In a hurry, as it is by default, it darkens by 0.06 levels a step, and by 1.4 to RGB."""
    from av.video.reformatter import Interpolation

    return functools.reduce(operator.or_, (Interpolation[name] for name in names))
