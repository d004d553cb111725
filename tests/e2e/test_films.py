"""Films through the whole house to Chromium: real ones of all kinds, and one of our own through its parts and joins."""

import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e import corpus
from tests.e2e.browser import chromium, sign_in
from tests.e2e.service import Service, send, until_final
from tests.e2e.watching import GREY, SIDE, choose_quality, on_player, play, quiet_page, seek, streams
from tests.e2e.workers import FIRST, jobs, stopped
from tests.waiting import until

pytestmark = pytest.mark.e2e

# Turned and mirrored; fields; one that lies about its length. All of them: `python -m tests.e2e.corpus`.
CHOSEN = (
    "videos-good/media__mp4__sample_rotate_and_reflect.mp4",
    "videos-good/own__interlaced.mp4",
    "videos-bad/own__dur_90h.mkv",
)
FLASHES = (2, 4, 6)  # seconds at which picture and sound are there for half of one
# Every 20 ms of playing, until `end`: the time, and how loud it is just then.
LISTEN = """async (video, end) => {
    const context = new AudioContext(), source = context.createMediaElementSource(video);
    const ear = Object.assign(context.createAnalyser(), {fftSize: 1024}), heard = [];
    source.connect(ear).connect(new GainNode(context, {gain: 0})).connect(context.destination);
    video.muted = false;
    await video.play();
    while (video.currentTime < end) {
        if (heard.length > 3000) throw new Error(`it stands still at ${video.currentTime} s`);
        await new Promise(resolve => setTimeout(resolve, 20));
        const wave = new Float32Array(ear.fftSize);
        ear.getFloatTimeDomainData(wave);
        heard.push([video.currentTime, Math.max(...wave)]);
    }
    return heard;
}"""
# Slowly, so that it does not end meanwhile; the seconds at which it was, noted down all the while.
NOTE = """video => {
    video.playbackRate = 0.1;
    video.seconds = [];
    video.addEventListener('timeupdate', () => video.currentTime && video.seconds.push(video.currentTime));
}"""


@pytest.fixture(scope="module")
def flashes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Eight seconds in two rungs and several parts: black and silent, but for white flashes with a tone."""
    path: Path = tmp_path_factory.mktemp("film") / "flashes.mp4"
    lit = "+".join(f"between(t,{at},{at}.5)" for at in FLASHES)
    picture = f"color=black:s=640x480:r=25:d=8,drawbox=color=white:t=fill:enable='{lit}'"
    sources = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=880:d=8,volume='{lit}':eval=frame"]
    encoders = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *sources, *encoders, str(path)], check=True)
    return path.read_bytes()


@pytest.fixture
def page(cutting_service: Service) -> Iterator[Page]:
    """Alice's browser."""
    cutting_service.client("alice").close()
    with sync_playwright() as playwright, quiet_page(chromium(playwright)) as page:
        sign_in(page, cutting_service.url, "alice", cutting_service.password("alice"))
        yield page


def brightness(page: Page, second: float) -> float:
    seek(page, second)
    levels = on_player(page, GREY, SIDE)
    return float(sum(levels)) / len(levels)


@pytest.mark.skipif(not corpus.CORPUS.is_dir(), reason=f"there is no corpus at {corpus.CORPUS}")
def test_corpus__films_of_all_kinds_end_as_they_should_and_play_upright(service):
    outcomes = list(corpus.outcomes(service, corpus.films(CHOSEN)))
    assert len(outcomes) == len(CHOSEN)
    assert not [outcome for outcome in outcomes if outcome.fault]


def test_film_of_parts__is_watched_from_its_source_on_and_goes_over_to_its_parts_in_place(
    cutting_service, page, flashes
):
    with cutting_service.client("alice") as client:
        original_id = send(client, flashes, "flashes.mp4")
        encoder = until(lambda: stopped(cutting_service, FIRST), 60, every=0.001)
        page.goto(f"{cutting_service.url}/originals/{original_id}")
        expect(page.locator("#player")).to_be_attached(timeout=30_000)
        play(page)
        assert "/source." in on_player(page, "video => video.currentSrc")
        expect(page.locator("#quality")).to_contain_text("being made")
        on_player(page, NOTE)
        encoder.resume()
        until(lambda: streams(page), 60)
        until(lambda: on_player(page, "video => video.readyState > 2"))
        assert on_player(page, "video => [video.paused, video.playbackRate]") == [False, 0.1]
        on_player(page, "video => { video.playbackRate = 1 }")
        play(page)
        seconds = on_player(page, "video => video.seconds")
        assert all(later > earlier - 0.1 for earlier, later in pairwise(seconds)), "nothing is shown twice"
        [original] = until_final(client, [original_id], 60)
        assert original["status"] == "ready", original["error"]
        assert len(jobs(client, original_id)) >= 3, "of several parts"
    in_sync_and_in_every_quality(page)


def in_sync_and_in_every_quality(page: Page) -> None:
    for lines in (360, 480):
        choose_quality(page, f"{lines}p")
        for at in FLASHES:
            assert brightness(page, at - 0.1) < 30, (lines, at)
            assert brightness(page, at + 0.1) > 200, (lines, at)
            assert brightness(page, at + 0.6) < 30, (lines, at)
        until(lambda lines=lines: on_player(page, f"video => video.videoHeight === {lines}"))
    seek(page, 3.2)
    heard = on_player(page, LISTEN, 7.2)
    for at in FLASHES[1:]:
        loud = [level for second, level in heard if at + 0.15 < second < at + 0.4]
        quiet = [level for second, level in heard if at - 0.5 < second < at - 0.1 or at + 0.7 < second < at + 1]
        assert loud
        assert quiet
        assert min(loud) > 0.02 > max(quiet), at
