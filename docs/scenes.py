"""Landscapes drawn by arithmetic: pictures to show the gallery with, that belong to nobody else."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
Colour = tuple[int, int, int]
Random = np.random.Generator


@dataclass(frozen=True)
class Mood:
    """What a place looks like at an hour. Shares are of 0 to 1."""

    top: Colour  # of the sky
    horizon: Colour
    near: Colour  # the ground at one's feet
    sun: float = 0.4  # how far down the picture it stands
    clouds: float = 0.3  # the share of the sky they cover
    snow: float = 0  # how far down the mountains it lies
    lake: bool = False
    wood: bool = False
    night: bool = False  # stars, and northern lights


# As docs.screenshots names them: dawn on a lake, noon, evening, dusk, a storm, autumn, snow, and the night.
MOODS = (
    Mood((74, 116, 186), (255, 205, 150), (24, 44, 48), sun=0.45, clouds=0.35, lake=True, wood=True),
    Mood((38, 112, 206), (196, 224, 244), (44, 84, 44), sun=0.2, clouds=0.5, snow=0.35),
    Mood((66, 52, 118), (255, 140, 78), (34, 20, 38), sun=0.46, clouds=0.55, lake=True),
    Mood((22, 34, 88), (214, 142, 148), (16, 18, 36), sun=0.52, clouds=0.25, snow=0.2, wood=True),
    Mood((64, 76, 92), (176, 188, 190), (40, 54, 46), sun=0.3, clouds=0.95, lake=True),
    Mood((104, 152, 190), (250, 224, 178), (132, 62, 20), sun=0.4, clouds=0.3, wood=True),
    Mood((120, 160, 210), (236, 226, 226), (70, 82, 100), sun=0.35, clouds=0.4, snow=0.9, wood=True),
    Mood((6, 10, 34), (34, 72, 92), (4, 8, 14), snow=0.3, clouds=0, lake=True, wood=True, night=True),
)


def scene(number: int, size: tuple[int, int] = (1600, 1067)) -> bytes:
    """The JPEG of the landscape with this number; the same number gives the same picture."""
    random = np.random.default_rng(number)
    mood = MOODS[number % len(MOODS)]
    picture = sky(random, size, mood)
    for depth in (0.1, 0.32, 0.54, 0.75):
        raise_hills(picture, random, depth, mood)
    if mood.lake:
        fill_lake(picture, random, round(size[1] * 0.72))
    raise_hills(picture, random, 1, mood)
    file = io.BytesIO()
    Image.fromarray(developed(picture, random)).save(file, "JPEG", quality=90)
    return file.getvalue()


def sky(random: Random, size: tuple[int, int], mood: Mood) -> Pixels:
    width, height = size
    down = np.linspace(0, 1 / 0.62, height, dtype=np.float32)[:, None, None].clip(0, 1) ** 0.9
    picture = np.repeat(paint(mood.top) * (1 - down) + paint(mood.horizon) * down, width, axis=1)
    if mood.night:
        light_night(picture, random)
        return picture
    rows, columns = np.ogrid[: np.float32(height), : np.float32(width)]
    far = np.hypot(rows - height * mood.sun, columns - width * random.uniform(0.2, 0.8)) / height
    glow = (
        np.exp(-((far / 0.3) ** 2)) * 0.4
        + np.exp(-((far / 0.09) ** 2)) * 0.4
        + 1 / (1 + np.exp(((far - 0.03) * 400).clip(max=80)))
    )
    warm = np.maximum(paint(mood.horizon) + 30, 232)
    picture += (warm - picture) * glow.clip(0, 1)[..., None]
    draw_clouds(picture, random, mood, np.exp(-far * 2.2))
    return picture


def light_night(picture: Pixels, random: Random) -> None:
    """Stars, and curtains of light that hang from high up."""
    height, width, _ = picture.shape
    stars = random.random((height, width), np.float32)
    picture += np.where(stars > 0.9992, (stars - 0.9992) * 255_000, 0)[..., None]
    along = fractal(random, (width, 1), width / 3)[0]
    fold = height * (0.34 + 0.22 * (along - 0.5) * 2)
    above = (fold - np.arange(height)[:, None]) / height
    rays = fractal(random, (width, 1), width / 40)[0] ** 1.5
    curtain = np.where(above > 0, np.exp(-above * 7), np.exp(above * 45)) * (0.35 + rays)
    high = above.clip(0, 0.4)[..., None] / 0.4
    picture += curtain[..., None] * (paint((50, 205, 130)) * (1 - high) + paint((150, 60, 190)) * high)


def draw_clouds(picture: Pixels, random: Random, mood: Mood, lit: Pixels) -> None:
    """Clouds that lie flatter the nearer they are to the horizon; bright towards the sun, grey below."""
    height, width, _ = picture.shape
    away = (np.linspace(0.02, 1, height) ** 0.55 * (height * 2 - 1)).astype(int)
    flat = fractal(random, (width, height * 2), width / 3.2)[away]
    thick = ((flat - (1 - mood.clouds) * 0.75 - 0.08) * 3.2).clip(0, 1) ** 0.8
    shade = ((flat - np.roll(flat, -height // 60, axis=0)) * 5).clip(-0.5, 0.5)
    grey = paint(mood.top) * 0.45 + paint(mood.horizon) * 0.35
    bright = np.maximum(paint(mood.horizon) * 1.08, paint(mood.top) * 1.1)
    share = (0.35 + lit * 0.8 + shade - 0.25 * mood.clouds).clip(0, 1)[..., None]
    picture += (grey * (1 - share) + bright * share - picture) * thick[..., None] * 0.92


def raise_hills(picture: Pixels, random: Random, depth: float, mood: Mood) -> None:
    """A ridge across the picture: nearer ones are lower, darker and clearer, and mist lies at the foot of far ones."""
    height, width, _ = picture.shape
    rough = fractal(random, (width, 1), width / (1.6 + depth), 9)[0] - 0.5
    ridge = height * (0.38 + 0.5 * depth - rough * (0.75 - 0.5 * depth))
    if mood.wood and depth > 0.5:
        ridge = ridge - trees(random, width, height * (0.03 + 0.16 * (depth - 0.5)))
    below = np.arange(height, dtype=np.float32)[:, None] - ridge.astype(np.float32)
    step = width // 300 + 1  # pixels that a slope is measured over
    relief = 1 - np.abs(2 * fractal(random, (width + step, height + step), width / 5) - 1)
    slope = relief[step:, step:] - relief[:-step, :-step]
    relief = relief[step:, step:]
    light = (slope * 5 + (relief - 0.6) * 0.5) * (0.35 + 0.45 * depth)
    far, near = paint(mood.horizon), paint(mood.near)
    ground = (far * (1 - depth) ** 1.4 + near * (1 - (1 - depth) ** 1.4)) * (1 + light[..., None])
    if mood.snow and (depth < 0.7 or mood.snow > 0.8):
        lies = ((mood.snow * 0.5 - below / height + (relief - 0.7) * 0.5) * 14).clip(0, 1) * (0.9 - 0.35 * depth)
        white = paint(mood.horizon) * 0.35 + (60 if mood.night else 160)
        ground += (white * (1 + light[..., None]) - ground) * lies[..., None]
    mist = (0.3 + below / height / 0.25).clip(0, 1)[..., None] * (0.85 * (1 - depth))
    ground += (far - ground) * mist
    picture += (ground - picture) * (below + 0.5).clip(0, 1)[..., None]


def trees(random: Random, width: int, tall: float) -> Pixels:
    """How much firs add to a ridge, in pixels at each column."""
    columns, tops = np.arange(width), np.zeros(width)
    dense = fractal(random, (width, 1), width / 4)[0]
    for at in random.uniform(0, width, round(width / tall * 9)):
        high = tall * random.uniform(0.4, 1) * (0.35 + dense[int(at)])
        away = np.abs(columns - at)
        branches = 1 + 0.35 * np.sin(away / high * 70)
        np.maximum(tops, high * (1 - away / (high * 0.2) * branches), out=tops)
    return tops


def fill_lake(picture: Pixels, random: Random, shore: int) -> None:
    """Water below the shore, in which what stands above is seen broken by ripples that grow towards the front."""
    height, width, _ = picture.shape
    front = np.arange(height - shore)[:, None]
    ripple = fractal(random, (max(width // 9, 2), height - shore), 14)
    ripple = np.repeat(ripple, -(-width // ripple.shape[1]), axis=1)[:, :width] - 0.5
    rows = (shore - 1 - front * 1.25 - ripple * (4 + front * 0.35)).clip(0, shore - 1).astype(int)
    columns = (np.arange(width)[None, :] + ripple * 10).clip(0, width - 1).astype(int)
    seen = picture[rows, columns]
    picture[shore:] = seen * (0.82 - 0.2 * front / len(front))[..., None] + ripple[..., None] * 14


def fractal(random: Random, size: tuple[int, int], scale: float, octaves: int = 7) -> Pixels:
    """Noise of 0 to 1 whose largest waves are `scale` pixels long, each octave half as long and as high as the last."""
    width, height = size
    found, most = np.zeros((height, width), np.float32), 0.0
    for octave in range(octaves):
        step = scale / 2**octave
        if step < 1:
            break
        grid = random.random((int(height / step) + 3, int(width / step) + 3), np.float32)
        box = (1.0, 1.0, 1 + width / step, 1 + height / step)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC, box=box)
        found += np.asarray(layer) / 2**octave
        most += 1 / 2**octave
    return ((found / most - 0.5) * 1.5 + 0.5).clip(0, 1)


def paint(colour: Colour) -> Pixels:
    return np.array(colour, np.float32)


def developed(picture: Pixels, random: Random) -> NDArray[np.uint8]:
    """As a camera hands it over: corners a little darker, some contrast, some grain."""
    height, width, _ = picture.shape
    rows, columns = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    grain = 2 * random.standard_normal((height, width, 1), np.float32)
    picture = picture * (1 - 0.16 * (rows**2 + columns**2) / 2)[..., None] + grain
    share = picture.clip(0, 255) / 255
    return ((share * 0.6 + share**2 * (3 - 2 * share) * 0.4) * 255).astype(np.uint8)
