"""What each video encoder is told, by the codec of a rung. Data, and pure functions of it."""

from collections.abc import Callable, Mapping
from typing import Any

from processing.engines import ffmpeg
from processing.facts import Limits
from processing.presets import Rung

FARTHEST = 600  # frames between keyframes: never reached, as 2 s have 120 frames at most


def options(rung: Rung, frame_rate: float, limits: Limits) -> dict[str, Any]:
    """Options of the encoder of one rung: quality, cap, and keyframes nowhere but where they are forced.

    Every GOP is closed, so that it decodes alone.
    """
    return {**ENCODERS[rung.codec](rung, frame_rate), "threads:v": ffmpeg.threads(limits)}


def _h264(rung: Rung, frame_rate: float) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset:v": rung.speed,
        "profile:v": "high",
        **_capped(rung),
        "sc_threshold:v": 0,
        "g:v": FARTHEST,
        "flags:v": "+cgop",
        # Levels and rate control go by a rate that the filters do not tell.
        "x264-params": f"fps={frame_rate:.3f}",
    }


def _hevc(rung: Rung, frame_rate: float) -> dict[str, Any]:
    # Players of Apple's want hvc1. x265 has a pool of threads of its own beside ffmpeg's.
    told = {"open-gop": 0, "scenecut": 0, "keyint": FARTHEST, "fps": f"{frame_rate:.3f}", "log-level": "error"}
    return {
        "c:v": "libx265",
        "preset:v": rung.speed,
        "profile:v": "main",
        "tag:v": "hvc1",
        "forced-idr:v": 1,
        **_capped(rung),
        "x265-params": ":".join(f"{name}={value}" for name, value in (told | {"pools": 1}).items()),
    }


def _av1(rung: Rung, frame_rate: float) -> dict[str, Any]:
    told = {
        "keyint": FARTHEST,
        "enable-force-key-frames": 1,
        "scd": 0,
        "irefresh-type": 2,
        "mbr": rung.maxrate,
        "lp": 1,
    }
    return {
        "c:v": "libsvtav1",
        "preset:v": rung.speed,
        "crf:v": rung.crf,
        "svtav1-params": ":".join(f"{name}={value}" for name, value in told.items()),
    }


def _vp9(rung: Rung, frame_rate: float) -> dict[str, Any]:
    return {
        "c:v": "libvpx-vp9",
        "deadline:v": "good",
        "cpu-used:v": rung.speed,
        "row-mt:v": 1,
        "crf:v": rung.crf,
        "b:v": f"{rung.maxrate}k",  # libvpx: with a quality given, this is the cap
        "g:v": FARTHEST,
    }


def _capped(rung: Rung) -> dict[str, Any]:
    """A quality, and the most that a hard scene may cost."""
    return {"crf:v": rung.crf, "maxrate:v": f"{rung.maxrate}k", "bufsize:v": f"{2 * rung.maxrate}k"}


ENCODERS: Mapping[str, Callable[[Rung, float], dict[str, Any]]] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vp9,
}
