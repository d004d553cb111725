"""An engine alone on the command line: SOURCE FOLDER in, files and one JSON document out."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from processing.errors import MediaError
from processing.facts import Facts, Limits, Made, Order, Product
from processing.presets import Preset

Make = Callable[[Order], Product]
Presets = Callable[[Facts], tuple[Preset, ...]]


def nothing(facts: Facts) -> tuple[Preset, ...]:
    """The presets of a step that makes pieces only."""
    return ()


@dataclass(frozen=True)
class Step:
    """One function of an engine, what it owes to an original with these facts, and whether part by part."""

    make: Make
    presets: Presets
    by_part: bool = False


def run(inspect: Make, steps: Sequence[Step], description: str, argv: Sequence[str] | None = None) -> int:
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
    return Order(arguments.source, arguments.folder, limits=Limits(), report=progress_line(arguments.source.name))


def make_all(inspect: Make, steps: Sequence[Step], order: Order) -> Product:
    """The facts, and what all steps made, as one product; pieces go from step to step."""
    product = inspect(order)
    facts = product.facts
    if facts is None:
        raise TypeError("an inspecting step must hand back facts")
    owing = [step for step in steps if step.presets is nothing or step.presets(facts)]
    jobs = [(step, part) for step in owing for part in (product.parts if step.by_part else (None,))]
    pieces: dict[str, tuple[Path, ...]] = {}
    with TemporaryDirectory(dir=order.folder, prefix=".pieces-") as scratch:
        for number, (step, part) in enumerate(jobs):
            folder = Path(scratch, str(number)) if step.presets is nothing or part else order.folder
            folder.mkdir(exist_ok=True)
            wanted = step.presets(facts)
            report = share(order.report, number, len(jobs))
            made = step.make(
                replace(order, folder=folder, facts=facts, presets=wanted, part=part, pieces=pieces, report=report)
            )
            for piece in made.pieces:
                pieces[piece.name] = (*pieces.get(piece.name, ()), piece.path)
            product = replace(
                product,
                placeholder=product.placeholder or made.placeholder,
                colour=product.colour or made.colour,
                files=product.files + made.files,
            )
    return product


def share(report: Callable[[float], None], number: int, total: int) -> Callable[[float], None]:
    """The report of one job of several."""
    return lambda fraction: report((number + fraction) / total)


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
        "name": made.name,
        "path": str(made.path),
        "content_type": made.content_type,
        "width": made.width,
        "height": made.height,
        "bytes": made.path.stat().st_size,
    }


def print_json(answer: dict[str, Any]) -> None:
    """One document on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
