"""Presets change: what is missing or old is made again from the original, and nothing else is."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database

from processing import doorbells, owed, pipelines, presets, runner, storage
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.management.commands import reprocess
from processing.models import Job, JobStatus, Notice, Rendition, Run, RunStatus
from processing.pipelines import Step
from processing.presets import ImagePreset

pytestmark = pytest.mark.django_db(transaction=True)

SMALL, LARGE, NEW = (ImagePreset(name, box, "WEBP", 80) for name, box in (("s", 40), ("l", 80), ("n", 60)))


def work(worker: str = "worker-a") -> None:
    """Answer every ring until the queues are silent, as a worker would."""
    for queue in doorbells.TASKS:
        while message := connection().lpop(queue):
            for job_id in doorbells.job_ids(message):
                runner.run(job_id, worker)


Deploy = Callable[..., None]


@pytest.fixture
def asked() -> list[list[str]]:
    """The presets of each order that rendered something."""
    return []


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch, asked: list[list[str]]) -> Deploy:
    """From now on images get these presets, by the step `thumbnails`, and besides these steps."""
    inspect, thumbnails = pipelines.PIPELINES["image"]

    def render(order: Order) -> Product:
        asked.append([preset.name for preset in order.presets])
        return thumbnails.make(order)

    def deploy(*wanted: ImagePreset, more: tuple[Step, ...] = ()) -> None:
        steps = (inspect, replace(thumbnails, make=render, presets=lambda _: wanted), *more)
        monkeypatch.setattr(pipelines, "PIPELINES", {**pipelines.PIPELINES, "image": steps})

    deploy(SMALL, LARGE)
    return deploy


def keys() -> dict[str, str]:
    return dict(Rendition.objects.values_list("preset", "key"))


def files(original: Any) -> set[str]:
    return {key for key, _ in storage.keys(f"renditions/{original.pk}")}


def command(**options: Any) -> str:
    out = io.StringIO()
    call_command("reprocess", stdout=out, **options)
    return out.getvalue().strip()


@pytest.fixture
def original(upload: Any, deploy: Deploy, asked: list[list[str]]) -> Any:
    """A ready one, with the files of SMALL and LARGE."""
    original = upload()
    work()
    asked.clear()
    return original


def test_reprocess__makes_what_is_missing_and_nothing_else(original, deploy, asked):
    before = keys()
    deploy(SMALL, LARGE, NEW)
    assert runner.reprocess(original.run.pk) == 1
    work()
    assert asked == [["n"]]
    assert keys() | before == keys()
    assert set(keys()) == {"s", "l", "n"}
    assert Job.objects.get(step="inspect").attempt == 1
    assert Job.objects.get(step="thumbnails").attempt == 2


def test_reprocess__old_version_is_replaced_and_its_file_goes_after(original, deploy, asked):
    before = keys()
    deploy(SMALL, replace(LARGE, version=2))
    runner.reprocess(original.run.pk)
    run = Run.objects.get()
    assert (run.status, run.is_shown) == (RunStatus.PROCESSING, True)
    assert (keys(), files(original)) == (before, set(before.values())), "the old are there until the new are"
    work()
    assert asked == [["l"]]
    assert keys()["s"] == before["s"]
    assert keys()["l"] != before["l"]
    assert files(original) == set(keys().values())
    assert Rendition.objects.get(preset="l").version == 2


def test_reprocess__with_nothing_to_do_moves_nothing(original, asked):
    assert runner.reprocess(original.run.pk) == 0
    work()
    assert asked == []
    assert Run.objects.get().status == RunStatus.READY


def test_reprocess__twice_owes_it_once(original, deploy, asked):
    deploy(SMALL, LARGE, NEW)
    assert [runner.reprocess(original.run.pk) for _ in range(2)] == [1, 0]
    work()
    assert asked == [["n"]]


def test_reprocess__again_makes_that_one_and_shows_it_meanwhile(original, asked):
    before = keys()
    runner.reprocess(original.run.pk, again=["l"])
    assert keys() == before
    work()
    assert asked == [["l"]]
    assert keys()["l"] != before["l"]
    assert keys()["s"] == before["s"]


def test_reprocess__without_the_others_leaves_other_steps_alone(original, deploy, asked):
    deploy(SMALL, LARGE, NEW)
    assert runner.reprocess(original.run.pk, again=["no such"], others=False) == 0
    assert runner.reprocess(original.run.pk, again=["n"], others=False) == 1


def test_reprocess__wish_that_comes_while_a_worker_renders_is_not_lost(original, asked, monkeypatch):
    """The worker's order was written before the wish: what it makes is dropped, and the next has both."""
    runner.reprocess(original.run.pk, again=["s"])
    upload_files, wishes = runner.publishing.upload, [["l"]]

    def wished_meanwhile(job: Job, product: Product) -> Any:
        published = upload_files(job, product)
        while wishes:
            runner.reprocess(original.run.pk, again=wishes.pop())
        return published

    monkeypatch.setattr(runner.publishing, "upload", wished_meanwhile)
    work()
    assert asked == [["s"], ["s", "l"]]
    assert not Rendition.objects.filter(version=owed.OUTDATED).exists()
    assert files(original) == set(keys().values())


