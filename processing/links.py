"""Signed addresses of local files: `/media/KEY?until=SECONDS&sign=…`, good until then, for that key alone.

And tokens for the texts of a film that name other files of it, which whoever plays it must find by a relative name.
"""

import time
from urllib.parse import quote, urlencode
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import content_disposition_header

GOOD_FOR = 3600
# Addresses made within the same quarter of an hour are the same, so that a browser's cache can hit.
STEP = 900
# Players keep the addresses they began with: the longest film we take, 6 h, and as much again for pauses.
TO_WATCH = 12 * 3600


def sign(key: str, download_as: str = "", good_for: int = GOOD_FOR) -> str:
    """The address of `key`, good for at least `good_for` seconds."""
    until = expiry(good_for)
    query = {"until": until, "sign": signature(key, str(until), download_as)}
    if download_as:
        query["name"] = download_as
    return f"/media/{quote(key)}?{urlencode(query)}"


def expiry(good_for: int) -> int:
    return (int(time.time()) // STEP + 1) * STEP + good_for


def holds(key: str, until: str, signed: str, download_as: str = "") -> bool:
    """Whether this signature is ours, of this key and name, and still good."""
    if not constant_time_compare(signed, signature(key, until, download_as)):
        return False
    return int(until) > time.time()


def signature(key: str, until: str, download_as: str) -> str:
    text = "\n".join((key, until, download_as))
    return salted_hmac("mediaweb.media", text, algorithm="sha256").hexdigest()[:32]


def token(original_id: UUID) -> str:
    """What opens every playlist, storyboard and subtitle of this original, for TO_WATCH seconds."""
    until = str(expiry(TO_WATCH))
    return f"{until}-{token_signature(original_id, until)}"


def opens(original_id: UUID, given: str) -> bool:
    """Whether this token is ours, of this original, and still good."""
    until, _, signed = given.partition("-")
    if not constant_time_compare(signed, token_signature(original_id, until)):
        return False
    return int(until) > time.time()


def token_signature(original_id: UUID, until: str) -> str:
    return salted_hmac("mediaweb.playing", f"{original_id}\n{until}", algorithm="sha256").hexdigest()[:32]


def disposition(download_as: str) -> str:
    """The header that makes a browser save a file under this name."""
    return content_disposition_header(as_attachment=True, filename=download_as) or "attachment"
