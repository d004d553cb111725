"""Files made to break a decoder, sent to the real service: each is refused at once, and nobody else notices."""

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from PIL import Image

from tests.conftest import photo_bytes
from tests.e2e.service import Service, send, until_final

pytestmark = pytest.mark.e2e

REFUSED_WITHIN = 5  # seconds of a job: each takes some hundredths here
WORKER_MIB = 700


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(side: int) -> bytes:
    """A PNG of one colour, a thousandth of what it unfolds to; its pixels are not all there."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(4 << 20))) + chunk(b"IEND", b"")


def gif_bomb(width: int, height: int, frames: int) -> bytes:
    """A GIF whose frames are a pixel each, on a canvas of any size."""
    picture = io.BytesIO()
    Image.new("P", (1, 1)).save(picture, "GIF")
    data = picture.getvalue()
    start, end = data.index(b","), len(data) - 1
    head = data[:6] + struct.pack("<HH", width, height) + data[10:start]
    return head + data[start:end] * frames + b";"


def webp_bomb(side: int) -> bytes:
    frame = b"\x2f" + ((side - 1) | (side - 1) << 14).to_bytes(4, "little") + bytes(8)
    chunks = b"VP8L" + struct.pack("<I", len(frame)) + frame + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def ico_bomb(side: int) -> bytes:
    bomb = png_bomb(side)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bomb), 22) + bomb


def jpeg_lie(side: int) -> bytes:
    """A JPEG of 64 pixels whose header says so many more."""
    data = bytearray(photo_bytes((64, 64)))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def tiff_lie(side: int) -> bytes:
    picture = io.BytesIO()
    Image.new("L", (64, 64)).save(picture, "TIFF")
    data = picture.getvalue()
    for tag in (256, 257):
        entry = struct.pack("<HHI", tag, 4, 1)
        data = data.replace(entry + struct.pack("<I", 64), entry + struct.pack("<I", side))
    return data


BOMBS = {
    "unfolds.png": (png_bomb(13_300), "too_many_pixels"),
    "wide.gif": (gif_bomb(65_535, 65_535, 1), "too_many_pixels"),
    "long.gif": (gif_bomb(8_000, 8_000, 3_000), "too_many_frames"),
    "long-and-wide.gif": (gif_bomb(8_000, 8_000, 400), "too_many_pixels"),
    "allocates.webp": (webp_bomb(16_383), "too_many_pixels"),
    "inside.ico": (ico_bomb(13_000), "too_many_pixels"),
    "lies.jpg": (jpeg_lie(60_000), "too_many_pixels"),
    "lies.tif": (tiff_lie(60_000), "too_many_pixels"),
}


@contextmanager
def watched(service: Service) -> Iterator[list[int]]:
    """The memory in MiB that the image worker had with all below it, again and again."""
    [worker] = [found for found in service.running("worker", "-Q images") if not is_child(found)]
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            seen.append(sum(map(resident, [worker, *worker.children(recursive=True)])) >> 20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def is_child(process: psutil.Process) -> bool:
    """Whether it is a hand of a worker, and not the worker."""
    parent = process.parent()
    return bool(parent and "-Q" in parent.cmdline())


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def test_bombs__each_refused_at_once_while_others_are_made(service):
    photo = photo_bytes((640, 480))
    with service.client("alice") as client, watched(service) as mib:
        bombs, photos = {}, []
        for name, (data, _) in BOMBS.items():
            bombs[name] = send(client, data, name)
            photos.append(send(client, photo, f"after-{name}.jpg"))
        made = until_final(client, photos, 60)
        refused = until_final(client, bombs.values(), 60)
    assert [item["status"] for item in made] == ["ready"] * len(BOMBS)
    found = {item["name"]: (item["error"] or {}).get("code") for item in refused}
    assert found == {name: code for name, (_, code) in BOMBS.items()}
    seconds = {item["name"]: job["seconds"] for item in refused for job in item["jobs"] if job["step"] == "inspect"}
    assert max(seconds.values()) < REFUSED_WITHIN, seconds
    assert 0 < max(mib) < WORKER_MIB
