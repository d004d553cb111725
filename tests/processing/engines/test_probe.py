"""What a probe finds in tiny real videos."""

import shutil
import struct

import pytest
from films import X264, film, picture, silent, sound, talkie, upright

from processing.engines import child, ffmpeg, probe
from processing.errors import (
    Corrupt,
    Empty,
    MediaError,
    NoVideo,
    TooLong,
    TooManyPixels,
    TooManyStreams,
    UnsupportedType,
)
from processing.facts import Limits

LIMITS = Limits()


def look(path, **limits):
    return probe.look(path, Limits(**limits))


def test_look__finds_size_duration_rate_and_codecs():
    facts = look(talkie()).facts
    assert (facts.kind, facts.format, facts.width, facts.height) == ("video", "mov", 320, 180)
    assert facts.duration == pytest.approx(2, abs=0.1)
    assert (facts.frame_rate, facts.video_codec, facts.audio_codec) == (10, "h264", "aac")


def test_look__silent_video_has_no_audio_codec():
    seen = look(silent())
    assert seen.facts.audio_codec is None
    assert seen.tracks.audio is None


@pytest.mark.parametrize(("clockwise", "size"), [(90, (180, 320)), (180, (320, 180)), (270, (180, 320))])
def test_look__turned_video_is_measured_upright(clockwise, size):
    facts = look(upright(clockwise)).facts
    assert facts.rotation == clockwise
    assert (facts.width, facts.height) == size


def test_look__pixels_are_squared():
    wide = film(*picture("320x180"), *X264, "-vf", "setsar=2/1")
    assert (look(wide).facts.width, look(wide).facts.height) == (640, 180)


def test_look__absurd_pixel_shape_is_ignored():
    absurd = film(*picture("320x180"), *X264, "-vf", "setsar=200/1")
    assert look(absurd).facts.width == 320


def test_look__cover_art_is_not_the_video():
    cover = {"index": 0, "codec_type": "video", "codec_name": "png", "disposition": {"attached_pic": 1}}
    movie = {"index": 1, "codec_type": "video", "codec_name": "h264", "disposition": {"attached_pic": 0}}
    assert probe._video_stream([cover, movie]) is movie


def test_look__video_with_cover_art_has_the_videos_size():
    cover = film(*picture("64x64", 1), "-frames:v", "1", name="cover.png")
    both = ("-i", str(cover), "-i", str(silent()), "-map", "0", "-map", "1", "-c", "copy")
    assert look(film(*both, "-disposition:v:0", "attached_pic")).facts.width == 320


def test_look__song_with_cover_art_has_no_video():
    cover = film(*picture("64x64", 1), "-frames:v", "1", name="cover.png")
    song = film(
        "-i",
        str(cover),
        *sound(),
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        "-disposition:v:0",
        "attached_pic",
    )
    with pytest.raises(NoVideo):
        look(song)


def test_look__sound_alone_has_no_video():
    with pytest.raises(NoVideo):
        look(film(*sound(), name="song.m4a"))


def test_look__empty_file(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(Empty):
        look(tmp_path / "a.mp4")


def test_look__missing_file_is_ours(tmp_path):
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "a.mp4")


def test_look__text_called_mp4(tmp_path):
    (tmp_path / "a.mp4").write_text("Dear diary,\n" * 100)
    with pytest.raises((UnsupportedType, Corrupt)):
        look(tmp_path / "a.mp4")


def test_look__container_not_on_the_list():
    with pytest.raises(UnsupportedType):
        look(film(*picture(), "-pix_fmt", "pal8", name="film.gif"))


def test_look__codec_not_on_the_list():
    with pytest.raises(UnsupportedType):
        look(film(*picture(), "-c:v", "ffvhuff", name="film.mkv"))


def test_look__magicyuv_never_reaches_its_decoder():
    with pytest.raises(UnsupportedType):
        look(film(*picture(), "-c:v", "magicyuv", name="film.mkv"))


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"],
)
def test_look__playlist_dressed_as_mp4_reads_no_sibling(tmp_path, playlist):
    shutil.copy(film(*picture(), *X264, name="film.ts"), tmp_path / "sibling.ts")
    (tmp_path / "a.mp4").write_text(playlist.format("sibling.ts"))
    with pytest.raises(UnsupportedType):
        look(tmp_path / "a.mp4")


