"""The HTTP interface for programs and for the pages' own scripts."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.db import close_old_connections, connection
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from ninja import Field, File, Query, Router, Schema, Status, UploadedFile
from ninja.responses import NinjaJSONEncoder

from processing import events, queues, runner, storage
from processing.standing import SPARED, UNFINISHED, Lines
from uploads import keeping, listing, refusals
from uploads.auth import CALLERS
from uploads.document import DocumentedAPI
from uploads.idempotency import idempotent
from uploads.intake import multipart
from uploads.reach import mendable, visible
from uploads.representation import OriginalOut, originals, represent, represent_new
from uploads.sharing import api as sharing
from uploads.throttling import Rate
from uploads.webhooks import api as webhooks


class OriginalPage(Schema):
    items: list[OriginalOut]
    next_cursor: str | None = Field(description="give it back as `cursor`; null on the last page")


class NameIn(Schema):
    name: str = Field(min_length=1, max_length=255, examples=["Beach.mp4"])


class Filters(Schema):
    status: str = ""
    kind: str = ""
    q: str = Field("", description="part of the name")
    owner: str = ""
    sha256: str = Field("", description="of the file's bytes: ask with it before you send them")
    cursor: str = ""
    limit: int = Field(listing.PAGE, ge=1, le=listing.LONGEST_PAGE)


api = DocumentedAPI(
    title="mediaweb",
    version="1",
    description="Upload images and videos, watch them being processed, fetch what was made of them.",
    auth=CALLERS,
    throttle=Rate(),
    urls_namespace="api",
)
refusals.register(api)


@api.post(
    "/originals",
    response={200: OriginalOut, 201: OriginalOut, 413: None, 415: None},
    summary="Upload a file",
)
@idempotent
def upload(request: HttpRequest, file: File[UploadedFile]) -> Status[OriginalOut]:
    """Keep the file and queue its processing; answers before that begins.

    200 where you have sent the same bytes before: it is the original that they became. While much is waiting,
    `queue_position` and `eta_seconds` may be null in this answer: ask for the original, or watch it.
    """
    original = keeping.keep(request.user, file.name or "", file)
    if original.was_there:
        row = originals().get(pk=original.pk)
        return Status(200, represent(row, SPARED.read([row.run]), request.build_absolute_uri))
    return Status(201, represent_new(original, SPARED.read([original.run])))


@api.get("/originals", response=OriginalPage, summary="List originals")
def index(request: HttpRequest, filters: Query[Filters]) -> OriginalPage:
    """Newest first: your own; everybody's for editors."""
    rows = listing.visible_to(request.user, originals())
    rows = listing.filtered(rows, filters.status, filters.kind, filters.q, filters.owner)
    page = listing.page(listing.with_bytes(rows, filters.sha256), filters.cursor, filters.limit)
    lines = Lines.read(item.run for item in page.items)
    items = [represent(item, lines, request.build_absolute_uri) for item in page.items]
    return OriginalPage(items=items, next_cursor=page.next_cursor)


@api.get("/originals/{original_id}", response=OriginalOut, summary="One original")
def detail(request: HttpRequest, original_id: UUID) -> OriginalOut:
    return shown(request, original_id)


@api.patch("/originals/{original_id}", response=OriginalOut, summary="Rename")
def rename(request: HttpRequest, original_id: UUID, given: NameIn) -> OriginalOut:
    """Call it by another name; folders and what cannot be shown are left out of it."""
    keeping.rename(mendable(request, original_id), given.name)
    return shown(request, original_id)


@api.delete("/originals/{original_id}", response={204: None}, summary="Delete an original")
def delete(request: HttpRequest, original_id: UUID) -> Status[None]:
    """Its renditions, jobs and files go too; a running encoder stops within seconds."""
    keeping.forget(mendable(request, original_id))
    return Status(204, None)


@api.post("/originals/{original_id}/retry", response={202: OriginalOut}, summary="Try again")
def retry(request: HttpRequest, original_id: UUID) -> Status[OriginalOut]:
    """Owe again what has failed or was canceled; what is made stays as it is."""
    runner.retry(mendable(request, original_id).run.pk)
    return Status(202, shown(request, original_id))


