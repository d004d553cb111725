"""Camera RAW as a format of Pillow's: the JPEG that the camera put in, or else developed from its sensor.

The camera's own JPEG comes first: it is what the photographer saw, and takes a hundredth of the time.
rawpy is imported for the first RAW of a process, since it needs numpy: 0.12 s that no other format
should pay for.
"""

import io
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import Image, ImageFile

from processing.errors import Corrupt, ResourceLimit, UnsupportedType

if TYPE_CHECKING:
    import rawpy

# Canon CR2 and CR3, Fuji, Olympus, Panasonic. The others begin as any TIFF does.
MARKS = re.compile(rb"II\*\0....CR\x02|....ftypcrx |FUJIFILMCCD-RAW|II(RO|RS)\x08\x00|MMOR\x00|IIU\x00", re.DOTALL)
TIFFS = {b"II*\0": "<", b"MM\0*": ">"}

# Tags that tell a RAW from other TIFFs (TIFF/EP, DNG 1.7): what the samples mean, and that it is a DNG.
PHOTOMETRIC, SUB_IFDS, DNG_VERSION = 262, 330, 50706
SENSOR_DATA = (32803, 34892)  # a colour for each cell, or all of them from a linear sensor
SHORT, LONG, IFD = 3, 4, 13
IFDS_WALKED, ENTRIES_READ, SUB_IFDS_READ = 16, 512, 8  # cameras write up to 6, 60 and 4

# Pixels of the longer side that make a preview good enough. What cameras write is either as large as the
# sensor or, with Sony and Pentax for long, 1616 x 1080; thumbnails have 160 to 640.
ENOUGH = 1600

# LibRaw's `flip` as an orientation of EXIF.
ORIENTATIONS = (1, 2, 4, 3, 5, 8, 6, 7)

# As sRGB has it; LibRaw's own default is that of BT.709, which is darker.
SRGB_CURVE = (2.4, 12.92)


class RawImageFile(ImageFile.ImageFile):
    """A RAW that is read like a JPEG: `draft` makes it smaller, EXIF says which way up it is."""

    format = "RAW"
    format_description = "Camera RAW"

    def _open(self) -> None:
        file = cast("IO[bytes]", self.fp)
        if not is_raw(file):
            raise SyntaxError("not a RAW")
        with complaints(), opened(file) as raw:
            sizes = raw.sizes
            self.preview = preview_of(raw)
        self.is_half = False
        shown = self.preview
        if shown is None:
            refuse_large(sizes.raw_width * sizes.raw_height)
        self._size = shown.size if shown else (sizes.width, sizes.height)
        self._mode = shown.mode if shown else "RGB"
        self.info = {"icc_profile": shown.info.get("icc_profile")} if shown else {}
        lies_as_sensor = (self.width >= self.height) == (sizes.width >= sizes.height)
        orientation = ORIENTATIONS[sizes.flip] if lies_as_sensor or sizes.flip < 4 else 1
        self.getexif()[0x0112] = orientation

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Be read at half the size or less, if that still holds `size`."""
        if self.preview is not None:
            drafted = self.preview.draft(mode, size)
            self._size, self._mode = self.preview.size, self.preview.mode
            return drafted
        width, height = self.size
        if size and not self.is_half and width // 2 >= size[0] and height // 2 >= size[1]:
            self.is_half = True
            self._size = (width // 2, height // 2)
        return None

    def load(self) -> Any:
        if self._im is None:
            picture = self.preview or self.developed()
            picture.load()
            self.im, self._mode, self._size = picture.im, picture.mode, picture.size
        return Image.Image.load(self)

    def developed(self) -> Image.Image:
        """The picture from the sensor's samples, as the camera balanced its white."""
        with complaints(), opened(cast("IO[bytes]", self.fp)) as raw:
            samples = raw.postprocess(
                use_camera_wb=True, half_size=self.is_half, user_flip=0, gamma=SRGB_CURVE, output_bps=8
            )
        return Image.fromarray(samples.squeeze())


def accept(prefix: bytes) -> bool:
    return bool(MARKS.match(prefix)) or prefix[:4] in TIFFS


