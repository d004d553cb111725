"""`/api/webhooks`: what the page of webhooks does, for programs."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status

from uploads import listing
from uploads.idempotency import idempotent
from uploads.models import Delivery, Endpoint
from uploads.webhooks import addresses, endpoints

router = Router(tags=["webhooks"])

Event = Literal["original.ready", "original.failed"]
URL = "https://example.org/hooks/media"


class WebhookIn(Schema):
    url: str = Field(max_length=addresses.LONGEST, description="https or http; a public address", examples=[URL])
    events: list[Event] = Field(["original.ready", "original.failed"], min_length=1)


class WebhookChange(Schema):
    url: str | None = Field(None, max_length=addresses.LONGEST, examples=[URL])
    events: list[Event] | None = Field(None, min_length=1)
    on: bool | None = Field(None, description="true: begin afresh, with all that is still owed", examples=[True])


class WebhookOut(Schema):
    id: UUID
    url: str = Field(examples=[URL])
    events: list[Event]
    on: bool
    off_because: Literal["", "failing", "gone"] = Field(
        description="why we switched it off: nothing has arrived for a day, or it answered 410"
    )
    failing_since: datetime | None
    created_at: datetime


class WebhookMade(WebhookOut):
    secret: str = Field(
        description="what messages are signed with; shown this once",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class DeliveryOut(Schema):
    id: UUID = Field(description="its `webhook-id`, the same at every try")
    event: str = Field(examples=["original.ready"])
    original_id: UUID | None
    status: Literal["pending", "delivered", "failed"]
    created_at: datetime
    tries: int
    next_try_at: datetime | None
    tried_at: datetime | None
    delivered_at: datetime | None
    answer_status: int | None = Field(examples=[200])
    answer: str = Field(description="its first bytes")
    seconds: float | None = Field(description="that the last try took")
    problem: str = Field(
        description="of the last try: `status`, `redirect`, `timeout`, `unreachable`, `certificate`, `nonsense`, "
        "`private`, or what else is wrong with the address"
    )


class DeliveryPage(Schema):
    items: list[DeliveryOut]
    next_cursor: str | None = Field(description="give it back as `cursor`; null on the last page")


class LogFilters(Schema):
    cursor: str = ""
    limit: int = Field(listing.PAGE, ge=1, le=listing.LONGEST_PAGE)


@router.get("", response=list[WebhookOut], summary="Your webhooks")
def index(request: HttpRequest) -> list[WebhookOut]:
    return [shown(endpoint) for endpoint in Endpoint.objects.filter(owner=request.user.pk)]


@router.post("", response={201: WebhookMade, 409: None}, summary="Add a webhook")
@idempotent
def add(request: HttpRequest, wanted: WebhookIn) -> Status[WebhookMade]:
    """From now on the address gets a signed POST (Standard Webhooks) for each outcome of each of your originals."""
    return Status(201, with_secret(endpoints.add(request.user, wanted.url, wanted.events)))


@router.get("/{webhook_id}", response=WebhookOut, summary="One webhook")
def detail(request: HttpRequest, webhook_id: UUID) -> WebhookOut:
    return shown(found(request, webhook_id))


@router.patch("/{webhook_id}", response=WebhookOut, summary="Change a webhook")
def change(request: HttpRequest, webhook_id: UUID, wanted: WebhookChange) -> WebhookOut:
    """What is not given stays as it is."""
    endpoint = found(request, webhook_id)
    endpoints.change(endpoint, wanted.url, wanted.events, wanted.on)
    return shown(endpoint)


@router.delete("/{webhook_id}", response={204: None}, summary="Delete a webhook")
def remove(request: HttpRequest, webhook_id: UUID) -> Status[None]:
    """Its log goes too, and what it was still owed."""
    endpoints.remove(found(request, webhook_id))
    return Status(204, None)


@router.post("/{webhook_id}/secret", response=WebhookMade, summary="Change the secret")
def new_secret(request: HttpRequest, webhook_id: UUID) -> WebhookMade:
    """For a day messages are signed with the former secret as well."""
    endpoint = found(request, webhook_id)
    endpoints.new_secret(endpoint)
    endpoint.refresh_from_db()
    return with_secret(endpoint)


@router.post("/{webhook_id}/test", response={202: DeliveryOut, 409: None}, summary="Send a test")
def test(request: HttpRequest, webhook_id: UUID) -> Status[DeliveryOut]:
    """A message of type `webhook.test`, signed and tried like all others."""
    delivery = endpoints.test(found(request, webhook_id))
    delivery.refresh_from_db()
    return Status(202, line(delivery))


@router.get("/{webhook_id}/deliveries", response=DeliveryPage, summary="What was sent")
def deliveries(request: HttpRequest, webhook_id: UUID, filters: Query[LogFilters]) -> DeliveryPage:
    """Newest first, for thirty days."""
    rows = Delivery.objects.filter(endpoint=found(request, webhook_id))
    page = listing.page(rows, filters.cursor, filters.limit)
    return DeliveryPage(items=[line(item) for item in page.items], next_cursor=page.next_cursor)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay", response={202: DeliveryOut, 409: None}, summary="Send it again"
)
def replay(request: HttpRequest, webhook_id: UUID, delivery_id: UUID) -> Status[DeliveryOut]:
    """Under the same `webhook-id`, and whether it has arrived before or not."""
    rows = Delivery.objects.select_related("endpoint").filter(endpoint=found(request, webhook_id), pk=delivery_id)
    delivery = rows.first()
    if delivery is None:
        raise Http404
    endpoints.send_again(delivery)
    delivery.refresh_from_db()
    return Status(202, line(delivery))


def found(request: HttpRequest, webhook_id: UUID) -> Endpoint:
    """The endpoint, if it is this user's. Another owner's does not exist, for editors either: it holds a secret."""
    endpoint = Endpoint.objects.filter(pk=webhook_id, owner=request.user.pk).first()
    if endpoint is None:
        raise Http404
    return endpoint


def shown(endpoint: Endpoint) -> WebhookOut:
    return WebhookOut(**fields(endpoint))


def with_secret(endpoint: Endpoint) -> WebhookMade:
    return WebhookMade(**fields(endpoint), secret=endpoint.secret)


def fields(endpoint: Endpoint) -> dict[str, Any]:
    plain = {name: getattr(endpoint, name) for name in WebhookOut.model_fields if name != "on"}
    return {**plain, "on": endpoint.is_on}


def line(delivery: Delivery) -> DeliveryOut:
    plain = {name: getattr(delivery, name) for name in DeliveryOut.model_fields if name != "next_try_at"}
    return DeliveryOut(**plain, next_try_at=delivery.due_at)
