"""Telling pages that something moved, over the real broker."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from processing import events, runner
from processing.bridge import connection
from tests.outage import broker_away
from tests.waiting import until


def heard(tell: Any, count: int = 1) -> list[str | None]:
    """What a listener hears after its subscription holds, while `tell` is called."""

    async def listen() -> list[str | None]:
        stream = events.moved()
        try:
            async with asyncio.timeout(10):
                assert await anext(stream) is None, "the subscription holds"
                await sync_to_async(tell)()
                return [await anext(stream) for _ in range(count)]
        finally:
            await stream.aclose()

    return async_to_sync(listen)()


def listeners() -> int:
    ((_, count),) = connection().pubsub_numsub(events.CHANNEL)
    return int(count)


@pytest.mark.django_db
def test_tell__reaches_who_listens_with_the_originals_id_and_nothing_else(upload):
    original = upload()
    assert heard(lambda: events.tell(original.run)) == [str(original.pk)]


@pytest.mark.django_db(transaction=True)
def test_advance__tells_once_its_transaction_is_written(upload):
    original = upload()
    assert heard(lambda: runner.advance(original.run.pk)) == [str(original.pk)]


@pytest.mark.django_db
def test_tell__to_nobody_and_to_no_redis_is_no_trouble(upload, broker):
    original = upload()
    events.tell(original.run)
    with broker_away(broker):
        events.tell(original.run)


def test_moved__says_that_it_lives_when_nothing_moves(monkeypatch):
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.05)
    assert heard(lambda: None, count=2) == [None, None]


def test_moved__keeps_the_order():
    def tell_three() -> None:
        for number in range(3):
            connection().publish(events.CHANNEL, json.dumps({"original": str(number)}))

    assert heard(tell_three, count=3) == ["0", "1", "2"]


def test_moved__ends_when_redis_does_not_answer(broker):
    async def listen() -> list[str | None]:
        async with asyncio.timeout(20):
            return [item async for item in events.moved()]

    with broker_away(broker):
        assert async_to_sync(listen)() == []


def test_moved__leaves_no_subscription_behind():
    heard(lambda: connection().publish(events.CHANNEL, json.dumps({"original": "x"})))
    until(lambda: listeners() == 0)
