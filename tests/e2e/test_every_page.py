"""All pages, in both languages, light and dark, on a desk and on a phone, as everybody meets them.

Quiet, named, in sight, within the screen, still while they load, and without a fault that axe-core knows.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.e2e.browser import MOVED, WATCH, chromium, sign_in
from tests.e2e.service import Service, send, until_final

pytestmark = pytest.mark.e2e
SWAGGER = "/api/docs"  # its own page: it draws itself after it has loaded, and its faults are not ours to mend
# Who sees which: Erin is an editor who has uploaded, Fay may upload and has not, nobody has signed in.
PATHS = {
    "erin": [
        "/",
        "/?q=nothing",
        "/?status=failed&since=2020-01-01",
        "/originals/{photo}",
        "/originals/{film}",
        "/originals/{torn}",
        "/status/",
        "/status/?status=failed",
        "/status/?q=nothing",
        "/status/{film}",
        "/status/{torn}",
        "/status/{film}/jobs/{job}",
        "/status/queues",
        "/account/",
        "/account/webhooks",
        "/accounts/password/change/",
        "/accounts/email/",
        "/accounts/logout/",
        SWAGGER,
        "/originals/00000000-0000-0000-0000-000000000000",
    ],
    "fay": ["/", "/status/"],
    "nobody": [
        "/",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/s/{shared_photo}",
        "/s/{shared_film}",
        "/s/{locked}",
        "/s/gone",
        "/mails/stop/{leaving}",
        "/failing",
    ],
}
# What opens over a page, and what it opens at.
OPENED = {
    "help": ("erin", "/", "[popovertarget=help]"),
    "account": ("erin", "/", ".bar .menu summary"),
    "filter": ("erin", "/", ".narrowing summary"),
    "viewer": ("erin", "/", ".card.ready > a"),
    "views": ("erin", "/status/", ".views summary"),
    "job": ("erin", "/status/{film}", ".track a.worked"),
    "workers": ("erin", "/status/queues", ".queue summary"),
    "rename": ("erin", "/originals/{photo}", ".rename summary"),
    "link": ("erin", "/originals/{photo}", ".links summary"),
    "delete": ("erin", "/originals/{photo}", "[popovertarget=delete]"),
    "files": ("nobody", "/s/{shared_film}", ".caption summary"),
}
PAGES = [(who, path) for who, paths in PATHS.items() for path in paths]
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
# All that it finds, by these rules if there are any, as "rule: the first element".
FAULTS = """only => axe.run(document, {resultTypes: ['violations'], ...(only.length && {runOnly: only})})
    .then(({violations}) => violations.map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 200)}`))"""
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)
# Language: the theme and the size it is loaded with. Then it is brought to the other size, and both to the other theme:
# what is come to is what it would be from the start.
LOOKS: dict[str, tuple[Literal["light", "dark"], ViewportSize, ViewportSize]] = {
    "en": ("light", DESK, PHONE),
    "es": ("dark", PHONE, DESK),
}
OTHER: dict[str, Literal["light", "dark"]] = {"light": "dark", "dark": "light"}
WIDTH = "document.documentElement.scrollWidth"
STAGE = "JSON.stringify(document.getElementById('stage').getBoundingClientRect())"
STOPS = 30  # of the Tab key: the bar, what is first on the page, and all controls of a player
LEAVING = """from django.contrib.auth import get_user_model; from processing.mailing import SIGNER
print(SIGNER.sign(get_user_model().objects.get(username="erin").pk))"""


@pytest.fixture(scope="module")
def ids(service: Service, phone_photo, clip) -> dict[str, str]:
    """A photo and a film that are ready, and a photo that has failed; links to them, and out of the mails."""
    with service.client("erin", "editor") as client:
        files = {"photo": phone_photo, "film": clip(), "torn": phone_photo[:20_000]}
        found = {name: send(client, data, f"{name}.bin") for name, data in files.items()}
        _, film, _ = until_final(client, found.values(), 90)

        def share(original_id: str, **wanted: str) -> str:
            made = client.post(f"/api/originals/{original_id}/shares", json=wanted).raise_for_status()
            return str(made.json()["url"]).rpartition("/")[2]

        found["shared_photo"], found["shared_film"] = share(found["photo"]), share(found["film"])
        found["locked"] = share(found["photo"], password="under the old oak")
    leaving = service.manage("shell", "-v0", "-c", LEAVING).strip()
    return found | {"job": str(film["jobs"][0]["id"]), "leaving": leaving}


@pytest.fixture(scope="module")
def visit(service: Service) -> Iterator[Callable[..., Page]]:
    """Each one's browser."""
    said: list[str] = []
    asked = ""

    def note(line: ConsoleMessage) -> None:
        refused = line.text.startswith("Failed to load resource") and line.location["url"] == asked  # an error's page
        if line.type in {"error", "warning"} and not refused:
            said.append(f"{asked}: {line.text} ({line.location['url']})")

    with sync_playwright() as playwright:
        browser = chromium(playwright)

        def open_for(who: str) -> Page:
            page = browser.new_page(viewport=DESK, reduced_motion="reduce")  # a colour that fades is none to measure
            page.add_init_script(WATCH)
            page.on("pageerror", lambda error: said.append(f"{asked}: {error}"))
            page.on("console", note)
            if who != "nobody":
                service.client(who, "editor" if who == "erin" else "uploader").close()
                sign_in(page, service.url, who, service.password(who))
            return page

        pages = {who: open_for(who) for who in PATHS}

        def visit(who: str, path: str, language: str, theme: Literal["light", "dark"], size: ViewportSize) -> Page:
            nonlocal asked
            page, asked = pages[who], service.url + path
            page.goto("about:blank")  # whose sizes and colours may change
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=theme)
            page.context.add_cookies([{"name": "django_language", "value": language, "url": service.url}])
            if path == "/failing":  # nothing that we know of makes it; it is one file, which no view has a part in
                with translation.override(language):
                    body = render_to_string("500.html")
                page.route(asked, lambda route: route.fulfill(status=500, content_type="text/html", body=body))
            page.goto(asked)
            page.wait_for_load_state("load")
            return page

        yield visit
        browser.close()
    assert not said


@pytest.mark.parametrize("language", LOOKS)
@pytest.mark.parametrize(("who", "path"), PAGES)
def test_page__is_named_still_in_sight_and_without_a_fault(visit, ids, who, path, language):
    theme, first, second = LOOKS[language]
    page = visit(who, path.format(**ids), language, theme, first)
    assert page.evaluate("document.documentElement.lang") == language or path == SWAGGER
    assert page.evaluate(NAMELESS, CONTROLS) == []
    assert path == SWAGGER or faults(page) == []
    page.wait_for_load_state("networkidle")
    assert page.evaluate(WIDTH) <= first["width"]
    assert path == SWAGGER or page.evaluate("window.moved || 0") < MOVED, page.evaluate("window.movers")
    page.set_viewport_size(second)
    assert page.evaluate(WIDTH) <= second["width"]
    assert path == SWAGGER or faults(page) == []
    page.emulate_media(color_scheme=OTHER[theme])
    for size in (second, first):
        page.set_viewport_size(size)
        assert path == SWAGGER or faults(page) == []
    assert unseen_stop(page) is None


@pytest.mark.parametrize("shown", ["photo", "film", "torn"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_detail__stands_where_it_is_before_the_sheet_has_come(visit, ids, shown, size):
    page = visit("erin", f"/originals/{ids[shown]}", "en", "light", size)
    whole = page.evaluate(STAGE)
    page.evaluate("document.getElementById('side').remove()")
    assert page.evaluate(STAGE) == whole


@pytest.mark.parametrize("opened", OPENED)
def test_opened__axe_finds_nothing(visit, ids, opened):
    who, path, what = OPENED[opened]
    page = visit(who, path.format(**ids), "es", "light", DESK)
    page.locator(what).first.dispatch_event("click")
    page.wait_for_load_state("networkidle")
    assert faults(page) == []
    page.emulate_media(color_scheme="dark")
    assert faults(page, "color-contrast") == []


def faults(page: Page, *rules: str) -> list[str]:
    """What axe-core finds, by these rules or all that it has."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    return list(page.evaluate(FAULTS, list(rules)))


def unseen_stop(page: Page) -> str | None:
    """The first of the Tab key's stops that does not show that it has the focus."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        unseen = page.evaluate(UNSEEN)
        if unseen is None:
            break
        if unseen:
            return str(unseen)
    return None
