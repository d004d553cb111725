"""The planar lane makes what the plain one makes: the same table for both, and only JPEGs in sRGB."""

import subprocess
import sys

import blurhash
import numpy as np
import pytest
from likeness import colour_shift, ssim
from pictures import LAID, P3, exif, inspect, read, render
from PIL import Image, ImageCms

from processing.engines import images, planar
from processing.engines.colour import is_srgb
from processing.engines.sandbox import sandboxed
from processing.errors import Corrupt
from processing.facts import Order
from processing.presets import MAIL_JPEG, SQUARE, WEBP, ImagePreset

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
PRESETS = (*WEBP[:3], MAIL_JPEG, SQUARE)


def scene(width=645, height=427):
    """Something like a photo: soft shapes in colours, hard edges, grain."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = [np.sin(12 * x + 5 * y), np.sin(9 * y - 4 * x + 1), np.cos(15 * x * y + 2)]
    picture = 128 + 80 * np.stack(waves, axis=2)
    picture[(x - 0.3) ** 2 + (y - 0.3) ** 2 < 0.02] = (190, 60, 40)
    picture[: int(height * 0.6), width // 2 :] = (30, 70, 160)
    grain = np.random.default_rng(1).normal(0, 1, (height, width, 1))
    return Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8))


@pytest.fixture
def lanes(monkeypatch):
    """What each of the lanes makes of a source, once it is sure that the planar one takes it."""

    def lanes(source, *presets):
        with Image.open(source) as image:
            assert planar.takes(image)
        made = [looked_at(render(source, *presets))]
        with monkeypatch.context() as without:
            without.setattr(planar, "takes", lambda _: False)
            made.append(looked_at(render(source, *presets)))
        return made

    return lanes


def looked_at(product):
    """The product, and its pictures: the other lane writes over the files."""
    return product, {file.preset: read(file.path) for file in product.files}


def blur(text):
    return np.array(blurhash.decode(text, 8, 8), int)


def assert_alike(by_planar, by_plain, upright):
    (ours, pictures), (theirs, others) = by_planar, by_plain
    lost = {}
    for one, other in zip(ours.files, theirs.files, strict=True):
        assert (one.preset, one.width, one.height) == (other.preset, other.width, other.height)
    for name, picture in pictures.items():
        assert picture.size == others[name].size
        if name != SQUARE.name:  # where to cut is a choice that a level may tip by a pixel
            reference = upright.resize(picture.size, Image.Resampling.LANCZOS)
            lost[name] = ssim(others[name], reference) - ssim(picture, reference)
        assert np.abs(colour_shift(picture, others[name])).max() < 0.5, name
    assert abs(np.mean(list(lost.values()))) < 0.002, lost
    assert max(lost.values()) < 0.003, lost  # of one file of 160 pixels, where a block more or less counts
    assert np.abs(blur(ours.placeholder) - blur(theirs.placeholder)).mean() <= 8  # one of its 19 steps is 20 levels
    dominants = [np.array(list(bytes.fromhex(product.colour[1:])), int) for product in (ours, theirs)]
    assert np.abs(dominants[0] - dominants[1]).max() <= 16  # a group of colours, whose border a level moves


class TestAlike:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_lanes__turned_alike_with_odd_sides(self, save, lanes, orientation):
        turn = LAID[orientation]
        lying = scene().transpose(turn) if turn is not None else scene()
        source = save(lying, "JPEG", quality=90, exif=exif(orientation))
        assert_alike(*lanes(source, *PRESETS), scene())

    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("sampling", SAMPLINGS)
    def test_lanes__alike_for_every_sampling(self, save, lanes, sampling, progressive):
        source = save(scene(), "JPEG", quality=90, subsampling=SAMPLINGS[sampling], progressive=progressive)
        assert_alike(*lanes(source, *PRESETS), scene())

    @pytest.mark.parametrize("size", [(1400, 1050), (320, 213), (160, 120)])
    def test_lanes__alike_in_every_size(self, save, lanes, size):
        source = save(scene(*size), "JPEG", quality=95)
        assert_alike(
            *lanes(source, *(preset for preset in (*WEBP, MAIL_JPEG) if preset.above < max(size))), scene(*size)
        )

    @pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (161, 2), (9, 7), (2, 2), (1, 1)])
    def test_lanes__neither_minds_a_sliver(self, save, lanes, size):
        source = save(Image.new("RGB", size, (200, 90, 40)), "JPEG", quality=95)
        for _, pictures in lanes(source, *WEBP[:2], MAIL_JPEG):
            assert [max(picture.size) for picture in pictures.values()] == [
                min(box, max(size)) for box in (160, 320, 1280)
            ]
            for picture in pictures.values():
                assert np.abs(np.array(picture.getpixel((0, 0))) - (200, 90, 40)).max() <= 4

    def test_lanes__alike_where_the_profile_is_srgb(self, save, lanes):
        assert_alike(*lanes(save(scene(), "JPEG", quality=90, icc_profile=SRGB), *PRESETS), scene())

    def test_lanes__alike_for_the_first_picture_of_several(self, save, lanes):
        source = save(scene(), "MPO", quality=90, save_all=True, append_images=[Image.new("RGB", (9, 9))])
        assert inspect(source).format == "MPO"
        assert_alike(*lanes(source, *PRESETS), scene())

    @pytest.mark.parametrize("paint", [(128, 128, 128), (255, 255, 255), (0, 0, 0), (200, 30, 60), (20, 90, 220)])
    def test_lanes__one_colour_stays_that_colour(self, save, lanes, paint):
        source = save(Image.new("RGB", (400, 300), paint), "JPEG", quality=100)
        for _, pictures in lanes(source, *WEBP[:2], MAIL_JPEG):
            for picture in pictures.values():
                assert np.abs(np.array(picture.getpixel((50, 50))) - paint).max() <= 3

    def test_lanes__damage_is_the_same_to_both(self, save, monkeypatch):
        for progressive in (False, True):
            whole = save(scene(96, 64), "JPEG", quality=90, progressive=progressive).read_bytes()
            source = save(whole)
            for length in range(len(whole), 150, -97):
                source.write_bytes(whole[:length])
                verdicts = [verdict(source)]
                with monkeypatch.context() as without:
                    without.setattr(planar, "takes", lambda _: False)
                    verdicts.append(verdict(source))
                assert verdicts[0] == verdicts[1], (progressive, length, len(whole))

    def test_render__webp_of_planes_is_pixels_and_nothing_else(self, save):
        secret = exif(1, **{"0x010f": "Secret make"})
        source = save(scene(), "JPEG", exif=secret, comment=b"Secret comment", icc_profile=SRGB)
        for file in render(source, *WEBP[:3]).files:
            content = file.path.read_bytes()
            assert (content[:4], content[8:16]) == (b"RIFF", b"WEBPVP8 ")
            assert int.from_bytes(content[16:20], "little") == len(content) - 20


def verdict(source):
    try:
        return [file.width for file in render(source, *WEBP[:1]).files]
    except Corrupt as error:
        return error.details


class TestTakes:
    def taken(self, source):
        with Image.open(source) as image:
            return planar.takes(image)

    def test_takes__a_jpeg_without_a_profile(self, save):
        assert self.taken(save(scene(9, 9), "JPEG"))

    @pytest.mark.parametrize("mode", ["L", "CMYK"])
    def test_takes__no_grey_and_no_ink(self, save, mode):
        assert not self.taken(save(scene(9, 9).convert(mode), "JPEG"))

    @pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "AVIF"])
    def test_takes__no_other_format(self, save, image_format):
        assert not self.taken(save(scene(9, 9), image_format))

    def test_takes__no_ycbcr_that_is_no_jpeg(self, save):
        assert not self.taken(save(scene(9, 9).convert("YCbCr"), "TIFF"))

    def test_takes__no_wide_gamut(self, save):
        assert not self.taken(save(scene(9, 9), "JPEG", icc_profile=P3))

    def test_takes__no_jpeg_stored_as_rgb(self, save):
        source = save(scene(64, 64), "JPEG", keep_rgb=True, quality=95)
        assert not self.taken(source)
        made = read(render(source, ImagePreset("small", 64, "WEBP", 95)).files[0].path)
        assert np.abs(colour_shift(made, scene(64, 64))).max() < 2

    def test_is_srgb__by_what_a_profile_does_not_by_its_name(self):
        assert is_srgb(SRGB)
        assert is_srgb(None)
        assert is_srgb(b"junk"), "ignored in both lanes"
        assert not is_srgb(P3)


def test_render__in_the_fence_and_on_two_threads(save, tmp_path):
    source = save(scene(), "JPEG")
    (tmp_path / "folder").mkdir()
    order = Order(source, tmp_path / "folder", presets=PRESETS, hands=2)
    inside = sandboxed(images.render)(order)
    for file, other in zip(inside.files, render(source, *PRESETS).files, strict=True):
        assert file.path.read_bytes() == other.path.read_bytes()


def test_planar__pyav_costs_nothing_where_nothing_is_decoded():
    loaded = "import sys, processing.pipelines; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def test_images__is_what_picks_the_lane(save, monkeypatch):
    taken = []
    real = planar.taken
    monkeypatch.setattr(planar, "taken", lambda *given: taken.append(given[0].mode) or real(*given))
    render(save(scene(20, 20), "JPEG"))
    render(save(scene(20, 20), "PNG"))
    assert taken == ["YCbCr"]