def test_reprocess__stale_leaves_a_worker_that_renders_alone(original, deploy, asked):
    deploy(SMALL, LARGE, NEW)
    runner.reprocess(original.run.pk)
    job = Job.objects.get(step="thumbnails")
    assert job.claim("worker-a")
    assert runner.reprocess(original.run.pk) == 0
    assert job.renew(0.5)


def test_reprocess__wish_that_is_said_twice_leaves_its_worker_alone(original):
    for _ in range(2):
        runner.reprocess(original.run.pk, again=["s"])
    job = Job.objects.get(step="thumbnails")
    assert job.claim("worker-a")
    assert runner.reprocess(original.run.pk, again=["s"]) == 0
    assert job.renew(0.5)


def test_reprocess__preset_of_the_past_goes_when_the_run_is_ready(original, deploy):
    deploy(LARGE, NEW)
    runner.reprocess(original.run.pk)
    assert set(keys()) == {"s", "l"}
    work()
    assert set(keys()) == {"l", "n"}
    assert files(original) == set(keys().values())


def test_reprocess__preset_of_the_past_stays_while_its_successor_cannot_be_made(original, deploy):
    deploy(LARGE, NEW)
    runner.retry(original.run.pk)
    assert set(keys()) == {"s", "l"}


def nothing_new(order: Order) -> Product:
    return Product()


def test_reprocess__step_that_is_new_gets_its_job(original, deploy, asked):
    deploy(SMALL, LARGE, more=(Step("new", nothing_new, "images", ("thumbnails",)),))
    runner.advance(original.run.pk)
    run = Run.objects.get()
    assert (run.status, run.progress, run.pipeline_version) == (RunStatus.READY, 1, "")
    assert runner.reprocess(original.run.pk) == 1
    assert Run.objects.get().status == RunStatus.PROCESSING
    work()
    run = Run.objects.get()
    assert (run.status, run.pipeline_version) == (RunStatus.READY, pipelines.version("image"))
    assert asked == []


def test_reprocess__step_of_the_past_keeps_nobody_waiting(original):
    Job.objects.create(run=original.run, step="of the past", queue="images")
    runner.advance(original.run.pk)
    assert Run.objects.get().status == RunStatus.PROCESSING
    runner.reprocess(original.run.pk)
    assert Run.objects.get().status == RunStatus.READY


def test_reprocess__canceled_run_stays_canceled(original, deploy):
    Job.objects.filter(step="thumbnails").update(status=JobStatus.RUNNING)
    runner.cancel(original.run.pk)
    deploy(replace(SMALL, version=2), LARGE)
    runner.reprocess(original.run.pk)
    work()
    assert Run.objects.get().status == RunStatus.CANCELED


def test_make_again__makes_every_file_and_what_was_canceled(original, asked):
    before = keys()
    runner.make_again(original.run.pk)
    runner.cancel(original.run.pk)
    assert Run.objects.get().status == RunStatus.CANCELED
    runner.make_again(original.run.pk)
    work()
    assert asked == [["s", "l"]]
    assert not set(keys().values()) & set(before.values())
    assert Run.objects.get().status == RunStatus.READY


def test_retry__after_a_failed_rendering_makes_what_was_asked_for(original, deploy, asked, monkeypatch):
    step = pipelines.step_named("image", "thumbnails")

    def refuse(order: Order) -> Product:
        raise Corrupt(reason="torn")

    broken = replace(step, make=refuse)
    monkeypatch.setattr(pipelines, "PIPELINES", {"image": (pipelines.step_named("image", "inspect"), broken)})
    runner.reprocess(original.run.pk, again=["l"])
    work()
    assert Run.objects.get().status == RunStatus.FAILED
    assert set(keys()) == {"s", "l"}
    deploy(SMALL, LARGE)
    runner.retry(original.run.pk)
    work()
    assert asked == [["l"]]


