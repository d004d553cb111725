"""How near the seconds that the service foretells come to what it then takes: real workers, a mixed load.

    python -m tests.benchmarks.videos.estimates [rounds]

Each round, two owners send twelve images of 1 to 12 megapixels and three films of 4 to 10 s, at once.
The first round warms the measures up. In the others `eta_seconds` of everything unfinished is noted
every half second, and compared with what was really left then. What is left for less than two seconds
is counted apart: there the half second between two looks is a quarter of it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import photo_bytes
from tests.e2e.service import FINAL, Service, send

PHOTOS = ((1200, 900), (2400, 1800), (4032, 3024))
FILMS = ((4, "640x360"), (10, "640x360"), (6, "1280x720"))
LOOK = 0.5  # seconds
SHORT = 2.0  # seconds
CLOSE = 0.3


@dataclass(frozen=True)
class Foretold:
    """What the service said of one original at one moment; `at` is seconds since the round began."""

    original: str
    kind: str
    at: float
    seconds: float


def film(folder: Path, seconds: int, size: str) -> bytes:
    path = folder / f"{seconds}-{size}.mp4"
    if not path.exists():
        source = f"testsrc2=s={size}:r=25:d={seconds}"
        words = ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        subprocess.run(["ffmpeg", "-v", "error", *words, str(path)], check=True)
    return path.read_bytes()


def send_all(clients: Sequence[httpx.Client], folder: Path) -> None:
    files = [(photo_bytes(size, quality=90), "photo.jpg") for size in PHOTOS for _ in range(4)]
    files += [(film(folder, *kind), "film.mp4") for kind in FILMS]
    for number, (data, name) in enumerate(files):
        send(clients[number % len(clients)], data, name)


def watch(clients: Sequence[httpx.Client]) -> tuple[list[Foretold], dict[str, float]]:
    """Look until all have ended: what was foretold, and when each ended."""
    began, said, ends = time.monotonic(), [], {}
    while True:
        items = [
            item for client in clients for item in client.get("/api/originals", params={"limit": 200}).json()["items"]
        ]
        at = time.monotonic() - began
        for item in items:
            if item["status"] in FINAL:
                ends.setdefault(item["id"], at)
            elif item["eta_seconds"] is not None:
                said.append(Foretold(item["id"], item["kind"], at, item["eta_seconds"]))
        if all(item["status"] in FINAL for item in items):
            return said, ends
        time.sleep(LOOK)


def compared(said: Sequence[Foretold], ends: dict[str, float]) -> dict[str, object]:
    """How near: medians of foretold / real, and the share within CLOSE (or a second, of what is short)."""
    pairs = [(item.seconds, ends[item.original] - item.at) for item in said if ends[item.original] > item.at]
    long = [(seconds, real) for seconds, real in pairs if real >= SHORT]
    short = [(seconds, real) for seconds, real in pairs if real < SHORT]
    ratios = sorted(seconds / real for seconds, real in long)
    return {
        "foretold": len(pairs),
        "median_ratio": round(statistics.median(ratios), 2) if ratios else None,
        "tenths": [round(ratios[len(ratios) * tenth // 10], 2) for tenth in (1, 9)] if ratios else None,
        "within_30_percent": share(abs(seconds / real - 1) <= CLOSE for seconds, real in long),
        "short_within_a_second": share(abs(seconds - real) <= 1 for seconds, real in short),
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
                    said, ends = watch((alice, bob))
                    for kind in ("image", "video"):
                        found = compared([item for item in said if item.kind == kind], ends)
                        line = {"round": number or "warm-up", "kind": kind, **found}
                        sys.stdout.write(json.dumps(line) + "\n")
                        sys.stdout.flush()
        finally:
            service.stop()


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["2"])[0]))
