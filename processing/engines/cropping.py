"""Where to cut a square out of a picture, so that what matters in it stays."""

from PIL import Image, ImageChops, ImageFilter

# Enough to tell a face from a wall; 1.4 ms in all.
LONG_SIDE = 64

# What draws the eye beside outlines, and how much it counts: strong colours, and skin.
SATURATION, SKIN = 0.4, 0.8
SKIN_TONES = ((0, 28), (40, 180), (60, 255))  # hue, saturation and value, each of 0 to 255

# Of colours, when it is asked how rare they are in the picture.
KINDS = 8

# A pull to the middle, of at most this share: photographers put things there, and sky is seldom one.
CENTRE = 0.25


def square(image: Image.Image) -> Image.Image:
    """The square of the image's short side that holds the most of what draws the eye."""
    side = min(image.size)
    if image.width == image.height:
        return image
    if image.width > image.height:
        left = offset(profile(image), image.width, side)
        return image.crop((left, 0, left + side, side))
    top = offset(profile(image.transpose(Image.Transpose.TRANSPOSE)), image.height, side)
    return image.crop((0, top, side, top + side))


def offset(energies: list[int], length: int, side: int) -> int:
    """Where the best window of `side` pixels begins, of `length` pixels that have these energies."""
    quiet = min(energies)  # what is all over the picture, as a blue sky or noise, speaks for no place in it
    energies = [value - quiet for value in energies]
    count = len(energies)
    window = max(1, min(count - 1, round(count * side / length)))
    sums = [sum(energies[at : at + window]) * leaning(at, count - window) for at in range(count - window + 1)]
    best = max(range(len(sums)), key=lambda at: (sums[at], -abs(2 * at - (count - window))))
    return round(best / (count - window) * (length - side))


def leaning(at: int, last: int) -> float:
    """The weight of the window at `at` of 0 to `last`: 1 in the middle, less towards the ends."""
    return 1 - CENTRE * abs(2 * at / last - 1)


def profile(image: Image.Image) -> list[int]:
    """The energy of each column of a picture that is wider than high."""
    height = max(1, round(image.height * LONG_SIDE / image.width))
    tiny = image.resize((LONG_SIDE, height), Image.Resampling.BOX).convert("RGBA")
    return list(energy(tiny).resize((LONG_SIDE, 1), Image.Resampling.BOX).tobytes())


def energy(tiny: Image.Image) -> Image.Image:
    """How much each place draws the eye, 0 to 255; nothing does where the picture is transparent."""
    colours = tiny.convert("RGB")
    _, saturation, _ = colours.convert("HSV").split()
    striking = ImageChops.multiply(
        ImageChops.add(weighed(saturation, SATURATION), weighed(skin(colours), SKIN)), rarity(colours)
    )
    return ImageChops.multiply(ImageChops.add(outlines(colours), striking), tiny.getchannel("A"))


def weighed(image: Image.Image, weight: float) -> Image.Image:
    return image.point(lambda value: value * weight)


def outlines(colours: Image.Image) -> Image.Image:
    """Where the picture differs from its surroundings, in any of its bands; times 4, since edges are thin."""
    red, green, blue = ImageChops.difference(colours, colours.filter(ImageFilter.BoxBlur(2))).split()
    return weighed(ImageChops.lighter(red, ImageChops.lighter(green, blue)), 4)


def rarity(colours: Image.Image) -> Image.Image:
    """255 where a colour is the only one of its kind, less the more of the picture has it: sand is no skin."""
    groups = colours.quantize(KINDS)
    total = groups.width * groups.height
    shares = [count / total for count in groups.histogram()]
    return Image.frombytes("L", groups.size, groups.tobytes()).point(
        [round(255 * (1 - share) ** 4) for share in shares]
    )


def skin(colours: Image.Image) -> Image.Image:
    """255 where a colour may be that of skin, dark or light: of a red to orange hue, neither grey nor loud."""
    bands = zip(colours.convert("HSV").split(), SKIN_TONES, strict=True)
    within = [band.point([255 if low <= value <= high else 0 for value in range(256)]) for band, (low, high) in bands]
    return ImageChops.darker(within[0], ImageChops.darker(within[1], within[2]))
