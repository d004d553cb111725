"""Small media that a chaos run sends, and what each of them deserves."""

import functools
import io
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.conftest import fresh, photo_bytes


@dataclass(frozen=True)
class Medium:
    """`deserves` is the code of its failure: of the run, or of the refusal at the door; empty where it gets ready."""

    name: str
    weight: int
    make: Callable[[], bytes]
    deserves: str = ""
    is_refused: bool = False

    def data(self) -> bytes:
        """Its bytes, as nobody has sent them before."""
        return fresh(self.make())


def photo(width: int, height: int) -> Callable[[], bytes]:
    return functools.cache(lambda: photo_bytes((width, height), quality=90))


@functools.cache
def animation() -> bytes:
    file = io.BytesIO()
    first, *others = [Image.new("RGB", (160, 120), (shade, 80, 200 - shade)) for shade in range(0, 200, 40)]
    first.save(file, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    return file.getvalue()


def film(seconds: int, size: str) -> Callable[[], bytes]:
    @functools.cache
    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "film.mp4")
            pictures = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=10:d={seconds}"]
            sound = ["-f", "lavfi", "-i", f"sine=440:d={seconds}"]
            codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p", "-c:a", "aac"]
            words = ["ffmpeg", "-nostdin", "-v", "error", *pictures, *sound, *codecs, "-shortest", str(path)]
            subprocess.run(words, check=True)
            return path.read_bytes()

    return make


def torn_photo() -> bytes:
    """Its header, and a tenth of the picture."""
    data = photo(800, 600)()
    return data[: len(data) // 10]


def torn_film() -> bytes:
    """Its end, where an index would be, is missing."""
    data = film(2, "320x180")()
    return data[: len(data) // 2]


MEDIA = {
    "photo": Medium("IMG_1.JPG", 7, photo(640, 480)),
    "large": Medium("large.jpg", 2, photo(2400, 1800)),
    "animation": Medium("wave.gif", 2, animation),
    "walk": Medium("walk.mp4", 2, film(2, "320x180")),
    "film": Medium("film.mp4", 1, film(4, "640x360")),
    "torn photo": Medium("torn.jpg", 1, torn_photo, "corrupt"),
    "torn film": Medium("torn.mp4", 1, torn_film, "corrupt"),
    "text": Medium("text.jpg", 1, lambda: b"no picture at all, whatever it is called", "unsupported_type", True),
}
