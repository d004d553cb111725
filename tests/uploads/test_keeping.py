"""Keeping what was sent: whole and owed its processing, or refused with nothing left behind."""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils.timezone import now

from processing import doorbells, runner, storage, sweeping
from processing.bridge import connection
from processing.errors import Drawing, Empty, MediaError, QuotaExceeded, TooLarge, UnsupportedType
from processing.models import Job, JobStatus, Run, RunStatus
from tests.conftest import new_photo_bytes, photo_bytes
from tests.outage import broker_away
from uploads import garbage, keeping
from uploads.models import Original

pytestmark = pytest.mark.django_db
commits = pytest.mark.django_db(transaction=True)  # where bells ring and files go on commit

NAMES = Path(__file__).parents[3] / "shared" / "corpus" / "names.tsv"
OWN_NAMES = ["../../etc/passwd", "a\0.jpg", "-i.jpg", "..", "", "\t\r\n", "a\r\nSet-Cookie: x=1", "é" * 400 + ".jpg"]


def hostile_names() -> list[str]:
    if not NAMES.exists():
        return OWN_NAMES
    rows = NAMES.read_text().splitlines()[1:]
    return OWN_NAMES + [json.loads(row.split("\t")[0]) for row in rows]


def nothing_is_left() -> bool:
    """No row, no file, no scratch, no message."""
    rows = Original.objects.exists() or Run.objects.exists() or Job.objects.exists()
    files = [*storage.keys(storage.ORIGINALS), *storage.keys(storage.RENDITIONS)]
    return not (rows or files or any(settings.SCRATCH.iterdir()) or doorbells.heard())


def kept_bytes(original: Any) -> bytes:
    return Path(storage.default_storage.path(original.key)).read_bytes()


@pytest.fixture(autouse=True)
def empty_storage() -> None:
    for prefix in (storage.ORIGINALS, storage.RENDITIONS):
        for key, _ in list(storage.keys(prefix)):
            storage.drop(key)


def test_keep__bytes_are_those_that_were_sent(upload):
    data = photo_bytes() + b"\0trailing" * 300_000  # more than one chunk
    original = upload(data)
    assert kept_bytes(original) == data
    assert (original.bytes, original.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def written(settings: Any) -> Callable[[bytes], TemporaryUploadedFile]:
    """What Django has written to our disk, as it does with a large body."""
    settings.FILE_UPLOAD_TEMP_DIR = settings.SCRATCH

    def write(data: bytes) -> TemporaryUploadedFile:
        file = TemporaryUploadedFile("photo.jpg", "image/jpeg", len(data), None)
        file.write(data)
        file.seek(0)
        return file

    return write


def test_keep__what_is_on_our_disk_is_not_written_again(alice, written):
    data = new_photo_bytes() + bytes(3 << 20)
    with written(data) as file:
        inode = Path(file.temporary_file_path()).stat().st_ino
        original = keeping.keep(alice, "photo.jpg", file)
    path = Path(storage.default_storage.path(original.key))
    assert path.stat().st_ino == inode
    assert kept_bytes(original) == data
    assert (original.bytes, original.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert not any(settings.SCRATCH.iterdir())


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_keep__what_was_on_our_disk_may_be_read_by_whom_all_our_files_may(alice, written, mask, mode):
    before = os.umask(mask)
    try:
        with written(new_photo_bytes()) as file:
            original = keeping.keep(alice, "photo.jpg", file)
    finally:
        os.umask(before)
    assert Path(storage.default_storage.path(original.key)).stat().st_mode & 0o777 == mode


def test_keep__what_is_on_our_disk_and_too_large_goes(alice, written, settings):
    data = new_photo_bytes()
    settings.MAX_UPLOAD_BYTES = len(data) - 1
    with written(data) as file, pytest.raises(TooLarge):
        keeping.keep(alice, "photo.jpg", file)
    assert nothing_is_left()


def test_keep__row_run_and_jobs_are_there_and_scratch_is_empty(upload):
    original = Original.objects.get(pk=upload().pk)
    assert (original.kind, original.name, original.owner.username) == ("image", "photo.jpg", "alice")
    assert original.run.status == RunStatus.RECEIVED
    assert original.run.jobs.count() == 2
    assert not any(settings.SCRATCH.iterdir())


def files_kept() -> list[str]:
    return [key for key, _ in storage.keys(storage.ORIGINALS)]


@commits
def test_twin__same_bytes_give_the_original_there_is(upload, bob):
    data = photo_bytes()
    first, second = upload(data, "a.jpg"), upload(data, "b.jpg")
    assert (second.pk, second.name, second.was_there) == (first.pk, "a.jpg", True)
    assert not first.was_there
    assert files_kept() == [first.key]
    assert first.run.jobs.count() == 2
    assert upload(data, owner=bob).pk != first.pk, "another's are another's"


@commits
def test_twin__of_a_large_file_is_found_before_that_is_put_away(upload, monkeypatch):
    data = photo_bytes()
    first = upload(data)
    monkeypatch.setattr(keeping, "QUICKLY_KEPT", len(data) - 1)
    monkeypatch.setattr(storage, "keep", None)
    assert upload(data).pk == first.pk


@commits
def test_twin__that_is_ready_is_not_made_again(upload):
    data = photo_bytes()
    first = upload(data)
    Job.objects.update(status=JobStatus.SUCCEEDED)
    Run.objects.update(status=RunStatus.READY)
    upload(data)
    assert set(first.run.jobs.values_list("status", flat=True)) == {JobStatus.SUCCEEDED}


@commits
@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELED])
def test_twin__that_failed_or_was_canceled_is_taken_up_again(upload, status):
    data = photo_bytes()
    first = upload(data)
    Job.objects.update(status=status)
    Run.objects.update(status=status, cancel_wish=status == JobStatus.CANCELED)
    assert upload(data).pk == first.pk
    assert first.run.jobs.get(step="inspect").status == JobStatus.QUEUED


