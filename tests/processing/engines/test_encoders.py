"""What each encoder is told, and that its pieces begin with a keyframe where they are asked to."""

from dataclasses import replace

import pytest
from films import X264, film, keyframes, picture, streams

from processing import presets
from processing.engines import alone, audio, encoders, ladder, packaging, videos
from processing.facts import Limits, Order

LIMITS = Limits(threads=2)
FIRST = {"h264": presets.LADDER[0], "hevc": presets.HEVC[0], "av1": presets.AV1[0], "vp9": presets.VP9[0]}


def test_options__of_h264():
    assert encoders.options(presets.LADDER[2], 29.97, LIMITS) == {
        "c:v": "libx264",
        "preset:v": "veryfast",
        "profile:v": "high",
        "crf:v": 23,
        "maxrate:v": "3500k",
        "bufsize:v": "7000k",
        "sc_threshold:v": 0,
        "g:v": 600,
        "flags:v": "+cgop",
        "x264-params": "fps=29.970",
        "threads:v": 2,
    }


@pytest.mark.parametrize("codec", encoders.ENCODERS)
def test_options__each_has_its_quality_its_speed_and_a_cap(codec):
    rung = replace(FIRST[codec], crf=31, maxrate=1234, speed="6")
    told = encoders.options(rung, 25, LIMITS)
    assert told["crf:v"] == 31
    assert "6" in (told.get("preset:v"), told.get("cpu-used:v"))
    assert "1234" in " ".join(str(value) for value in told.values())
    assert told["threads:v"] == 2


def test_presets__of_other_codecs_are_off():
    others = (*presets.HEVC, *presets.AV1, *presets.VP9)
    assert not set(others) & set(presets.LADDER)
    assert {rung.codec for rung in others} == set(encoders.ENCODERS) - {"h264"}
    assert {rung.codec for rung in presets.LADDER} == {"h264"}


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_ladder__parts_of_each_codec_join_with_keyframes_every_two_seconds(tmp_path, codec):
    source = film(*picture("320x180", 6), *X264, "-g", "10")
    rungs = (presets.LADDER[0], FIRST[codec])
    order = Order(source, tmp_path, presets=(*rungs, presets.HLS), limits=replace(LIMITS, part=0.02))
    steps = (
        alone.Step(audio.encode, alone.nothing),
        alone.Step(ladder.transcode, lambda _: rungs, by_part=True),
        alone.Step(packaging.package, lambda _: order.presets),
    )
    assert len(videos.inspect(order).parts) > 1
    files = alone.make_all(videos.inspect, steps, order).files
    (made,) = (made for made in files if made.preset == FIRST[codec].name)
    found = streams(made.path)["video"]
    assert (found["codec_name"], found["nb_frames"]) == (codec, "60")
    assert {0, 2, 4} <= set(keyframes(made.path))
    assert [made.name for made in files if made.preset == "hls"] == ["", "360.m3u8", "360.mp4"]
