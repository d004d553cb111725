"""What we say to ffmpeg, without ffmpeg."""

from pathlib import Path

import pytest

from processing.engines import ffmpeg
from processing.errors import Corrupt, ResourceLimit, TooManyPixels, UnsupportedType
from processing.facts import Limits
from processing.presets import LADDER

SOURCE = Path("/media/a b:'c|.mp4")
LIMITS = Limits(pixels=1000, duration=60, threads=2)
SOUND = ffmpeg.Tracks(video=1, audio=2)
MUTE = ffmpeg.Tracks(video=0)


def ladder(tracks=SOUND, width=1920, height=1080, rungs=LADDER, limits=LIMITS):
    sizes = [(rung, ffmpeg.rung_size(width, height, rung)) for rung in rungs]
    return ffmpeg.ladder(SOURCE, tracks, sizes, limits)


def after(argv, option):
    """What follows each appearance of the option."""
    return [argv[place + 1] for place, word in enumerate(argv) if word == option]


def graph(argv):
    return after(argv, "-filter_complex")[0]


COMMANDS = {
    "describe": ffmpeg.describe(SOURCE, LIMITS),
    "packets": ffmpeg.list_packets(SOURCE, 0, LIMITS),
    "poster": ffmpeg.poster(SOURCE, MUTE, (160, 90), 1.5, LIMITS),
    "ladder": ladder(),
}


@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
def test_every_command__opens_one_local_file_of_a_listed_format_and_codec(argv):
    place = argv.index(f"file:{SOURCE}")
    options = argv[:place]
    assert after(options, "-protocol_whitelist") == ["file"]
    assert after(options, "-format_whitelist") == ["mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"]
    assert after(options, "-codec_whitelist") == [ffmpeg.CODECS]
    assert after(options, "-max_pixels") == ["1000"]
    assert after(argv, "-loglevel") == ["error"]


@pytest.mark.parametrize("argv", [COMMANDS["poster"], COMMANDS["ladder"]], ids=["poster", "ladder"])
def test_every_output__has_no_metadata_chapters_subtitles_or_data(argv):
    assert after(argv, "-map_metadata") == after(argv, "-map_chapters") == ["-1"]
    assert {"-sn", "-dn", "-nostdin", "-y"} <= set(argv)


def test_relative_source__becomes_absolute():
    assert ffmpeg.url(Path("-i.mp4")) == f"file:{Path.cwd()}/-i.mp4"


@pytest.mark.parametrize("exotic", ["magicyuv", "ffvhuff", "rawvideo", "gif", "exr", "tiff"])
def test_codecs__exotic_decoders_are_not_listed(exotic):
    assert exotic not in ffmpeg.CODECS.split(",")


def test_codecs__list_subtitles_or_good_files_could_not_be_probed():
    assert {"ass", "mov_text", "pgssub", "webvtt"} <= set(ffmpeg.CODECS.split(","))


def test_ladder__decodes_once():
    assert ladder().count("-i") == 1
    assert graph(ladder()).count("[0:1]") == 1


def test_ladder__encodes_sound_once_for_all_files():
    argv = ladder()
    assert after(argv, "-c:a") == ["aac"]
    assert after(argv, "-f") == ["tee"]
    assert argv[-1].count(",a\\'") == 4


def test_ladder__silent_video_asks_for_no_sound():
    argv = ladder(MUTE)
    assert "-c:a" not in argv
    assert ",a" not in argv[-1]


def test_ladder__each_file_gets_its_own_picture_and_fast_start():
    assert ladder(rungs=LADDER[:2])[-1] == (
        r"[select=\'v:0,a\':f=mp4:movflags=+faststart]mp4-480.mp4"
        r"|[select=\'v:1,a\':f=mp4:movflags=+faststart]mp4-360.mp4"
    )


def test_ladder__quality_follows_the_rung_whatever_the_order():
    argv = ladder(rungs=LADDER[::-1])
    assert after(argv, "-crf:v:0") == ["23"]
    assert after(argv, "-maxrate:v:3") == ["900k"]
    assert after(argv, "-bufsize:v:3") == ["1800k"]
    assert argv[-1].endswith("mp4-360.mp4")


def test_ladder__scales_each_rung_from_one_at_least_half_as_high_again():
    sizes = [(1920, 1080), (1280, 720), (854, 480), (640, 360)]
    assert ffmpeg.parents(sizes) == [None, 0, 1, 1]


def test_ladder__rung_with_no_parent_high_enough_comes_from_the_largest():
    assert ffmpeg.parents([(640, 480), (480, 360)]) == [None, 0]


