"""The tus server with a real S3 store behind it: parts, the remainder between requests, and what dies in between."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils.timezone import now

from processing import storage
from processing.models import Job
from tests.chaos.line import Line
from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store
from tests.uploads.test_files import error_of, film_bytes
from tests.uploads.web import VERSION, HalfPatch, Web, create, offset, patch, row_of
from tests.waiting import until
from uploads import garbage
from uploads.intake import incoming, receiving
from uploads.intake.incoming import PART, Lost
from uploads.models import ApiToken, Original, Upload


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows that other processes see."""
    with django_db_blocker.unblock():
        yield
        get_user_model().objects.all().delete()


@pytest.fixture(scope="module")
def bucket(swift: Store) -> Store:
    return swift.with_new_bucket()


@pytest.fixture(scope="module")
def servers(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory, bucket: Store
) -> Iterator[list[Web]]:
    """Two web processes on one database and one bucket."""
    folder = tmp_path_factory.mktemp("web")
    with django_db_blocker.unblock():
        webs = [Web(folder / f"{name}.log", **bucket.environment()) for name in ("one", "other")]
    for web in webs:
        web.start()
    yield webs
    for web in webs:
        web.kill()


@pytest.fixture
def store(bucket: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """This process keeps its files there too, and finds none there."""
    made = settings_with(monkeypatch, **bucket.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    yield bucket
    for key in bucket.keys_kept():
        bucket.client().delete_object(Bucket=bucket.bucket, Key=key)
    for found in bucket.client().list_multipart_uploads(Bucket=bucket.bucket).get("Uploads", []):
        bucket.client().abort_multipart_upload(Bucket=bucket.bucket, Key=found["Key"], UploadId=found["UploadId"])


@pytest.fixture
def token(alice: Any) -> str:
    return ApiToken.issue(alice)


@pytest.fixture
def program(servers: list[Web], token: str, store: Store) -> Iterator[httpx.Client]:
    with servers[0].client(token) as client:
        yield client


def kept(store: Store) -> bytes:
    found = store.client().get_object(Bucket=store.bucket, Key=Original.objects.get().key)
    return bytes(found["Body"].read())


def nothing_else(store: Store) -> bool:
    """No key but the original's, and no parts of an object that is none."""
    unfinished = store.client().list_multipart_uploads(Bucket=store.bucket).get("Uploads", [])
    return store.keys_kept() == [original.key for original in Original.objects.all()] and not unfinished


def test_small_file__is_an_object_like_any_other(program, store):
    data = film_bytes(100_000)
    place = create(program, len(data))
    assert patch(program, place, 0, data).headers["x-original-id"]
    assert kept(store) == data
    assert nothing_else(store)


def test_small_file__in_pieces_waits_between_them(program, store):
    data = film_bytes(100_000)
    place = create(program, len(data))
    for start in range(0, len(data), 30_000):
        assert patch(program, place, start, data[start : start + 30_000]).status_code == 204
        assert len(store.keys_kept()) == 1, "the last remainder, and none before it"
    assert kept(store) == data
    assert nothing_else(store)


def test_large_file__broken_off_and_gone_on_with_elsewhere_arrives_whole(program, store, servers, token):
    data = film_bytes(2 * PART + 3_000_001)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: PART + 2_500_000])
    until(lambda: row_of(place).offset == PART)
    half.close()
    until(lambda: not row_of(place).lease_until)
    with servers[1].client(token) as other:
        elsewhere = place.replace(servers[0].url, servers[1].url)
        here = offset(other, elsewhere)
        assert here > PART + 1_500_000, "the remainder was kept"
        assert patch(other, elsewhere, here, data[here : here + 1_000_000]).status_code == 204
    here += 1_000_000
    assert patch(program, place, here, data[here:]).headers["x-original-id"]
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()
    assert kept(store) == data
    assert nothing_else(store)


def test_dead_line__costs_nothing_of_what_came(program, store):
    data = film_bytes(2 * PART + 1_000_001)
    place = create(program, len(data))
    here = PART + 2_500_000
    dead = HalfPatch(program, place, 0, len(data)).send(data[:here])
    until(lambda: offset(program, place) == here)
    until(lambda: "x-original-id" in patch(program, place, here, data[here:]).headers)
    dead.close()
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()
    assert kept(store) == data
    assert nothing_else(store)


def test_kill__costs_less_than_a_part(program, store, servers, token):
    data = film_bytes(2 * PART + 1_000_001)
    place = create(program, len(data))
    half = HalfPatch(program, place, 0, len(data)).send(data[: PART + 2_500_000])
    until(lambda: row_of(place).offset == PART)
    servers[0].kill()
    half.close()
    with servers[1].client(token) as other:
        elsewhere = place.replace(servers[0].url, servers[1].url)
        assert offset(other, elsewhere) == PART
        Upload.objects.update(lease_until=now() - timedelta(seconds=1))
        assert patch(other, elsewhere, PART, data[PART:]).headers["x-original-id"]
    servers[0].start()
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()
    assert kept(store) == data
    assert nothing_else(store)


