"""What pieces are joined to: sound in time, HLS by its rules."""

import json
import re
import subprocess
from dataclasses import replace
from os import truncate

import pytest
import rfc8216
from films import X264, film, picture, seen, silent, sound, streams

from processing import presets
from processing.engines import alone, audio, fragments, joining, ladder, packaging, videos
from processing.errors import Corrupt
from processing.facts import Limits, Order
from processing.outages import is_outage

LIMITS = Limits(threads=1, part=0.017)
STEPS = tuple(step for step in videos.STEPS if step.make in (audio.encode, ladder.transcode, packaging.package))


def packaged(source, folder, limits=LIMITS):
    """All that a film is packaged to, by name."""
    files = alone.make_all(videos.inspect, STEPS, Order(source, folder, limits=limits)).files
    return {made.name or made.preset: made for made in files}


def tall():
    return film(*picture("722x1280", 10, 12), *sound(9), *X264, "-g", "15", "-c:a", "aac")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three rungs of ten seconds in some parts, with sound."""
    folder = tmp_path_factory.mktemp("whole")
    return packaged(tall(), folder, replace(LIMITS, part=1.7))


def test_hls__keeps_the_rules(whole):
    variants, heard = rfc8216.check(whole["hls"].path)
    assert [variant.file.name for variant in variants] == ["360.mp4", "480.mp4", "720.mp4"]
    assert heard.file.name == "audio.mp4"
    assert len(variants[0].segments) == 3


def test_hls__names_its_companions_as_its_playlists_do(whole):
    named = {name for name, made in whole.items() if made.preset == "hls" and made.name}
    spoken = {
        name for made in whole.values() if made.path.suffix == ".m3u8"
        for name in re.findall(r'(?:URI="|^)([a-z0-9.]+\.(?:m3u8|mp4))', made.path.read_text(), re.MULTILINE)
    }  # fmt: skip
    assert named == spoken
    assert all(made.path.name == (made.name or "hls.m3u8") for made in whole.values() if made.preset == "hls")


def test_hls__has_the_frames_of_the_download(whole):
    def times(path):
        packets = seen(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
        return sorted(float(packet["pts_time"]) for packet in packets)

    for side in (360, 480, 720):
        assert times(whole[f"{side}.mp4"].path) == pytest.approx(times(whole[f"mp4-{side}"].path), abs=1e-5)


def test_hls__silent_film_has_no_group_of_sounds(tmp_path):
    made = packaged(silent(seconds=5), tmp_path)
    assert set(made) == {"mp4-360", "hls", "360.m3u8", "360.mp4"}
    assert rfc8216.check(made["hls"].path)[1] is None
    assert "AUDIO" not in made["hls"].path.read_text()


def test_hls__film_of_a_single_frame_keeps_the_rules(tmp_path):
    rfc8216.check(packaged(silent(seconds=0.1), tmp_path)["hls"].path)


def test_hls__plays_from_its_master_with_picture_and_sound(whole):
    command = ["ffprobe", "-loglevel", "error", "-allowed_extensions", "ALL", "-print_format", "json", "-show_streams",
               "-show_format", str(whole["hls"].path)]  # fmt: skip
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert sorted(stream["codec_type"] for stream in answer["streams"]) == ["audio", *["video"] * 3]
    assert float(answer["format"]["duration"]) == pytest.approx(10, abs=0.1)


def filtered(path, *words):
    """What ffmpeg says of a file that goes through a filter, by the clock of the file."""
    command = ["ffmpeg", "-nostdin", "-copyts", "-i", path, *words, "-f", "null", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def beeps(path):
    """When silence ends in a file's sound."""
    said = filtered(path, "-map", "0:a:0", "-af", "silencedetect=n=-40dB:d=0.3")
    return [float(time) for time in re.findall(r"silence_end: ([\d.]+)", said)]


def flashes(path):
    """When black ends in a file's picture."""
    said = filtered(path, "-map", "0:v:0", "-vf", "blackdetect=d=0.3:pix_th=0.3")
    return [float(time) for time in re.findall(r"black_end:([\d.]+)", said)]