def test_ladder__single_rung_needs_no_split():
    assert "split" not in graph(ladder(rungs=LADDER[:1]))


def test_ladder__keyframes_and_frame_times_are_the_same_for_every_rung():
    argv = ladder()
    assert after(argv, "-force_key_frames:v") == ["expr:gte(t,n_forced*2)"]
    assert after(argv, "-sc_threshold:v") == ["0"]
    assert after(argv, "-enc_time_base:v") == ["1/360000"]
    assert after(argv, "-flags") == ["+cgop+global_header"]


def test_ladder__progress_comes_on_stdout():
    assert after(ladder(), "-progress") == ["pipe:1"]


def test_ladder__source_is_read_no_longer_than_allowed():
    argv = ladder()
    assert after(argv[: argv.index("-i")], "-t") == ["60"]


def test_ladder__threads_are_bounded_everywhere():
    argv = ladder()
    assert after(argv, "-threads") == after(argv, "-threads:v") == after(argv, "-filter_complex_threads") == ["2"]


def test_ladder__threads_left_open_are_four():
    assert after(ladder(limits=Limits(threads=0)), "-threads") == ["4"]


def test_ladder__fast_video_is_brought_down_to_sixty():
    assert "fps=60" in graph(ladder(ffmpeg.Tracks(video=0, fast=True)))
    assert "fps=" not in graph(ladder())


def test_ladder__interlaced_video_becomes_whole_frames():
    assert "bwdif" in graph(ladder(ffmpeg.Tracks(video=0, interlaced=True)))
    assert "bwdif" not in graph(ladder())


def test_ladder__hdr_is_toned_down_after_it_is_shrunk():
    steps = graph(ladder(ffmpeg.Tracks(video=0, hdr="smpte2084")))
    assert steps.index("scale=1920") < steps.index("tonemap") < steps.index("split")
    assert "tonemap" not in graph(ladder())


def test_ladder__colours_are_converted_from_the_sources_matrix():
    assert "in_color_matrix=smpte170m:out_color_matrix=bt709" in graph(
        ladder(ffmpeg.Tracks(video=0, matrix="smpte170m"))
    )


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1920, 1080, ["640:360", "854:480", "1280:720", "1920:1080"]),
        (1080, 1920, ["360:640", "480:854", "720:1280", "1080:1920"]),
    ],
)
def test_ladder__sizes_go_by_the_short_side(width, height, sizes):
    steps = graph(ladder(width=width, height=height))
    assert all(f"scale={size}:" in steps for size in sizes)


def test_ladder__small_video_is_not_enlarged():
    assert ffmpeg.rung_size(321, 181, LADDER[0]) == (320, 180)


@pytest.mark.parametrize(
    "tail",
    [
        "[tee @ 0x1] av_interleaved_write_frame(): No space left on device",
        "file:/a.mp4: Permission denied",
        "Unrecognized option 'nonsense'.",
    ],
)
def test_blame__our_disk_our_files_and_our_words_are_ours(tail):
    assert ffmpeg.blame(1, tail, SOURCE, 1 << 30, 1000) is None


def test_blame__death_by_signal_is_ours():
    assert ffmpeg.blame(-9, "Invalid data found", SOURCE, 1 << 30, 1000) is None


def test_blame__memory_that_ran_out_names_the_limit():
    error = ffmpeg.blame(1, "Error: Cannot allocate memory", SOURCE, 1 << 30, 1000)
    assert isinstance(error, ResourceLimit)
    assert error.details == {"allowed": "1024 MiB of memory"}


def test_blame__refused_format_is_an_unsupported_type():
    tail = "[hls @ 0x5] Format not on whitelist 'mov'\nfile:/x: Invalid argument"
    assert isinstance(ffmpeg.blame(1, tail, SOURCE, 0, 1000), UnsupportedType)


def test_blame__refused_picture_size_is_too_many_pixels():
    error = ffmpeg.blame(1, "Picture size 20000x20000 is invalid", SOURCE, 0, 100_000_000)
    assert isinstance(error, TooManyPixels)
    assert error.details == {"found": 400.0, "allowed": 100.0}


def test_blame__everything_else_is_damage_said_without_addresses_and_paths():
    tail = f"[mov @ 0x55d0] moov atom not found\nfile:{SOURCE}: Invalid data\nfile:{SOURCE}: Invalid data"
    error = ffmpeg.blame(1, tail, SOURCE, 0, 1000)
    assert isinstance(error, Corrupt)
    assert error.details == {"reason": "moov atom not found; file: Invalid data"}
