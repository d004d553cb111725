"""The tus server, from outside: a web process, sockets that break, and what is kept of what was sent."""

import hashlib
import json
import os
import secrets
import socket
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils.timezone import now

from processing import storage
from processing.models import Run
from tests.conftest import new_photo_bytes, photo_bytes
from tests.uploads.web import BODY, VERSION, HalfPatch, Web, create, metadata, offset, patch, row_of
from tests.waiting import until
from uploads import garbage
from uploads.intake import incoming, receiving
from uploads.models import ApiToken, Original, Upload

LIMIT = 24 << 20


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows that other processes see. Emptying every table after each test would take as long as all of them."""
    with django_db_blocker.unblock():
        yield
        get_user_model().objects.all().delete()


@pytest.fixture(scope="module")
def servers(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Web]]:
    """Two web processes on one database and one folder."""
    folder = tmp_path_factory.mktemp("web")
    with django_db_blocker.unblock():
        webs = [Web(folder / f"{name}.log", MEDIAWEB_MAX_UPLOAD_BYTES=str(LIMIT)) for name in ("one", "other")]
    for web in webs:
        web.start()
    yield webs
    for web in webs:
        web.kill()


@pytest.fixture
def web(servers: list[Web]) -> Web:
    return servers[0]


@pytest.fixture
def token(alice: Any) -> str:
    return ApiToken.issue(alice)


@pytest.fixture
def program(web: Web, token: str) -> Iterator[httpx.Client]:
    """Alice's."""
    with web.client(token) as client:
        yield client


def film_bytes(size: int) -> bytes:
    """What looks like an MP4 by its first bytes, and is random after them."""
    return b"\0\0\0\x18ftypmp42" + secrets.token_bytes(size - 12)


def error_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    return str(error["code"])


def kept(original: Original) -> bytes:
    return Path(storage.default_storage.path(original.key)).read_bytes()


def incoming_files() -> list[Path]:
    return list((settings.LOCAL_MEDIA / incoming.INCOMING).glob("*"))


def test_options__tell_what_is_spoken_here(web):
    answer = httpx.options(f"{web.url}/files/")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(LIMIT)
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"
    extensions = answer.headers["tus-extension"].split(",")
    assert {"creation", "creation-with-upload", "termination", "checksum", "expiration"} <= set(extensions)


def test_upload__in_pieces_becomes_an_original(program, alice):
    data = photo_bytes((900, 700))
    place = create(program, len(data), "año.jpg")
    half = len(data) // 2
    first = patch(program, place, 0, data[:half])
    assert (first.status_code, first.headers["upload-offset"]) == (204, str(half))
    assert "upload-expires" in first.headers
    assert "x-original-id" not in first.headers
    last = patch(program, place, half, data[half:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(data)))
    original = Original.objects.get()
    assert last.headers["x-original-id"] == str(original.pk)
    assert last.headers["x-original-url"] == f"{program.base_url}/api/originals/{original.pk}"
    assert (original.owner, original.name, original.kind, original.bytes) == (alice, "año.jpg", "image", len(data))
    assert original.sha256 == hashlib.sha256(data).hexdigest()
    assert kept(original) == data
    assert Run.objects.get().original_id == original.pk
    assert incoming_files() == []


def test_creation__answers_with_an_absolute_place_and_its_end(program):
    answer = program.post(
        "/files/", headers={**VERSION, "Upload-Length": "5", "Upload-Metadata": metadata(filename="a")}
    )
    assert answer.status_code == 201
    assert answer.headers["location"].startswith(f"{program.base_url}/files/")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["upload-offset"] == "0"
    assert "GMT" in answer.headers["upload-expires"]


def test_creation__with_the_whole_file_is_an_original_at_once(program):
    data = photo_bytes()
    answer = program.post("/files/", headers={**BODY, "Upload-Length": str(len(data))}, content=data)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(data)))
    assert answer.headers["x-original-id"] == str(Original.objects.get().pk)


def test_creation__with_the_first_bytes_goes_on_behind_them(program):
    data = photo_bytes()
    answer = program.post("/files/", headers={**BODY, "Upload-Length": str(len(data))}, content=data[:100])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "100")
    assert patch(program, answer.headers["location"], 100, data[100:]).headers["x-original-id"]


