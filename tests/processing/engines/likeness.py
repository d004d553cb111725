"""How alike two pictures are."""

import numpy as np

WINDOW = 8  # pixels a side, as in the paper's authors' fast version
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(one, other):
    """The structural similarity of two pictures' greys, 1 where they are the same (Wang et al., 2004)."""
    a, b = (np.asarray(picture.convert("L"), float) for picture in (one, other))
    mean_a, mean_b = means(a), means(b)
    spread = means(a * a) + means(b * b) - mean_a**2 - mean_b**2
    shared = means(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * shared + C2) / ((mean_a**2 + mean_b**2 + C1) * (spread + C2))
    return float(alike.mean())


def means(samples):
    """The mean of each window, by sums over all that is above and left of a place."""
    side = min(WINDOW, *samples.shape)
    sums = np.pad(samples, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2


def colour_shift(one, other):
    """By how many levels of 255 each of red, green and blue is higher in `one`, on average."""
    a, b = (np.asarray(picture.convert("RGB"), float) for picture in (one, other))
    return (a - b).mean((0, 1))
