"""A film in parts: one job each, pieces between steps, and nothing redone that is there."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from os import truncate
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils.timezone import now

from processing import doorbells, owed, pipelines, runner, storage, sweeping
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Facts, Made, Order, Part, Piece, Product
from processing.models import Job, JobStatus, Rendition, Run, RunStatus
from processing.pipelines import Step
from processing.presets import ImagePreset, Rung
from uploads import garbage
from uploads.keeping import forget

pytestmark = pytest.mark.django_db(transaction=True)

LOW, HIGH, LIST = Rung("low", 360, 25, 900), Rung("high", 720, 23, 3500), ImagePreset("list", 1, "WEBP", 1)


class Studio:
    """A film's pipeline whose engines write a few bytes: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.cuts = [Part(number, number * 5.0, number * 5.0 + 5, 100 * (number + 1)) for number in range(4)]
        self.rungs: tuple[Rung, ...] = (LOW, HIGH)
        self.log: list[str] = []
        self.before: dict[str, Callable[[Order], None]] = {}

    def step(self, name: str, make: Callable[[Order], Product], *needs: str, **options: Any) -> Step:
        def logged(order: Order) -> Product:
            self.log.append(f"{name} {order.part.number}" if order.part else name)
            self.before.get(self.log[-1], lambda _: None)(order)
            return make(order)

        return Step(name, logged, "videos", needs, **options)

    def pipeline(self) -> tuple[Step, ...]:
        rungs: dict[str, Any] = {"told": lambda _: self.rungs, "works_for": "package"}
        files: dict[str, Any] = {"presets": lambda _: (*self.rungs, LIST), "is_set": True}
        return (
            self.step("inspect", self.inspect),
            self.step("draft", self.draft, "inspect", works_for="package", told=lambda _: (LOW,), is_hasty=True),
            self.step("audio", self.audio, "inspect", works_for="package"),
            self.step("ladder", self.ladder, "inspect", by_parts=True, weight=10, **rungs),
            self.step("package", self.package, "inspect", "ladder", "audio", **files),
        )

    def inspect(self, _: Order) -> Product:
        return Product(Facts("image", "film", 1280, 720), parts=tuple(self.cuts))

    def draft(self, order: Order) -> Product:
        return Product(files=(made(order, LOW, b"draft", version=owed.OUTDATED),))

    def audio(self, order: Order) -> Product:
        return Product(pieces=(Piece("audio", written(order, "audio.m4a", b"sound")),))

    def ladder(self, order: Order) -> Product:
        assert order.part
        number = order.part.number
        return Product(
            pieces=tuple(
                Piece(rung.name, written(order, f"{rung.name}.mp4", f"{rung.name}v{rung.version}p{number} ".encode()))
                for rung in order.presets
            )
        )

    def package(self, order: Order) -> Product:
        *rungs, playlist = order.presets
        whole = {rung: b"".join(path.read_bytes() for path in order.pieces[rung.name]) for rung in rungs}
        sound = b"".join(path.read_bytes() for path in order.pieces["audio"])
        companions = [made(order, playlist, bytes_, name=f"{rung.name}.mp4") for rung, bytes_ in whole.items()]
        files = [made(order, rung, bytes_ + sound) for rung, bytes_ in whole.items()]
        return Product(files=(made(order, playlist, b"#EXTM3U"), *companions, *files))


def written(order: Order, name: str, data: bytes) -> Path:
    path = order.folder / name
    path.write_bytes(data)
    return path


def made(order: Order, preset: Any, data: bytes, name: str = "", version: int | None = None) -> Made:
    path = written(order, f"{preset.name}-{name or 'main'}.mp4", data)
    return Made(preset.name, preset.version if version is None else version, path, "video/mp4", 640, 360, name=name)


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    """What is uploaded is a film in four parts."""
    studio = Studio()
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": studio.pipeline()})
    return studio


def work(worker: str = "worker-a", rings: int = 1000) -> None:
    """Answer so many rings, or every ring until the queues are silent."""
    for _ in range(rings):
        if not (message := connection().rpop("videos")):
            return
        for job_id in doorbells.job_ids(message):
            runner.run(job_id, worker)


def jobs(step: str) -> list[Job]:
    return list(Job.objects.filter(step=step).order_by("part"))


def attempts(step: str) -> list[int]:
    return [job.attempt for job in jobs(step)]


def pieces() -> list[str]:
    return [Path(key).name.partition(".")[0] for key, _ in storage.keys("pieces")]


def text_of(preset: str, name: str = "") -> str:
    key = Rendition.objects.get(preset=preset, name=name).key
    return Path(storage.default_storage.path(key)).read_text()


