"""pyvips as a contestant, in an environment of its own: `python -m tests.benchmarks.images.vips cascade|five`."""

import sys
from typing import Any

import pyvips

from tests.benchmarks.images.contest import path_of, serve

pyvips.cache_set_max(0)


def cascade(order: dict[str, Any]) -> None:
    """One decode: the largest from the file, each other from the one before."""
    level = None
    for number, (width, height) in enumerate(order["sizes"]):
        how = {"height": height, "size": "force"}
        if level is None:
            level = pyvips.Image.thumbnail(order["source"], width, **how)
        else:
            level = level.thumbnail_image(width, **how)
        level = level.copy_memory()
        save(level, order, number)


def five(order: dict[str, Any]) -> None:
    """The usual way: every size from the file."""
    for number, (width, height) in enumerate(order["sizes"]):
        save(pyvips.Image.thumbnail(order["source"], width, height=height, size="force"), order, number)


def save(image: pyvips.Image, order: dict[str, Any], number: int) -> None:
    image.write_to_file(str(path_of(order, number)), Q=order["quality"], keep="none")


if __name__ == "__main__":
    serve({"cascade": cascade, "five": five}[sys.argv[1]])
