"""Negative controls: short plays in which one guard is needed. With it off, the play must fail for the reason named.

No chance here: each waits for the moment at which the guard counts, so that a run in which it were not
needed cannot pass for one in which it works.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.chaos import checking
from tests.chaos.checking import Scene, Violation
from tests.chaos.clients import Sent
from tests.chaos.media import MEDIA
from tests.chaos.plans import Sending
from tests.chaos.stage import Stage
from tests.e2e.service import FINAL, state
from tests.waiting import until

ENDS_WITHIN = 40.0  # seconds, where every guard is there: a lease and a sweep are six of them
STAYS_FOR = 9.0  # seconds after which a play that needs more than a lease and two sweeps will not end by itself
STEP = "thumbnails"
LOOKED_AT = ("lost", "unfinished", "wrong end", "missing", "given up", "doubled")


@dataclass(frozen=True)
class Control:
    """`guard` is the switch that takes it away, `fails_as` the violation that must then be seen."""

    guard: str
    play: Callable[[Stage, httpx.Client], str]
    fails_as: str


def begun(stage: Stage, client: httpx.Client) -> tuple[str, psutil.Process]:
    """A photo whose pictures are made and not yet published, and the process that holds them, stopped."""
    with stage.switched(f"hold-{STEP}"):
        original_id = sent(client)
        holder = until(lambda: holder_of(stage, client, original_id), ENDS_WITHIN)
        holder.suspend()
    return original_id, holder


def sent(client: httpx.Client) -> str:
    answer = client.post("/api/originals", files={"file": ("IMG_1.JPG", MEDIA["photo"].data())})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def job_of(client: httpx.Client, original_id: str) -> dict[str, Any]:
    return dict(next(job for job in state(client, original_id)["jobs"] if job["step"] == STEP))


def holder_of(stage: Stage, client: httpx.Client, original_id: str) -> psutil.Process | None:
    """The pool child that has this original's pictures in hand: it has their scratch folder open."""
    job = job_of(client, original_id)
    for child in stage.players("pool child"):
        with suppress(OSError):
            for handle in Path(f"/proc/{child.pid}/fd").iterdir():
                folder = handle.readlink()
                if folder.name.startswith(f"job-{job['id']}-") and list(folder.glob("*.webp")):
                    return child
    return None


def zombie(stage: Stage, client: httpx.Client) -> str:
    """Who is at work sleeps past his lease; another one makes and publishes it; then the first wakes, and publishes."""
    original_id, holder = begun(stage, client)
    until(lambda: state(client, original_id)["status"] in FINAL, ENDS_WITHIN)
    published = lines(stage)
    holder.resume()
    with suppress(AssertionError):  # where the fence holds, nothing more is ever published
        until(lambda: lines(stage) > published, STAYS_FOR / 3)
    return original_id


def lines(stage: Stage) -> int:
    return len((stage.data / "published.log").read_text().splitlines())


def killed(stage: Stage, client: httpx.Client) -> str:
    """Who is at work is killed, with his worker and all that it has started, as a machine that goes takes them."""
    original_id, holder = begun(stage, client)
    stage.kill_all(holder.parent())
    return original_id


def forgotten(stage: Stage, client: httpx.Client) -> str:
    """Rows are written, and nobody is told."""
    with stage.switched("rings"):
        return sent(client)


CONTROLS = {
    "fence off": Control("fence", zombie, "doubled"),
    "lease off": Control("lease", killed, "unfinished"),
    "sweep off": Control("sweep", forgotten, "unfinished"),
    "acks early": Control("acks", killed, "missing"),
}


def play(stage: Stage, client: httpx.Client, control: Control, *, guarded: bool) -> list[Violation]:
    """Play it, wait until it has ended or never will, and say what was not kept of the promise."""
    with stage.switched(*([] if guarded else [control.guard])):
        original_id = control.play(stage, client)
        with suppress(AssertionError):
            until(lambda: state(client, original_id)["status"] in FINAL, ENDS_WITHIN if guarded else STAYS_FOR)
        rows = stage.rows()
    until(lambda: state(client, original_id)["status"] in FINAL, ENDS_WITHIN)  # or it would play in the next scene
    rows["originals"] = [item for item in rows["originals"] if item["id"] == original_id]
    scene = Scene(stage, [Sent(Sending(0, "photo", "multipart", "alice", 0), original_id)], rows, faults=1)
    found = ((name, where) for name in LOOKED_AT for where in checking.CHECKS[name](scene))
    return [Violation(name, where) for name, where in found if original_id in where]
