"""Many uploads at once, against one at a time: `python -m tests.benchmarks.load [sqlite|postgres] [SCENE …]`.

A service of its own, as `make run` starts it, with its workers on the same cores. First the idle median: 100 kB
pictures one after the other, each when the service has done with the one before. Then the scenes:

burst: 200 clients, each of which sends its next picture as soon as the last is answered.
crowd: 200 clients, each of which waits 10 s on average between an answer and the next picture.
large: 50 clients that send 100 MB each, half by a POST and half by tus.

At the end every upload that was answered 201 is asked for: it is there, and ends ready or failed. Prints a table and
JSON. `burst` is a closed loop: each of 200 clients waits for 199 others, whatever an upload costs (see
docs/performance.md, where both are read).
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from tests.benchmarks.ingest import Peak
from tests.e2e.service import FINAL, Service
from tests.postgres import cluster
from tests.uploads.web import BODY, VERSION, metadata

CLIENTS, PAUSE, SECONDS = 200, 10.0, 120.0
LARGE, LARGE_BYTES = 50, 100_000_000
SMALL_BYTES = 100_000
IDLE = 25  # uploads, for the median
BLOCK = 1 << 20
PATIENCE = 1800.0  # seconds for the workers to make what was sent
CHANCE = secrets.SystemRandom()


@dataclass
class Scene:
    """What came of one scene."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    wall: float = 0.0
    peak: float = 0.0  # MiB of the web process
    load: float = 0.0  # of the machine, when it began: other work disturbs

    def note(self, status: str, seconds: float, original_id: str = "") -> None:
        self.statuses[status] += 1
        self.seconds.append(seconds)
        if original_id:
            self.ids.append(original_id)

    def report(self, idle: float) -> dict[str, Any]:
        found = sorted(self.seconds)
        p99 = found[int(len(found) * 0.99)] if found else 0.0
        return {
            "answers": dict(self.statuses),
            "per_second": round(len(found) / self.wall, 1),
            "median_ms": round(1000 * statistics.median(found)),
            "p99_ms": round(1000 * p99),
            "worst_ms": round(1000 * found[-1]),
            "p99_over_idle_median": round(p99 / idle, 1),
            "web_rss_peak_mib": round(self.peak),
            "load_before": self.load,
        }


class Pictures:
    """A small picture in a file of 100 kB, each time in bytes of its own: behind its end, where no reader looks."""

    def __init__(self) -> None:
        file = BytesIO()
        Image.effect_noise((320, 240), 60).save(file, "JPEG")
        self.data = file.getvalue()

    def next(self) -> bytes:
        return self.data + secrets.token_bytes(SMALL_BYTES - len(self.data))


class Sender:
    """Sends small files by requests that cost next to nothing to make: the service has the same two cores."""

    def __init__(self, url: str, token: str) -> None:
        self.place = httpx.URL(url)
        edge = secrets.token_hex(8)
        disposition = 'Content-Disposition: form-data; name="file"; filename="photo.jpg"'
        self.before = f"--{edge}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        self.after = f"\r\n--{edge}--\r\n".encode()
        length = len(self.before) + SMALL_BYTES + len(self.after)
        lines = [
            "POST /api/originals HTTP/1.1",
            f"Host: {self.place.host}:{self.place.port}",
            f"Authorization: Bearer {token}",
            f"Content-Type: multipart/form-data; boundary={edge}",
            f"Content-Length: {length}",
            "Connection: close",
        ]
        self.head = "\r\n".join([*lines, "", ""]).encode()

    async def post(self, data: bytes, scene: Scene) -> None:
        began = time.perf_counter()
        try:
            status, body = await self.exchange(b"".join((self.head, self.before, data, self.after)))
        except (OSError, EOFError) as error:
            scene.note(type(error).__name__, time.perf_counter() - began)
            return
        took = time.perf_counter() - began
        scene.note(status, took, str(json.loads(body)["id"]) if status in {"200", "201"} else "")

    async def exchange(self, request: bytes) -> tuple[str, bytes]:
        reader, writer = await asyncio.open_connection(self.place.host, self.place.port)
        try:
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        if not head:
            raise EOFError
        return head.split()[1].decode(), body


async def one_client(sender: Sender, pictures: Pictures, scene: Scene, until: float, pause: float) -> None:
    await rest(pause, until)
    while time.monotonic() < until:
        await sender.post(pictures.next(), scene)
        await rest(pause, until)


async def rest(pause: float, until: float) -> None:
    if pause:
        await asyncio.sleep(min(CHANCE.expovariate(1 / pause), until - time.monotonic()))


async def many(sender: Sender, pictures: Pictures, scene: Scene, seconds: float, pause: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(one_client(sender, pictures, scene, until, pause) for _ in range(CLIENTS)))


def film(number: int) -> Iterator[bytes]:
    """100 MB that begin as a film does; nobody can read the rest, so it ends failed, with a reason."""
    yield b"\0\0\0\x18ftypmp42" + secrets.token_bytes(BLOCK - 12)
    block = secrets.token_bytes(BLOCK)
    for left in range(LARGE_BYTES - BLOCK, 0, -BLOCK):
        yield block[:left]


