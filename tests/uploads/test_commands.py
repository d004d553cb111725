"""The commands of uploads: tokens, imports, and the collection of garbage."""

import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.timezone import now

from processing import storage
from processing.models import Job, JobStatus, Rendition
from tests.conftest import photo_bytes
from uploads import garbage
from uploads.models import Original

pytestmark = pytest.mark.django_db


def run(*words: str | Path, **options: Any) -> tuple[str, str]:
    """What the command says on stdout and on stderr."""
    out, err = StringIO(), StringIO()
    call_command(*map(str, words), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def empty_storage() -> None:
    for prefix in (storage.ORIGINALS, storage.RENDITIONS):
        for key, _ in list(storage.keys(prefix)):
            storage.drop(key)


def test_api_token__prints_a_token_alone_that_opens_the_api(alice):
    out, err = run("api_token", "alice")
    token = out.removesuffix("\n")
    assert token.startswith("mw_")
    assert token.split() == [token]
    assert err == ""
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/originals").status_code == 200


def test_api_token__each_is_another_and_all_of_them_work(alice):
    tokens = [run("api_token", "alice")[0].strip() for _ in range(2)]
    assert tokens[0] != tokens[1]
    for token in tokens:
        assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/originals").status_code == 200


def test_api_token__unknown_user_is_refused_with_the_way_out(db):
    with pytest.raises(CommandError, match="--create"):
        run("api_token", "dave")
    assert not get_user_model().objects.exists()


def test_api_token__creates_a_user_who_cannot_sign_in_by_a_guess(db):
    run("api_token", "dave", "--create")
    dave = get_user_model().objects.get()
    assert dave.email == "dave@localhost"
    assert not dave.check_password("")
    assert not dave.is_staff


def test_api_token__create_leaves_an_existing_user_as_is(alice):
    run("api_token", "alice", "--create")
    alice.refresh_from_db()
    assert alice.check_password("alice's password")


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("uploader", set()),
        ("editor", {"see_all_runs", "mend_runs", "see_queues"}),
        ("ops", {"see_queues"}),
    ],
)
def test_api_token__role_gives_its_permissions(alice, roles, role, permissions):
    run("api_token", "alice", "--role", role)
    user = get_user_model().objects.get()
    assert {name.removeprefix("processing.") for name in user.get_all_permissions()} == permissions


