"""Colour by the textbook, in numpy: what the engine's colours are held against. None of its code, nor littleCMS."""

import numpy as np
from pictures import P3_PRIMARIES, SRGB_PRIMARIES

# Primaries in XYZ under D50, as their profiles hold them, and their gamma.
ADOBE_PRIMARIES = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SPACES = {"Display P3": (P3_PRIMARIES, 2.2), "Adobe RGB": (ADOBE_PRIMARIES, 2.19922)}
D50 = np.array([0.9642, 1, 0.8249])


def linear_xyz(rgb, primaries, gamma):
    return np.asarray(rgb, float) ** gamma @ np.array(primaries)


def as_srgb(rgb, primaries, gamma):
    """sRGB, 0 to 1, not clipped."""
    return from_xyz(linear_xyz(rgb, primaries, gamma))


def from_xyz(xyz):
    """sRGB, 0 to 1, not clipped, of XYZ under D50."""
    linear = xyz @ np.linalg.inv(np.array(SRGB_PRIMARIES))
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.sign(linear) * encoded


def lab(srgb):
    """CIE L*a*b* under D50 of sRGB, 0 to 1."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ np.array(SRGB_PRIMARIES) / D50
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def delta_e(found, expected):
    return np.linalg.norm(lab(found) - lab(expected), axis=-1)


def xyz_of_lab(colours):
    """XYZ under D50 of CIE L*a*b*."""
    light, red, blue = np.moveaxis(np.asarray(colours, float), -1, 0)
    f = np.stack([(light + 16) / 116 + red / 500, (light + 16) / 116, (light + 16) / 116 - blue / 200], axis=-1)
    return np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50


def ssim(found, expected, side=8):
    """Mean structural similarity of two grey pictures of 0 to 1, over squares of `side` pixels."""
    windows = (side, side)
    one, other = (np.lib.stride_tricks.sliding_window_view(each, windows) for each in (found, expected))
    means = one.mean((-1, -2)), other.mean((-1, -2))
    spreads = one.var((-1, -2)), other.var((-1, -2))
    shared = (one * other).mean((-1, -2)) - means[0] * means[1]
    likeness = (2 * means[0] * means[1] + 1e-4) * (2 * shared + 9e-4)
    return float((likeness / ((means[0] ** 2 + means[1] ** 2 + 1e-4) * (sum(spreads) + 9e-4))).mean())
