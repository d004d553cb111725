"""An engine alone on the command line: SOURCE FOLDER in, files and one JSON document out."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from processing.errors import MediaError
from processing.facts import Facts, Limits, Made, Order, Product
from processing.presets import Preset

Make = Callable[[Order], Product]
Presets = Callable[[Facts], tuple[Preset, ...]]


def run(
    inspect: Make, steps: Sequence[tuple[Make, Presets]], description: str, argv: Sequence[str] | None = None
) -> int:
    """Inspect SOURCE, make every preset of every step in FOLDER, print what came of it as JSON.

    The exit status is 1 where the media is at fault, and the JSON then says why.
    """
    started = time.perf_counter()
    order = read_command_line(description, argv)
    try:
        answer = describe(make_all(inspect, steps, order))
    except MediaError as error:
        print_json({"error": {"code": error.code, "message": str(error), "details": error.details}})
        return 1
    print_json({**answer, "seconds": round(time.perf_counter() - started, 3)})
    return 0


def read_command_line(description: str, argv: Sequence[str] | None) -> Order:
    """The order given by SOURCE FOLDER; the folder is made where it is missing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the file to read")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files are written")
    arguments = parser.parse_args(argv)
    if not arguments.source.is_file():
        parser.error(f"there is no file {arguments.source}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    return Order(arguments.source, arguments.folder, limits=Limits())


def make_all(inspect: Make, steps: Sequence[tuple[Make, Presets]], order: Order) -> Product:
    """The facts, and what all steps made, as one product."""
    facts = inspect(order).facts
    if facts is None:
        raise TypeError("an inspecting step must hand back facts")
    product = Product(facts=facts)
    for number, (make, presets) in enumerate(steps, start=1):
        report = progress_line(f"step {number} of {len(steps)}")
        made = make(replace(order, facts=facts, presets=presets(facts), report=report))
        product = replace(
            product,
            placeholder=product.placeholder or made.placeholder,
            colour=product.colour or made.colour,
            files=product.files + made.files,
        )
    return product


def progress_line(label: str) -> Callable[[float], None]:
    """A report that keeps one line on a terminal up to date, and is silent in a pipe."""

    def report(fraction: float) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{label} {fraction:4.0%}\x1b[K" + ("\n" if fraction >= 1 else ""))
            sys.stderr.flush()

    return report


def describe(product: Product) -> dict[str, Any]:
    """A product as plain JSON values."""
    return {
        "facts": asdict(product.facts) if product.facts else None,
        "placeholder": product.placeholder,
        "colour": product.colour,
        "files": [describe_file(made) for made in product.files],
    }


def describe_file(made: Made) -> dict[str, Any]:
    """One file as plain JSON values, with its size on disk."""
    return {
        "preset": made.preset,
        "path": str(made.path),
        "content_type": made.content_type,
        "width": made.width,
        "height": made.height,
        "bytes": made.path.stat().st_size,
    }


def print_json(answer: dict[str, Any]) -> None:
    """One document on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
