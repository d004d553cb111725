"""Lists of originals and of what else has a date and an id: filters, and pages that cost the same wherever they are."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from processing.listing import narrowing
from uploads.models import Original

PAGE = 50
LONGEST_PAGE = 200
INSTANT = "%Y-%m-%dT%H:%M:%S.%f%z"


class BadCursor(ValueError):
    """The cursor is not one this service gave out."""


@dataclass(frozen=True)
class Page:
    """Some rows, newest first, and the cursor of those that come after; None where none do."""

    items: Sequence[Any]
    next_cursor: str | None


def visible_to(user: Any, rows: QuerySet[Original]) -> QuerySet[Original]:
    """The originals this user may see: their own, or all of them for who may see all runs."""
    return rows if user.has_perm("processing.see_all_runs") else rows.filter(owner=user)


def filtered(rows: QuerySet[Original], status: str, kind: str, q: str, owner: str) -> QuerySet[Original]:
    """Narrow by what was given; an empty value narrows nothing."""
    wanted = {"run__status": status, "kind": kind, "name__icontains": q, "owner__username": owner}
    return rows.filter(**narrowing(wanted))


def with_bytes(rows: QuerySet[Original], sha256: str) -> QuerySet[Original]:
    """Narrow to the files of this hash, if one is given."""
    return rows.filter(**narrowing({"sha256": sha256.lower()}))


def page(rows: QuerySet[Any], cursor: str = "", limit: int = PAGE) -> Page:
    """The page of `rows` after `cursor`. Raises BadCursor."""
    ordered = rows.order_by("-created_at", "-id")
    if cursor:
        created_at, last = decode(cursor)
        ordered = ordered.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, id__lt=last))
    found = list(ordered[: limit + 1])
    items = found[:limit]
    return Page(items, encode(items[-1]) if len(found) > limit else None)


def encode(row: Any) -> str:
    text = f"{row.created_at.strftime(INSTANT)} {row.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(cursor: str) -> tuple[datetime, UUID]:
    try:
        created_at, last = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return datetime.strptime(created_at, INSTANT).astimezone(UTC), UUID(last)
    except (ValueError, OverflowError) as error:  # the second: an instant before the year 1 or after 9999
        raise BadCursor(cursor) from error
