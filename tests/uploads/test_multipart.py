"""Straight to the store: addresses good for one part of one size, and nothing believed that the store does not say."""

import hashlib
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.test import Client
from django.utils.timezone import now

from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store
from tests.uploads.test_files import film_bytes
from uploads import tasks
from uploads.intake import direct, receiving
from uploads.intake.incoming import PART
from uploads.models import ApiToken, Original, Upload

pytestmark = pytest.mark.django_db

PLACE = "/api/multipart"


@pytest.fixture
def store(s3: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    return s3


def program_of(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user)}"})


@pytest.fixture
def program(alice: Any, store: Store) -> Client:
    return program_of(alice)


def begin(program: Client, length: int, name: str = "film.mp4", **more: int) -> Any:
    answer = program.post(PLACE, {"name": name, "bytes": length, **more}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def signed(program: Client, upload: Any, number: int) -> str:
    return str(program.post(f"{PLACE}/{upload['id']}/parts/{number}").json()["url"])


def send(program: Client, upload: Any, data: bytes) -> None:
    for number, start in enumerate(range(0, len(data), upload["part_bytes"]), 1):
        part = data[start : start + upload["part_bytes"]]
        assert httpx.put(signed(program, upload, number), content=part).status_code == 200


def unfinished(store: Store) -> int:
    return len(store.client().list_multipart_uploads(Bucket=store.bucket).get("Uploads", []))


def test_multipart__becomes_an_original(program, store):
    data = film_bytes(2 * PART + 1000)
    upload = begin(program, len(data), "año.mp4")
    send(program, upload, data)
    there = program.get(f"{PLACE}/{upload['id']}").json()
    assert [(part["number"], part["bytes"]) for part in there["parts"]] == [(1, PART), (2, PART), (3, 1000)]
    answer = program.post(f"{PLACE}/{upload['id']}/complete")
    assert answer.status_code == 201, answer.content
    original = Original.objects.get()
    assert (answer.json()["id"], original.name, original.kind) == (str(original.pk), "año.mp4", "video")
    assert original.sha256 == hashlib.sha256(data).hexdigest()
    assert store.keys_kept() == [original.key]
    assert program.post(f"{PLACE}/{upload['id']}/complete").json()["id"] == str(original.pk), "said again"


def test_multipart__large_is_hashed_by_a_worker(program, store, monkeypatch):
    monkeypatch.setattr(direct, "AT_ONCE", 10)
    data = film_bytes(1000)
    upload = begin(program, len(data))
    send(program, upload, data)
    answer = program.post(f"{PLACE}/{upload['id']}/complete")
    assert (answer.status_code, answer.json()["original_id"]) == (202, None)
    tasks.finish_upload(upload["id"])
    original = Original.objects.get()
    assert program.get(f"{PLACE}/{upload['id']}").json()["original_id"] == str(original.pk)
    assert original.sha256 == hashlib.sha256(data).hexdigest()


def test_multipart__left_whole_is_ended_by_the_sweep(program, store, monkeypatch):
    monkeypatch.setattr(direct, "AT_ONCE", 10)
    upload = begin(program, 1000)
    send(program, upload, film_bytes(1000))
    program.post(f"{PLACE}/{upload['id']}/complete")
    assert receiving.sweep()["finished"] == 1
    assert Original.objects.count() == 1


def test_address__takes_its_part_and_no_other_size(program):
    upload = begin(program, PART + 1000)
    address = signed(program, upload, 2)
    assert httpx.put(address, content=b"x" * 1001).status_code == 403
    assert httpx.put(address, content=b"x" * 999).status_code == 403
    assert httpx.put(address.replace("partNumber=2", "partNumber=1"), content=b"x" * 1000).status_code == 403
    assert httpx.put(address, content=b"x" * 1000).status_code == 200


@pytest.mark.parametrize("number", [0, 3, 10_001])
def test_address__of_a_part_it_does_not_have_is_none(program, number):
    upload = begin(program, PART + 1000)
    assert program.post(f"{PLACE}/{upload['id']}/parts/{number}").status_code == 404


def test_complete__with_parts_missing_says_which(program):
    data = film_bytes(PART + 1000)
    upload = begin(program, len(data))
    httpx.put(signed(program, upload, 2), content=data[PART:])
    answer = program.post(f"{PLACE}/{upload['id']}/complete")
    assert answer.status_code == 409
    assert answer.json()["error"]["details"] == {"parts": [1]}
    assert not Original.objects.exists()
    send(program, upload, data)
    assert program.post(f"{PLACE}/{upload['id']}/complete").status_code == 201


def test_complete__of_no_kind_we_take_leaves_nothing(program, store):
    upload = begin(program, 1000)
    send(program, upload, b"x" * 1000)
    answer = program.post(f"{PLACE}/{upload['id']}/complete")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_type")
    assert (store.keys_kept(), unfinished(store), Upload.objects.count()) == ([], 0, 0)


@pytest.mark.django_db(transaction=True)
def test_complete__of_the_same_bytes_is_the_original_there_is(program, store):
    data = film_bytes(1000)
    ids = []
    for _ in range(2):
        upload = begin(program, len(data))
        send(program, upload, data)
        ids.append(program.post(f"{PLACE}/{upload['id']}/complete").json()["id"])
    assert ids[0] == ids[1]
    assert store.keys_kept() == [Original.objects.get().key]


def test_begin__is_refused_as_any_upload(program, settings):
    settings.MAX_UPLOAD_BYTES, settings.QUOTA_BYTES = 1000, 500
    for length, status, code in ((0, 400, "empty"), (1001, 413, "too_large"), (501, 403, "quota_exceeded")):
        answer = program.post(PLACE, {"name": "a", "bytes": length}, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_abort_and_expiry__leave_no_part(program, store):
    gone, late = (begin(program, 2 * PART) for _ in range(2))
    for upload in (gone, late):
        httpx.put(signed(program, upload, 1), content=film_bytes(PART))
    assert program.delete(f"{PLACE}/{gone['id']}").status_code == 204
    assert program.delete(f"{PLACE}/{gone['id']}").status_code == 404
    Upload.objects.update(expires_at=now())
    assert receiving.sweep()["expired"] == 1
    assert unfinished(store) == 0


def test_bob__finds_nothing_of_alices(program, bob):
    upload = begin(program, 1000)
    his = program_of(bob)
    assert his.get(f"{PLACE}/{upload['id']}").status_code == 404
    assert his.post(f"{PLACE}/{upload['id']}/parts/1").status_code == 404
    assert his.post(f"{PLACE}/{upload['id']}/complete").status_code == 404
    assert his.delete(f"{PLACE}/{upload['id']}").status_code == 404


def test_folder__takes_no_multipart(alice):
    answer = program_of(alice).post(PLACE, {"name": "a", "bytes": 5}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert program_of(alice).get(f"{PLACE}/{uuid4()}").status_code == 404


def test_page__is_answered_in_the_words_of_a_store(program, store):
    made = begin(program, 2 * PART)
    httpx.put(signed(program, made, 1), content=film_bytes(PART))
    listed = program.get(f"{PLACE}/{made['id']}/s3").content.decode()
    assert listed.startswith("<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>&quot;")
    assert listed.count("<Part>") == 1
    refused = program.post(f"{PLACE}/{made['id']}/s3")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "incomplete")
    httpx.put(signed(program, made, 2), content=film_bytes(PART))
    ended = program.post(f"{PLACE}/{made['id']}/s3").content.decode()
    original = Original.objects.get()
    assert ended.startswith(f"<CompleteMultipartUploadResult><Location>/api/originals/{original.pk}</Location>")
    assert program.delete(f"{PLACE}/{made['id']}/s3").status_code == 204
    assert Original.objects.exists()


def test_page__hears_of_all_parts_of_what_is_whole_and_sends_none_again(program, store, monkeypatch):
    monkeypatch.setattr(direct, "AT_ONCE", 10)
    made = begin(program, PART + 1000)
    send(program, made, film_bytes(PART + 1000))
    ended = program.post(f"{PLACE}/{made['id']}/s3").content.decode()
    assert f"<Location>{PLACE}/{made['id']}</Location>" in ended, "a worker has its bytes to read"
    listed = program.get(f"{PLACE}/{made['id']}/s3").content.decode()
    assert [f"<PartNumber>{number}</PartNumber>" in listed for number in (1, 2, 3)] == [True, True, False]
    assert [part["bytes"] for part in program.get(f"{PLACE}/{made['id']}").json()["parts"]] == [PART, 1000]


def test_page__gives_up_as_often_as_it_likes(program, store):
    made = begin(program, 2 * PART)
    assert [program.delete(f"{PLACE}/{made['id']}/s3").status_code for _ in range(2)] == [204, 204]
    assert (unfinished(store), Upload.objects.count()) == (0, 0)


def test_unfinished__is_shown_with_what_came_before_where_the_page_may_go_on_with_it(program, alice):
    made = begin(program, 3 * PART, modified=1234)
    begin(program, 3 * PART)  # a program's
    program.post(f"{PLACE}/{made['id']}/parts/2")
    assert not receiving.unfinished(alice, may_go_straight=False)
    [upload] = receiving.unfinished(alice, may_go_straight=True)
    assert (str(upload.pk), upload.offset, upload.modified) == (made["id"], PART, "1234")


def test_unfinished__is_shown_before_we_hear_of_a_part(program, alice):
    begin(program, 3 * PART, modified=1234)
    assert [upload.offset for upload in receiving.unfinished(alice, may_go_straight=True)] == [0]
