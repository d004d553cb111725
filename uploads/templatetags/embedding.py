"""What to paste into a page elsewhere, so that it shows an original."""

from collections.abc import Callable, Sequence
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from processing.models import Rendition
from uploads import playing
from uploads.models import Original, Share
from uploads.representation import stills
from uploads.templatetags.films import named, playable

register = template.Library()


@register.simple_tag(takes_context=True)
def snippet(context: dict[str, Any], original: Original, links: Sequence[Share]) -> str:
    """The markup that shows this original by the newest link without a password; empty while nothing does.

    Its addresses name no version of a file: what is pasted elsewhere outlives a re-render.
    """
    link = next((share for share in links if share.is_public), None)
    if link is None:
        return ""

    def address(rendition: Rendition) -> str:
        found: str = context["request"].build_absolute_uri(playing.shared(rendition, link.token))
        return found

    return film(original, address) if original.kind == "video" else picture(original, address)


def picture(original: Original, address: Callable[[Rendition], str]) -> str:
    sizes = stills(original)
    if not sizes:
        return ""
    plain = named(original, "jpeg-1280") or sizes[-1]
    offered = ", ".join(f"{address(item)} {item.width}w" for item in sizes)
    return format_html(
        '<picture>\n  <source type="image/webp" srcset="{}" sizes="100vw">\n'
        '  <img src="{}" width="{}" height="{}" alt="{}" loading="lazy">\n</picture>',
        offered,
        address(plain),
        plain.width,
        plain.height,
        original.name,
    )


def film(original: Original, address: Callable[[Rendition], str]) -> str:
    files = playable(original)
    if not files:
        return ""
    poster, stream = named(original, "poster"), named(original, "hls")
    sources = [(address(item), item.content_type) for item in (stream, files[0]) if item]
    return format_html(
        '<video controls playsinline preload="none"{} width="{}" height="{}">\n{}</video>',
        format_html(' poster="{}"', address(poster)) if poster else SafeString(),
        files[0].width,
        files[0].height,
        format_html_join("", '  <source src="{}" type="{}">\n', sources),
    )
