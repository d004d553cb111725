"""The state machine under whatever order of events Hypothesis can think of.

Workers take messages and finish, fail, meet an outage, sleep past their lease or vanish, also between their
files and their rows; messages are lost, doubled and stale, and pieces get lost; people cancel, retry, make
again, move to the front and delete. Whatever happens:

- each output is published once for each time it was owed, and its row has its file;
- what is made of parts is made of all of them, in their order;
- no owner has more than a window of jobs in a list, but for what was moved to the front;
- a run that has ended stays as it is, unless somebody asks for more, and its owner is owed one notice of it;
- no outage is counted as a job's error;
- nothing owed is forgotten: once the faults stop every run ends, and no file is left that no row knows.
"""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing import doorbells, lines, notices, parts, pipelines, publishing, runner, storage, summary, sweeping
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Facts, Made, Order, Part, Piece, Product
from processing.heartbeat import JobLost
from processing.models import Job, JobStatus, Rendition, Run, RunStatus
from processing.pipelines import Step
from processing.presets import ImagePreset
from processing.standing import UNFINISHED
from tests.conftest import new_photo_bytes
from uploads import garbage, keeping
from uploads.models import Original

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # The same events each time, one after the other on one connection: no lock is waited for. Each statement they
    # come to runs on PostgreSQL as well, in the tests of the runner, the lines, the parts and the sweep.
    pytest.mark.once,
]

PRESETS = tuple(ImagePreset(name, 160, "WEBP", 80) for name in ("small", "large", "joined"))
PARTS = (Part(0, 0.0, 1.0, 10), Part(1, 1.0, 2.0, 10))
WHOLE = "part 0.part 1."
WINDOW = 2  # so that even two runs have more than may stand in a list
PREFIXES = (storage.ORIGINALS, storage.RENDITIONS, storage.PIECES)
ROUNDS = 20  # of the sweep, in which everything must have ended: a job has eight tries, a run a chain of three
# Often what gets on, now and then what goes wrong.
EVENTS = {
    "upload": 2,
    "take": 8,
    "finish": 6,
    "overtaken": 3,
    "fail": 3,
    "refuse": 1,
    "meet_outage": 2,
    "vanish": 2,
    "vanish_publishing": 2,
    "sleep": 2,
    "forget": 1,
    "hand_back": 1,
    "ring_twice": 2,
    "sweep": 4,
    "lose_piece": 1,
    "front": 1,
    "cancel": 1,
    "retry": 1,
    "make_again": 1,
    "delete": 1,
}
# An event, and a number that says which worker, message, job or run it happens to.
event = st.tuples(st.sampled_from([name for name, weight in EVENTS.items() for _ in range(weight)]), st.integers(0, 9))


class Killed(BaseException):
    """The process is no more: whatever it had begun in the database is rolled back, and its files stay."""


class Engine:
    """Steps that take no time, and end as it is told."""

    error: Exception | None = None
    is_killed_publishing = False

    def __init__(self) -> None:
        self.meanwhile: list[Callable[[], None]] = []  # what happens once while it is at work
        self.torn: list[str] = []  # what was published as joined, and was not all, or not in order

    def measure(self, _: Order) -> Product:
        self.suffer()
        return Product(Facts("image", "JPEG", 400, 300), parts=PARTS)

    def cut(self, order: Order) -> Product:
        assert order.part
        (preset,) = order.presets
        path = order.folder / f"{preset.name}.bin"
        path.write_text(f"part {order.part.number}.")
        self.suffer()
        return Product(pieces=(Piece(preset.name, path),))

    def join(self, order: Order) -> Product:
        """Of no pieces where there are none: a worker that lost its lease may find them gone, and must not publish."""
        data = "".join(path.read_text() for path in order.pieces.get("joined", ()))
        files = tuple(self.file(order, preset, data) for preset in order.presets)
        self.suffer()
        return Product(files=files)

    def render(self, order: Order) -> Product:
        files = tuple(self.file(order, preset) for preset in order.presets)
        self.suffer()
        return Product(files=files)

    def suffer(self) -> None:
        while self.meanwhile:
            self.meanwhile.pop()()
        if self.error:
            raise self.error

    def file(self, order: Order, preset: ImagePreset, data: str = "pixels") -> Made:
        path = order.folder / f"{preset.name}.webp"
        path.write_text(data)
        return Made(preset.name, preset.version, path, "image/webp", 4, 3)


