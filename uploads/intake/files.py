"""`/files/`: the tus server, raw ASGI in front of Django.

Django's own handler never reaches a view when a client breaks off, and what it had received is lost.
Here a body is kept as it comes. What blocks (rows, bytes, hashes) runs in threads of our own: a large
body goes past the server by its `Line`, and of what the server hands over, one block is kept while the
next one arrives.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import close_old_connections
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.http import http_date
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from processing.errors import MediaError
from processing.outages import AWAY, RETRY_SECONDS, is_outage
from uploads.auth import Forged, caller, request_of
from uploads.intake import receiving, tus
from uploads.intake.incoming import BLOCK, Lost
from uploads.intake.line import Line, in_one_piece
from uploads.intake.receiving import SAVE_EVERY, Held, Mismatch, Receiver, TooMany
from uploads.intake.tus import Chunk, Refused
from uploads.models import Upload
from uploads.refusals import STATUSES

FILES = "/files/"
HANDS = 16  # threads: disks and stores are waited for in them
SILENCE = 60.0  # seconds without a byte, after which a line counts as broken
# Read and thrown away before a refusal, so that a client that is still sending gets to read it: one
# that finds its connection closed takes that for a broken line, and sends everything again.
READ_ON = 32 << 20
# These are no end: the client is to ask how far the upload is and go on, as it does when its line breaks.
# So it is told at once, before it sends a whole body for nothing, unless that is here already.
PASSING = {409, 423, 503}
LITTLE = 64 << 10  # bytes
# Seconds for a client that is still sending to read its answer and hang up: a connection that is closed with bytes
# unread takes the end of the answer with it, and tus-js-client in Node waits for that end for ever.
LINGER = 2.0

Result = TypeVar("Result")
hands = ThreadPoolExecutor(HANDS, thread_name_prefix="receiving")


class Files:
    """Answers `/files/…`; the rest is another's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and f"{scope['path']}/".startswith(FILES):
            await Exchange(scope, receive).answer(send)
        else:
            await self.app(scope, receive, send)


