"""Rows to a file and back, on the database the suite runs on."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from processing.bridge import connection
from processing.models import Run
from uploads.models import Original

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from tests.postgres import program

    monkeypatch.setenv("PATH", f"{Path(program('pg_dump')).parent}:/usr/bin:/bin")
    return tmp_path / "rows.backup"


def test_backup__brings_back_every_row_and_takes_away_the_later_ones(upload, backup):
    kept = upload(name="kept.jpg")
    call_command("backup", backup)
    later = upload(name="later.jpg")
    kept.delete()
    call_command("restore", backup, yes=True)
    assert [original.name for original in Original.objects.all()] == ["kept.jpg"]
    assert Run.objects.get().jobs.count() == 2
    assert not Original.objects.filter(pk=later.pk).exists()


def test_restore__leaves_alone_what_workers_are_at(upload, backup):
    upload()
    call_command("backup", backup)
    connection().set("mediaweb:worker:images:somebody", 1)
    with pytest.raises(CommandError, match="Stop the service first"):
        call_command("restore", backup, yes=True)


def test_restore__file_that_is_no_backup_changes_nothing(upload, backup):
    upload()
    backup.write_bytes(b"a letter from my aunt")
    with pytest.raises(CommandError, match="no backup of this kind"):
        call_command("restore", backup, yes=True)
    assert Original.objects.count() == 1


def test_backup__that_fails_leaves_the_one_before(upload, backup, monkeypatch):
    upload()
    call_command("backup", backup)
    before = backup.read_bytes()
    monkeypatch.setattr("mediaweb.backups.copy_sqlite", lambda path: path.mkdir())
    monkeypatch.setattr("mediaweb.backups.dump_postgres", lambda path: path.mkdir())
    with pytest.raises(CommandError):
        call_command("backup", backup)
    assert backup.read_bytes() == before
