"""JPEG XL as a format of Pillow's, whose library is loaded by the first of them: 3 MB of each process.

And its size, before the decoder sees it, since that decodes all pixels to tell.
"""

from typing import IO, Any

from PIL import Image, ImageFile

FORMAT = "JXL"
CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
BOXES_WALKED = 64  # those of metadata stand first, and there are few kinds of it

# Bits of a side that is no small multiple of 8, by a selector of two bits: ISO/IEC 18181-1, D.2.
SIDE_BITS = (9, 13, 18, 30)
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height


def register() -> None:
    """Have Pillow know the format."""
    Image.register_open(FORMAT, open_first, fits)


def open_first(file: IO[bytes], name: Any) -> ImageFile.ImageFile:
    """The first JPEG XL of this process; `load` has those after it opened without us."""
    load()
    image: ImageFile.ImageFile = Image.OPEN[FORMAT][0](file, name)
    return image


def load() -> None:
    """Put the library in our place."""
    from pillow_jxl import JpegXLImagePlugin

    JpegXLImagePlugin.DECODE_THREADS = 0  # the other cores have pictures of their own
    Image.register_open(FORMAT, JpegXLImagePlugin.JXLImageFile, fits)


def fits(prefix: bytes) -> bool:
    return prefix.startswith((CODESTREAM, CONTAINER))


def size_of(file: IO[bytes]) -> tuple[int, int]:
    """(width, height) by the header of the codestream, not yet turned; ValueError where there is none."""
    file.seek(0)
    head = file.read(12)
    if head == CONTAINER:
        head = codestream(file)
    if not head.startswith(CODESTREAM) or len(head) < 12:
        raise ValueError("no codestream")
    return size_in(Bits(head[2:]))


def codestream(file: IO[bytes]) -> bytes:
    """The first bytes of the codestream in a container."""
    for _ in range(BOXES_WALKED):
        length, name = int.from_bytes(file.read(4)), file.read(4)
        header = 8
        if length == 1:
            length, header = int.from_bytes(file.read(8)), 16
        if name == b"jxlc":
            return file.read(12)
        if name == b"jxlp":
            return file.read(16)[4:]
        if length < header:
            break
        file.seek(length - header, 1)
    return b""


class Bits:
    """Numbers read from the lowest bit of the first byte on."""

    def __init__(self, data: bytes) -> None:
        self.left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        taken = self.left & ((1 << count) - 1)
        self.left >>= count
        return taken


def size_in(bits: Bits) -> tuple[int, int]:
    """The two sides at the start of a codestream."""
    is_small = bits.take(1)
    height = side(bits, is_small)
    ratio = bits.take(3)
    if not ratio:
        return side(bits, is_small), height
    wide, high = RATIOS[ratio - 1]
    return height * wide // high, height


def side(bits: Bits, is_small: int) -> int:
    """One side: a multiple of 8 up to 256, or any number."""
    return 8 * (bits.take(5) + 1) if is_small else bits.take(SIDE_BITS[bits.take(2)]) + 1