engine = Engine()
PIPELINE = (
    Step("inspect", engine.measure, "images"),
    Step("small", engine.render, "images", ("inspect",), lambda _: PRESETS[:1], is_ready_without=True),
    Step("large", engine.render, "videos", ("inspect",), lambda _: PRESETS[1:2]),
    Step("cut", engine.cut, "videos", ("inspect",), by_parts=True, works_for="join", told=lambda _: PRESETS[2:]),
    Step("join", engine.join, "images", ("inspect", "cut"), lambda _: PRESETS[2:], is_set=True, reads_original=False),
)
published: Counter[tuple[Any, str]] = Counter()


class Service:
    """The service, driven by its workers, its broker, its people and bad luck."""

    def __init__(self) -> None:
        Original.objects.all().delete()
        drop_all({key for prefix in PREFIXES for key, _ in storage.keys(prefix)})
        connection().flushall()
        published.clear()
        engine.torn.clear()
        self.owner = get_user_model().objects.get_or_create(username="alice")[0]
        self.held: list[Job] = []  # attempts that workers are at, or believe they are
        self.owed: Counter[tuple[Any, str]] = Counter()  # how often each file was asked for
        self.ended: dict[int, str] = {}

    def upload(self, _: int) -> None:
        if Original.objects.count() < 2:
            self.owe(keeping.keep(self.owner, "photo.jpg", io.BytesIO(new_photo_bytes())))

    def owe(self, original: Original) -> None:
        self.owed.update((original.pk, preset.name) for preset in PRESETS)

    def take(self, number: int) -> None:
        waiting = [queue for queue in sorted(doorbells.TASKS) if connection().llen(queue)]
        for queue in one_of(waiting, number):
            for job_id in doorbells.job_ids(connection().lpop(queue)):
                self.claim(job_id, number)

    def ring_twice(self, number: int) -> None:
        for job_id in one_of(ids(Job), number):
            self.claim(job_id, number)

    def claim(self, job_id: int, number: int) -> None:
        job = Job.objects.select_related("run__original").filter(pk=job_id).first()
        if job and runner.claim(job, worker(number)):
            self.held.append(job)

    def finish(self, number: int) -> None:
        """Also what a worker does that has lost its lease meanwhile, and does not know."""
        for job in one_of(self.held, number):
            self.held.remove(job)
            with suppress(JobLost, Run.DoesNotExist, Killed):
                runner.attempt(job)

    def overtaken(self, number: int) -> None:
        """A worker sleeps in the middle of its work; its successor may begin, or end; then it wakes."""
        engine.meanwhile.append(lambda: self.succeed(number))
        self.finish(number)
        engine.meanwhile.clear()

    def succeed(self, number: int) -> None:
        self.sleep(0)
        self.sweep(0)
        self.take(number)
        if number % 2:
            self.finish(len(self.held) - 1)

    def fail(self, number: int) -> None:
        engine.error = OSError("the disk is on fire")
        self.finish(number)
        engine.error = None

    def refuse(self, number: int) -> None:
        engine.error = Corrupt(reason="torn")
        self.finish(number)
        engine.error = None

    def meet_outage(self, number: int) -> None:
        before = Counter(dict(Job.objects.values_list("pk", "errors")))
        engine.error = ConnectionResetError("the store hung up")
        self.finish(number)
        engine.error = None
        assert Counter(dict(Job.objects.values_list("pk", "errors"))) <= before, "an outage was counted"

    def vanish_publishing(self, number: int) -> None:
        engine.is_killed_publishing = True
        self.finish(number)
        engine.is_killed_publishing = False

    def vanish(self, number: int) -> None:
        for job in one_of(self.held, number):
            self.held.remove(job)

    def sleep(self, _: int) -> None:
        Job.objects.filter(status=JobStatus.RUNNING).update(lease_until=now() - timedelta(seconds=1))

    def forget(self, _: int) -> None:
        connection().flushall()

    def hand_back(self, number: int) -> None:
        runner.hand_back(worker(number))

    def sweep(self, _: int) -> None:
        Job.objects.update(rung_at=now() - sweeping.UNANSWERED * 2)
        Job.objects.filter(not_before__isnull=False).update(not_before=now() - timedelta(seconds=1))
        sweeping.sweep()

    def lose_piece(self, number: int) -> None:
        for key in one_of(sorted(key for key, _ in storage.keys(storage.PIECES)), number):
            storage.drop(key)

    def front(self, number: int) -> None:
        waiting = Run.objects.filter(status__in=UNFINISHED).order_by("pk")
        for run_id in one_of(waiting.values_list("pk", flat=True), number):
            runner.to_front(run_id)

    def cancel(self, number: int) -> None:
        for run_id in one_of(ids(Run), number):
            runner.cancel(run_id)

    def retry(self, number: int) -> None:
        for run_id in one_of(ids(Run), number):
            self.ended.pop(run_id, None)
            runner.retry(run_id)

    def make_again(self, number: int) -> None:
        for run_id in one_of(ids(Run), number):
            self.ended.pop(run_id, None)
            runner.make_again(run_id)
            self.owe(Run.objects.get(pk=run_id).original)

    def delete(self, number: int) -> None:
        for run_id in one_of(ids(Run), number):
            keeping.forget(Run.objects.get(pk=run_id).original)

    def check(self) -> None:
        assert not published - self.owed, "published more often than owed"
        assert not engine.torn, "joined from what was not the whole"
        listed = Job.objects.filter(status=JobStatus.QUEUED, rank=0).values_list("owner", "queue")
        assert all(count <= WINDOW for count in Counter(listed).values()), "passed the window"
        for key in Rendition.objects.values_list("key", flat=True):
            assert storage.size(key), "a row without its file"
        for run in Run.objects.all():
            assert run.status == summary.status_of(run.kind, list(run.jobs.order_by("pk")))
            assert self.ended.get(run.pk, run.status) == run.status, "left its end, and nobody asked"
            if run.status in RunStatus.final():
                self.ended[run.pk] = run.status
            if run.status in notices.WORTH_A_MAIL:
                assert run.notices.filter(outcome=run.status).count() == 1, "its owner is not told, or twice"

    def settle(self) -> None:
        """The faults stop. Everything must end by the sweep and working workers alone."""
        self.held.clear()
        for _ in range(ROUNDS):
            self.sleep(0)
            self.sweep(0)
            while any(connection().llen(queue) for queue in doorbells.TASKS):
                self.take(0)
                self.finish(0)
            if not Run.objects.filter(status__in=UNFINISHED).exists():
                break
        else:
            raise AssertionError("something owed was forgotten")
        self.check()
        for run in Run.objects.filter(status=RunStatus.READY):
            given_up = set(run.jobs.filter(status=JobStatus.FAILED).values_list("step", flat=True))
            assert given_up <= {"small"}
            assert {preset.name for preset in PRESETS} - given_up <= presets_of(run.original)
            assert not run.jobs.filter(pieces__isnull=False).exists(), "pieces kept that nobody waits for"
        drop_all(set(garbage.find(older_than=0)))
        kept = {key for prefix in PREFIXES for key, _ in storage.keys(prefix)}
        pieces = {key for job in Job.objects.all() for key in parts.keys_of(job)}
        assert kept - pieces == {*keys_of(Original), *keys_of(Rendition)}


