"""Local storage: files appear whole, and what a dead process leaves is cleared away."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation

from processing import links, storage

KEY = "renditions/an-original/webp-160.1-1.webp"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A file as an engine leaves it."""
    path = tmp_path / "made.webp"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def kept(made: Path) -> Iterator[str]:
    storage.keep(made, KEY)
    yield KEY
    storage.drop(KEY)


def path_of(key: str) -> Path:
    return Path(storage.default_storage.path(key))


def make_old(folder: Path) -> None:
    for path in (*folder.glob("*"), folder):
        os.utime(path, (0, 0))


def test_keep__file_is_under_its_key_and_gone_from_where_it_was(kept, made):
    assert path_of(kept).read_bytes() == b"pixels"
    assert not made.exists()


def test_keep__replaces_what_lay_there(kept, made):
    made.write_bytes(b"better pixels")
    storage.keep(made, kept)
    assert path_of(kept).read_bytes() == b"better pixels"
    assert [key for key, _ in storage.keys("renditions/an-original")] == [kept]


def test_keep__across_disks_copies_and_appears_whole(made, monkeypatch):
    rename = Path.replace

    def of_another_disk(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, "another disk")
        assert path.read_bytes() == b"pixels", "complete before it has its name"
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", of_another_disk)
    storage.keep(made, KEY)
    assert path_of(KEY).read_bytes() == b"pixels"
    assert not made.exists()
    assert [key for key, _ in storage.keys("renditions/an-original")] == [KEY], "no draft is left"
    storage.drop(KEY)


def test_keep__disk_that_fails_leaves_nothing_under_the_key(made, monkeypatch):
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "the disk is dying")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="dying"):
        storage.keep(made, KEY)
    assert not path_of(KEY).exists()


def test_keep__waits_for_the_bytes_then_the_name_and_the_names_of_new_folders(made, monkeypatch):
    synced: list[Path] = []
    wait = storage.sync
    monkeypatch.setattr(storage, "sync", lambda path: synced.append(path) or wait(path))
    folder = path_of(KEY).parent
    shutil.rmtree(folder, ignore_errors=True)
    storage.keep(made, KEY)
    assert synced[-3:] == [folder.parent, made, folder]
    storage.drop(KEY)


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "renditions/../../outside"])
def test_keys__that_lead_out_of_the_storage_are_refused(made, key):
    with pytest.raises(SuspiciousFileOperation):
        storage.keep(made, key)
    with pytest.raises(SuspiciousFileOperation):
        storage.drop(key)
    assert made.exists()


def test_fetched__local_file_is_read_in_place_and_stays(kept, tmp_path):
    with storage.fetched(kept, tmp_path) as path:
        assert path == path_of(kept)
    assert path_of(kept).exists()


def test_drop__takes_the_file_and_its_empty_folder(made):
    storage.keep(made, KEY)
    storage.drop(KEY)
    assert not path_of(KEY).parent.exists()
    assert path_of("renditions").exists()


def test_drop__leaves_the_neighbours_alone(kept, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"x")
    storage.keep(other, "renditions/an-original/other")
    storage.drop("renditions/an-original/other")
    assert path_of(kept).exists()


def test_drop__of_what_is_gone_is_well():
    storage.drop("renditions/never/was")
    storage.drop("originals/never")


def test_drop__last_original_leaves_the_folder_of_originals(made):
    storage.keep(made, "originals/last")
    storage.drop("originals/last")
    assert path_of("originals").is_dir()


def test_keys__are_those_below_the_prefix_with_their_time(kept, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"x")
    storage.keep(other, "originals/other")
    ((key, written),) = storage.keys("renditions/an-original")
    assert key == kept
    assert datetime.now(UTC) - written < timedelta(minutes=5)
    storage.drop("originals/other")


def test_keys__of_a_folder_that_is_none_are_none():
    assert list(storage.keys("nothing-here")) == []


def test_keys__file_dropped_while_they_are_listed_is_passed_over(kept, monkeypatch):
    stat = Path.stat

    def dropped_in_between(path: Path, **options: Any) -> os.stat_result:
        found = stat(path, **options)
        if path == path_of(KEY):
            path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "stat", dropped_in_between)
    assert len(list(storage.keys("renditions"))) <= 1


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_url__is_signed_for_this_key_and_this_name():
    query = query_of(storage.url(KEY, download_as="día.webp"))
    assert query["name"] == "día.webp"
    assert links.holds(KEY, query["until"], query["sign"], "día.webp")
    assert not links.holds(KEY, query["until"], query["sign"])
    assert not links.holds(KEY, query["until"], query["sign"], "page.html")
    assert not links.holds("originals/other", query["until"], query["sign"], "día.webp")


