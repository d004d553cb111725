"""Camera RAW files of our own: DNGs whose sensor saw a picture we know, with or without a preview in them."""

import io
import struct

import numpy as np
from PIL import Image

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
FORMATS = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I"}

# From XYZ under D65 to the colours of this camera, which are those of sRGB.
COLOUR_MATRIX = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
SUB_IFDS, STRIP_OFFSETS, STRIP_COUNTS = 330, 273, 279
CFA, YCBCR, LINEAR_RAW = 32803, 6, 34892


def dng(picture, preview=None, orientation=1, **changed):
    """The bytes of a DNG. `changed` are tags as `t257=(LONG, (1,))`; an empty tuple leaves one out."""
    sensor = mosaic(picture)
    tags = {
        254: (LONG, (0,)), 256: (LONG, (picture.width,)), 257: (LONG, (picture.height,)), 258: (SHORT, (16,)),
        259: (SHORT, (1,)), 262: (SHORT, (CFA,)), 271: (ASCII, b"Secret make\0"), 272: (ASCII, b"Secret model\0"),
        274: (SHORT, (orientation,)), 277: (SHORT, (1,)), 278: (LONG, (picture.height,)),
        33421: (SHORT, (2, 2)), 33422: (BYTE, (0, 1, 1, 2)), 50706: (BYTE, (1, 4, 0, 0)),
        50708: (ASCII, b"Secret camera\0"), 50717: (LONG, (65535,)), 50721: (SRATIONAL, COLOUR_MATRIX),
        50728: (RATIONAL, (1, 1, 1)), 50778: (SHORT, (21,)),
    }  # fmt: skip
    tags |= {int(name[1:]): tag for name, tag in changed.items()}
    return tiff({number: tag for number, tag in tags.items() if tag}, sensor, preview_ifd(preview) if preview else None)


def mosaic(picture):
    """What a sensor with red, green, green and blue cells sees of a picture: 16 bits, linear."""
    srgb = np.asarray(picture.convert("RGB"), float) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = linear[..., 1].copy()
    seen[::2, ::2] = linear[::2, ::2, 0]
    seen[1::2, 1::2] = linear[1::2, 1::2, 2]
    return (seen * 65535).astype("<u2").tobytes()


def preview_ifd(preview):
    """The tags and the bytes of the JPEG that a camera puts beside its RAW."""
    file = io.BytesIO()
    preview.save(file, "JPEG", quality=92, **preview.info)
    tags = {
        254: (LONG, (1,)), 256: (LONG, (preview.width,)), 257: (LONG, (preview.height,)), 258: (SHORT, (8, 8, 8)),
        259: (SHORT, (7,)), 262: (SHORT, (YCBCR,)), 277: (SHORT, (3,)), 278: (LONG, (preview.height,)),
    }  # fmt: skip
    return tags, file.getvalue()


def tiff(tags, strip, sub=None):
    """A little-endian TIFF of one IFD with its strip and, where given, another one below it."""
    body = b""
    if sub:
        at = 8
        sub_tags, sub_strip = sub
        ifd = directory(sub_tags, sub_strip, at)
        tags = {**tags, SUB_IFDS: (LONG, (at,))}
        body = ifd + sub_strip
        body += bytes(len(body) % 2)
    start = 8 + len(body)
    return struct.pack("<2sHI", b"II", 42, start) + body + directory(tags, strip, start) + strip


def directory(tags, strip, start):
    """The IFD at `start`, its values behind it, and room for the strip behind those."""
    tags = {**tags, STRIP_OFFSETS: (LONG, (0,)), STRIP_COUNTS: (LONG, (len(strip),))}
    values_at = start + 2 + 12 * len(tags) + 4
    size = values_at + sum(len(packed(*tag)) + len(packed(*tag)) % 2 for tag in tags.values() if is_long(tag))
    tags[STRIP_OFFSETS] = (LONG, (size,))
    entries, values = b"", b""
    for number, (kind, given) in sorted(tags.items()):
        data = packed(kind, given)
        if len(data) > 4:
            where = struct.pack("<I", values_at + len(values))
            values += data + bytes(len(data) % 2)
        else:
            where = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", number, kind, len(given)) + where
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values


def is_long(tag):
    return len(packed(*tag)) > 4


def packed(kind, given):
    if kind in FORMATS:
        return struct.pack(f"<{len(given)}{FORMATS[kind]}", *given)
    sign = "i" if kind == SRATIONAL else "I"
    return b"".join(struct.pack(f"<2{sign}", round(number * 10_000), 10_000) for number in given)


def photo(width=600, height=400):
    """A picture of soft colours, whose four corners differ."""
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)[:, None]
    bands = [40 + 200 * x + 0 * y, 60 + 120 * y + 0 * x, 220 - 150 * x * y]
    return Image.fromarray(np.stack(bands, axis=-1).astype(np.uint8), "RGB")
