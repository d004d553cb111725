"""How originals look on pages: which files to show, at which size, and what stands in until they load."""

from pathlib import PurePosixPath

from django import template

from processing import storage
from processing.models import Rendition
from uploads.models import Original
from uploads.representation import main_files, srcset, stills

register = template.Library()
register.filter("stills", stills)
register.filter("srcset", srcset)
register.filter("main_files", main_files)

NARROWEST, WIDEST = 0.6, 2.6  # of a card's width to its height; beyond that the picture is cropped
FIRST_RUNG = 720  # lines of the video that plays when nobody chose: sharp on most screens, soon there
BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


@register.filter
def ratio(original: Original) -> str:
    """Width to height of the original's card, within what a row can hold."""
    facts = original.facts
    found = facts["width"] / facts["height"] if facts else 4 / 3
    return f"{min(max(found, NARROWEST), WIDEST):.4f}"


@register.filter
def rungs(original: Original) -> list[Rendition]:
    """The MP4s a video can be played from, lowest first."""
    found = [item for item in original.renditions.all() if item.preset.startswith("mp4-")]
    return sorted(found, key=lines)


@register.filter
def lines(rendition: Rendition) -> int:
    """What people call a video's size by: its short side."""
    return min(rendition.width, rendition.height)


@register.filter
def first_choice(found: list[Rendition]) -> Rendition | None:
    """The highest of these rungs that is not above FIRST_RUNG, else the lowest; None where there is none."""
    modest = [item for item in found if lines(item) <= FIRST_RUNG]
    return next(iter(modest[-1:] or found), None)


@register.filter
def colour(blurhash: str) -> str:
    """The mean colour that a blurhash carries, as CSS: shown before any script runs."""
    if len(blurhash) < 6:
        return "transparent"
    value = 0
    for letter in blurhash[2:6]:
        value = value * 83 + BASE83.index(letter)
    return f"#{value:06x}"


@register.filter
def download_url(rendition: Rendition) -> str:
    """An address that saves the file under the original's name and the preset's."""
    stem = PurePosixPath(rendition.original.name).stem
    return storage.url(rendition.key, download_as=f"{stem}-{rendition.preset}{PurePosixPath(rendition.key).suffix}")
