"""How near the foretold seconds come to what then happens: a line played forward without a clock.

Hands take jobs from lists as the runner fills them, by windows; each job takes its measured time, give
or take a fifth. Every second the standing of all that is unfinished is noted, and compared with its end.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from processing import lines, pipelines
from processing.estimates import Measure
from processing.models import LEASE, OPEN, Job, JobStatus, Run, RunStatus
from processing.standing import Lines, Waiting

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MEASURES = {
    ("images", "inspect"): Measure(0.3, 1, 99),
    ("images", "thumbnails"): Measure(0.2, 5, 99),
    ("videos", "inspect"): Measure(0.5, 1, 99),
    ("videos", "poster"): Measure(0.5, 2, 99),
    ("videos", "ladder"): Measure(0.5, 40, 99),
}
# Of a film what the play is about: the steps that it waits for, and one that is cut.
FILM = ("inspect", "poster", "ladder")
CLOSE = 0.3
SHORT = 3.0  # seconds: below it, one job that takes a second longer is a third of all


class Play:
    """A queue with so many hands, and runs of (owner, work of its largest step, parts)."""

    def __init__(self, kind: str, hands: int, runs: Sequence[tuple[int, float, int]]) -> None:
        self.kind, self.hands, self.chance = kind, hands, random.Random(4)  # noqa: S311
        self.steps = pipelines.PIPELINES[kind]
        self.queue = self.steps[0].queue
        self.ends: list[tuple[float, int, Job]] = []
        self.listed: list[Job] = []
        self.now = 0.0
        self.runs = [self.new_run(number, *run) for number, run in enumerate(runs, 1)]
        self.ended: dict[int, float] = {}

    def new_run(self, number: int, owner: int, work: float, parts: int) -> tuple[Run, list[Job]]:
        run = Run(pk=number, kind=self.kind, status=RunStatus.PROCESSING)
        jobs = []
        for step in self.steps:
            last = step is self.steps[-1]
            for part in range(parts if last else 1):
                units = work if last else MEASURES[self.queue, step.name].work
                pk = number * 100 + len(jobs)
                jobs.append(
                    Job(pk=pk, run_id=number, step=step.name, part=part, queue=self.queue, owner_id=owner, work=units)
                )
        run._prefetched_objects_cache = {"jobs": jobs}
        return run, jobs

    def moment(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)

    def fill(self) -> None:
        """As `lines.admitted` and `let_in` do together: what is ready enters as far as the window goes."""
        for run, jobs in self.runs:
            undone = {job.step for job in jobs if job.status != JobStatus.SUCCEEDED}
            ready = pipelines.ready(self.kind, undone)
            for job in (job for job in jobs if job.step in ready and job.status == JobStatus.WAITING):
                if sum(other.owner_id == job.owner_id for other in self.listed) < lines.WINDOW:
                    job.status, job.queued_at, job.held_at = JobStatus.QUEUED, self.moment(), None
                    self.listed.append(job)
                else:
                    job.held_at = self.moment()
            if not undone:
                self.ended.setdefault(run.pk, self.now)
        while self.listed and len(self.ends) < self.hands:
            job = self.listed.pop(0)
            job.status, job.started_at, job.attempt = JobStatus.RUNNING, self.moment(), 1
            job.lease_until = self.moment() + LEASE
            took = MEASURES[self.queue, job.step].seconds(job.work) * self.chance.lognormvariate(0, 0.2)
            heapq.heappush(self.ends, (self.now + took, job.pk, job))
            self.fill()

    def step(self, until: float) -> None:
        """Let everything happen that happens before then."""
        while self.ends and self.ends[0][0] <= until:
            self.now, _, job = heapq.heappop(self.ends)
            job.status = JobStatus.SUCCEEDED
            self.fill()
        self.now = until
        for end, _, job in self.ends:
            begun = (job.started_at - BEGIN).total_seconds()
            job.progress, job.lease_until = (until - begun) / (end - begun), self.moment() + LEASE

    def read(self) -> Lines:
        """What `Lines.read` finds in rows."""
        jobs = [job for _, jobs in self.runs for job in jobs if job.status in OPEN]
        waiting: dict[int, Waiting] = defaultdict(Waiting)
        own = {}
        for run, of_run in self.runs:
            owner = of_run[0].owner_id
            for job in of_run:
                if job.status == JobStatus.WAITING:
                    before = waiting[owner]
                    seconds = before.seconds + MEASURES[self.queue, job.step].seconds(job.work)
                    waiting[owner] = Waiting(seconds, before.held + (job.held_at is not None), before.jobs + 1)
            own[run.pk, self.queue] = waiting[owner]
        return Lines(
            measures=MEASURES,
            hands={self.queue: self.hands},
            active=[job for job in jobs if job.status != JobStatus.WAITING],
            waiting={(owner, self.queue): sums for owner, sums in waiting.items()},
            own=own,
            now=self.moment(),
        )

    def ratios(self) -> list[float]:
        """Foretold by real, of everything at every second."""
        said = []
        self.fill()
        while self.ends:
            seen = self.read()
            said += [(run.pk, self.now, seen.of(run).seconds) for run, _ in self.runs if run.pk not in self.ended]
            self.step(self.now + 1)
        real = ((seconds, self.ended[pk] - at) for pk, at, seconds in said)
        return sorted(seconds / left for seconds, left in real if left >= SHORT)


LOADS = {
    "one owner's photos": ("image", 2, [(1, 5, 1)] * 40),
    "a flood and a few": ("image", 2, [(1, 5, 1)] * 60 + [(2, 5, 1)] * 3),
    "photos of all sizes": ("image", 2, [(1 + number % 3, 2 + 7 * (number % 5), 1) for number in range(45)]),
    "films": ("video", 2, [(1 + number % 2, 20 + 15 * (number % 4), 1) for number in range(12)]),
    "a film in parts": ("video", 4, [(1, 40, 10)]),
    "films in parts": ("video", 4, [(1 + number % 3, 40, 4) for number in range(8)]),
    "a hand a job": ("image", 8, [(1, 60, 1)] * 6),
}


@pytest.mark.parametrize("load", LOADS)
def test_seconds_left__are_within_a_third_of_what_was_left(load, monkeypatch):
    film = tuple(pipelines.step_named("video", name) for name in FILM)
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "video": film})
    kind, hands, runs = LOADS[load]
    ratios = Play(kind, hands, runs).ratios()
    near = sum(abs(ratio - 1) <= CLOSE for ratio in ratios) / max(1, len(ratios))
    assert near >= 0.8, (near, ratios[len(ratios) // 10], ratios[len(ratios) // 2], ratios[len(ratios) * 9 // 10])
