"""Films as players fetch them: playlists, storyboards and subtitles, whose bare names lead to signed addresses.

A text is stored as its engine wrote it, naming its companions. It is sent under an address that bears
a token, beside the other texts of its preset, so that their names hold as they stand; the names of
all other files give way to addresses of the storage, where a player reads the ranges it wants.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from processing import links, storage
from processing.models import Rendition

TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".vtt": "text/vtt; charset=utf-8"}
# A playlist names files on lines of their own and in URI attributes; a storyboard, before a place on the sheet.
NAMES = {
    ".m3u8": re.compile(r'(?<=URI=")[^"\n]+|^[^#\s].*', re.MULTILINE),
    ".vtt": re.compile(r"^[^\s#]+(?=#xywh=)", re.MULTILINE),
}


def known_as(rendition: Rendition) -> str:
    """What this file is called among its preset's: its name, or the preset's where it is the main one."""
    return rendition.name or rendition.preset + PurePosixPath(rendition.key).suffix


def is_text(rendition: Rendition) -> bool:
    return PurePosixPath(known_as(rendition)).suffix in TYPES


def address(rendition: Rendition, good_for: int = links.GOOD_FOR) -> str:
    """Where this file is served: a text by `play`, for as long as its film may take, every other by the storage.

    By its link, where the original is shown by one.
    """
    if rendition.original.share:
        return of_version(shared(rendition, rendition.original.share.token), rendition)
    if not is_text(rendition):
        return storage.url(rendition.key, good_for=good_for)
    token = links.token(rendition.original_id)
    return reverse("uploads:play", args=(rendition.original_id, token, rendition.preset, known_as(rendition)))


def shared(rendition: Rendition, token: str) -> str:
    """Where who has a link reads this file, and the one that comes in its place. `sharing.files` serves it."""
    return f"/s/{token}/{rendition.preset}/{known_as(rendition)}"


def of_version(place: str, rendition: Rendition) -> str:
    """The address of a shared file as it is now, so that caches may keep it; texts are small, and name others."""
    return place if is_text(rendition) else f"{place}?v={version(rendition)}"


def version(rendition: Rendition) -> str:
    return rendition.sha256[:12]


def saved_name(original: str, rendition: Rendition) -> str:
    """What a browser saves this file as: the original's name, with the preset's."""
    return f"{PurePosixPath(original).stem}-{rendition.preset}{PurePosixPath(rendition.key).suffix}"


@gzip_page
@require_safe
def play(request: HttpRequest, original_id: UUID, token: str, preset: str, name: str) -> HttpResponse:
    """A text of a film. Whoever holds the token may read it from anywhere: native players have no session."""
    if not links.opens(original_id, token):
        return refusal(403, "link_expired", "This link has expired or was changed. Load the page again.")
    found = Rendition.objects.filter(original=original_id, preset=preset)
    files = {known_as(item): item for item in found}
    if name not in files or not is_text(files[name]):
        return refusal(404, "not_found", "This file is not there any longer.")
    try:
        text = storage.text(files[name].key)
    except FileNotFoundError:  # replaced since its row was read
        return refusal(404, "not_found", "This file is not there any longer.")
    kind = PurePosixPath(name).suffix
    answer = HttpResponse(addressed(text, kind, addresses(files)), content_type=TYPES[kind])
    answer["Cache-Control"] = "private, no-cache"
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def addresses(files: Mapping[str, Rendition]) -> dict[str, str]:
    """Where the files that are no texts are read, by name, for as long as it may take to watch them."""
    return {name: storage.url(item.key, good_for=links.TO_WATCH) for name, item in files.items() if not is_text(item)}


def addressed(text: str, kind: str, found: Mapping[str, str]) -> str:
    """The text with these addresses in the place of names; other names stay as they are."""
    return NAMES[kind].sub(lambda name: found.get(name[0], name[0]), text)


def refusal(status: int, code: str, message: str) -> JsonResponse:
    answer = JsonResponse({"error": {"code": code, "message": message, "details": {}}}, status=status)
    answer["Access-Control-Allow-Origin"] = "*"
    return answer