@commits
def test_twin__that_was_deleted_is_none(upload):
    data = photo_bytes()
    first = upload(data)
    keeping.forget(first)
    second = upload(data)
    assert (second.pk == first.pk, second.was_there) == (False, False)
    assert kept_bytes(second) == data


@commits
def test_twin__of_two_at_once_one_is_kept(upload, monkeypatch):
    data, write_down = photo_bytes(), keeping.write_down

    def overtaken(original: Any) -> Original:
        monkeypatch.setattr(keeping, "write_down", write_down)
        upload(data, "faster.jpg")
        return write_down(original)

    monkeypatch.setattr(keeping, "write_down", overtaken)
    assert upload(data, "slower.jpg").name == "faster.jpg"
    assert files_kept() == [Original.objects.get().key]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", Empty), (b"hello", UnsupportedType), (b"<svg/>", Drawing), (b"\xff\xd8", UnsupportedType)],
    ids=["empty", "unsupported", "a drawing", "cut within the signature"],
)
def test_keep__what_cannot_be_media_leaves_nothing_behind(upload, data, error):
    with pytest.raises(error):
        upload(data, name="photo.jpg")
    assert nothing_is_left()


def test_keep__file_over_the_limit_leaves_nothing_behind(upload, settings):
    settings.MAX_UPLOAD_BYTES = len(photo_bytes()) - 1
    with pytest.raises(TooLarge) as refused:
        upload()
    assert refused.value.details == {"allowed": settings.MAX_UPLOAD_BYTES}
    assert nothing_is_left()


def test_keep__file_of_just_the_limit_is_kept(upload, settings):
    settings.MAX_UPLOAD_BYTES = settings.QUOTA_BYTES = len(photo_bytes())
    assert upload(photo_bytes()).bytes == settings.MAX_UPLOAD_BYTES


def test_keep__file_over_quota_leaves_nothing_behind(upload, settings):
    settings.QUOTA_BYTES = len(photo_bytes()) - 1
    with pytest.raises(QuotaExceeded) as refused:
        upload()
    assert refused.value.details == {"free": settings.QUOTA_BYTES, "allowed": settings.QUOTA_BYTES}
    assert nothing_is_left()


def test_quota__counts_what_the_owner_has_and_nobody_else(upload, settings, bob):
    settings.QUOTA_BYTES = int(len(photo_bytes()) * 1.5)
    upload(photo_bytes())
    upload(owner=bob)
    with pytest.raises(QuotaExceeded) as refused:
        upload()
    assert refused.value.details["free"] == settings.QUOTA_BYTES - len(photo_bytes())


def test_quota__lowered_below_what_is_there_frees_nothing_and_says_so(upload, settings):
    upload()
    settings.QUOTA_BYTES = 1
    with pytest.raises(QuotaExceeded, match="0 of your 1 bytes"):
        upload()