class Exchange:
    """One request and its answer."""

    user: Any
    request: HttpRequest

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.headers = Headers(scope=scope)
        self.has_ended = self.is_broken = False  # the body, the line
        self.line: Line | None = None  # once a large body is read past the server
        self.read = 0  # bytes of the body
        self.heard_at = time.monotonic()

    async def answer(self, send: Send) -> None:
        try:
            await self.answer_all(send)
        finally:
            if self.line:
                self.line.close()

    async def answer_all(self, send: Send) -> None:
        try:
            response = await self.respond()
        except Refused as refused:
            response = await self.refuse(refused)
        except Exception as error:
            if not is_outage(error):
                raise
            # tus-js-client sends a file anew from its first byte where HEAD fails with anything but 423.
            status = 423 if tus.method_of(self.scope["method"], self.headers) == "HEAD" else 503
            response = await self.refuse(Refused(status, *AWAY, Retry_After=str(RETRY_SECONDS)))
        if not self.is_broken:
            response.headers["Tus-Resumable"] = tus.VERSION
            response.headers.setdefault("Cache-Control", "no-store")
            await response(self.scope, self.receive, send if self.has_ended else self.lingering(send))

    def lingering(self, send: Send) -> Send:
        """Sends the answer in one piece; its end, which hangs up, once the client has hung up or is done."""
        head: list[Message] = []

        async def send_and_wait(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
                return
            with in_one_piece(self.receive):
                for part in (*head, {**message, "more_body": True}):
                    await send(part)
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self.read_on(READ_ON)
            await send({"type": "http.response.body"})

        return send_and_wait

    async def respond(self) -> Response:
        method = tus.method_of(self.scope["method"], self.headers)
        if method == "OPTIONS":
            return capabilities()
        tus.check_version(self.headers)
        known = ON_ONE if self.upload_id else ON_ALL
        if method not in known:
            raise Refused(405, "method_not_allowed", "This cannot be done here.", Allow=", ".join(["OPTIONS", *known]))
        self.request, self.user = await run(authenticated, self.scope)
        try:
            return await known[method](self)
        except MediaError as error:
            raise Refused(STATUSES.get(error.code, 400), error.code, str(error), error.details) from error

    @property
    def upload_id(self) -> str:
        return str(self.scope["path"]).removeprefix(FILES.rstrip("/")).strip("/")

    async def create(self) -> Response:
        wanted, first = tus.creation(self.headers), tus.first_chunk(self.headers)
        if first and wanted.length is not None and (first.bytes or 0) > wanted.length:
            raise Refused(413, "too_many_bytes", "The body has more bytes than Upload-Length says.")
        upload = await run(receiving.create, self.user, wanted.name, wanted.length, wanted.metadata)
        if first:
            upload = await self.fill(upload, first)
        place = {"Location": self.request.build_absolute_uri(f"{FILES}{upload.pk}")}
        return Response(status_code=201, headers={**self.state(upload), **place})

    async def tell(self) -> Response:
        upload = await self.found()
        if upload.is_whole and not upload.original_id:
            # Who holds it is making it an original, or has died at that: a client that heard how far it is would take
            # it for done, and never learn what it became.
            raise Refused(423, "locked", "All of this upload has come, and is being put away; ask again.")
        headers = self.state(upload)
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        if upload.length is None:
            headers["Upload-Defer-Length"] = "1"
        else:
            headers["Upload-Length"] = str(upload.length)
        return Response(status_code=200, headers=headers)

    async def add(self) -> Response:
        chunk = tus.chunk(self.headers)
        upload = await self.found()
        if not upload.original_id:
            upload = await self.fill(upload, chunk)
        elif chunk.offset != upload.offset:
            raise wrong_offset(upload)
        elif chunk.bytes:
            raise Refused(413, "too_many_bytes", "This upload is whole already.")
        return Response(status_code=204, headers=self.state(upload))

    async def drop(self) -> Response:
        await run(receiving.forget, await self.found())
        return Response(status_code=204)

    async def found(self) -> Upload:
        try:
            upload = await run(receiving.find, self.user, UUID(self.upload_id))
        except ValueError:
            upload = None
        if upload is None:
            raise Refused(404, "not_found", "There is no upload here with that id, or it is not yours.")
        return upload

    async def fill(self, upload: Upload, chunk: Chunk) -> Upload:
        """Keep the body as more of the upload. Whatever ends it, what has come by then is kept."""
        try:
            receiver = await run(receiving.take, upload.pk, chunk.checksum)
            try:
                await self.pour(receiver, chunk)
            except MediaError:
                await run(receiver.drop)
                raise
            finally:
                await run(receiver.release)
        except Held as error:
            raise Refused(423, "locked", "Another request is sending this upload.") from error
        except TooMany as error:
            raise Refused(413, "too_many_bytes", "These are more bytes than Upload-Length says.") from error
        except Mismatch as error:
            raise Refused(460, "checksum_mismatch", "The bytes are not the checksum's; send them again.") from error
        except Lost as error:
            if await run(receiving.find, self.user, upload.pk):
                raise Refused(423, "locked", "Another request has taken this upload over.") from error
            raise Refused(410, "gone", "This upload was given up.") from error
        return receiver.upload

    async def pour(self, receiver: Receiver, chunk: Chunk) -> None:
        if chunk.offset != receiver.upload.offset:
            raise wrong_offset(receiver.upload)
        if chunk.length is not None:
            receiver.announce(chunk.length)
        if chunk.bytes:
            receiver.check_room_for(chunk.bytes)
        await self.keep_blocks(receiver)
        if self.line:
            await self.keep_line(receiver, self.line)
        await run(receiver.settle, is_broken=self.is_broken)

    async def keep_blocks(self, receiver: Receiver) -> None:
        """Keep what comes by way of the server, until there is a line past it."""
        writing: Awaitable[None] | None = None
        try:
            while self.is_open and not self.line:
                block = await self.block()
                if writing:
                    await writing
                writing = run(receiver.write, block)
        finally:
            if writing:
                await writing

    async def keep_line(self, receiver: Receiver, line: Line) -> None:
        was_silent = False
        while self.is_open:
            came = await run(receiver.draw, line) if await line.stirs(SAVE_EVERY) else 0
            self.heard_from(line, came)
            if not (came or was_silent or self.is_broken):
                await run(make_way, receiver)
            was_silent = not came

    async def block(self) -> bytearray:
        """The body as the server hands it over, gathered until it is worth a write, or a second old."""
        block, began = bytearray(), time.monotonic()
        while self.is_open and not self.line and len(block) < BLOCK and time.monotonic() - began < SAVE_EVERY:
            block += await self.from_server()
        return block

    @property
    def is_open(self) -> bool:
        """Whether more of the body may come."""
        return not (self.has_ended or self.is_broken)

    @property
    def declared(self) -> int:
        """Bytes of the whole body, where they are told; else 0."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() and "transfer-encoding" not in self.headers else 0

    async def from_server(self) -> bytes:
        try:
            async with asyncio.timeout(SILENCE):
                message = await self.receive()
        except TimeoutError:
            self.is_broken = True
            return b""
        self.is_broken = message["type"] == "http.disconnect"
        self.has_ended = not message.get("more_body", False)
        data = bytes(message.get("body", b""))
        self.read += len(data)
        if self.is_open:
            self.line = Line.of(self.receive, self.declared - self.read)
        return data

    def heard_from(self, line: Line, came: int) -> None:
        """So many bytes have come by the line."""
        self.read += came
        self.heard_at = time.monotonic() if came else self.heard_at
        self.has_ended = not line.left
        self.is_broken = line.is_lost or time.monotonic() - self.heard_at > SILENCE
        if not self.is_open:
            line.give_back()

    async def refuse(self, refused: Refused) -> Response:
        """The answer, once so much of the body is read away that the client gets to see it."""
        response = refusal(refused)
        if refused.status not in PASSING:
            await self.read_on(READ_ON)
        elif self.declared - self.read <= LITTLE:
            await self.read_on(LITTLE)
        if not self.has_ended:
            response.headers["Connection"] = "close"
        return response

    async def read_on(self, left: int) -> None:
        while self.is_open and left >= 0:
            left -= await self.skip()

    async def skip(self) -> int:
        """Throw away what comes next of the body; how many bytes."""
        if not self.line:
            return len(await self.from_server())
        await self.line.stirs(SAVE_EVERY)
        came = self.line.skip()
        self.heard_from(self.line, came)
        return came

    def state(self, upload: Upload) -> dict[str, str]:
        """How far the upload is, or what it has become."""
        headers = {"Upload-Offset": str(upload.offset)}
        if not upload.original_id:
            return {**headers, "Upload-Expires": http_date(upload.expires_at.timestamp())}
        address = self.request.build_absolute_uri(f"/api/originals/{upload.original_id}")
        return {**headers, "X-Original-Id": str(upload.original_id), "X-Original-Url": address}


Answer = Callable[[Exchange], Awaitable[Response]]
ON_ALL: Mapping[str, Answer] = {"POST": Exchange.create}
ON_ONE: Mapping[str, Answer] = {"HEAD": Exchange.tell, "PATCH": Exchange.add, "DELETE": Exchange.drop}


def run(function: Callable[..., Result], *args: Any, **named: Any) -> Awaitable[Result]:
    """Start the function in a thread at once; await it for what it returns."""
    return asyncio.get_running_loop().run_in_executor(hands, lambda: connected(function, *args, **named))


def connected(function: Callable[..., Result], *args: Any, **named: Any) -> Result:
    """Call it, and leave no connection to the database behind; Django sees to that in requests that are its own."""
    close_old_connections()
    try:
        return function(*args, **named)
    finally:
        close_old_connections()


def make_way(receiver: Receiver) -> None:
    """Put away what has come, and let the client in by another line at once: this one is silent, and may be dead."""
    if not (receiver.checksum or receiver.upload.is_whole):
        receiver.settle()
        receiver.change(lease_until=Now())


def authenticated(scope: Scope) -> tuple[HttpRequest, Any]:
    try:
        request = request_of(scope)
        request.get_host()
        user = caller(request)
    except DisallowedHost as error:
        raise Refused(400, "bad_request", "This host is not served here.") from error
    except Forged as error:
        raise Refused(403, "forbidden", "Send the page's CSRF token as X-CSRFToken.") from error
    if not user:
        raise Refused(401, "unauthenticated", "Sign in, or send Authorization: Bearer TOKEN.")
    return request, user


def capabilities() -> Response:
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(settings.MAX_UPLOAD_BYTES),
        "Tus-Checksum-Algorithm": ",".join(tus.ALGORITHMS),
    }
    return Response(status_code=204, headers=headers)


def wrong_offset(upload: Upload) -> Refused:
    text = f"{upload.offset} bytes of this upload are here; go on behind them."
    return Refused(409, "offset", text, Upload_Offset=str(upload.offset))


def refusal(refused: Refused) -> Response:
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    return JSONResponse({"error": error}, refused.status, refused.headers)
