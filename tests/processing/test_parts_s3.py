"""A real film in a real S3 store: each part takes its own bytes, and no more."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from processing import doorbells, runner, storage
from processing.bridge import connection
from processing.errors import Corrupt
from processing.facts import Order
from processing.models import Job, Run, RunStatus
from tests.processing.test_parts import studio  # noqa: F401 - a fixture
from tests.processing.test_storage_s3 import store  # noqa: F401 - a fixture
from tests.swift.store import Store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    """Twenty seconds with a keyframe in each, and sound; noise, so that pictures are most of it."""
    path = tmp_path / "film.mp4"
    picture, sound = "testsrc2=s=160x90:r=25:d=20,noise=alls=30:allf=t", "sine=d=20"
    sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    encoders = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *sources, *encoders, str(path)], check=True)
    return path.read_bytes()


def work() -> None:
    while message := connection().rpop("videos"):
        for job_id in doorbells.job_ids(message):
            runner.run(job_id, "worker-a")


def test_film__parts_fetch_their_bytes_alone_and_all_is_ready(store: Store, settings: Any, monkeypatch, upload, film):  # noqa: F811
    settings.LIMITS = replace(configured.LIMITS, part=0.018)
    fetched: list[tuple[int, int]] = []
    fetch = storage.fetched

    @contextmanager
    def counted(key: str, folder: Path, ranges: Any = (), on_bytes: Any = storage.ignore) -> Iterator[Path]:
        came: list[int] = []
        with fetch(key, folder, ranges, came.append) as source:
            yield source
        if ranges:
            fetched.append((sum(came), sum(end - start for start, end in ranges)))

    monkeypatch.setattr(storage, "fetched", counted)
    original = upload(film, "film.mp4")
    work()
    run = Run.objects.get(original=original)
    assert (run.status, run.error_code) == (RunStatus.READY, ""), run.error_message
    parts = Job.objects.filter(step="ladder")
    assert len(fetched) == parts.count() >= 4
    assert all(came == planned < len(film) * 0.6 for came, planned in fetched), (fetched, len(film))
    assert set(Job.objects.exclude(work=0).values_list("attempt", flat=True)) == {1}
    keys = {key for key in store.keys_kept() if not key.startswith("originals/")}
    assert keys == set(original.renditions.values_list("key", flat=True)), "no piece is left"
    kinds = dict(original.renditions.exclude(name="").values_list("name", "content_type"))
    for name, kind in kinds.items():
        key = original.renditions.get(name=name).key
        assert store.client().head_object(Bucket=store.bucket, Key=key)["ContentType"] == kind


def test_part__gets_the_whole_file_before_it_is_called_damaged(store, studio, upload):  # noqa: F811
    def look(order: Order) -> None:
        if not any(order.source.read_bytes()[10:]):
            raise Corrupt(reason="nothing there")

    studio.cuts = [replace(part, ranges=((0, 10),)) for part in studio.cuts]
    studio.before["ladder 1"] = look
    upload()
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert studio.log.count("ladder 1") == 2
    assert studio.log.count("ladder 2") == 1
    assert set(Job.objects.exclude(work=0).values_list("attempt", flat=True)) == {1}
