"""What we say to ffmpeg to encode parts and sound, without ffmpeg."""

from dataclasses import replace
from pathlib import Path

import pytest

from processing.engines import encoding, ffmpeg, joining
from processing.facts import Facts, Limits, Part
from processing.presets import LADDER, SOUND

SOURCE = Path("/media/a b:'c|.mp4")
LIMITS = Limits(pixels=1000, duration=60, threads=2)
FILM = Facts("video", "mov", 1920, 1080, frame_rate=30.0, lead=0.1)
PART = Part(1, 5.0, 9.5, 135)


def ladder(film=FILM, rungs=LADDER, limits=LIMITS, part=PART):
    sizes = [(rung, ffmpeg.rung_size(film.width, film.height, rung)) for rung in rungs]
    return encoding.rungs(SOURCE, part, film, sizes, limits)


def after(argv, option):
    """What follows each appearance of the option."""
    return [argv[place + 1] for place, word in enumerate(argv) if word == option]


def graph(argv):
    return after(argv, "-filter_complex")[0]


def test_ladder__decodes_once():
    assert ladder().count("-i") == 1
    assert graph(ladder()).count("[0:0]") == 1


def test_ladder__scales_each_rung_from_one_at_least_half_as_high_again():
    sizes = [(1920, 1080), (1280, 720), (854, 480), (640, 360)]
    assert encoding.parents(sizes) == [None, 0, 1, 1]


def test_ladder__rung_with_no_parent_high_enough_comes_from_the_largest():
    assert encoding.parents([(640, 480), (480, 360)]) == [None, 0]


def test_ladder__single_rung_needs_no_split():
    assert "split" not in graph(ladder(rungs=LADDER[:1]))


def test_ladder__progress_comes_on_stdout():
    assert after(ladder(), "-progress") == ["pipe:1"]


def test_ladder__fast_video_is_brought_down_to_sixty():
    assert "fps=60" in graph(ladder(replace(FILM, frame_rate=120.0)))
    assert "fps=" not in graph(ladder())


def test_ladder__interlaced_video_becomes_whole_frames():
    assert "bwdif" in graph(ladder(replace(FILM, field_order="tt")))
    assert "bwdif" not in graph(ladder())


def test_ladder__hdr_is_toned_down_after_it_is_shrunk():
    steps = graph(ladder(replace(FILM, transfer="smpte2084")))
    assert steps.index("scale=1920") < steps.index("tonemap") < steps.index("split")
    assert "tonemap" not in graph(ladder())


def test_ladder__colours_are_converted_from_the_sources_matrix():
    assert "in_color_matrix=smpte170m:out_color_matrix=bt709" in graph(ladder(replace(FILM, matrix="smpte170m")))


def test_ladder__picture_stored_as_ours_is_not_converted():
    plain = replace(FILM, video_codec="h264", pixel_format="yuv420p", matrix="bt709")
    assert "color_matrix" not in graph(ladder(plain))
    unlike = {"pixel_format": "yuvj420p"}, {"matrix": "smpte170m"}, {"video_codec": "vp9"}
    assert all("out_range=tv" in graph(ladder(replace(plain, **change))) for change in unlike)


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1920, 1080, ["640:360", "854:480", "1280:720", "1920:1080"]),
        (1080, 1920, ["360:640", "480:854", "720:1280", "1080:1920"]),
    ],
)
def test_ladder__sizes_go_by_the_short_side(width, height, sizes):
    steps = graph(ladder(replace(FILM, width=width, height=height)))
    assert all(f"scale={size}:" in steps for size in sizes)


def test_ladder__each_file_has_the_pictures_of_its_part_and_no_sound():
    argv = ladder(rungs=LADDER[:2])
    assert [word for word in argv if word.startswith("mp4-")] == ["mp4-480.mp4", "mp4-360.mp4"]
    assert after(argv, "-frames:v") == ["135", "135"]
    assert "-c:a" not in argv


