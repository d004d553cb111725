"""Still images: measured by their header, and shrunk to every size wanted from one decode.

The plain lane takes everything: decode → eight bits → shrink → sRGB → upright → encode. Shrinking comes
first, so that colours and turning cost a 2048 pixel picture and not a 100 megapixel one. The planar lane
(`planar`) takes the commonest case, a JPEG in sRGB, for 0.7 of the CPU, and nobody can tell the files apart.
"""

import io
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import blurhash
from PIL import Image

from processing.engines import animation, loops, planar
from processing.engines.colour import dominant, on_white, thinned
from processing.engines.cropping import square
from processing.engines.decoder import count_frames, load, opened
from processing.engines.orientation import orientation_of, turned_size, turning
from processing.engines.planar import Planes
from processing.engines.shot import taken_of
from processing.engines.shrinking import Base, Source, cascade, resized
from processing.facts import Facts, Made, Order, Product
from processing.presets import AnimatedPreset, ImagePreset, LoopPreset, image_files, size_in, within_box

# WebP method 2 makes 8 % more bytes, 6 takes 2.4 times the CPU, at equal quality. AVIF at speed 9 takes
# 0.68 of the CPU of that, for 1.03 of the bytes. Fitting a JPEG's codes to the picture takes 2 ms at 1280
# pixels, and 2 to 30 % off its bytes.
ENCODER: dict[str, dict[str, Any]] = {"WEBP": {"method": 4}, "AVIF": {"speed": 9}, "JPEG": {"optimize": True}}

# The upright sRGB picture at one size, as the lanes hold it.
Level = Image.Image | Planes

# Pure Python: 4 ms for 32 pixels, 74 ms for 160, and the blurs differ by 7 levels of 255.
PLACEHOLDER_BOX = 32


def inspect(order: Order) -> Product:
    """The facts of an image, from its header alone.

    Raises Empty, UnsupportedType, Corrupt, TooManyPixels, TooManyFrames or ResourceLimit.
    """
    with opened(order) as image:
        orientation = orientation_of(image, order.limits)
        width, height = turned_size(image.size, turning(image, orientation))
        taken = taken_of(image, order.limits)
        frames = count_frames(image, order.limits)
        plays = animation.plays(image) if frames > 1 else 0
        facts = Facts("image", str(image.format), width, height, orientation, frames, plays, taken=taken)
        return Product(facts=facts)


def render(order: Order) -> Product:
    """Every preset of the order as a file in its folder: upright, sRGB, never enlarged, no metadata.

    Raises the errors of `inspect`, above all Corrupt where the pixels cannot be decoded.
    """
    still = [preset for preset in order.presets if isinstance(preset, ImagePreset)]
    moving = [preset for preset in order.presets if preset not in still]
    product = render_stills(order, still) if still else Product()
    films = write_films(share(order, len(still)), moving) if moving else []
    worth = [film for film in films if is_worth_it(film, films)]
    if order.facts and worth != films:
        product = replace(product, facts=replace(order.facts, loops=False))  # so that nobody owes them again
    return replace(product, files=(*product.files, *worth))


def is_worth_it(film: Made, films: Sequence[Made]) -> bool:
    """Whether it is a WebP, or smaller than those made with it."""
    webps = [other.path.stat().st_size for other in films if other.content_type == AnimatedPreset.content_type]
    return film.content_type == AnimatedPreset.content_type or film.path.stat().st_size < min(webps, default=math.inf)


def write_films(order: Order, presets: list[AnimatedPreset | LoopPreset]) -> list[Made]:
    """Each file of what moves. Loops are recorded beside the first WebP, so that all frames are decoded once."""
    looping = [preset for preset in presets if isinstance(preset, LoopPreset)]
    animated = [preset for preset in presets if isinstance(preset, AnimatedPreset)]
    if not animated:
        return [loops.write(order, preset) for preset in looping]
    made: list[Made] = []

    @contextmanager
    def beside(film: animation.Film) -> Iterator[None]:
        with ExitStack() as recordings:
            for preset in looping:
                recordings.enter_context(loops.recording(film, order.folder, preset))
            yield
        made.extend(loops.made_of(film, order.folder, preset) for preset in looping)

    return [
        animation.write(order, animated[0], beside),
        *(animation.write(order, each) for each in animated[1:]),
        *made,
    ]


