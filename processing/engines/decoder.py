"""The border to Pillow's decoders: which formats, within which limits, and what their failures mean."""

import math
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from processing.engines import disk, heif, jxl, raw
from processing.errors import (
    Corrupt,
    Empty,
    MediaError,
    ResourceLimit,
    TooLarge,
    TooManyFrames,
    TooManyPixels,
    UnsupportedType,
)
from processing.facts import Limits, Order

# The rest of Pillow's forty (EPS, PSD, FLI, …) never sees a byte. The first four come from Pillow's
# small import; the others pull in all its plugins, once. RAW stands before TIFF, as which most RAWs begin.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF", "HEIF", "RAW", "TIFF", "JPEG2000", "ICO", "JXL")
# Pages of a TIFF and the further pictures of an MPO or a HEIF are no animation.
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
# With these first bytes, a file that no decoder opens is a damaged one, not one of another kind.
SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|....ftyp(avi[fs]|he[iv][cmsx]|mi[af][1f]|msf1)"
    rb"|\xff\x0a|\0\0\0\x0cJXL ",
    re.DOTALL,
)

# The decoders of these read the file whole before they look at it.
READ_WHOLE = re.compile(rb"RIFF....WEBP|....ftyp|\xff\x0a|....JXL ", re.DOTALL)
WHOLE_BYTES = 256 * 1024 * 1024

heif.register()
jxl.register()
raw.register()

# Types seen or possible from decoders fed with hostile bytes. Not `Exception`: a time limit or a lost
# lease, raised into the middle of a decode, is not the file's fault.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

# Bytes of memory that a decoder takes for each pixel, measured at 20 MP, where that is more than the
# 7 that make 100 MP fit into a worker of 700 MB. TIFF: see `memory_per_pixel`.
BYTES_PER_PIXEL = {"WEBP": 16, "AVIF": 12, "HEIF": 10, "JPEG2000": 25, "JXL": 12}
USUAL_BYTES_PER_PIXEL = 7

# Where these are missing, an animation may have been cut off after whole frames.
END_MARKS = {"GIF": b";", "PNG": b"IEND\xaeB`\x82"}

# A later frame stands in for a damaged first one; ten say enough about the file.
FRAMES_TRIED = 10


