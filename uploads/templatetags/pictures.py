"""How originals look on pages: which files to show, at which size, and what stands in until they load."""

from django import template

from processing import storage
from processing.models import Rendition
from processing.presets import ANIMATED, LOOP
from uploads import playing
from uploads.models import Original
from uploads.representation import main_files, srcset, stills

register = template.Library()
register.filter("stills", stills)
register.filter("srcset", srcset)
register.filter("main_files", main_files)

NARROWEST, WIDEST = 0.6, 2.6  # of a card's width to its height; beyond that the picture is cropped
UNKNOWN = 4 / 3  # until it is measured: what most cameras take
BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


@register.filter
def ratio(original: Original) -> str:
    """Width to height of the original's card, within what a row can hold."""
    facts = original.facts
    found = facts["width"] / facts["height"] if facts else UNKNOWN
    return f"{min(max(found, NARROWEST), WIDEST):.4f}"


@register.filter
def animation(original: Original) -> Rendition | None:
    """What moves of an animated picture: the MP4 where there is one, as it is the lightest."""
    found = {item.preset: item for item in main_files(original)}
    return found.get(LOOP.name) or found.get(ANIMATED.name)


@register.filter
def colour(blurhash: str) -> str:
    """The mean colour that a blurhash carries, as CSS: shown before any script runs."""
    if len(blurhash) < 6:
        return "var(--sunken)"
    value = 0
    for letter in blurhash[2:6]:
        value = value * 83 + BASE83.index(letter)
    return f"#{value:06x}"


@register.filter
def download_url(rendition: Rendition) -> str:
    """An address that saves the file under the original's name and the preset's."""
    return storage.url(rendition.key, download_as=playing.saved_name(rendition.original.name, rendition))