def is_raw(file: IO[bytes]) -> bool:
    """Whether the file is of a camera, and not just a TIFF."""
    file.seek(0)
    head = file.read(16)
    if MARKS.match(head):
        return True
    order = TIFFS.get(head[:4])
    return bool(order) and any(has_sensor_data(tags) for tags in directories(file, str(order)))


def has_sensor_data(tags: dict[int, tuple[int, ...]]) -> bool:
    return DNG_VERSION in tags or any(value in SENSOR_DATA for value in tags.get(PHOTOMETRIC, ()))


def directories(file: IO[bytes], order: str) -> Iterator[dict[int, tuple[int, ...]]]:
    """The tags of the file's directories that matter here, and of those below them."""
    file.seek(4)
    ahead = list(read(file, order, "I"))
    for _ in range(IFDS_WALKED):
        if not ahead:
            return
        tags, following = directory(file, order, ahead.pop(0))
        ahead += [*tags.get(SUB_IFDS, ()), *following]
        yield tags


def directory(file: IO[bytes], order: str, start: int) -> tuple[dict[int, tuple[int, ...]], list[int]]:
    """The directory at `start`, and where the next one is; nothing where the file ends before."""
    file.seek(start)
    tags = {}
    (count,) = read(file, order, "H") or (0,)
    for _ in range(min(count, ENTRIES_READ)):
        number, kind, length = read(file, order, "HHI") or (0, 0, 0)
        data = file.read(4)
        if number in (PHOTOMETRIC, SUB_IFDS, DNG_VERSION) and len(data) == 4:
            tags[number] = values(file, order, kind, length, data)
    file.seek(start + 2 + 12 * count)
    return tags, [at for at in read(file, order, "I") if at]


def values(file: IO[bytes], order: str, kind: int, length: int, data: bytes) -> tuple[int, ...]:
    """The numbers of a tag whose entry ends in `data`: themselves, or where they are."""
    if kind == SHORT:
        return struct.unpack(order + "2H", data)[: max(1, length)]
    if kind not in (LONG, IFD) or length <= 1:
        return struct.unpack(order + "I", data)
    position = file.tell()
    file.seek(struct.unpack(order + "I", data)[0])
    found = read(file, order, f"{min(length, SUB_IFDS_READ)}I")
    file.seek(position)
    return found


def read(file: IO[bytes], order: str, layout: str) -> tuple[int, ...]:
    """Numbers of this layout; none where the file ends before."""
    size = struct.calcsize(order + layout)
    data = file.read(size)
    return struct.unpack(order + layout, data) if len(data) == size else ()


@contextmanager
def opened(file: IO[bytes]) -> Iterator["rawpy.RawPy"]:
    """The file as LibRaw has it, with only its headers read. It opens it by its name, to read what it needs."""
    # OpenBLAS and OpenMP would each start a thread for every core: those have pictures of their own.
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    import rawpy

    with rawpy.RawPy() as raw:
        raw.open_file(os.fsdecode(file.name))
        yield raw


@contextmanager
def complaints() -> Iterator[None]:
    """What LibRaw says is a MediaError."""
    import rawpy

    try:
        yield
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedType from error
    except (rawpy.LibRawTooBigError, rawpy.LibRawUnsufficientMemoryError) as error:
        raise ResourceLimit(allowed="memory") from error
    except rawpy.LibRawError as error:
        raise Corrupt(reason="its content makes no sense") from error


def preview_of(raw: "rawpy.RawPy") -> ImageFile.ImageFile | None:
    """The largest JPEG in the file; None where there is none, or only a thumbnail of what the sensor saw."""
    import rawpy

    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format != rawpy.ThumbFormat.JPEG:
        return None
    preview = Image.open(io.BytesIO(cast("bytes", found.data)), formats=["JPEG"])
    wanted = min(ENOUGH, max(raw.sizes.width, raw.sizes.height))
    return preview if max(preview.size) >= wanted else None


def refuse_large(pixels: int) -> None:
    """Raise as Pillow does for the picture that is shown: a sensor may have more around it."""
    if Image.MAX_IMAGE_PIXELS and pixels > 2 * Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(f"Image size ({pixels} pixels) exceeds the limit")


def register() -> None:
    """Have Pillow know the format."""
    Image.register_open(RawImageFile.format, RawImageFile, accept)
