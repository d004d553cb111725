"""Posters and ladders of tiny real videos."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import ladders
import pytest
from films import X264, film, keyframes, picture, seen, silent, sound, streams, talkie, upright
from PIL import Image

from processing import presets
from processing.engines import child, ladder, videos
from processing.engines.watching import Progress
from processing.errors import Corrupt, NoVideo, ResourceLimit
from processing.facts import Facts, Limits, Order, Part, Piece

ROOT = Path(__file__).parents[3]
LIMITS = Limits(threads=1)


class LostError(Exception):
    """What a runner raises when the job is no longer its own."""


def order(source, folder, wanted=presets.rungs, **changes):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return Order(source, folder, facts, wanted(facts), **{"limits": LIMITS, **changes})


def transcode(source, folder, **changes):
    return ladders.transcode(order(source, folder, **changes)).files


def lowest(source, folder):
    """The lowest rung of a video."""
    return transcode(source, folder, wanted=lambda _: presets.LADDER[:1])[0]


def poster(source, folder):
    return videos.grab_poster(order(source, folder, presets.poster))


def colours(path):
    """The colours of the top left and the bottom right of a picture, as (r, g, b)."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
        return rgb.getpixel((5, 5)), rgb.getpixel((rgb.width - 6, rgb.height - 6))


def is_red(colour):
    return colour[0] > 150 and max(colour[1:]) < 90


def is_blue(colour):
    return colour[2] > 150 and max(colour[:2]) < 90


def first_frame(path):
    return film("-i", str(path), "-frames:v", "1", name="frame.png")


@pytest.fixture(scope="module")
def tall_ladder(tmp_path_factory):
    """Three rungs of a 5 s portrait talkie."""
    source = talkie("722x1280", 5, 12)
    return transcode(source, tmp_path_factory.mktemp("ladder"))


def inspected(source, folder, part=30.0):
    return videos.inspect(Order(source, folder, limits=Limits(part=part)))


def test_inspect__short_film_is_one_part_of_all_its_frames(tmp_path):
    (part,) = inspected(talkie(), tmp_path).parts
    assert (part.number, part.start, part.frames, part.ranges) == (0, 0.0, 20, ())
    assert part.end == pytest.approx(2)


def test_inspect__parts_are_cut_by_work(tmp_path):
    source = film(*picture(seconds=6), *X264, "-g", "10")
    assert len(inspected(source, tmp_path, part=0.017).parts) > len(inspected(source, tmp_path, part=0.034).parts) > 1


def test_inspect__says_how_picture_and_sound_are_stored(tmp_path):
    tags = ("-color_trc", "arib-std-b67", "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    source = film(*picture(), *sound(), *X264[:4], "-pix_fmt", "yuv420p10le", *tags, "-c:a", "aac", "-ac", "6")
    facts = inspected(source, tmp_path).facts
    assert (facts.pixel_format, facts.bit_depth, facts.field_order) == ("yuv420p10le", 10, "progressive")
    assert (facts.transfer, facts.primaries, facts.matrix) == ("arib-std-b67", "bt2020", "bt2020")
    assert (facts.channels, facts.layout, facts.video_track, facts.audio_track) == (6, "5.1", 0, 1)
    assert facts.steady
    assert not facts.variable


def test_inspect__finds_fields_and_the_shape_of_pixels(tmp_path):
    woven = film(*picture("160x120"), *X264, "-vf", "setsar=2/1,setfield=tff", "-flags", "+ilme+ildct")
    facts = inspected(woven, tmp_path).facts
    assert (facts.field_order, facts.pixel_aspect, facts.width) == ("tt", 2, 320)


def test_inspect__finds_a_variable_rate(tmp_path):
    jumpy = film(*picture(rate=10), *X264, "-vf", "select='not(between(n,5,11))'", "-vsync", "vfr")
    assert inspected(jumpy, tmp_path).facts.variable


def test_inspect__clock_begins_where_the_container_says(tmp_path):
    facts = inspected(film(*picture(), *X264, name="film.ts"), tmp_path).facts
    assert facts.start > 1
    assert facts.lead == 0 or facts.lead > 0.1


def test_inspect__frames_without_times_are_one_part_left_to_ffmpeg(tmp_path):
    source = film(*picture(seconds=6), "-c:v", "mpeg4", "-bf", "2", "-g", "10", name="film.avi")
    product = inspected(source, tmp_path, part=0.017)
    assert not product.facts.steady
    assert len(product.parts) == 1
    assert lowest(source, tmp_path).duration == pytest.approx(6, abs=0.2)


def test_inspect__header_that_claims_ninety_hours_changes_no_part(tmp_path):
    data = bytearray(film(*picture(seconds=6), *X264, "-g", "10", name="film.mkv").read_bytes())
    struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, 90 * 3_600_000)  # milliseconds
    (tmp_path / "lie.mkv").write_bytes(data)
    product = inspected(tmp_path / "lie.mkv", tmp_path, part=0.017)
    assert product.facts.duration == product.parts[-1].end == pytest.approx(6, abs=0.2)
    assert sum(part.frames for part in product.parts) == 60