def share(order: Order, done: int) -> Order:
    """The order for the files that are left, whose report counts as their share; `done` are finished."""
    total = len(order.presets)
    return replace(order, report=lambda fraction: order.report((done + (total - done) * fraction) / total))


def render_stills(order: Order, presets: list[ImagePreset]) -> Product:
    """Every still preset, from one decode; what stands in for the picture while it loads."""
    source = decode(order, presets)
    sizes = {preset: size_in(preset, *source.size) for preset in presets}
    levels = cascade(source, set(sizes.values()))
    smallest = picture_of(levels[min(levels)])
    files: dict[str, Made] = {}
    # The largest first: it takes half of the time, which the smaller ones fill on the other threads.
    largest_first = sorted(presets, key=lambda preset: preset.box, reverse=True)
    for made in each(lambda preset: write(levels[sizes[preset]], preset, order.folder), largest_first, order.hands):
        files[made.preset] = made
        order.report(len(files) / len(order.presets))
    in_order = tuple(files[preset.name] for preset in presets)
    return Product(placeholder=placeholder(smallest), colour=dominant(smallest), files=in_order)


def each(make: Callable[[ImagePreset], Made], presets: Sequence[ImagePreset], hands: int) -> Iterator[Made]:
    """What is made of each preset, in order, on so many threads: decoders and encoders let go of the GIL."""
    if hands == 1:
        yield from map(make, presets)
        return
    with ThreadPoolExecutor(hands) as crew:
        yield from crew.map(make, presets)


def decode(order: Order, presets: list[ImagePreset]) -> Source[Any]:
    """Decode the source once, in its lane, no larger than the largest preset needs where its format can do so."""
    with opened(order) as image:
        turn = turning(image, orientation_of(image, order.limits))
        size = turned_size(image.size, turn)
        largest = turned_size(max(size_in(preset, *size) for preset in presets), turn)
        is_planar = planar.takes(image)
        # A JPEG decodes to 1/2, 1/4 or 1/8, the smallest that still holds this; others ignore it.
        # A 280 MP JPEG took 29 MB so, instead of 2.4 GB.
        image.draft(planar.MODE if is_planar else None, largest)
        load(image, order.limits)
        if is_planar and image.mode == planar.MODE:
            return planar.taken(image, size, turn)
        return Base(thinned(image, largest), size, turn, image.info.get("icc_profile"))


def write(level: Level, preset: ImagePreset, folder: Path) -> Made:
    """Encode the level, which has the preset's size, into the folder."""
    path = folder / f"{preset.name}.{preset.extension}"
    if isinstance(level, Planes) and preset.format == "WEBP" and not preset.square:
        path.write_bytes(level.webp(preset.quality, **ENCODER["WEBP"]))
        size = level.size
    else:
        picture = finished(picture_of(level), preset)
        # Not into the file: Pillow writes a JPEG by one call, and takes what a full disk has room for as all of it.
        encoded = io.BytesIO()
        picture.save(encoded, preset.format, quality=preset.quality, **ENCODER.get(preset.format, {}))
        path.write_bytes(encoded.getbuffer())
        size = picture.size
    return Made(preset.name, preset.version, path, preset.content_type, *size)


def finished(picture: Image.Image, preset: ImagePreset) -> Image.Image:
    """The picture as the preset shows it, with nothing its format does not know."""
    if preset.square:
        picture = square(picture)
    return on_white(picture) if preset.format == "JPEG" else picture


def picture_of(level: Level) -> Image.Image:
    """The level as RGB, or RGBA where it has transparency."""
    return level.picture() if isinstance(level, Planes) else level


def placeholder(picture: Image.Image) -> str:
    """The blurhash that stands in for the picture while it loads."""
    tiny = on_white(resized(picture, within_box(*picture.size, PLACEHOLDER_BOX)))
    pixels = list(tiny.get_flattened_data())
    rows = [pixels[start : start + tiny.width] for start in range(0, len(pixels), tiny.width)]
    return str(blurhash.encode(rows, components_x=4, components_y=3))


if __name__ == "__main__":
    from processing.engines import alone  # a command line's: 1 MB that no sandbox needs

    sys.exit(alone.run(inspect, (alone.Step(render, image_files),), "Every size of one image, without the service."))