def test_ladder__quality_follows_the_rung_whatever_the_order():
    argv = ladder(rungs=LADDER[::-1])
    assert after(argv, "-crf:v") == ["23", "23", "24", "25"]
    assert after(argv, "-bufsize:v") == ["13000k", "7000k", "3200k", "1800k"]
    assert argv[-1] == "mp4-360.mp4"


def test_ladder__part_is_read_from_its_keyframe_on_by_the_sources_clock():
    argv = ladder()
    place = argv.index("-i")
    assert "-copyts" in argv
    assert after(argv[:place], "-ss") == ["4.900020"]
    assert "-noaccurate_seek" in argv[:place]
    assert "trim=end=9.499990:start=4.999990" in graph(argv)
    assert "setpts=round(PTS-5.000000/TB)" in graph(argv)


def test_ladder__first_part_is_read_from_the_beginning():
    assert "-ss" not in ladder(part=replace(PART, number=0))


def test_ladder__deinterlacer_sees_the_frame_before_the_first():
    assert float(after(ladder(replace(FILM, field_order="tt")), "-ss")[0]) < 4.9


def test_ladder__formats_without_an_index_of_keyframes_are_read_from_earlier():
    assert float(after(ladder(replace(FILM, format="mpegts")), "-ss")[0]) < 4


def test_ladder__clock_that_cannot_be_trusted_is_ffmpegs_to_mend():
    argv = ladder(replace(FILM, steady=False))
    assert not {"-copyts", "-ss", "-frames:v"} & set(argv)
    assert after(argv[: argv.index("-i")], "-t") == ["60"]


def test_ladder__keyframes_and_frame_times_are_the_same_for_every_rung():
    argv = ladder()
    assert len(set(after(argv, "-force_key_frames:v"))) == 1
    assert after(argv, "-sc_threshold:v") == ["0"] * 4
    assert after(argv, "-enc_time_base:v") == ["1/360000"] * 4
    assert after(argv, "-flags:v") == ["+cgop"] * 4


@pytest.mark.parametrize(("begun", "phase"), [(0, "0.0005"), (5, "1.0005"), (8.25, "0.2505")])
def test_keyframes__stand_where_the_films_clock_begins_a_gop(begun, phase):
    assert f"(t+{phase}00)/2" in encoding.keyframes(begun)


def test_ladder__threads_are_bounded_everywhere():
    argv = ladder()
    assert set(after(argv, "-threads") + after(argv, "-threads:v") + after(argv, "-filter_complex_threads")) == {"2"}


def test_ladder__threads_left_open_are_four():
    assert after(ladder(limits=Limits(threads=0)), "-threads") == ["4"]


def test_ladder__speed_is_the_rungs():
    slow = tuple(replace(rung, speed="medium") for rung in LADDER)
    assert after(ladder(rungs=slow), "-preset:v") == ["medium"] * 4


def test_rung_size__small_video_is_not_enlarged():
    assert ffmpeg.rung_size(321, 181, LADDER[0]) == (320, 180)


def test_sound__loudness_is_touched_only_where_it_was_measured():
    assert "loudnorm" not in graph(encoding.sound(SOURCE, 1, SOUND, LIMITS))
    loud = replace(SOUND, loudness=-16)
    assert "loudnorm=I=-16" in graph(encoding.sound(SOURCE, 1, loud, LIMITS, {"measured_I": "-30"}))


def test_piece_list__each_lasts_until_the_next_begins_and_names_are_quoted():
    joints = [joining.Joint(Path("/a/it's.mp4"), 1.5), joining.Joint(Path("/a/b.mp4"), 4.25)]
    assert joining.piece_list(joints).splitlines() == [
        "ffconcat version 1.0",
        "file 'file:/a/it'\\''s.mp4'",
        "duration 2.750000",
        "file 'file:/a/b.mp4'",
    ]
