"""One message to one address: the connection goes where was looked at, follows nothing, and ends in time."""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import anyio.to_thread
import httpcore
from django.conf import settings

from uploads.webhooks.addresses import Refused, resolved, target_of

LIMIT = 10.0  # seconds from the name's resolution to the answer's end: what receivers are told to answer within
CONNECT_LIMIT = 4.0  # of one address, so that there is time for a second
SHOWN = 500  # bytes of an answer that anybody reads
AGENT = "mediaweb-webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came back: a status and the first of its text, or the problem that kept it from coming."""

    seconds: float
    status: int | None = None
    text: str = ""
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class LookedAt(httpcore.AsyncNetworkBackend):
    """Connections to the addresses that a name was found to lead to, and that may be gone to."""

    def __init__(self) -> None:
        self.inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception = httpcore.ConnectError(host)
        look = partial(resolved, host, port, private=settings.WEBHOOK_PRIVATE)
        # Left behind when time is up: a name server that says nothing holds its thread for half a minute.
        for address in await anyio.to_thread.run_sync(look, abandon_on_cancel=True):
            try:
                return await self.inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error


def post(url: str, body: str, headers: Mapping[str, str]) -> Answer:
    """Send it, whatever comes of that."""
    started = time.monotonic()
    try:
        target = target_of(url, private=settings.WEBHOOK_PRIVATE)
        status, text = asyncio.run(exchange(target.url, body, headers))
    except Refused as error:
        return Answer(time.monotonic() - started, problem=error.reason)
    except TimeoutError:
        return Answer(time.monotonic() - started, problem="timeout")
    except (OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        return Answer(time.monotonic() - started, problem=problem_of(error))
    problem = "" if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
    return Answer(time.monotonic() - started, status, text, problem)


async def exchange(url: str, body: str, headers: Mapping[str, str]) -> tuple[int, str]:
    sent = {"content-type": "application/json", "user-agent": AGENT, "accept-encoding": "identity", **headers}
    bounds = {"timeout": {"connect": CONNECT_LIMIT, "read": LIMIT, "write": LIMIT, "pool": LIMIT}}
    pool_of_one = httpcore.AsyncConnectionPool(trusted(), network_backend=LookedAt())
    async with asyncio.timeout(LIMIT), pool_of_one as pool:
        answering = pool.stream("POST", url, headers=list(sent.items()), content=body.encode(), extensions=bounds)
        async with answering as answer:
            return answer.status, await beginning(answer)


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: read once, which takes 20 ms."""
    return httpcore.default_ssl_context()


async def beginning(answer: httpcore.Response) -> str:
    """The first bytes of an answer as text that every database keeps; the rest is not read."""
    found = b""
    async for chunk in answer.aiter_stream():
        found += chunk
        if len(found) >= SHOWN:
            break
    return found[:SHOWN].decode(errors="replace").replace("\0", "")


def problem_of(error: Exception) -> str:
    """The word for why there was no answer."""
    if isinstance(error, httpcore.TimeoutException):
        return "timeout"
    if isinstance(error, httpcore.ProtocolError):
        return "nonsense"
    causes = [error, error.__cause__, error.__context__]
    return "certificate" if any(isinstance(cause, ssl.SSLError) for cause in causes) else "unreachable"