WHITE = "drawbox=c=white:t=fill:enable='lt(mod(t+0.5,1),0.2)'"
BEEP = "aevalsrc='if(lt(mod(t+0.5,1),0.2),sin(880*2*PI*t),0)':s=48000:d={}"


def clapper(*words, seconds=5, name="film.mp4"):
    """A film that flashes and beeps together, each second."""
    flash = ("-f", "lavfi", "-i", f"color=black:s=160x90:r=20:d={seconds},{WHITE}")
    beep = ("-f", "lavfi", "-i", BEEP.format(seconds))
    return film(*flash, *beep, *X264, "-g", "10", "-c:a", "aac", *words, name=name)


def shifted(picture_late, sound_late):
    """A clapper whose streams begin later by so many seconds, with their clocks kept."""
    source = str(clapper())
    return film("-itsoffset", picture_late, "-i", source, "-itsoffset", sound_late, "-i", source, "-map", "0:v",
                "-map", "1:a", "-c", "copy")  # fmt: skip


CLAPPERS = {
    "plain": clapper,
    "transport stream": lambda: clapper(name="film.ts"),
    "matroska": lambda: clapper(name="film.mkv"),
    "edit list": lambda: film("-ss", "1.3", "-i", str(clapper()), "-c", "copy"),
    "both late": lambda: shifted("0.7", "0.7"),
}


@pytest.mark.parametrize("name", CLAPPERS)
def test_sound__is_in_time_through_all_parts(name, tmp_path):
    made = packaged(CLAPPERS[name](), tmp_path, replace(LIMITS, part=0.0035))
    for seen_in, heard_in in (("mp4-360", "mp4-360"), ("360.mp4", "audio.mp4")):
        seen_at, heard_at = flashes(made[seen_in].path), beeps(made[heard_in].path)
        assert len(seen_at) >= 3
        assert seen_at == pytest.approx(heard_at[: len(seen_at)], abs=0.01)


@pytest.mark.parametrize(("picture_late", "sound_late"), [("0", "0.7"), ("0.7", "0")])
def test_sound__that_begins_apart_from_the_picture_stays_apart(picture_late, sound_late, tmp_path):
    made = packaged(shifted(picture_late, sound_late), tmp_path, replace(LIMITS, part=0.0035))
    gap = float(picture_late) - float(sound_late)
    for seen_in, heard_in in (("mp4-360", "mp4-360"), ("360.mp4", "audio.mp4")):
        first_flash, first_beep = flashes(made[seen_in].path)[0], beeps(made[heard_in].path)[0]
        assert (first_flash - first_beep - gap + 0.5) % 1 - 0.5 == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seconds", [1, 4])
def test_sound__shorter_or_longer_than_the_picture_keeps_its_length(seconds, tmp_path):
    source = film(*picture(seconds=2), *sound(seconds), *X264, "-c:a", "aac")
    made = packaged(source, tmp_path)
    kinds = streams(made["mp4-360"].path)
    assert float(kinds["video"]["duration"]) == pytest.approx(2, abs=0.01)
    assert float(kinds["audio"]["duration"]) == pytest.approx(seconds, abs=0.05)


def test_sound__of_several_tracks_the_first_is_heard(tmp_path):
    quiet = ("-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono:d=2")
    source = film(*picture(), *sound(2), *quiet, *X264, "-map", "0", "-map", "1", "-map", "2", "-c:a", "aac")
    made = packaged(source, tmp_path)
    assert len(seen(made["mp4-360"].path, "-show_streams")["streams"]) == 2
    assert loudness(made["mp4-360"].path) > -40


def loudness(path):
    said = filtered(path, "-map", "0:a:0", "-af", "ebur128")
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])


def encoded(source, folder, **changes):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    wanted = (replace(presets.SOUND, **changes),)
    return audio.encode(Order(source, folder, facts, wanted, limits=LIMITS)).pieces


