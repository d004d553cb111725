"""Colours: any mode a decoder yields → eight bits → sRGB, by the image's own profile where it is sound."""

import io
import math
from typing import cast

from PIL import Image, ImageChops, ImageCms

SRGB = ImageCms.createProfile("sRGB")
EXACT = ImageCms.Flags.NOOPTIMIZE

GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
UNSCALED = ("I", "F")
STRIP_ROWS = 256  # of a square of 100 MP: 10 MB

# 512 colours all over the cube, which show what a profile does.
STEPS = range(0, 256, 36)
PALETTE = Image.new("RGB", (len(STEPS) ** 2, len(STEPS)))
PALETTE.putdata([(red, green, blue) for red in STEPS for green in STEPS for blue in STEPS])

# The dominant colour is the largest of so many groups among so many pixels squared: 0.5 ms.
COLOUR_SIDE = 32
COLOURS = 6
OPAQUE = 128

# An `I` or `F` does not say which number is white: the first of these that nothing exceeds.
WHITES = (1, 255, 65_535, 2**32 - 1)


def plain(image: Image.Image) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK with eight bits a channel: modes that can be resized and profiled."""
    if image.mode in DEEP:
        return eight_bit(image)
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "CMYK":
        return image
    narrow_key(image)
    mode = "L" if image.mode in GREY else "RGB"
    if image.has_transparency_data:
        mode += "A"
    return image if image.mode == mode else image.convert(mode)


def eight_bit(image: Image.Image) -> Image.Image:
    """L or LA of a grey image with deeper samples, which `convert()` alone would clip at 255."""
    white = 65_535 if image.mode.startswith("I;") else white_of(image)
    numbers = image if image.mode in {"I", "I;16", "F"} else image.convert("I")
    grey = numbers.point(lambda value: value * (255 / white) + 0.5).convert("L")
    if image.has_transparency_data:
        key = image.info["transparency"]
        opacity = [0 if sample == key else 255 for sample in range(65_536)]
        grey.putalpha(image.convert("I").point(opacity, "L"))
    return grey


def narrow_key(image: Image.Image) -> None:
    """Bring the transparent colour of a 16-bit PNG to the eight bits its pixels were decoded to."""
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:
        image.info["transparency"] = tuple(sample >> 8 for sample in key)


def white_of(image: Image.Image) -> float:
    """The sample that is meant to be white."""
    _, highest = cast("tuple[float, float]", image.getextrema())
    return next((white for white in WHITES if highest <= white), highest)


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A plain image as sRGB: RGB, or RGBA where it has transparency."""
    if not image.has_transparency_data:
        return opaque_srgb(image, profile)
    alpha = image.getchannel("A")
    colours = opaque_srgb(image.convert(image.mode.removesuffix("A")), profile)
    colours.putalpha(alpha)
    return colours


def opaque_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, RGB or CMYK as RGB; a profile that is broken or belongs to other channels counts for nothing."""
    if not profile:
        return image.convert("RGB")
    try:
        return managed(image, profile)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image.convert("RGB")


def is_srgb(profile: bytes | None) -> bool:
    """Whether RGB pixels are sRGB already by this profile, or for want of a sound one.

    Asked of colours, not of its name: the sRGB profiles of six makers move none by more than a level,
    Display-P3 by 109. 2.5 ms.
    """
    if not profile:
        return True
    differences = ImageChops.difference(PALETTE, opaque_srgb(PALETTE, profile))
    return all(highest <= 2 for _, highest in cast("tuple[tuple[int, int], ...]", differences.getextrema()))


def managed(image: Image.Image, profile: bytes) -> Image.Image:
    """RGB by way of the profile, perceptually, as photographs want it.

    Black stays black: littleCMS compensates the black point wherever a profile is of ICC version 4, as
    the one of SRGB is.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    perceptual = ImageCms.Intent.PERCEPTUAL
    if image.mode == "L":
        return by_table(image, ImageCms.buildTransform(source, SRGB, "L", "RGB", perceptual, EXACT))
    return ImageCms.buildTransform(source, SRGB, image.mode, "RGB", perceptual).apply(image)


def by_table(grey: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    """Each of the 256 greys transformed once. The transform's own grid is up to 10 levels off in the dark."""
    greys = Image.frombytes("L", (256, 1), bytes(range(256)))
    return Image.merge("RGB", [grey.point(list(band.tobytes())) for band in transform.apply(greys).split()])


def thinned(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The plain image, averaged down where it stays at least twice as large as `size`.

    Strip by strip, because Pillow copies an image whole to turn it into another mode, and to shrink one
    with transparency: 88 MP of RGBA took 780 MB so, and take 450 in strips.
    """
    factor = min(image.width // (2 * size[0]), image.height // (2 * size[1]))
    if factor < 2 or image.mode in UNSCALED:
        return plain(image)
    rows = max(1, STRIP_ROWS // factor)
    strips = (plain(image.crop(box)).reduce(factor) for box in strips_of(image.size, rows * factor))
    thin = Image.new("L", (0, 0))
    for number, strip in enumerate(strips):
        if not number:
            thin = Image.new(strip.mode, (strip.width, math.ceil(image.height / factor)))
        thin.paste(strip, (0, number * rows))
    return thin


def strips_of(size: tuple[int, int], rows: int) -> list[tuple[int, int, int, int]]:
    """The boxes of the strips, of so many rows each, that an image falls into."""
    width, height = size
    return [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]


def on_white(image: Image.Image) -> Image.Image:
    """RGB of an RGB or RGBA image, as on paper: for formats that know no transparency."""
    if image.mode == "RGB":
        return image
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def dominant(image: Image.Image) -> str:
    """The colour that most of the picture has, as `#a1b2c3`; transparent parts do not count."""
    tiny = image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).convert("RGBA")
    pixels = cast("tuple[tuple[int, ...], ...]", tiny.get_flattened_data())
    seen = [pixel[:3] for pixel in pixels if pixel[3] >= OPAQUE] or [(255, 255, 255)]
    strip = Image.new("RGB", (len(seen), 1))
    strip.putdata(seen)
    groups = strip.quantize(COLOURS)
    shares = groups.histogram()
    largest = shares.index(max(shares))
    return "#" + bytes((groups.getpalette() or [])[3 * largest : 3 * largest + 3]).hex()
