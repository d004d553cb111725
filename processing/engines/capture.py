"""When something was taken, as its camera wrote it down, and where that puts it in time."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

EXIF = "%Y:%m:%d %H:%M:%S"
APPLE = "com.apple.quicktime.creationdate"  # by the clock on the wall, with its zone
CONTAINER = "creation_time"  # in UTC
# Where the clocks of containers begin: what a writer without a clock leaves there.
ZEROS = ("1904-01-01", "1970-01-01")
# A camera's clock may be in a zone ahead of ours; what lies farther in the future was never set.
AHEAD = timedelta(days=1)
EARLIEST = 1826  # the year of the first photograph there is


def of_exif(text: str) -> str:
    """`Facts.taken` by a date of EXIF; empty where that is none."""
    try:
        found = datetime.strptime(text.strip("\0 "), EXIF)  # noqa: DTZ007 - cameras know no zone
    except ValueError:
        return ""
    return found.isoformat() if found.year >= EARLIEST else ""


def of_tags(tags: Mapping[str, Any]) -> str:
    """`Facts.taken` of a film by its container's tags; empty where they say nothing, or nonsense."""
    wall = date_of(tags.get(APPLE, ""))
    found = wall.replace(tzinfo=None) if wall else date_of(tags.get(CONTAINER, ""))
    return found.isoformat() if found else ""


def date_of(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip()).replace(microsecond=0)
    except ValueError:
        return None
    return None if found.year < EARLIEST or found.date().isoformat() in ZEROS else found


def moment(taken: str, received: datetime, zone: tzinfo) -> datetime:
    """Where it stands among all others in time: when it was taken, or received where nobody knows.

    By the clock on the wall there, read as one of ours: a picture of eight in the morning in Tokyo belongs to
    that day's morning for people in Mexico, too.
    """
    if not taken:
        return received
    found = datetime.fromisoformat(taken)
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    return found if found < received + AHEAD else received