def worker(number: int) -> str:
    return "ab"[number % 2]


def one_of(choices: Sequence[Any], number: int) -> Sequence[Any]:
    """One of them, where there are any."""
    return [choices[number % len(choices)]] if choices else []


def ids(model: Any) -> list[int]:
    return sorted(model.objects.values_list("pk", flat=True))


def keys_of(model: Any) -> set[str]:
    return set(model.objects.values_list("key", flat=True))


def presets_of(original: Original) -> set[str]:
    return set(original.renditions.values_list("preset", flat=True))


def drop_all(keys: set[str]) -> None:
    for key in keys:
        storage.drop(key)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' pipeline, and a count of what it publishes."""

    def record(job: Job, made: Made, item: Any) -> None:
        record_file(job, made, item)
        if engine.is_killed_publishing:
            raise Killed
        published[job.run.original_id, made.preset] += 1
        data = storage.text(item.key)
        if made.preset == "joined" and data != WHOLE:
            engine.torn.append(data)

    record_file = publishing.record_file
    monkeypatch.setattr(publishing, "record_file", record)
    monkeypatch.setattr(lines, "WINDOW", WINDOW)
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": PIPELINE})


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(events=st.lists(event, min_size=30, max_size=80))
def test_model__keeps_its_promises_in_every_order_of_events(counted, events):
    service = Service()
    for name, number in [("upload", 0), *events]:
        getattr(service, name)(number)
        service.check()
    service.settle()
