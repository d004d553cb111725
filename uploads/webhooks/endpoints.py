"""An owner's endpoints: added, changed, and their secrets; for the API and the page alike."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from uploads.keeping import alone
from uploads.models import Delivery, Endpoint
from uploads.webhooks import outbox, signing
from uploads.webhooks.addresses import target_of

MOST = 20  # of one owner: each is a row in the transaction of every outcome
EVENTS = (outbox.READY, outbox.FAILED)
BOTH_SIGN = timedelta(days=1)  # after a change of secret, so that the receiver need not change at the same second
AS_NEW: dict[str, Any] = {"is_on": True, "off_because": "", "failures": 0, "failing_since": None, "paused_until": None}


class TooMany(Exception):
    """The owner has as many endpoints as one may have."""


class Off(Exception):
    """Nothing is sent to an endpoint that is off."""


def add(owner: Any, url: str, events: Collection[str] = EVENTS) -> Endpoint:
    """A new endpoint, on. Raises Refused and TooMany."""
    target = target_of(url, private=settings.WEBHOOK_PRIVATE)
    with alone(owner.pk):
        if owner.endpoints.count() >= MOST:
            raise TooMany
        return Endpoint.objects.create(owner=owner, url=target.url, events=in_order(events))


def change(endpoint: Endpoint, url: str | None, events: Collection[str] | None, is_on: bool | None) -> None:
    """Change what is given. Raises Refused. One that is switched on begins afresh, with all that is still owed."""
    changes: dict[str, Any] = {}
    if url is not None:
        changes["url"] = target_of(url, private=settings.WEBHOOK_PRIVATE).url
    if events is not None:
        changes["events"] = in_order(events)
    if is_on is not None:
        changes |= AS_NEW if is_on else {"is_on": False, "off_because": ""}
    with transaction.atomic():
        Endpoint.objects.filter(pk=endpoint.pk).update(**changes)
        outbox.ring_later([endpoint.pk])
    endpoint.refresh_from_db()


def new_secret(endpoint: Endpoint) -> str:
    """Another secret; the former signs beside it for a day."""
    secret = signing.new_secret()
    former = {"former_secret": endpoint.secret, "former_until": now() + BOTH_SIGN}
    Endpoint.objects.filter(pk=endpoint.pk).update(secret=secret, **former)
    return secret


def remove(endpoint: Endpoint) -> None:
    """It goes with all that was sent and is owed to it."""
    with transaction.atomic():
        list(
            Endpoint.objects.select_for_update().filter(pk=endpoint.pk)
        )  # whoever owes it more has done so, or will not
        endpoint.delete()


def test(endpoint: Endpoint) -> Delivery:
    """Owe it a message about nothing. Raises Off."""
    if not endpoint.is_on:
        raise Off
    return outbox.owe_test(endpoint)


def send_again(delivery: Delivery) -> None:
    """Owe a message once more. Raises Off."""
    if not delivery.endpoint.is_on:
        raise Off
    outbox.replay(delivery)


def in_order(events: Collection[str]) -> list[str]:
    return [event for event in EVENTS if event in events]
