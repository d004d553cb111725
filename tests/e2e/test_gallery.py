"""Living with the gallery: looking at one after the other, choosing several, uploading beside it; and nothing jumps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import fresh, photo_bytes
from tests.e2e.browser import MOVED, WATCH, sign_in
from tests.e2e.service import Service, send, until_final
from tests.uploads.cutting import Line
from tests.waiting import until

pytestmark = pytest.mark.e2e
SOON = 60_000  # ms
# Whether nothing lies over the middle of an element.
SEEN = """item => {
    const {left, top, width, height} = item.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2) === item;
}"""
SIZES = ((320, 240), (240, 320), (400, 160))


@pytest.fixture(scope="module")
def names(service: Service, clip) -> list[str]:
    """Fay's gallery: a film, then nine photos; newest first."""
    with service.client("fay") as client:
        ids = [send(client, photo_bytes(SIZES[number % 3]), f"{number}.jpg") for number in range(9)]
        ids.append(send(client, clip(2, "320x180"), "film.mp4"))
        until_final(client, ids, 90)
    return ["film.mp4", *(f"{number}.jpg" for number in reversed(range(9)))]


@pytest.fixture(scope="module")
def signed_in(service: Service, browser: Browser, names) -> Page:
    """Fay's browser. It fails the tests whose pages have script errors."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH)
    page = context.new_page()
    sign_in(page, service.url, "fay", service.password("fay"))
    return page


@pytest.fixture
def page(service: Service, signed_in: Page) -> Iterator[Page]:
    errors: list[str] = []

    def note(error: object) -> None:
        errors.append(str(error))

    signed_in.on("pageerror", note)
    signed_in.goto(f"{service.url}/")
    yield signed_in
    signed_in.remove_listener("pageerror", note)
    assert not errors


def card(page: Page, name: str):
    return page.locator(f"#gallery .card[data-name='{name}']")


def shown(page: Page) -> str:
    return page.locator("#lightbox .name").inner_text()


@contextmanager
def stopped(service: Service, queue: str) -> Iterator[None]:
    """While this queue's worker does nothing."""
    found = service.running("celery", "worker", f"-Q {queue}")
    assert found
    for process in found:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in found:
            process.send_signal(signal.SIGCONT)


def test_viewer__keys_walk_the_gallery_and_the_address_is_the_originals(page, service, names):
    card(page, names[2]).locator("a").click()
    address = card(page, names[2]).locator("a").evaluate("link => link.href")
    assert (shown(page), page.url) == (names[2], address)
    picture = page.locator("#lightbox .view > img")
    until(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == names[3]
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).not_to_be_visible()
    assert page.url == f"{service.url}/"
    focused = page.evaluate("document.activeElement.closest('.card')?.dataset.name")
    assert focused == names[3]


def test_viewer__reload_shows_the_originals_own_page_and_back_leads_home(page, service, names):
    card(page, names[1]).locator("a").click()
    page.reload()
    expect(page.locator(".detail h1")).to_have_text(names[1])
    page.go_back()
    expect(card(page, names[1])).to_be_visible()


def test_viewer__plays_films_and_lets_go_of_them(page, names):
    card(page, names[0]).locator("a").click()
    player = page.locator("#lightbox media-controller video")
    player.evaluate("video => { video.muted = true; return video.play() }")
    until(lambda: player.evaluate("video => video.currentTime") > 0.1)
    page.keyboard.press("ArrowRight")
    assert shown(page) == names[1]
    expect(player).to_have_count(0)
    page.go_back()
    expect(page.locator("#lightbox")).not_to_be_visible()


def test_viewer__swipes(page, names):
    card(page, names[4]).locator("a").click()
    swipe = """([x, y]) => {
        const view = document.querySelector('#lightbox .view');
        const point = (type, clientX, clientY) => view.dispatchEvent(new PointerEvent(type,
            {pointerId: 7, pointerType: 'touch', isPrimary: true, bubbles: true, clientX, clientY}));
        point('pointerdown', 600, 300);
        point('pointermove', 600 + x, 300 + y);
        point('pointerup', 600 + x, 300 + y);
    }"""
    page.evaluate(swipe, [-200, 10])
    assert shown(page) == names[5]
    page.evaluate(swipe, [30, 0])  # a finger that trembled
    assert shown(page) == names[5]
    page.evaluate(swipe, [200, 10])
    assert shown(page) == names[4]
    page.evaluate(swipe, [5, 300])
    expect(page.locator("#lightbox")).not_to_be_visible()


