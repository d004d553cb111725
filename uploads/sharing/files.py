"""`/s/TOKEN/PRESET/NAME`: the files of an original, for whoever has a link to it.

Raw ASGI before the server of local files, to which it hands on a request under the file's signed address.
The link is looked up each time: revoked, it closes at once, also for a player that is halfway through a film.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import DisallowedHost
from django.db import connection
from django.utils.timezone import now
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from processing import storage
from processing.models import Rendition
from uploads import playing
from uploads.auth import request_of
from uploads.models import Share
from uploads.sharing import shares

PLACE = re.compile(r"/s/(?P<token>[\w-]+)/(?P<preset>[\w-]+)/(?P<name>[\w.-]+)", re.ASCII)
FOR_EVER = 365 * 86_400  # seconds; what `immutable` needs beside it
FOR_NOW = 300  # seconds an address that names no version may be behind, after a file was made again
REDIRECT = 900  # seconds; the store's addresses are good for four times as long
HIDDEN = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "same-origin"}


class Shared:
    """Serves the files of links; the rest is another's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = PLACE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if not place:
            await self.app(scope, receive, send)
            return
        answer = await asyncio.to_thread(looked_up, scope, **place.groupdict())
        if isinstance(answer, Response):
            await answer(scope, receive, send)
        else:
            address, headers = answer
            await self.app(under(address, scope), receive, with_headers(send, headers))


Answer = Response | tuple[str, Mapping[str, str]]


def looked_up(scope: Scope, **place: str) -> Answer:
    """`found`, in a thread that leaves no connection to the database behind."""
    try:
        return found(scope, **place)
    finally:
        connection.close()


def found(scope: Scope, token: str, preset: str, name: str) -> Answer:
    """What there is to send: an answer, or the address of a local file and what to say with it."""
    if scope["method"] not in {"GET", "HEAD"}:
        return refusal(405, "method_not_allowed", "Files are read by GET or HEAD.")
    share = shares.find(token)
    files = files_of(scope, share, preset) if share else {}
    if not share or name not in files:
        return refusal(404, "not_found", "This link does not work any longer, or there is no such file.")
    asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return sent(share, files[name], files, asked)


def files_of(scope: Scope, share: Share, preset: str) -> dict[str, Rendition]:
    """The preset's files by name; none of them for who does not know the password."""
    try:
        request = request_of(scope)
        request.get_host()
    except DisallowedHost:
        return {}
    if not shares.is_open(request, share):
        return {}
    rows = Rendition.objects.filter(original=share.original_id, preset=preset)
    return {playing.known_as(item): item for item in rows}


def sent(share: Share, rendition: Rendition, files: Mapping[str, Rendition], asked: Mapping[str, str]) -> Answer:
    headers = {**HIDDEN, "Cache-Control": caching(share, rendition, asked.get("v", ""))}
    if share.is_public:  # a player on another site may read it, too
        headers["Access-Control-Allow-Origin"] = "*"
    if playing.is_text(rendition):
        return text_of(share, rendition, files, headers)
    save_as = playing.saved_name(share.original.name, rendition) if "save" in asked and share.downloads else ""
    address = storage.url(rendition.key, download_as=save_as)
    if storage.is_local():
        return address, headers
    redirect = f"{scope_of(share)}, max-age={lasting(share, REDIRECT)}"
    return RedirectResponse(address, 302, {**headers, "Cache-Control": redirect})


def text_of(share: Share, rendition: Rendition, files: Mapping[str, Rendition], headers: Mapping[str, str]) -> Response:
    """A playlist or storyboard whose names lead on: to this link's addresses, or to the store's."""
    try:
        text = storage.text(rendition.key)
    except FileNotFoundError:  # replaced since its row was read
        return refusal(404, "not_found", "This file is not there any longer.")
    kind = PurePosixPath(playing.known_as(rendition)).suffix
    if storage.is_local():
        named = {name: playing.of_version(playing.shared(item, share.token), item) for name, item in files.items()}
    else:
        named = playing.addresses(files)
    body = playing.addressed(text, kind, named)
    return Response(
        body, headers={**headers, "Content-Type": playing.TYPES[kind], "Cache-Control": "private, no-cache"}
    )


def caching(share: Share, rendition: Rendition, version: str) -> str:
    """What caches may do: keep a version as long as the link lives, and ask again for an address without one."""
    if version != playing.version(rendition):
        return f"{scope_of(share)}, max-age={lasting(share, FOR_NOW)}"
    return f"{scope_of(share)}, max-age={lasting(share, FOR_EVER)}, immutable"


def scope_of(share: Share) -> str:
    return "public" if share.is_public else "private"


def lasting(share: Share, seconds: int) -> int:
    """These seconds, or those that the link has left."""
    if share.expires_at is None:
        return seconds
    return max(0, min(seconds, int((share.expires_at - now()).total_seconds())))


def under(address: str, scope: Scope) -> Scope:
    """The request as if it had come for this address."""
    parts = urlsplit(address)
    inner = {"path": unquote(parts.path), "raw_path": parts.path.encode(), "query_string": parts.query.encode()}
    return {**scope, **inner}


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """`send`, saying these things in place of what the server of files says of its own addresses."""

    async def send_changed(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            said = MutableHeaders(scope=message)
            del said["access-control-allow-origin"]
            said.update(headers)
        await send(message)

    return send_changed


def refusal(status: int, code: str, message: str) -> Response:
    body: dict[str, Any] = {"error": {"code": code, "message": message, "details": {}}}
    return JSONResponse(body, status, {**HIDDEN, "Cache-Control": "no-store"})
