"""Rows against storage: what is missing or damaged is found, and made anew where that can be done."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command

from processing import storage
from processing.models import Rendition, Run, RunStatus
from tests.processing.test_runner import work

pytestmark = pytest.mark.django_db(transaction=True)


def fsck(*words: str) -> tuple[int, str]:
    """Its exit status, and what it says."""
    out = StringIO()
    try:
        call_command("fsck", *words, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def file_of(row: Any) -> Path:
    return Path(default_storage.path(row.key))


@pytest.fixture
def ready(upload: Any) -> Any:
    original = upload()
    work()
    return original


def webp(original: Any) -> Rendition:
    return original.renditions.get(preset="webp-320")


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_fsck__sound_service_has_nothing_to_say(ready):
    assert fsck() == (0, "0 damaged, 0 being made anew, 0 orphans\n")


def test_fsck__missing_rendition_is_named_with_what_to_do(ready):
    file_of(webp(ready)).unlink()
    status, said = fsck()
    assert status == 1
    assert said.startswith(f"missing: webp-320 of {ready.pk} at {webp(ready).key}; make it anew with --mend\n")
    assert "1 damaged" in said


def test_fsck__one_flipped_bit_is_found_where_it_reads(ready):
    flip_a_bit(file_of(webp(ready)))
    assert fsck("--quick")[0] == 0, "the size is right"
    status, said = fsck()
    assert (status, said.partition(" ")[0]) == (1, "corrupt:")


def test_fsck__shortened_file_is_found_without_reading(ready):
    path = file_of(webp(ready))
    path.write_bytes(path.read_bytes()[:-1])
    assert "corrupt: webp-320" in fsck("--quick")[1]


@pytest.mark.parametrize("harm", [Path.unlink, flip_a_bit])
def test_fsck__mend_makes_the_damaged_file_anew_and_leaves_the_others(ready, harm):
    damaged = webp(ready)
    others = set(ready.renditions.exclude(pk=damaged.pk).values_list("key", flat=True))
    harm(file_of(damaged))
    status, said = fsck("--mend")
    assert (status, "1 being made anew" in said) == (0, True)
    work()
    assert Run.objects.get().status == RunStatus.READY
    assert webp(ready).key != damaged.key
    assert storage.sha256(webp(ready).key) == webp(ready).sha256
    assert set(ready.renditions.exclude(preset="webp-320").values_list("key", flat=True)) == others
    assert fsck() == (0, "0 damaged, 0 being made anew, 0 orphans\n")


def test_fsck__damaged_original_is_for_a_backup_to_mend(ready):
    flip_a_bit(file_of(ready))
    status, said = fsck("--mend")
    assert status == 1
    assert f"corrupt: original {ready.pk} (photo.jpg)" in said
    assert "restore it from a backup" in said


def test_fsck__orphans_are_counted_and_left_to_gc(ready, tmp_path):
    stray = tmp_path / "stray"
    stray.write_bytes(b"x")
    storage.keep(stray, f"renditions/{ready.pk}/webp-320.0-1.webp")  # no job has this number
    status, said = fsck()
    assert status == 0
    assert "1 orphans" in said
    assert "manage.py gc" in said
