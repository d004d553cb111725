"""A chaos run: uploads stream in while faults strike, then everything is mended, waited for, and checked."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos import checking, clients
from tests.chaos.checking import Scene, Violation
from tests.chaos.clients import Sent
from tests.chaos.faults import FAULTS
from tests.chaos.plans import OWNERS, Plan, Strike
from tests.chaos.stage import Stage
from tests.waiting import until

SETTLED_WITHIN = 120.0  # seconds from the last fault until everything has ended, on a machine that is busy
TOLD_WITHIN = 30.0


@dataclass
class Report:
    """What came of a run."""

    plan: Plan
    violations: list[Violation] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # that found nobody to strike
    uploads: int = 0
    answers: list[int] = field(default_factory=list)  # that senders had to try again after
    attempts: int = 0
    jobs: int = 0
    settled: float = 0  # seconds from the last fault's end, and the last upload's, until the last original's
    idle: float = 0  # of them: in which no job was at work
    seconds: float = 0

    def count(self, *names: str) -> int:
        return sum(violation.name in names for violation in self.violations)

    def line(self) -> str:
        plan = self.plan
        counts = [
            self.count("lost", "unfinished", "wrong end", "missing", "given up", "untold", "unheard", "never sent"),
            self.count("doubled", "told twice", "heard twice"),
            self.count("misplaced", "corrupt", "garbled", "scratch", "left over"),
            self.count("stray"),
        ]
        words = [plan.seed, plan.database, plan.storage, self.uploads, len(self.struck), *counts]
        words += [f"{self.attempts}/{self.jobs}", f"{self.settled:.1f}", f"{self.idle:.1f}", f"{self.seconds:.0f}"]
        return "| " + " | ".join(map(str, words)) + " |"


# "settled": from the end of the last fault and of the last upload until everything has ended. "idle": how much of
# that no job was at work, but all waited: for a lease, a sweep, a pause. The rest is the work itself.
COLUMNS = (
    *("seed", "database", "storage", "uploads", "faults", "lost", "doubled", "orphans", "strays", "attempts/jobs"),
    *("settled s", "idle s", "whole s"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def run(stage: Stage, plan: Plan) -> Report:
    """Do what the plan says, and check."""
    began, report = time.monotonic(), Report(plan)
    with ExitStack() as stack:
        people = {name: stack.enter_context(stage.client(name)) for name in OWNERS}
        for name, client in people.items():
            stage.receiver.listen(name, client)
        sent = storm(stage, plan, people, report)
        calm = time.time()
        stage.mend()
        settle(people, sent)
        ended = time.time()
        drop_left(people, sent)
        rows = until_told(stage)
    report.settled, report.idle = ended - calm, idle(rows, calm, ended)
    report.uploads = sum(bool(item.id) for item in sent)
    report.answers = [answer for item in sent for answer in item.answers]
    report.jobs = sum(len(item["jobs"]) for item in rows["originals"])
    report.attempts = sum(job["attempt"] for item in rows["originals"] for job in item["jobs"])
    report.violations = checking.violations(Scene(stage, sent, rows, len(report.struck)))
    report.seconds = time.monotonic() - began
    return report


def leave(stage: Stage) -> list[Violation]:
    """Stop the service: only then can be seen who stays."""
    status = stage.stop()
    said = [Violation("stray", command) for command in checking.strays(stage)]
    return said if status == 0 else [*said, Violation("stray", f"the service ended with {status}")]


def storm(stage: Stage, plan: Plan, people: Mapping[str, httpx.Client], report: Report) -> list[Sent]:
    """Uploads and faults, each at its time; what has become of the uploads."""
    start = time.monotonic()

    def at(moment: float, do: Callable[..., Any], *args: Any) -> Any:
        time.sleep(max(0, start + moment - time.monotonic()))
        return do(*args)

    with ThreadPoolExecutor(len(plan.sendings) + len(plan.strikes)) as hands:
        faults = [hands.submit(at, strike.at, inflict, stage, strike, report) for strike in plan.strikes]
        uploads: list[Future[Sent]] = [
            hands.submit(at, item.at, clients.send, people[item.owner], item) for item in plan.sendings
        ]
        for future in faults:
            future.result()
        stage.mend()
        return [future.result() for future in uploads]


def inflict(stage: Stage, strike: Strike, report: Report) -> None:
    fault = FAULTS[strike.fault]
    victims = fault.strike(stage, strike.number)
    (report.struck if victims else report.missed).append(strike.fault)
    time.sleep(strike.lasts)
    fault.mend(stage, victims)


def settle(people: Mapping[str, httpx.Client], sent: Sequence[Sent]) -> None:
    """Wait until everything has ended, or for so long."""
    waiting = {item.id: people[item.sending.owner] for item in sent if item.id}

    def all_ended() -> bool:
        for original_id, client in list(waiting.items()):
            with suppress(httpx.TransportError):
                answer = client.get(f"/api/originals/{original_id}")
                if answer.status_code == 404 or (answer.is_success and answer.json()["status"] in checking.FINAL):
                    waiting.pop(original_id)
        return not waiting

    with suppress(AssertionError):
        until(all_ended, SETTLED_WITHIN, every=0.2)


def idle(rows: Mapping[str, Any], since: float, until_then: float) -> float:
    """Seconds of that time in which no job was at work that came to an end."""
    spans = (job["at_work"] for original in rows["originals"] for job in original["jobs"] if job["at_work"])
    clear, left = since, 0.0
    for start, end in sorted(spans):
        left += max(0.0, min(start, until_then) - clear)
        clear = max(clear, min(end, until_then))
    return left + max(0.0, until_then - clear)


def drop_left(people: Mapping[str, httpx.Client], sent: Sequence[Sent]) -> None:
    """What was left half-way is still there to be gone on with, and can be given up."""
    for item in sent:
        if item.sending.way == "left" and item.place:
            client = people[item.sending.owner]
            until(lambda place=item.place, client=client: is_there(client, place), 30, every=0.3)
            assert client.delete(item.place, headers=clients.VERSION).status_code == 204


def is_there(client: httpx.Client, place: str) -> bool:
    return client.head(place, headers=clients.VERSION).status_code == 200


def until_told(stage: Stage) -> dict[str, Any]:
    """Mails and messages go out, and hands are empty; the rows of then, or of when that took too long."""
    end = time.monotonic() + TOLD_WITHIN
    while is_busy(rows := stage.rows()) and time.monotonic() < end:
        time.sleep(1)
    return rows


def is_busy(rows: Mapping[str, Any]) -> bool:
    untold = any(item["untold"] for item in rows["originals"])
    return rows["running"] > 0 or untold or any(delivery["status"] == "pending" for delivery in rows["deliveries"])
