"""The player in a real browser: plays at once, goes over to HLS by itself, seeks, and lets one choose."""

import os
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from processing import events
from processing.publishing import withdraw
from tests.e2e.browser import chromium
from tests.e2e.watching import choose_quality
from tests.uploads import streams
from tests.uploads.serving import served
from tests.waiting import until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.once,  # a page and its files, which any database names alike
    # Django leaves the file of each request's body to the garbage collector, which says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's synchronous face keeps a loop in this thread
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def browser_of(client, browser) -> Iterator[Callable[..., Page]]:
    """A page of this user's browser. It fails the test that leaves an error or a warning in its console."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def note(kind: str, text: str, expected: str) -> None:
        if kind in {"error", "warning"} and not (expected and expected in text):
            said.append(text)

    with served() as url:

        def open_page(user, before: str = "", language: str = "en", expected: str = "", **options) -> Page:
            client.force_login(user)
            context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, **options)
            contexts.append(context)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            cookies = {settings.SESSION_COOKIE_NAME: cookie, settings.LANGUAGE_COOKIE_NAME: language}
            context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
            context.add_init_script(before)
            context.on("weberror", lambda error: said.append(str(error.error)))
            context.on("console", lambda message: note(message.type, message.text, expected))
            return context.new_page()

        yield open_page
        for context in contexts:
            context.close()
    assert not said


def playing(page, expression):
    return page.locator("#player").evaluate(f"video => {expression}")


def start(page):
    page.locator("#player").evaluate("video => { video.muted = true; return video.play() }")
    advances(page)


def advances(page):
    """Pictures are decoded, and time goes on."""
    then = playing(page, "[video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames]")
    until(
        lambda: playing(
            page, f"video.currentTime > {then[0]} + 0.3 && video.getVideoPlaybackQuality().totalVideoFrames > 3"
        )
    )


def test_hls__plays_seeks_and_changes_quality(alice, browser_of):
    film = streams.a_film(alice)
    streams.publish_extras(film)
    streams.finish(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.currentSrc.startsWith('blob:')"))
    start(page)
    for lines in (180, 360):
        choose_quality(page, f"{lines}p")
        until(lambda lines=lines: playing(page, f"video.videoHeight === {lines}"))
        advances(page)
    playing(page, "video.currentTime = 20")
    until(lambda: playing(page, "!video.seeking && video.currentTime > 20.2"))


def test_source__plays_at_once_and_gives_way_to_hls_at_the_same_second(alice, browser_of):
    film = streams.a_film(alice)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    expect(page.locator("#stage")).to_contain_text("appears here")
    until(lambda: page.locator("#live").get_attribute("data-state") == "live")
    streams.publish_source(film)
    events.tell(film.run)
    expect(page.locator("#player")).to_be_attached(timeout=10_000)
    start(page)
    assert "/source." in playing(page, "video.currentSrc")
    playing(page, "(video.currentTime = 6, video.playbackRate = 0.5)")
    expect(page.locator("#quality")).to_contain_text("360p · being made 25 %")
    streams.finish(film)
    until(lambda: playing(page, "video.currentSrc.startsWith('blob:') && video.currentTime >= 6 && !video.paused"))
    assert playing(page, "[video.playbackRate, video.currentTime < 20]") == [0.5, True]
    advances(page)
    expect(page.locator("#quality")).not_to_contain_text("being made")


def test_paused_film__stays_paused_where_it_was(alice, browser_of):
    film = streams.a_film(alice)
    streams.publish_source(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.readyState") > 1)
    playing(page, "video.currentTime = 5")
    until(lambda: page.locator("#live").get_attribute("data-state") == "live")
    streams.finish(film)
    until(lambda: playing(page, "video.currentSrc.startsWith('blob:') && video.readyState > 1"))
    assert playing(page, "[video.paused, Math.round(video.currentTime)]") == [True, 5]
    expect(page.locator("#stage canvas")).to_have_count(0)


def test_film_seen_to_its_end__begins_anew_with_hls(alice, browser_of):
    film = streams.a_film(alice)
    streams.publish_source(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.readyState") > 1)
    playing(page, f"(video.muted = true, video.currentTime = {streams.SECONDS} - 0.2, video.play().catch(() => {{}}))")
    until(lambda: playing(page, "video.ended"))
    until(lambda: page.locator("#live").get_attribute("data-state") == "live")
    streams.finish(film)
    until(lambda: playing(page, "video.currentSrc.startsWith('blob:') && video.readyState > 1"))
    start(page)
    assert playing(page, "video.currentTime") < streams.SECONDS / 2


def test_browser_without_media_source__plays_hls_natively(alice, browser_of):
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice, "delete window.MediaSource; delete window.ManagedMediaSource")
    page.goto(f"/originals/{film.pk}")
    if not playing(page, "video.canPlayType('application/vnd.apple.mpegurl')"):
        pytest.skip("this Chromium has no HLS of its own")
    until(lambda: playing(page, "video.currentSrc.endsWith('/hls/hls.m3u8')"))
    start(page)
    playing(page, "video.currentTime = 8")
    until(lambda: playing(page, "!video.seeking && video.currentTime > 8.2"))
    choose_quality(page, "180p")
    until(lambda: playing(page, "video.currentSrc.includes('/mp4-180.') && video.videoHeight === 180"))


def test_stream_that_breaks__plays_on_as_mp4(alice, browser_of):
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice)
    page.route("**/hls/*.m3u8", lambda route: route.fulfill(status=200, body="#EXTM3U\n"))
    page.goto(f"/originals/{film.pk}")
    # The page loads three times in a row: what was asked of the first is kept for the last.
    playing(page, "(video.muted = true, video.play().catch(() => {}), true)")
    advances(page)
    assert "/mp4-360." in playing(page, "video.currentSrc")


def test_stream_made_anew_meanwhile__goes_on_with_the_new_files(alice, browser_of):
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice, expected="404")
    page.route("**/media/**", lambda route: route.continue_())  # what is routed is not cached
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.currentSrc.startsWith('blob:')"))
    start(page)
    for lines in (180, 360):  # every playlist is read
        choose_quality(page, f"{lines}p")
        until(lambda lines=lines: playing(page, f"video.videoHeight === {lines}"))
    withdraw(film.renditions.all())
    streams.publish_rungs(film)
    streams.publish_hls(film)
    keys = list(film.renditions.filter(preset="hls").values_list("key", flat=True))
    with page.expect_response(lambda answer: answer.status == 206 and any(key in answer.url for key in keys)):
        choose_quality(page, "180p")
    advances(page)


def test_film_left_while_hls_is_on_its_way__begins_nothing_more(alice, browser_of):
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice)
    held = []

    def hold(route):
        held.append(route)

    page.route("**/build/hls-*.js", hold)
    page.goto(f"/originals/{film.pk}")
    until(lambda: page.evaluate("document.readyState === 'complete'") and held)
    video = page.locator("#player").element_handle()
    page.evaluate("document.getElementById('stage').dispatchEvent(new CustomEvent('left', {bubbles: true}))")
    held[0].continue_()
    page.evaluate("url => import(url)", held[0].request.url)
    assert not video.evaluate("video => video.src.startsWith('blob:')")


def test_seek_bar__shows_the_storyboard(alice, browser_of):
    film = streams.a_film(alice)
    streams.publish_extras(film)
    streams.finish(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.querySelector('track[kind=metadata]').track.cues?.length") == 4)
    page.locator("#stage media-controller").hover()
    box = page.locator("media-time-range").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    preview = page.locator("media-preview-thumbnail")
    until(lambda: preview.get_attribute("mediapreviewcoords") == "160 0 160 90")
    until(lambda: preview.evaluate("item => item.shadowRoot.querySelector('img').naturalWidth") == 640)


def test_subtitles__are_listed_by_language_and_shown(alice, browser_of):
    film = streams.a_film(alice)
    streams.publish_extras(film)
    streams.finish(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    page.locator("#stage media-controller").hover()
    page.locator("media-settings-menu-button").click()
    page.locator("media-settings-menu-item", has_text="Subtitles").click()
    page.locator("media-captions-menu").get_by_text("Spanish").click()
    until(
        lambda: playing(
            page, "[...video.textTracks].some(t => t.label === 'Spanish' && t.mode === 'showing' && t.cues?.length)"
        )
    )


def test_without_javascript__a_plain_player_plays_an_mp4(alice, browser_of):
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice, java_script_enabled=False)
    page.goto(f"/originals/{film.pk}")
    assert page.locator("video[controls] source").count() == 2
    assert page.locator("media-controller").count() == 0


def test_keyboard__plays_from_anywhere_on_the_page_and_seeks_only_in_the_player(alice, browser_of):
    streams.a_film(alice, "older.mp4")
    film = streams.a_film(alice)
    streams.finish(film)
    page = browser_of(alice)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.readyState") > 1)
    page.keyboard.press("k")
    until(lambda: playing(page, "!video.paused"))
    page.keyboard.press("Space")
    until(lambda: playing(page, "video.paused"))
    page.keyboard.press("ArrowRight")
    until(lambda: playing(page, "video.currentTime") > 9)
    assert page.url.endswith(str(film.pk)), "an arrow within the player is the player's"
    page.locator("#stage media-controller").blur()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: not url.endswith(str(film.pk)))


@pytest.mark.parametrize(
    ("language", "names"),
    [("en", ("play", "seek", "volume", "settings")), ("es", ("reproducir", "búsqueda", "volumen", "configuración"))],
)
def test_controls__each_says_what_it_does_in_the_readers_language(alice, browser_of, language, names):
    film = streams.a_film(alice)
    streams.publish_extras(film)
    streams.finish(film)
    page = browser_of(alice, language=language)
    page.goto(f"/originals/{film.pk}")
    until(lambda: playing(page, "video.readyState") > 1)
    page.locator("#stage media-controller").hover()
    play, seek, volume, settings_ = names
    for role, name in (("button", play), ("slider", seek), ("slider", volume), ("button", settings_)):
        expect(page.locator("#stage").get_by_role(role, name=name).first).to_be_visible()
    named = "item => item.getAttribute('aria-label') || item.textContent.trim()"
    assert page.locator("#stage :is([role=button], button, a)").evaluate_all(f"all => all.every({named})")