@pytest.mark.parametrize("length", ["-1", "five", "1.5", "", "٣", str(1 << 63)])
def test_creation__bad_length_is_refused(program, length):
    answer = program.post("/files/", headers={**VERSION, "Upload-Length": length.encode()})
    assert error_of(answer, 400) == "upload_length"


@pytest.mark.parametrize(
    "headers", [{}, {"Upload-Length": "5", "Upload-Defer-Length": "1"}, {"Upload-Defer-Length": "2"}]
)
def test_creation__says_one_length_or_that_it_will(program, headers):
    assert error_of(program.post("/files/", headers={**VERSION, **headers}), 400) == "upload_length"


def test_creation__of_nothing_is_refused(program):
    assert error_of(program.post("/files/", headers={**VERSION, "Upload-Length": "0"}), 400) == "empty"


@pytest.mark.parametrize("text", ["filename !!!", "filename YQ", "filename " + "YWFh" * 2000])
def test_creation__unreadable_metadata_is_refused(program, text):
    answer = program.post("/files/", headers={**VERSION, "Upload-Length": "5", "Upload-Metadata": text})
    assert error_of(answer, 400) == "upload_metadata"


def test_creation__too_large_is_refused_before_a_byte(program):
    assert error_of(program.post("/files/", headers={**VERSION, "Upload-Length": str(LIMIT + 1)}), 413) == "too_large"
    assert not Upload.objects.exists()


def test_creation__with_more_bytes_than_it_says_is_refused(program):
    answer = program.post("/files/", headers={**BODY, "Upload-Length": "5"}, content=photo_bytes())
    assert error_of(answer, 413) == "too_many_bytes"
    assert not Upload.objects.exists()


def test_creation__with_a_body_of_another_type_is_refused(program):
    headers = {**VERSION, "Content-Type": "image/jpeg", "Upload-Length": "5"}
    assert error_of(program.post("/files/", headers=headers, content=b"hello"), 415) == "content_type"
    assert not Upload.objects.exists()


def test_deferred_length__is_said_with_the_last_bytes(program):
    data = photo_bytes()
    made = program.post("/files/", headers={**VERSION, "Upload-Defer-Length": "1"})
    place = made.headers["location"]
    assert patch(program, place, 0, data[:100]).headers["upload-offset"] == "100"
    told = program.head(place, headers=VERSION)
    assert told.headers["upload-defer-length"] == "1"
    assert "upload-length" not in told.headers
    last = patch(program, place, 100, data[100:], **{"Upload-Length": str(len(data))})
    assert last.headers["x-original-id"] == str(Original.objects.get().pk)


def test_deferred_length__cannot_be_said_twice(program):
    place = create(program, 1000)
    assert error_of(patch(program, place, 0, b"\xff\xd8\xff", **{"Upload-Length": "999"}), 413) == "too_many_bytes"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.2.2"}])
def test_version__missing_or_another_is_refused(program, method, version):
    answer = program.request(method, "/files/" if method == "POST" else "/files/x", headers=version)
    assert answer.status_code == 412
    assert answer.headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/files/"), ("PATCH", "/files/"), ("POST", "/files/x"), ("PUT", "/files/x")]
)
def test_method__that_means_nothing_here_is_refused(program, method, path):
    answer = program.request(method, path, headers=VERSION)
    assert error_of(answer, 405) == "method_not_allowed"
    assert "OPTIONS" in answer.headers["allow"]


def test_head__tells_offset_length_metadata_and_is_not_stored(program):
    place = create(program, 1000, "a.jpg")
    patch(program, place, 0, b"\xff\xd8\xff")
    answer = program.head(place, headers=VERSION)
    assert answer.status_code == 200
    assert (answer.headers["upload-offset"], answer.headers["upload-length"]) == ("3", "1000")
    assert answer.headers["upload-metadata"] == metadata(filename="a.jpg")
    assert answer.headers["cache-control"] == "no-store"


def test_patch__at_another_offset_is_told_the_right_one(program):
    place = create(program, 1000)
    patch(program, place, 0, b"\xff\xd8\xff")
    answer = patch(program, place, 7, b"more")
    assert error_of(answer, 409) == "offset"
    assert answer.headers["upload-offset"] == "3"
    assert offset(program, place) == 3