@contextmanager
def decoding(limits: Limits) -> Iterator[None]:
    """Whatever a decoder raises in here is a MediaError; only calls of decoders belong in here."""
    Image.MAX_IMAGE_PIXELS = limits.pixels // 2  # Pillow raises above twice this, before it allocates
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Image.DecompressionBombError as error:
        raise too_many_pixels(pixels_in(error), limits.pixels) from error
    except MemoryError as error:
        raise ResourceLimit(allowed="memory") from error
    except DECODER_ERRORS as error:
        if getattr(error, "errno", None) in disk.FAULTS:
            raise
        raise Corrupt(reason=reason_of(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of a decoder in Rust, which gives it no better base
            raise
        raise Corrupt(reason="its content makes no sense") from error


@contextmanager
def opened(order: Order) -> Iterator[ImageFile.ImageFile]:
    """The source with only its header read, known to be within the limits."""
    with order.source.open("rb") as file:
        image = read_header(file, order.limits)
        check_limits(image, order.limits)
        yield image


def read_header(file: IO[bytes], limits: Limits) -> ImageFile.ImageFile:
    """The image in `file`, whatever its name says; its pixels are not decoded yet."""
    prefix = file.read(16)
    if not prefix:
        raise Empty
    if READ_WHOLE.match(prefix) and os.fstat(file.fileno()).st_size > WHOLE_BYTES:
        raise TooLarge(allowed=WHOLE_BYTES)
    if jxl.fits(prefix):
        refuse_large_jxl(file, limits)
    with decoding(limits):
        try:
            return Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise refusal(prefix) from error


def refuse_large_jxl(file: IO[bytes], limits: Limits) -> None:
    """Raise TooManyPixels here: this decoder decodes all pixels to learn how many there are."""
    with decoding(limits):
        width, height = jxl.size_of(file)
        file.seek(0)
    allowed = limits.pixels * USUAL_BYTES_PER_PIXEL // BYTES_PER_PIXEL["JXL"]
    if width * height > allowed:
        raise too_many_pixels(width * height, allowed)


def refusal(prefix: bytes) -> MediaError:
    """Why no decoder took a file that begins like this."""
    if SIGNATURES.match(prefix):
        return Corrupt(reason="its header makes no sense")
    return UnsupportedType()


def check_limits(image: ImageFile.ImageFile, limits: Limits) -> None:
    """Raise where the picture, or all its frames together, are more than we take."""
    pixels = image.width * image.height
    frames = count_frames(image, limits)
    allowed = pixels_allowed(image, limits)
    if pixels > allowed:
        raise too_many_pixels(pixels, allowed)
    if frames > limits.frames:
        raise TooManyFrames(found=frames, allowed=limits.frames)
    if pixels * frames > limits.total_pixels:
        raise too_many_pixels(pixels * frames, limits.total_pixels)


def pixels_allowed(image: ImageFile.ImageFile, limits: Limits) -> int:
    """The limit on pixels; less where a decoder takes more than the usual memory for each."""
    with decoding(limits):
        share = min(1.0, USUAL_BYTES_PER_PIXEL / memory_per_pixel(image))
    return int(limits.pixels * share)


def memory_per_pixel(image: ImageFile.ImageFile) -> float:
    """The bytes that decoding takes for each pixel, at most.

    A TIFF is read a strip at a time, and a strip may be the whole picture: 88 MP of 16-bit RGBA in
    one strip took 1 GB.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        rows = image.tag_v2.get(TiffImagePlugin.ROWSPERSTRIP, image.height)
        sample_bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        return float(4 + min(1.0, rows / image.height) * sum(sample_bits) / 8)
    return BYTES_PER_PIXEL.get(str(image.format), USUAL_BYTES_PER_PIXEL)


def count_frames(image: ImageFile.ImageFile, limits: Limits) -> int:
    """How many frames an animation has; 1 for everything else."""
    if image.format not in ANIMATED:
        return 1
    with decoding(limits):
        return int(getattr(image, "n_frames", 1))


def load(image: ImageFile.ImageFile, limits: Limits) -> None:
    """Decode the first frame, or the first of an animation that is not damaged."""
    frames = count_frames(image, limits)
    if frames == 1:
        load_frame(image, image.tell(), limits)  # which of a HEIF's pictures is shown, the file says
        return
    if lacks_end_mark(image):
        load_frame(image, frames - 1, limits)
    tries = min(frames, FRAMES_TRIED)
    for number in range(tries):
        try:
            load_frame(image, number, limits)
        except Corrupt:
            if number == tries - 1:
                raise
        else:
            return


def load_frame(image: ImageFile.ImageFile, number: int, limits: Limits) -> None:
    """Decode one frame, and those before it that it builds on."""
    with decoding(limits):
        image.seek(number)
        image.load()
        if is_negative(image):
            image.im = image.point(lambda value: value * -1 + 65_535).im


def is_negative(image: ImageFile.ImageFile) -> bool:
    """Whether the decoder left a picture with white as 0, as it does where a TIFF has 16 bits."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.mode != "I;16":
        return False
    return bool(image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0)


def lacks_end_mark(image: ImageFile.ImageFile) -> bool:
    """Whether the file does not end as its format should."""
    mark = END_MARKS.get(str(image.format))
    if not mark:
        return False
    file = cast("IO[bytes]", image.fp)
    position = file.tell()
    file.seek(-len(mark), os.SEEK_END)
    tail = file.read()
    file.seek(position)
    return tail != mark


def too_many_pixels(found: int, allowed: int) -> TooManyPixels:
    """The error in megapixels, rounded so that `found` never looks like what is allowed."""
    return TooManyPixels(found=math.ceil(found / 1_000_000), allowed=allowed // 1_000_000)


def pixels_in(error: Image.DecompressionBombError) -> int:
    """The number in Pillow's sentence, "Image size (178956971 pixels) exceeds limit of …"."""
    number = re.search(r"\d+", str(error))
    return int(number[0]) if number else 0


def reason_of(error: Exception) -> str:
    """A decoder's complaint in words for an editor."""
    return "it ends too early" if "truncated" in str(error) else "its content makes no sense"