def test_inspect__fragments_all_over_the_file_have_no_ranges(tmp_path):
    pieces = film(*picture(seconds=6), *X264, "-g", "10", "-movflags", "+frag_keyframe+empty_moov")
    product = inspected(pieces, tmp_path, part=0.017)
    assert len(product.parts) > 1
    assert {part.ranges for part in product.parts} == {()}


def test_poster__is_a_webp_within_its_box_with_a_blurhash(tmp_path):
    product = poster(talkie("1600x900", 1), tmp_path)
    (made,) = product.files
    assert (made.preset, made.content_type, made.width, made.height) == ("poster", "image/webp", 1280, 720)
    with Image.open(made.path) as image:
        assert image.size == (1280, 720)
    assert product.placeholder


def test_poster__is_never_enlarged(tmp_path):
    made = poster(talkie(), tmp_path).files[0]
    assert (made.width, made.height) == (320, 180)


def test_poster__passes_over_a_black_beginning(tmp_path):
    opening = film(
        "-f", "lavfi", "-i", "color=black:s=160x90:d=3:r=10", *picture("160x90", 3), *X264,
        "-filter_complex", "[0][1]concat",
    )  # fmt: skip
    made = poster(opening, tmp_path).files[0]
    with Image.open(made.path) as image:
        assert max(high for _, high in image.convert("RGB").getextrema()) > 100


def test_poster__of_a_black_video_is_black(tmp_path):
    black = film("-f", "lavfi", "-i", "color=black:s=160x90:d=1:r=10", *X264)
    assert poster(black, tmp_path).files[0].width == 160


def test_poster__of_a_single_frame(tmp_path):
    assert poster(silent(seconds=0.1), tmp_path).files


@pytest.mark.parametrize("clockwise", [90, 270])
def test_poster__of_a_turned_video_is_upright(tmp_path, clockwise):
    made = poster(upright(clockwise), tmp_path).files[0]
    assert (made.width, made.height) == (180, 320)
    top, bottom = colours(made.path)
    assert (is_red(top), is_blue(bottom)) if clockwise == 90 else (is_blue(top), is_red(bottom))