async def post_large(client: httpx.AsyncClient, number: int, scene: Scene) -> None:
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{number}.mp4"\r\n\r\n'.encode()
    tail = f"\r\n--{edge}--\r\n".encode()

    async def body() -> AsyncIterator[bytes]:
        yield head
        for block in film(number):
            yield block
        yield tail

    headers = {
        "Content-Type": f"multipart/form-data; boundary={edge}",
        "Content-Length": str(len(head) + LARGE_BYTES + len(tail)),
    }
    began = time.perf_counter()
    answer = await client.post("/api/originals", headers=headers, content=body())
    there = str(answer.json()["id"]) if answer.status_code == 201 else ""
    scene.note(f"POST {answer.status_code}", time.perf_counter() - began, there)


async def tus_large(client: httpx.AsyncClient, number: int, scene: Scene) -> None:
    async def body() -> AsyncIterator[bytes]:
        for block in film(number):
            yield block

    began = time.perf_counter()
    wanted = {**VERSION, "Upload-Length": str(LARGE_BYTES), "Upload-Metadata": metadata(filename=f"{number}.mp4")}
    made = await client.post("/files/", headers=wanted)
    headers = {**BODY, "Upload-Offset": "0", "Content-Length": str(LARGE_BYTES)}
    answer = await client.patch(made.headers["location"], headers=headers, content=body())
    scene.note(f"tus {answer.status_code}", time.perf_counter() - began, answer.headers.get("x-original-id", ""))


async def large(client: httpx.AsyncClient, scene: Scene) -> None:
    ways = (post_large, tus_large)
    await asyncio.gather(*(ways[number % 2](client, number, scene) for number in range(LARGE)))


async def idle_median(client: httpx.AsyncClient, sender: Sender, pictures: Pictures) -> float:
    scene = Scene()
    for _ in range(IDLE):
        await sender.post(pictures.next(), scene)
        await settled(client)
    assert scene.statuses == {"201": IDLE}, scene.statuses
    return statistics.median(scene.seconds[IDLE // 5 :])


async def settled(client: httpx.AsyncClient) -> None:
    """Wait until everything has ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        asked = [{"status": status, "limit": 1} for status in ("received", "processing")]
        answers = [await client.get("/api/originals", params=params) for params in asked]
        if not any(answer.json()["items"] for answer in answers):
            return
        await asyncio.sleep(0.1)


async def became(client: httpx.AsyncClient) -> dict[str, str]:
    """The status of every original there is."""
    found, cursor = dict[str, str](), ""
    while cursor is not None:
        page = (await client.get("/api/originals", params={"limit": 100, "cursor": cursor})).json()
        found |= {item["id"]: item["status"] for item in page["items"]}
        cursor = page["next_cursor"]
    return found


async def measure(service: Service, scenes: list[str], seconds: float) -> dict[str, Any]:
    web = service.running("uvicorn")[-1].pid
    pictures, found = Pictures(), dict[str, Scene]()
    token = service.manage("api_token", "bench", "--create").strip()
    sender = Sender(service.url, token)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=300, limits=limits
    ) as client:
        idle = await idle_median(client, sender, pictures)
        quiet = psutil.Process(web).memory_info().rss
        print(f"idle median {1000 * idle:.1f} ms, RSS {quiet >> 20} MiB", flush=True)  # noqa: T201
        ways: dict[str, Callable[[Scene], Awaitable[None]]] = {
            "burst": lambda scene: many(sender, pictures, scene, seconds, 0.0),
            "crowd": lambda scene: many(sender, pictures, scene, seconds, PAUSE),
            "large": lambda scene: large(client, scene),
        }
        for name in scenes:
            await settled(client)
            scene = found[name] = Scene(load=round(os.getloadavg()[0], 1))
            with Peak(web) as peak:
                began = time.monotonic()
                await ways[name](scene)
                scene.wall = time.monotonic() - began
            scene.peak = peak.most / (1 << 20)
            print(f"{name:6} {'  '.join(f'{key} {said}' for key, said in scene.report(idle).items())}", flush=True)  # noqa: T201
        await settled(client)
        statuses = await became(client)
    sent = [one for scene in found.values() for one in scene.ids]
    return {
        "idle_median_ms": round(1000 * idle, 1),
        "web_rss_idle_mib": quiet >> 20,
        "lost": sum(statuses.get(one) not in FINAL for one in sent),
        "became": dict(Counter(statuses.values())),
        "scenes": {name: scene.report(idle) for name, scene in found.items()},
    }


@contextmanager
def running(database: str, folder: Path) -> Iterator[Service]:
    environment = {"MEDIAWEB_API_RATE": "0", "MEDIAWEB_SECRET_KEY": secrets.token_urlsafe(50)}
    if database == "sqlite":
        service = Service(folder / "data", **environment)
        service.start()
        yield service
        service.stop()
        return
    with cluster() as made:
        service = Service(folder / "data", DATABASE_URL=made.url, **environment)
        service.start()
        yield service
        service.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", choices=("sqlite", "postgres"), nargs="?", default="sqlite")
    parser.add_argument("scenes", nargs="*", default=["crowd", "burst", "large"])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        running(options.database, Path(name)) as service,
    ):
        report = asyncio.run(measure(service, options.scenes, options.seconds))
    print(f"lost {report['lost']}, became {report['became']}")  # noqa: T201
    print(json.dumps({"database": options.database, **report}))  # noqa: T201


if __name__ == "__main__":
    main()
