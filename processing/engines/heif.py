"""HEIF as a format of Pillow's, whose library is loaded by the first of them: 20 ms and 5 MB of each process."""

from typing import IO, Any

from PIL import Image, ImageFile

FORMAT = "HEIF"


def register() -> None:
    """Have Pillow know the format."""
    Image.register_open(FORMAT, open_first, accept)


def accept(prefix: bytes) -> bool:
    """Whether it is of the family: which member, the library finds out. AVIF has a decoder of its own."""
    return prefix[4:8] == b"ftyp" and prefix[8:12] not in (b"avif", b"avis")


def open_first(file: IO[bytes], name: Any) -> ImageFile.ImageFile:
    """The first HEIF of this process; `load` has those after it opened without us."""
    load()
    image: ImageFile.ImageFile = Image.OPEN[FORMAT][0](file, name)
    return image


def load() -> None:
    """Put the library in our place."""
    import pillow_heif

    # An embedded thumbnail may show what was cut out of the picture since; depth and gain maps are no use
    # here. One thread: the other cores have pictures of their own.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
