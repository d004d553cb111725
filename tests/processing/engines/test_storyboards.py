"""What a seek bar shows: the frames of their times, in a sheet that says where each is."""

import re

import pytest
from films import X264, film, picture, silent, talkie, upright
from PIL import Image

from processing import presets
from processing.engines import child, storyboards, videos
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Order
from processing.presets import STORYBOARD

LIMITS = Limits(threads=1)
# Each second of this film has its own grey: 20, 40, 60 …
GREYS = "color=black:s=160x90:d={d}:r=10,format=gray,geq='20*(1+floor(T))',format=yuv420p"


def greys(seconds, *options):
    """A film whose second N is of grey 20 * (N + 1)."""
    return film("-f", "lavfi", "-i", GREYS.format(d=seconds), *X264, *options)


def make(source, folder):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return storyboards.make(Order(source, folder, facts, presets.storyboard(facts), limits=LIMITS)).files


def cues(made):
    """(start, end, left, top, width, height) of each cue; the test fails if there is anything else."""
    first, *blocks = made.path.read_text().rstrip("\n").split("\n\n")
    assert first == "WEBVTT"
    found = []
    for block in blocks:
        at = r"(\d\d):(\d\d):(\d\d\.\d{3})"
        cue = re.fullmatch(rf"{at} --> {at}\nstoryboard\.webp#xywh=(\d+),(\d+),(\d+),(\d+)", block)
        hours, minutes, seconds = (cue[1], cue[4]), (cue[2], cue[5]), (cue[3], cue[6])
        times = [3600 * int(h) + 60 * int(m) + float(s) for h, m, s in zip(hours, minutes, seconds, strict=True)]
        found.append((*times, *(int(cue[number]) for number in range(7, 11))))
    return found


def middle(sheet, cue):
    """The colour in the middle of a cue's tile."""
    _, _, left, top, width, height = cue
    with Image.open(sheet.path) as image:
        return image.convert("RGB").getpixel((left + width // 2, top + height // 2))


def test_make__a_sheet_and_its_index(tmp_path):
    sheet, index = make(greys(12, "-g", "10"), tmp_path)
    assert (sheet.preset, sheet.name, sheet.content_type) == ("storyboard", "", "image/webp")
    assert (index.preset, index.name, index.content_type) == ("storyboard", "storyboard.vtt", "text/vtt")
    with Image.open(sheet.path) as image:
        assert image.format == "WEBP"
        assert image.size == (sheet.width, sheet.height)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["storyboard.vtt", "storyboard.webp"]


def test_make__every_tile_is_the_frame_of_its_time(tmp_path):
    sheet, index = make(greys(12, "-g", "10"), tmp_path)
    found = cues(index)
    assert [start for start, *_ in found] == [0, 2, 4, 6, 8, 10]
    assert [cue[0] for cue in found[1:]] == [cue[1] for cue in found[:-1]]
    assert found[-1][1] == 12
    for cue in found:
        assert middle(sheet, cue) == pytest.approx((20 * (1 + cue[0]),) * 3, abs=8)


def test_make__keyframes_that_come_when_they_come_keep_their_times(tmp_path):
    sheet, index = make(greys(12, "-g", "600", "-force_key_frames", "0,1.5,3.2,4.1,6.9,11.3"), tmp_path)
    found = cues(index)
    assert [start for start, *_ in found] == [0, 3.2, 4.1, 6.9, 11.3]
    assert [round(middle(sheet, cue)[1] / 20) - 1 for cue in found] == [0, 3, 4, 6, 11]


def test_make__film_with_one_keyframe_shows_others_too(tmp_path):
    _, index = make(greys(5, "-g", "600", "-keyint_min", "600", "-sc_threshold", "0"), tmp_path)
    assert [start for start, *_ in cues(index)] == [0, 1, 2, 3, 4]


def test_make__single_frame_is_one_tile_to_the_end(tmp_path):
    _, index = make(silent(seconds=0.1), tmp_path)
    ((start, end, *place),) = cues(index)
    assert (start, place) == (0, [0, 0, 160, 90])
    assert end == pytest.approx(0.1, abs=0.02)


def test_make__rows_go_on_after_ten(tmp_path):
    _, index = make(greys(24, "-g", "10"), tmp_path)
    assert [tuple(cue[2:4]) for cue in cues(index)][9:12] == [(1440, 0), (0, 90), (160, 90)]


@pytest.mark.parametrize("clockwise", [90, 270])
def test_make__portrait_is_upright(tmp_path, clockwise):
    sheet, index = make(upright(clockwise), tmp_path)
    cue = cues(index)[0]
    assert cue[4:] == (90, 160)
    with Image.open(sheet.path) as image:
        rgb = image.convert("RGB")
        top, bottom = rgb.getpixel((45, 20)), rgb.getpixel((45, 140))
    red, blue = (top, bottom) if clockwise == 90 else (bottom, top)
    assert red[0] > 100 + red[2]
    assert blue[2] > 100 + blue[0]


def test_make__small_film_is_not_enlarged(tmp_path):
    _, index = make(silent("80x46"), tmp_path)
    assert cues(index)[0][4:] == (80, 46)


def test_make__broken_end_leaves_what_came_before(tmp_path):
    whole = film(*picture(seconds=12), *X264, "-g", "10", "-movflags", "+faststart").read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) // 2])
    _, index = make(source, tmp_path)
    assert 1 < len(cues(index)) < 6


def test_make__without_one_frame_is_corrupt(tmp_path):
    data = bytearray(film(*picture(seconds=1), *X264, "-movflags", "+faststart").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes((7 * place) % 251 for place in range(len(data) - start))
    (tmp_path / "noise.mp4").write_bytes(data)
    with pytest.raises(Corrupt):
        make(tmp_path / "noise.mp4", tmp_path)


def test_make__full_disk_is_ours(tmp_path, monkeypatch):
    real = storyboards.grab
    monkeypatch.setattr(storyboards, "grab", lambda *told: [*real(*told)[:-1], "-update", "1", "/dev/full"])
    with pytest.raises(child.ChildFailed, match="No space left"):
        make(talkie(), tmp_path)


@pytest.mark.parametrize(("duration", "tiles"), [(1, 5), (10, 5), (30, 15), (200, 100), (3600, 100), (21_600, 100)])
def test_interval__as_many_as_fit_but_none_for_a_glance(duration, tiles):
    facts = Facts("video", "mov", 1920, 1080, duration=duration)
    assert round(duration / storyboards.interval(facts, STORYBOARD)) == tiles


def test_clock__counts_hours():
    assert storyboards.clock(3 * 3600 + 25 * 60 + 45.6789) == "03:25:45.679"
