"""Tiny real HLS as the pipeline's packager names its files, and films published without a worker."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

from django.utils import timezone

from processing import events, runner, storage
from processing.models import Job, Rendition, Run
from tests.processing.engines import films
from uploads.models import Original

SECONDS = 24
RUNGS = {180: (320, 180), 360: (640, 360)}
PLAYLIST, MP4, VTT = "application/vnd.apple.mpegurl", "video/mp4", "text/vtt"
MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=320x180,CODECS="avc1.64000d,mp4a.40.2",AUDIO="audio"
180.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.64001e,mp4a.40.2",AUDIO="audio"
360.m3u8
"""
BOARD = "WEBVTT\n\n" + "\n".join(
    f"00:00:{at:02}.000 --> 00:00:{at + 6:02}.000\nstoryboard.webp#xywh={at // 6 * 160},0,160,90\n"
    for at in range(0, SECONDS, 6)
)
WORDS = "WEBVTT\n\n00:00:00.000 --> 00:00:11.000\nBuenos días\n"


@functools.cache
def hls() -> Path:
    """A folder with the master, a playlist and a file for each rung and for the sound, as fMP4 in byte ranges."""
    folder = Path(tempfile.mkdtemp(dir=films.FOLDER))
    source = films.film(
        *films.picture("640x360", SECONDS), *films.sound(SECONDS), *films.X264, "-c:a", "aac", "-g", "20"
    )
    for name, words in {
        "180": ("-map", "0:v", "-s", "320x180", *films.X264, "-profile:v", "high", "-g", "20"),
        "360": ("-map", "0:v", *films.X264, "-profile:v", "high", "-g", "20"),
        "audio": ("-map", "0:a", "-c", "copy"),
    }.items():
        packing = ("-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4")
        one_file = ("-hls_flags", "single_file", "-hls_segment_filename", f"{folder}/{name}.mp4")
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(source), *words, *packing, *one_file]
        subprocess.run([*command, f"{folder}/{name}.m3u8"], check=True)
    (folder / "hls.m3u8").write_text(MASTER)
    return folder


@functools.cache
def mp4(lines: int) -> Path:
    """A rung with sound, joined by copying."""
    streams = (str(hls() / f"{lines}.mp4"), "-i", str(hls() / "audio.mp4"))
    return films.film("-i", *streams, "-c", "copy", "-movflags", "+faststart", name=f"{lines}.mp4")


@functools.cache
def still(width: int, height: int) -> Path:
    return films.film("-f", "lavfi", "-i", f"mandelbrot=s={width}x{height}", "-frames:v", "1", name="still.webp")


def a_film(owner, name="walk.mp4") -> Original:
    """An original of which nothing is made yet but the facts."""
    facts = {
        "kind": "video",
        "format": "mov",
        "width": 640,
        "height": 360,
        "duration": float(SECONDS),
        "frame_rate": 10.0,
    }
    original = Original.objects.create(
        owner=owner,
        name=name,
        kind="video",
        bytes=1000,
        sha256="0" * 64,
        key=f"originals/{uuid4()}",
        facts=facts,
        created_at=timezone.now(),
    )
    runner.start(original)
    set_status(original, "processing", 0.25)
    return original


def set_status(original: Original, status: str, progress: float) -> None:
    Run.objects.filter(original=original).update(status=status, progress=progress)
    Job.objects.filter(run__original=original, step="ladder").update(progress=progress, status="running")


def publish(original, preset, path, kind, *, name="", size=(640, 360), version=1) -> Rendition:
    """A finished file of this preset, from a copy of `path`."""
    key = f"renditions/{original.pk}/{preset}.{uuid4().hex[:8]}{path.suffix}"
    copy = path.with_name(f"{uuid4()}{path.suffix}")
    shutil.copyfile(path, copy)
    taken = path.stat().st_size
    storage.keep(copy, key)
    return Rendition.objects.create(
        original=original,
        preset=preset,
        name=name,
        version=version,
        key=key,
        content_type=kind,
        width=size[0],
        height=size[1],
        duration=SECONDS,
        bytes=taken,
        sha256="0" * 64,
    )


def publish_source(original) -> Rendition:
    return publish(original, "source", mp4(360), MP4)


def publish_rungs(original) -> None:
    for lines, size in RUNGS.items():
        publish(original, f"mp4-{lines}", mp4(lines), MP4, size=size)


def publish_hls(original) -> None:
    folder = hls()
    publish(original, "hls", folder / "hls.m3u8", PLAYLIST)
    for name in ("180", "360", "audio"):
        publish(original, "hls", folder / f"{name}.m3u8", PLAYLIST, name=f"{name}.m3u8")
        publish(original, "hls", folder / f"{name}.mp4", MP4, name=f"{name}.mp4")


def publish_extras(original) -> None:
    """Poster, storyboard, and subtitles in two languages."""
    folder = hls()
    (folder / "board.vtt").write_text(BOARD)
    (folder / "words.vtt").write_text(WORDS)
    publish(original, "poster", still(640, 360), "image/webp")
    publish(original, "storyboard", still(640, 90), "image/webp", size=(640, 90))
    publish(original, "storyboard", folder / "board.vtt", VTT, name="storyboard.vtt")
    publish(original, "subtitles", folder / "words.vtt", VTT)
    publish(original, "subtitles", folder / "words.vtt", VTT, name="spa-2.vtt")


def finish(original) -> None:
    """As a run ends: everything is made, and whoever looks is told."""
    publish_rungs(original)
    publish_hls(original)
    set_status(original, "ready", 1)
    events.tell(original.run)
