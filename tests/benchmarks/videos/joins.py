"""A ten-minute film in parts against the same film in one process: frames, times, sound, and the joins.

    python -m tests.benchmarks.videos.joins [minutes] [parts]

The picture flashes white and the sound beeps every ten seconds, so that the two can be held together.
"""

import csv
import json
import re
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from processing import presets
from processing.engines import audio, ladder, packaging, videos
from processing.facts import Limits, Order
from tests.benchmarks.videos.clips import clip, run, with_vmaf

SIZE, RATE = (640, 360), 25
FLASH = "drawbox=c=white:t=fill:enable='lt(mod(t,10),0.2)'"
AROUND = 1.0  # seconds before and after a join


def in_parts(order: Order, folder: Path) -> tuple[Path, list[float]]:
    """The film's one size, and when its parts begin."""
    product = videos.inspect(order)
    facts = product.facts
    order = replace(order, facts=facts, presets=presets.rungs(facts))

    def encode(part) -> Path:
        inside = folder / str(part.number)
        inside.mkdir(parents=True)
        return ladder.transcode(replace(order, folder=inside, part=part)).pieces[0].path

    with ThreadPoolExecutor(2) as pool:
        pieces = tuple(pool.map(encode, product.parts))
    heard = audio.encode(replace(order, folder=folder)).pieces[0].path
    packed = replace(order, folder=folder, pieces={"mp4-360": pieces, "audio": (heard,)})
    return packaging.package(packed).files[0].path, [part.start for part in product.parts]


def times(path: Path) -> list[float]:
    """When each decoded frame is shown."""
    words = [
        "ffprobe",
        "-loglevel",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "frame=pts_time",
        "-of",
        "csv=p=0",
    ]
    said = subprocess.run([*words, str(path)], check=True, capture_output=True, text=True).stdout
    return [float(line.strip(",")) for line in said.split()]


def sound(path: Path) -> str:
    """A sum over all packets of the sound, with their times."""
    words = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "md5", "-"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def likeness(made: Path, source: Path) -> dict[str, list[float]]:
    """SSIM and VMAF of every frame against the source's."""
    log = made.with_suffix(".vmaf")
    graph = (
        "[0:v]settb=1/1000,setpts=N,split[a][b];[1:v]settb=1/1000,setpts=N,split[c][d];"
        f"[a][c]ssim=stats_file=-;[b][d]libvmaf=log_fmt=csv:log_path={log}:n_threads=2"
    )
    words = [with_vmaf(), "-nostdin", "-loglevel", "error", "-i", made, "-i", source, "-filter_complex", graph]
    said = subprocess.run([*words, "-f", "null", "-"], check=True, capture_output=True, text=True).stdout
    rows = csv.DictReader(log.read_text().splitlines())
    return {
        "ssim": [float(value) for value in re.findall(r"All:([\d.]+)", said)],
        "vmaf": [float(row["vmaf"]) for row in rows],
    }


def at_joins(values: list[float], near: list[bool]) -> dict[str, float]:
    """Their mean near the joins and elsewhere, and the worst near them."""
    close = [value for value, is_near in zip(values, near, strict=True) if is_near]
    return {
        "near_joins": statistics.mean(close),
        "worst_near_joins": min(close),
        "elsewhere": statistics.mean(value for value, is_near in zip(values, near, strict=True) if not is_near),
        "whole": statistics.mean(values),
    }


def apart(path: Path) -> float:
    """The most seconds between any flash and its beep."""
    filters = ["-vf", "negate,blackdetect=d=0.1:pix_th=0.2:pic_th=0.9", "-af", "silencedetect=n=-26dB:d=0.5"]
    said = run("ffmpeg", "-nostdin", "-copyts", "-i", path, *filters, "-f", "null", "-")
    flashes = [float(time) for time in re.findall(r"black_start:([\d.]+)", said)]
    beeps = [float(time) for time in re.findall(r"silence_end: ([\d.]+)", said)]
    paired = [min(abs(flash - beep) for beep in beeps) for flash in flashes if flash > 1]
    return max(paired)


def measure(folder: Path, minutes: float, parts: int) -> dict:
    source = clip(folder / "film.mp4", round(60 * minutes), SIZE, RATE, FLASH)
    order = Order(source, folder, limits=Limits(part=1e9))
    whole, _ = in_parts(order, folder / "one")
    facts = videos.inspect(order).facts
    frames = round((facts.duration or 0) * RATE)
    work = videos.cutting.work(frames, SIZE[0] * SIZE[1], SIZE[0] * SIZE[1])
    joined, starts = in_parts(replace(order, limits=Limits(part=work / parts)), folder / "parts")
    one, many = times(whole), times(joined)
    near = [any(abs(time - start) <= AROUND for start in starts[1:]) for time in many]
    like = {"one": likeness(whole, source), "parts": likeness(joined, source)}
    return {
        "parts": len(starts), "frames": [len(one), len(many)],
        "times_differ_by_at_most": max(abs(a - b) for a, b in zip(one, many, strict=True)),
        "sound_is_the_same": sound(whole) == sound(joined),
        "flash_and_beep_apart_by_at_most": apart(joined),
        **{f"{name}_{way}": at_joins(values, near) for way, both in like.items() for name, values in both.items()},
        "bytes": [whole.stat().st_size, joined.stat().st_size],
    }  # fmt: skip


if __name__ == "__main__":
    minutes, parts = ([*sys.argv[1:], *("10", "10")[len(sys.argv) - 1 :]])[:2]
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), float(minutes), int(parts))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
