"""HEIF, made here: turned once, in its own colours, and refused like everything else where it is broken."""

import struct
import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from pictures import (
    GREEN,
    P3,
    RED,
    WEBP,
    alike,
    colour,
    exif,
    inspect,
    laid,
    p3_as_srgb,
    quarters,
    render,
    rendition,
    shows_quarters,
)
from PIL import Image

from processing.engines import decoder
from processing.errors import Corrupt, MediaError, TooLarge, TooManyPixels, UnsupportedType


def test_inspect__heif_known_by_its_content(save):
    facts = inspect(save(quarters(64, 64), "HEIF"))
    assert (facts.kind, facts.format, facts.width, facts.height, facts.frames) == ("image", "HEIF", 64, 64, 1)


LAZILY = """
import sys
from pathlib import Path
from processing.engines.images import inspect
from processing.facts import Order
for name in sys.argv[1:]:
    loaded = {"pillow_heif", "pillow_jxl"} & set(sys.modules)
    print(inspect(Order(Path(name), Path("/tmp"))).facts.format, *sorted(loaded))
"""


def test_inspect__libraries_of_rare_formats_are_loaded_by_the_first_of_them(tmp_path):
    names = ("JPEG", "AVIF", "HEIF", "HEIF", "JXL", "JXL", "JPEG")
    for name in set(names):
        quarters(64, 64).save(tmp_path / name, name)
    argv = [sys.executable, "-c", LAZILY, *(str(tmp_path / name) for name in names)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    both = " pillow_heif pillow_jxl"
    assert said == ["JPEG", "AVIF", "HEIF", "HEIF pillow_heif", "JXL pillow_heif", f"JXL{both}", f"JPEG{both}"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_render__turned_once_though_both_boxes_and_exif_say_so(save, orientation):
    source = save(laid(orientation, 120, 80), "HEIF", exif=exif(orientation).tobytes(), quality=90)
    turned_boxes = (b"irot", b"imir")
    assert any(box in source.read_bytes() for box in turned_boxes) == (orientation != 1)
    facts = inspect(source)
    assert (facts.width, facts.height) == (120, 80)
    assert shows_quarters(rendition(source))


def retagged(source, before, after):
    """The bytes of the file with another orientation in its EXIF, and nothing else changed."""
    whole = source.read_bytes()
    tagged = whole.replace(exif(before).tobytes()[6:], exif(after).tobytes()[6:])
    assert tagged != whole
    return tagged


@pytest.mark.parametrize("orientation", range(2, 9))
def test_render__turned_by_exif_where_no_box_says_anything(save, orientation):
    source = save(laid(orientation, 120, 80), "HEIF", exif=exif(1).tobytes(), quality=90)
    source = save(retagged(source, 1, orientation))
    assert not any(box in source.read_bytes() for box in (b"irot", b"imir"))
    facts = inspect(source)
    assert (facts.width, facts.height, facts.orientation) == (120, 80, orientation)
    assert shows_quarters(rendition(source))


def test_render__what_exif_says_beside_a_box_counts_for_nothing(save):
    source = save(laid(6, 120, 80), "HEIF", exif=exif(6).tobytes(), quality=90)
    assert b"irot" in source.read_bytes()
    assert shows_quarters(rendition(save(retagged(source, 6, 3))))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_inspect__orientation_of_heif_out_of_range_is_1(save, value):
    source = save(quarters(120, 80), "HEIF", exif=exif(1).tobytes())
    assert inspect(save(retagged(source, 1, value))).orientation == 1


@pytest.mark.parametrize("tile", [0, 64])
def test_render__one_tile_or_a_grid_of_them(save, tile):
    assert shows_quarters(rendition(save(quarters(300, 200), "HEIF", tile_size=tile)))


def test_render__transparency_of_heif_kept(save):
    picture = Image.new("RGBA", (64, 64), (*RED, 255))
    picture.paste((*RED, 0), (32, 0, 64, 64))
    made = rendition(save(picture, "HEIF", quality=95))
    assert colour(made, 0.2)[3] > 250
    assert colour(made, 0.8)[3] < 5


@pytest.mark.parametrize(("mode", "depth"), [("L;16", 10), ("RGB;16", 10), ("RGB;16", 12)])
def test_render__ten_and_twelve_bits_from_black_to_white(tmp_path, mode, depth):
    channels = 3 if mode.startswith("RGB") else 1
    ramp = np.repeat(np.tile(np.linspace(0, 65535, 64).astype("<u2"), (64, 1))[..., None], channels, axis=2)
    file = pillow_heif.from_bytes(mode, (64, 64), ramp.tobytes())
    file.save(tmp_path / "source", quality=-1, chroma=444, bit_depth=depth)
    made = np.asarray(rendition(tmp_path / "source").convert("L"), int)
    assert np.abs(made[32] - np.linspace(0, 255, 64)).max() < 6


def test_render__profile_of_heif_becomes_srgb(save):
    picture = Image.new("RGB", (64, 64), (200, 100, 100))
    made = rendition(save(picture, "HEIF", icc_profile=P3, quality=100, chroma=444))
    assert alike(colour(made), p3_as_srgb((200, 100, 100)), 5)


def test_render__the_picture_that_the_file_names_first(tmp_path):
    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64), RED))
    file.add_from_pillow(Image.new("RGB", (64, 64), GREEN))
    file.save(tmp_path / "source", primary_index=1)
    assert inspect(tmp_path / "source").frames == 1
    assert alike(colour(rendition(tmp_path / "source")), GREEN)


