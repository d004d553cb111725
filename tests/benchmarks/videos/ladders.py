"""The ladder in parts against one process for each size, and against x264 alone.

    python -m tests.benchmarks.videos.ladders [seconds] [speed] [rounds] [parts] [all|wall|turns] [mbit]

`wall` is the two that its target speaks of alone, two workers and one process for each size, and `turns` the ladder
and x264 part by part: both of a film of so many Mbit/s, or of as many as a telephone writes. `all` is of a light one.

Variants take turns; each is measured in a process of its own: wall, CPU and the largest RSS of its
children. Four workers are worked out from the times the parts took, as the machine may have fewer cores.
Last, part by part, the engine's ladder and x264 alone on the same frames: turns short enough for a busy machine.
"""

import json
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from processing import presets
from processing.engines import audio, encoding, ffmpeg, ladder, packaging, videos
from processing.facts import Limits, Order
from tests.benchmarks.videos.clips import clip, run

WORKERS = 4
PHONE = 17  # Mbit/s: what telephones write 1080p30 with, as H.264
QUIET = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]


class Bench:
    """One clip, its ladder at one speed, and the ways to make it."""

    def __init__(self, source: Path, folder: Path, speed: str, parts: int) -> None:
        self.folder = folder
        self.order = Order(source, folder, limits=Limits())
        product = videos.inspect(self.order)
        self.rungs = tuple(replace(rung, speed=speed) for rung in presets.rungs(product.facts))
        self.order = replace(self.order, facts=product.facts, presets=self.rungs)
        self.parts = videos.inspect(replace(self.order, limits=Limits(part=self.work() / parts))).parts

    def work(self) -> float:
        """What the plan takes the whole to be, in CPU seconds."""
        facts = self.order.facts
        whole = videos.inspect(replace(self.order, limits=Limits(part=1e9))).parts[0].frames
        sizes = [ffmpeg.rung_size(facts.width, facts.height, rung) for rung in self.rungs]
        return videos.cutting.work(whole, facts.width * facts.height, sum(w * h for w, h in sizes))

    def sub(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True, parents=True)
        return path

    def one_process_per_rung(self) -> dict:
        """What peers do: each size decodes, scales and encodes by itself, with the cores there are."""
        out = self.sub("peers")
        for rung in self.rungs:
            width, height = ffmpeg.rung_size(self.order.facts.width, self.order.facts.height, rung)
            run(*QUIET, "-i", self.order.source, "-vf", f"scale={width}:{height}", *x264(rung, threads=0),
                "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", out / f"{rung.name}.mp4")  # fmt: skip
        return {}

    def one_decode(self) -> dict:
        """One process for the whole, four outputs, as many threads as cores; sound once."""
        whole = videos.inspect(replace(self.order, limits=Limits(part=1e9))).parts[0]
        self.encode("whole", [whole], workers=1, threads=os.cpu_count() or 1)
        return {}

    def parts_on_one(self) -> dict:
        return self.encode("parts", self.parts, workers=1)

    def parts_on_two(self) -> dict:
        return self.encode("two", self.parts, workers=2)

    def encode(self, name: str, parts, workers: int, threads: int = 1) -> dict:
        """Sound and parts as jobs for so many workers, then the join; seconds of each."""
        took: dict[str, float] = {}
        order = replace(self.order, limits=Limits(threads=threads))

        def timed(label: str, make: Callable, given: Order):
            started = time.perf_counter()
            product = make(given)
            took[label] = time.perf_counter() - started
            return product

        with ThreadPoolExecutor(workers) as pool:
            heard = pool.submit(timed, "audio", audio.encode, replace(order, folder=self.sub(f"{name}/audio")))
            made = [
                pool.submit(timed, f"part {part.number}", ladder.transcode,
                            replace(order, folder=self.sub(f"{name}/{part.number}"), part=part))
                for part in parts
            ]  # fmt: skip
            pieces = {"audio": (heard.result().pieces[0].path,)}
            for future in made:
                for piece in future.result().pieces:
                    pieces[piece.name] = (*pieces.get(piece.name, ()), piece.path)
        packed = replace(order, folder=self.sub(name), pieces=pieces, presets=(*self.rungs, presets.HLS))
        timed("package", packaging.package, packed)
        return took

    def x264_alone(self) -> dict:
        """The limit: each size from raw frames that were scaled before, no sound."""
        return self.alone("alone")

    def alone(self, name: str, *stretch) -> dict:
        for rung in self.rungs:
            width, height = ffmpeg.rung_size(self.order.facts.width, self.order.facts.height, rung)
            raw = ["-f", "rawvideo", "-s", f"{width}x{height}", "-r", self.order.facts.frame_rate]
            raw += ["-pix_fmt", "yuv420p", *stretch, "-i", self.folder / f"{rung.name}.yuv"]
            run(*QUIET, *raw, *x264(rung, threads=1), self.sub(name) / f"{rung.name}.mp4")
        return {}

    def part_by_part(self) -> list[float]:
        """CPU of the engine's ladder over that of x264 alone, of each part in turn."""
        rate, before, ratios = self.order.facts.frame_rate, 0, []
        for part in self.parts:
            order = replace(self.order, limits=Limits(threads=1), folder=self.sub("turns"), part=part)
            stretch = ["-ss", f"{before / rate:.6f}", "-t", f"{part.frames / rate:.6f}"]
            ours = apart(lambda order=order: {"pieces": len(ladder.transcode(order).pieces)})
            alone = apart(lambda stretch=stretch: self.alone("turns/alone", *stretch))
            ratios.append(ours["cpu"] / alone["cpu"])
            before += part.frames
        return ratios

    def scale_before(self) -> None:
        for rung in self.rungs:
            width, height = ffmpeg.rung_size(self.order.facts.width, self.order.facts.height, rung)
            run(*QUIET, "-i", self.order.source, "-vf", f"scale={width}:{height}:flags=bicubic", "-f", "rawvideo",
                "-pix_fmt", "yuv420p", self.folder / f"{rung.name}.yuv")  # fmt: skip

    def quality(self, name: str) -> dict:
        """Bytes and mean SSIM of every size against the frames that were scaled before."""
        found = {}
        for rung in self.rungs:
            width, height = ffmpeg.rung_size(self.order.facts.width, self.order.facts.height, rung)
            made = self.folder / name / f"{rung.name}.mp4"
            graph = "[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N[b];[a][b]ssim"
            raw = ["-f", "rawvideo", "-s", f"{width}x{height}", "-pix_fmt", "yuv420p"]
            before = [*raw, "-i", self.folder / f"{rung.name}.yuv"]
            said = run("ffmpeg", "-nostdin", "-i", made, *before, "-filter_complex", graph, "-f", "null", "-")
            found[rung.name] = {"bytes": made.stat().st_size, "ssim": float(re.findall(r"All:([\d.]+)", said)[-1])}
        return found


