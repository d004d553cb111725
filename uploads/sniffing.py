"""What a file is, by its first bytes and never by its name: the allow-list of what we take.

The table says only which engine is to look; whether the file can be read is that engine's finding.
Signatures: the formats' own specifications, and ISO/IEC 14496-12 for the brands behind `ftyp`.
"""

from dataclasses import dataclass

HEAD = 4096  # bytes the table looks at; MPEG-TS needs the starts of three packets of 192 bytes


@dataclass(frozen=True)
class Signature:
    """`marks` are (offset, bytes) that all must hold."""

    kind: str
    name: str
    marks: tuple[tuple[int, bytes], ...]

    def fits(self, head: bytes) -> bool:
        return all(head[at : at + len(mark)] == mark for at, mark in self.marks)


def image(name: str, *marks: tuple[int, bytes]) -> Signature:
    return Signature("image", name, marks)


def video(name: str, *marks: tuple[int, bytes]) -> Signature:
    return Signature("video", name, marks)


HEVC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
STILL_BRANDS = (b"avif", b"avis", *HEVC_BRANDS, b"mif1", b"msf1", b"miaf")
SIGNATURES = (
    image("JPEG", (0, b"\xff\xd8\xff")),
    image("PNG", (0, b"\x89PNG\r\n\x1a\n")),
    image("GIF", (0, b"GIF87a")),
    image("GIF", (0, b"GIF89a")),
    image("WebP", (0, b"RIFF"), (8, b"WEBP")),
    image("BMP", (0, b"BM"), (6, b"\0\0\0\0")),  # the four bytes are reserved
    image("TIFF", (0, b"II*\0")),  # and most RAWs
    image("TIFF", (0, b"MM\0*")),
    image("BigTIFF", (0, b"II+\0")),
    image("BigTIFF", (0, b"MM\0+")),
    image("JPEG 2000", (0, b"\0\0\0\x0cjP  \r\n\x87\n")),
    image("JPEG 2000 stream", (0, b"\xff\x4f\xff\x51")),
    image("JPEG XL", (0, b"\0\0\0\x0cJXL \r\n\x87\n")),
    image("JPEG XL stream", (0, b"\xff\x0a")),
    image("ICO", (0, b"\0\0\1\0")),
    image("Fuji RAW", (0, b"FUJIFILMCCD-RAW")),
    image("Olympus RAW", (0, b"IIRO\x08\0")),
    image("Olympus RAW", (0, b"IIRS\x08\0")),
    image("Olympus RAW", (0, b"MMOR\0")),
    image("Panasonic RAW", (0, b"IIU\0")),
    image("Canon RAW", (4, b"ftypcrx ")),
    *(image("HEIF", (4, b"ftyp" + brand)) for brand in STILL_BRANDS),
    video("Matroska", (0, b"\x1aE\xdf\xa3")),
    video("AVI", (0, b"RIFF"), (8, b"AVI ")),
    video("FLV", (0, b"FLV\1")),
    video("ASF", (0, b"0&\xb2u\x8ef\xcf\x11")),
    video("Ogg", (0, b"OggS")),
    video("MPEG-PS", (0, b"\0\0\1\xba")),
    video("MPEG video", (0, b"\0\0\1\xb3")),
    video("MPEG-TS", (0, b"G"), (188, b"G"), (376, b"G")),
    video("M2TS", (4, b"G"), (196, b"G"), (388, b"G")),
    *(video("MP4", (4, atom)) for atom in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
)


def is_drawing(head: bytes) -> bool:
    """Whether these are the first bytes of an SVG, which is text, and may begin with a comment or two."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in text


def kind_of(head: bytes) -> str | None:
    """`image` or `video`, or None where the first HEAD bytes are of nothing we take."""
    return next((signature.kind for signature in SIGNATURES if signature.fits(head)), None)