def test_render__no_thumbnail_shown_in_place_of_the_picture(save):
    source = save(quarters(400, 400), "HEIF", thumbnails=[128])
    with Image.open(source) as image:
        assert image.draft(None, (32, 32)) is None


def test_render__half_a_heif_is_corrupt(save):
    whole = save(Image.effect_noise((300, 200), 60).convert("RGB"), "HEIF").read_bytes()
    for part in (16, 200, len(whole) // 2):
        with pytest.raises(Corrupt):
            render(save(whole[:part]))


def test_render__bytes_of_heif_changed_never_escape(save):
    whole = save(quarters(128, 96), "HEIF").read_bytes()
    random = np.random.default_rng(3)
    for _ in range(60):
        hostile = bytearray(whole)
        for at in random.integers(0, len(whole), 8):
            hostile[at] = random.integers(0, 256)
        try:
            render(save(bytes(hostile)), WEBP)
        except MediaError:
            continue


def test_inspect__heif_of_too_many_pixels(save):
    whole = save(quarters(64, 64), "HEIF").read_bytes()
    size = struct.pack(">II", 64, 64)
    with pytest.raises(TooManyPixels):
        inspect(save(whole.replace(b"ispe\0\0\0\0" + size, b"ispe\0\0\0\0" + struct.pack(">II", 16_000, 16_000))))
    with pytest.raises(TooManyPixels):
        inspect(save(whole), pixels=64 * 64)  # it decodes with more than the usual memory


def test_inspect__too_large_to_be_read_whole(save, monkeypatch):
    source = save(quarters(64, 64), "HEIF")
    monkeypatch.setattr(decoder, "WHOLE_BYTES", source.stat().st_size)
    assert inspect(source).width == 64
    monkeypatch.setattr(decoder, "WHOLE_BYTES", source.stat().st_size - 1)
    with pytest.raises(TooLarge):
        inspect(source)
    assert inspect(save(quarters(64, 64), "BMP")).width == 64  # read a part at a time, however long


@pytest.mark.parametrize("brand", [b"mp42", b"isom", b"crx "])
def test_inspect__a_film_in_the_same_container_is_no_image(save, brand):
    with pytest.raises(UnsupportedType):
        inspect(save(b"\0\0\0\x18ftyp" + brand + bytes(200)))