def test_patch__of_another_type_is_refused(program):
    place = create(program, 1000)
    answer = patch(program, place, 0, b"\xff\xd8\xff", **{"Content-Type": "image/jpeg"})
    assert error_of(answer, 415) == "content_type"
    assert offset(program, place) == 0


@pytest.mark.parametrize("headers", [{}, {"Upload-Offset": "x"}, {"Upload-Offset": "-1"}])
def test_patch__without_an_offset_is_refused(program, headers):
    place = create(program, 1000)
    assert error_of(program.patch(place, headers={**BODY, **headers}, content=b"x"), 400) == "upload_offset"


def test_patch__with_excess_bytes_is_refused(program):
    place = create(program, 10)
    assert error_of(patch(program, place, 0, b"\xff\xd8\xff" * 5), 413) == "too_many_bytes"
    assert offset(program, place) == 0


def test_patch__with_excess_bytes_of_untold_length_is_refused(program):
    place = create(program, 10)
    headers = {**BODY, "Upload-Offset": "0"}
    answer = program.patch(place, headers=headers, content=iter([b"\xff\xd8\xff"] * 5))
    assert error_of(answer, 413) == "too_many_bytes"
    assert not Original.objects.exists()


def test_override__of_the_method_is_honoured(program):
    data = photo_bytes()
    place = create(program, len(data))
    told = program.post(place, headers={**VERSION, "X-HTTP-Method-Override": "HEAD"})
    assert told.headers["upload-offset"] == "0"
    headers = {**BODY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert program.post(place, headers=headers, content=data).headers["x-original-id"]
    assert program.post(place, headers={**VERSION, "X-HTTP-Method-Override": "DELETE"}).status_code == 204


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {b64encode(digest).decode()}"}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_checksum__that_is_right_lets_the_bytes_count(program, algorithm):
    data = photo_bytes()
    place = create(program, len(data))
    assert patch(program, place, 0, data[:50], **checksum(algorithm, data[:50])).headers["upload-offset"] == "50"
    assert patch(program, place, 50, data[50:], **checksum(algorithm, data[50:])).headers["x-original-id"]
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_checksum__that_is_wrong_drops_the_bytes(program, algorithm):
    data = photo_bytes()
    place = create(program, len(data))
    patch(program, place, 0, data[:50])
    answer = patch(program, place, 50, data[50:], **checksum(algorithm, b"other"))
    assert error_of(answer, 460) == "checksum_mismatch"
    assert offset(program, place) == 50
    assert patch(program, place, 50, data[50:]).headers["x-original-id"]
    assert kept(Original.objects.get()) == data


def test_checksum__of_an_unknown_algorithm_is_refused(program):
    place = create(program, 1000)
    answer = patch(program, place, 0, b"\xff\xd8\xff", **{"Upload-Checksum": "md5 YQ=="})
    assert error_of(answer, 400) == "checksum_algorithm"
    assert offset(program, place) == 0


def test_checksum__of_a_body_that_broke_off_lets_nothing_count(program):
    data = film_bytes(3 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data), **checksum("sha1", data)).send(data[: 2 << 20])
    until(lambda: row_of(place).lease_until)
    half.close()
    until(lambda: not row_of(place).lease_until)
    assert offset(program, place) == 0


def test_delete__gives_the_upload_up_with_its_bytes(program):
    place = create(program, 1000)
    patch(program, place, 0, b"\xff\xd8\xff")
    assert program.delete(place, headers=VERSION).status_code == 204
    assert program.head(place, headers=VERSION).status_code == 404
    assert error_of(patch(program, place, 3, b"x"), 404) == "not_found"
    assert program.delete(place, headers=VERSION).status_code == 404
    assert incoming_files() == []


def test_delete__while_bytes_come_ends_the_request(program):
    data = film_bytes(8 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: 1 << 20])
    until(lambda: row_of(place).lease_until)
    assert program.delete(place, headers=VERSION).status_code == 204
    half.send(data[1 << 20 :])
    assert half.answer() == b"HTTP/1.1 410 Gone"
    assert incoming_files() == []


def test_expired__is_gone_and_swept(program):
    place = create(program, 1000)
    patch(program, place, 0, b"\xff\xd8\xff")
    Upload.objects.update(expires_at=now() - timedelta(seconds=1))
    assert program.head(place, headers=VERSION).status_code == 404
    assert receiving.sweep() == {"finished": 0, "expired": 1}
    assert not Upload.objects.exists()
    assert incoming_files() == []