def test_selection__one_a_stretch_and_none(page, names):
    counted = page.locator("#selection output")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(counted).to_have_text("1 selected")
    card(page, names[3]).locator("a").click(modifiers=["Shift"])
    expect(counted).to_have_text("4 selected")
    card(page, names[1]).locator("a").click()  # ticks, and opens nothing
    expect(counted).to_have_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).not_to_be_visible()


def test_selection__is_deleted_once_that_is_confirmed(page, service):
    with service.client("fay") as client:
        ids = [send(client, photo_bytes((64, 48)), f"gone {number}.jpg") for number in range(2)]
        until_final(client, ids, 60)
        page.goto(f"{service.url}/?q=gone")
        page.locator("#gallery .card").first.hover()
        page.locator("#gallery .tick").first.click()
        page.get_by_label("all that match").check()
        page.locator("#selection").get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("alertdialog")
        expect(dialog).to_contain_text("Delete 2 originals?")
        dialog.get_by_role("link", name="Keep them").click()
        expect(dialog).not_to_be_visible()
        page.locator("#selection").get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete 2").click()
        expect(page.locator(".messages")).to_contain_text("2 originals are deleted.")
        assert client.get("/api/originals", params={"q": "gone"}).json()["items"] == []


def test_nothing_moves__while_the_gallery_loads(page):
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.moved || 0") < MOVED, page.evaluate("window.movers")


def test_nothing_moves__while_the_gallery_comes_in_slowly(page):
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 20, "uploadThroughput": 20_000, "downloadThroughput": 20_000}  # bytes a second
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", slow)
    try:
        page.reload(wait_until="networkidle")
        assert page.evaluate("window.moved || 0") < MOVED, page.evaluate("window.movers")
    finally:
        line.detach()


@pytest.mark.parametrize(("width", "left"), [(1280, 44), (390, 56)])
def test_bar__takes_less_room_once_the_page_is_scrolled_and_nothing_jumps(page, service, names, width, left):
    page.set_viewport_size({"width": width, "height": 400})
    page.goto(f"{service.url}/")
    page.wait_for_load_state("networkidle")
    search, link = page.locator("#search"), page.locator(".bar nav a").first
    before = reach(page)
    assert before > left
    page.evaluate("scrollTo(0, 300)")
    until(lambda: reach(page) == left)
    middle = link.evaluate("link => { const {top, bottom} = link.getBoundingClientRect(); return (top + bottom) / 2 }")
    assert middle == pytest.approx(left / 2, abs=1)
    page.keyboard.press("/")
    until(lambda: search.evaluate(SEEN))
    page.keyboard.press("Escape")
    page.evaluate("scrollTo(0, 0)")
    until(lambda: reach(page) == before)
    assert page.evaluate("window.moved || 0") < MOVED
    page.set_viewport_size({"width": 1280, "height": 800})


def reach(page: Page) -> float:
    """How far down the bar covers what is scrolled under it, in px."""
    bar = page.locator(".bar, .bar .search")
    return bar.evaluate_all("all => Math.round(Math.max(...all.map(item => item.getBoundingClientRect().bottom)))")


def test_nothing_moves__when_a_card_turns_ready(page, service):
    with service.client("fay") as client:
        with stopped(service, "images"):
            made = send(client, photo_bytes((240, 320)), "waiting.jpg")
            page.reload()
            expect(card(page, "waiting.jpg")).to_have_attribute("data-status", "received")
            expect(card(page, "waiting.jpg")).to_contain_text("Waiting")
            before = card(page, "waiting.jpg").bounding_box()
            page.evaluate("window.moved = 0")
        expect(card(page, "waiting.jpg")).to_have_attribute("data-status", "ready", timeout=SOON)
        assert card(page, "waiting.jpg").bounding_box() == before
        assert page.evaluate("window.moved") < MOVED
        client.delete(f"/api/originals/{made}")


def test_other_tab__does_not_call_unfinished_what_is_being_sent(page, service, tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + fresh(bytes(4 << 20)))
    line = Line([service.port])
    sender = page.context.new_page()
    try:
        line.pace = 400_000
        sender.goto(f"http://127.0.0.1:{line.port}/")
        sender.set_input_files("#zone input[name=file]", str(path))
        until(lambda: line.sent > 1 << 20)
        page.goto(f"http://127.0.0.1:{line.port}/")
        row = page.locator("#unfinished .row")
        expect(row).to_have_count(1)
        expect(row).not_to_be_visible()
        sender.close()
        expect(row).to_be_visible()
        row.get_by_role("button", name="Cancel").click()
        expect(row).to_have_count(0)
    finally:
        line.close()