ALL_LOW, ALL_HIGH = "lowv1p0 lowv1p1 lowv1p2 lowv1p3 ", "highv1p0 highv1p1 highv1p2 highv1p3 "


def until_only_package_is_left(studio: Studio, upload: Any) -> Any:
    """A film whose parts lie there, and whose joining is in line."""
    original = upload()
    work(rings=1 + 1 + 1 + 4)
    assert [job.status for job in jobs("package")] == [JobStatus.QUEUED]
    assert sorted(pieces()) == ["audio", *["high"] * 4, *["low"] * 4]
    studio.log.clear()
    return original


def test_cut__each_part_is_a_job_with_a_message_of_its_own(studio, upload):
    upload()
    assert [(job.part, job.plan, job.status) for job in jobs("ladder")] == [(0, None, JobStatus.WAITING)]
    work(rings=1)
    assert [job.status for job in jobs("ladder")] == [JobStatus.QUEUED] * 4
    assert [job.plan["frames"] for job in jobs("ladder")] == [100, 200, 300, 400]
    heard = [job_id for message in doorbells.messages("videos") for job_id in doorbells.job_ids(message)]
    assert heard[::-1] == [job.pk for step in ("draft", "audio", "ladder") for job in jobs(step)]


def test_film__ends_ready_joined_in_order_and_without_pieces(studio, upload):
    original = upload()
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert studio.log == ["inspect", "draft", "audio", "ladder 0", "ladder 1", "ladder 2", "ladder 3", "package"]
    assert (text_of("low"), text_of("high", "")) == (ALL_LOW + "sound", ALL_HIGH + "sound")
    files = set(Rendition.objects.values_list("preset", "name", "version"))
    assert files == {("low", "", 1), ("high", "", 1), ("list", "", 1), ("list", "low.mp4", 1), ("list", "high.mp4", 1)}
    assert pieces() == []
    assert not Job.objects.filter(pieces__isnull=False).exists()
    assert {key for key, _ in storage.keys("renditions")} == set(Rendition.objects.values_list("key", flat=True))
    assert Run.objects.get(original=original).pipeline_version


def test_progress__a_part_counts_by_its_frames(studio, upload):
    upload()
    work(rings=1 + 1 + 1)
    before = Run.objects.get().progress
    work(rings=1)
    first = Run.objects.get().progress
    work(rings=1)
    assert first - before == pytest.approx(10 / 14 * 0.1)
    assert Run.objects.get().progress - first == pytest.approx(10 / 14 * 0.2)


def test_lost_worker__costs_one_part(studio, upload):
    upload()
    work(rings=1 + 1 + 1 + 2)
    assert jobs("ladder")[2].claim("worker-b")
    connection().rpop("videos")
    work()
    Job.objects.filter(status=JobStatus.RUNNING).update(lease_until=now() - timedelta(seconds=1))
    sweeping.sweep()
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert (attempts("ladder"), attempts("audio")) == ([1, 1, 2, 1], [1])
    assert text_of("low") == ALL_LOW + "sound"


def test_sweep__rings_for_a_lost_message_while_another_part_is_at_work(studio, upload):
    upload()
    work(rings=1)
    first, second, *_ = jobs("ladder")
    assert first.claim("worker-b")
    connection().flushall()
    Job.objects.update(rung_at=now() - sweeping.UNANSWERED * 2)
    assert sweeping.sweep()["rung_again"] == 5
    assert second.pk in doorbells.heard()
    assert first.pk not in doorbells.heard()


def test_sweep__rings_for_what_was_lost_alone(studio, upload):
    upload()
    work(rings=1)
    connection().rpop("videos")
    Job.objects.update(rung_at=now() - sweeping.UNANSWERED * 2)
    length = connection().llen("videos")
    assert sweeping.sweep()["rung_again"] == 1
    assert connection().llen("videos") == length + 1


def refuse(_: Order) -> None:
    raise Corrupt(reason="torn in half")


def test_package_that_failed__is_tried_again_with_the_pieces_that_are_there(studio, upload):
    original = until_only_package_is_left(studio, upload)
    studio.before["package"] = refuse
    work()
    assert Run.objects.get().status == RunStatus.FAILED
    assert len(pieces()) == 9
    del studio.before["package"]
    runner.retry(original.run.pk)
    work()
    assert studio.log == ["package", "package"]
    assert Run.objects.get().status == RunStatus.READY
    assert pieces() == []


