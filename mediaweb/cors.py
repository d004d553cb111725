"""Whether the bucket lets our pages in: browsers ask it first, and it says which of its headers they may read."""

from collections.abc import Iterator
from typing import Any

import httpcore
from django.conf import settings

from processing import storage

BODY = b"well"
PATIENCE = {"timeout": {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 10.0}}  # seconds


def shut_out(key: str) -> str:
    """What keeps our pages from sending to this key of the bucket, as a browser would find it; empty: nothing does.

    Raises OSError where the bucket cannot be reached.
    """
    bucket = storage.bucket()
    parameters = {"Bucket": bucket.name, "Key": key, "ContentLength": len(BODY)}
    address = bucket.meta.client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60)
    try:
        return next(problems(address), "")
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    finally:
        storage.drop(key)


def problems(address: str) -> Iterator[str]:
    origin = settings.OWN_URL
    asked = ask("OPTIONS", address, {"Origin": origin, "Access-Control-Request-Method": "PUT"})
    if not 200 <= asked.status < 300 or not allows(asked, "allow-origin", origin):
        yield f"the bucket refuses pages of {origin}"
    if not allows(asked, "allow-methods", "PUT"):
        yield f"the bucket refuses a PUT from pages of {origin}"
    answer = ask("PUT", address, {"Origin": origin}, BODY)
    if answer.status != 200:
        yield f"the bucket answers a PUT with {answer.status}"
    if not allows(answer, "allow-origin", origin):
        yield f"the bucket hides its answers from pages of {origin}"
    if not allows(answer, "expose-headers", "etag"):
        yield "the bucket does not expose ETag"


def ask(method: str, address: str, headers: dict[bytes | str, bytes | str], body: bytes = b"") -> httpcore.Response:
    return httpcore.request(method, address, headers=headers, content=body, extensions=PATIENCE)


def allows(answer: httpcore.Response, name: str, wanted: str) -> bool:
    """Whether this one of CORS's lists names it, or everything."""
    headers: dict[Any, bytes] = {key.lower(): value for key, value in answer.headers}
    listed = headers.get(b"access-control-" + name.encode(), b"").decode().lower()
    return bool({"*", wanted.lower()} & {item.strip() for item in listed.split(",")})
