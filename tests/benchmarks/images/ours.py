"""Our lanes, naive Pillow and the encoders alone, as contestants.

    python -m tests.benchmarks.images.ours naive|plain|planar|hands|encoders

Ours are what `images.render` does, but for the blurhash and the dominant colour, which nobody else makes.
"""

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from processing.engines import images, planar
from processing.engines.shrinking import cascade
from processing.facts import Made, Order
from processing.presets import ImagePreset, size_in
from tests.benchmarks.images.contest import path_of, serve


def naive(order: dict[str, Any]) -> None:
    """What the tutorials say: open, copy, resize, save; for every size."""
    options = images.ENCODER["WEBP"] if order["format"] == "webp" else {}
    for number, size in enumerate(order["sizes"]):
        with Image.open(order["source"]) as image:
            small = image.copy().convert("RGB").resize(size, Image.Resampling.LANCZOS)
            small.save(path_of(order, number), quality=order["quality"], **options)


def lane(order: dict[str, Any]) -> None:
    presets = presets_of(order)
    ordered = order_of(order)
    source = images.decode(ordered, presets)
    sizes = {preset.name: size_in(preset, *source.size) for preset in presets}
    levels = cascade(source, set(sizes.values()))

    def write(preset: ImagePreset) -> Made:
        return images.write(levels[sizes[preset.name]], preset, ordered.folder)

    list(images.each(write, presets, ordered.hands))


def levels(order: dict[str, Any]) -> Any:
    presets = presets_of(order)
    source = images.decode(order_of(order), presets)
    made = cascade(source, {size_in(preset, *source.size) for preset in presets})
    as_encoded = made if order["format"] == "webp" else {size: images.picture_of(made[size]) for size in made}
    return [(as_encoded[size_in(preset, *source.size)], preset) for preset in presets]


def encoders(order: dict[str, Any]) -> None:
    for level, preset in order["prepared"]:
        images.write(level, preset, Path(order["folder"]))


def presets_of(order: dict[str, Any]) -> list[ImagePreset]:
    image_format = {"webp": "WEBP", "jpg": "JPEG"}[order["format"]]
    return [
        ImagePreset(str(number), max(size), image_format, order["quality"])
        for number, size in enumerate(order["sizes"])
    ]


def order_of(order: dict[str, Any]) -> Order:
    return Order(Path(order["source"]), Path(order["folder"]), hands=2 if sys.argv[1] == "hands" else 1)


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        planar.takes = lambda _: False
    if sys.argv[1] == "encoders":
        serve(encoders, levels)
    else:
        serve(naive if sys.argv[1] == "naive" else lane)
