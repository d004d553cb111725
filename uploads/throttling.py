"""How often one token or session may ask: counted in Redis, so that all web processes count together."""

import hashlib
import logging
import math
import time
from contextvars import ContextVar
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from ninja.throttling import BaseThrottle
from redis.exceptions import RedisError

from processing.bridge import connection, silence

log = logging.getLogger(__name__)

BLIND_FOR = 30.0  # seconds without counting after Redis has failed us: each try may cost its timeout, 3 to 5 s


class Rate(BaseThrottle):
    """`MEDIAWEB_API_RATE` requests a minute. While Redis is away everybody may go on."""

    def __init__(self) -> None:
        self.blind_until = 0.0
        self.left: ContextVar[float | None] = ContextVar("left", default=None)

    def allow_request(self, request: HttpRequest) -> bool:
        who = asking(request)
        if not (settings.API_RATE and who) or time.monotonic() < self.blind_until:
            return True
        limit = RateLimitItemPerMinute(settings.API_RATE)
        try:
            with silence.spared():
                if limiter().hit(limit, who):
                    return True
                self.left.set(limiter().get_window_stats(limit, who).reset_time - time.time())
        except RedisError as error:
            log.warning("requests are not counted for %s s: %s", BLIND_FOR, error)
            self.blind_until = time.monotonic() + BLIND_FOR
            return True
        return False

    def wait(self) -> float:
        """Seconds until there is room again, for the request that was just refused."""
        return max(1.0, math.ceil(self.left.get() or 1.0))


@cache
def limiter() -> SlidingWindowCounterRateLimiter:
    pool = connection().connection_pool
    return SlidingWindowCounterRateLimiter(RedisStorage("redis://", connection_pool=pool, key_prefix="rate"))


def asking(request: HttpRequest) -> str:
    """The token or the session, as a name that tells nothing of it; empty for strangers."""
    given = request.headers.get("Authorization") or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return hashlib.sha256(given.encode(errors="replace")).hexdigest()[:32] if given else ""
