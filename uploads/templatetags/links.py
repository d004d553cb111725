"""Links to an original, on its own page and on the one they lead to."""

from collections.abc import Sequence
from typing import Any

from django import template

from processing.models import Rendition
from uploads import playing
from uploads.models import Original, Share
from uploads.representation import main_files, stills
from uploads.sharing import shares
from uploads.sharing.views import LASTING
from uploads.templatetags.films import named, playable

register = template.Library()

ASIDE = {"poster", "preview", "storyboard", "subtitles"}  # what goes along with a film, and is none
FORMATS = {"image/webp": "WebP", "image/jpeg": "JPEG", "image/avif": "AVIF", "video/mp4": "MP4"}


@register.simple_tag(takes_context=True)
def links(context: dict[str, Any], original: Original) -> Sequence[Share]:
    """The links that open this original, newest first; and what a form offers for a new one, as `lasting`."""
    context["lasting"] = LASTING
    return list(shares.live(original))


@register.inclusion_tag("uploads/sharing/previews.html", takes_context=True)
def previews(context: dict[str, Any], original: Original) -> dict[str, Any]:
    """What a messenger shows of a link: nothing where it has a password."""
    share, absolute = context["share"], context["request"].build_absolute_uri
    if not share.is_public:
        return {}
    sizes = stills(original)
    picture = named(original, "jpeg-1280") or (sizes[-1] if sizes else None)  # not every messenger reads WebP
    film = next(iter(playable(original)), None)
    return {
        "original": original,
        "url": absolute(f"/s/{share.token}"),
        "picture": picture,
        "picture_url": picture and absolute(playing.address(picture)),
        "film": film,
        "film_url": film and absolute(playing.address(film)),
    }


@register.filter
def offered(original: Original) -> list[Rendition]:
    """The files that are worth saving, largest first."""
    found = [item for item in main_files(original) if item.preset not in ASIDE and not playing.is_text(item)]
    return sorted(found, key=lambda item: (-item.width, -item.bytes))


@register.filter
def saved_from(rendition: Rendition, share: Share) -> str:
    """An address of the link that saves the file."""
    return f"{playing.shared(rendition, share.token)}?save"


@register.filter
def file_kind(rendition: Rendition) -> str:
    """What people call this kind of file."""
    return FORMATS.get(rendition.content_type, rendition.content_type)
