"""What scanners and old programs write, made here: every mode and packing of TIFF, and the rarer formats."""

import numpy as np
import pytest
from pictures import BLACK, BLUE, GREEN, RED, WHITE, alike, colour, inspect, quarters, rendition, shows_quarters
from PIL import Image
from raws import LONG, SHORT, tiff

from processing.errors import TooManyPixels


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "P", "PA"])
def test_render__tiff_of_each_colour_mode(save, mode):
    source = quarters(120, 80)
    picture = in_lab(source) if mode == "LAB" else source.convert(mode)
    assert shows_quarters(rendition(save(picture, "TIFF")).convert("RGB"))


def in_lab(picture):
    """The four colours of `quarters` in CIE L*a*b*, by the book."""
    lab = {RED: (136, 208, 195), GREEN: (118, 82, 176), BLUE: (77, 196, 16), WHITE: (255, 128, 128)}
    made = Image.new("LAB", picture.size)
    for x in (0, 0.5):
        for y in (0, 0.5):
            left, top = int(picture.width * x), int(picture.height * y)
            seen = picture.getpixel((left, top))
            made.paste(lab[seen], (left, top, left + picture.width // 2, top + picture.height // 2))
    return made


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"])
def test_render__tiff_of_each_packing(save, compression):
    assert shows_quarters(rendition(save(quarters(128, 96), "TIFF", compression=compression)))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "raw"])
def test_render__tiff_of_a_fax(save, compression):
    page = Image.new("1", (128, 96), 1)
    page.paste(0, (0, 0, 64, 96))
    made = rendition(save(page, "TIFF", compression=compression))
    assert alike(colour(made, 0.2), BLACK)
    assert alike(colour(made, 0.8), WHITE)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", ["white is 0", "black is 0", "RGB"])
def test_render__tiff_of_8_and_16_bits(save, bits, photometric):
    channels = 3 if photometric == "RGB" else 1
    ramp = np.linspace(0, 2**bits - 1, 64).astype(f"<u{bits // 8}")
    samples = np.repeat(np.tile(ramp, (64, 1))[..., None], channels, axis=2)
    tags = {
        256: (LONG, (64,)), 257: (LONG, (64,)), 258: (SHORT, (bits,) * channels), 259: (SHORT, (1,)),
        262: (SHORT, (["white is 0", "black is 0", "RGB"].index(photometric),)), 277: (SHORT, (channels,)),
        278: (LONG, (64,)),
    }  # fmt: skip
    made = np.asarray(rendition(save(tiff(tags, samples.tobytes()))).convert("L"), int)
    expected = np.linspace(0, 255, 64)
    assert np.abs(made[32] - (expected[::-1] if photometric == "white is 0" else expected)).max() < 6


@pytest.mark.parametrize("image_format", ["TIFF", "MPO"])
def test_render__first_page_of_many(save, image_format):
    others = [Image.new("RGB", (300, 200), GREEN), Image.new("RGB", (40, 40), BLUE)]
    source = save(quarters(120, 80), image_format, save_all=True, append_images=others)
    facts = inspect(source)
    assert (facts.width, facts.height, facts.frames) == (120, 80, 1)
    assert shows_quarters(rendition(source))


def test_inspect__tiff_of_many_pages_that_point_at_each_other(save):
    pages = [Image.new("L", (8, 8)) for _ in range(3)]
    whole = bytearray(save(pages[0], "TIFF", save_all=True, append_images=pages[1:]).read_bytes())
    first = int.from_bytes(whole[4:8], "little")
    count = int.from_bytes(whole[first : first + 2], "little")
    following = first + 2 + 12 * count
    whole[following : following + 4] = whole[4:8]
    source = save(bytes(whole))
    assert inspect(source).frames == 1
    assert alike(colour(rendition(source)), BLACK)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_render__jpeg_2000_of_each_mode(save, mode):
    made = rendition(save(Image.new("RGBA", (64, 64), (90, 90, 90, 255)).convert(mode), "JPEG2000"))
    assert alike(colour(made)[:3], (90, 90, 90), 4)


def test_render__jpeg_2000_of_16_bits_and_without_its_box(save):
    ramp = np.tile(np.linspace(0, 65535, 64).astype("<u2"), (64, 1))
    made = rendition(save(Image.frombytes("I;16", (64, 64), ramp.tobytes()), "JPEG2000"))
    assert np.abs(np.asarray(made.convert("L"), int)[32] - np.linspace(0, 255, 64)).max() < 6
    assert shows_quarters(rendition(save(quarters(128, 96), "JPEG2000", no_jp2=True)))


@pytest.mark.parametrize("options", [{"tile_size": (32, 32)}, {"num_resolutions": 1}, {"irreversible": True}])
def test_render__jpeg_2000_however_it_is_coded(save, options):
    assert shows_quarters(rendition(save(quarters(128, 96), "JPEG2000", **options)))


@pytest.mark.parametrize("bitmap_format", ["png", "bmp"])
def test_render__largest_picture_of_an_icon(save, bitmap_format):
    icon = quarters(64, 64).convert("RGBA")
    source = save(icon, "ICO", sizes=[(16, 16), (64, 64), (32, 32)], bitmap_format=bitmap_format)
    assert inspect(source).width == 64
    assert shows_quarters(rendition(source).convert("RGB"))
    with pytest.raises(TooManyPixels):
        inspect(source, pixels=2000)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_render__bmp_of_each_mode(save, mode):
    made = rendition(save(Image.new("RGB", (64, 64), WHITE).convert(mode), "BMP"))
    assert alike(colour(made)[:3], WHITE)


def test_render__progressive_jpeg_and_one_of_adobes_inks(save):
    assert shows_quarters(rendition(save(quarters(128, 96), "JPEG", progressive=True, quality=95)))
    inks = save(quarters(128, 96).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in inks.read_bytes()
    assert shows_quarters(rendition(inks))
