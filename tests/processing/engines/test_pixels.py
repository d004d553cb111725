"""The whole way of a picture, in numbers: what is shown against the same computed here, by other means.

Stated: Delta E (CIE 1976) under 1 on average and under 5 at most, SSIM over 0.98. WebP's 4:2:0 at quality
95 costs most of that: 0.7 and 0.99.
"""

import io
from dataclasses import replace

import numpy as np
import pytest
from colorimetry import SPACES, as_srgb, delta_e, ssim
from pictures import LAID, P3, WEBP, chunk, exif, matrix_profile, png, rendition
from PIL import Image
from raws import photo

MEAN, MOST, LIKE = 1.0, 5.0, 0.98
PRESET = replace(WEBP, box=160, quality=95)
SHRUNK = 4
SIZE = (640, 480)


def scene():
    """Soft slopes with a pattern on them that shows any turn or shift."""
    x, y = np.meshgrid(np.linspace(0, 1, SIZE[0]), np.linspace(0, 1, SIZE[1]))
    pattern = 25 * np.sin(14 * x * (1 + y)) * np.cos(9 * y)
    samples = np.asarray(photo(*SIZE), float) + pattern[..., None]
    return samples.clip(0, 255).astype(np.uint8)


def shrunk(samples):
    """Means of squares, 0 to 1."""
    height, width, *rest = samples.shape
    blocks = samples.reshape(height // SHRUNK, SHRUNK, width // SHRUNK, SHRUNK, *rest)
    return blocks.mean((1, 3)) / np.iinfo(samples.dtype).max


def prove(made, expected):
    found = np.asarray(made.convert("RGB"), float) / 255
    assert found.shape == expected.shape
    difference = delta_e(found, expected)
    assert difference.mean() < MEAN
    assert np.percentile(difference, 99.5) < MOST
    assert ssim(found.mean(axis=2), expected.mean(axis=2)) > LIKE


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "HEIF", "PNG", "TIFF"])
def test_pixels__of_each_orientation(save, image_format, orientation):
    picture = Image.fromarray(scene(), "RGB")
    turn = LAID[orientation]
    lying = picture.transpose(turn) if turn is not None else picture
    options = {"quality": 95} if image_format in ("JPEG", "HEIF") else {}
    source = save(lying, image_format, exif=exif(orientation).tobytes(), **options)
    prove(rendition(source, PRESET), shrunk(scene()))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_pixels__of_a_wide_space(save, image_format, name):
    primaries, gamma = SPACES[name]
    options = {"quality": 95, "subsampling": 0} if image_format == "JPEG" else {}
    profile = matrix_profile(*primaries, gamma=gamma)
    source = save(Image.fromarray(scene(), "RGB"), image_format, icc_profile=profile, **options)
    expected = as_srgb(shrunk(scene()), primaries, gamma).clip(0, 1)
    prove(rendition(source, PRESET), expected)
    assert delta_e(shrunk(scene()), expected).mean() > 3  # or the test would prove nothing


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_pixels__of_cmyk_without_a_profile(save, image_format):
    """By the formula that everybody uses then: the light that cyan and black leave of red, and so on."""
    inks = 255 - scene()
    black = np.full((*inks.shape[:2], 1), 40, np.uint8)
    options = {"quality": 97, "subsampling": 0} if image_format == "JPEG" else {}
    source = save(Image.fromarray(np.concatenate([inks, black], axis=2), "CMYK"), image_format, **options)
    prove(rendition(source, PRESET), shrunk(scene()) * (1 - 40 / 255))


def test_pixels__under_transparency(save):
    across = np.tile(np.linspace(0, 255, SIZE[0]).astype(np.uint8), (SIZE[1], 1))
    samples = np.concatenate([scene(), across[..., None]], axis=2)
    made = np.asarray(rendition(save(Image.fromarray(samples, "RGBA"), icc_profile=P3), PRESET), float) / 255
    alpha = shrunk(across)
    assert np.abs(made[..., 3] - alpha).max() < 2 / 255  # WebP keeps it without loss
    seen = alpha > 0.25
    expected = as_srgb(shrunk(scene()), *SPACES["Display P3"]).clip(0, 1)
    assert delta_e(made[..., :3][seen], expected[seen]).mean() < MEAN


@pytest.mark.parametrize("colours", [1, 3])
def test_pixels__of_16_bits(save, colours):
    deep = (scene().astype(np.uint16) * 257)[..., :colours]
    made = rendition(save(png(deep.squeeze(), 2 if colours == 3 else 0)), PRESET)
    prove(made, np.repeat(shrunk(deep), 3 // colours, axis=2))


def test_pixels__grey_under_its_own_gamma(save):
    grey = np.ascontiguousarray(scene()[..., 0])
    chunks = chunk(b"gAMA", (45455).to_bytes(4))  # what a PNG without a profile is meant to have anyhow
    prove(rendition(save(png(grey, 0, before=chunks)), PRESET), np.repeat(shrunk(grey)[..., None], 3, axis=2))


def test_pixels__of_an_animation_as_of_a_still(save):
    frames = [Image.fromarray(scene(), "RGB"), Image.fromarray(scene()[::-1].copy(), "RGB")]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], quality=100)
    prove(rendition(save(file.getvalue()), PRESET), shrunk(scene()))
