"""`manage.py doctor`: what is wrong, by name, with the way to mend it."""

import subprocess
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from mediaweb.management.commands import doctor
from processing import worker
from processing.pipelines import QUEUES
from tests.outage import broker_away
from tests.processing.test_cors import bucket
from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store

pytestmark = pytest.mark.django_db


@pytest.fixture
def well(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All there is to have: workers, collected pages, room."""
    worker.be_present(QUEUES)
    (settings.STATIC_ROOT / "staticfiles.json").touch()
    monkeypatch.setattr(doctor, "DISK_WANTED", 0)


def examined() -> tuple[str, int]:
    """What the doctor says, and its exit status."""
    out, status = StringIO(), 0
    try:
        call_command("doctor", stdout=out, no_color=True)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return out.getvalue(), status


def wrong(said: str) -> list[str]:
    return [line.removeprefix("✕ ") for line in said.splitlines() if line.startswith("✕")]


def test_doctor__finds_nothing_where_all_is_well(well):
    said, status = examined()
    assert wrong(said) == []
    assert said.splitlines() == [f"✓ {check.name}" for check in doctor.CHECKS]
    assert status == 0


def test_doctor__names_the_broker_that_is_down_and_goes_on(well, broker):
    with broker_away(broker):
        said, status = examined()
    assert [line.partition(":")[0] for line in wrong(said)] == ["broker", "workers"]
    assert "check REDIS_URL" in said
    assert "✓ pages" in said
    assert status == 1


def test_doctor__names_the_queue_that_nobody_takes_from(well):
    from processing.bridge import connection

    connection().flushall()
    worker.be_present(["images", "default"])
    said, status = examined()
    assert wrong(said) == ["workers: no worker takes from videos"]
    assert status == 1


@pytest.mark.parametrize(
    ("name", "raised", "shown"),
    [
        ("encoders", FileNotFoundError("ffmpeg"), "FileNotFoundError: ffmpeg"),
        ("encoders", subprocess.CalledProcessError(127, "ffmpeg"), "CalledProcessError"),
        ("storage", PermissionError("read-only"), "PermissionError: read-only"),
    ],
)
def test_doctor__a_check_that_breaks_is_a_finding(name, raised, shown):
    def find() -> str:
        raise raised

    assert shown in doctor.outcome(doctor.Check(name, find, "mend it"))


def test_doctor__names_missing_programs(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert doctor.missing_programs() == "ffmpeg, ffprobe, setpriv, prlimit"


def test_doctor__says_how_much_disk_is_left(monkeypatch):
    monkeypatch.setattr(doctor, "DISK_WANTED", 2**63)
    assert "GiB free in" in doctor.disk_full()


def test_doctor__leaves_nothing_in_the_storage(well):
    from processing import storage

    before = [key for key, _ in storage.keys(storage.ORIGINALS)]
    examined()
    assert [key for key, _ in storage.keys(storage.ORIGINALS)] == before


def test_doctor__says_for_every_check_how_to_mend_it():
    assert all(check.mend for check in doctor.CHECKS)


@pytest.mark.parametrize(
    ("direct", "mark", "is_well"),
    [
        ("", "! bucket and pages: the bucket refuses pages of http", True),
        ("true", "✕ bucket", False),
        ("false", "✓", True),
    ],
)
def test_doctor__a_bucket_that_shuts_pages_out_is_wrong_where_they_must_get_in(
    settings, monkeypatch, direct, mark, is_well
):
    with bucket({}, {}) as address:
        place = Store(address.removesuffix("/bucket/key"), "key", "secret", "bucket").environment()
        made = settings_with(monkeypatch, MEDIAWEB_S3_DIRECT=direct, **place)
        settings.STORAGES = {**settings.STORAGES, "default": made["STORAGES"]["default"]}
        settings.S3_DIRECT = made["S3_DIRECT"]
        out = StringIO()
        [check] = [check for check in doctor.CHECKS if check.name == "bucket and pages"]
        assert doctor.Command(stdout=out, no_color=True).report(check) == is_well
    assert out.getvalue().startswith(mark)
    assert ("give the bucket a CORS rule" in out.getvalue()) == (direct != "false")
