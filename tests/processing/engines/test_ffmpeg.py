"""What we say to ffmpeg, without ffmpeg."""

from pathlib import Path

import pytest

from processing.engines import encoding, ffmpeg
from processing.errors import Corrupt, ResourceLimit, TooManyPixels, UnsupportedType
from processing.facts import Facts, Limits, Part
from processing.presets import LADDER, SOUND

SOURCE = Path("/media/a b:'c|.mp4")
LIMITS = Limits(pixels=1000, duration=60, threads=2)
MUTE = ffmpeg.Tracks(video=0)
FILM = Facts("video", "mov", 1920, 1080, frame_rate=30)
PART = Part(1, 4.0, 8.0, 120)


def after(argv, option):
    """What follows each appearance of the option."""
    return [argv[place + 1] for place, word in enumerate(argv) if word == option]


COMMANDS = {
    "describe": ffmpeg.describe(SOURCE, LIMITS),
    "packets": ffmpeg.list_packets(SOURCE, 0, LIMITS),
    "poster": ffmpeg.poster(SOURCE, MUTE, (160, 90), 1.5, LIMITS),
    "part": encoding.rungs(SOURCE, PART, FILM, [(rung, (640, 360)) for rung in LADDER[:2]], LIMITS),
    "sound": encoding.sound(SOURCE, 1, SOUND, LIMITS),
    "loudness": encoding.loudness(SOURCE, 1, SOUND, LIMITS),
}


@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
def test_every_command__opens_one_local_file_of_a_listed_format_and_codec(argv):
    place = argv.index(f"file:{SOURCE}")
    options = argv[:place]
    assert after(options, "-protocol_whitelist") == ["file"]
    assert after(options, "-format_whitelist") == ["mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"]
    assert after(options, "-codec_whitelist") == [ffmpeg.CODECS]
    assert after(options, "-max_pixels") == ["1000"]
    assert after(argv, "-loglevel")[0] == "error"


@pytest.mark.parametrize(("name", "outputs"), [("poster", 1), ("part", 2), ("sound", 1)])
def test_every_output__has_no_metadata_chapters_subtitles_or_data(name, outputs):
    argv = COMMANDS[name]
    assert after(argv, "-map_metadata") == after(argv, "-map_chapters") == ["-1"] * outputs
    assert argv.count("-sn") == argv.count("-dn") == outputs
    assert {"-nostdin", "-y"} <= set(argv)


def test_relative_source__becomes_absolute():
    assert ffmpeg.url(Path("-i.mp4")) == f"file:{Path.cwd()}/-i.mp4"


@pytest.mark.parametrize("exotic", ["magicyuv", "ffvhuff", "rawvideo", "gif", "exr", "tiff"])
def test_codecs__exotic_decoders_are_not_listed(exotic):
    assert exotic not in ffmpeg.CODECS.split(",")


def test_codecs__list_subtitles_or_good_files_could_not_be_probed():
    assert {"ass", "mov_text", "pgssub", "webvtt"} <= set(ffmpeg.CODECS.split(","))


@pytest.mark.parametrize(
    "tail",
    [
        "[tee @ 0x1] av_interleaved_write_frame(): No space left on device",
        "[tee @ 0x1] av_interleaved_write_frame(): Input/output error",
        "[out#0 @ 0x1] Error writing trailer of mp4-360.mp4: Input/output error",
        "file:/a.mp4: Stale file handle",
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