def test_bytes__keep_an_upload_from_expiring(program):
    place = create(program, 1000)
    Upload.objects.update(expires_at=now() + timedelta(seconds=60))
    patch(program, place, 0, b"\xff\xd8\xff")
    assert row_of(place).expires_at > now() + timedelta(hours=23)


def test_break__keeps_what_has_come(program):
    data = film_bytes(5 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: 3 << 20])
    until(lambda: row_of(place).lease_until)
    until(lambda: incoming_files() and incoming_files()[0].stat().st_size > 1 << 20)
    half.close()
    until(lambda: not row_of(place).lease_until)
    here = offset(program, place)
    assert here >= 2 << 20
    assert patch(program, place, here, data[here:]).headers["x-original-id"]
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()
    assert kept(Original.objects.get()) == data


def test_slow_line__is_kept_second_by_second(program):
    place = create(program, 1 << 20)
    half = HalfPatch(program, place, 0, 1 << 20).send(film_bytes(4096))
    until(lambda: half.send(b"x") and row_of(place).offset > 4096, every=0.3)
    half.close()


def test_two_at_once__the_second_reads_its_whole_answer_though_it_is_sending(program):
    data = film_bytes(8 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: 1 << 20])
    until(lambda: row_of(place).lease_until)
    second = HalfPatch(program, place, 0, len(data)).send(data[: 4 << 20])
    head, _, body = whole_answer(second.socket, ending=b"}}").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 423 ")
    assert json.loads(body)["error"]["code"] == "locked"
    assert second.send(b"more").socket.fileno() > 0, "and the line is there until it hangs up"
    second.close()
    half.close()


def whole_answer(line: socket.socket, ending: bytes) -> bytes:
    """What has come until it ends like this; ConnectionResetError where it breaks off before."""
    found = b""
    with line.dup() as reading:
        reading.settimeout(10)
        while not found.endswith(ending):
            found += reading.recv(4096)
    return found


def test_two_at_once__the_second_is_told_to_wait(program, servers, token):
    data = film_bytes(2 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: 1 << 20])
    until(lambda: row_of(place).lease_until)
    assert error_of(patch(program, place, 0, data), 423) == "locked"
    with servers[1].client(token) as other:
        elsewhere = place.replace(servers[0].url, servers[1].url)
        assert error_of(patch(other, elsewhere, 0, data), 423) == "locked"
    half.send(data[1 << 20 :])
    assert half.answer() == b"HTTP/1.1 204 No Content"
    assert kept(Original.objects.get()) == data


def test_dead_line__holds_an_upload_for_a_lease_and_no_longer(program):
    data = film_bytes(2 << 20)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: 1 << 20])
    until(lambda: row_of(place).lease_until)

    def gone_on() -> bool:
        Upload.objects.update(lease_until=now() - timedelta(seconds=1))
        here = offset(program, place)
        return "x-original-id" in patch(program, place, here, data[here:]).headers

    until(gone_on)  # until then the dead line's first bytes may still come, and renew its lease
    half.send(b"other bytes, late" * 65536).close()
    assert kept(Original.objects.get()) == data


def put(folder, data):
    """As the receiver does."""
    folder.added(os.pwrite(folder.handle, data, folder.at))


def test_stopped_writer__that_wakes_up_writes_to_nobodys_file(alice):
    upload = receiving.create(alice, "film.mp4", 8)
    stopped = incoming.Folder(upload)
    put(stopped, b"1234")
    upload.offset, upload.losses = 4, 1
    successor = incoming.Folder(upload)
    put(stopped, b"late")
    put(successor, b"5678")
    incoming.put_in_place(upload)
    put(stopped, b"later")
    assert Path(storage.default_storage.path(upload.key)).read_bytes() == b"12345678"
    assert incoming_files() == []
    stopped.close()
    successor.close()


def test_dead_writer__leaves_its_file_as_it_is_to_the_next(alice):
    upload = receiving.create(alice, "film.mp4", 8)
    dead = incoming.Folder(upload)
    put(dead, b"1234")
    inode = os.fstat(dead.handle).st_ino
    dead.close()
    upload.offset, upload.losses = 4, 1
    successor = incoming.Folder(upload)
    assert os.fstat(successor.handle).st_ino == inode
    successor.close()


