"""`Idempotency-Key`: a creating request that is sent twice does its work once, and both get the same answer.

A row is there before the work begins, so that the second finds the first at work, or what it was answered.
Only what has made something is kept: a refusal made nothing, and may turn out otherwise the next time.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from ninja import Schema, Status
from ninja.params import param_functions
from ninja.responses import NinjaJSONEncoder
from ninja.utils import contribute_operation_args

from uploads.models import KeyedRequest

KEPT = timedelta(days=1)  # after that a key may be used for something else
# Longer than any of these requests takes once its body is here; then whoever was at it has died.
LEASE = timedelta(minutes=2)
LONGEST = 255
REPLAYED = "Idempotency-Replayed"
DESCRIPTION = (
    "Any string of yours, such as a UUID. Sent again within a day with the same request it gives the same answer, and "
    "nothing is made twice; with another request it is refused (422), and while the first is at work, too (409)."
)

SOURCE: Any = param_functions.Header(
    None, alias="Idempotency-Key", min_length=1, max_length=LONGEST, description=DESCRIPTION
)

View = Callable[..., Any]


class Reused(Exception):
    """This key came with another request before."""


class InFlight(Exception):
    """The first request with this key has not been answered yet."""


def idempotent(view: View) -> View:
    """Let a creating operation of the API be named by a key. It must answer with a Schema, in a Status."""

    @wraps(view)
    def keyed(request: HttpRequest, *args: Any, idempotency_key: str | None, **given: Any) -> Any:
        if not idempotency_key:
            return view(request, *args, **given)
        row = begin(request.user, idempotency_key, fingerprint(request, given))
        if row.status:
            return replayed(row)
        try:
            answer = view(request, *args, **given)
        except Exception:
            row.delete()
            raise
        end(row, answer)
        return answer

    contribute_operation_args(keyed, "idempotency_key", cast("type[Any]", str | None), SOURCE)
    return keyed


def begin(owner: Any, key: str, print_: str) -> KeyedRequest:
    """The row of this request: ours to answer, or answered. Raises Reused and InFlight."""
    rows = KeyedRequest.objects.filter(owner=owner, key=key)
    rows.filter(expires_at__lt=Now()).delete()
    try:
        with transaction.atomic():
            return KeyedRequest.objects.create(
                owner=owner, key=key, fingerprint=print_, lease_until=Now() + LEASE, expires_at=Now() + KEPT
            )
    except IntegrityError:
        return found(rows, print_)


def found(rows: QuerySet[KeyedRequest], print_: str) -> KeyedRequest:
    row = rows.first()
    if row and row.fingerprint != print_:
        raise Reused
    left = rows.filter(status=None, lease_until__lt=Now())  # by one that died
    if row is None or not (row.status or left.update(lease_until=Now() + LEASE)):
        raise InFlight
    return row


def end(row: KeyedRequest, answer: Any) -> None:
    if isinstance(answer, Status) and isinstance(answer.value, Schema) and answer.status_code < 300:
        body = json.dumps(answer.value.model_dump(), cls=NinjaJSONEncoder)
        KeyedRequest.objects.filter(pk=row.pk).update(status=answer.status_code, answer=body)
    else:
        row.delete()


def replayed(row: KeyedRequest) -> HttpResponse:
    return HttpResponse(
        row.answer, status=row.status, content_type="application/json; charset=utf-8", headers={REPLAYED: "true"}
    )


def fingerprint(request: HttpRequest, given: dict[str, Any]) -> str:
    """What the request asks for: its address and all it brings, files by their bytes."""
    digest = hashlib.sha256(f"{request.method} {request.path}".encode())
    for name in sorted(given):
        value = given[name]
        digest.update(f"\n{name} ".encode())
        if isinstance(value, UploadedFile):
            digest.update(f"{value.name} ".encode(errors="surrogateescape"))
            for chunk in value.chunks():
                digest.update(chunk)
            value.seek(0)
        else:
            text = value.model_dump_json() if isinstance(value, Schema) else str(value)
            digest.update(text.encode(errors="surrogateescape"))
    return digest.hexdigest()


def forget_old() -> int:
    """Drop the keys that are good no longer; how many."""
    return KeyedRequest.objects.filter(expires_at__lt=Now()).delete()[0]
