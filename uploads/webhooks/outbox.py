"""Deliveries: rows written with the outcome they tell of, sent once or more, each with an id of its own.

As everywhere, rows are the truth and messages doorbells. An endpoint is taken by a lease, and what is due
there sent oldest first. Before a try, the row says when the next is due, so that one that dies with its
worker has been counted and comes again.
"""

import json
import logging
import random
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import signature
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils.timezone import now
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from processing.clocks import is_over
from processing.models import Run, RunStatus
from uploads.models import Delivery, Endpoint, Original
from uploads.webhooks import sending, signing
from uploads.webhooks.sending import Answer

log = logging.getLogger(__name__)

READY, FAILED, TEST = "original.ready", "original.failed", "webhook.test"
EVENTS = {RunStatus.READY: READY, RunStatus.FAILED: FAILED}
# Before each try but the first. Eight tries over 26 hours, in the manner of Standard Webhooks: at once for a
# restart, and past the day after for whoever has to be woken.
WAITS = [timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 28_800, 36_000)]
JITTER = 0.1  # of a wait, either way: what failed together does not come back together
LEASE = timedelta(seconds=30)  # three times the longest a try takes
TURN = 20.0  # seconds that one endpoint has a worker of `default`, which sweeps and mails wait for too
PAUSE = timedelta(seconds=5)  # of an endpoint that has failed, doubled with every further try there
LONGEST_PAUSE = timedelta(minutes=10)
PATIENCE = timedelta(days=1)  # of nothing but failures; then the first delivery given up switches the endpoint off
GONE = 410  # the receiver's way to say: never again
RUNG_FOR = 60  # seconds after which an unheard bell is worth nothing: the sweep has rung since
KEPT = timedelta(days=30)  # in the log


def owe(run: Run, outcome: RunStatus) -> None:
    """Owe each endpoint of the owner's a message of this outcome. Call it in the outcome's transaction."""
    event = EVENTS.get(outcome)
    listening = Endpoint.objects.filter(owner=run.original.owner_id, is_on=True)
    # Held until the end of the transaction: one that is deleted meanwhile would take the outcome with it.
    endpoints = [endpoint for endpoint in listening.select_for_update(no_key=True) if event in endpoint.events]
    if event is None or not endpoints:
        return
    original = Original.objects.select_related("owner", "run").get(pk=run.original_id)
    body = body_of(event, told(original))
    Delivery.objects.bulk_create(
        Delivery(endpoint=endpoint, original=original, event=event, body=body) for endpoint in endpoints
    )
    ring_later([endpoint.pk for endpoint in endpoints])


def owe_test(endpoint: Endpoint) -> Delivery:
    """A message that only says that messages arrive."""
    body = body_of(TEST, {"text": "If you can read this and its signature is right, your webhook works."})
    delivery = Delivery.objects.create(endpoint=endpoint, event=TEST, body=body)
    hurry(endpoint)
    return delivery


def replay(delivery: Delivery) -> None:
    """Send it once more, under the same id."""
    Delivery.objects.filter(pk=delivery.pk).update(due_at=Now(), delivered_at=None)
    hurry(delivery.endpoint)


def hurry(endpoint: Endpoint) -> None:
    """Somebody waits: ring, whatever pause former failures have earned."""
    Endpoint.objects.filter(pk=endpoint.pk).update(paused_until=None)
    ring_later([endpoint.pk])


def told(original: Original) -> dict[str, Any]:
    """What a message says of an original: what it is and where to ask for the rest.

    No links to files: they are good for an hour, and a message may arrive a day late.
    """
    run = original.run
    error = {"code": run.error_code, "message": run.error_message, "details": run.error_details}
    return {
        "id": str(original.pk),
        "name": original.name,
        "kind": original.kind,
        "status": run.status,
        "bytes": original.bytes,
        "sha256": original.sha256,
        "owner": original.owner.get_username(),
        "created_at": original.created_at.isoformat(),
        "error": error if run.error_code else None,
        "url": f"{settings.OWN_URL}/api/originals/{original.pk}",
    }


def body_of(event: str, data: dict[str, Any]) -> str:
    return json.dumps({"type": event, "timestamp": now().isoformat(), "data": data}, ensure_ascii=False)


def ring_later(endpoint_ids: Sequence[UUID]) -> None:
    transaction.on_commit(lambda: ring(endpoint_ids), robust=True)


def ring(endpoint_ids: Sequence[UUID]) -> None:
    """Have a worker send what is due there. Lost rings are the sweep's work."""
    try:
        for endpoint_id in endpoint_ids:
            bell = signature("uploads.tasks.send_webhooks", (str(endpoint_id),), immutable=True)
            bell.apply_async(retry=False, ignore_result=True, expires=RUNG_FOR)
    except (OperationalError, RedisError) as error:
        log.warning("webhooks wait for the sweep: %s", error)


