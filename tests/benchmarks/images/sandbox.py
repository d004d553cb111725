"""What the sandbox costs a small photo: reused, in-process, and started anew for each job.

    python -m tests.benchmarks.images.sandbox [rounds]

Inspect and render of a 640 x 480 JPEG; the three kinds take turns, so that a busy machine slows all alike.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from processing.engines import images
from processing.engines.sandbox import Pool
from processing.facts import Order, Product
from processing.presets import WEBP

NAMES = ("processing.engines.images:inspect", "processing.engines.images:render")
Make = Callable[[Order], Product]


def both(order: Order, inspect: Make, render: Make) -> float:
    """Milliseconds for a whole photo."""
    started = time.perf_counter()
    facts = inspect(order).facts
    render(replace(order, facts=facts, presets=WEBP[:3]))
    return (time.perf_counter() - started) * 1000


def through(pool: Pool) -> tuple[Make, Make]:
    return (lambda order: pool.make(NAMES[0], order), lambda order: pool.make(NAMES[1], order))


def alone(order: Order, name: str) -> Product:
    pool = Pool(NAMES)
    try:
        return pool.make(name, order)
    finally:
        pool.idle.pop().stop()


def measure(order: Order, rounds: int) -> dict[str, float]:
    kinds = {
        "in_process": (images.inspect, images.render),
        "reused": through(Pool(NAMES)),
        "fresh": (lambda order: alone(order, NAMES[0]), lambda order: alone(order, NAMES[1])),
    }
    for makes in kinds.values():
        both(order, *makes)
    taken = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, makes in kinds.items():
            taken[kind].append(both(order, *makes))
    medians = {kind: round(statistics.median(each), 1) for kind, each in taken.items()}
    return {**medians, **{f"{kind}_ratio": round(medians[kind] / medians["in_process"], 2) for kind in kinds}}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "photo.jpg"
        Image.effect_noise((640, 480), 40).convert("RGB").save(source, "JPEG")
        found = measure(Order(source, Path(scratch)), int((sys.argv[1:] or ["15"])[0]))
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