def test_make__step_whose_files_are_all_there_makes_none(original, asked):
    Job.objects.filter(step="thumbnails").update(status=JobStatus.FAILED)
    before = keys()
    runner.retry(original.run.pk)
    work()
    assert (asked, keys()) == ([], before)
    assert Run.objects.get().status == RunStatus.READY


def test_move__success_cannot_be_undone_by_who_still_believes_it_runs(original):
    job = Job.objects.get(step="thumbnails")
    job.status = JobStatus.RUNNING  # as a worker told to stop had read it, before its last file was published
    assert not job.move(JobStatus.WAITING)
    assert Job.objects.get(step="thumbnails").status == JobStatus.SUCCEEDED


def test_notice__of_ready_is_owed_once_for_ever(original):
    runner.make_again(original.run.pk)
    work()
    assert list(Notice.objects.values_list("outcome", flat=True)) == [RunStatus.READY]


def test_ready_at__is_the_first_time(original):
    first = Run.objects.get().ready_at
    runner.make_again(original.run.pk)
    assert Run.objects.get().ready_at == first
    work()
    assert Run.objects.get().ready_at == first


@pytest.mark.parametrize("page", ["/", "/originals/{}", "/originals/{}/card", "/originals/{}/stage"])
def test_pages__show_the_pictures_there_are_while_others_are_made(upload, alice, client, page):
    original = upload()
    work()
    runner.make_again(original.run.pk)
    client.force_login(alice)
    text = client.get(page.format(original.pk)).content.decode()
    assert f"/media/{keys()['webp-640']}" in text
    assert ('<article class="card processing"' in text) == (page in ("/", "/originals/{}/card"))
    assert 'class="row"' not in text


def test_gallery__keeps_in_its_place_what_is_made_again(original, alice, client):
    runner.make_again(original.run.pk)
    client.force_login(alice)
    page = client.get("/")
    assert [item for _, items in page.context["days"] for item in items] == [original]


def test_page__re_render_button_posts(original, alice, client):
    client.force_login(alice)
    address = f"/originals/{original.pk}/reprocess"
    assert f'action="{address}"' in client.get(f"/originals/{original.pk}").content.decode()
    assert client.post(address).status_code == 302
    assert Run.objects.get().status == RunStatus.PROCESSING


def test_page__bob_cannot_re_render_what_is_alices(original, bob, client):
    client.force_login(bob)
    assert client.post(f"/originals/{original.pk}/reprocess").status_code == 404
    assert Run.objects.get().status == RunStatus.READY


def test_desk__re_renders_the_ready_among_the_ticked(original, upload, charlie, client):
    waiting = upload()
    client.force_login(charlie)
    assert 'value="reprocess"' in client.get("/status/").content.decode()
    client.post("/status/", {"action": "reprocess", "run": [original.pk, waiting.pk]})
    assert Run.objects.get(original=original).status == RunStatus.PROCESSING
    assert Run.objects.get(original=waiting).status == RunStatus.RECEIVED


def test_version__is_another_for_every_change_of_what_is_owed(deploy):
    def version(*wanted: ImagePreset, **more: Any) -> str:
        deploy(*wanted, **more)
        return pipelines.version("image")

    base = version(SMALL, LARGE)
    others = [
        version(SMALL),
        version(SMALL, replace(LARGE, version=2)),
        version(SMALL, LARGE, NEW),
        version(SMALL, LARGE, more=(Step("new", nothing_new, "images"),)),
    ]
    assert len({base, *others}) == 5
    assert version(SMALL, LARGE) == base
    assert version(replace(SMALL, quality=70), LARGE) == base, "only a version says that files are to be made again"


@pytest.mark.parametrize("kind", pipelines.PIPELINES)
def test_preset_names__are_all_there_are(kind):
    film = (presets.SOURCE, presets.POSTER, presets.HLS, presets.STORYBOARD, presets.PREVIEW, presets.SUBTITLES)
    known = {"image": presets.ON, "video": (*film, *presets.LADDER)}[kind]
    assert set(pipelines.preset_names(kind)) == {preset.name for preset in known}
    assert len(pipelines.version(kind)) == Run._meta.get_field("pipeline_version").max_length


def test_version__written_by_an_older_worker_is_not_todays(original, deploy):
    """Its half of the files is of its time: the run must be found again."""
    Rendition.objects.filter(preset="s").update(version=7)
    runner.advance(original.run.pk)
    assert Run.objects.get().pipeline_version == ""
    assert command(stale=True) == "1 queued, 0 with nothing to do"