def test_part_that_failed__ends_its_film_and_a_retry_makes_what_is_missing_alone(studio, upload):
    original = upload()
    studio.before["ladder 1"] = refuse
    work()
    run = Run.objects.get()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "corrupt")
    assert [job.status for job in jobs("ladder")] == ["succeeded", "failed", "canceled", "canceled"]
    assert studio.log[-2:] == ["ladder 0", "ladder 1"], "what nobody can use is not made"
    assert sorted(pieces()) == ["audio", "high", "low"]
    studio.log.clear()
    del studio.before["ladder 1"]
    runner.retry(original.run.pk)
    work()
    assert studio.log == ["ladder 1", "ladder 2", "ladder 3", "package"]
    assert text_of("high") == ALL_HIGH + "sound"


def test_cancel__leaves_no_piece_and_a_retry_makes_them_again(studio, upload):
    original = until_only_package_is_left(studio, upload)
    runner.cancel(original.run.pk)
    assert pieces() == []
    assert set(Rendition.objects.values_list("preset", "version")) == {("low", owed.OUTDATED)}, "what is published"
    connection().flushall()
    runner.retry(original.run.pk)
    work()
    assert studio.log == ["audio", "ladder 0", "ladder 1", "ladder 2", "ladder 3", "package"]
    assert text_of("low") == ALL_LOW + "sound"


def test_cancel__a_part_at_work_leaves_no_piece(studio, upload):
    original = upload()
    studio.before["ladder 2"] = lambda _: runner.cancel(original.run.pk)
    work()
    assert Run.objects.get().status == RunStatus.CANCELED
    assert pieces() == []


def test_delete__leaves_no_file(studio, upload):
    forget(until_only_package_is_left(studio, upload))
    assert [key for place in ("pieces", "renditions", "originals") for key, _ in storage.keys(place)] == []


def test_delete__a_part_at_work_leaves_no_file(studio, upload):
    original = upload()
    studio.before["ladder 2"] = lambda _: forget(original)
    work()
    assert [key for place in ("pieces", "renditions", "originals") for key, _ in storage.keys(place)] == []


def test_gc__knows_the_pieces_that_are_waited_for(studio, upload):
    original = until_only_package_is_left(studio, upload)
    job = jobs("ladder")[0]
    orphans = [f"pieces/{original.pk}/low.0.{job.pk}-9.mp4", f"pieces/{original.pk}/low.0.987654-1.mp4"]
    for key in orphans:
        Path(storage.default_storage.path(key)).write_bytes(b"left by the dead")
    assert sorted(garbage.find(0)) == sorted(orphans)
    assert job.claim("worker-b") is False
    Job.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, attempt=9)
    assert list(garbage.find(0)) == orphans[1:], "an attempt that is at work may still record its piece"


def test_fence__a_worker_given_up_leaves_no_piece(studio, upload, monkeypatch):
    upload()

    def a_sleeps(job: Job, product: Product) -> Any:
        published = upload_files(job, product)
        if job.step == "ladder" and job.part == 1 and job.attempt == 1:
            Job.objects.filter(pk=job.pk).update(lease_until=now() - timedelta(seconds=1))
            sweeping.sweep()
            runner.run(job.pk, "worker-b")
        return published

    upload_files = runner.publishing.upload
    monkeypatch.setattr(runner.publishing, "upload", a_sleeps)
    work(rings=1 + 1 + 1 + 2)
    ours = jobs("ladder")[1]
    assert ours.worker == "worker-b"
    lying = {key for key, _ in storage.keys("pieces") if ".1." in key}
    assert lying == {piece["key"] for piece in ours.pieces}


def inspect_again(original: Any) -> None:
    with runner.changing(original.run.pk) as run:
        runner.owe_again(run.jobs.filter(step="inspect"))
    work()


def test_inspect_again__the_same_cut_makes_nothing_again(studio, upload):
    inspect_again(until_only_package_is_left(studio, upload))
    assert studio.log == ["inspect", "package"]
    assert attempts("ladder") == [1, 1, 1, 1]


def test_inspect_again__another_cut_makes_the_changed_parts_alone(studio, upload):
    original = until_only_package_is_left(studio, upload)
    first, second, third, _ = studio.cuts
    studio.cuts = [first, second, replace(third, end=20.0, frames=700)]
    inspect_again(original)
    assert studio.log == ["inspect", "ladder 2", "package"]
    assert text_of("low") == "lowv1p0 lowv1p1 lowv1p2 sound"
    assert pieces() == []


def test_inspect_again__a_part_at_work_with_an_old_plan_is_lost(studio, upload):
    original = upload()
    work(rings=1 + 1 + 1 + 3)
    held = jobs("ladder")[3]
    assert held.claim("worker-b")
    connection().flushall()
    studio.cuts = [*studio.cuts[:3], replace(studio.cuts[3], end=19.0)]
    inspect_again(original)
    assert not held.renew(0.5)
    assert Run.objects.get().status == RunStatus.READY


