"""What a step says against a file is believed only where our disk has given it the file that was kept."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from processing.engines import child
from processing.errors import Corrupt
from processing.facts import Order, Product
from processing.models import JobStatus, RunStatus
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


def not_read_on(make: Callable[[Order], Product]) -> Callable[[Order], Product]:
    """A step whose program says that it could not read on, and ends well."""

    def make_less(order: Order) -> Product:
        child.run(["sh", "-c", "echo 'file:source: Input/output error' >&2"], EASY)
        return make(order)

    return make_less


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
    step_does(not_read_on(lambda _: Product()))
    original = upload()
    change_a_byte(place_of(original))
    work()
    assert "is not what was kept" in waits_for_us(original)


def test_program_that_could_not_read_on__is_believed_where_all_can_be_read(upload, step_does):
    step_does(not_read_on(lambda _: Product()))
    original = upload()
    work()
    assert job_of(original, "inspect").status == JobStatus.SUCCEEDED
