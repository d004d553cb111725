"""What an original is ready without: a failure of it is shown, may be retried, and holds nothing up."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from processing import doorbells, pipelines, runner, storage
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.models import Job, JobStatus, Run, RunStatus
from processing.pipelines import Step
from processing.presets import ImagePreset
from tests.processing.engines import films

pytestmark = pytest.mark.django_db(transaction=True)

EXTRA = ImagePreset("extra", 40, "WEBP", 80)


class Extra:
    """A step beside an image's own, that fails as it is told; and how often it was asked."""

    error: Exception | None = Corrupt(reason="torn")

    def __init__(self, render: Any) -> None:
        self.render, self.asked = render, 0

    def make(self, order: Order) -> Product:
        self.asked += 1
        if self.error:
            raise self.error
        product: Product = self.render(order)
        return product


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> Extra:
    inspect, thumbnails = pipelines.PIPELINES["image"]
    extra = Extra(thumbnails.make)
    step = Step("extra", extra.make, "images", ("inspect",), lambda _: (EXTRA,), is_ready_without=True)
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": (inspect, thumbnails, step)})
    return extra


def work(queue: str = "images") -> None:
    """Answer every ring until the queue is silent, as a worker would."""
    while message := connection().lpop(queue):
        for job_id in doorbells.job_ids(message):
            runner.run(job_id, "worker-a")


def without_waiting() -> None:
    """As if the time before every next try were over."""
    for _ in range(runner.ERRORS_ALLOWED):
        Job.objects.update(not_before=None)
        for run_id in Run.objects.values_list("pk", flat=True):
            runner.advance(run_id)
        work()


def reprocessed(**options: Any) -> str:
    out = io.StringIO()
    call_command("reprocess", stdout=out, **options)
    return out.getvalue().strip()


def test_failed_extra__leaves_the_run_ready_and_says_why(upload, extra):
    upload()
    work()
    run = Run.objects.get()
    assert (run.status, run.error_code, run.progress) == (RunStatus.READY, "", 1)
    job = Job.objects.get(step="extra")
    assert (job.status, job.error_code) == (JobStatus.FAILED, "corrupt")


def test_failed_extra__of_ours_is_tried_as_often_as_any_step(upload, extra):
    extra.error = OSError("the disk is on fire")
    upload()
    work()
    assert Run.objects.get().status == RunStatus.PROCESSING
    without_waiting()
    assert (Run.objects.get().status, extra.asked) == (RunStatus.READY, runner.ERRORS_ALLOWED)


def test_failed_extra__is_retried_and_the_run_is_shown_meanwhile(upload, extra, client, charlie):
    original = upload()
    work()
    client.force_login(charlie)
    assert "data-retry" in client.get(f"/status/{original.pk}").content.decode()
    extra.error = None
    client.post("/status/", {"action": "retry", "run": [original.pk]})
    assert (Run.objects.get().status, Run.objects.get().is_shown) == (RunStatus.PROCESSING, True)
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert original.renditions.filter(preset="extra").exists()
    assert "data-retry" not in client.get("/status/").content.decode()


def test_failed_extra__is_not_stale_for_ever(upload, extra):
    upload()
    work()
    assert Run.objects.get().pipeline_version == pipelines.version("image")
    assert reprocessed(stale=True) == "0 queued, 0 with nothing to do"


def test_failed_extra__of_an_older_pipeline_gets_another_chance(upload, extra, monkeypatch):
    upload()
    work()
    *steps, last = pipelines.PIPELINES["image"]
    today = (*steps, replace(last, presets=lambda _: (replace(EXTRA, version=2),)))
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": today})
    assert reprocessed(stale=True) == "1 queued, 0 with nothing to do"
    work()
    assert (extra.asked, Run.objects.get().status) == (2, RunStatus.READY)


def test_reprocess__failed_takes_up_extras_too(upload, extra):
    upload()
    work()
    extra.error = None
    assert reprocessed(failed=True) == "1 queued, 0 with nothing to do"
    work()
    assert Job.objects.get(step="extra").status == JobStatus.SUCCEEDED
    assert reprocessed(failed=True) == "0 queued, 0 with nothing to do"


def burn(order: Order) -> Product:
    raise Corrupt(reason="torn")


@pytest.fixture
def burning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every extra of a film fails."""
    steps = [replace(step, make=burn) if step.is_ready_without else step for step in pipelines.PIPELINES["video"]]
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "video": tuple(steps)})


def deafened(film: Path) -> bytes:
    """The same film with noise for every packet of its sound."""
    data = bytearray(film.read_bytes())
    for packet in films.seen(film, "-select_streams", "a", "-show_entries", "packet=pos,size")["packets"]:
        start, size = int(packet["pos"]), int(packet["size"])
        data[start : start + size] = b"\xff" * size
    return bytes(data)


def test_film__whose_sound_is_all_lost_is_ready_and_silent(upload, burning):
    film = upload(deafened(films.talkie(seconds=1)), "walk.mp4")
    work("videos")
    run = Run.objects.get()
    assert (run.status, run.error_code) == (RunStatus.READY, "")
    file = storage.default_storage.path(film.renditions.get(preset="mp4-360").key)
    assert set(films.streams(Path(file))) == {"video"}


def test_film__whose_every_extra_fails_is_ready_and_plays(upload, burning, client, alice):
    film = upload(films.talkie(seconds=1).read_bytes(), "walk.mp4")
    work("videos")
    run = Run.objects.get()
    assert (run.status, run.error_code, run.progress) == (RunStatus.READY, "", 1)
    assert set(film.renditions.filter(name="").values_list("preset", flat=True)) == {"mp4-360", "hls"}
    failed = set(run.jobs.filter(status=JobStatus.FAILED).values_list("step", flat=True))
    assert failed == pipelines.extras("video") - {"draft", "subtitles"}, "which had nothing to make of this one"
    client.force_login(alice)
    page = client.get(f"/originals/{film.pk}").content.decode()
    assert '<source src="/media/' in page
    assert "mp4-360" in page
