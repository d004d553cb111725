"""Colours in numbers: what comes out, against the textbook computed here in numpy."""

import numpy as np
import pytest
from colorimetry import SPACES, as_srgb, delta_e, from_xyz, xyz_of_lab
from pictures import BLUE, GREEN, RED, WHITE, fixed, icc, matrix_profile, png
from PIL import Image, ImageCms

from processing.engines.colour import dominant, opaque_srgb, plain, thinned

STATED = 1.0  # Delta E (CIE 1976) that rounding to eight bits may cost; 2.3 is just noticeable


def through(samples, profile):
    """(n, 3) samples of eight bits as sRGB, 0 to 1."""
    strip = Image.fromarray(samples[None].astype(np.uint8), "RGB")
    return np.asarray(opaque_srgb(strip, profile), float)[0] / 255


@pytest.mark.parametrize("name", SPACES)
def test_srgb__colours_that_srgb_has_within_delta_e_1(name):
    primaries, gamma = SPACES[name]
    axis = np.arange(0, 256, 15)
    samples = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    expected = as_srgb(samples / 255, primaries, gamma)
    inside = ((expected >= 0) & (expected <= 1)).all(axis=1) & (samples.max(axis=1) >= 30)
    assert inside.sum() > 1500
    samples, expected = samples[inside], expected[inside]
    difference = delta_e(through(samples, matrix_profile(*primaries, gamma=gamma)), expected)
    assert difference.mean() < 0.4
    assert np.percentile(difference, 99) < STATED
    unmanaged = delta_e(samples / 255, expected)
    assert unmanaged.mean() > 4  # or the test would prove nothing


@pytest.mark.parametrize("name", SPACES)
def test_srgb__primaries_that_srgb_lacks_are_clipped_to_it(name):
    primaries, gamma = SPACES[name]
    samples = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    expected = np.clip(as_srgb(samples / 255, primaries, gamma), 0, 1)
    assert delta_e(through(samples, matrix_profile(*primaries, gamma=gamma)), expected).max() < STATED


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_srgb__greys_of_a_wide_space_stay_grey(shade):
    for primaries, gamma in SPACES.values():
        red, green, blue = through(np.full((1, 3), shade), matrix_profile(*primaries, gamma=gamma))[0]
        assert max(red, green, blue) - min(red, green, blue) <= 1 / 255


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_srgb__grey_profile_by_its_gamma(gamma):
    curve = b"curv" + bytes(4) + (1).to_bytes(4) + round(gamma * 256).to_bytes(2)
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)
    profile = icc(b"GRAY", b"mntr", b"XYZ ", {b"wtpt": white, b"kTRC": curve})
    ramp = np.arange(256, dtype=np.uint8)
    found = np.asarray(opaque_srgb(Image.fromarray(ramp[None], "L"), profile), float)[0, :, 0]
    linear = (ramp / 255) ** gamma
    expected = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(found - expected).max() <= 2


# CIE L*a*b* of the inks of an offset press on coated paper, for each of the 16 corners of CMYK; with black,
# and with all three colours at once, as dark as it gets: that is its black point.
DARKEST = (12, 0, 0)
INKS = {
    "": (100, 0, 0), "C": (55, -37, -50), "M": (48, 74, -3), "Y": (80, -5, 70),
    "CM": (24, 22, -46), "CY": (50, -65, 27), "MY": (47, 68, 48),
}  # fmt: skip
WRONG = bytes((128, 60, 200)) * 16


def press_profile():
    """A CMYK profile of these inks, for its perceptual intent; for the others it says something else."""
    corners = [INKS.get("".join(ink for ink, at in zip("CMYK", f"{n:04b}", strict=True) if at == "1"), DARKEST)
               for n in range(16)]  # fmt: skip
    lab = b"".join(bytes((round(light * 2.55), red + 128, blue + 128)) for light, red, blue in corners)
    identity = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + identity * 4
    tables = {name: head + table + identity * 3 for name, table in {b"A2B0": lab, b"A2B1": WRONG}.items()}
    return icc(b"CMYK", b"prtr", b"Lab ", tables)


def compensated(xyz):
    """Black point compensation as Adobe published it: this press's black becomes black, white stays."""
    white, black = xyz_of_lab((100, 0, 0)), xyz_of_lab(DARKEST)
    return (xyz - black) * white / (white - black)


@pytest.mark.parametrize("ink", ["C", "M", "Y", "K"])
def test_srgb__cmyk_perceptual_and_with_its_black_compensated(ink):
    amounts = np.linspace(0, 1, 18)
    samples = np.zeros((18, 4))
    samples[:, "CMYK".index(ink)] = amounts * 255
    paper, full = np.array(INKS[""]), np.array(INKS.get(ink, DARKEST))
    expected = from_xyz(compensated(xyz_of_lab(paper + amounts[:, None] * (full - paper))))
    strip = Image.fromarray(samples.round().astype(np.uint8)[None], "CMYK")
    found = np.asarray(opaque_srgb(strip, press_profile()), float)[0] / 255
    inside = ((expected >= 0) & (expected <= 1)).all(axis=1)
    assert inside.sum() >= 5
    assert delta_e(found[inside], expected[inside]).max() < 1.5
    if ink == "K":
        assert found[-1].max() == 0  # without compensation it is a grey of 33


def test_srgb__profile_of_srgb_is_no_change():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    samples = np.random.default_rng(1).integers(0, 256, (500, 3))
    assert np.abs(through(samples, profile) * 255 - samples).max() <= 1


@pytest.mark.parametrize("colour_type", [0, 2])
def test_plain__16_bit_gradient_reduced_without_bands(save, colour_type):
    """Every one of the 256 steps is there, in order, and as wide as its neighbours."""
    ramp = np.tile(np.arange(0, 65536, 16, dtype=np.uint16), (4, 1))
    samples = np.repeat(ramp[..., None], 3, axis=2) if colour_type else ramp
    with Image.open(save(png(samples, colour_type))) as image:
        image.load()
        row = np.asarray(plain(image).convert("L"), int)[1]
    assert (np.diff(row) >= 0).all()
    steps, widths = np.unique(row, return_counts=True)
    assert list(steps) == list(range(256))
    assert widths[1:-1].max() - widths[1:-1].min() <= 1
    assert np.abs(row - ramp[1] / 257).max() <= 1


def test_thinned__16_bit_gradient_shrunk_without_bands(save):
    ramp = np.tile(np.arange(0, 65536, 16, dtype=np.uint16), (64, 1))
    with Image.open(save(png(ramp, 0))) as image:
        image.load()
        row = np.asarray(thinned(image, (256, 4)).convert("L"), int)[1]
    assert set(np.diff(row)) <= {0, 1}


@pytest.mark.parametrize(("paint", "said"), [(RED, "#ff0000"), (BLUE, "#0000ff"), (WHITE, "#ffffff")])
def test_dominant__of_a_plain_picture(paint, said):
    assert dominant(Image.new("RGB", (100, 40), paint)) == said


def test_dominant__the_largest_part_not_the_mean():
    picture = Image.new("RGB", (100, 100), BLUE)
    picture.paste(RED, (0, 0, 70, 100))
    found = bytes.fromhex(dominant(picture)[1:])
    assert found[0] > 245
    assert found[2] < 10


def test_dominant__what_is_transparent_does_not_count():
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste((*GREEN, 255), (0, 0, 20, 100))
    assert dominant(picture) == "#008000"
    assert dominant(Image.new("RGBA", (9, 9), (0, 0, 0, 0))) == "#ffffff"
