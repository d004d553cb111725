"""`/api/originals/ID/shares` and `/api/download`, for programs."""

from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils.timezone import now
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime, field_validator

from uploads.idempotency import idempotent
from uploads.models import Share
from uploads.reach import mendable
from uploads.sharing import shares, zips

router = Router(tags=["shares"])
downloads = Router(tags=["originals"])


class ShareIn(Schema):
    expires_at: AwareDatetime | None = Field(None, description="null: only when revoked", examples=[None])
    password: str | None = Field(
        None, min_length=shares.SHORTEST_PASSWORD, max_length=shares.LONGEST_PASSWORD, examples=["under the old oak"]
    )
    downloads: bool = Field(True, description="whether the page offers the files")

    @field_validator("expires_at")
    @classmethod
    def lies_ahead(cls, moment: datetime | None) -> datetime | None:
        if moment and moment <= now():
            raise ValueError("must lie ahead")
        return moment


class Ids(Schema):
    ids: list[UUID] = Field(min_length=1, max_length=zips.MOST)


class ShareOut(Schema):
    id: UUID
    url: str = Field(examples=["https://media.example.org/s/Xn2vQb0mVJ0eIuXlqB8n5oJc1bBqk3aT"])
    has_password: bool
    downloads: bool
    created_at: datetime
    expires_at: datetime | None


@downloads.get(
    "",
    response={200: None, 404: None},
    summary="Several originals as a zip",
    openapi_extra={"responses": {200: {"description": "the zip", "content": {"application/zip": {}}}}},
)
def download(request: HttpRequest, ids: Query[Ids]) -> StreamingHttpResponse:
    """The files as they were uploaded, under their names, made while it is sent; its length is told before."""
    return zips.answer(request, ids.ids)


@router.get("/{original_id}/shares", response={200: list[ShareOut]}, summary="List links")
def index(request: HttpRequest, original_id: UUID) -> list[ShareOut]:
    """The links that open this original, newest first."""
    return [represent(request, share) for share in shares.live(mendable(request, original_id))]


@router.post("/{original_id}/shares", response={201: ShareOut}, summary="Make a link")
@idempotent
def make(request: HttpRequest, original_id: UUID, wanted: ShareIn) -> Status[ShareOut]:
    """Whoever has it sees the renditions, and never the original, without an account."""
    original = mendable(request, original_id)
    share = shares.make(
        original, password=wanted.password or "", expires_at=wanted.expires_at, downloads=wanted.downloads
    )
    return Status(201, represent(request, share))


@router.delete("/{original_id}/shares/{share_id}", response={204: None}, summary="Revoke a link")
def revoke(request: HttpRequest, original_id: UUID, share_id: UUID) -> Status[None]:
    """It closes at once; what caches have kept of a link without a password stays there as long as they like."""
    if not shares.revoke(mendable(request, original_id), share_id):
        raise Http404
    return Status(204, None)


def represent(request: HttpRequest, share: Share) -> ShareOut:
    plain = {name: getattr(share, name) for name in ("id", "downloads", "created_at", "expires_at")}
    url = request.build_absolute_uri(f"/s/{share.token}")
    return ShareOut(**plain, url=url, has_password=not share.is_public)
