"""Whole films by way of the video steps, for tests of what comes out in the end."""

from processing.engines import alone, audio, ladder, packaging, videos
from processing.facts import Order, Product


def transcode(order: Order) -> Product:
    """Every rung of the order as a file in its folder: cut, encoded and joined."""
    steps = (
        alone.Step(audio.encode, alone.nothing),
        alone.Step(ladder.transcode, lambda _: order.presets, by_part=True),
        alone.Step(packaging.package, lambda _: order.presets),
    )
    return Product(files=alone.make_all(videos.inspect, steps, order).files)
