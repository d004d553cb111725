"""`/api/multipart`: uploads that go straight to the store, for programs and for our page (S3 storage only)."""

from base64 import b64encode
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import escape
from ninja import Field, Router, Schema, Status

from uploads import tasks
from uploads.idempotency import idempotent
from uploads.intake import direct, incoming, receiving
from uploads.models import Upload
from uploads.representation import OriginalOut

router = Router(tags=["multipart"])


class MultipartIn(Schema):
    name: str = Field(max_length=1000)
    bytes: int = Field(ge=0, le=(1 << 63) - 1, description="of the whole file")
    modified: int | None = Field(None, description="when the file was last changed: by this it is known again")


class PartOut(Schema):
    number: int
    bytes: int
    etag: str


class MultipartOut(Schema):
    id: UUID
    name: str
    bytes: int
    part_bytes: int = Field(description="of every part but the last")
    expires_at: datetime
    original_id: UUID | None = Field(description="what it has become")


class PartsOut(MultipartOut):
    parts: list[PartOut] = Field(description="what the store has")


class SignedOut(Schema):
    url: str = Field(description="PUT exactly `bytes` bytes there, within the hour")
    bytes: int


@router.post("", response={201: MultipartOut, 404: None, 413: None}, summary="Begin")
@idempotent
def create(request: HttpRequest, wanted: MultipartIn) -> Status[MultipartOut]:
    """A multipart upload in the store. Sign its parts, send them, complete it."""
    if not direct.is_offered():
        raise Http404
    metadata = "" if wanted.modified is None else f"modified {b64encode(str(wanted.modified).encode()).decode()}"
    return Status(201, MultipartOut(**shown(direct.create(request.user, wanted.name, wanted.bytes, metadata))))


@router.get("/{upload_id}", response={200: PartsOut}, summary="What has arrived")
def detail(request: HttpRequest, upload_id: UUID) -> dict[str, Any]:
    """The parts the store has, and the original once it is one."""
    upload = found(request, upload_id)
    return {**shown(upload), "parts": [vars(part) for part in direct.parts(upload)]}


@router.post("/{upload_id}/parts/{number}", response={200: SignedOut}, summary="Sign a part")
def sign(request: HttpRequest, upload_id: UUID, number: int) -> dict[str, Any]:
    """An address for this part, from 1, and for exactly its size."""
    upload = found(request, upload_id)
    if upload.is_whole or number not in direct.sizes(upload):
        raise Http404
    return {"url": direct.sign(upload, number), "bytes": direct.sizes(upload)[number]}


@router.post(
    "/{upload_id}/complete",
    response={201: OriginalOut, 202: MultipartOut, 409: None, 415: None},
    summary="End",
)
def complete(request: HttpRequest, upload_id: UUID) -> Any:
    """The original; or 202 while a large file's bytes are read once more: ask again until `original_id` is there."""
    from uploads.api import shown as original_shown
    from uploads.refusals import refuse

    upload = found(request, upload_id)
    try:
        if not upload.original_id and not direct.complete(upload):
            tasks.ring_finish(upload.pk)
            return Status(202, shown(upload))
    except direct.Incomplete as error:
        details = {"parts": error.numbers[:100]}
        return refuse(request, 409, "incomplete", "Some parts are missing or not of the size signed.", details)
    except receiving.Held:
        return refuse(request, 409, "locked", "Another request is completing this upload.")
    upload.refresh_from_db()
    return Status(201, original_shown(request, cast("UUID", upload.original_id)))


@router.delete("/{upload_id}", response={204: None}, summary="Give up")
def abort(request: HttpRequest, upload_id: UUID) -> Status[None]:
    """The parts go. An original that it has become stays."""
    receiving.forget(found(request, upload_id))
    return Status(204, None)


@router.get("/{upload_id}/s3", include_in_schema=False)
def list_parts(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """What the S3 client of our page asks a store for: in S3's words, as it understands no others.

    A store lists a thousand parts at a time, and that client reads one list.
    """
    there = direct.kept(found(request, upload_id))
    parts = "".join(f"<Part>{told(PartNumber=part.number, ETag=part.etag)}</Part>" for part in there)
    return in_xml(f"<ListPartsResult>{parts}</ListPartsResult>")


@router.post("/{upload_id}/s3", include_in_schema=False)
def complete_for_page(request: HttpRequest, upload_id: UUID) -> Any:
    """Where the original is, or where to ask for it while its bytes are read."""
    answer = complete(request, upload_id)
    if isinstance(answer, HttpResponse):
        return answer
    upload = found(request, upload_id)
    place = f"/api/originals/{upload.original_id}" if upload.original_id else f"/api/multipart/{upload_id}"
    named = told(Location=place, Key=upload_id)
    return in_xml(f"<CompleteMultipartUploadResult>{named}</CompleteMultipartUploadResult>")


@router.delete("/{upload_id}/s3", response={204: None}, include_in_schema=False)
def abort_for_page(request: HttpRequest, upload_id: UUID) -> Status[None]:
    """As often as it is said: what is not there needs no giving up."""
    upload = direct.find(request.user, upload_id)
    if upload:
        receiving.forget(upload)
    return Status(204, None)


def told(**values: object) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())


def in_xml(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="application/xml")


def found(request: HttpRequest, upload_id: UUID) -> Upload:
    upload = direct.find(request.user, upload_id)
    if upload is None:
        raise Http404
    return upload


def shown(upload: Upload) -> dict[str, Any]:
    plain = {name: getattr(upload, name) for name in ("id", "name", "expires_at", "original_id")}
    return {**plain, "bytes": upload.length, "part_bytes": incoming.part_size()}