def test_outage__amid_a_large_body_is_said_and_the_upload_goes_on(store, token, tmp_path):
    data = film_bytes(3 * PART)
    way = Line(int(store.endpoint.rpartition(":")[2]), seed=1)
    web = Web(tmp_path / "web.log", **replace(store, endpoint=f"http://127.0.0.1:{way.port}").environment())
    web.start()
    with web.client(token) as client:
        place = create(client, len(data))
        half = HalfPatch(client, place, 0, len(data)).send(data[: PART + 1234])
        until(lambda: row_of(place).offset == PART)
        way.be("gone")
        half.socket.settimeout(30)
        half.send(data[PART + 1234 : 2 * PART + 1234])
        answer = b""
        while piece := half.socket.recv(4096):
            answer += piece
        half.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"unavailable"' in answer
        assert b"\r\nconnection: close\r\n" in answer.lower(), "what is left of the body is no request"
        way.be("well")
        assert offset(client, place) == PART
        assert patch(client, place, PART, data[PART:]).status_code == 204
    web.kill()
    way.close()
    assert kept(store) == data
    assert nothing_else(store)


def test_zombie__writes_no_part_that_counts(program, store, alice):
    data = film_bytes(2 * PART + 10)
    upload = receiving.create(alice, "film.mp4", len(data))
    zombie = receiving.take(upload.pk)
    zombie.write(bytearray(data[:PART]))
    Upload.objects.update(lease_until=now() - timedelta(seconds=1))
    successor = receiving.take(upload.pk)
    successor.write(bytearray(data[PART:]))
    zombie.keeper.added(os.pwrite(zombie.keeper.handle, film_bytes(PART), zombie.keeper.at))
    with pytest.raises(Lost):
        zombie.save()
    successor.settle()
    for receiver in (successor, zombie):
        receiver.release()
    assert kept(store) == data
    assert nothing_else(store)


def test_gc__lets_go_of_parts_that_no_row_speaks_of(program, store):
    place = create(program, 3 * PART)
    patch(program, place, 0, film_bytes(PART + 10))
    assert list(garbage.forsaken(older_than=-60)) == []
    row = row_of(place)
    Upload.objects.all().delete()
    assert list(garbage.forsaken(older_than=60)) == []
    assert list(garbage.forsaken(older_than=-60)) == [(row.key, row.store_id)]
    call_command("gc", "--older-than", "-60")
    assert nothing_else(store)


def test_gc__lets_go_of_parts_of_workers_that_were_killed(store, upload):
    job = Job.objects.get(run__original=upload(), step="inspect")
    assert job.claim("worker-a")
    begin = store.client().create_multipart_upload
    at_work = f"{storage.RENDITIONS}/x/mp4-360.{job.pk}-{job.attempt}.mp4"
    dead = [f"{storage.RENDITIONS}/x/mp4-360.{job.pk}-0.mp4", f"{storage.PIECES}/x/mp4-360.0.{job.pk}-0.mp4"]
    for key in (at_work, *dead):
        begin(Bucket=store.bucket, Key=key)
    assert garbage.abort_forsaken() == 0, "not before a day"
    assert garbage.abort_forsaken(older_than=-60) == 2
    left = store.client().list_multipart_uploads(Bucket=store.bucket)["Uploads"]
    assert [item["Key"] for item in left] == [at_work]
    store.client().abort_multipart_upload(Bucket=store.bucket, Key=at_work, UploadId=left[0]["UploadId"])


@pytest.mark.parametrize("in_place", [False, True])
def test_left_whole__is_ended_by_the_sweep(program, store, alice, in_place):
    data = film_bytes(PART + 10)
    upload = receiving.create(alice, "film.mp4", len(data))
    receiver = receiving.take(upload.pk)
    receiver.write(bytearray(data))
    receiver.keeper.settle(whole=True)
    receiver.save()
    receiver.release()
    if in_place:
        incoming.put_in_place(Upload.objects.get())
    assert receiving.sweep()["finished"] == 1
    assert kept(store) == data
    assert nothing_else(store)


def test_delete_and_expiry__leave_no_part(program, store):
    data = film_bytes(PART + 1000)
    gone, late = create(program, 3 * PART), create(program, 3 * PART)
    for place in (gone, late):
        patch(program, place, 0, data)
    assert program.delete(gone, headers=VERSION).status_code == 204
    Upload.objects.update(expires_at=now() - timedelta(seconds=1))
    assert receiving.sweep()["expired"] == 1
    assert nothing_else(store)


def test_same_bytes__leave_one_object(program, store):
    data = film_bytes(PART + 1000)
    for _ in range(2):
        place = create(program, len(data))
        assert patch(program, place, 0, data).headers["x-original-id"] == str(Original.objects.get().pk)
    assert nothing_else(store)


def test_unsupported__leaves_nothing(program, store):
    place = create(program, 100_000)
    assert error_of(patch(program, place, 0, b"x" * 100_000), 415) == "unsupported_type"
    assert nothing_else(store)
