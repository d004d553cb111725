"""Whether the bucket lets pages in: browsers ask it first, and it says which of its headers they may read."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from functools import lru_cache
from time import monotonic
from typing import Any

import httpcore
from botocore.exceptions import BotoCoreError, ClientError

from processing import storage

KEY = f"{storage.ORIGINALS}/.asked"
BODY = b"well"
PATIENCE = {"timeout": {"connect": 3.0, "read": 5.0, "write": 5.0, "pool": 5.0}}  # seconds
KNOWN_FOR = 600  # seconds: a bucket's rules change once in years, and each time it is asked a file comes and goes
BLINK = 0.2  # seconds that a page waits for a bucket: Swift on the same machine has said all in 0.08, 0.12 at most
ORIGINS = 16  # a site has one or two; whoever signs in can make up more, of other ports


def lets_in(origin: str) -> bool | None:
    """Whether the bucket lets pages of this origin in, by what it said in these ten minutes. None: it has said nothing.

    Never waits for longer than a blink, and only where nobody has asked before.
    """
    said = asked(origin, int(monotonic() // KNOWN_FOR))
    return said.result() if said.done() else None


@lru_cache(ORIGINS)
def asked(origin: str, period: int) -> Future[bool | None]:
    """What the bucket says to this origin in this period, once it has."""
    said: Future[bool | None] = Future()
    bucket = storage.bucket()  # here, where it is there already: another thread would make one of its own
    threading.Thread(target=hear, args=(said, bucket, origin), name="cors", daemon=True).start()
    wait([said], BLINK)
    return said


def hear(said: Future[bool | None], bucket: Any, origin: str) -> None:
    try:
        said.set_result(not shut_out(bucket, origin))
    except (OSError, BotoCoreError, ClientError):
        said.set_result(None)


def shut_out(bucket: Any, origin: str) -> str:
    """What keeps pages of this origin from sending to the bucket, as a browser would find it; empty: nothing does.

    Raises OSError where the bucket cannot be reached.
    """
    client, place = bucket.meta.client, {"Bucket": bucket.name, "Key": KEY}
    parameters = {**place, "ContentLength": len(BODY)}
    address = client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60)
    try:
        refusal = next(refusals(address, origin), "")
        if refusal:
            return refusal
        try:
            return next(hidings(address, origin), "")
        finally:
            client.delete_object(**place)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


def refusals(address: str, origin: str) -> Iterator[str]:
    """What is wrong with the answer to the question that a browser asks before it sends."""
    answer = ask("OPTIONS", address, {"Origin": origin, "Access-Control-Request-Method": "PUT"})
    if not 200 <= answer.status < 300 or not allows(answer, "allow-origin", origin):
        yield f"the bucket refuses pages of {origin}"
    if not allows(answer, "allow-methods", "PUT"):
        yield f"the bucket refuses a PUT from pages of {origin}"


def hidings(address: str, origin: str) -> Iterator[str]:
    """What a page could not do, or read, when it sends."""
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
