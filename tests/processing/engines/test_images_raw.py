"""Camera RAW, made here: known from other TIFFs by content, upright, by its preview or by its sensor."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from pictures import (
    BLUE,
    GREEN,
    P3,
    WEBP,
    alike,
    colour,
    inspect,
    laid,
    p3_as_srgb,
    quarters,
    render,
    rendition,
    shows_quarters,
)
from PIL import Image
from raws import LINEAR_RAW, LONG, SHORT, dng, photo

from processing.engines import images, raw
from processing.engines.sandbox import sandboxed
from processing.errors import Corrupt, MediaError, TooManyPixels, UnsupportedType
from processing.facts import Order
from processing.presets import ImagePreset

FULL = ImagePreset("full", 4096, "WEBP", 100)


def test_inspect__known_by_its_content(save):
    facts = inspect(save(dng(photo())))
    assert (facts.kind, facts.format, facts.width, facts.height, facts.frames) == ("image", "RAW", 600, 400, 1)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_inspect__a_tiff_that_is_no_raw_stays_one(save, compression):
    assert inspect(save(quarters(), "TIFF", compression=compression)).format == "TIFF"
    assert inspect(save(quarters(), "TIFF", compression=compression, big_tiff=True)).format == "TIFF"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tag", [(50706, 1, (1, 4, 0, 0)), (262, SHORT, (32803,)), (262, SHORT, (LINEAR_RAW,))])
def test_is_raw__by_each_tag_in_both_byte_orders(order, tag):
    number, kind, values = tag
    value = struct.pack(order + ("4B" if kind == 1 else "H2x"), *values)
    entry = struct.pack(order + "HHI", number, kind, len(values)) + value
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    assert raw.is_raw(io.BytesIO(head + struct.pack(order + "H", 1) + entry + bytes(4)))


def test_is_raw__sensor_below_the_thumbnail():
    below = struct.pack("<HHHIHxx", 1, 262, SHORT, 1, 32803) + bytes(4)
    first = struct.pack("<HHHII", 1, 330, LONG, 1, 26) + bytes(4)
    assert raw.is_raw(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + first + below))
    lists = struct.pack("<HHHII", 1, 330, LONG, 2, 26) + bytes(4) + struct.pack("<II", 5000, 34)
    assert raw.is_raw(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + lists + below))


@pytest.mark.parametrize("following", [8, 4, 0xFFFFFFFF])
def test_is_raw__directories_that_lead_nowhere_end(following):
    loop = struct.pack("<H", 1) + struct.pack("<HHII", 256, LONG, 1, 1) + struct.pack("<I", following)
    assert not raw.is_raw(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + loop))
    assert not raw.is_raw(io.BytesIO(b"II*\0"))


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201FF383501",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"II*\0\x10\0\0\0CR\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ],
)
def test_inspect__only_the_head_of_one_is_refused(save, head):
    with pytest.raises((UnsupportedType, Corrupt)):
        inspect(save(head.ljust(4000, b"\0")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_render__turned_upright_without_a_preview(save, orientation):
    source = save(dng(laid(orientation, 600, 400), orientation=orientation))
    facts = inspect(source)
    assert (facts.width, facts.height, facts.orientation) == (600, 400, orientation)
    assert shows_quarters(rendition(source))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_render__preview_turned_as_the_sensor_is(save, orientation):
    lying = laid(orientation, 600, 400)
    source = save(dng(Image.new("RGB", lying.size, GREEN), preview=lying, orientation=orientation))
    assert inspect(source).orientation == orientation
    assert shows_quarters(rendition(source))


@pytest.mark.parametrize("orientation", [6, 8])
def test_render__preview_that_the_camera_has_turned_already(save, orientation):
    source = save(dng(Image.new("RGB", (600, 400)), preview=quarters(400, 600), orientation=orientation))
    facts = inspect(source)
    assert (facts.width, facts.height, facts.orientation) == (400, 600, 1)
    assert shows_quarters(rendition(source))


def test_render__preview_comes_first(save):
    source = save(dng(Image.new("RGB", (600, 400), GREEN), preview=Image.new("RGB", (600, 400), BLUE)))
    assert alike(colour(rendition(source)), BLUE)


@pytest.mark.parametrize(("side", "taken"), [(raw.ENOUGH, True), (raw.ENOUGH - 1, False)])
def test_render__a_mere_thumbnail_is_not_taken_for_the_picture(save, side, taken):
    source = save(dng(Image.new("RGB", (2400, 40), (0, 255, 0)), preview=Image.new("RGB", (side, 30), BLUE)))
    assert inspect(source).width == (side if taken else 2400)
    assert alike(colour(rendition(source)), BLUE if taken else (0, 255, 0))


def test_render__preview_decoded_no_larger_than_needed(save, monkeypatch):
    sizes = []
    load = raw.RawImageFile.load
    monkeypatch.setattr(raw.RawImageFile, "load", lambda image: load(image) and sizes.append(image.size))
    render(save(dng(photo(1800, 1200), preview=photo(1800, 1200))), replace(WEBP, box=200))
    assert sizes[0] == (225, 150)


@pytest.mark.parametrize(("box", "developed"), [(300, (300, 200)), (301, (600, 400))])
def test_render__sensor_developed_at_half_its_size_where_that_will_do(save, monkeypatch, box, developed):
    sizes = []
    develop = raw.RawImageFile.developed
    monkeypatch.setattr(raw.RawImageFile, "developed", lambda image: sizes.append(develop(image)) or sizes[0])
    made = rendition(save(dng(photo())), replace(WEBP, box=box))
    assert sizes[0].size == developed
    assert max(made.size) == box


def test_render__sensor_in_true_colour(save):
    """Hues and steps as the sensor saw them; brightness is stretched, as for any RAW."""
    scene = photo()
    made = np.asarray(rendition(save(dng(scene)), FULL), float)
    seen = np.asarray(scene, float)
    brightness = made.mean(axis=2) / seen.mean(axis=2)
    assert np.corrcoef(made.ravel(), seen.ravel())[0, 1] > 0.995
    assert brightness.std() / brightness.mean() < 0.08


def test_render__profile_of_the_preview_counts(save):
    preview = Image.new("RGB", (600, 400), (200, 100, 100))
    preview.info["icc_profile"] = P3
    made = rendition(save(dng(photo(), preview=preview)), replace(WEBP, quality=100))
    assert alike(colour(made), p3_as_srgb((200, 100, 100)), 4)


def test_inspect__sensor_of_too_many_pixels(save):
    source = save(dng(photo()))
    assert inspect(source, pixels=240_000).width == 600
    with pytest.raises(TooManyPixels):
        inspect(source, pixels=239_999)
    with pytest.raises(TooManyPixels):
        inspect(save(dng(photo(), t256=(LONG, (60_000,)), t257=(LONG, (60_000,)))))


def test_render__half_a_raw_is_corrupt(save):
    whole = dng(photo())
    with pytest.raises(Corrupt):
        render(save(whole[: len(whole) // 2]))


def test_render__half_a_preview_is_corrupt(save):
    whole = bytearray(dng(photo(), preview=Image.effect_noise((600, 400), 60).convert("RGB")))
    whole[40_000:80_000] = bytes(40_000)
    try:
        render(save(bytes(whole)))
    except MediaError as error:
        assert error.code == "corrupt"  # noqa: PT017 - JPEG decoders conceal what they can


def test_render__bytes_of_raw_changed_never_escape_the_sandbox(save):
    whole = dng(photo(60, 40), preview=photo(60, 40))
    make = sandboxed(images.render)
    random = np.random.default_rng(7)
    for _ in range(25):
        hostile = bytearray(whole)
        for at in random.integers(0, 1200, 6):
            hostile[at] = random.integers(0, 256)
        source = save(bytes(hostile))
        try:
            make(Order(source, source.parent, presets=(WEBP,)))
        except MediaError:
            continue
