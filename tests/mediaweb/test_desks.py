"""Requests wait for a desk; what probes the process does not, and who leaves the line is forgotten."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from mediaweb import desks
from mediaweb.health import healthz
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


class Counter:
    """A view that lasts until it is let go."""

    def __init__(self) -> None:
        self.now = self.most = self.begun = 0
        self.lock = threading.Lock()
        self.door = threading.Event()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
        self.door.wait(20)
        with self.lock:
            self.now -= 1
        return HttpResponse(f"{len(request.body)} bytes")


counter = Counter()
urlpatterns = [path("work", counter), path("healthz", healthz)]


@pytest.fixture(autouse=True)
def fresh_counter() -> Iterator[None]:
    counter.__init__()  # type: ignore[misc]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield
    counter.door.set()


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(desks.Desks()), base_url="http://localhost")  # type: ignore[arg-type]


async def seen(condition: Any) -> None:
    await asyncio.to_thread(until, condition)


def test_line__is_answered_by_a_few_threads():
    async def go() -> list[httpx.Response]:
        async with client() as asking:
            waiting = [asyncio.create_task(asking.get("/work")) for _ in range(desks.DESKS * 3)]
            await seen(lambda: counter.now == desks.DESKS)
            counter.door.set()
            return await asyncio.gather(*waiting)

    answers = asyncio.run(go())
    assert {answer.status_code for answer in answers} == {200}
    assert (counter.begun, counter.most) == (desks.DESKS * 3, desks.DESKS)


def test_line__makes_no_thread_for_a_request():
    async def go() -> None:
        async with client() as asking:
            for _ in range(desks.DESKS * 2):
                assert (await asking.get("/work")).status_code == 200

    seen = set[str]()

    def note(**_: Any) -> None:
        seen.add(threading.current_thread().name.partition("_")[0])

    counter.door.set()
    request_started.connect(note)
    request_finished.connect(note)
    try:
        asyncio.run(go())
    finally:
        request_started.disconnect(note)
        request_finished.disconnect(note)
    assert seen == {"porter"}


def test_line__holds_up_no_probe():
    async def go() -> int:
        async with client() as asking:
            waiting = [asyncio.create_task(asking.get("/work")) for _ in range(desks.DESKS * 2)]
            await seen(lambda: counter.now == desks.DESKS)
            probe = await asking.get("/healthz")
            counter.door.set()
            await asyncio.gather(*waiting)
            return probe.status_code

    assert asyncio.run(go()) == 200


def test_line__of_large_bodies_holds_up_no_page():
    async def go() -> None:
        async with client() as asking:
            body = b"0" * (desks.LARGE + 1)
            large = [asyncio.create_task(asking.post("/work", content=body)) for _ in range(desks.LARGE_DESKS + 1)]
            await seen(lambda: counter.now == desks.LARGE_DESKS)
            page = asyncio.create_task(asking.get("/work"))
            await seen(lambda: counter.now == desks.LARGE_DESKS + 1)
            counter.door.set()
            await asyncio.gather(page, *large)

    asyncio.run(go())
    assert counter.begun == desks.LARGE_DESKS + 2


def test_line__forgets_who_has_left():
    async def go() -> None:
        handler = desks.Desks()
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if left.is_set():
                return {"type": "http.disconnect"}
            left.set()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            """Nobody reads it."""

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/work",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        transport = httpx.ASGITransport(handler)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
            waiting = [asyncio.create_task(asking.get("/work")) for _ in range(desks.DESKS)]
            await seen(lambda: counter.now == desks.DESKS)
            await handler(scope, receive, send)
            counter.door.set()
            await asyncio.gather(*waiting)

    asyncio.run(go())
    assert counter.begun == desks.DESKS
