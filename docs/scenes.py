"""Landscapes drawn by arithmetic: pictures to show the gallery with, that belong to nobody else."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float64]

# Sky at the top, sky at the horizon, the nearest hills: morning, noon, evening, dusk, storm, autumn.
PALETTES = (
    ((86, 128, 196), (255, 214, 165), (38, 70, 83)),
    ((64, 156, 255), (214, 240, 255), (27, 94, 60)),
    ((92, 58, 120), (255, 146, 84), (48, 28, 56)),
    ((16, 24, 64), (124, 92, 148), (8, 12, 32)),
    ((84, 98, 112), (190, 200, 204), (36, 44, 48)),
    ((120, 170, 200), (250, 226, 190), (122, 62, 28)),
)


def scene(number: int, size: tuple[int, int] = (1600, 1067)) -> bytes:
    """The JPEG of the landscape with this number; the same number gives the same picture."""
    random = np.random.default_rng(number)
    top, horizon, near = (np.array(colour, float) for colour in PALETTES[number % len(PALETTES)])
    picture = sky(size, top, horizon)
    shine(picture, random, horizon)
    for depth in np.linspace(0.15, 1, 5):
        raise_hills(picture, random, depth, horizon * (1 - depth) + near * depth)
    noise = random.normal(0, 1.5, picture.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def sky(size: tuple[int, int], top: Pixels, horizon: Pixels) -> Pixels:
    width, height = size
    fade = np.linspace(0, 1, height)[:, None, None] ** 0.8
    return np.repeat(top * (1 - fade) + horizon * fade, width, axis=1)


def shine(picture: Pixels, random: np.random.Generator, colour: Pixels) -> None:
    """A sun with its glow."""
    height, width, _ = picture.shape
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(rows - height * random.uniform(0.25, 0.5), columns - width * random.uniform(0.2, 0.8)) / height
    glow = np.exp(-((far / 0.25) ** 2)) * 0.5 + 1 / (1 + np.exp((far - 0.05) * 300))
    picture += (np.maximum(colour, 230) - picture) * np.clip(glow, 0, 1)[..., None]


def raise_hills(picture: Pixels, random: np.random.Generator, depth: float, colour: Pixels) -> None:
    """A ridge across the picture: nearer ones are lower and darker."""
    height, width, _ = picture.shape
    along = np.linspace(0, 1, width)
    waves = sum(
        np.sin(along * np.pi * 2**n * random.uniform(0.8, 1.6) + random.uniform(0, 7)) / 1.9**n for n in range(9)
    )
    ridge = height * (0.42 + 0.45 * depth) - np.asarray(waves) * height * 0.07 * (1.4 - depth)
    picture[np.arange(height)[:, None] > ridge[None, :]] = colour
