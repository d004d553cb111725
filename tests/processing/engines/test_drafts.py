"""A first version that plays soon."""

import pytest
from films import X264, film, picture, silent, sound, streams, talkie, upright

from processing.engines import drafts, videos
from processing.facts import Facts, Limits, Order

LIMITS = Limits(threads=1)


@pytest.fixture
def _short_films_pay(monkeypatch):
    monkeypatch.setattr(drafts, "pays", lambda _: True)


def make(source, folder):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return drafts.make_draft(Order(source, folder, facts, limits=LIMITS)).files


def phone(codec="h264", profile="High", size=(1920, 1080), duration=60, **more):
    facts = {"profile": profile, "bit_rate": 5_000_000, "video_codec": codec, "audio_codec": "aac", **more}
    return Facts("video", "mov", *size, duration=duration, **facts)


@pytest.mark.parametrize(
    "facts",
    [phone("hevc", "Main"), phone(bit_rate=17_000_000), phone(copies=False), phone(audio_codec="pcm_s16le")],
)
def test_pays__where_nothing_of_the_source_plays_well(facts):
    assert drafts.pays(facts)


@pytest.mark.parametrize(
    "facts",
    [phone(), phone("hevc", "Main", duration=5), phone("hevc", "Main", size=(640, 360)), phone(duration=None)],
)
def test_pays__not_where_the_source_plays_or_the_ladder_is_as_soon(facts):
    assert not drafts.pays(facts)


def test_draft__nothing_where_it_does_not_pay(tmp_path):
    assert make(talkie(), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_short_films_pay")
def test_draft__is_the_lowest_rung_of_a_version_that_is_owed_again(tmp_path):
    (made,) = make(talkie("1280x720", 3, 30), tmp_path)
    assert (made.preset, made.version, made.name) == ("mp4-360", 0, "")
    assert (made.width, made.height) == (640, 360)
    assert made.duration == pytest.approx(3, abs=0.1)
    found = streams(made.path)
    assert (found["video"]["codec_name"], found["video"]["pix_fmt"]) == ("h264", "yuv420p")
    assert found["audio"]["codec_name"] == "aac"
    data = made.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.usefixtures("_short_films_pay")
@pytest.mark.parametrize("clockwise", [90, 270])
def test_draft__is_upright_for_every_player(tmp_path, clockwise):
    (made,) = make(upright(clockwise), tmp_path)
    assert (made.width, made.height) == (180, 320)
    assert "side_data_list" not in streams(made.path)["video"]


@pytest.mark.usefixtures("_short_films_pay")
def test_draft__sound_that_starts_late_stays_in_time(tmp_path):
    late = film(*picture(seconds=3), "-itsoffset", "1", *sound(2), *X264, "-c:a", "aac")
    (made,) = make(late, tmp_path)
    assert float(streams(made.path)["audio"]["duration"]) == pytest.approx(3, abs=0.05)


@pytest.mark.usefixtures("_short_films_pay")
def test_draft__silent_film_stays_silent(tmp_path):
    assert set(streams(make(silent(), tmp_path)[0].path)) == {"video"}


@pytest.mark.usefixtures("_short_films_pay")
def test_draft__of_noise_is_left_to_the_ladder(tmp_path):
    data = bytearray(film(*picture(seconds=1), *X264, "-movflags", "+faststart").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes((7 * place) % 251 for place in range(len(data) - start))
    source = tmp_path / "noise.mov"
    source.write_bytes(data)
    assert make(source, tmp_path) == ()
    assert list(tmp_path.iterdir()) == [source]
