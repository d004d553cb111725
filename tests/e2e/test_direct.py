"""The page sends large films straight to a real store: past the web process, and on from where they were."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Response, StorageState, expect

from tests.e2e.browser import signed_in
from tests.e2e.service import Service
from tests.ports import free_port
from tests.swift.store import Store
from tests.uploads.cutting import Line
from tests.waiting import until
from uploads.intake.incoming import PART

pytestmark = pytest.mark.e2e
SOON = 60_000  # ms
FILM = 40 << 20
SLOW = 8_000_000  # bytes a second
QUOTA = 1 << 30


@pytest.fixture(scope="module")
def store(swift: Store) -> Store:
    return swift.with_new_bucket()


@pytest.fixture(scope="module")
def way(store: Store) -> Iterator[Line]:
    """The line to the store, for browser and service alike: an address is signed for the host it is asked of."""
    line = Line([urlsplit(store.endpoint).port or 0])
    yield line
    line.close()


@pytest.fixture(scope="module")
def service(make_service: Callable[..., Service], store: Store, way: Line) -> Service:
    place = {**store.environment(), "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{way.port}"}
    return make_service(**place, MEDIAWEB_QUOTA_BYTES=str(QUOTA))


@pytest.fixture
def web(service: Service) -> Iterator[Line]:
    """The line to the web process."""
    line = Line([service.port])
    yield line
    line.close()


class Eva:
    """Somebody at her browser, who sends films."""

    def __init__(self, page: Page, service: Service) -> None:
        self.page, self.service = page, service
        self.acknowledged: list[int] = []  # the numbers of the parts that the store has acknowledged, one by one
        page.on("dialog", lambda dialog: dialog.accept())  # the page asks before it is left with files on their way
        page.on("response", self.note)

    def note(self, response: Response) -> None:
        if response.request.method == "PUT" and response.status == 200:
            self.acknowledged.append(int(parse_qs(urlsplit(response.url).query)["partNumber"][0]))

    def choose(self, path: Path) -> None:
        self.page.set_input_files("#zone input[name=file]", str(path))

    @property
    def row(self) -> Locator:
        return self.page.locator("#sending .row")

    @property
    def unfinished(self) -> Locator:
        return self.page.locator("#unfinished .row")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def has(self, path: Path) -> bool:
        """Whether the file has become an original, with its very bytes; once its card is there."""
        expect(self.page.locator(f"#gallery .card[data-name='{path.name}']")).to_be_visible(timeout=SOON)
        with self.service.client("eva") as client:
            [found] = client.get("/api/originals", params={"q": path.name}).json()["items"]
        return bool(found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def signed(service: Service, browser: Browser) -> StorageState:
    """What Eva's browser has."""
    service.client("eva").close()
    return signed_in(browser, service.url, "eva", service.password("eva"))


