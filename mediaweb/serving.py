"""What stands before Django: files of the local storage, and the bound on what a request may send.

Raw ASGI, because Django would read a streamed file whole before sending it, and would take a body
of any size before a view could refuse it.
"""

import mimetypes
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.utils.http import parse_http_date, parse_http_date_safe
from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from processing import links, storage
from processing.errors import TooLarge

MEDIA = "/media/"
# Read at once of a file, for 512 MiB over loopback: 64 KiB give 700 MiB/s and take 0.6 s of CPU, these 1300 and 0.27,
# larger ones no more; sendfile 1800.
CHUNK = 1 << 19
MULTIPART_FRAME = 1 << 20  # boundaries, headers and a long name beside the file itself
# A file somebody uploaded is never a page: no script of it may run here, whatever it holds.
FENCE = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
# Whoever holds an address may read it, so that a player on another site may too; and it may be kept for an hour.
OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "private, max-age=3600"}


class Media:
    """Serves `/media/KEY` with ranges and validators to whoever holds a signed address of that key."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(MEDIA) and storage.is_local():
            await media_response(scope)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def media_response(scope: Scope) -> Response:
    key = scope["path"].removeprefix(MEDIA)
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
    name = query.get("name", "")
    if scope["method"] not in {"GET", "HEAD"}:
        return refusal(405, "method_not_allowed", "Files are read by GET or HEAD.")
    if not links.holds(key, query.get("until", ""), query.get("sign", ""), name):
        return refusal(403, "link_expired", "This link has expired or was changed. Load the page again.")
    return file_response(key, name, Headers(scope=scope))


class File(FileResponse):
    """A file by ranges, read in pieces so large that handing them over costs little beside sending them."""

    chunk_size = CHUNK


def file_response(key: str, name: str, asked: Headers) -> Response:
    try:
        path = Path(default_storage.path(key))
        written = path.stat()
    except (OSError, SuspiciousFileOperation):
        written = None
    if written is None or not stat.S_ISREG(written.st_mode):
        return refusal(404, "not_found", "This file is not there any longer.")
    kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
    headers = {**FENCE, **OPEN}
    if name:
        headers["Content-Disposition"] = links.disposition(name)
    if settings.ACCEL:  # the proxy in front reads the file itself, and sees to ranges and conditions
        return Response(media_type=kind, headers={**headers, "X-Accel-Redirect": settings.ACCEL + quote(key)})
    answer = File(path, media_type=kind, headers=headers, stat_result=written)
    return unchanged(answer) if has(asked, answer) else answer


def has(asked: Headers, answer: Response) -> bool:
    """Whether who asks says that it has this file already: by its validator, or where it names none, by its date."""
    if "if-none-match" in asked:
        known = {item.strip().removeprefix("W/") for item in asked["if-none-match"].split(",")}
        return bool(known & {answer.headers["etag"], "*"})
    since = parse_http_date_safe(asked.get("if-modified-since", ""))
    return since is not None and parse_http_date(answer.headers["last-modified"]) <= since


def unchanged(answer: Response) -> Response:
    """The answer without its file: what who asked has is still true."""
    kept = ("etag", "last-modified", "cache-control", "access-control-allow-origin")
    return Response(status_code=304, headers={name: answer.headers[name] for name in kept})


def refusal(status: int, code: str, message: str, **details: Any) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "details": details}}, status)


class Body:
    """Refuses a body larger than the largest upload: before it is read where its length is told."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            left = settings.MAX_UPLOAD_BYTES + MULTIPART_FRAME
            if declared_length(scope) > left:
                raise TooLarge(allowed=settings.MAX_UPLOAD_BYTES)
            await self.app(scope, counted(receive, left), send)
        except TooLarge as error:
            answer = refusal(413, error.code, str(error), **error.details)
            await answer(scope, receive, send)


def declared_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def counted(receive: Receive, left: int) -> Receive:
    """`receive`, raising TooLarge once more than `left` bytes have come."""

    async def receive_counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLarge(allowed=settings.MAX_UPLOAD_BYTES)
        return message

    return receive_counted
