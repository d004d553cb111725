"""What a step says against a file is believed only where our disk has given it the file that was kept."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import default_storage

from processing import presets, publishing, reading
from processing.engines import audio, child, remuxing, traces, videos
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.models import JobStatus, RunStatus
from processing.outages import is_outage
from tests.chaos import media
from tests.processing.test_runner import job_of, step_does, work

__all__ = ["step_does"]

pytestmark = pytest.mark.django_db(transaction=True)

EASY = child.Bounds(seconds=20, stall=20, memory=1 << 30)


def place_of(original: Any) -> Path:
    return Path(default_storage.path(original.key))


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def call_it_damaged(order: Order) -> Product:
    raise Corrupt(reason="it ends too early")


class Reader:
    """A step whose program says `times` times that it could not read on, and ends well."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.made: list[Product] = []

    def make(self, _: Order) -> Product:
        if len(self.made) < self.times:
            child.run(["sh", "-c", "echo 'file:source: Input/output error' >&2"], EASY)
        self.made.append(Product(colour=f"#00000{len(self.made)}"))
        return self.made[-1]


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """A real disk, small, of which the second half of a file cannot be read. Needs root and a loop device."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()

    def can(*words: str) -> bool:
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def mount() -> bool:
        return can("mount", "-o", "loop", str(image), str(folder))

    def put(data: bytes) -> Path:
        path = folder / "film.mp4"
        path.write_bytes(data)
        said = subprocess.run(["filefrag", "-b4096", "-e", path], check=True, capture_output=True, text=True).stdout
        begins = int(said.splitlines()[3].split()[3].rstrip("."))
        subprocess.run(["umount", folder], check=True)  # what it has in memory can still be read
        assert mount()
        os.truncate(image, begins * 4096 + len(data) // 2)
        return path

    image.touch()
    os.truncate(image, 16 << 20)
    if not (can("mkfs.ext4", "-q", "-b", "4096", str(image)) and mount()):
        pytest.skip("no disk of our own can be mounted here")
    yield put
    subprocess.run(["umount", folder], check=False)


def test_failing_disk__shortens_no_sound_and_leaves_no_copy_out(failing_disk, tmp_path):
    data = media.film(20, "640x360")()
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(data)
    facts = videos.inspect(Order(whole, tmp_path)).facts
    original: Any = SimpleNamespace(key="film", bytes=len(data), sha256=publishing.sha256_of(whole))
    order = Order(failing_disk(data), tmp_path, facts, presets.source(facts))
    for make in (audio.encode, remuxing.remux):
        with traces.kept(), pytest.raises(OSError, match="Input/output error") as error:
            reading.make_of(SimpleNamespace(make=make), order, original)
        assert is_outage(error.value)


def waits_for_us(original: Any) -> str:
    """Of a job that will be tried again because the fault is ours: what it says of it."""
    job = job_of(original, "inspect")
    assert (job.status, job.error_code, job.errors) == (JobStatus.WAITING, "internal", 1)
    return str(job.error_message)


def test_original_that_we_have_cut_short__is_not_the_uploaders_fault(upload):
    original = upload()
    os.truncate(place_of(original), 100)
    work()
    assert f"has 100 bytes of {original.bytes}" in waits_for_us(original)


def test_storage_that_is_not_mounted__is_an_outage(upload):
    original = upload()
    place_of(original).parent.rename(place_of(original).parent.with_name("elsewhere"))
    work()
    job = job_of(original, "inspect")
    assert (job.status, job.errors, job.outages) == (JobStatus.WAITING, 0, 1)


def test_original_that_is_another__is_not_called_damaged(upload, step_does):
    step_does(call_it_damaged)
    original = upload()
    change_a_byte(place_of(original))
    work()
    assert "is not what was kept" in waits_for_us(original)


def test_original_that_is_as_it_was__is_called_damaged_at_once(upload, step_does):
    step_does(call_it_damaged)
    original = upload()
    work()
    original.run.refresh_from_db()
    assert (original.run.status, original.run.error_code) == (RunStatus.FAILED, "corrupt")


def test_program_that_could_not_read_on__has_made_nothing(upload, step_does):
    reader = Reader(times=1)
    step_does(reader.make)
    original = upload()
    change_a_byte(place_of(original))
    work()
    assert "is not what was kept" in waits_for_us(original)
    assert len(reader.made) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_program_that_could_not_read_on__makes_it_once_more_where_all_can_be_read(upload, step_does, times):
    """Then the disk is well again, or the file does end too soon."""
    reader = Reader(times)
    step_does(reader.make)
    original = upload()
    work()
    original.refresh_from_db()
    assert job_of(original, "inspect").status == JobStatus.SUCCEEDED
    assert (len(reader.made), original.colour) == (2, "#000001")