def test_api_token__role_that_is_none_is_refused(alice):
    with pytest.raises(CommandError, match="invalid choice"):
        run("api_token", "alice", "--role", "king")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos and a text, and a photo one folder further down."""
    folder = tmp_path / "media"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "deep/c.jpg"):
        (folder / name).write_bytes(photo_bytes(comment=name))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def names() -> list[str]:
    return sorted(Original.objects.values_list("name", flat=True))


def test_ingest__file_becomes_its_owners_original(alice, folder):
    out, _ = run("ingest", folder / "a.jpg", owner="alice")
    original = Original.objects.get()
    assert (original.name, original.owner, original.run.jobs.count()) == ("a.jpg", alice, 2)
    assert out == "1 kept, 0 refused\n"


def test_ingest__leaves_the_file_where_it_was(alice, folder):
    run("ingest", folder / "a.jpg", owner="alice")
    assert (folder / "a.jpg").read_bytes() == photo_bytes(comment="a.jpg")


def test_ingest__folder_gives_its_own_files_and_says_what_it_refused(alice, folder):
    out, err = run("ingest", folder, owner="alice")
    assert names() == ["a.jpg", "b.jpg"]
    assert out == "2 kept, 1 refused\n"
    (line,) = err.splitlines()
    assert line.startswith(f"{folder / 'notes.txt'}: unsupported_type: ")


def test_ingest__again_says_what_was_here_already(alice, folder):
    run("ingest", folder / "a.jpg", owner="alice")
    out, _ = run("ingest", folder, owner="alice")
    assert names() == ["a.jpg", "b.jpg"]
    assert out == "1 kept, 1 refused, 1 here already\n"


def test_ingest__recursive_goes_all_the_way_down(alice, folder):
    run("ingest", folder, owner="alice", recursive=True)
    assert names() == ["a.jpg", "b.jpg", "c.jpg"]


def test_ingest__missing_path_is_refused_before_anything_is_kept(alice, folder):
    with pytest.raises(CommandError, match="does not exist"):
        run("ingest", folder / "a.jpg", folder / "gone.jpg", owner="alice")
    assert not Original.objects.exists()


def test_ingest__pipe_is_refused_and_not_waited_for(alice, folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(CommandError, match="neither a file nor a folder"):
        run("ingest", folder / "pipe", owner="alice")


def test_ingest__file_that_goes_away_meanwhile_is_refused_and_the_others_kept(alice, folder, monkeypatch):
    from uploads import keeping

    keep = keeping.keep

    def keep_and_lose_the_next(*words: Any) -> Original:
        (folder / "b.jpg").unlink(missing_ok=True)
        return keep(*words)

    monkeypatch.setattr(keeping, "keep", keep_and_lose_the_next)
    out, err = run("ingest", folder / "a.jpg", folder / "b.jpg", folder / "deep", owner="alice")
    assert names() == ["a.jpg", "c.jpg"]
    assert out == "2 kept, 1 refused\n"
    assert str(folder / "b.jpg") in err


def test_ingest__without_an_owner_takes_the_first_administrator(admin_user, folder):
    run("ingest", folder / "a.jpg")
    assert Original.objects.get().owner == admin_user


def test_ingest__without_an_owner_and_administrator_says_what_to_do(alice, folder):
    with pytest.raises(CommandError, match="--owner"):
        run("ingest", folder)


def test_ingest__unknown_owner_says_what_to_do(alice, folder):
    with pytest.raises(CommandError, match="api_token dave --create"):
        run("ingest", folder, owner="dave")


def put(key: str, age: float = 0) -> str:
    """A file in the storage that no row refers to."""
    path = Path(storage.default_storage.path(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"orphan")
    os.utime(path, (now().timestamp() - age,) * 2)
    return key


def kept() -> set[str]:
    return {key for prefix in (storage.ORIGINALS, storage.RENDITIONS) for key, _ in storage.keys(prefix)}


@pytest.fixture
def rendition(upload: Callable[..., Any]) -> Rendition:
    """A published one, with its file."""
    original = upload()
    key = put(f"renditions/{original.pk}/webp-160.1-1.webp", age=9000)
    return Rendition.objects.create(
        original=original, preset="webp-160", version=1, key=key, content_type="", width=1, height=1, bytes=1
    )


def test_gc__removes_orphans_and_nothing_else(rendition):
    old = put("originals/orphan", age=garbage.UPLOAD_MAY_TAKE.total_seconds() + 60)
    lost = put(f"renditions/{rendition.original_id}/webp-320.1-1.webp")
    out, _ = run("gc")
    assert {old, lost} <= set(out.splitlines())
    assert kept() == {rendition.key, rendition.original.key}
    assert "2 files removed" in out


def test_gc__spares_an_original_that_is_old_because_it_has_a_row(upload):
    original = upload()
    os.utime(storage.default_storage.path(original.key), (0, 0))
    run("gc")
    assert kept() == {original.key}


def test_gc__spares_bytes_whose_row_may_be_on_its_way(db):
    young = put("originals/young", age=60)
    run("gc")
    assert kept() == {young}


def test_gc__older_than_says_how_young_is_too_young(db):
    put("originals/young", age=60)
    run("gc", older_than=30)
    assert kept() == set()


@pytest.mark.parametrize("name", ["webp-160.{}-{}.webp", "storyboard.{}-{}.vtt", ".webp-160.{}-{}.webp.4711"])
def test_gc__spares_the_files_of_an_attempt_at_work_and_of_no_other(upload, name):
    original = upload()
    job = Job.objects.get(step="thumbnails")
    Job.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING, attempt=3)
    folder = f"renditions/{original.pk}"
    running = put(f"{folder}/{name.format(job.pk, 3)}")
    put(f"{folder}/{name.format(job.pk, 2)}")
    put(f"{folder}/{name.format(job.pk + 1, 3)}")
    run("gc")
    assert kept() == {original.key, running}


def test_gc__dry_run_names_all_and_removes_nothing(rendition):
    orphan = put("originals/orphan", age=9000)
    out, _ = run("gc", dry_run=True)
    assert orphan in out.splitlines()
    assert "1 files would be removed" in out
    assert kept() == {orphan, rendition.key, rendition.original.key}


def test_gc__of_more_files_than_one_query_asks_about(db, monkeypatch):
    monkeypatch.setattr(garbage, "BATCH", 3)
    for number in range(7):
        put(f"originals/orphan-{number}", age=9000)
    run("gc")
    assert kept() == set()


def test_gc__removes_the_folder_it_leaves_empty(db):
    key = put("renditions/nobody/webp-160.1-1.webp")
    run("gc")
    assert not Path(storage.default_storage.path(key)).parent.exists()