@pytest.mark.parametrize("until", ["", "0", "x", "1e99", "99999999999", "-1"])
def test_url__with_another_end_is_not_ours(until):
    query = query_of(storage.url(KEY))
    assert not links.holds(KEY, until, query["sign"])


def test_url__holds_for_an_hour_and_no_longer(monkeypatch):
    query = query_of(storage.url(KEY))
    moment = links.time.time()
    monkeypatch.setattr(links.time, "time", lambda: moment + links.GOOD_FOR - 1)
    assert links.holds(KEY, query["until"], query["sign"])
    monkeypatch.setattr(links.time, "time", lambda: moment + links.GOOD_FOR + links.STEP + 1)
    assert not links.holds(KEY, query["until"], query["sign"])


def test_url__is_the_same_within_a_quarter_of_an_hour(monkeypatch):
    monkeypatch.setattr(links.time, "time", lambda: 1_800_000_000)
    first = storage.url(KEY)
    monkeypatch.setattr(links.time, "time", lambda: 1_800_000_000 + links.STEP - 1)
    assert storage.url(KEY) == first


def test_scratch__is_gone_after_use():
    with storage.scratch("job-1-1") as folder:
        (folder / "half.mp4").write_bytes(b"x")
        assert folder.parent == settings.SCRATCH
    assert not folder.exists()


def test_scratch__is_gone_after_a_failure():
    with pytest.raises(OSError, match="broken"), storage.scratch("job-1-1") as folder:
        raise OSError("broken")
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "é ü"])
def test_scratch__is_a_folder_of_its_own_whatever_the_name(name):
    with storage.scratch(name) as one, storage.scratch(name) as other:
        assert one != other
        assert one.parent == other.parent == settings.SCRATCH


def test_clear_scratch__spares_the_living():
    with storage.scratch("job-1-1") as folder:
        make_old(folder)
        assert storage.clear_scratch() == 0
        assert folder.exists()


def test_clear_scratch__spares_the_newborn():
    folder = settings.SCRATCH / "job-1-1.newborn"
    folder.mkdir()
    assert storage.clear_scratch() == 0
    folder.rmdir()


def test_clear_scratch__removes_what_a_killed_process_left():
    code = (
        "import django, time; django.setup(); from processing import storage\n"
        "with storage.scratch('job-9-9') as f: (f / 'half.mp4').write_bytes(b'x'); print(f, flush=True); time.sleep(99)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as owner:
        assert owner.stdout
        folder = Path(owner.stdout.readline().strip())
        make_old(folder)
        assert storage.clear_scratch() == 0, "its owner lives"
        owner.send_signal(signal.SIGKILL)
    assert folder.exists()
    assert storage.clear_scratch() == 1
    assert not folder.exists()


def environment() -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "mediaweb.settings", "PYTHONPATH": str(settings.BASE_DIR)}


def test_clear_scratch__leaves_for_a_while_what_was_written_last(tmp_path):
    folder = tmp_path / "job-1-1.dead"
    folder.mkdir()
    (folder / "half.mp4").write_bytes(b"x")
    os.utime(folder, (0, 0))
    assert not storage.clear_if_abandoned(folder), "somebody may want to know what it died of"
    make_old(folder)
    assert storage.clear_if_abandoned(folder)


def test_clear_scratch__of_two_at_once_each_goes_on_when_the_other_was_first(tmp_path):
    assert not storage.clear_if_abandoned(tmp_path / "job-1-1.gone")


def test_clear_scratch__leaves_what_another_one_is_clearing(tmp_path):
    folder = tmp_path / "job-1-1.theirs"
    folder.mkdir()
    make_old(folder)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert not storage.clear_if_abandoned(folder)
    os.close(handle)
    assert storage.clear_if_abandoned(folder)


def test_clear_scratch__removes_uploads_that_a_killed_web_process_left():
    old, young = settings.SCRATCH / "tmpabc.upload.jpg", settings.SCRATCH / "tmpdef.upload.jpg"
    for path in (old, young):
        path.write_bytes(b"half an upload")
    make_old(old)
    assert storage.clear_scratch() == 1
    assert not old.exists()
    assert young.exists()
    young.unlink()
