"""How near what is foretold comes to what then happens, where images and films share two cores: a play without a clock.

Every half second the standing of all that is unfinished is noted, as it is with the real service by
`python -m tests.benchmarks.videos.estimates`.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest

from processing import lines, pipelines
from processing.estimates import Measure
from processing.facts import Facts
from processing.models import LEASE, Job, JobStatus, Run, RunStatus
from processing.standing import Lines, order

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HANDS = {"images": 2, "videos": 2, "default": 2}
CORES = 2
CLOSE, SHORT, LOOK = 0.3, 2.0, 0.5
MEASURES = {
    (step.queue, step.name): Measure(step.pace, 1, 99) for kind in pipelines.PIPELINES.values() for step in kind
}
PHOTOS = [Facts("image", "jpeg", *size) for size in ((1200, 900), (2400, 1800), (4032, 3024))]
FILM = {"video_codec": "h264", "profile": "Constrained Baseline", "frame_rate": 25.0, "bit_rate": 1_000_000}
FILMS = [
    Facts("video", "mov", *size, duration=seconds, **FILM)
    for seconds, size in ((4.0, (640, 360)), (10.0, (640, 360)), (6.0, (1280, 720)))
]


class Service:
    """Hands that take from lists as the runner fills them, and share the cores."""

    def __init__(self, originals: list[Facts]) -> None:
        self.chance = random.Random(5)  # noqa: S311
        self.now = 0.0
        self.at_work: dict[int, float] = {}  # seconds of a core that are left
        self.begun: list[tuple[float, Job]] = []
        self.ended: dict[int, float] = {}
        self.jobs = [job for number, facts in enumerate(originals, 1) for job in self.new_jobs(number, facts)]

    def new_jobs(self, number: int, facts: Facts) -> list[Job]:
        run = Run(pk=number, kind=facts.kind, status=RunStatus.PROCESSING)
        return [
            Job(pk=100 * number + place, run=run, step=step.name, queue=step.queue, owner_id=number % 2,
                work=step.units(facts, None))
            for place, step in enumerate(pipelines.PIPELINES[facts.kind])
        ]  # fmt: skip

    def moment(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)

    def with_status(self, status: JobStatus) -> list[Job]:
        return [job for job in self.jobs if job.status == status]

    def fill(self) -> None:
        """What is ready enters the lists as far as windows go, and free hands take the first."""
        for job in self.with_status(JobStatus.WAITING):
            undone = {each.step for each in self.jobs if each.run_id == job.run_id and each.status != "succeeded"}
            line = [each for each in self.with_status(JobStatus.QUEUED) if each.queue == job.queue]
            room = sum(each.owner_id == job.owner_id for each in line) < lines.WINDOW
            if room and job.step in pipelines.ready(job.run.kind, undone):
                job.status, job.queued_at = JobStatus.QUEUED, self.moment()
        for queue, hands in HANDS.items():
            line = sorted((job for job in self.with_status(JobStatus.QUEUED) if job.queue == queue), key=order)
            if line and sum(job.queue == queue for job in self.with_status(JobStatus.RUNNING)) < hands:
                self.begin(line[0])
                return self.fill()
        return None

    def begin(self, job: Job) -> None:
        job.status, job.started_at, job.lease_until = JobStatus.RUNNING, self.moment(), self.moment() + LEASE
        took = MEASURES[job.queue, job.step].seconds(job.work) + 0.01
        self.at_work[job.pk] = took * self.chance.lognormvariate(0, 0.2)
        self.begun.append((self.now, job))

    def until(self, then: float) -> None:
        while self.now < then and self.at_work:
            slower = max(1, len(self.at_work) / CORES)
            passed = min(then - self.now, slower * min(self.at_work.values()))
            self.now += passed
            self.at_work = {key: left - passed / slower for key, left in self.at_work.items()}
            for job in [job for job in self.jobs if self.at_work.get(job.pk, 1) < 1e-9]:
                del self.at_work[job.pk]
                job.status = JobStatus.SUCCEEDED
                self.ended[job.run_id] = self.now
                self.fill()

    def foretold(self) -> list[tuple[int, float, float | None, int | None]]:
        """(run, when, seconds, place), of every unfinished run at every look."""
        said = []
        self.fill()
        while self.at_work:
            opened = [job for job in self.jobs if job.status != JobStatus.SUCCEEDED]
            seen = Lines(MEASURES, HANDS, opened, {}, {}, self.moment(), CORES).play()
            said += [(run, self.now, standing.seconds, standing.position) for run, standing in seen.items()]
            self.until(self.now + LOOK)
        return said


@pytest.fixture(scope="module")
def played():
    service = Service([facts for facts in (*PHOTOS, *FILMS, *PHOTOS, *PHOTOS, *FILMS) for _ in range(2)])
    return service, service.foretold()


def test_seconds_left__of_images_and_films_are_within_a_third_of_what_was_left(played):
    service, said = played
    ratios = [seconds / left for run, at, seconds, _ in said if (left := service.ended[run] - at) >= SHORT]
    assert len(ratios) > 200
    assert sum(abs(ratio - 1) <= CLOSE for ratio in ratios) / len(ratios) >= 0.9


def test_place__is_how_many_are_begun_until_its_first(played):
    service, said = played
    near = []
    for run, at, _, place in said:
        if place is not None:
            first, job = next((when, job) for when, job in service.begun if job.run_id == run and when >= at)
            before = sum(at <= when < first and other.queue == job.queue for when, other in service.begun)
            near.append(abs(place - 1 - before) <= max(1, CLOSE * before))
    assert len(near) > 50
    assert sum(near) / len(near) >= 0.9
