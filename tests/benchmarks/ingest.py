"""What it costs to take a file in: 1 GiB through tus against a plain copy of it, and the memory of the web process.

`python -m tests.benchmarks.ingest [--mib 1024] [--rounds 3]`: medians of interleaved rounds, as a table and JSON.
With TMPDIR=/dev/shm nobody waits for a disk: what is acknowledged is on it elsewhere, and a plain copy is not.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
VERSION = {"Tus-Resumable": "1.0.0"}


class Web:
    """The web process as `make run` starts it, on data of its own."""

    def __init__(self, data: Path) -> None:
        self.environment = {**os.environ, "MEDIAWEB_DATA": str(data), **tuned()}
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.manage("migrate", "-v0")
        self.token = self.manage("api_token", "bench", "--create").strip()
        words = ["uvicorn", "mediaweb.asgi:application", "--port", str(port), "--log-level", "error"]
        self.process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=self.environment)
        # One for all uploads: to make a client takes 60 ms, which are not the server's.
        self.client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}", **VERSION})
        until(self.answers)

    def manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def upload(self, path: Path) -> None:
        """One creation and one PATCH, from a client that costs next to nothing."""
        size = path.stat().st_size
        named = {"Upload-Length": str(size), "Upload-Metadata": f"filename {b64encode(b'film.mp4').decode()}"}
        place = httpx.URL(self.client.post("/files/", headers=named).headers["location"])
        more = {
            "Host": f"{place.host}:{place.port}",
            "Authorization": self.client.headers["Authorization"],
            **VERSION,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
            "Upload-Offset": "0",
            "Connection": "close",
        }
        lines = [f"PATCH {place.path} HTTP/1.1", *(f"{key}: {value}" for key, value in more.items())]
        with socket.create_connection((place.host, place.port or 80)) as line, path.open("rb") as file:
            line.sendall("\r\n".join([*lines, "", ""]).encode())
            line.sendfile(file)
            answer = line.recv(4096)
        assert answer.startswith(b"HTTP/1.1 204"), answer


def tuned() -> dict[str, str]:
    """What compose/supervisord.conf sets for the web process."""
    text = (ROOT / "compose" / "supervisord.conf").read_text().partition("[program:web]")[2]
    line = next((line for line in text.splitlines() if line.startswith("environment")), "environment = ")
    pairs = [pair for pair in line.partition("= ")[2].split(",") if pair]
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs)}


class Peak:
    """The largest RSS of a process above what it was, while this is open."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.idle = self.most = self.process.memory_info().rss
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while not self.over.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)

    def __enter__(self) -> "Peak":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    @property
    def above(self) -> float:
        return (self.most - self.idle) / (1 << 20)


def written(path: Path, mib: int) -> Path:
    block = secrets.token_bytes(1 << 20)
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        for number in range(mib):
            file.write(number.to_bytes(8, "big") + block[8 if number else 20 :])
    return path


def copied(source: Path, target: Path, *, synced: bool) -> None:
    shutil.copyfile(source, target)
    if synced:
        handle = os.open(target, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    target.unlink()


def timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ingest-") as name:
        folder = Path(name)
        source, web = written(folder / "source", options.mib), Web(folder / "data")
        seconds: dict[str, list[float]] = {"copy": [], "copy and sync": [], "tus": []}
        peaks = []
        for number in range(options.rounds):
            with source.open("r+b") as file:  # other bytes each time, or they would be here already
                file.seek(12)
                file.write(number.to_bytes(8, "big"))
            seconds["copy"].append(timed(lambda: copied(source, folder / "copy", synced=False)))
            seconds["copy and sync"].append(timed(lambda: copied(source, folder / "copy", synced=True)))
            with Peak(web.process.pid) as peak:
                seconds["tus"].append(timed(lambda: web.upload(source)))
            peaks.append(peak.above)
            shutil.rmtree(folder / "data" / "media")
        web.process.terminate()
        web.process.wait()
    report(seconds, peaks, options.mib)


def report(seconds: dict[str, list[float]], peaks: list[float], mib: int) -> None:
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    ratios = {
        f"tus / {name}": statistics.median(a / b for a, b in zip(seconds["tus"], seconds[name], strict=True))
        for name in ("copy", "copy and sync")
    }
    for name, median in medians.items():
        print(f"{name:16} {median:7.2f} s {mib / median:8.0f} MiB/s")  # noqa: T201
    print(json.dumps({"mib": mib, "seconds": seconds, "ratios": ratios, "rss_mib_above_idle": max(peaks)}))  # noqa: T201


if __name__ == "__main__":
    main()
