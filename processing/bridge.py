"""Redis as the service sees it: one client, whatever form the address has."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import parse_qs, urlsplit

import redis
import redis.asyncio
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

TIMEOUTS = {"socket_timeout": 5, "socket_connect_timeout": 3, "health_check_interval": 10}
SLOW = 1.0  # seconds: a failure that took longer was a wait in vain, for a Redis that is frozen or out of reach
SPARED = 5.0  # seconds after one, in which this process waits for no more of them


class Away(RedisError):
    """Redis did not answer a moment ago, and is not asked."""


class Silence:
    """Until when, on this process's clock, Redis is not spoken to where that can be spared."""

    def __init__(self) -> None:
        self.until = 0.0

    @contextmanager
    def spared(self) -> Iterator[None]:
        """What is said in here may be left unsaid. Raises Away where others have just waited for an answer in vain.

        One upload says several things, each of which would wait for its timeout.
        """
        began = time.monotonic()
        if began < self.until:
            raise Away("it did not answer a moment ago")
        try:
            yield
        except (RedisError, OperationalError):
            if time.monotonic() - began > SLOW:
                self.until = time.monotonic() + SPARED
            raise


silence = Silence()


@cache
def connection() -> redis.Redis:
    """The client of this process, whose pool is safe between threads and made anew after a fork."""
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme != "sentinel":
        return redis.Redis.from_url(plain_url(), **TIMEOUTS)
    hosts = [host.rsplit(":", 1) for host in parts.netloc.rpartition("@")[2].split(",")]
    sentinel = Sentinel([(host, int(port)) for host, port in hosts], password=parts.password, **TIMEOUTS)
    name = parse_qs(parts.query).get("master", ["mymaster"])[0]
    master: redis.Redis = sentinel.master_for(name, password=parts.password, db=int(parts.path.strip("/") or 0))
    return master


def listener() -> redis.asyncio.Redis:
    """A client for one event stream, closed with it. It waits for messages, so reads have no timeout."""
    client = connection()
    options = dict(client.connection_pool.connection_kwargs)
    if urlsplit(settings.REDIS_URL).scheme != "sentinel":
        return redis.asyncio.Redis.from_url(plain_url(), socket_connect_timeout=3)
    host, port = client.connection_pool.get_master_address()  # type: ignore[attr-defined]
    return redis.asyncio.Redis(host=host, port=port, password=options.get("password"))


def plain_url() -> str:
    """The address in redis-py's own form: Celery's name for a socket is another one."""
    url = str(settings.REDIS_URL)
    if not url.startswith("redis+socket://"):
        return url
    return url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=", 1)
