"""How near the place in line and the seconds left that the service foretells come to what then happens.

    python -m tests.benchmarks.videos.estimates [rounds]

Real workers, a mixed load: each round, two owners send 24 images of 1 to 12 megapixels and four films of 8 to
20 s, at once. The first round warms the measures up. In the others `eta_seconds` of everything unfinished is noted
twice a second, and compared with what was really left when it was asked for, as the rows say. What is left for less
than two seconds is counted apart. A place in line is compared with how many jobs of its queue were really begun
until the first of its own was, one more or less let pass.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx

from tests.conftest import photo_bytes
from tests.e2e.service import FINAL, Service, send

PHOTOS = ((1200, 900), (2400, 1800), (4032, 3024))
EACH = 8
FILMS = ((10, "640x360"), (20, "640x360"), (12, "1280x720"), (8, "1920x1080"))
LOOK = 0.5  # seconds
SHORT = 2.0  # seconds
CLOSE = 0.3


@dataclass(frozen=True)
class Foretold:
    """What the service said of one original at one moment: `at` is seconds since the epoch."""

    original: str
    kind: str
    at: float
    seconds: float
    position: int | None


# Of each original: which queue each of its jobs was begun on, and when.
Begun = dict[str, list[tuple[str, float]]]


def film(folder: Path, seconds: int, size: str) -> bytes:
    path = folder / f"{seconds}-{size}.mp4"
    if not path.exists():
        source = f"testsrc2=s={size}:r=25:d={seconds}"
        words = ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        subprocess.run(["ffmpeg", "-v", "error", *words, str(path)], check=True)
    return path.read_bytes()


def send_all(clients: Sequence[httpx.Client], folder: Path) -> None:
    files = [(photo_bytes(size, quality=90), "photo.jpg") for size in PHOTOS for _ in range(EACH)]
    files += [(film(folder, *kind), "film.mp4") for kind in FILMS]
    for number, (data, name) in enumerate(files):
        send(clients[number % len(clients)], data, name)


def watch(clients: Sequence[httpx.Client]) -> list[Foretold]:
    """Look until all have ended: what was foretold."""
    said = []
    while True:
        all_ended = True
        for client in clients:
            at = time.time()
            for item in client.get("/api/originals", params={"limit": 200}).json()["items"]:
                all_ended = all_ended and item["status"] in FINAL
                if item["eta_seconds"] is not None:
                    said.append(Foretold(item["id"], item["kind"], at, item["eta_seconds"], item["queue_position"]))
        if all_ended:
            return said
        time.sleep(LOOK)


def begun(data: Path) -> Begun:
    """As the rows of the service say."""
    found: Begun = {}
    asked = (
        "select run.original_id, job.queue, job.started_at from processing_job job"
        " join processing_run run on run.id = job.run_id where job.started_at is not null order by job.started_at"
    )
    for original, queue, started in rows(data, asked):
        found.setdefault(str(UUID(original)), []).append((queue, moment(started)))
    return found


def ended(data: Path) -> dict[str, float]:
    """When each original was ready."""
    asked = "select original_id, finished_at from processing_run where finished_at is not null"
    return {str(UUID(original)): moment(finished) for original, finished in rows(data, asked)}


def rows(data: Path, asked: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"file:{data}?mode=ro", uri=True)) as database:
        return database.execute(asked).fetchall()


def moment(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def places(said: Sequence[Foretold], jobs: Begun) -> list[tuple[int, int]]:
    """(foretold, real) places in line."""
    found = []
    for item in said:
        own = next(((queue, at) for queue, at in jobs[item.original] if at > item.at), None)
        if item.position is not None and own:
            queue, first = own
            others = [at for each in jobs.values() for where, at in each if where == queue and item.at < at < first]
            found.append((item.position, 1 + len(others)))
    return found


def compared(said: Sequence[Foretold], ends: dict[str, float], jobs: Begun) -> dict[str, object]:
    """How near: medians of foretold / real, and the share within CLOSE (or a second, of what is short)."""
    pairs = [(item.seconds, ends[item.original] - item.at) for item in said if ends[item.original] > item.at]
    long = [(seconds, real) for seconds, real in pairs if real >= SHORT]
    short = [(seconds, real) for seconds, real in pairs if real < SHORT]
    ratios = sorted(seconds / real for seconds, real in long)
    lines = places(said, jobs)
    return {
        "foretold": len(pairs),
        "median_ratio": round(statistics.median(ratios), 2) if ratios else None,
        "tenths": [round(ratios[len(ratios) * tenth // 10], 2) for tenth in (1, 9)] if ratios else None,
        "within_30_percent": share(abs(seconds / real - 1) <= CLOSE for seconds, real in long),
        "short_within_a_second": share(abs(seconds - real) <= 1 for seconds, real in short),
        "places": len(lines),
        "places_within_30_percent": share(abs(place - real) <= max(1, CLOSE * real) for place, real in lines),
    }


def share(hits: object) -> float | None:
    found = list(hits)  # type: ignore[call-overload]
    return round(sum(found) / len(found), 2) if found else None


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder) / "data")
        service.start()
        try:
            with service.client("alice") as alice, service.client("bob") as bob:
                for number in range(rounds + 1):
                    send_all((alice, bob), Path(folder))
                    said = watch((alice, bob))
                    data = service.data / "mediaweb.sqlite3"
                    jobs, ends = begun(data), ended(data)
                    for kind in ("image", "video"):
                        found = compared([item for item in said if item.kind == kind], ends, jobs)
                        line = {"round": number or "warm-up", "kind": kind, **found}
                        sys.stdout.write(json.dumps(line) + "\n")
                        sys.stdout.flush()
        finally:
            service.stop()


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["2"])[0]))
