"""The pictures in the README, taken of a running service: `python -m docs.screenshots`.

`python -m docs.screenshots FOLDER [LANGUAGE]` takes every page, light and dark, on a desk and on a phone, to be
looked at.
"""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from docs.scenes import scene
from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import Service, all_final, send
from tests.waiting import until

FOLDER = Path(__file__).parent
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PAGES = {
    "home": "/",
    "narrowed": "/?status=failed&since=2020-01-01",
    "nothing": "/?q=nothing",
    "photo": "/originals/{photo}",
    "film": "/originals/{film}",
    "failed": "/originals/{torn}",
    "status": "/status/",
    "status-failed": "/status/?status=failed",
    "run": "/status/{film}",
    "run-failed": "/status/{torn}",
    "queues": "/status/queues",
    "account": "/account/",
    "webhooks": "/account/webhooks",
    "password": "/accounts/password/change/",
    "addresses": "/accounts/email/",
    "leave": "/accounts/logout/",
    "missing": "/originals/00000000-0000-0000-0000-000000000000",
    "desk-nothing": "/status/?q=nothing",
    "docs": "/api/docs",
}
STRANGERS = {
    "welcome": "/",
    "login": "/accounts/login/",
    "signup": "/accounts/signup/",
    "forgotten": "/accounts/password/reset/",
    "shared": "/s/{shared}",
    "locked": "/s/{locked}",
    "gone": "/s/gone",
}
OAK = "under the old oak"  # a link's password
NEWCOMERS = {"empty": "/", "forbidden": "/status/"}
# What the scenes of these numbers show.
NAMES = (
    *("Lake at dawn", "Ridge walk", "Evening swim", "Last light", "Storm coming", "October", "First snow", "Aurora"),
    *("Before breakfast", "Above the hut", "Red sky", "Dusk", "Rain all day", "Larches", "White out", "Midnight"),
    *("Still water", "The pass"),
)


def take() -> None:
    with running() as service, sync_playwright() as playwright, service.client("admin") as client:
        fill(client)
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=1.5)
        sign_in(page, service.url, "admin", service.password("admin"))
        film = send(client, video(24), "Time lapse.mp4")
        shoot(page, service.url, "/", "gallery")
        shoot(page, service.url, "/status/", "desk")
        until(lambda: all_final(client, [film]), 240)
        shoot(page, service.url, f"/originals/{film}", "film", play)
        browser.close()


def take_all(folder: Path, language: str = "en") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with running() as service, sync_playwright() as playwright, service.client("admin") as client:
        ids = dict(zip(("photo", "film", "torn"), fill(client), strict=True))
        ids |= {"shared": share(client, ids["film"]), "locked": share(client, ids["photo"], password=OAK)}
        service.client("eve").close()
        passwords = {user: service.password(user) for user in ("admin", "eve")}
        browser = chromium(playwright)
        for theme, size in product(("light", "dark"), SIZES):
            for user, pages in (("", STRANGERS), ("eve", NEWCOMERS), ("admin", PAGES)):
                page = browser.new_page(viewport=SIZES[size], color_scheme=theme, locale=language)
                if user:
                    sign_in(page, service.url, user, passwords[user])
                for name, path in pages.items():
                    page.goto(service.url + path.format(**ids))
                    save(page, folder / f"{name}-{size}-{theme}.png")
            for name, act in ACTS.items():
                page.goto(service.url)
                act(page)
                save(page, folder / f"{name}-{size}-{theme}.png")
        browser.close()


def share(client: httpx.Client, original_id: str, **wanted: str) -> str:
    """The token of a link to it."""
    made = client.post(f"/api/originals/{original_id}/shares", json=wanted).raise_for_status()
    return str(made.json()["url"]).rpartition("/")[2]


def save(page: Page, path: Path) -> None:
    page.wait_for_timeout(400)  # for pictures to be painted
    page.screenshot(path=path)


def view(page: Page) -> None:
    page.locator(".card.ready > a").nth(2).click()


def select(page: Page) -> None:
    for key in ("j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)


def ask(page: Page) -> None:
    select(page)
    page.locator("#selection [data-asks]").click()


def narrow(page: Page) -> None:
    page.locator(".narrowing summary").click()


def help_out(page: Page) -> None:
    page.keyboard.press("?")


ACTS = {"viewer": view, "selected": select, "sure": ask, "filter": narrow, "help": help_out}


@contextmanager
def running() -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder) / "data")
        service.start()
        try:
            yield service
        finally:
            service.stop()


def fill(client: httpx.Client) -> tuple[str, str, str]:
    """Photos, a film, and one that fails; of each the last one's id."""
    sizes = ((1280, 853), (853, 1280), (1280, 720), (1280, 853))
    ids = [send(client, scene(n, sizes[n % 4]), f"{name}.jpg") for n, name in enumerate(NAMES)]
    ids.append(send(client, video(6), "Clouds.mp4"))
    ids.append(send(client, scene(3)[:20_000], "half sent.jpg"))
    until(lambda: all_final(client, ids), 180)
    return ids[-3], ids[-2], ids[-1]


def video(seconds: int) -> bytes:
    """A landscape that moves slowly to the left."""
    with tempfile.TemporaryDirectory() as folder:
        still, film = Path(folder, "still.jpg"), Path(folder, "film.mp4")
        still.write_bytes(scene(2, (2400, 1080)))
        pan = f"crop=1920:1080:x='t/{seconds}*480':y=0"
        source = ["-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", str(still), "-vf", pan]
        encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(film)]
        subprocess.run(["ffmpeg", "-v", "error", *source, *encoder], check=True)
        return film.read_bytes()


def shoot(page: Page, url: str, path: str, name: str, act: Callable[[Page], None] | None = None) -> None:
    page.goto(url + path)
    page.wait_for_timeout(2000)  # for pictures to be painted and the encoder to be seen at work
    if act:
        act(page)
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(FOLDER / f"{name}.webp", quality=82, method=6)


def play(page: Page) -> None:
    """Play to the middle, then point at the seek bar, which shows the storyboard."""
    page.locator("#player").evaluate("video => { video.muted = true; video.currentTime = 10; return video.play() }")
    page.wait_for_timeout(1500)
    page.locator("media-time-range").hover(position={"x": 600, "y": 12})
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    sys.exit(take_all(Path(sys.argv[1]), *sys.argv[2:]) if sys.argv[1:] else take())
