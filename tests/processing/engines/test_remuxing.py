"""The source's own streams as an MP4 that plays at once."""

import json
import shutil
import subprocess

import pytest
from films import X264, film, picture, seen, silent, sound, streams, talkie, upright

from processing import presets
from processing.engines import child, probe, remuxing, videos
from processing.facts import Facts, Limits, Order
from processing.presets import SOURCE

LIMITS = Limits(threads=1)
EXIFTOOL = shutil.which("exiftool")


def remux(source, folder):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return remuxing.remux(Order(source, folder, facts, presets.source(facts), limits=LIMITS))


def copied(source, folder):
    (made,) = remux(source, folder).files
    return made


def hashes(path):
    """What each packet of a file holds, by stream type."""
    return {
        kind: [
            packet["data_hash"]
            for packet in seen(
                path, "-select_streams", kind, "-show_entries", "packet=data_hash", "-show_data_hash", "md5"
            )["packets"]
        ]
        for kind in ("v", "a")
    }


def frames(path):
    """The times and sums of the frames that a player shows."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(path), "-map", "0:v", "-vsync", "passthrough"]
    command += ["-enc_time_base", "1/1000", "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    return [(int(row[2]), row[-1].strip()) for row in rows]


def video(codec="h264", profile="High", audio="aac", container="mov", **more):
    return Facts("video", container, 1920, 1080, profile=profile, video_codec=codec, audio_codec=audio, **more)


@pytest.mark.parametrize(
    "facts",
    [
        video(),
        video(profile="Constrained Baseline", audio=None),
        video(container="matroska", audio="mp3"),
        video(container="mpegts"),
        video("vp9", "Profile 0", "opus", "matroska"),
        video("av1", "Main", "opus", "matroska"),
    ],
)
def test_source__is_owed_where_browsers_play_what_there_is(facts):
    assert presets.source(facts) == (SOURCE,)


@pytest.mark.parametrize(
    "facts",
    [
        video(profile="High 10"),
        video(profile="High 4:2:2"),
        video("hevc", "Main"),
        video("vp9", "Profile 2"),
        video("vp8", ""),
        video("mpeg4", "Simple Profile"),
        video(audio="pcm_s16le"),
        video(audio="ac3"),
        video(container="avi"),
        video(profile=""),
        video(copies=False),
    ],
)
def test_source__is_not_owed_where_they_do_not(facts):
    assert presets.source(facts) == ()


def test_remux__has_the_very_packets_of_the_source_and_plays_from_its_start(tmp_path):
    source = talkie()
    made = copied(source, tmp_path)
    assert (made.preset, made.name, made.content_type, made.width, made.height) == ("source", "", "video/mp4", 320, 180)
    assert made.duration == pytest.approx(2, abs=0.1)
    assert hashes(made.path) == hashes(source)
    data = made.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_remux__stays_upright(tmp_path, clockwise):
    made = copied(upright(clockwise), tmp_path)
    assert probe.look(made.path, LIMITS).facts.rotation == clockwise
    assert (made.width, made.height) == ((320, 180) if clockwise == 180 else (180, 320))


def test_remux__matroska_and_transport_stream_become_mp4(tmp_path):
    for name in ("film.mkv", "film.ts", "film.flv"):
        source = film("-i", str(talkie()), "-c", "copy", name=name)
        made = copied(source, tmp_path)
        assert seen(made.path, "-show_format")["format"]["format_name"].startswith("mov")
        assert len(frames(made.path)) == 20


def test_remux__matroska_whose_first_frames_are_not_timed_to_be_read(tmp_path):
    source = film(*picture(), *X264, "-bf", "2", name="film.mkv")
    made = copied(source, tmp_path)
    assert [shown for _, shown in frames(made.path)] == [shown for _, shown in frames(source)]


def test_remux__clock_that_jumps_back_goes_on(tmp_path):
    half = film(*picture(seconds=2), *sound(), *X264, "-c:a", "aac", name="film.ts").read_bytes()
    source = tmp_path / "twice.ts"
    source.write_bytes(half + half)
    product = remux(source, tmp_path)
    times = [at for at, _ in frames(product.files[0].path)] if product.files else []
    assert times == sorted(set(times))


def test_remux__vp9_and_opus_become_mp4(tmp_path):
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
    made = copied(film(*picture(seconds=1), *sound(1), *vp9, name="film.webm"), tmp_path)
    found = streams(made.path)
    assert (found["video"]["codec_name"], found["audio"]["codec_name"]) == ("vp9", "opus")


def test_remux__hidden_beginning_stays_hidden(tmp_path):
    whole = film(*picture(seconds=3), *sound(3), *X264, "-g", "10", "-bf", "2", "-c:a", "aac")
    cut = film("-ss", "1.5", "-i", str(whole), "-c", "copy")
    made = copied(cut, tmp_path)
    assert frames(made.path) == frames(cut)
    heard = [float(streams(path)["audio"]["start_time"]) for path in (cut, made.path)]
    assert heard[0] == pytest.approx(heard[1], abs=0.01)


def test_remux__first_picture_and_one_track_of_sound_are_kept_and_nothing_else(tmp_path):
    notes = tmp_path / "notes.srt"
    notes.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    full = film(
        "-i", str(talkie()), *sound(), "-i", str(notes), "-map", "0", "-map", "1", "-map", "2", "-map", "0:v",
        "-c:v", "copy", "-c:a", "aac", "-c:s", "mov_text",
    )  # fmt: skip
    made = copied(full, tmp_path)
    assert [stream["codec_type"] for stream in seen(made.path, "-show_streams")["streams"]] == ["video", "audio"]


@pytest.mark.skipif(not EXIFTOOL, reason="exiftool is not installed")
def test_remux__tells_nobody_where_and_with_what_it_was_filmed(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text(
        ";FFMETADATA1\ntitle=Our house\nlocation=+19.4326-099.1332/\nmake=Secret make\n"
        "com.apple.quicktime.location.ISO6709=+19.4326-099.1332/\n"
        "[CHAPTER]\nSTART=0\nEND=1000000\ntitle=Kitchen\n"
    )
    words = ("-i", str(talkie()), "-i", str(notes), "-map_metadata", "1", "-map_chapters", "1", "-c", "copy")
    for flags in ("+faststart", "+use_metadata_tags"):
        named = film(*words, "-metadata:s:v", "handler_name=Secret handler", "-movflags", flags, name="film.mov")
        assert "19.4326" in named.read_bytes().decode("latin1")  # or the test would prove nothing
        made = copied(named, tmp_path)
        said = subprocess.run([EXIFTOOL, "-json", "-ee", "-G", "-a", "-u", made.path], capture_output=True, check=True)
        (found,) = json.loads(said.stdout)
        assert not [name for name in found if "gps" in name.lower() or "location" in name.lower()]
        data = made.path.read_bytes().decode("latin1")
        assert not [word for word in ("19.4326", "Secret", "Our house", "Kitchen") if word in data]
        assert seen(made.path, "-show_chapters")["chapters"] == []


def test_remux__what_cannot_be_copied_makes_no_file_and_is_owed_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(remuxing, "is_the_same", lambda *_: False)
    product = remux(silent(), tmp_path)
    assert product.files == ()
    assert product.facts.width == 320
    assert presets.source(product.facts) == ()
    assert list(tmp_path.iterdir()) == []


def test_remux__encrypted_film_cannot_be_played_as_it_is(tmp_path):
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    locked = film(
        "-i", str(silent()), "-c", "copy",
        "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key,
    )  # fmt: skip
    product = remux(locked, tmp_path)
    assert (product.files, product.facts.copies) == ((), False)


def test_remux__file_cut_off_is_not_the_same(tmp_path):
    whole = film(*picture(seconds=8), *X264, "-movflags", "+faststart").read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) // 2])
    product = remux(source, tmp_path)
    assert (product.files, product.facts.copies) == ((), False)


def test_remux__full_disk_is_ours(tmp_path):
    (tmp_path / "source.mp4").symlink_to("/dev/full")
    with pytest.raises(child.ChildFailed, match="No space left"):
        remux(silent(), tmp_path)


def test_copy__encodes_nothing():
    argv = remuxing.copy(videos.Path("/a.mp4"), probe.ffmpeg.Tracks(video=1, audio=3), "source.mp4", LIMITS)
    assert argv[argv.index("-c") + 1] == "copy"
    assert [argv[place + 1] for place, word in enumerate(argv) if word == "-map"] == ["0:1", "0:3"]
    assert {"-sn", "-dn", "-map_metadata", "-map_chapters"} <= set(argv)
