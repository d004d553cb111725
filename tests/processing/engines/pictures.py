"""Small real pictures of every kind, and the looks at what became of them."""

import struct
import zlib

import numpy as np
from PIL import Image

from processing.engines import images
from processing.facts import Limits, Order
from processing.presets import ImagePreset

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
WEBP = ImagePreset("small", 64, "WEBP", 95)
JPEG = ImagePreset("mail", 64, "JPEG", 95)

# How the pixels of an upright picture lie in a file of each EXIF orientation.
LAID = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def inspect(source, **limits):
    return images.inspect(Order(source, source.parent, limits=Limits(**limits))).facts


def render(source, *presets, **more):
    return images.render(Order(source, source.parent, presets=presets or (WEBP,), **more))


def rendition(source, preset=WEBP, **more):
    return read(render(source, preset, **more).files[0].path)


def read(path):
    with Image.open(path) as picture:
        picture.load()
        return picture


def colour(picture, x=0.5, y=0.5):
    """The colour at a place given as fractions of width and height."""
    return picture.getpixel((int(picture.width * x), int(picture.height * y)))


def alike(found, expected, tolerance=12):
    """Two colours that differ by no more than lossy encoding explains."""
    return len(found) == len(expected) and all(abs(a - b) <= tolerance for a, b in zip(found, expected, strict=True))


def quarters(width=60, height=40):
    """A picture that looks different in each of the eight orientations."""
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def shows_quarters(picture):
    places = {(0.25, 0.25): RED, (0.75, 0.25): GREEN, (0.25, 0.75): BLUE, (0.75, 0.75): WHITE}
    return all(alike(colour(picture, *place), expected, 40) for place, expected in places.items())


def laid(orientation, width=60, height=40):
    turn = LAID[orientation]
    return quarters(width, height).transpose(turn) if turn is not None else quarters(width, height)


def exif(orientation, **more):
    tags = Image.Exif()
    tags[0x0112] = orientation
    for tag, value in more.items():
        tags[int(tag, 16)] = value
    return tags


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples, colour_type, before=b"", after=b""):
    """A PNG of a numpy array of 8 or 16-bit samples, with chunks before and after the pixels."""
    height, width = samples.shape[:2]
    depth = samples.itemsize * 8
    rows = b"".join(b"\0" + row.astype(samples.dtype.newbyteorder(">")).tobytes() for row in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


def fixed(*numbers):
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def icc(space, device, pcs, tags):
    """An ICC profile, version 2.4, of these tags."""
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, device, space, pcs, b"", b"acsp")
    header = header.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(red, green, blue, gamma=2.2):
    """A display profile of three primaries (XYZ under D50) and one gamma."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256))
    primaries = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue, b"wtpt": (0.9642, 1, 0.8249)}
    tags = {name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in primaries.items()}
    return icc(b"RGB ", b"mntr", b"XYZ ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


P3_PRIMARIES = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB_PRIMARIES = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3 = matrix_profile(*P3_PRIMARIES)


def p3_as_srgb(rgb):
    """What a P3 colour of gamma 2.2 is in sRGB, by the textbook."""
    xyz = np.array(P3_PRIMARIES).T @ (np.array(rgb) / 255) ** 2.2
    linear = np.clip(np.linalg.inv(np.array(SRGB_PRIMARIES).T) @ xyz, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(int(sample) for sample in encoded * 255)


def cyan_is_red_profile():
    """A CMYK profile for an odd press: paper is white, cyan is red, all else its darkest grey."""
    identity = bytes(range(256))
    paper, red, black = bytes((255, 128, 128)), bytes((140, 200, 190)), bytes((45, 128, 128))
    corners = [paper if corner == 0 else red if corner == 8 else black for corner in range(16)]
    matrix = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + identity * 4 + b"".join(corners) + identity * 3
    return icc(b"CMYK", b"prtr", b"Lab ", {b"A2B0": table})