def test_quota__is_free_again_after_a_delete(upload, settings):
    settings.QUOTA_BYTES = len(new_photo_bytes())
    keeping.forget(upload())
    assert upload().pk


def test_keep__stream_that_breaks_off_leaves_nothing_behind(alice):
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise ConnectionResetError
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        keeping.keep(alice, "photo.jpg", Torn(photo_bytes()))
    assert nothing_is_left()


@commits
def test_keep__failed_transaction_makes_no_half_original(upload, monkeypatch):
    def fail(original: Any) -> None:
        assert Original.objects.filter(pk=original.pk).exists(), "the row is written before its jobs are owed"
        raise OSError("the power goes out here")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "start", fail)
        with pytest.raises(OSError, match="power"):
            upload()
    assert not Original.objects.exists()
    assert not doorbells.heard()
    assert not any(settings.SCRATCH.iterdir())
    assert len(list(garbage.find(older_than=-1))) == 1, "its bytes are for gc to find"


@pytest.mark.parametrize("name", hostile_names(), ids=ascii)
def test_shown_name__of_a_hostile_name_can_be_shown_and_is_no_path(name):
    shown = keeping.shown_name(name)
    assert 0 < len(shown) <= 255
    assert shown.isprintable()
    assert not set(shown) & set("/\\")
    assert shown.strip(".")


def test_keep__hostile_names_are_kept_under_keys_of_our_own(upload):
    keys = {upload(name=name).key for name in hostile_names()}
    assert {key for key, _ in storage.keys(storage.ORIGINALS)} == keys
    assert all(re.fullmatch(r"originals/[0-9a-f-]{36}", key) for key in keys)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("C:\\Users\\ana\\café.jpg", "café.jpg"),
        ("a\tb\nc.jpg", "abc.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("", "unnamed"),
        ("\0\x1b", "unnamed"),
        ("..", "unnamed"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("  a.jpg ", "a.jpg"),
    ],
)
def test_shown_name__keeps_what_people_recognise(given, shown):
    assert keeping.shown_name(given) == shown


@commits
def test_keep__works_while_redis_is_down_and_the_sweep_rings_later(upload, broker):
    with broker_away(broker):
        original = upload()
        assert Original.objects.get().run.status == RunStatus.RECEIVED
    assert not doorbells.heard()
    Job.objects.update(rung_at=now() - timedelta(minutes=1))
    assert sweeping.sweep()["rung_again"] == 1
    assert doorbells.heard() == {original.run.jobs.get(step="inspect").pk}


@commits
def test_forget__removes_rows_and_files(upload):
    keeping.forget(upload())
    connection().flushall()
    assert nothing_is_left()


@commits
def test_forget__leaves_the_neighbours_alone(upload):
    gone, stays = upload(), upload(photo_bytes())
    keeping.forget(gone)
    assert kept_bytes(stays) == photo_bytes()
    assert list(Original.objects.all()) == [stays]


@commits
def test_forget__rolled_back_keeps_the_files(upload, monkeypatch):
    original = upload(photo_bytes())

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(Original, "delete", fail)
        with pytest.raises(OSError, match="no more"):
            keeping.forget(original)
    assert kept_bytes(original) == photo_bytes()
    assert original.run.jobs.filter(status=JobStatus.QUEUED).exists()


@commits
def test_forget__while_redis_is_down_removes_all_the_same(upload, broker):
    original = upload()
    with broker_away(broker):
        keeping.forget(original)
    connection().flushall()
    assert nothing_is_left()


def test_errors__each_refusal_has_a_sentence_for_people():
    for error in (Empty(), UnsupportedType(), TooLarge(allowed=1), QuotaExceeded(free=0, allowed=1)):
        assert isinstance(error, MediaError)
        assert "%" not in str(error)


@commits
def test_quota__of_two_files_at_once_that_fit_only_alone_one_is_kept(upload, settings, monkeypatch):
    data = photo_bytes()
    settings.QUOTA_BYTES = len(data) + 10
    write_down = keeping.write_down

    def overtaken(original: Any) -> None:
        monkeypatch.setattr(keeping, "write_down", write_down)
        upload(data + b"!", "faster.jpg")
        write_down(original)

    monkeypatch.setattr(keeping, "write_down", overtaken)
    with pytest.raises(QuotaExceeded):
        upload(data, "slower.jpg")
    assert [original.name for original in Original.objects.all()] == ["faster.jpg"]
    assert len(list(storage.keys(storage.ORIGINALS))) == 1