@pytest.fixture
def eva(service: Service, web: Line, way: Line, browser: Browser, signed: StorageState) -> Iterator[Eva]:
    """She fails a test whose page has script errors."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=signed)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{web.port}/")
    # Each line to the web process is an origin of its own, and the store may be slow to answer for it.
    until(lambda: page.reload() and page.locator("#zone[data-straight]").count())
    yield Eva(page, service)
    context.close()
    way.pace, way.cuts = 0, []
    assert not errors


def film(path: Path, size: int = FILM) -> Path:
    """What looks like a film until somebody decodes it."""
    path.write_bytes(b"\0\0\0\x18ftypmp42" + secrets.token_bytes(size - 12))
    return path


@pytest.fixture
def moving(clip: Callable[..., bytes], tmp_path: Path) -> Path:
    """A film to be watched, of the same size: the rest is where no player looks."""
    path = tmp_path / "walk.mp4"
    room = FILM - len(clip())
    path.write_bytes(clip() + room.to_bytes(4, "big") + b"free" + secrets.token_bytes(room - 8))
    return path


def begun(store: Store) -> list[Any]:
    """The multipart uploads of originals that the store has."""
    return list(store.client().list_multipart_uploads(Bucket=store.bucket, Prefix="originals/").get("Uploads", []))


def parts(store: Store) -> list[int]:
    """The numbers of the parts that the store has of the one upload there is."""
    place = [{"Key": item["Key"], "UploadId": item["UploadId"]} for item in begun(store)]
    if not place:
        return []
    return [part["PartNumber"] for part in store.client().list_parts(Bucket=store.bucket, **place[0]).get("Parts", [])]


def all_parts(size: int = FILM) -> list[int]:
    return list(range(1, -(-size // PART) + 1))


def test_film__goes_past_the_web_process(eva, web, way, store, moving):
    by_us, to_store = web.sent, way.sent
    eva.choose(moving)
    assert eva.has(moving)
    assert web.sent - by_us < 200_000
    assert FILM <= way.sent - to_store < FILM + (1 << 20)
    assert (eva.acknowledged, begun(store)) == (all_parts(), [])
    expect(eva.page.locator("#gallery .card[data-name='walk.mp4'][data-status=ready]")).to_be_visible(timeout=SOON)


def test_small_file__goes_by_tus(eva, tmp_path):
    path = film(tmp_path / "short.mp4", PART)
    eva.choose(path)
    assert eva.has(path)
    assert eva.acknowledged == []


def test_reload_and_choose_again__sends_what_is_missing(eva, way, store, tmp_path):
    path = film(tmp_path / "half.mp4")
    way.pace = SLOW
    eva.choose(path)
    until(lambda: len(parts(store)) == 2, 60)
    eva.page.reload()
    expect(eva.unfinished).to_contain_text("choose the file again")
    there, before = parts(store), len(eva.acknowledged)
    way.pace = 0
    eva.choose(path)
    assert eva.has(path)
    assert eva.acknowledged[before:] == [number for number in all_parts() if number not in there]
    expect(eva.unfinished).to_have_count(0)
    assert begun(store) == []


def test_pause_and_go_on__sends_no_part_twice(eva, way, store, tmp_path):
    path = film(tmp_path / "pause.mp4")
    way.pace = SLOW
    eva.choose(path)
    until(lambda: parts(store))
    eva.press("Pause pause.mp4")
    expect(eva.row).to_contain_text("paused")
    way.pace = 0
    eva.press("Go on pause.mp4")
    assert eva.has(path)
    assert eva.acknowledged == all_parts()


def test_cancel__leaves_nothing_in_the_store(eva, way, store, tmp_path):
    kept = store.keys_kept()
    way.pace = SLOW
    eva.choose(film(tmp_path / "never.mp4"))
    until(lambda: parts(store))
    eva.press("Cancel never.mp4")
    until(lambda: not begun(store))
    eva.page.reload()
    expect(eva.unfinished).to_have_count(0)
    assert store.keys_kept() == kept


def test_unfinished__can_be_given_up(eva, way, store, tmp_path):
    way.pace = SLOW
    eva.choose(film(tmp_path / "left.mp4"))
    until(lambda: parts(store))
    eva.page.reload()
    eva.press("Cancel left.mp4")
    expect(eva.unfinished).to_have_count(0)
    until(lambda: not begun(store))


def test_line_cut_twice__the_film_arrives_and_a_worker_reads_it(eva, way, store, tmp_path):
    size = (64 << 20) + PART // 2  # more than is hashed while the page waits
    path = film(tmp_path / "cut.mp4", size)
    way.cuts = [way.given + (number << 20) for number in (3, 29)]
    eva.choose(path)
    assert eva.has(path)
    assert (way.cuts, eva.acknowledged, begun(store)) == ([], all_parts(size), [])


def test_store_out_of_reach__is_tried_again_until_it_is_back(eva, way, store, tmp_path):
    path = film(tmp_path / "away.mp4")
    there = way.ports
    way.pace = SLOW
    eva.choose(path)
    until(lambda: parts(store))
    way.ports, way.cuts = [free_port()], [way.given + 1]
    expect(eva.row).to_contain_text("Trying again in", timeout=SOON)
    way.ports, way.pace = there, 0
    assert eva.has(path)
    assert eva.acknowledged == all_parts()


def test_quota__taken_by_another_meanwhile_is_said(eva, service, store, tmp_path):
    free = int(eva.page.locator("#zone").get_attribute("data-free-bytes") or 0)
    with service.client("eva") as client:
        made = client.post("/api/multipart", json={"name": "other.mp4", "bytes": free - 1000}).json()
        eva.choose(film(tmp_path / "late.mp4"))
        expect(eva.row).to_contain_text("There is no room for this file", timeout=SOON)
        assert client.delete(f"/api/multipart/{made['id']}").status_code == 204
    assert begun(store) == []
