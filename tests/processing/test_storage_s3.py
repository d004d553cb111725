"""Files in a real S3 store: the same promises as in a folder, and addresses that the store itself checks."""

import gc
import hashlib
import runpy
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import default_storage
from django.utils.timezone import now

from processing import links, storage
from processing.errors import MediaError
from processing.heartbeat import JobLost
from processing.outages import is_outage
from tests.chaos.line import Line
from tests.swift.store import Store
from tests.uploads import streams
from tests.waiting import until
from uploads import garbage, playing

KEY = "renditions/0b5e/webp-640.1-1.webp"


def settings_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """What our settings file makes of these variables."""
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return runpy.run_path("mediaweb/settings.py")


@pytest.fixture
def store(s3: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """This process keeps its files in a bucket of the test's own."""
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    return s3


@pytest.fixture
def line(store: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A bad line to the store, which this process speaks by."""
    line = Line(int(store.endpoint.rpartition(":")[2]), seed=1)
    environment = store.environment() | {"AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{line.port}"}
    made = settings_with(monkeypatch, **environment)["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    yield line
    line.close()


@pytest.fixture
def bytes_of(tmp_path: Path) -> Callable[[bytes], Path]:
    """A file of these bytes, to be kept."""

    def write(data: bytes) -> Path:
        path = tmp_path / "made"
        path.write_bytes(data)
        return path

    return write


def test_keep__moves_the_file_under_its_key_with_its_type(store, bytes_of):
    path = bytes_of(b"pixels")
    storage.keep(path, KEY, "image/webp")
    found = store.client().get_object(Bucket=store.bucket, Key=KEY)
    assert (found["Body"].read(), found["ContentType"]) == (b"pixels", "image/webp")
    assert not path.exists()


def test_keep__without_a_type_goes_by_the_name_or_says_bytes(store, bytes_of):
    storage.keep(bytes_of(b"WEBVTT"), "renditions/0b5e/storyboard.vtt")
    storage.keep(bytes_of(b"whatever"), "originals/0b5e")
    client = store.client()
    assert client.head_object(Bucket=store.bucket, Key="renditions/0b5e/storyboard.vtt")["ContentType"] == "text/vtt"
    assert client.head_object(Bucket=store.bucket, Key="originals/0b5e")["ContentType"] == "application/octet-stream"


def test_keep__larger_than_one_part_arrives_whole(store, bytes_of, tmp_path):
    data = secrets.token_bytes(20 << 20)
    storage.keep(bytes_of(data), KEY)
    assert store.client().head_object(Bucket=store.bucket, Key=KEY)["ETag"].strip('"').endswith("-3"), "in three parts"
    with storage.fetched(KEY, tmp_path) as copy:
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_keep__refused_by_the_store_leaves_the_file_where_it_was(store, bytes_of):
    store.client().delete_bucket(Bucket=store.bucket)
    path = bytes_of(b"pixels")
    with pytest.raises(Exception, match="NoSuchBucket") as raised:
        storage.keep(path, KEY)
    assert not isinstance(raised.value, MediaError), "ours, so that it is tried again"
    assert path.exists()


def test_fetched__is_a_copy_that_goes_afterwards(store, tmp_path):
    store.put(KEY, b"pixels")
    with storage.fetched(KEY, tmp_path) as copy:
        assert copy.read_bytes() == b"pixels"
        assert copy.parent == tmp_path
    assert not list(tmp_path.iterdir())
    assert store.keys_kept() == [KEY]


def test_fetched__ranges_alone_are_sent_and_the_rest_are_holes(store, tmp_path):
    data = secrets.token_bytes(6 << 20)
    store.put(KEY, data)
    came: list[int] = []
    ranges = ((0, 100), (3 << 20, (3 << 20) + 70_000))
    with storage.fetched(KEY, tmp_path, ranges, came.append) as copy:
        assert copy.stat().st_size == len(data)
        assert copy.stat().st_blocks * 512 < 1 << 20
        found = copy.read_bytes()
        assert all(found[start:end] == data[start:end] for start, end in ranges)
        assert not any(found[100 : 3 << 20])
    assert sum(came) == 70_100
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("ranges", [(), ((0, 2 << 20),)])
def test_fetched__store_that_hangs_up_in_the_middle_is_an_outage_and_no_short_file(store, line, tmp_path, ranges):
    store.put(KEY, secrets.token_bytes(4 << 20))
    line.be("cutting")
    with pytest.raises((BotoCoreError, Boto3Error, OSError)) as error, storage.fetched(KEY, tmp_path, ranges):
        pass
    assert is_outage(error.value), repr(error.value)
    assert not list(tmp_path.iterdir())
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_fetched__stops_when_nobody_wants_it_any_longer(store, tmp_path):
    store.put(KEY, bytes(1 << 20))

    def lost(_: int) -> None:
        raise JobLost

    for ranges in ((), ((0, 1000),)):
        with pytest.raises(JobLost), storage.fetched(KEY, tmp_path, ranges, lost):
            pass
    assert not list(tmp_path.iterdir())
    gc.collect()  # boto3 leaves the answer it broke off to the collector, which would come in another test


def test_fetched_pieces__are_copies_in_their_order_that_go_afterwards(store, tmp_path):
    keys = {"low": ["pieces/a/low.0.1-1.mp4", "pieces/a/low.1.2-1.mp4"], "audio": ["pieces/a/audio.0.3-1.m4a"]}
    for key in (key for found in keys.values() for key in found):
        store.put(key, key.encode())
    sized = {name: [(key, len(key)) for key in found] for name, found in keys.items()}
    with storage.fetched_pieces(sized, tmp_path) as pieces:
        assert {name: [path.read_bytes().decode() for path in found] for name, found in pieces.items()} == keys
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [None, b"half of "])
def test_fetched_pieces__say_which_is_gone(store, tmp_path, there):
    if there:
        store.put("pieces/nowhere", there)
    keys = {"low": [("pieces/nowhere", 16)]}
    with pytest.raises(storage.Gone, match="nowhere"), storage.fetched_pieces(keys, tmp_path):
        pass


def test_fetched__missing_is_an_error_of_ours_and_leaves_nothing(store, tmp_path):
    with pytest.raises(ClientError, match="404"), storage.fetched(KEY, tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_drop__removes_the_file_and_minds_none_that_is_missing(store):
    store.put(KEY)
    storage.drop(KEY)
    storage.drop(KEY)
    assert store.keys_kept() == []


def test_keys__below_the_prefix_with_the_time_of_writing(store):
    for key in ("originals/1", "originals/2", "originals-of-another/1", KEY):
        store.put(key)
    found = dict(storage.keys(storage.ORIGINALS))
    assert list(found) == ["originals/1", "originals/2"]
    assert all(abs(written - now()) < timedelta(minutes=1) for written in found.values())


def test_size_and_sha256__of_what_lies_there(store):
    data = secrets.token_bytes(3 << 20)
    store.put(KEY, data)
    assert storage.size(KEY) == len(data)
    assert storage.sha256(KEY) == hashlib.sha256(data).hexdigest()
    assert storage.size("renditions/0b5e/missing") is None


def test_url__serves_any_part_for_an_hour_and_no_longer(store):
    store.put(KEY, b"0123456789")
    address = storage.url(KEY)
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["3600"]
    assert httpx.get(address).content == b"0123456789"
    part = httpx.get(address, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    short = storage.s3().url(KEY, expire=1)
    until(lambda: httpx.get(short).status_code == 403)


def test_url__is_good_for_that_key_alone(store):
    store.put(KEY)
    store.put("originals/secret")
    address = storage.url(KEY)
    assert httpx.get(address).status_code == 200
    for tampered in (
        address.replace(KEY, "originals/secret"),
        address.replace("X-Amz-Expires=3600", "X-Amz-Expires=360000"),
        address + "&response-content-type=text/html",
    ):
        assert httpx.get(tampered).status_code == 403, tampered
    assert httpx.put(address, content=b"other").status_code == 403
    assert httpx.get(address.partition("?")[0]).is_client_error, "nothing is public"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("photo.jpg", 'attachment; filename="photo.jpg"'),
        ('a "b" \\ c.jpg', 'attachment; filename="a \\"b\\" \\\\ c.jpg"'),
        ("año & ñu 日.jpg", "attachment; filename*=utf-8''a%C3%B1o%20%26%20%C3%B1u%20%E6%97%A5.jpg"),
    ],
)
def test_url__download_as_names_the_file_to_save(store, name, header):
    store.put(KEY)
    answer = httpx.get(storage.url(KEY, download_as=name))
    assert (answer.status_code, answer.headers["content-disposition"]) == (200, header)


def test_url__is_good_for_as_long_as_asked(store):
    store.put(KEY)
    address = storage.url(KEY, good_for=links.TO_WATCH)
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == [str(links.TO_WATCH)]
    assert httpx.get(address).status_code == 200


def test_text__is_read_whole_and_what_is_gone_is_not_found(store, bytes_of):
    storage.keep(bytes_of("día\n".encode()), "renditions/0b5e/subtitles.1-1.vtt")
    assert storage.text("renditions/0b5e/subtitles.1-1.vtt") == "día\n"
    with pytest.raises(FileNotFoundError):
        storage.text("renditions/0b5e/subtitles.2-1.vtt")


@pytest.mark.django_db
def test_play__playlist_leads_to_ranges_that_the_store_serves(store, client, alice):
    film = streams.a_film(alice)
    streams.publish_hls(film)
    url = playing.address(film.renditions.get(preset="hls", name="audio.m3u8"))
    lines = client.get(url).content.decode().splitlines()
    address = next(line for line in lines if line.startswith(f"{store.endpoint}/{store.bucket}/"))
    answer = httpx.get(address, headers={"Range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, b"ftyp")


def test_garbage__is_found_among_the_keys_of_the_bucket(store, upload):
    original = upload()
    store.put("originals/orphan")
    store.put(KEY)
    # The store gives whole seconds, rounded up: what was just written is from the future.
    until(lambda: list(garbage.find(older_than=0)) == ["originals/orphan", KEY], 5)
    assert list(garbage.find(older_than=60)) == [KEY]
    assert original.key in store.keys_kept()


@pytest.mark.django_db
def test_readyz__says_that_the_bucket_is_gone(store, client):
    assert client.get("/readyz").status_code == 200
    store.client().delete_bucket(Bucket=store.bucket)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.json()["problems"]) == ["storage"]


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [("", "us-east-1"), ("", "mx-central-1"), ("https://s3.example.org", ""), ("https://example.org/s3", "")],
)
def test_policy__lets_pages_show_what_addresses_lead_to(monkeypatch, settings, endpoint, region):
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_STORAGE_BUCKET_NAME": "films"}
    place = {"AWS_S3_ENDPOINT_URL": endpoint, "AWS_S3_REGION_NAME": region}
    made = settings_with(monkeypatch, MEDIAWEB_STORAGE="s3", **keys, **place)
    settings.STORAGES = made["STORAGES"]
    allowed = made["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    for directive in ("img-src", "media-src", "connect-src"):
        [address] = [source for source in allowed[directive] if str(source).startswith("https:")]
        assert default_storage.url(KEY).startswith(address + KEY)
        assert "films" in address, "this bucket, and not its neighbours"


def test_policy__names_no_store_where_files_are_local(monkeypatch):
    allowed = settings_with(monkeypatch, AWS_S3_ENDPOINT_URL="https://s3.example.org")["CONTENT_SECURITY_POLICY"]
    assert "https" not in str(allowed)
