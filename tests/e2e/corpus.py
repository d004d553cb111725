"""The films of the corpus through a whole service: what each ends as, at what cost, and whether Chromium plays it.

    python -m tests.e2e.corpus [PATTERN…]

One after another, so that seconds and memory are each film's own. Patterns are of paths ("videos-good/own__*");
all films without one. A table in Markdown comes out; the status is 1 where one ended otherwise than expected.
"""

import csv
import fnmatch
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import FINAL, Service, state
from tests.e2e.watching import Watched, quiet_page, watch
from tests.waiting import until

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SECONDS, MEMORY = 30, 1500 << 20  # that an odd or a bad film may take until it has ended
HANGS = 300  # seconds: no film of the corpus is worth more
EVERY = 0.2  # seconds between two looks at the memory
ASPECT = 0.04  # of the shape: sides become even
# A picture by its content, whatever it is called: see docs/decisions.md.
PICTURES = {"videos-bad/own__jpg_as.mp4"}


@dataclass(frozen=True)
class Outcome:
    """`ended` is "ready" or the code of a refusal, `mib` the most that the video worker and all below it held."""

    path: str
    expect: str
    ended: str
    seconds: float
    mib: int
    watched: Watched | None = None
    fault: str = ""


def films(patterns: Iterable[str] = ()) -> list[dict[str, str]]:
    """The rows of the manifest, of films whose path one of these patterns matches; none without a corpus."""
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "manifest.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = tuple(patterns) or ("*",)
    chosen = [row for row in rows if row["kind"].startswith("videos")]
    return [row for row in chosen if any(fnmatch.fnmatch(row["path"], pattern) for pattern in wanted)]


class Memory(threading.Thread):
    """The most that the service's video worker and all below it held, since it was last asked."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        found = service.running("worker", "-Q videos")
        self.worker = next(process for process in found if process.parent() not in found)
        self.peak = 0
        self.start()

    def run(self) -> None:
        while self.worker.is_running():
            self.peak = max(self.peak, sum(map(held, [self.worker, *children(self.worker)])))
            time.sleep(EVERY)

    def taken(self) -> int:
        """In MiB; and begin anew."""
        peak, self.peak = self.peak, 0
        return peak >> 20


def children(process: psutil.Process) -> list[psutil.Process]:
    """All below it; none of one that has ended."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def held(process: psutil.Process) -> int:
    """What is its own, and its share of what it shares."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def ended(client: httpx.Client, source: Path) -> dict[str, Any]:
    """What the API says of it in the end; of a file refused at the door, its error alone."""
    with source.open("rb") as file:
        answer = client.post("/api/originals", files={"file": (source.name, file)}).json()
    if "error" in answer and "id" not in answer:
        return {"status": "failed", **answer}

    def final() -> dict[str, Any] | None:
        now = state(client, answer["id"])
        return now if now["status"] in FINAL else None

    return until(final, HANGS, every=0.1)


def judged(row: Mapping[str, str], code: str, seconds: float, mib: int) -> str:
    """What is wrong with how it ended; empty where nothing is."""
    if code == "internal":
        return "our fault"
    if row["expect"] != "either" and (code == "ready") != (row["expect"] == "accept") and row["path"] not in PICTURES:
        return "not as expected"
    if row["expect"] != "accept" and (seconds > SECONDS or mib << 20 > MEMORY):
        return "beyond its limits"
    return ""


def seen_wrong(row: Mapping[str, str], watched: Watched) -> str:
    """What is wrong with how it looks; empty where nothing is."""
    if not watched.is_upright:
        return "not upright"
    return "" if has_shape(row, watched.size) else "another shape"


def has_shape(row: Mapping[str, str], size: tuple[int, int]) -> bool:
    """Whether a picture of that size is as wide for its height as the manifest has it."""
    if not row["width"] or row["expect"] != "accept":
        return True
    wide, high = map(float, (row["sar"] or "1:1").split(":"))
    aspect = float(row["width"]) * wide / (float(row["height"]) * high)
    if row["rotation"] in ("-90", "90", "270"):
        aspect = 1 / aspect
    return abs(size[0] / size[1] / aspect - 1) < ASPECT


def outcomes(service: Service, rows: Iterable[Mapping[str, str]]) -> Iterator[Outcome]:
    """How each of these films ended, and how it looked where it ended ready."""
    memory = Memory(service)
    with service.client("alice") as client, sync_playwright() as playwright:
        browser = chromium(playwright)
        with quiet_page(browser) as page:
            sign_in(page, service.url, "alice", service.password("alice"))
            cookies = page.context.storage_state()
        for row in rows:
            begun = time.monotonic()
            memory.taken()
            original = ended(client, CORPUS / row["path"])
            seconds, mib = time.monotonic() - begun, memory.taken()
            code = original["error"]["code"] if original.get("error") else original["status"]
            outcome = Outcome(row["path"], row["expect"], code, seconds, mib, None, judged(row, code, seconds, mib))
            if code == "ready" and original["kind"] == "video":
                with_page = quiet_page(browser, storage_state=cookies)
                outcome = looked_at(outcome, row, with_page, service.url, original)
            yield outcome
        browser.close()


def looked_at(
    outcome: Outcome,
    row: Mapping[str, str],
    with_page: AbstractContextManager[Page],
    url: str,
    original: dict[str, Any],
) -> Outcome:
    try:
        with with_page as page:
            watched = watch(page, f"{url}/originals/{original['id']}", original, CORPUS / row["path"])
    except (AssertionError, PlaywrightError) as error:
        return replace(outcome, fault=f"does not play: {str(error).splitlines()[0]}")
    return replace(outcome, watched=watched, fault=outcome.fault or seen_wrong(row, watched))


@contextmanager
def running_service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder) / "data")
        service.start()
        yield service
        service.stop()


def line(outcome: Outcome) -> str:
    seen = outcome.watched
    looks: Sequence[str] = ("", "", "")
    if seen:
        looks = ("{} x {}".format(*seen.size), " ".join(map(str, seen.levels)), f"{seen.upright:.1f}")
    cells = (outcome.path, outcome.expect, outcome.ended, f"{outcome.seconds:.1f}", outcome.mib, *looks, outcome.fault)
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
    print("| film | expected | ended | s | MiB | shown | HLS | unlike | fault |")  # noqa: T201
    print(f"|{'---|' * 9}")  # noqa: T201
    faults = 0
    with running_service() as service:
        for outcome in outcomes(service, films(sys.argv[1:])):
            print(line(outcome), flush=True)  # noqa: T201
            faults += bool(outcome.fault)
    return min(1, faults)


if __name__ == "__main__":
    sys.exit(main())
