"""Zips of originals: whole, well named, told their length, and made in as little memory as one file needs."""

import io
import os
import shutil
import subprocess
import threading
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import zipstream.ng
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.storage import default_storage
from django.test import AsyncClient

from processing import storage
from tests.processing.test_storage_s3 import settings_with
from tests.uploads.serving import served
from tests.waiting import until
from uploads.models import ApiToken, Original
from uploads.sharing import zips

pytestmark = pytest.mark.django_db
PIECE = os.urandom(100_000)


@pytest.fixture
def many(alice, tmp_path):
    """So many originals of alice's, with these names, all of the same bytes."""

    def make(names, owner=alice):
        folder = Path(default_storage.path(storage.ORIGINALS))
        folder.mkdir(parents=True, exist_ok=True)
        piece = tmp_path / "piece"
        piece.write_bytes(PIECE)
        made = []
        for name in names:
            key = f"{storage.ORIGINALS}/{uuid4()}"
            os.link(piece, default_storage.path(key))
            made.append(Original(owner=owner, name=name, kind="image", bytes=len(PIECE), sha256="0" * 64, key=key))
        return Original.objects.bulk_create(made)

    return make


def posted(user, originals, into):
    """Write what `POST /download` sends into this file; its headers."""

    async def ask():
        client = AsyncClient()
        await sync_to_async(client.force_login)(user)
        answer = await client.post("/download", {"ids": [str(original.pk) for original in originals]})
        if answer.streaming:
            async for block in answer.streaming_content:
                into.write(block)
        return answer

    return async_to_sync(ask)()


def test_zip__of_a_thousand_is_whole_and_takes_no_memory(alice, many, tmp_path):
    originals = many(f"photo-{number}.jpg" for number in range(1000))
    path = tmp_path / "made.zip"
    tracemalloc.start()
    with path.open("wb") as file:
        answer = posted(alice, originals, file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 200
    assert int(answer["Content-Length"]) == path.stat().st_size > 1000 * len(PIECE)
    assert peak < 24 << 20, "of 100 MB"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"photo-{number}.jpg" for number in range(1000)]
        assert archive.testzip() is None
        assert archive.read("photo-999.jpg") == PIECE
    if shutil.which("unzip"):
        assert subprocess.run(["unzip", "-tqq", path], check=False).returncode == 0


def test_zip__is_an_attachment_with_the_names_its_owner_knows(alice, many):
    file = io.BytesIO()
    answer = posted(alice, many(["Straße.jpg", "a.jpg", "A.JPG", "a.jpg"]), file)
    assert answer["Content-Disposition"].startswith('attachment; filename="mediaweb-')
    assert answer["Content-Type"] == "application/zip"
    assert zipfile.ZipFile(file).namelist() == ["Straße.jpg", "a.jpg", "A (2).JPG", "a (3).jpg"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\x.jpg", "C__x.jpg"),
        ("con.jpg", "_con.jpg"),
        ("what?.jpg", "what_.jpg"),
        ("dots...", "dots"),
        ("...", "unnamed"),
        ("e\u0301.jpg", "é.jpg"),
        ("ñ" * 255 + ".jpeg", "ñ" * 97 + ".jpeg"),
        ("no suffix", "no suffix"),
    ],
)
def test_names__are_such_as_every_system_takes(name, found):
    assert list(zips.names([name])) == [found]


def test_names__never_meet_a_name_that_comes_numbered():
    assert list(zips.names(["a.jpg", "a (2).jpg", "a.jpg"])) == ["a.jpg", "a (2).jpg", "a (3).jpg"]


