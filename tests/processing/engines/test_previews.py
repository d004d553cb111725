"""A few seconds of a film, small and silent."""

import pytest
from films import X264, film, picture, seen, silent, streams, talkie, upright

from processing import presets
from processing.engines import previews, videos
from processing.errors import Corrupt
from processing.facts import Facts, Limits, Order
from processing.presets import PREVIEW

LIMITS = Limits(threads=1)


def make(source, folder):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    (made,) = previews.make(Order(source, folder, facts, presets.preview(facts), limits=LIMITS)).files
    return made


def test_make__four_seconds_from_all_over_the_film_small_and_silent(tmp_path):
    made = make(film(*picture("640x360", 20), *X264, "-g", "10"), tmp_path)
    assert (made.preset, made.content_type, made.width, made.height) == ("preview", "video/mp4", 426, 240)
    assert made.duration == pytest.approx(4, abs=0.1)
    found = streams(made.path)
    assert set(found) == {"video"}
    assert (found["video"]["codec_name"], found["video"]["pix_fmt"]) == ("h264", "yuv420p")
    assert found["video"]["avg_frame_rate"] == "15/1"
    assert int(found["video"]["nb_frames"]) == 60
    data = made.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_make__sound_is_left_out(tmp_path):
    assert set(streams(make(talkie(), tmp_path).path)) == {"video"}


def test_make__of_a_short_film_is_the_film(tmp_path):
    assert make(silent(seconds=2), tmp_path).duration == pytest.approx(2, abs=0.1)


def test_make__of_a_single_frame(tmp_path):
    assert make(silent(seconds=0.1), tmp_path).width == 320


@pytest.mark.parametrize("clockwise", [90, 270])
def test_make__portrait_is_upright_for_every_player(tmp_path, clockwise):
    made = make(upright(clockwise), tmp_path)
    assert (made.width, made.height) == (180, 320)
    assert "side_data_list" not in streams(made.path)["video"]


def test_make__header_that_promises_more_than_there_is(tmp_path):
    whole = film(*picture(seconds=20), *X264, "-g", "10", "-movflags", "+faststart").read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) // 4])
    assert 1 <= make(source, tmp_path).duration <= 4


def test_make__long_gaps_between_keyframes_are_shown_from_their_start(tmp_path):
    made = make(film(*picture(seconds=20), *X264, "-g", "600"), tmp_path)
    assert made.duration == pytest.approx(4, abs=0.1)


def test_make__nobody_learns_where_it_was_filmed(tmp_path):
    named = film("-i", str(talkie()), "-c", "copy", "-metadata", "location=+19.4326-099.1332/")
    made = make(named, tmp_path)
    assert "location" not in seen(made.path, "-show_format")["format"]["tags"]


def test_make__without_one_frame_is_corrupt(tmp_path):
    data = bytearray(film(*picture(seconds=1), *X264, "-movflags", "+faststart").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes((7 * place) % 251 for place in range(len(data) - start))
    (tmp_path / "noise.mp4").write_bytes(data)
    with pytest.raises(Corrupt):
        make(tmp_path / "noise.mp4", tmp_path)


@pytest.mark.parametrize(
    ("duration", "size", "expected"),
    [
        (0.5, (640, 360), [(0, 0.5)]),
        (6, (640, 360), [(1, 4)]),
        (80, (640, 360), [(10, 1), (30, 1), (50, 1), (70, 1)]),
        (80, (7680, 4320), [(38, 4)]),
    ],
)
def test_stretches__are_spread_evenly_but_short_and_huge_films_have_one(duration, size, expected):
    assert previews.stretches(Facts("video", "mov", *size, duration=duration), PREVIEW) == expected
