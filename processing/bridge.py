"""Redis as the service sees it: one client, whatever form the address has."""

from functools import cache
from urllib.parse import parse_qs, urlsplit

import redis
import redis.asyncio
from django.conf import settings
from redis.sentinel import Sentinel

TIMEOUTS = {"socket_timeout": 5, "socket_connect_timeout": 3, "health_check_interval": 10}


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