def test_zip__beyond_four_gigabytes_says_its_size_and_can_be_read(alice, many, monkeypatch):
    originals = many(["film.mp4", "photo.jpg"])
    plain = len(zips.zip_of(originals))
    monkeypatch.setattr(zipstream.ng, "ZIP64_LIMIT", len(PIECE) // 2)  # as if these were so large
    file = io.BytesIO()
    answer = posted(alice, originals, file)
    assert int(answer["Content-Length"]) == len(file.getvalue()) > plain
    assert zipfile.ZipFile(file).testzip() is None


def test_zip__others_originals_do_not_exist(alice, bob, many):
    mine, his = many(["a.jpg"]), many(["b.jpg"], bob)
    for ids in (his, [*mine, *his], []):
        assert posted(alice, ids, io.BytesIO()).status_code == 404


def test_zip__editor_downloads_anybodys(charlie, bob, many):
    file = io.BytesIO()
    posted(charlie, many(["b.jpg"], bob), file)
    assert zipfile.ZipFile(file).namelist() == ["b.jpg"]


def test_zip__has_its_limit_and_wants_the_pages_own_form(client, alice):
    client.force_login(alice)
    answer = client.post("/download", {"ids": [str(uuid4()) for _ in range(zips.MOST + 1)]})
    assert answer.url == "/"
    assert client.post("/download", {"ids": "nonsense"}).status_code == 404
    assert client.get("/download").status_code == 405
    client.handler.enforce_csrf_checks = True
    assert client.post("/download", {"ids": str(uuid4())}).status_code == 403


def test_zip__file_that_is_gone_breaks_it_off(alice, many):
    originals = many(["a.jpg", "b.jpg"])
    storage.drop(originals[1].key)
    file = io.BytesIO()
    with pytest.raises(FileNotFoundError):
        posted(alice, originals, file)


def test_api__gives_a_zip_to_a_program(alice, bob, many):
    mine, his = many(["a.jpg", "b.jpg"]), many(["c.jpg"], bob)
    headers = {"Authorization": f"Bearer {ApiToken.issue(alice)}"}

    async def ask(originals):
        query = "&".join(f"ids={original.pk}" for original in originals)
        answer = await AsyncClient().get(f"/api/download?{query}", headers=headers)
        return answer, b"".join([block async for block in answer.streaming_content]) if answer.streaming else b""

    answer, sent = async_to_sync(ask)(mine)
    assert answer.status_code == 200
    assert zipfile.ZipFile(io.BytesIO(sent)).namelist() == ["a.jpg", "b.jpg"]
    assert async_to_sync(ask)(his)[0].status_code == 404
    assert async_to_sync(ask)([])[0].status_code == 422


def test_zip__from_s3(s3, settings, monkeypatch, alice, tmp_path):
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    piece = tmp_path / "piece"
    piece.write_bytes(PIECE)
    key = f"{storage.ORIGINALS}/{uuid4()}"
    storage.keep(piece, key)
    original = Original.objects.create(
        owner=alice, name="a.jpg", kind="image", bytes=len(PIECE), sha256="0" * 64, key=key
    )
    file = io.BytesIO()
    posted(alice, [original], file)
    assert zipfile.ZipFile(file).read("a.jpg") == PIECE


@pytest.mark.django_db(transaction=True)
def test_zip__blocks_nobody_and_stops_when_its_reader_goes(alice, many, monkeypatch):
    (original,) = many(["film.mp4"])
    Original.objects.update(bytes=1 << 40)
    reading, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def endless(key):
        try:
            yield bytes(storage.CHUNK)
            reading.set()
            go_on.wait(30)  # a disk that takes its time
            while True:
                yield bytes(storage.CHUNK)
        finally:
            ended.set()

    monkeypatch.setattr(storage, "chunks", endless)
    headers = {"Authorization": f"Bearer {ApiToken.issue(alice)}"}
    with served() as url, closing(httpx.Client(base_url=url, headers=headers, timeout=30)) as client:
        with client.stream("GET", f"/api/download?ids={original.pk}") as answer:
            assert answer.status_code == 200
            assert reading.wait(30)
            assert httpx.get(f"{url}/healthz").status_code == 200
            go_on.set()
        until(ended.is_set)
