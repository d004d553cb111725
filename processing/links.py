"""Signed addresses of local files: `/media/KEY?until=SECONDS&sign=…`, good until then, for that key alone."""

import time
from urllib.parse import quote, urlencode

from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import content_disposition_header

GOOD_FOR = 3600
# Addresses made within the same quarter of an hour are the same, so that a browser's cache can hit.
STEP = 900


def sign(key: str, download_as: str = "") -> str:
    """The address of `key`, good for at least GOOD_FOR seconds."""
    until = (int(time.time()) // STEP + 1) * STEP + GOOD_FOR
    query = {"until": until, "sign": signature(key, str(until), download_as)}
    if download_as:
        query["name"] = download_as
    return f"/media/{quote(key)}?{urlencode(query)}"


def holds(key: str, until: str, signed: str, download_as: str = "") -> bool:
    """Whether this signature is ours, of this key and name, and still good."""
    if not constant_time_compare(signed, signature(key, until, download_as)):
        return False
    return int(until) > time.time()


def signature(key: str, until: str, download_as: str) -> str:
    text = "\n".join((key, until, download_as))
    return salted_hmac("mediaweb.media", text, algorithm="sha256").hexdigest()[:32]


def disposition(download_as: str) -> str:
    """The header that makes a browser save a file under this name."""
    return content_disposition_header(as_attachment=True, filename=download_as) or "attachment"