def test_writer__that_comes_when_somebody_is_at_the_file_is_lost(alice):
    upload = receiving.create(alice, "film.mp4", 8)
    holder = incoming.Folder(upload)
    with pytest.raises(incoming.Lost):
        incoming.Folder(upload)
    holder.close()


def test_other_process__goes_on_with_any_upload(program, servers, token):
    data = film_bytes(3 << 20)
    place = create(program, len(data))
    patch(program, place, 0, data[: 1 << 20])
    with servers[1].client(token) as other:
        elsewhere = place.replace(servers[0].url, servers[1].url)
        assert patch(other, elsewhere, 1 << 20, data[1 << 20 : 2 << 20]).status_code == 204
    assert patch(program, place, 2 << 20, data[2 << 20 :]).headers["x-original-id"]
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_kill__costs_no_byte_that_was_acknowledged(program, servers, web, token):
    data = film_bytes(6 << 20)
    place = create(program, len(data))
    patch(program, place, 0, data[: 2 << 20])
    half = HalfPatch(program, place, 2 << 20, 4 << 20).send(data[2 << 20 : 4 << 20])
    until(lambda: incoming_files()[0].stat().st_size > 3 << 20)
    web.kill()
    half.close()
    with servers[1].client(token) as other:
        elsewhere = place.replace(web.url, servers[1].url)
        here = offset(other, elsewhere)
        assert here >= 2 << 20
        assert patch(other, elsewhere, here, data[here:]).status_code == 423
        until(lambda: patch(other, elsewhere, here, data[here:]).status_code == 204, 15, every=0.5)
    web.start()
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()
    assert kept(Original.objects.get()) == data


def whole_but_not_ended(program: httpx.Client, data: bytes) -> str:
    """As a process leaves it that dies between the last byte and the original's row."""
    place = create(program, len(data))
    patch(program, place, 0, data[:-1])
    row = row_of(place)
    with incoming.path_of(row).open("ab") as file:
        file.write(data[-1:])
    died = {"lease_until": now() - timedelta(seconds=1), "holder": "dead"}
    Upload.objects.filter(pk=row.pk).update(offset=len(data), hashing=None, **died)
    return place


def test_left_whole__is_ended_by_the_next_question(program):
    data = photo_bytes()
    place = whole_but_not_ended(program, data)
    answer = program.head(place, headers=VERSION)
    assert answer.headers["x-original-id"] == str(Original.objects.get().pk)
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_left_whole__is_not_called_done_before_it_is_an_original(program):
    place = whole_but_not_ended(program, photo_bytes())
    Upload.objects.update(lease_until=now() + receiving.LEASE)  # whoever held it may live still
    assert program.head(place, headers=VERSION).status_code == 423
    Upload.objects.update(lease_until=now() - timedelta(seconds=1))
    assert program.head(place, headers=VERSION).headers["x-original-id"] == str(Original.objects.get().pk)


@pytest.mark.parametrize("in_place", [False, True])
def test_left_whole__is_ended_by_the_sweep(program, in_place):
    data = photo_bytes()
    place = whole_but_not_ended(program, data)
    if in_place:
        incoming.put_in_place(row_of(place))
    Upload.objects.update(expires_at=now() - timedelta(days=1))
    assert receiving.sweep()["finished"] == 1
    assert kept(Original.objects.get()) == data
    assert Run.objects.get().original == Original.objects.get()


def test_left_whole__that_cannot_be_ended_now_is_kept_and_holds_up_no_other(program):
    incoming.path_of(row_of(whole_but_not_ended(program, photo_bytes()))).unlink()
    data = new_photo_bytes()
    whole_but_not_ended(program, data)
    Upload.objects.update(expires_at=now() - timedelta(days=1))
    assert receiving.sweep()["finished"] == 1
    assert kept(Original.objects.get()) == data
    assert Upload.objects.filter(original=None).count() == 1


def test_left_whole__of_no_kind_we_take_is_dropped_by_the_sweep(program):
    whole_but_not_ended(program, b"\xff\xd8\xff nothing of this can be seen")
    Upload.objects.update(head=b"text", kind="")
    receiving.sweep()
    assert not Upload.objects.exists()
    assert not Original.objects.exists()
    assert incoming_files() == []


