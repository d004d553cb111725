"""Still images: measured by their header, and shrunk to every size wanted from one decode.

decode → eight bits → shrink → sRGB → upright → encode. Shrinking comes first, so that colours and
turning cost a 2048 pixel picture and not a 100 megapixel one.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import blurhash
from PIL import Image

from processing.engines import alone, animation
from processing.engines.colour import dominant, on_white, thinned
from processing.engines.cropping import square
from processing.engines.decoder import count_frames, load, opened
from processing.engines.orientation import orientation_of, turned_size, turning
from processing.engines.shrinking import Base, cascade, resized
from processing.facts import Facts, Made, Order, Product
from processing.presets import AnimatedPreset, ImagePreset, image_files, size_in, within_box

# WebP method 2 makes 8 % more bytes, 6 takes 2.4 times the CPU, at equal quality. AVIF at speed 9 takes
# 0.68 of the CPU of that, for 1.03 of the bytes.
ENCODER: dict[str, dict[str, Any]] = {"WEBP": {"method": 4}, "AVIF": {"speed": 9}}

# Pure Python: 4 ms for 32 pixels, 74 ms for 160, and the blurs differ by 7 levels of 255.
PLACEHOLDER_BOX = 32


def inspect(order: Order) -> Product:
    """The facts of an image, from its header alone.

    Raises Empty, UnsupportedType, Corrupt, TooManyPixels, TooManyFrames or ResourceLimit.
    """
    with opened(order) as image:
        orientation = orientation_of(image, order.limits)
        width, height = turned_size(image.size, turning(image, orientation))
        frames = count_frames(image, order.limits)
        return Product(facts=Facts("image", str(image.format), width, height, orientation, frames))


def render(order: Order) -> Product:
    """Every preset of the order as a file in its folder: upright, sRGB, never enlarged, no metadata.

    Raises the errors of `inspect`, above all Corrupt where the pixels cannot be decoded.
    """
    moving = [preset for preset in order.presets if isinstance(preset, AnimatedPreset)]
    still = [preset for preset in order.presets if preset not in moving]
    product = render_stills(order, still) if still else Product()
    films = [animation.write(share(order, number), preset) for number, preset in enumerate(moving, start=len(still))]
    return replace(product, files=(*product.files, *films))


def share(order: Order, done: int) -> Order:
    """The order for one more file, whose report counts as its share of the whole; `done` are finished."""
    return replace(order, report=lambda fraction: order.report((done + fraction) / len(order.presets)))


def render_stills(order: Order, presets: list[ImagePreset]) -> Product:
    """Every still preset, from one decode; what stands in for the picture while it loads."""
    base = decode(order, presets)
    levels = cascade(base, {size_in(preset, *base.size) for preset in presets})
    files = []
    for preset in presets:
        files.append(write(levels[size_in(preset, *base.size)], preset, order.folder))
        order.report(len(files) / len(order.presets))
    smallest = levels[min(levels)]
    return Product(placeholder=placeholder(smallest), colour=dominant(smallest), files=tuple(files))


def decode(order: Order, presets: list[ImagePreset]) -> Base:
    """Decode the source once, no larger than the largest preset needs where its format can do so."""
    with opened(order) as image:
        turn = turning(image, orientation_of(image, order.limits))
        size = turned_size(image.size, turn)
        largest = turned_size(max(size_in(preset, *size) for preset in presets), turn)
        # A JPEG decodes to 1/2, 1/4 or 1/8, the smallest that still holds this; others ignore it.
        # A 280 MP JPEG took 29 MB so, instead of 2.4 GB.
        image.draft(None, largest)
        load(image, order.limits)
        return Base(thinned(image, largest), size, turn, image.info.get("icc_profile"))


def write(picture: Image.Image, preset: ImagePreset, folder: Path) -> Made:
    """Encode the picture, which has the preset's size, into the folder."""
    path = folder / f"{preset.name}.{preset.extension}"
    if preset.square:
        picture = square(picture)
    if preset.format == "JPEG":
        picture = on_white(picture)
    picture.save(path, preset.format, quality=preset.quality, **ENCODER.get(preset.format, {}))
    return Made(preset.name, preset.version, path, preset.content_type, *picture.size)


def placeholder(picture: Image.Image) -> str:
    """The blurhash that stands in for the picture while it loads."""
    tiny = on_white(resized(picture, within_box(*picture.size, PLACEHOLDER_BOX)))
    pixels = list(tiny.get_flattened_data())
    rows = [pixels[start : start + tiny.width] for start in range(0, len(pixels), tiny.width)]
    return str(blurhash.encode(rows, components_x=4, components_y=3))


if __name__ == "__main__":
    sys.exit(alone.run(inspect, (alone.Step(render, image_files),), "Every size of one image, without the service."))