@api.post("/originals/{original_id}/cancel", response={202: OriginalOut}, summary="Stop processing")
def cancel(request: HttpRequest, original_id: UUID) -> Status[OriginalOut]:
    """Drop what waits and stop what runs; what is made stays."""
    runner.cancel(mendable(request, original_id).run.pk)
    return Status(202, shown(request, original_id))


@api.post("/originals/{original_id}/reprocess", response={202: OriginalOut}, summary="Make it again")
def reprocess(request: HttpRequest, original_id: UUID) -> Status[OriginalOut]:
    """Make every file of it again from the original; what is there stays until its successor is."""
    runner.make_again(mendable(request, original_id).run.pk)
    return Status(202, shown(request, original_id))


@api.post("/originals/{original_id}/front", response={202: OriginalOut}, summary="Move to the front")
def front(request: HttpRequest, original_id: UUID) -> Status[OriginalOut]:
    """Let it go before all that waits, whoever uploaded that; for editors."""
    if not request.user.has_perm("processing.mend_runs"):
        raise PermissionDenied
    original = visible(request, original_id)
    if original.run.status in UNFINISHED:
        runner.to_front(original.run.pk)
    return Status(202, shown(request, original_id))


@api.get("/originals/{original_id}/download", response={302: None}, summary="The original's bytes")
def download(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """Leads to a signed address that serves the file as an attachment under its own name."""
    original = visible(request, original_id)
    return redirect(storage.url(original.key, download_as=original.name))


@api.get(
    "/events",
    response={200: None},
    throttle=[],  # a page that lost its stream comes again and again, and is to find out what it missed
    summary="Watch originals move",
    openapi_extra={
        "responses": {
            200: {
                "description": "`original` events, each with an original's JSON",
                "content": {"text/event-stream": {}},
            }
        }
    },
)
def watch(request: HttpRequest) -> StreamingHttpResponse:
    """Server-sent events: `listening` once, then your originals as they change; everybody's for editors."""
    response = StreamingHttpResponse(stream(request), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


# Sent once nothing can be missed any longer: who reads the rows after it has everything.
LISTENING = "retry: 2000\nevent: listening\ndata: {}\n\n"  # ms a browser waits before it comes back
STILL_HERE = ": still here\n\n"


async def stream(request: HttpRequest) -> AsyncIterator[str]:
    quiet = LISTENING
    async for original_id in events.moved():
        text = await sync_to_async(event)(request, UUID(original_id)) if original_id else quiet
        quiet = STILL_HERE
        if text:
            yield text


def event(request: HttpRequest, original_id: UUID) -> str:
    """The original's state as an event; empty where it is gone or not this user's to see."""
    try:
        body = json.dumps(shown(request, original_id).model_dump(), cls=NinjaJSONEncoder)
    except Http404:
        return ""
    finally:
        if not connection.in_atomic_block:  # of who called us
            close_old_connections()  # the stream lasts for hours, and would hold one as long
    return f"event: original\ndata: {body}\n\n"


@api.get("/queues", response={200: list[queues.Queue], 403: None}, summary="How full the queues are")
def queue_overview(request: HttpRequest) -> list[queues.Queue]:
    """As `manage.py queues --json`; for editors and ops."""
    if not request.user.has_perm("processing.see_queues"):
        raise PermissionDenied
    return queues.overview()


rest = Router()  # asked after all others


@rest.api_operation(
    ["GET", "POST", "PUT", "PATCH", "DELETE"], "/{path:address}", auth=None, include_in_schema=False, response=None
)
def unknown(request: HttpRequest, address: str) -> None:
    """Every address that is none of the above."""
    raise Http404


api.add_router("/multipart", multipart.router)
api.add_router("/originals", sharing.router)
api.add_router("/webhooks", webhooks.router)
api.add_router("/download", sharing.downloads)
api.add_router("", rest)


def shown(request: HttpRequest, original_id: UUID) -> OriginalOut:
    original = visible(request, original_id)
    return represent(original, Lines.read([original.run]), request.build_absolute_uri)