def test_ended__says_what_it_has_become_whenever_asked(program):
    data = photo_bytes()
    place = create(program, len(data))
    patch(program, place, 0, data)
    again = patch(program, place, len(data), b"")
    assert (again.status_code, again.headers["x-original-id"]) == (204, str(Original.objects.get().pk))
    assert error_of(patch(program, place, 0, data), 409) == "offset"
    assert error_of(patch(program, place, len(data), b"more"), 413) == "too_many_bytes"
    assert program.head(place, headers=VERSION).headers["x-original-id"]


def test_ended__original_stays_when_the_upload_is_deleted(program):
    data = photo_bytes()
    place = create(program, len(data))
    patch(program, place, 0, data)
    assert program.delete(place, headers=VERSION).status_code == 204
    assert kept(Original.objects.get()) == data


@pytest.mark.parametrize("size", [40, 100_000, 3 << 20])
def test_unsupported__is_refused_as_soon_as_it_shows(program, size):
    data = b"<html>" + b"x" * (size - 6)
    place = create(program, 4 << 20 if size > 4096 else size)
    assert error_of(patch(program, place, 0, data), 415) == "unsupported_type"
    assert program.head(place, headers=VERSION).status_code == 404
    assert incoming_files() == []


def test_quota__counts_what_is_on_its_way(servers, tmp_path, token):
    web = Web(tmp_path / "web.log", MEDIAWEB_QUOTA_BYTES="1000")
    web.start()
    with web.client(token) as client:
        place = create(client, 700)
        answer = client.post("/files/", headers={**VERSION, "Upload-Length": "400"})
        assert error_of(answer, 403) == "quota_exceeded"
        assert answer.json()["error"]["details"] == {"free": 300, "allowed": 1000}
        deferred = client.post("/files/", headers={**VERSION, "Upload-Defer-Length": "1"}).headers["location"]
        assert error_of(patch(client, deferred, 0, b"\xff\xd8\xff" * 200), 403) == "quota_exceeded"
        client.delete(place, headers=VERSION)
        create(client, 400)
    web.kill()


def test_stranger__is_refused(web):
    for method, path in (("POST", "/files/"), ("HEAD", "/files/x"), ("PATCH", "/files/x"), ("DELETE", "/files/x")):
        assert httpx.request(method, web.url + path, headers=VERSION).status_code == 401


def test_bob__finds_nothing_of_alices(program, web, bob):
    place = create(program, 1000)
    with web.client(ApiToken.issue(bob)) as his:
        assert his.head(place, headers=VERSION).status_code == 404
        assert error_of(patch(his, place, 0, b"\xff\xd8\xff"), 404) == "not_found"
        assert his.delete(place, headers=VERSION).status_code == 404
    assert offset(program, place) == 0


def test_session__needs_its_csrf_token(web, alice):
    page = Client()
    page.force_login(alice)
    cookies = {"sessionid": page.cookies["sessionid"].value, "csrftoken": "a" * 32}
    with httpx.Client(base_url=web.url, cookies=cookies, headers={**VERSION, "Upload-Length": "5"}) as client:
        assert error_of(client.post("/files/"), 403) == "forbidden"
        assert client.post("/files/", headers={"X-CSRFToken": "b" * 32}).status_code == 403
        made = client.post("/files/", headers={"X-CSRFToken": "a" * 32})
        assert made.status_code == 201
        assert client.head(made.headers["location"]).status_code == 200
        assert client.post("/files/", headers={"Origin": "https://evil.example"}).status_code == 403


def test_same_bytes__give_the_original_there_is(program):
    data = photo_bytes()
    first = create(program, len(data))
    patch(program, first, 0, data)
    second = create(program, len(data))
    answer = patch(program, second, 0, data)
    assert answer.headers["x-original-id"] == str(Original.objects.get().pk)
    assert len(list((settings.LOCAL_MEDIA / storage.ORIGINALS).iterdir())) == 1
    assert incoming_files() == []


def test_gc__leaves_what_is_on_its_way(program):
    place = create(program, 1000)
    patch(program, place, 0, b"\xff\xd8\xff")
    assert list(garbage.find(older_than=0)) == []
    Upload.objects.all().delete()
    assert list(garbage.find(older_than=0)) == [f"{incoming.INCOMING}/{place.rpartition('/')[2]}"]
