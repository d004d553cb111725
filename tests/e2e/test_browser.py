"""What a person sees: choose or drop, watch it become ready, play it, find out why something failed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.e2e.browser import choose, drop, sign_in, signed_in
from tests.e2e.service import Service, send
from tests.e2e.watching import play
from tests.waiting import until

pytestmark = pytest.mark.e2e
SOON = 60_000  # ms


@pytest.fixture(scope="module")
def charlie(service: Service, browser: Browser) -> StorageState:
    """An uploader who is also an editor."""
    service.client("charlie", "editor").close()
    return signed_in(browser, service.url, "charlie", service.password("charlie"))


@pytest.fixture
def page(service: Service, browser: Browser, charlie: StorageState) -> Iterator[Page]:
    """Charlie's browser. It fails a test whose page has script errors."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=charlie)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{service.url}/")
    yield page
    context.close()
    assert not errors


def test_upload_in_the_page__photo_and_video_become_ready_without_a_reload(page, service, phone_photo, clip):
    page.evaluate("window.stillTheSamePage = true")
    choose(page, ("IMG_7.JPG", "image/jpeg", phone_photo), ("walk.mp4", "video/mp4", clip()))
    photo = page.locator("#gallery .card[data-name='IMG_7.JPG']")
    video = page.locator("#gallery .card[data-name='walk.mp4']")
    expect(photo).to_have_attribute("data-status", "ready", timeout=SOON)
    expect(video).to_have_attribute("data-status", "ready", timeout=SOON)
    until(lambda: photo.locator("img").evaluate("image => image.naturalWidth"))
    assert page.evaluate("window.stillTheSamePage")


def test_video__plays_and_seeks(page, service, clip):
    choose(page, ("seek.mp4", "video/mp4", clip(8)))
    card = page.locator("#gallery .card[data-name='seek.mp4'][data-status=ready]")
    expect(card).to_be_visible(timeout=SOON)
    card.locator("a").first.click()
    player = page.locator("#player")
    play(page)
    player.evaluate("video => { video.currentTime = 6 }")
    until(lambda: player.evaluate("video => video.currentTime") > 6.1)
    assert player.evaluate("video => video.videoHeight") == 360


def test_drop_anywhere__uploads(page, service, photo, tmp_path):
    path = tmp_path / "dropped.jpg"
    path.write_bytes(photo((300, 200)))
    drop(page, path)
    expect(page.locator("#gallery .card[data-name='dropped.jpg'][data-status=ready]")).to_be_visible(timeout=SOON)


def test_refusal__is_explained_in_place(page, service):
    choose(page, ("notes.txt", "text/plain", b"not a picture at all"))
    row = page.locator("#sending .row", has_text="notes.txt")
    expect(row).to_contain_text("not an image or video", timeout=SOON)


def test_status_desk__says_why_and_retries(page, service, phone_photo):
    choose(page, ("torn.jpg", "image/jpeg", phone_photo[:20_000]))
    expect(page.locator("#gallery .card[data-name='torn.jpg'][data-status=failed]")).to_be_visible(timeout=SOON)
    page.goto(f"{service.url}/status/?status=failed")
    row = page.locator("[data-original-id]", has_text="torn.jpg")
    expect(row).to_contain_text("damaged", timeout=SOON)
    row.get_by_role("button", name="Retry").click()
    expect(row).to_contain_text("damaged", timeout=SOON)


def test_status_desk__shows_a_new_failure_under_its_filter_without_a_reload(page, service, phone_photo):
    page.goto(f"{service.url}/status/?status=failed&q=later")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    with service.client("alice") as client:
        send(client, phone_photo[:20_000], "later.jpg")
    expect(page.locator("[data-original-id]", has_text="later.jpg")).to_contain_text("damaged", timeout=SOON)


def test_spanish__is_spoken_when_chosen(page, service):
    page.goto(service.url)
    page.get_by_role("button", name="ES", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("#choose")).to_contain_text("Elegir")


@pytest.mark.parametrize("path", ["/", "/status/", "/status/queues"])
def test_phone__nothing_is_wider_than_the_screen(page, service, path):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(service.url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_javascript__the_form_uploads(service, browser, photo):
    service.client("alice").close()
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, service.url, "alice", service.password("alice"))
        choose(page, ("plain.jpg", "image/jpeg", photo()))
        page.locator("#zone button[type=submit]").click()
        expect(page.locator("body")).to_contain_text("plain.jpg")