def test_poster__leaves_nothing_else_in_the_folder(tmp_path):
    poster(talkie(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["poster.webp"]


def test_poster__of_a_video_without_one_frame_is_corrupt(tmp_path):
    with pytest.raises(Corrupt):
        poster(undecodable(tmp_path), tmp_path)


def test_ladder__portrait_is_measured_by_its_short_side(tall_ladder):
    assert [(made.preset, made.width, made.height) for made in tall_ladder] == [
        ("mp4-360", 360, 638),
        ("mp4-480", 480, 850),
        ("mp4-720", 720, 1276),
    ]


def test_ladder__landscape_is_measured_by_its_short_side(tmp_path):
    made = transcode(silent("856x482", 0.5), tmp_path)
    assert [(m.width, m.height) for m in made] == [(640, 360), (852, 480)]


def test_ladder__small_video_gets_the_lowest_rung_and_its_own_size(tmp_path):
    made = transcode(talkie("160x90"), tmp_path)
    assert [(m.preset, m.width, m.height) for m in made] == [("mp4-360", 160, 90)]


def test_ladder__odd_sides_become_even(tmp_path):
    odd = film(*picture("161x91", source="testsrc"), *X264[:4], "-pix_fmt", "yuv444p")
    assert streams(odd)["video"]["width"] == 161
    made = lowest(odd, tmp_path)
    assert (made.width, made.height) == (160, 92)


def test_ladder__every_file_is_h264_high_and_aac_in_square_bt709_pixels(tall_ladder):
    for made in tall_ladder:
        kinds = streams(made.path)
        video, audio = kinds["video"], kinds["audio"]
        assert (video["codec_name"], video["profile"], video["pix_fmt"]) == ("h264", "High", "yuv420p")
        assert video.get("sample_aspect_ratio", "1:1") == "1:1"
        assert {video[f"color_{tag}"] for tag in ("space", "transfer", "primaries")} == {"bt709"}
        assert (audio["codec_name"], audio["channels"], audio["sample_rate"]) == ("aac", 2, "48000")


def test_ladder__sound_is_the_same_in_every_file(tall_ladder):
    def sums(path):
        return seen(path, "-select_streams", "a", "-show_entries", "packet=size,data_hash", "-show_data_hash", "md5")

    first, *others = (sums(made.path) for made in tall_ladder)
    assert others == [first, first]


def test_ladder__durations_agree(tall_ladder):
    lengths = [float(stream["duration"]) for made in tall_ladder for stream in streams(made.path).values()]
    assert max(lengths) - min(lengths) < 0.05
    assert [made.duration for made in tall_ladder] == pytest.approx([5, 5, 5], abs=0.05)


def test_ladder__keyframes_are_the_same_in_every_file_two_seconds_apart(tall_ladder):
    for made in tall_ladder:
        assert keyframes(made.path) == [0, 2, 4]


def test_ladder__index_comes_before_the_data(tall_ladder):
    for made in tall_ladder:
        data = made.path.read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("clockwise", [90, 270])
def test_ladder__turned_video_is_upright_for_every_player(tmp_path, clockwise):
    made = lowest(upright(clockwise), tmp_path)
    assert (made.width, made.height) == (180, 320)
    assert "side_data_list" not in streams(made.path)["video"]
    top, bottom = colours(first_frame(made.path))
    if clockwise == 270:
        top, bottom = bottom, top
    assert is_red(top)
    assert is_blue(bottom)


def test_ladder__video_filmed_upside_down_is_upright(tmp_path):
    left, right = colours(first_frame(lowest(upright(180), tmp_path).path))
    assert is_blue(left)
    assert is_red(right)


def test_ladder__wide_pixels_become_square(tmp_path):
    made = lowest(film(*picture("160x120"), *X264, "-vf", "setsar=2/1"), tmp_path)
    assert (made.width, made.height) == (320, 120)


def test_ladder__silent_video_stays_silent(tmp_path):
    assert set(streams(lowest(silent(), tmp_path).path)) == {"video"}


def test_ladder__sound_that_starts_late_stays_in_time(tmp_path):
    late = film(*picture(seconds=3), "-itsoffset", "1", *sound(2), *X264, "-c:a", "aac")
    audio = streams(lowest(late, tmp_path).path)["audio"]
    assert float(audio["start_time"]) == pytest.approx(0, abs=0.03)
    assert float(audio["duration"]) == pytest.approx(3, abs=0.05)


def test_ladder__surround_sound_becomes_stereo(tmp_path):
    surround = film(*picture(), *sound(), *X264, "-c:a", "ac3", "-ac", "6", name="film.mkv")
    assert streams(lowest(surround, tmp_path).path)["audio"]["channels"] == 2


def test_ladder__metadata_and_chapters_are_dropped(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text(
        ";FFMETADATA1\ntitle=Our house\nlocation=+19.4326-099.1332/\n[CHAPTER]\nSTART=0\nEND=1000000\ntitle=Kitchen\n"
    )
    named = film("-i", str(talkie()), "-i", str(notes), "-map_metadata", "1", "-map_chapters", "1", "-c", "copy")
    assert b"Our house" in named.read_bytes()
    made = lowest(named, tmp_path)
    assert not {"title", "location"} & set(seen(made.path, "-show_format")["format"]["tags"])
    assert seen(made.path, "-show_chapters")["chapters"] == []
    assert not [word for word in (b"Our house", b"19.4326", b"Kitchen") if word in made.path.read_bytes()]


def test_ladder__variable_rate_keeps_its_times(tmp_path):
    jumpy = film(*picture(rate=10), *X264, "-vf", "select='not(between(n,5,11))'", "-vsync", "vfr")
    made = lowest(jumpy, tmp_path)
    assert times(made.path) == pytest.approx(times(jumpy), abs=0.002)


def times(path):
    """The times of a file's frames; the test fails if two are the same."""
    packets = seen(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
    found = sorted(float(packet["pts_time"]) for packet in packets)
    assert len(set(found)) == len(found)
    return found


def test_ladder__ntsc_rate_is_exact(tmp_path):
    assert streams(lowest(silent(rate="30000/1001"), tmp_path).path)["video"]["avg_frame_rate"] == "30000/1001"


def test_ladder__a_hundred_and_twenty_frames_a_second_become_sixty(tmp_path):
    assert streams(lowest(silent(seconds=1, rate=120), tmp_path).path)["video"]["avg_frame_rate"] == "60/1"


def test_ladder__single_frame_is_a_video(tmp_path):
    assert lowest(silent(seconds=0.1), tmp_path).duration == pytest.approx(0.1, abs=0.02)


def test_ladder__source_with_a_hostile_name(tmp_path):
    source = tmp_path / "-i [v:0|x]'%03d;$(id).mp4"
    source.write_bytes(silent().read_bytes())
    assert lowest(source, tmp_path).width == 320


def test_ladder__progress_rises_to_one(tmp_path):
    told = []
    transcode(talkie("640x360", 4, 30), tmp_path, report=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert len(set(told)) > 2


def test_ladder__sound_alone_has_no_video(tmp_path):
    with pytest.raises(NoVideo):
        transcode(film(*sound(), name="song.m4a"), tmp_path)


def undecodable(folder):
    """An MP4 whose index is whole and whose frames are noise."""
    data = bytearray(film(*picture(seconds=1), *X264, "-movflags", "+faststart").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes((7 * place) % 251 for place in range(len(data) - start))
    path = folder / "noise.mp4"
    path.write_bytes(data)
    return path


def test_ladder__noise_for_frames_is_corrupt_with_the_decoders_words(tmp_path):
    with pytest.raises(Corrupt) as caught:
        lowest(undecodable(tmp_path), tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_ladder__file_cut_off_is_corrupt_and_says_how_much_is_missing(tmp_path):
    whole = film(*picture(seconds=8), *X264, "-movflags", "+faststart").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupt, match="seconds are missing"):
        lowest(tmp_path / "cut.mp4", tmp_path)


def test_ladder__full_disk_is_ours(tmp_path):
    (tmp_path / "mp4-360.mp4").symlink_to("/dev/full")
    with pytest.raises(child.DiskFailed, match="No space left"):
        lowest(silent(), tmp_path)


def test_ladder__piece_that_cannot_be_read_is_ours(tmp_path):
    facts, part = Facts("video", "mov", 640, 360, duration=5), Part(0, 0, 5, 50)
    with pytest.raises(IsADirectoryError):
        ladder.check(Piece("mp4-360", tmp_path), part, facts, "")


def test_ladder__missing_ffmpeg_is_ours(tmp_path, monkeypatch):
    told = order(silent(), tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="ffprobe"):
        ladders.transcode(told)


def test_ladder__output_larger_than_any_good_one_is_stopped(tmp_path, monkeypatch):
    bounds = child.Bounds(seconds=20, stall=20, memory=ladder.MEMORY, file_size=10_000)
    monkeypatch.setattr(ladder, "bounds_of", lambda *_: bounds)
    with pytest.raises(ResourceLimit):
        lowest(silent("640x360"), tmp_path)


def encoders(source):
    """The pids of the ffmpeg processes that read this source."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"ffmpeg" and f"file:{source}".encode() in words:
            found.append(int(path.parent.name))
    return found


def long_film(folder):
    """A source of its own, so that its encoder can be told from others; some seconds of work."""
    path = folder / "long.mp4"
    path.write_bytes(talkie("1280x720", 20, 25).read_bytes())
    return path


def test_ladder__report_that_raises_stops_the_encoder(tmp_path):
    source = long_film(tmp_path)
    running = []

    def lose(fraction):
        running.extend(encoders(source))
        if running:
            raise LostError

    with pytest.raises(LostError):
        transcode(source, tmp_path, report=lose)
    assert running
    assert encoders(source) == []


def test_ladder__encoder_dies_with_the_worker(tmp_path):
    source = long_film(tmp_path)
    worker = subprocess.Popen(
        [sys.executable, "-m", "processing.engines.videos", str(source), str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: encoders(source))
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    wait_until(lambda: not encoders(source))


def wait_until(condition, within=20):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_progress__same_line_again_is_no_sign_of_life(tmp_path):
    progress = Progress(Order(tmp_path, tmp_path), seconds=10)
    lines = ["out_time_us=1000000", "out_time_us=1000000", "out_time_us=2000000", "speed=9x", "frame=3"]
    assert [progress.read(line) for line in lines] == [True, False, True, False, True]


def test_progress__never_falls_and_leaves_the_end_to_the_last_look(tmp_path):
    progress = Progress(Order(tmp_path, tmp_path), seconds=10)
    for line in ("out_time_us=5000000", "out_time_us=N/A", "out_time_us=-99", "out_time_us=400"):
        progress.read(line)
    assert progress.fraction == 0.5
    progress.read("out_time_us=99000000")
    assert progress.fraction == 0.99


def test_progress__goes_by_frames_where_they_are_known(tmp_path):
    progress = Progress(Order(tmp_path, tmp_path), frames=40)
    progress.read("frame=10")
    progress.read("out_time_us=99000000")
    assert progress.fraction == 0.25


def test_command_line__makes_everything_and_prints_json(tmp_path):
    command = [sys.executable, "-m", "processing.engines.videos", str(talkie()), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    answer = json.loads(done.stdout)
    presets_made = list(dict.fromkeys(made["preset"] for made in answer["files"]))
    assert presets_made == ["source", "poster", "mp4-360", "hls", "storyboard", "preview"]
    names = [made["name"] for made in answer["files"] if made["preset"] == "hls"]
    assert names == ["", "360.m3u8", "360.mp4", "audio.m3u8", "audio.mp4"]
    assert {path.name for path in tmp_path.iterdir()} == {Path(made["path"]).name for made in answer["files"]}
    assert answer["facts"]["duration"] == pytest.approx(2, abs=0.1)
