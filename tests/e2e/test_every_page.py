"""All pages, in both languages, light and dark, on a desk and on a phone, as everybody meets them.

Quiet, named, in sight, within the screen, and without a fault that axe-core knows.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import Service, all_final, send
from tests.waiting import until

pytestmark = pytest.mark.e2e
PATHS = [
    "/",
    "/?q=nothing",
    "/?status=failed&since=2020-01-01",
    "/originals/{photo}",
    "/originals/{film}",
    "/originals/{torn}",
    "/status/",
    "/status/?status=failed",
    "/status/{film}",
    "/status/{torn}",
    "/status/{film}/jobs/{job}",
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
AXE = Path(__file__).parents[1] / "clients/node_modules/axe-core/axe.min.js"
# All that it finds, as "rule: the first element"; of a page that it has looked at before only what colours change.
FAULTS = """only => axe.run(document, {resultTypes: ['violations'], ...(only.length && {runOnly: only})})
    .then(({violations}) => violations.map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 200)}`))"""
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
STOPS = 30  # of the Tab key: the bar, what is first on the page, and all controls of a player


@pytest.fixture(scope="module")
def ids(service: Service, phone_photo, clip) -> dict[str, str]:
    """A photo and a film that are ready, and a photo that has failed."""
    with service.client("erin", "editor") as client:
        files = {"photo": phone_photo, "film": clip(), "torn": phone_photo[:20_000]}
        found = {name: send(client, data, f"{name}.bin") for name, data in files.items()}
        _, film, _ = until(lambda: all_final(client, found.values()), 90)
    return found | {"job": str(film["jobs"][0]["id"])}


@pytest.fixture(scope="module")
def visit(service: Service) -> Iterator[Callable[..., Page]]:
    """Erin's browser."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's synchronous face keeps a loop in this thread
    said: list[str] = []
    service.client("erin", "editor").close()
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(viewport=DESK, reduced_motion="reduce")  # a colour that fades is none to measure
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
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size(DESK)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("path", [path for path in PATHS if path != "/api/docs"])  # Swagger's own page, not ours
def test_page__axe_finds_nothing(visit, ids, path, language):
    page = visit(path.format(**ids), language)
    page.evaluate(AXE.read_text())
    assert page.evaluate(FAULTS, []) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(FAULTS, ["color-contrast"]) == []
    page.set_viewport_size(PHONE)
    assert page.evaluate(FAULTS, []) == []
    page.emulate_media(color_scheme="light")
    assert page.evaluate(FAULTS, ["color-contrast"]) == []
    page.set_viewport_size(DESK)
