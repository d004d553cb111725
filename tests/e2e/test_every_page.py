"""All pages, in both languages, as a reader with a keyboard meets them: quiet, named, in sight, within the screen."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import Service, all_final, send
from tests.waiting import until

pytestmark = pytest.mark.e2e
PATHS = [
    "/",
    "/?q=nothing",
    "/originals/{photo}",
    "/originals/{film}",
    "/originals/{torn}",
    "/status/",
    "/status/?status=failed",
    "/status/{film}",
    "/status/{torn}",
    "/status/queues",
    "/account/",
    "/account/webhooks",
    "/accounts/password/change/",
    "/api/docs",
]
CONTROLS = "input:not([type=hidden]), select, textarea, button, summary, a[href]"
NAMELESS = """controls => [...document.querySelectorAll(controls)]
    .filter(item => item.checkVisibility() && !item.closest('[aria-hidden=true]'))
    .filter(item => !(item.ariaLabel || item.title || item.labels?.length || item.textContent.trim()))
    .map(item => item.outerHTML)"""
# What has the focus and does not show it, by itself or by what is close around it; null once nothing has it.
UNSEEN = """() => {
    const item = document.activeElement, shows = ({outlineStyle, outlineWidth, boxShadow}) =>
        (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
    if (item === document.body) return null;
    return [item, item.parentElement].some(near => shows(getComputedStyle(near))) ? '' : item.outerHTML;
}"""
STOPS = 30  # of the Tab key: the bar, what is first on the page, and all controls of a player


@pytest.fixture(scope="module")
def ids(service: Service, phone_photo, clip) -> dict[str, str]:
    """A photo and a film that are ready, and a photo that has failed."""
    with service.client("erin", "editor") as client:
        files = {"photo": phone_photo, "film": clip(), "torn": phone_photo[:20_000]}
        found = {name: send(client, data, f"{name}.bin") for name, data in files.items()}
        until(lambda: all_final(client, found.values()), 90)
    return found


@pytest.fixture(scope="module")
def visit(service: Service) -> Iterator[Callable[..., Page]]:
    """Erin's browser."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's synchronous face keeps a loop in this thread
    said: list[str] = []
    service.client("erin", "editor").close()
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text) if line.type in {"error", "warning"} else None)
        sign_in(page, service.url, "erin", service.password("erin"))

        def visit(path: str, language: str) -> Page:
            page.context.add_cookies([{"name": "django_language", "value": language, "url": service.url}])
            page.goto(service.url + path)
            page.wait_for_load_state("load")
            return page

        yield visit
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    assert not said


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("path", PATHS)
def test_page__names_its_controls_shows_the_focus_and_fits_a_phone(visit, ids, path, language):
    page = visit(path.format(**ids), language)
    assert page.evaluate(NAMELESS, CONTROLS) == []
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        unseen = page.evaluate(UNSEEN)
        if unseen is None:
            break
        assert unseen == ""
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 800})
