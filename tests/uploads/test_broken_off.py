"""A request that dies at any byte leaves nothing, or an upload to go on with: never half an original."""

import hashlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processing import storage
from tests.swift.store import Store
from tests.uploads.test_files import db, film_bytes, program, servers, token, web
from tests.uploads.test_files_s3 import bucket, store
from tests.uploads.test_multipart import PLACE
from tests.uploads.web import BODY, Web, create, metadata, offset, patch, row_of
from tests.waiting import until
from uploads.intake import incoming
from uploads.models import Original, Upload

__all__ = ["bucket", "db", "program", "servers", "store", "token", "web"]

SIZE = 400_000
# Where a request is cut: a part of all its bytes, its first and its last one among them.
cut = st.floats(0, 1, exclude_max=True)
often = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def request_of(client: httpx.Client, method: str, path: str, data: bytes, **headers: str) -> bytes:
    told = {
        "Host": client.base_url.netloc.decode(),
        "Authorization": client.headers["Authorization"],
        "Content-Length": str(len(data)),
        **headers,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + data


def send_cut(url: httpx.URL, request: bytes, where: float) -> None:
    """Send the request up to there, and hang up once the other side has hung up too, or has it all."""
    with socket.create_connection((url.host, url.port or 80)) as line:
        line.sendall(request[: 1 + int(where * (len(request) - 1))])
        line.shutdown(socket.SHUT_WR)
        while line.recv(4096):
            continue


def is_let_go(upload: Upload) -> bool:
    upload.refresh_from_db()
    return not upload.holder


def goes_on(client: httpx.Client, upload: Upload, data: bytes) -> None:
    """The rest makes it the original that was meant."""
    until(lambda: is_let_go(upload))
    assert not upload.original_id
    place = f"{client.base_url}/files/{upload.pk}"

    def is_whole() -> bool:
        here = offset(client, place)
        assert here < len(data)
        return "x-original-id" in patch(client, place, here, data[here:]).headers

    until(is_whole)  # a request that is only now taken up may hold it once more, until it sees its line broken
    original = Original.objects.get()
    assert original.sha256 == hashlib.sha256(data).hexdigest()
    assert b"".join(incoming.blocks(original.key)) == data
    original.delete()


@often
@given(where=cut)
@example(where=0.0)
@example(where=0.9999999)
def test_tus_creation_with_upload__leaves_nothing_or_goes_on(program, where):
    data = film_bytes(SIZE)
    headers = {**BODY, "Upload-Length": str(SIZE), "Upload-Metadata": metadata(filename="film.mp4")}
    send_cut(program.base_url, request_of(program, "POST", "/files/", data, **headers), where)
    assert not Original.objects.exists()
    for upload in Upload.objects.all():
        goes_on(program, upload, data)


@often
@given(where=cut)
@example(where=0.0)
@example(where=0.9999999)
def test_tus_patch__goes_on(program, where):
    data = film_bytes(SIZE)
    place = create(program, SIZE)
    path = httpx.URL(place).path
    send_cut(program.base_url, request_of(program, "PATCH", path, data, **BODY, **{"Upload-Offset": "0"}), where)
    goes_on(program, row_of(place), data)


@often
@given(where=cut)
@example(where=0.0)
@example(where=0.9999999)
def test_form__leaves_nothing(program, where):
    made = program.build_request("POST", "/api/originals", files={"file": ("film.mp4", film_bytes(3 << 20))})
    body = made.read()
    kind = made.headers["content-type"]
    request = request_of(program, "POST", "/api/originals", body, **{"Content-Type": kind})
    before = set(django_settings.SCRATCH.iterdir())
    send_cut(program.base_url, request, where)
    until(lambda: set(django_settings.SCRATCH.iterdir()) <= before)
    assert not Original.objects.exists()
    assert not Upload.objects.exists()
    assert not list(storage.keys(storage.ORIGINALS))


@pytest.fixture
def direct_program(tmp_path: Any, store: Store, token: str) -> Iterator[httpx.Client]:
    server = Web(tmp_path / "web.log", **store.environment())
    server.start()
    with server.client(token) as client:
        yield client
    server.kill()


@settings(often, max_examples=8)
@given(where=cut)
@example(where=0.9999999)
def test_part_to_the_store__counts_whole_or_not_at_all(direct_program, where):
    data = film_bytes(SIZE)
    made = direct_program.post(PLACE, json={"name": "film.mp4", "bytes": SIZE}).json()
    url = httpx.URL(direct_program.post(f"{PLACE}/{made['id']}/parts/1").json()["url"])
    head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Length: {SIZE}\r\n\r\n"
    send_cut(url, head.encode() + data, where)
    assert direct_program.get(f"{PLACE}/{made['id']}").json()["parts"] == []
    refused = direct_program.post(f"{PLACE}/{made['id']}/complete")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "incomplete")
    assert not Original.objects.exists()
    assert httpx.put(url, content=data).status_code == 200
    assert direct_program.post(f"{PLACE}/{made['id']}/complete").status_code == 201
    original = Original.objects.get()
    assert original.sha256 == hashlib.sha256(data).hexdigest()
    original.delete()
