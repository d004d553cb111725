"""Which way up an image is, and turning it so. Orientations are those of EXIF, 1 to 8."""

from typing import IO, Any, cast

from PIL import ExifTags, Image, ImageFile

from processing.engines.decoder import decoding
from processing.errors import MediaError
from processing.facts import Limits

Size = tuple[int, int]

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Their decoders turn the pixels.
TURNED_BY_DECODER = ("TIFF", "JXL")
# Enough for a gigabyte of PNG in the 8 KiB chunks that libpng writes.
CHUNKS_WALKED = 131_072


def orientation_of(image: ImageFile.ImageFile, limits: Limits) -> int:
    """The EXIF orientation; 1 where there is none or it is nonsense: bad EXIF spoils no picture."""
    try:
        with decoding(limits):
            if image.format == "HEIF":
                return heif_orientation(image)
            if image.format == "PNG" and "exif" not in image.info:
                add_late_exif(image)
            # Not `image.getexif()`: that of PNG decodes all pixels first.
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except MediaError:
        return 1
    return valid(value)


def heif_orientation(image: ImageFile.ImageFile) -> int:
    """What is left to be turned of a HEIF once its decoder has turned it as its own boxes say.

    Beside such boxes EXIF counts for nothing (ISO/IEC 23008-12, A.2.1): phones write the same turn there
    once more. Without any, it is all there is: some converters keep EXIF and drop the boxes.
    """
    shown = cast("Any", image)._heif_file[image.tell()]
    boxes = {name for name, *_ in shown._c_image.transformations}
    return 1 if boxes & {"irot", "imir"} else valid(shown.info["original_orientation"])


def valid(value: object) -> int:
    """An orientation of EXIF; 1 in place of nonsense."""
    return int(value) if isinstance(value, int) and value in range(1, 9) else 1


def add_late_exif(image: ImageFile.ImageFile) -> None:
    """Take up the EXIF that some writers (ImageMagick) put after a PNG's pixels, without decoding those."""
    file = cast("IO[bytes]", image.fp)
    position = file.tell()
    exif = late_exif(file)
    file.seek(position)
    if exif:
        image.info["exif"] = exif


def late_exif(file: IO[bytes]) -> bytes:
    """The eXIf chunk of a PNG; empty where it has none."""
    file.seek(8)
    for _ in range(CHUNKS_WALKED):
        header = file.read(8)
        length = int.from_bytes(header[:4])
        if len(header) < 8 or header[4:] == b"IEND":
            break
        if header[4:] == b"eXIf":
            return b"Exif\0\0" + file.read(min(length, 65_536))
        file.seek(length + 4, 1)
    return b""


def turning(image: ImageFile.ImageFile, orientation: int) -> int:
    """What is left to be turned of `orientation` once decoded."""
    # A JPEG that was packed losslessly into a JXL comes out as it was.
    is_packed_jpeg = image.format == "JXL" and bool(getattr(image, "jpeg", False))
    return 1 if image.format in TURNED_BY_DECODER and not is_packed_jpeg else orientation


def turned_size(size: Size, orientation: int) -> Size:
    """`size` after turning; 5 to 8 lie on their side. It is its own inverse."""
    width, height = size
    return (height, width) if orientation >= 5 else (width, height)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image as its photographer saw it."""
    turn = TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