def test_reprocess__files_that_belong_together_are_made_together(studio, upload):
    original = upload()
    work()
    studio.log.clear()
    before = dict(Rendition.objects.values_list("preset", "key"))
    assert runner.reprocess(original.run.pk, again=["high"]) == 1
    assert dict(Rendition.objects.values_list("preset", "key")) == before, "shown meanwhile"
    work()
    assert studio.log == ["audio", "ladder 0", "ladder 1", "ladder 2", "ladder 3", "package"]
    assert not set(Rendition.objects.values_list("key", flat=True)) & set(before.values())
    assert {key for key, _ in storage.keys("renditions")} == set(Rendition.objects.values_list("key", flat=True))
    assert Run.objects.get().status == RunStatus.READY
    assert pieces() == []


def test_reprocess__nothing_missing_makes_nothing(studio, upload):
    original = upload()
    work()
    studio.log.clear()
    assert runner.reprocess(original.run.pk) == 0
    work()
    assert studio.log == []


def test_preset_that_changes_half_way__its_pieces_are_made_again(studio, upload):
    until_only_package_is_left(studio, upload)
    studio.rungs = (LOW, replace(HIGH, version=2))
    work()
    runner.reprocess(Run.objects.get().pk)
    work()
    assert text_of("high") == ALL_HIGH.replace("v1", "v2") + "sound"
    assert Run.objects.get().status == RunStatus.READY


def test_run_of_before_parts__is_cut_when_something_is_owed(studio, upload):
    original = upload()
    work()
    Job.objects.filter(step="package").delete()
    Job.objects.filter(step="ladder", part__gt=0).delete()
    Job.objects.filter(step="ladder").update(plan=None)
    Rendition.objects.filter(preset="list").delete()
    studio.log.clear()
    runner.reprocess(original.run.pk)
    work()
    assert studio.log == ["inspect", "audio", "ladder 0", "ladder 1", "ladder 2", "ladder 3", "package"]
    assert Run.objects.get().status == RunStatus.READY


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_run_of_before_parts__in_the_middle_at_an_upgrade_goes_all_the_way(studio, upload, status):
    upload()
    work(rings=1)
    Job.objects.exclude(step__in=("inspect", "ladder")).delete()
    Job.objects.filter(step="ladder", part__gt=0).delete()
    Job.objects.filter(step="ladder").update(plan=None, status=status, lease_until=now() - timedelta(seconds=1))
    sweeping.sweep()
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert Run.objects.get().pipeline_version
    assert text_of("high") == ALL_HIGH + "sound"


def test_piece_that_is_gone__is_made_again(studio, upload):
    until_only_package_is_left(studio, upload)
    storage.drop(jobs("ladder")[2].pieces[0]["key"])
    work()
    assert studio.log == ["ladder 2", "package"]
    assert text_of("high") == ALL_HIGH + "sound"
    assert pieces() == []


def test_piece_that_was_cut_short__is_made_again(studio, upload):
    until_only_package_is_left(studio, upload)
    truncate(default_storage.path(jobs("ladder")[2].pieces[0]["key"]), 3)
    work()
    assert studio.log == ["ladder 2", "package"]
    assert text_of("high") == ALL_HIGH + "sound"


def test_step_that_leaves_too_little__fails_for_that(studio, upload, monkeypatch):
    ladder = studio.ladder
    studio.ladder = lambda order: Product(pieces=ladder(order).pieces[:1])  # type: ignore[method-assign]
    upload()
    monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": studio.pipeline()})
    work()
    job = jobs("ladder")[0]
    assert (job.status, job.errors) == (JobStatus.WAITING, 1)
    assert "ladder has left no high" in job.error_message


def test_draft__is_there_before_the_ladder_and_is_replaced_by_it(studio, upload):
    upload()
    work(rings=1 + 1)
    assert text_of("low") == "draft"
    [draft] = Rendition.objects.all()
    work()
    assert text_of("low") == ALL_LOW + "sound"
    assert draft.key not in {key for key, _ in storage.keys("renditions")}


def test_draft__is_left_out_where_others_wait(studio, upload):
    original = upload()
    work(rings=1)
    upload(name="other.jpg")
    work(rings=1)
    assert studio.log == ["inspect"]
    assert original.run.jobs.get(step="draft").status == JobStatus.SUCCEEDED


def test_draft__that_is_late_takes_no_ones_place(studio, upload):
    original = upload()

    def overtaken(order: Order) -> None:
        """The rest of the film is made while the draft is."""
        work()

    studio.before["draft"] = overtaken
    work(rings=2)
    assert Run.objects.get(original=original).status == RunStatus.READY
    assert text_of("low") == ALL_LOW + "sound"
    assert {key for key, _ in storage.keys("renditions")} == set(Rendition.objects.values_list("key", flat=True))
