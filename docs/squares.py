"""The square preset's choice beside the plain middle, drawn for the decisions: `python -m docs.squares`."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from docs.scenes import scene
from processing.engines.cropping import square

TARGET = Path(__file__).with_name("squares.webp")
SIDE, GAP = 150, 10  # pixels
WIDE, HIGH = (1600, 640), (1000, 1600)
# A landscape, its size, and where in it a balloon flies; the last has none.
EXAMPLES = ((1, WIDE, (0.16, 0.4)), (8, WIDE, (0.86, 0.3)), (5, HIGH, (0.6, 0.18)), (7, WIDE, None))


def sheet() -> Image.Image:
    """A row for each example: the whole picture, its middle, and what the preset takes."""
    whole = round(SIDE * WIDE[0] / WIDE[1])
    paper = Image.new("RGB", (whole + 2 * SIDE + 4 * GAP, len(EXAMPLES) * (SIDE + GAP) + GAP), "white")
    for row, (number, size, place) in enumerate(EXAMPLES):
        picture = Image.open(io.BytesIO(scene(number, size)))
        if place:
            fly(picture, *place)
        top = GAP + row * (SIDE + GAP)
        shown = ImageOps.contain(picture, (whole, SIDE))
        paper.paste(shown, (GAP + (whole - shown.width) // 2, top))
        middle = ImageOps.fit(picture, (SIDE, SIDE))
        paper.paste(middle, (whole + 2 * GAP, top))
        paper.paste(square(picture).resize((SIDE, SIDE)), (whole + SIDE + 3 * GAP, top))
    return paper


def fly(picture: Image.Image, x: float, y: float) -> None:
    """Draw a balloon at that place, given in fractions of the picture's sides."""
    draw = ImageDraw.Draw(picture)
    radius = min(picture.size) // 7
    left, top = picture.width * x - radius, picture.height * y - radius
    for stripe, colour in enumerate(("firebrick", "orange", "firebrick", "gold", "firebrick")):
        inset = stripe * radius / 5
        draw.ellipse((left + inset, top, left + 2 * radius - inset, top + 2.2 * radius), colour)
    draw.rectangle((left + radius * 0.8, top + radius * 2.5, left + radius * 1.2, top + radius * 2.8), "saddlebrown")


if __name__ == "__main__":
    sheet().save(TARGET, quality=70, method=6)
