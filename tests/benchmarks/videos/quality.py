"""What our quality with a capped rate buys against a ladder of fixed bit rates, on clips of one's own.

    python -m tests.benchmarks.videos.quality --measure FFMPEG CLIP…

FFMPEG is one with libvmaf, such as the one that the package imageio-ffmpeg carries; Debian's has none.
Each clip is encoded by the engine's own command, once as presets.py says and once at FIXED, and
compared with itself at its own size. Prints a Markdown table.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processing import presets
from processing.engines import encoding, ffmpeg, videos
from processing.facts import Limits, Order
from processing.presets import Rung

# kbit/s by short side: between Apple's authoring specification and what YouTube asks for.
FIXED = {360: 800, 480: 1400, 720: 3000, 1080: 6000}
LIMITS = Limits(threads=1, part=6 * 3600)
SUBSAMPLE = 5  # VMAF looks at one frame of so many


@dataclass(frozen=True)
class Score:
    """One file against its clip."""

    kbits: float
    ssim: float
    vmaf: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", required=True, metavar="FFMPEG")
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    told = parser.parse_args()
    print_row("clip", "rung", "kbit/s", "SSIM", "VMAF", "fixed kbit/s", "SSIM", "VMAF")
    print_row(*["---"] * 2, *["---:"] * 6)
    for clip in told.clips:
        for rung, ours, fixed in compared(clip, told.measure):
            print_row(clip.stem, rung.name, *shown(ours), *shown(fixed))


def compared(clip: Path, measure: str) -> list[tuple[Rung, Score, Score]]:
    """For each rung of a clip: as we encode it, and at a fixed rate."""
    with TemporaryDirectory() as scratch:
        product = videos.inspect(Order(clip, Path(scratch), limits=LIMITS))
        facts, (part, *others) = product.facts, product.parts
        if others:
            sys.exit(f"{clip} is too long: one part is compared")
        rungs = presets.rungs(facts)
        sizes = [(rung, ffmpeg.rung_size(facts.width, facts.height, rung)) for rung in rungs]
        argv = encoding.rungs(clip, part, facts, sizes, LIMITS)
        found = []
        for words, name in ((argv, "ours"), (at_fixed_rates(argv), "fixed")):
            folder = Path(scratch, name)
            folder.mkdir()
            subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            found.append([score(folder / ffmpeg.file_name(rung), clip, facts.duration, measure) for rung in rungs])
        return list(zip(rungs, *found, strict=True))


def at_fixed_rates(argv: list[str]) -> list[str]:
    """The same command with a bit rate in place of each quality; the cap is a tenth above it."""
    sides = {rung.maxrate: rung.short_side for rung in presets.LADDER}
    words = list(argv)
    for place in [place for place, word in enumerate(words) if word == "-maxrate:v"]:
        rate = FIXED[sides[int(words[place + 1].rstrip("k"))]]
        words[place + 1] = f"{round(1.1 * rate)}k"
        quality = max(number for number, word in enumerate(words) if word == "-crf:v" and number < place)
        words[quality : quality + 2] = ["-b:v", f"{rate}k"]
    return words


def score(made: Path, clip: Path, seconds: float, measure: str) -> Score:
    """Measure a file against its clip, frame by frame, at the clip's size."""
    graph = (
        "[1:v]setpts=N,split[a][b];[0:v]setpts=N[small];[small][a]scale2ref=flags=bicubic[big][ref];"
        f"[big]split[x][y];[x][ref]ssim;[y][b]libvmaf=n_subsample={SUBSAMPLE}:n_threads=1"
    )
    command = [measure, "-nostdin", "-hide_banner", "-i", str(made), "-i", str(clip), "-lavfi", graph]
    said = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True, text=True).stderr
    ssim, vmaf = re.search(r"All:([\d.]+)", said), re.search(r"VMAF score: ([\d.]+)", said)
    return Score(made.stat().st_size * 8 / 1000 / seconds, float(ssim[1]), float(vmaf[1]))


def shown(score: Score) -> tuple[str, str, str]:
    """A score as cells."""
    return f"{score.kbits:.0f}", f"{score.ssim:.4f}", f"{score.vmaf:.1f}"


def print_row(*cells: str) -> None:
    """A row of the table, as soon as it is known."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
