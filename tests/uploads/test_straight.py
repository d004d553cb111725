"""Which way the page sends large files: straight to a store that lets it in, by tus where that is not known."""

import socket
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from django.test import Client

from processing import cors
from tests.processing.test_cors import OPEN, ORIGIN, READABLE, bucket
from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store
from tests.waiting import until
from uploads.intake import receiving
from uploads.intake.incoming import PART

pytestmark = pytest.mark.django_db
HERE = "http://testserver"
OPEN_HERE = {**OPEN, "Access-Control-Allow-Origin": HERE}
READABLE_HERE = {**READABLE, "Access-Control-Allow-Origin": HERE}


@pytest.fixture
def keep_in(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have the service keep its files in the store at this address, which nobody has asked yet."""

    def keep_in(endpoint: str, **environment: str) -> None:
        place = Store(endpoint, "key", "secret", "bucket").environment()
        made = settings_with(monkeypatch, **{**place, **environment})
        settings.STORAGES = {**settings.STORAGES, "default": made["STORAGES"]["default"]}
        settings.S3_DIRECT = made["S3_DIRECT"]

    cors.asked.cache_clear()
    yield keep_in
    cors.asked.cache_clear()


@pytest.fixture
def keep_in_ours(keep_in: Callable[..., None], s3: Store) -> Callable[..., None]:
    """In our own store, which lets in everybody."""
    return lambda **environment: keep_in(s3.endpoint, **{**s3.environment(), **environment})


@pytest.fixture
def page(client: Client, alice: Any) -> Callable[..., str]:
    client.force_login(alice)
    return lambda **headers: client.get("/", headers=headers).content.decode()


def straight(page: str) -> bool:
    """Whether it sends large files straight to the store."""
    assert f'data-part-bytes="{PART}"' in page
    return "data-straight" in page


@pytest.fixture
def begun(alice: Any) -> str:
    """The name of a film of alice's that a page began to send straight to the store."""
    return receiving.create(alice, "begun.mp4", 3 * PART, "modified MTIzNA==", direct=True).name


def answered(origin: str = HERE) -> bool:
    return cors.asked(origin, int(monotonic() // cors.KNOWN_FOR)).done()


def test_page__goes_straight_where_the_store_lets_it_in(page, keep_in_ours, s3, begun):
    keep_in_ours()
    until(lambda: straight(page()))
    assert begun in page()
    assert s3.keys_kept() == []


def test_page__goes_by_tus_where_the_store_shuts_it_out(page, keep_in, begun):
    with bucket({}, {}) as address:
        keep_in(address.removesuffix("/bucket/key"))
        page()
        until(answered)
        assert not straight(page())
        assert begun not in page(), "it could not go on with it"


def test_page__goes_by_tus_where_the_store_hides_etags(page, keep_in):
    with bucket(READABLE_HERE, OPEN_HERE) as address:
        keep_in(address.removesuffix("/bucket/key"))
        page()
        until(answered)
        assert not straight(page())


def test_page__comes_at_once_where_the_store_is_silent_and_goes_by_tus(page, keep_in, begun):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keep_in(f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = monotonic()
        pages = [page() for _ in range(3)]
        assert monotonic() - before < cors.PATIENCE["timeout"]["read"]
        assert not answered()
        assert not any(straight(text) for text in pages)
        assert begun in pages[-1], "nothing has been said against going on with it"


def test_page__goes_by_tus_where_the_store_is_away(page, keep_in, begun):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    keep_in(address)
    page()
    until(answered)
    assert not straight(page())
    assert begun in page()


def test_page__goes_by_tus_where_the_operator_says_so_and_nobody_is_asked(page, keep_in_ours, begun):
    keep_in_ours(MEDIAWEB_S3_DIRECT="false")
    assert not straight(page())
    assert begun not in page()
    assert cors.asked.cache_info().currsize == 0


def test_page__goes_straight_where_the_operator_says_so_whatever_the_store_says(page, keep_in):
    with bucket({}, {}) as address:
        keep_in(address.removesuffix("/bucket/key"), MEDIAWEB_S3_DIRECT="true")
        assert straight(page())
    assert cors.asked.cache_info().currsize == 0


def test_page__hears_within_ten_minutes_that_the_store_thinks_otherwise(page, keep_in, monkeypatch):
    rules = dict(OPEN_HERE)
    with bucket(rules, READABLE_HERE) as address:
        keep_in(address.removesuffix("/bucket/key"))
        until(lambda: straight(page()))
        rules.clear()
        assert straight(page()), "not asked for each page"
        monkeypatch.setattr(cors, "monotonic", lambda: monotonic() + 600)
        until(lambda: not straight(page()))
        rules.update(OPEN_HERE)
        monkeypatch.setattr(cors, "monotonic", lambda: monotonic() + 1200)
        until(lambda: straight(page()))


@pytest.mark.parametrize(("host", "is_let_in"), [("media.example", True), ("other.example", False)])
def test_page__asks_for_the_origin_that_its_browser_has(page, keep_in, settings, host, is_let_in):
    """Behind a proxy that does not tell us of its TLS."""
    settings.OWN_URL, settings.ALLOWED_HOSTS = ORIGIN, ["media.example", "other.example"]
    with bucket(OPEN, READABLE) as address:
        keep_in(address.removesuffix("/bucket/key"))
        page(host=host)
        until(lambda: answered(ORIGIN if is_let_in else f"http://{host}"))
        assert straight(page(host=host)) == is_let_in
