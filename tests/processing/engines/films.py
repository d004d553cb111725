"""Tiny real videos, made by ffmpeg when a test asks for them, once for each description."""

import atexit
import functools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="films-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def picture(size="320x180", seconds=2, rate=10, source="testsrc2"):
    return ("-f", "lavfi", "-i", f"{source}=s={size}:r={rate}:d={seconds}")


def sound(seconds=2):
    return ("-f", "lavfi", "-i", f"sine=d={seconds}:sample_rate=44100")


@functools.cache
def film(*words: str, name: str = "film.mp4") -> Path:
    """The file that `ffmpeg WORDS` makes."""
    path = Path(tempfile.mkdtemp(dir=FOLDER)) / name
    command = [
        "ffmpeg",
        "-nostdin",
        "-loglevel",
        "error",
        "-threads",
        "1",
        *words,
        "-threads",
        "1",
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


def talkie(size="320x180", seconds=2, rate=10) -> Path:
    """A film with picture and sound."""
    return film(*picture(size, seconds, rate), *sound(seconds), *X264, "-c:a", "aac", "-shortest")


def silent(size="320x180", seconds=2, rate=10) -> Path:
    """A film without sound."""
    return film(*picture(size, seconds, rate), *X264)


def upright(clockwise: int) -> Path:
    """Stored 320x180, left half red and right half blue, to be turned by players."""
    halves = ("-f", "lavfi", "-i", "color=red:s=160x180:d=1:r=10,pad=320:180:0:0:blue")
    # Debian 12's ffmpeg has no -display_rotation and writes the tag counterclockwise.
    plain = film(*halves, *X264)
    return film("-i", str(plain), "-c", "copy", "-metadata:s:v:0", f"rotate={360 - clockwise}")


def seen(path: Path, *entries: str) -> dict:
    """What ffprobe says of a file."""
    command = ["ffprobe", "-loglevel", "error", "-print_format", "json", *entries, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def streams(path: Path) -> dict[str, dict]:
    """The streams of a file by type."""
    return {stream["codec_type"]: stream for stream in seen(path, "-show_streams")["streams"]}


def keyframes(path: Path) -> list[float]:
    """The times of a file's keyframes, in seconds."""
    packets = seen(path, "-select_streams", "v", "-show_entries", "packet=pts_time,flags")["packets"]
    return sorted(round(float(p["pts_time"]), 3) for p in packets if "K" in p["flags"])
