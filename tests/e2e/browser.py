"""A real browser, driven as a person would."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, StorageState

from tests.conftest import fresh

# Without these a headless Chromium looks for its maker's hosts, which no test may depend on.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
# What moved without the reader's doing, as browsers count it: into `window.moved`; and what it was, for who mends it.
WATCH = """new PerformanceObserver(list => {
    for (const {hadRecentInput, value, sources} of list.getEntries()) {
        if (hadRecentInput) continue;
        window.moved = (window.moved || 0) + value;
        const name = ({node}) => (node?.outerHTML || node?.parentElement?.outerHTML || 'what is gone').slice(0, 100);
        (window.movers ||= []).push([value, ...sources.map(name)]);
    }
}).observe({type: 'layout-shift', buffered: true})"""
MOVED = 0.01  # of the window; more, one sees


def chromium(playwright: Playwright) -> Browser:
    """Debian's Chromium, which plays H.264."""
    path = shutil.which("chromium")
    assert path, "chromium is not installed; `make setup-test` does it"
    return playwright.chromium.launch(executable_path=path, args=QUIET)


def sign_in(page: Page, url: str, user: str, password: str) -> None:
    page.goto(f"{url}/accounts/login/")
    page.fill("input[name=login]", user)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{url}/")


def signed_in(browser: Browser, url: str, user: str, password: str) -> StorageState:
    """What a new context must have to be this user's browser, signed in."""
    context = browser.new_context()
    sign_in(context.new_page(), url, user, password)
    state = context.storage_state()
    context.close()
    return state


def choose(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Choose files, each (name, type, bytes), in the upload zone, as what nobody has sent before."""
    page.set_input_files(
        "#zone input[name=file]",
        [{"name": name, "mimeType": kind, "buffer": fresh(data)} for name, kind, data in files],
    )


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, as from a file manager."""
    page.evaluate(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            for (const type of ['dragenter', 'dragover', 'drop'])
                document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [path.name, list(path.read_bytes())],
    )
