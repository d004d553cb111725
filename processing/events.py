"""Telling the app that something moved: Redis pub/sub in, server-sent events out.

An event is a hint to look at the rows again. Nothing depends on it: who misses one reads later.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from redis.exceptions import RedisError

from processing.bridge import connection, listener, silence
from processing.models import Run

log = logging.getLogger(__name__)

CHANNEL = "mediaweb:originals"
KEEP_ALIVE = 12.0  # seconds; proxies close what is silent for 15


def tell(run: Run) -> None:
    """Tell every listening page that this run moved."""
    try:
        with silence.spared():
            connection().publish(CHANNEL, json.dumps({"original": str(run.original_id)}))
    except RedisError as error:
        log.warning("run %s: pages were not told (%s)", run.pk, error)


async def moved() -> AsyncIterator[str | None]:
    """Ids of originals as they move; None whenever it was quiet for KEEP_ALIVE seconds.

    The first item is None, once the subscription holds: read the rows then, and miss nothing.
    The stream ends when Redis does.
    """
    with suppress(RedisError):
        async with listener() as client, client.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            await channel.get_message(timeout=KEEP_ALIVE)
            yield None
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=KEEP_ALIVE)
                yield json.loads(message["data"])["original"] if message else None
