"""A film cut into parts and joined again is the film: each frame once, at its time, with its sound."""

import re
import subprocess
from dataclasses import replace

import pytest
from films import X264, film, picture, seen, sound

from processing import presets
from processing.engines import audio, ladder, packaging, videos
from processing.facts import Limits, Order

LIMITS = Limits(threads=1)
SMALL = 0.018  # seconds of work: so that six seconds of 320x180 make some parts
NOISE = ("-vf", "geq=random(1)*255:128:128,scale=320:180", "-b:v", "1M", "-x264-params", "open-gop=1")
KEYS = ("-g", "12", "-keyint_min", "12", "-sc_threshold", "0")


def open_gop(**more):
    return film(*picture(seconds=6, rate=12), *X264[:2], "-preset", "veryfast", "-pix_fmt", "yuv420p", *KEYS,
                "-x264-params", "open-gop=1:bframes=3:b-adapt=0", **more)  # fmt: skip


def constant(**more):
    return film(*picture(seconds=6, rate=12), *sound(6), *X264[:2], "-preset", "veryfast", "-pix_fmt", "yuv420p", *KEYS,
                "-bf", "2", "-c:a", "aac", **more)  # fmt: skip


def trimmed():
    """A film whose first seconds an edit list hides, cut by copying in the midst of a GOP."""
    return film("-ss", "1.5", "-i", str(constant()), "-c", "copy")


def uneven(**more):
    times = "select='not(between(mod(n,17),5,8))',setpts=PTS+mod(N\\,3)*0.01/TB"
    return film(*picture(seconds=6, rate=24), *sound(6), *X264, *KEYS, "-vf", times, "-fps_mode", "passthrough",
                "-enc_time_base", "1/90000", "-c:a", "aac", **more)  # fmt: skip


def woven():
    weave = "tinterlace=mode=interleave_top,setfield=tff"
    return film(*picture(seconds=6, rate=24), *X264, *KEYS, "-vf", weave, "-flags", "+ilme+ildct")


def fast():
    return film(*picture(seconds=3, rate=120), *X264, "-g", "51", "-bf", "2")


FILMS = {
    "constant": constant,
    "open GOP": open_gop,
    "edit list": trimmed,
    "uneven": uneven,
    "uneven in milliseconds": lambda: uneven(name="film.mkv"),
    "Matroska with B-frames": lambda: constant(name="film.mkv"),
    "Matroska with an open GOP": lambda: open_gop(name="film.mkv"),
    "transport stream": lambda: constant(name="film.ts"),
    "interlaced": woven,
    "120 a second": fast,
    "odd size": lambda: film(*picture("321x181", 6, 12, "testsrc"), *X264[:4], "-pix_fmt", "yuv444p", *KEYS),
}


def inspected(source, folder, work=SMALL):
    return videos.inspect(Order(source, folder, limits=replace(LIMITS, part=work)))


def made(source, folder, product):
    """The MP4 of the lowest rung, by way of the parts of an inspection."""
    facts = product.facts
    order = Order(source, folder, facts, presets.LADDER[:1], limits=LIMITS)
    pieces = []
    for part in product.parts:
        inside = folder / f"part-{part.number}"
        inside.mkdir(parents=True)
        pieces.append(ladder.transcode(replace(order, folder=inside, part=part)).pieces[0].path)
    heard = {piece.name: (piece.path,) for piece in audio.encode(order).pieces}
    whole = packaging.package(replace(order, pieces={"mp4-360": tuple(pieces), **heard}))
    return whole.files[0].path


def times(path):
    packets = seen(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
    return sorted(float(packet["pts_time"]) for packet in packets)


def worst_ssim(a, b):
    """The least SSIM of any two frames of the same number."""
    graph = "[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N[b];[a][b]ssim=stats_file=-"
    command = [
        "ffmpeg",
        "-nostdin",
        "-loglevel",
        "error",
        "-i",
        a,
        "-i",
        b,
        "-filter_complex",
        graph,
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return min(float(value) for value in re.findall(r"All:([\d.]+)", said))


@pytest.mark.parametrize("name", FILMS)
def test_parts__joined_are_the_film_made_in_one(name, tmp_path):
    source = FILMS[name]()
    cut, whole = inspected(source, tmp_path), inspected(source, tmp_path, work=1e9)
    assert (len(cut.parts) > 2, len(whole.parts)) == (True, 1)
    joined, one = made(source, tmp_path / "cut", cut), made(source, tmp_path / "one", whole)
    assert len(times(joined)) == sum(part.frames for part in cut.parts) == whole.parts[0].frames
    assert times(joined) == pytest.approx(times(one), abs=1e-5)
    assert worst_ssim(joined, one) > 0.95


def holding(source, ranges, folder):
    """A file of the source's length that holds these bytes of it and zeros elsewhere."""
    path = folder / source.name
    data = source.read_bytes()
    with path.open("wb") as opened:
        opened.truncate(len(data))
        for start, end in ranges:
            opened.seek(start)
            opened.write(data[start:end])
    return path


def long_one():
    """A film large enough that a part needs less than the whole of it."""
    return film(*picture("80x45", 20, 24, "nullsrc"), *sound(20), *NOISE, *X264[:2], "-preset", "ultrafast",
                "-pix_fmt", "yuv420p", "-g", "24", "-bf", "2", "-c:a", "aac")  # fmt: skip


def hidden_start():
    return film("-ss", "1.5", "-i", str(long_one()), "-c", "copy", "-movflags", "+faststart")


def sums(path):
    return seen(path, "-show_entries", "packet=pts,dts,data_hash", "-show_data_hash", "md5")


@pytest.mark.parametrize("make", [long_one, hidden_start])
def test_ranges__are_all_that_a_part_reads(make, tmp_path):
    source = make()
    product = inspected(source, tmp_path, work=0.14)
    assert len(product.parts) > 2
    for part in product.parts:
        sparse = holding(source, part.ranges, tmp_path)
        order = Order(source, tmp_path, product.facts, presets.LADDER[:1], part, limits=LIMITS)
        whole = sums(ladder.transcode(order).pieces[0].path)
        assert sums(ladder.transcode(replace(order, source=sparse)).pieces[0].path) == whole
    held = [sum(end - start for start, end in part.ranges) for part in product.parts]
    assert max(held) < 0.7 * source.stat().st_size
