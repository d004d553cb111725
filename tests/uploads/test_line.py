"""Large bodies, which are read past the server's own parser: what comes behind them, and what breaks off."""

import hashlib
import json
import secrets
import socket

import httpx
import pytest

from processing import storage
from tests.uploads.test_files import db, film_bytes, kept, program, servers, token, web  # noqa: F401 - fixtures
from tests.uploads.web import BODY, HalfPatch, create, offset, patch, row_of
from tests.waiting import until
from uploads.intake.line import WORTH
from uploads.intake.receiving import LEASE
from uploads.models import Original, Upload

SIZE = WORTH + (3 << 20) + 17


def patch_head(place: httpx.URL, program: httpx.Client, at: int, length: int) -> bytes:  # noqa: F811
    headers = {**BODY, "Host": place.netloc.decode(), "Authorization": program.headers["Authorization"]}
    headers |= {"Content-Length": str(length), "Upload-Offset": str(at)}
    lines = [f"PATCH {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_of(line: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = line.recv(4096)
        if not piece:
            break
        head += piece
    return head


def told_of_the_head(program: httpx.Client, place: str, at: int, length: int) -> tuple[int, str]:  # noqa: F811
    """Send a PATCH without its body: the status and the code of the answer, with which the server hangs up."""
    url = httpx.URL(place)
    with socket.create_connection((url.host, url.port), timeout=10) as line:
        line.sendall(patch_head(url, program, at, length))
        answer = b""
        while piece := line.recv(4096):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def test_large_body__is_kept_whole_and_its_connection_goes_on(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    for at, piece in ((0, data[: WORTH + 5]), (WORTH + 5, data[WORTH + 5 :])):
        assert patch(program, place, at, piece).status_code == 204
    original = Original.objects.get()
    assert (original.bytes, original.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert kept(original) == data


def test_large_body__another_request_may_follow_at_once(program):  # noqa: F811
    places = [httpx.URL(create(program, SIZE)) for _ in range(2)]
    films = [film_bytes(SIZE) for _ in places]
    with socket.create_connection((places[0].host, places[0].port)) as line:
        for place, film in zip(places, films, strict=True):  # the second before the first is answered
            line.sendall(patch_head(place, program, 0, SIZE) + film)
        heads = answer_of(line) + answer_of(line)
    assert heads.count(b"HTTP/1.1 204") == 2
    found = set(Original.objects.values_list("sha256", flat=True))
    assert found == {hashlib.sha256(film).hexdigest() for film in films}


def test_large_body__that_breaks_off_is_kept_as_far_as_it_came(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    broken = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: Upload.objects.get().offset > 0)
    broken.close()
    until(lambda: not row_of(place).lease_until)  # until the server has heard of it, the upload is another's
    assert offset(program, place) == WORTH + 1234
    assert patch(program, place, WORTH + 1234, data[WORTH + 1234 :]).status_code == 204
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_large_body__of_an_upload_that_another_sends_is_refused_before_it_comes(program):  # noqa: F811
    place = create(program, SIZE)
    other = HalfPatch(program, place, 0, SIZE).send(film_bytes(1 << 20))
    until(lambda: row_of(place).lease_until)
    assert told_of_the_head(program, place, 0, SIZE) == (423, "locked")
    other.close()


def test_large_body__at_another_offset_is_refused_before_it_comes(program):  # noqa: F811
    place = create(program, SIZE)
    patch(program, place, 0, film_bytes(1 << 20))
    assert told_of_the_head(program, place, 0, SIZE) == (409, "offset")
    assert offset(program, place) == 1 << 20


def test_large_body__whose_line_goes_dead_lets_the_client_in_again_where_it_was(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    dead = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: offset(program, place) == WORTH + 1234)
    until(lambda: patch(program, place, WORTH + 1234, data[WORTH + 1234 :]).status_code == 204, LEASE.seconds / 2)
    dead.close()
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_large_body__that_was_silent_goes_on(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    slow = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: offset(program, place) == WORTH + 1234)
    assert slow.send(data[WORTH + 1234 :]).answer() == b"HTTP/1.1 204 No Content"
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [SIZE, 20 << 20])
def test_large_body__of_no_kind_we_take_is_refused_in_words(program, size):  # noqa: F811
    place = create(program, size)
    answer = patch(program, place, 0, secrets.token_bytes(size))
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_type"
    assert not Upload.objects.exists()
    assert program.get("/healthz").status_code == 200
    assert not list(storage.keys(storage.ORIGINALS))