def test_look__file_without_its_index_is_corrupt(tmp_path):
    whole = talkie().read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupt, match="moov atom not found"):
        look(tmp_path / "a.mp4")


def test_look__too_many_pixels():
    with pytest.raises(TooManyPixels) as caught:
        look(silent("640x400"), pixels=200_000)
    assert caught.value.details == {"found": 0.3, "allowed": 0.2}


def test_look__pixels_count_as_shown():
    with pytest.raises(TooManyPixels):
        look(film(*picture("320x180"), *X264, "-vf", "setsar=4/1"), pixels=100_000)


def test_look__too_long():
    with pytest.raises(TooLong):
        look(silent(), duration=1)


def test_look__too_many_streams():
    with pytest.raises(TooManyStreams):
        look(talkie(), streams=1)


def test_look__longer_side_than_h264_has():
    with pytest.raises(UnsupportedType):
        look(film(*picture("16400x16", 1, 1), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", name="film.avi"))


def test_look__duration_that_is_missing_is_counted(tmp_path):
    live = film(*picture(), *X264, "-f", "matroska", "-live", "1", name="film.mkv")
    assert "duration" not in probe._described(live, LIMITS, child.nothing)[0]["format"]
    assert look(live).facts.duration == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("claimed", [3_000, 0xFFFFFFFE], ids=["a second more", "seven weeks"])
def test_look__tracks_are_believed_before_the_header(tmp_path, claimed):
    data = bytearray(silent().read_bytes())
    place = data.index(b"mvhd") + 4 + 16  # version and flags, two dates, the time scale: 1000
    struct.pack_into(">I", data, place, claimed)
    (tmp_path / "a.mp4").write_bytes(data)
    assert look(tmp_path / "a.mp4").facts.duration == pytest.approx(2, abs=0.1)


def test_look__header_that_claims_hours_for_a_few_bytes_is_not_believed(tmp_path):
    data = bytearray(film(*picture(), *X264, name="film.mkv").read_bytes())
    struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, 10_000_000)  # milliseconds
    (tmp_path / "a.mkv").write_bytes(data)
    assert look(tmp_path / "a.mkv").facts.duration == pytest.approx(2, abs=0.15)


def test_look__variable_rate_in_milliseconds_is_counted():
    jumpy = film(
        *picture(rate=10),
        *X264,
        "-vf",
        "setpts=N/10/TB+mod(N\\,3)*0.013/TB",
        "-vsync",
        "vfr",
        name="film.mkv",
    )
    assert look(jumpy).facts.frame_rate == pytest.approx(10, rel=0.1)
    assert not look(jumpy).tracks.fast


@pytest.mark.parametrize(("rate", "fast"), [(60, False), (120, True)])
def test_look__more_than_sixty_frames_a_second_is_fast(rate, fast):
    assert look(silent(seconds=1, rate=rate)).tracks.fast is fast


def test_look__untagged_colours_go_by_height():
    assert look(silent()).tracks.matrix == "smpte170m"
    assert look(silent("1280x720", 1, 5)).tracks.matrix == "bt709"


def test_look__pq_is_hdr():
    tags = ("-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    assert look(film(*picture(), *X264, *tags)).tracks == ffmpeg.Tracks(video=0, matrix="bt2020", hdr="smpte2084")


def test_look__ticks_may_raise():
    class LostError(Exception):
        pass

    def lose():
        raise LostError

    with pytest.raises(LostError):
        probe.look(talkie(), LIMITS, lose)


def test_blaming__what_is_ours_passes_unchanged(tmp_path):
    failure = child.ChildFailed("ffmpeg", -9, "Invalid data")
    with pytest.raises(child.ChildFailed) as caught, probe.blaming(tmp_path, probe.BOUNDS, LIMITS):
        raise failure
    assert caught.value is failure


def test_blaming__what_is_the_medias_says_so(tmp_path):
    with pytest.raises(MediaError, match="Invalid data"), probe.blaming(tmp_path, probe.BOUNDS, LIMITS):
        raise child.ChildFailed("ffmpeg", 1, "Invalid data")
