"""A film on its detail page, watched as a person would, and held against its source."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from tests.waiting import until

ONE_SEGMENT = 4  # seconds: shorter films play as MP4s
SIDE = 32  # pixels: enough to tell which way is up
LIKELY = 2.0  # grey levels by which a turned picture must be more like the source before it is called turned
# What a <canvas> sees of the player, as SIDE x SIDE levels of grey.
GREY = """(video, side) => {
    const canvas = new OffscreenCanvas(side, side), pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0, side, side);
    const {data} = pen.getImageData(0, 0, side, side);
    const grey = at => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    return Array.from({length: side * side}, (_, n) => grey(4 * n));
}"""
# The size in which a <video> of its own shows a file, once it has played to a later picture or to its end.
PLAYED = """async (url) => {
    const video = Object.assign(document.createElement("video"), {src: url, muted: true});
    video.play().catch(() => {}); // of what is broken it may say nothing at all
    for (let tries = 0; !video.ended && video.currentTime < 0.3; tries++) {
        if (video.error) throw new Error(`${url}: ${video.error.message}`);
        if (tries > 500) throw new Error(`${url} stands still at ${video.currentTime} s`);
        await new Promise(resolve => setTimeout(resolve, 20));
    }
    return [video.videoWidth, video.videoHeight];
}"""


@dataclass(frozen=True)
class Watched:
    """What was seen: the size shown, how unlike the source it is upright and at best turned, and HLS's sizes."""

    size: tuple[int, int]
    upright: float
    turned: float
    levels: tuple[int, ...]

    @property
    def is_upright(self) -> bool:
        return self.upright <= self.turned + LIKELY


@contextmanager
def quiet_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page of a new visitor's. It fails who leaves an error in its console."""
    said: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    try:
        yield page
    finally:
        page.context.close()
    assert not said, said


def on_player(page: Page, expression: str, *arguments: Any) -> Any:
    return page.locator("#player").evaluate(expression, *arguments)


def play(page: Page) -> None:
    """Pictures move and time goes on, or the film has ended: some have one picture."""
    before = on_player(page, "video => { video.muted = true; video.play().catch(() => {}); return video.currentTime }")
    until(lambda: on_player(page, f"video => video.ended || video.currentTime > {before} + 0.3"), 30)
    assert on_player(page, "video => video.error === null && video.videoWidth > 0")


def seek(page: Page, second: float) -> None:
    """Stand still at that second, with its picture there to be seen."""
    on_player(page, "(video, second) => { video.pause(); video.currentTime = second }", second)
    until(lambda: on_player(page, "video => !video.seeking && video.readyState > 1"), 30)


def choose_quality(page: Page, text: str) -> None:
    """Choose in the quality menu, as a reader does."""
    page.locator("#stage media-controller").hover()
    page.locator("media-settings-menu-button").click()
    page.locator("media-settings-menu-item", has_text="Quality").first.click()
    page.locator("#quality media-chrome-menu-item", has_text=text).click()


def streams(page: Page) -> bool:
    """Whether hls.js plays it."""
    return bool(on_player(page, "video => video.currentSrc.startsWith('blob:')"))


def watch(page: Page, url: str, original: dict[str, Any], source: Path) -> Watched:
    """Open its page, play it (through HLS where it is long), look at a picture in its midst, and play its MP4s."""
    page.goto(url)
    is_long = original["facts"]["duration"] > ONE_SEGMENT
    until(lambda: streams(page) == is_long and on_player(page, "video => video.readyState > 0"), 30)
    play(page)
    seek(page, middle := original["facts"]["duration"] * 0.4)
    shown = picture(on_player(page, GREY, SIDE))
    size = tuple(on_player(page, "video => [video.videoWidth, video.videoHeight]"))
    for item in original["renditions"]:
        if item["content_type"] == "video/mp4":
            assert page.evaluate(PLAYED, item["url"]) == [item["width"], item["height"]], item["preset"]
    levels = page.locator("#quality media-chrome-menu-item").all_text_contents()
    upright, *others = (difference(shown, way(still(source, middle))) for way in WAYS)
    return Watched(size, upright, min(others), tuple(int(text[:-1]) for text in levels if text[:-1].isdecimal()))


def still(source: Path, second: float) -> Any:
    """The picture of that second as ffmpeg alone shows it, upright."""
    command = ["ffmpeg", "-v", "error", "-ss", str(second), "-i", str(source), "-frames:v", "1"]
    command += ["-vf", f"scale={SIDE}:{SIDE},format=gray", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return picture(np.frombuffer(data, np.uint8)) if data else still(source, 0)


def picture(levels: Any) -> Any:
    return np.asarray(levels, float).reshape(SIDE, SIDE)


def difference(a: Any, b: Any) -> float:
    """Grey levels, apart from how bright and how contrasty each is as a whole: HDR is shown darker."""
    return float(np.abs(evened(a) - evened(b)).mean() * 64)


def evened(levels: Any) -> Any:
    return (levels - levels.mean()) / max(1.0, levels.std())


def turned(quarters: int, mirrored: bool) -> Callable[[Any], Any]:
    return lambda levels: np.rot90(np.fliplr(levels) if mirrored else levels, quarters)


WAYS = [turned(quarters, mirrored) for mirrored in (False, True) for quarters in range(4)]
