"""A square for the gallery keeps what matters."""

import pytest
from pictures import alike, colour, inspect, quarters, read, render
from PIL import Image, ImageDraw, ImageFilter

from processing import presets
from processing.engines.cropping import square
from processing.facts import Facts
from processing.presets import SQUARE, around_box

SKY, SKIN = (150, 180, 210), (224, 172, 138)


def scene(size, centre):
    """A soft sky with a small bright thing in it."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture = Image.blend(picture, Image.new("RGB", size, SKY), 0.8)
    x, y = centre
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x - 40, y - 40, x + 40, y + 40), fill=SKIN)
    for eye in (-15, 15):
        draw.ellipse((x + eye - 6, y - 16, x + eye + 6, y - 4), fill="black")
    return picture.filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize("place", [60, 200, 450, 700, 840])
def test_square__off_centre_subject_kept_in_a_wide_picture(place):
    kept = square(scene((900, 300), (place, 150)))
    assert kept.size == (300, 300)
    assert any(alike(kept.getpixel((x, 170)), SKIN, 12) for x in range(20, 280))


@pytest.mark.parametrize("place", [60, 450, 840])
def test_square__off_centre_subject_kept_in_a_tall_picture(place):
    kept = square(scene((300, 900), (150, place)))
    assert any(alike(kept.getpixel((150, y)), SKIN, 12) for y in range(20, 280))


@pytest.mark.parametrize("land", [(222, 126, 80), (40, 150, 60), (200, 30, 30)], ids=["like skin", "green", "red"])
@pytest.mark.parametrize("place", [70, 830])
def test_square__strong_colours_all_over_do_not_outweigh_what_is_there(land, place):
    picture = Image.new("RGB", (900, 300), (40, 110, 240))
    picture.paste(land, (0, 150, 900, 300))
    draw = ImageDraw.Draw(picture)
    for stripe in range(4):
        draw.rectangle((place - 20 + stripe * 10, 60, place - 10 + stripe * 10, 100), ("gold", "maroon")[stripe % 2])
    kept = square(picture)
    assert any(alike(kept.getpixel((x, 80)), (255, 215, 0), 12) for x in range(300))


def test_square__nothing_to_see_is_cut_from_the_middle():
    picture = Image.new("RGB", (900, 300), SKY)
    picture.putpixel((450, 150), (0, 0, 0))
    middle = square(picture).crop((135, 150, 165, 151))
    assert (0, 0, 0) in list(middle.get_flattened_data())


def test_square__what_is_transparent_does_not_matter():
    picture = Image.new("RGBA", (900, 300), (0, 0, 0, 0))
    picture.paste((*SKIN, 0), (0, 0, 300, 300))
    picture.paste(scene((300, 300), (150, 150)), (600, 0))
    assert colour(square(picture).crop((0, 170, 300, 171)), 0.9)[3] == 255


@pytest.mark.parametrize("size", [(1, 1), (300, 300), (300, 299), (2, 1), (1, 5000), (5000, 3)])
def test_square__of_any_shape(size):
    assert square(Image.new("RGB", size)).size == (min(size), min(size))


@pytest.mark.parametrize(("size", "expected"), [((1600, 900), 320), ((900, 1600), 320), ((200, 90), 90)])
def test_render__square_320_never_enlarged(save, size, expected):
    made = render(save(quarters(*size)), SQUARE).files[0]
    assert (made.preset, made.width, made.height) == ("square-320", expected, expected)
    assert read(made.path).size == (expected, expected)


def test_render__square_of_a_jpeg_not_cut_from_too_small_a_decode(save):
    picture = Image.new("RGB", (4000, 640), SKY)
    made = render(save(picture, "JPEG"), SQUARE, *presets.WEBP[:1]).files
    assert [file.width for file in made] == [320, 160]
    assert alike(colour(read(made[0].path)), SKY)


def test_around_box__shortest_side_fills_it():
    assert around_box(1600, 900, 320) == (569, 320)
    assert around_box(100, 50, 320) == (100, 50)


def test_image_files__square_and_avif_are_off_until_named(monkeypatch, save):
    photo = Facts("image", "JPEG", 4000, 3000)
    assert len(presets.image_files(photo)) == 6
    monkeypatch.setattr(presets, "ON", (*presets.WEBP, *presets.AVIF[1:3], SQUARE))
    source = save(quarters(600, 400))
    made = render(source, *presets.image_files(inspect(source))).files
    names = [file.preset for file in made]
    assert names == ["webp-160", "webp-320", "webp-640", "avif-320", "avif-640", "square-320"]
    assert {read(file.path).format for file in made} == {"WEBP", "AVIF"}
    assert [file.content_type for file in made[3:5]] == ["image/avif"] * 2
