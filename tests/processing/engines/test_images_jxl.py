"""JPEG XL, made here: measured before it is decoded, turned once."""

import io
import struct

import numpy as np
import pytest
from pictures import alike, colour, exif, inspect, laid, quarters, render, rendition, shows_quarters
from PIL import Image

from processing.engines import jxl
from processing.errors import Corrupt, MediaError, TooManyPixels

SIZES = [(1, 1), (8, 8), (256, 256), (64, 48), (60, 40), (300, 200), (1920, 1080), (1000, 1001), (9, 4000)]


@pytest.mark.parametrize("use_container", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_size_of__as_the_decoder_finds_it(save, size, use_container):
    source = save(Image.new("RGB", size), "JXL", effort=1, use_container=use_container)
    with source.open("rb") as file:
        assert jxl.size_of(file) == size
    facts = inspect(source)
    assert (facts.format, facts.width, facts.height) == ("JXL", *size)


@pytest.mark.parametrize("content", [b"\xff\x0a", jxl.CONTAINER, jxl.CONTAINER + struct.pack(">I4s", 0, b"free")])
def test_size_of__no_header_is_corrupt(save, content):
    with pytest.raises(Corrupt):
        inspect(save(content))


def test_size_of__a_box_that_leads_nowhere_ends(save):
    with pytest.raises(ValueError, match="codestream"):
        jxl.size_of(io.BytesIO(jxl.CONTAINER + struct.pack(">I4s", 8, b"free") * 100_000))


def test_inspect__bomb_in_jxl_refused_before_it_is_decoded(save, monkeypatch):
    bits = 0 | (3 << 1) | (59_999 << 3) | (1 << 33)  # not small; 30 bits of height; 1:1
    with pytest.raises(TooManyPixels) as error:
        inspect(save(b"\xff\x0a" + bits.to_bytes(12, "little")))
    assert error.value.details["found"] == 3600


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_render__modes_of_jxl(save, mode):
    made = rendition(save(Image.new("RGBA", (64, 64), (90, 90, 90, 255)).convert(mode), "JXL", lossless=True))
    assert alike(colour(made)[:3], (90, 90, 90), 4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_render__jpeg_packed_into_jxl_turned_upright(tmp_path, orientation):
    laid(orientation, 96, 64).save(tmp_path / "photo.jpg", exif=exif(orientation), quality=95)
    with Image.open(tmp_path / "photo.jpg") as photo:
        photo.save(tmp_path / "source", "JXL", lossless_jpeg=True)
    facts = inspect(tmp_path / "source")
    assert (facts.width, facts.height) == (96, 64)
    assert shows_quarters(rendition(tmp_path / "source"))


def test_render__what_exif_in_jxl_says_counts_for_nothing(save):
    assert shows_quarters(rendition(save(quarters(96, 64), "JXL", exif=exif(6).tobytes(), use_container=True)))


def test_render__half_a_jxl_is_corrupt(save):
    whole = save(Image.effect_noise((200, 200), 60).convert("RGB"), "JXL").read_bytes()
    with pytest.raises(Corrupt):
        render(save(whole[: len(whole) // 2]))


def test_render__bytes_of_jxl_changed_never_escape(save):
    whole = save(quarters(128, 96), "JXL").read_bytes()
    random = np.random.default_rng(5)
    for _ in range(60):
        hostile = bytearray(whole)
        for at in random.integers(0, len(whole), 4):
            hostile[at] = random.integers(0, 256)
        try:
            render(save(bytes(hostile)))
        except MediaError:
            continue