def x264(rung, threads: int) -> list:
    """The same quality, keyframes and caps for every variant."""
    return ["-c:v", "libx264", "-preset", rung.speed, "-profile:v", "high", "-pix_fmt", "yuv420p", "-crf", rung.crf,
            "-maxrate", f"{rung.maxrate}k", "-bufsize", f"{2 * rung.maxrate}k", "-sc_threshold", 0, "-g", 600,
            "-force_key_frames", f"expr:gte(t,n_forced*{encoding.GOP})", "-threads", threads]  # fmt: skip


def apart(make: Callable[[], dict]) -> dict:
    """What a variant takes, in a fork of its own so that CPU and RSS are its children's alone."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        started = time.perf_counter()
        took = make()
        wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024, "took": took}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = json.loads(pipe.read() or b"null")
    if os.waitpid(pid, 0)[1] or answer is None:
        raise SystemExit("a variant failed")
    return answer


def shared(took: dict[str, float], workers: int) -> float:
    """The seconds that jobs of these lengths take on so many workers, each taking the next; then the join."""
    free = [0.0] * workers
    for label, seconds in took.items():
        if label != "package":
            free[free.index(min(free))] += seconds
    return max(free) + took["package"]


def measure(source: Path, folder: Path, speed: str, rounds: int, parts: int) -> dict:
    bench = Bench(source, folder, speed, parts)
    bench.scale_before()
    variants = (bench.one_process_per_rung, bench.one_decode, bench.parts_on_one, bench.parts_on_two, bench.x264_alone)
    taken = {make.__name__: [apart(make)] for make in variants}
    for _ in range(rounds - 1):
        for make in variants:
            taken[make.__name__].append(apart(make))
    rows = {name: {key: statistics.median(each[key] for each in runs) for key in ("wall", "cpu", "rss")}
            for name, runs in taken.items()}  # fmt: skip
    took = {label: statistics.median(each["took"][label] for each in taken["parts_on_one"])
            for label in taken["parts_on_one"][0]["took"]}  # fmt: skip
    names = {"one_process_per_rung": "peers", "one_decode": "whole", "parts_on_one": "parts", "x264_alone": "alone"}
    for name, made in names.items():
        rows[name]["quality"] = bench.quality(made)
    one, four, turns = shared(took, 1), shared(took, WORKERS), bench.part_by_part()
    return {
        "clip": {"seconds": bench.order.facts.duration, "parts": [part.frames for part in bench.parts]},
        "speed": speed, "rounds": rounds, "variants": rows, "took": took, "part_by_part": turns,
        "ratios": {
            "cpu_ladder_to_x264_alone_part_by_part": statistics.median(turns),
            "cpu_parts_to_x264_alone": rows["parts_on_one"]["cpu"] / rows["x264_alone"]["cpu"],
            "cpu_one_decode_to_x264_alone": rows["one_decode"]["cpu"] / rows["x264_alone"]["cpu"],
            "cpu_peers_to_x264_alone": rows["one_process_per_rung"]["cpu"] / rows["x264_alone"]["cpu"],
            "wall_two_workers_to_peers": rows["parts_on_two"]["wall"] / rows["one_process_per_rung"]["wall"],
            "wall_one_decode_to_peers": rows["one_decode"]["wall"] / rows["one_process_per_rung"]["wall"],
            "four_workers_to_one_simulated": four / one,
            "cpu_parts_to_planned": rows["parts_on_one"]["cpu"] / bench.work(),
        },
    }  # fmt: skip


def measure_wall(source: Path, folder: Path, speed: str, rounds: int, parts: int) -> dict:
    """Two workers with one thread each against one process for each size: the ratio of each turn, and their median."""
    bench = Bench(source, folder, speed, parts)
    turns = [{make.__name__: apart(make) for make in (bench.one_process_per_rung, bench.parts_on_two)}
             for _ in range(rounds)]  # fmt: skip
    ratios = {key: [turn["parts_on_two"][key] / turn["one_process_per_rung"][key] for turn in turns]
              for key in ("wall", "cpu")}  # fmt: skip
    return {
        "parts": [part.frames for part in bench.parts], "speed": speed, "turns": turns, "ratios": ratios,
        "medians": {key: statistics.median(each) for key, each in ratios.items()},
    }  # fmt: skip


def measure_turns(source: Path, folder: Path, speed: str, rounds: int, parts: int) -> dict:
    """CPU of the ladder over that of x264 alone, part by part."""
    bench = Bench(source, folder, speed, parts)
    bench.scale_before()
    turns = [ratio for _ in range(rounds) for ratio in bench.part_by_part()]
    return {"speed": speed, "turns": turns, "median": statistics.median(turns)}


def show(found: dict) -> str:
    lines = [f"{'variant':24}{'wall s':>9}{'CPU s':>9}{'RSS MiB':>9}{'MB':>8}{'SSIM of each size':>34}"]
    for name, row in found["variants"].items():
        quality = row.get("quality", {}).values()
        size = sum(each["bytes"] for each in quality) / 1e6
        ssims = " ".join(f"{each['ssim']:.4f}" for each in quality)
        lines.append(f"{name:24}{row['wall']:9.1f}{row['cpu']:9.1f}{row['rss']:9.0f}{size:8.1f}{ssims:>34}")
    lines += [f"{name:40}{value:8.3f}" for name, value in found["ratios"].items()]
    return "\n".join(lines) + "\n"


MEASURES = {"all": measure, "wall": measure_wall, "turns": measure_turns}

if __name__ == "__main__":
    defaults = ("20", "veryfast", "1", "8", "all", str(PHONE))
    seconds, speed, rounds, parts, what, mbit = [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as scratch:
        source = clip(Path(scratch, "clip.mp4"), int(seconds), (1920, 1080), 30, mbit=0 if what == "all" else int(mbit))
        found = MEASURES[what](source, Path(scratch), speed, int(rounds), int(parts))
    sys.stderr.write(show(found) if what == "all" else "")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
