"""How films look on pages: what can be played already, what is still being made, what goes along with it."""

import re

from django import template
from django.utils.translation import gettext

from processing import links, presets
from processing.engines import audio, hls
from processing.facts import Facts
from processing.models import Rendition
from uploads import playing
from uploads.models import Original

register = template.Library()
register.filter("player_url", playing.address)
register.filter("is_text", playing.is_text)

FIRST_RUNG = 720  # lines of the video that plays when nobody chose: sharp on most screens, soon there
# bit/s of an original that is played while nothing better is there: 1080p of a phone has 17, its 4K 45.
MODEST = 24_000_000
SOUND = f"{audio.NAME}.mp4"
AHEAD = 20  # seconds that player-film.js has hls.js fetch before they are played


def named(original: Original, preset: str, name: str = "") -> Rendition | None:
    """The original's file of this preset and name, if it is made."""
    found = (item for item in original.renditions.all() if (item.preset, item.name) == (preset, name))
    return next(found, None)


def rungs(original: Original) -> list[Rendition]:
    """The MP4s of the ladder, lowest first."""
    found = [item for item in original.renditions.all() if item.preset.startswith("mp4-") and not item.name]
    return sorted(found, key=lines)


@register.filter
def lines(rendition: Rendition) -> int:
    """What people call a video's size by: its short side."""
    return min(rendition.width, rendition.height)


@register.filter
def playable(original: Original) -> list[Rendition]:
    """The MP4s a browser may play, the first choice first.

    While there are only drafts of the ladder, the remuxed source is it, unless it is too heavy for most lines.
    """
    found = sorted(rungs(original), key=preference)
    source = named(original, "source")
    if source is None:
        return found
    if any(item.version for item in found) or heavy(source):
        return [*found, source]
    return [source, *found]


def preference(rung: Rendition) -> tuple[bool, bool, int]:
    """Sorts finished rungs before drafts, and the highest up to FIRST_RUNG before the others."""
    above = lines(rung) > FIRST_RUNG
    return not rung.version, above, lines(rung) if above else -lines(rung)


def heavy(source: Rendition) -> bool:
    return source.bytes * 8 > MODEST * (source.duration or 1)


@register.filter
def weight(main: Rendition) -> int:
    """The bytes of a preset, with its companions."""
    return sum(item.bytes for item in main.original.renditions.all() if item.preset == main.preset)


@register.filter
def preview(original: Original) -> Rendition | None:
    """The short silent loop that its card plays, if it is made."""
    return named(original, "preview")


@register.filter
def stream(original: Original) -> str:
    """The address of the film's HLS; empty while there is none, and where an MP4 is the better one.

    One segment is: there is nothing to switch between, and an MP4 is there sooner. And so is a film whose picture and
    sound end far apart. Until the last of both is fetched, Chromium plays only where it has both; so hls.js (1.7.4)
    stood still at the end of the shorter one, and before a few pictures with sound, 0.04 to 0.14 s.
    """
    found = named(original, "hls")
    if found is None or (found.duration or 0) <= hls.SEGMENT or apart(original) > AHEAD:
        return ""
    return playing.address(found)


def apart(original: Original) -> float:
    """Seconds between the end of the picture and that of the sound, as they are streamed; 0 of a silent film."""
    films = [item for item in original.renditions.all() if item.preset == "hls" and item.name.endswith(".mp4")]
    heard = [item.duration or 0 for item in films if item.name == SOUND]
    seen = [item.duration or 0 for item in films if item.name != SOUND]
    return abs(max(heard) - max(seen)) if heard and seen else 0


@register.filter
def watch_url(rendition: Rendition) -> str:
    """An address that lasts as long as watching it may take."""
    return playing.address(rendition, links.TO_WATCH)


@register.filter
def awaited(original: Original) -> list[int]:
    """The rungs that are still to be made, by their lines, highest first."""
    if not original.facts:
        return []
    owed = {rung.name: rung.short_side for rung in presets.rungs(Facts(**original.facts))}
    made = {item.preset for item in rungs(original) if item.version}
    return sorted((side for name, side in owed.items() if name not in made), reverse=True)


@register.filter
def storyboard(original: Original) -> str:
    """The address of the storyboard's WebVTT; empty while there is none."""
    found = named(original, "storyboard", "storyboard.vtt")
    return playing.address(found) if found else ""


@register.filter
def subtitles(original: Original) -> list[Rendition]:
    """The film's text tracks as WebVTT, in its own order."""
    return [item for item in original.renditions.all() if item.preset == "subtitles"]


@register.filter
def language(track: Rendition) -> str:
    """The language of a text track, as its file's name or the film's facts have it; `und` where neither does."""
    texts = (track.original.facts or {}).get("texts") or [{}]
    said = track.name.rpartition("-")[0] if track.name else texts[0].get("language", "")
    return said if re.fullmatch("[a-z]{2,3}", said) else "und"


@register.filter
def track_label(track: Rendition) -> str:
    """What a reader chooses a text track by, where no script knows its language's name."""
    code = language(track)
    return gettext("Subtitles") if code == "und" else code.upper()
