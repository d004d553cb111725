"""Clips to measure on: photos of Debian's wallpaper packages, panned over and grained as a camera would."""

import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parents[3] / ".venv-bench/lib"
PHOTOS = Path("/usr/share/backgrounds")
SCENE = 5  # seconds of each photo: hard cuts and slow pans, as people film
FRAME = "scale={wide}:{high}:force_original_aspect_ratio=increase,crop={wide}:{high}"
PAN = "crop={w}:{h}:x='(iw-ow)*t/{scene}':y='(ih-oh)*(1-t/{scene})',noise=alls={grain}:allf=t,setsar=1,format=yuv420p"


def run(*words) -> str:
    """Run a program of ours to its end; what it says on stderr."""
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stderr


def with_vmaf() -> Path:
    """An ffmpeg with libvmaf: that of the package imageio-ffmpeg, as Debian's has none."""
    found = next(PACKAGES.glob("python*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*"), None)
    return found or sys.exit("there is no ffmpeg with libvmaf: make .setup-bench, or say which by --measure")


def clip(path: Path, seconds: int, size: tuple[int, int], rate: int, overlay: str = "null", *, grain: int = 5,
         mbit: int = 0) -> Path:  # fmt: skip
    """An H.264 and AAC film of that size and length, a keyframe each second; made where it is missing.

    It has as many bits as its pictures need, or `mbit` Mbit/s: cameras spend more, and to decode that costs more.
    """
    if path.exists():
        return path
    photos = sorted(PHOTOS.glob("*.jpg"))
    if not photos:
        raise SystemExit(f"there are no photos in {PHOTOS}: apt-get install lomiri-wallpapers-20.04")
    width, height = size
    scenes = -(-seconds // SCENE)
    inputs, graph = [], []
    large = FRAME.format(wide=width * 5 // 4, high=height * 5 // 4)
    still = f"loop=loop={SCENE * rate - 1}:size=1,setpts=N/{rate}/TB"
    used = min(scenes, len(photos), 6)
    for number in range(used):
        inputs += ["-i", photos[number * len(photos) // used]]
        graph.append(f"[{number}]{large},{still},{PAN.format(w=width, h=height, scene=SCENE, grain=grain)}[v{number}]")
    together = "".join(f"[v{number}]" for number in range(used))
    once = path.with_suffix(".once.mp4")
    graph.append(f"{together}concat=n={used},setpts=N/{rate}/TB[v]")
    bits = ["-b:v", f"{mbit}M", "-maxrate", f"{mbit}M", "-bufsize", f"{mbit}M"] if mbit else ["-crf", "22"]
    encoder = ["-c:v", "libx264", "-preset", "veryfast", *bits, "-g", rate, "-pix_fmt", "yuv420p",
               *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")]  # fmt: skip
    quiet = ["-nostdin", "-loglevel", "error", "-y"]
    run("ffmpeg", *quiet, *inputs, "-filter_complex", ";".join(graph), "-map", "[v]", "-r", rate, *encoder, once)
    beep = f"aevalsrc='0.2*sin(440*2*PI*t)*lt(mod(t,10),0.2)+0.01*random(0)':s=48000:d={seconds}"
    again = ["-c:v", "copy"] if overlay == "null" else ["-vf", overlay, *encoder]
    run("ffmpeg", *quiet, "-stream_loop", -1, "-i", once, "-f", "lavfi", "-i", beep, "-map", "0:v", "-map", "1:a",
        *again, "-c:a", "aac", "-t", seconds, path)  # fmt: skip
    once.unlink()
    return path