def test_audio__loudness_is_brought_to_what_is_asked(tmp_path):
    noisy = film(*picture(seconds=5), "-f", "lavfi", "-i", "anoisesrc=d=5:c=pink:a=0.05", *X264, "-c:a", "aac")
    (piece,) = encoded(noisy, tmp_path, loudness=-16.0)
    assert loudness(piece.path) == pytest.approx(-16, abs=1)


def test_audio__silence_has_no_loudness_to_change(tmp_path):
    hushed = film(*picture(), "-f", "lavfi", "-i", "anullsrc=r=44100:cl=mono:d=2", *X264, "-c:a", "aac")
    assert [piece.name for piece in encoded(hushed, tmp_path, loudness=-16.0)] == ["audio"]


def test_audio__silent_film_has_none(tmp_path):
    assert encoded(silent(), tmp_path) == ()


def test_audio__of_which_every_packet_is_lost_is_a_piece_without_a_track(tmp_path):
    whole = film(*picture(), *sound(2), *X264, "-c:a", "aac", "-movflags", "+faststart")
    facts = videos.inspect(Order(whole, tmp_path, limits=LIMITS)).facts
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"mdat") + 100])
    (piece,) = audio.encode(Order(tmp_path / "cut.mp4", tmp_path, facts, limits=LIMITS)).pieces
    assert not audio.has_sound(piece.path)


def pieces_of(source, folder):
    """An order for the packaging of a film, and its pieces."""
    product = videos.inspect(Order(source, folder, limits=LIMITS))
    order = Order(source, folder, product.facts, presets.packages(product.facts), limits=LIMITS)
    made = []
    for part in product.parts:
        (folder / str(part.number)).mkdir()
        made.append(ladder.transcode(replace(order, folder=folder / str(part.number), part=part)).pieces[0].path)
    return order, tuple(made)


def test_package__piece_that_is_missing_at_the_end_is_corrupt(tmp_path):
    order, made = pieces_of(film(*picture(seconds=6), *X264, "-g", "10"), tmp_path)
    assert len(made) > 1
    with pytest.raises(Corrupt, match="seconds are missing"):
        packaging.package(replace(order, pieces={"mp4-360": made[:1]}))


def test_package__piece_that_we_have_cut_short_is_our_fault(tmp_path):
    order, made = pieces_of(film(*picture(seconds=6), *X264, "-g", "10"), tmp_path)
    truncate(made[1], made[1].stat().st_size // 2)
    with pytest.raises(packaging.JoinFailed):
        packaging.package(replace(order, pieces={"mp4-360": made}))


def test_run__piece_that_cannot_be_read_to_its_end_is_a_failing_disk(tmp_path):
    with pytest.raises(OSError, match="Input/output error") as error:
        packaging.run(["sh", "-c", "echo 'file:1.mp4: Input/output error' >&2"], Order(tmp_path, tmp_path))
    assert is_outage(error.value)


def test_package__joint_that_loses_frames_is_never_promised(tmp_path, monkeypatch):
    order, made = pieces_of(film(*picture(seconds=6), *X264, "-g", "10"), tmp_path)
    monkeypatch.setattr(joining, "piece_list", lambda joints: f"ffconcat version 1.0\nfile 'file:{joints[0].path}'\n")
    with pytest.raises(packaging.JoinFailed):
        packaging.package(replace(order, pieces={"mp4-360": made}))


def test_package__says_when_and_how_large(whole):
    assert (whole["hls"].width, whole["hls"].height) == (720, 1276)
    assert whole["hls"].duration == pytest.approx(10, abs=0.1)
    assert {made.content_type for made in whole.values()} == {
        "video/mp4", "audio/mp4", "application/vnd.apple.mpegurl",
    }  # fmt: skip


def test_fragments__know_their_times(whole):
    track = fragments.read(whole["360.mp4"].path)
    assert (track.width, track.height) == (360, 638)
    assert track.fragments[0].begins == 0
    assert track.fragments[-1].ends == pytest.approx(10, abs=1e-4)
    assert sum(fragment.frames for fragment in track.fragments) == 120