def sweep() -> int:
    """Ring for every endpoint where something is due and nobody is at it; how many."""
    there = Delivery.objects.filter(is_due(), endpoint=OuterRef("pk"))
    waiting = list(free().filter(Exists(there)).values_list("pk", flat=True))
    ring(waiting)
    return len(waiting)


def forget_old() -> int:
    """Drop the log's lines that nobody looks for any longer; how many."""
    return Delivery.objects.filter(created_at__lt=now() - KEPT, due_at=None).delete()[0]


def free() -> QuerySet[Endpoint]:
    """Endpoints that are on, not paused, and that nobody is sending to."""
    unheld = Q(lease_until=None) | is_over("lease_until", 2 * LEASE)
    unpaused = Q(paused_until=None) | is_over("paused_until", 2 * LONGEST_PAUSE)
    return Endpoint.objects.filter(unheld, unpaused, is_on=True)


def is_due() -> Q:
    return is_over("due_at", 2 * max(WAITS))


def due(endpoint_id: UUID) -> QuerySet[Delivery]:
    found = Delivery.objects.filter(is_due(), endpoint=endpoint_id)
    return found.select_related("endpoint").order_by("due_at", "pk")


def send_due(endpoint_id: UUID) -> int:
    """Send what is due at an endpoint, if nobody else is at it, until one fails or the turn is over; how many."""
    holder = secrets.token_hex(8)
    if not free().filter(pk=endpoint_id).update(holder=holder, lease_until=Now() + LEASE):
        return 0
    ends, sent = time.monotonic() + TURN, 0
    try:
        while time.monotonic() < ends and (delivery := take(endpoint_id, holder)):
            sent += 1
            if not settle(delivery, send(delivery)):
                break
    finally:
        Endpoint.objects.filter(pk=endpoint_id, holder=holder).update(lease_until=None)
    if free().filter(pk=endpoint_id).exists() and due(endpoint_id).exists():  # more has come, or the turn was over
        ring([endpoint_id])
    return sent


def take(endpoint_id: UUID, holder: str) -> Delivery | None:
    """The next delivery, counted as tried; None where none is due, or the endpoint is not ours to send to."""
    mine = Endpoint.objects.filter(pk=endpoint_id, holder=holder, is_on=True, lease_until__gt=Now())
    if not mine.update(lease_until=Now() + LEASE):
        return None
    delivery = due(endpoint_id).first()
    if delivery is None:
        return None
    seen = Delivery.objects.filter(pk=delivery.pk, tries=delivery.tries, due_at__isnull=False)
    if not seen.update(tries=delivery.tries + 1, due_at=next_try(delivery.tries), tried_at=Now()):
        return None
    delivery.tries += 1
    return delivery


def next_try(tries: int) -> Any:
    """When to try again what has been tried so often before and is tried now; None: not at all."""
    if tries >= len(WAITS):
        return None
    return Now() + WAITS[tries] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def send(delivery: Delivery) -> Answer:
    endpoint = delivery.endpoint
    sent_at = int(time.time())
    headers = signing.headers(str(delivery.pk), sent_at, delivery.body, endpoint.secrets())
    return sending.post(endpoint.url, delivery.body, headers)


def settle(delivery: Delivery, answer: Answer) -> bool:
    """Write down what came of a try; whether it arrived. The endpoint's row goes first, here and everywhere."""
    log.info("webhook %s to %s: %s", delivery.pk, delivery.endpoint, answer.status or answer.problem)
    seen = {
        "answer_status": answer.status,
        "answer": answer.text,
        "seconds": round(answer.seconds, 3),
        "problem": answer.problem,
    }
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update(no_key=True).filter(pk=delivery.endpoint_id).first()
        if endpoint:
            write_down(endpoint, answer, is_given_up=delivery.tries > len(WAITS))
        mine = Delivery.objects.filter(pk=delivery.pk, tries=delivery.tries)
        mine.update(**seen, **({"due_at": None, "delivered_at": Now()} if answer.is_good else {}))
    return answer.is_good


def write_down(endpoint: Endpoint, answer: Answer, *, is_given_up: bool) -> None:
    """What a try says of the endpoint: well again, or a pause, or the end of our patience."""
    if answer.is_good:
        Endpoint.objects.filter(pk=endpoint.pk).update(failures=0, failing_since=None, paused_until=None)
        return
    since = endpoint.failing_since or now()
    is_hopeless = is_given_up and since < now() - PATIENCE
    reason = "gone" if answer.status == GONE else "failing" if is_hopeless else ""
    Endpoint.objects.filter(pk=endpoint.pk).update(
        failures=endpoint.failures + 1,
        failing_since=Coalesce("failing_since", Now()),
        paused_until=Now() + min(LONGEST_PAUSE, PAUSE * 2 ** min(endpoint.failures, 10)),
        **({"is_on": False, "off_because": reason} if reason else {}),
    )