def test_command__stale_goes_through_the_old_alone_and_once(original, upload, deploy, asked):
    deploy(SMALL, LARGE, NEW)
    upload()
    work()
    asked.clear()
    assert command(stale=True) == "1 queued, 0 with nothing to do"
    work()
    assert asked == [["n"]]
    assert command(stale=True) == "0 queued, 0 with nothing to do"


def test_command__stale_run_with_nothing_missing_is_only_written_down(original, asked):
    Run.objects.update(pipeline_version="of the past")
    assert command(stale=True) == "0 queued, 1 with nothing to do"
    assert command(stale=True) == "0 queued, 0 with nothing to do"
    assert asked == []


def test_command__stale_finds_every_older_version_by_its_index(original, upload, deploy):
    for past in ("", "0000", "zzzz"):
        run = upload().run
        Run.objects.filter(pk=run.pk).update(pipeline_version=past, status=RunStatus.READY)
    many_of_today(original, 2000)
    selections = list(reprocess.stale("image"))
    assert [rows.count() for rows in selections] == [1, 1, 1]
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert "run_by_version" in selections[0].order_by("pk").explain()


def many_of_today(like: Any, count: int) -> None:
    """Ready runs of today's version: in a table of four a database reads all of it, and rightly so."""
    numbers = range(count)
    originals = type(like).objects.bulk_create(
        type(like)(owner=like.owner, name="n", kind="image", bytes=1, sha256=f"{n:064}", key=f"originals/{n}")
        for n in numbers
    )
    today = pipelines.version("image")
    Run.objects.bulk_create(
        Run(original=made, kind="image", status=RunStatus.READY, pipeline_version=today) for made in originals
    )


def test_command__preset_is_made_again_for_every_run(original, upload, asked):
    upload()
    work()
    asked.clear()
    assert command(preset="s") == "2 queued, 0 with nothing to do"
    work()
    assert asked == [["s"], ["s"]]


def test_command__failed_are_retried_and_others_left(original, upload):
    failed = upload().run
    failed.jobs.filter(step="inspect").update(status=JobStatus.FAILED)
    runner.advance(failed.pk)
    assert command(failed=True) == "1 queued, 0 with nothing to do"
    work()
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.READY}


def test_command__dry_run_counts_and_changes_nothing(original, deploy, asked):
    deploy(SMALL, LARGE, NEW)
    before = list(Run.objects.values()), list(Job.objects.values()), list(Rendition.objects.values())
    assert command(stale=True, dry_run=True) == "1 would be queued, 0 with nothing to do"
    work()
    assert (list(Run.objects.values()), list(Job.objects.values()), list(Rendition.objects.values())) == before
    assert asked == []


def test_command__kind_leaves_the_other_alone(original, deploy):
    deploy(SMALL, LARGE, NEW)
    assert command(stale=True, kind="video") == "0 queued, 0 with nothing to do"
    assert command(stale=True, kind="image") == "1 queued, 0 with nothing to do"


def test_command__of_more_runs_than_a_batch(original, upload, deploy, monkeypatch):
    monkeypatch.setattr(reprocess, "BATCH", 2)
    for _ in range(4):
        upload()
    work()
    deploy(SMALL, LARGE, NEW)
    assert command(stale=True) == "5 queued, 0 with nothing to do"


def test_command__interrupted_goes_on_where_it_was(original, upload, deploy, asked, monkeypatch):
    upload()
    work()
    asked.clear()
    deploy(SMALL, LARGE, NEW)
    reprocess_one, done = runner.reprocess, []

    def interrupted(run_id: int) -> int:
        if done:
            raise KeyboardInterrupt
        done.append(run_id)
        return reprocess_one(run_id)

    monkeypatch.setattr(runner, "reprocess", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command(stale=True)
    monkeypatch.setattr(runner, "reprocess", reprocess_one)
    work()
    assert command(stale=True) == "1 queued, 0 with nothing to do"
    work()
    assert asked == [["n"], ["n"]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--preset NAME, --stale or --failed"),
        ({"stale": True, "kind": "sound"}, "no kind 'sound'. There are: image, video"),
        ({"preset": "webp-7"}, "no preset 'webp-7' of image or video.*webp-160.*mp4-360"),
        ({"preset": "mp4-360", "kind": "image"}, "no preset 'mp4-360' of image"),
    ],
)
def test_command__says_what_there_is_to_choose(db, options, said):
    with pytest.raises(CommandError, match=said):
        command(**options)
