"""Uploading in the page: a folder of everything, a reload on the way, a line that breaks, one refused, one canceled."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.conftest import fresh, photo_bytes
from tests.e2e.browser import signed_in
from tests.e2e.service import Service
from tests.uploads.cutting import Line
from tests.waiting import until

pytestmark = pytest.mark.e2e
SOON = 60_000  # ms
SENDER = "flora"  # nobody else's: all that she has is what is sent here


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    """The line between browser and service, to be cut."""
    line = Line([service.port])
    yield line
    line.close()


@pytest.fixture(scope="module")
def flora(service: Service, browser: Browser) -> StorageState:
    service.client(SENDER).close()
    return signed_in(browser, service.url, SENDER, service.password(SENDER))


@pytest.fixture
def page(line: Line, browser: Browser, flora: StorageState) -> Iterator[Page]:
    """Flora's browser. It fails a test whose page has script errors."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=flora)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())  # the page asks before it is left with files on their way
    page.goto(f"http://127.0.0.1:{line.port}/")
    yield page
    context.close()
    assert not errors


def names(page: Page, place: str) -> list[str]:
    return page.locator(f"{place} .name").all_inner_texts()


def film(path: Path, size: int) -> Path:
    """What looks like a film until somebody decodes it."""
    path.write_bytes(b"\0\0\0\x18ftypmp42" + secrets.token_bytes(size))
    return path


def choose(page: Page, *paths: Path) -> None:
    page.set_input_files("#zone input[name=file]", [str(path) for path in paths])


def test_folder_of_forty__reload_halfway_one_refused_one_canceled(page, service, line, tmp_path):
    folder = tmp_path / "holiday"
    (folder / "deep").mkdir(parents=True)
    for number in range(38):
        (folder / ("deep" if number % 3 else "") / f"{number:02}.jpg").write_bytes(fresh(photo_bytes((320, 240))))
    (folder / "notes.txt").write_text("what we did")
    (folder / ".DS_Store").write_bytes(b"what nobody meant")
    long = film(folder / "long.mp4", 6 << 20)
    line.pace = 400_000
    page.set_input_files("#zone input[webkitdirectory]", str(folder))
    expect(page.locator("#sending .row", has_text="notes.txt")).to_contain_text("not an image or video", timeout=SOON)
    assert not page.locator("#sending .row", has_text=".DS_Store").count()
    # So far that the server knows of the long one, too: nobody can cancel what has not begun there.
    until(lambda: line.sent > 2 << 20 and page.locator("#gallery .card").count() > 5, 60)
    page.reload()
    page.set_input_files("#zone input[webkitdirectory]", str(folder))
    page.locator("#sending .row", has_text="long.mp4").get_by_role("button", name="Cancel").click()
    line.pace = 0
    until(lambda: names(page, "#sending") == ["holiday/notes.txt"], 60, every=0.1)
    with service.client(SENDER) as client:
        items = client.get("/api/originals", params={"limit": 200}).json()["items"]
        assert sorted(item["name"] for item in items) == [f"{number:02}.jpg" for number in range(38)]
    page.reload()
    assert names(page, "#unfinished") == []
    long.unlink()


def test_pause_reload_and_go_on__sends_no_byte_again(page, service, line, tmp_path):
    path = film(tmp_path / "walk.mp4", 8 << 20)
    line.pace = 400_000
    choose(page, path)
    until(lambda: line.sent > 1 << 20)
    page.get_by_role("button", name="Pause walk.mp4").click()
    expect(page.locator("#sending .row")).to_contain_text("paused")
    page.reload()
    row = page.locator("#unfinished .row")
    expect(row).to_contain_text("choose the file again")
    line.pace = 0
    choose(page, path)
    expect(row).to_have_count(0)
    expect(page.locator("#gallery .card[data-name='walk.mp4']")).to_be_visible(timeout=SOON)
    assert line.sent_twice == 0


def test_line_cut_again_and_again__the_file_arrives(page, service, line, tmp_path):
    path = film(tmp_path / "cut.mp4", 8 << 20)
    line.cuts = [line.given + (number << 20) for number in (1, 3, 5)]
    choose(page, path)
    expect(page.locator("#gallery .card[data-name='cut.mp4']")).to_be_visible(timeout=SOON)
    assert (line.cuts, line.sent_twice) == ([], 0)


def test_same_file_again__is_here_already_and_not_sent(page, line, tmp_path):
    path = tmp_path / "twice.jpg"
    path.write_bytes(fresh(photo_bytes()) + secrets.token_bytes(500_000))
    choose(page, path)
    expect(page.locator("#gallery .card[data-name='twice.jpg'][data-status=ready]")).to_be_visible(timeout=SOON)
    before = line.sent
    choose(page, path)
    expect(page.locator("#announcer")).to_contain_text("was here already")
    assert line.sent - before < 100_000


def test_unfinished__can_be_given_up(page, line, tmp_path):
    line.pace = 400_000
    choose(page, film(tmp_path / "never.mp4", 8 << 20))
    until(lambda: line.sent > 1 << 20)
    page.reload()
    page.get_by_role("button", name="Cancel never.mp4").click()
    expect(page.locator("#unfinished .row")).to_have_count(0)
    page.reload()
    expect(page.locator("#unfinished .row")).to_have_count(0)
