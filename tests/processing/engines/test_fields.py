"""Interlaced films come out as whole frames: no combs, no fields, no second frame for a field."""

import ladders
import numpy as np
import pytest
from films import film, seen, streams
from PIL import Image

from processing import presets
from processing.engines import drafts, previews, videos
from processing.facts import Limits, Order

LIMITS = Limits(threads=1)
# A white bar that moves eight pixels from one field to the next.
MOVING = "nullsrc=s=320x180:r=50:d=1,geq=lum='if(lt(mod(X+8*N,160),60),235,16)':cb=128:cr=128,format=yuv420p"
TOP = "tinterlace=mode=interleave_top,setfield=tff"
BOTTOM = "tinterlace=mode=interleave_bottom,setfield=bff"
FIELDS = ("-flags", "+ilme+ildct")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10")
KINDS = {
    "top field first": (TOP, *H264, "-x264-params", "tff=1"),
    "bottom field first": (BOTTOM, *H264, "-x264-params", "bff=1"),
    "MPEG-2": (TOP, "-c:v", "mpeg2video", "-b:v", "4M", "-top", "1"),
}
NAMES = {"MPEG-2": "film.mpg"}


def woven(kind):
    weave, *encoder = KINDS[kind]
    picture = ("-f", "lavfi", "-i", f"{MOVING},{weave}")
    return film(*picture, *encoder, *FIELDS, name=NAMES.get(kind, "film.mp4"))


def combs(path):
    """How much each line differs from the two around it, in levels of grey, in the film's tenth frame or a still."""
    still = path if path.suffix == ".webp" else film("-ss", "0.4", "-i", str(path), "-frames:v", "1", name="frame.png")
    with Image.open(still) as image:
        lines = np.asarray(image.convert("L"), float)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


def made(source, folder, make, wanted):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return facts, make(Order(source, folder, facts, wanted(facts), limits=LIMITS)).files[0].path


def frames(path):
    return int(seen(path, "-count_frames", "-show_entries", "stream=nb_read_frames")["streams"][0]["nb_read_frames"])


@pytest.mark.parametrize("kind", KINDS)
def test_rung__of_an_interlaced_film_has_whole_frames(tmp_path, kind):
    source = woven(kind)
    facts, path = made(source, tmp_path, ladders.transcode, lambda _: presets.LADDER[:1])
    assert (facts.field_order[0], facts.frame_rate) == ("b" if "bottom" in kind else "t", 25)
    assert combs(source) > 20
    assert combs(path) < 4
    assert streams(path)["video"]["field_order"] == "progressive"
    assert frames(path) == pytest.approx(25, abs=1)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (previews.make, presets.preview),
        (drafts.make_draft, lambda _: presets.LADDER[:1]),
        (videos.grab_poster, presets.poster),
    ],
)
def test_whatever_else_is_seen__has_whole_frames_too(tmp_path, monkeypatch, make, wanted):
    monkeypatch.setattr(drafts, "pays", lambda _: True)
    assert combs(made(woven("top field first"), tmp_path, make, wanted)[1]) < 4
