"""Django's requests, answered at a bounded number of desks, one after the other where more come at once.

Django gives each request a thread. Two hundred of them would each hold a connection to the database, and take
turns at Python's lock and the database's: all become slow together, and some fail. Here a request waits, cheaply,
until one of a few threads is free for it, and is answered by that thread from its first middleware to its last.
"""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from itertools import cycle
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponseBase

from mediaweb.sqlite.base import IN_HASTE

# Python's work is one thread's at a time: more only wait for a disk, a database or a store.
DESKS = 8
# A body this large is copied and hashed for a while, in the disk's time or a store's: such have desks of their own,
# so that no page waits behind them.
LARGE = 1 << 20
LARGE_DESKS = 8
# Answered whatever the others wait for: a probe must not take a queue, or an outage elsewhere, for a dead process.
PROBED = "/healthz"
# Reads rows at every event, for hours, and so keeps a thread of its own for what Django does beside the answer.
WATCHED = "/api/events"

# Of one web process, to PostgreSQL: one for each thread that may hold one while it waits for a store, 16 of desks and
# 16 that receive by tus. As many are open only while so much comes at once.
CONNECTIONS = 32
CONNECTION_WITHIN = 5  # seconds; who has waited so long for one is told to come again
# Seconds. One that cannot be had is tried again for this long only, after pauses that grow: then the next request
# tries, and a database that is back is found at once.
TRY_FOR = 2
# Pages of SQLite's log at which a web process carries it back, for which all that it answers would wait: four times as
# many as SQLite's own 1000, at which workers do it, whom nobody waits for. Without workers it is bounded all the same.
CARRIED_BACK = 4000
KEPT = 60  # seconds a desk's connection to SQLite lives: opening one, and closing the last, cost more than a request


class Desks(ASGIHandler):
    """Django, as an ASGI application."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self.desks = ThreadPoolExecutor(DESKS, thread_name_prefix="desk")
        self.large = ThreadPoolExecutor(LARGE_DESKS, thread_name_prefix="large")
        self.probes = ThreadPoolExecutor(1, thread_name_prefix="probe")
        # Before and after an answer Django goes to a thread, which it makes for each request and ends with it: all
        # others wait at the door meanwhile. Here it finds one that is there.
        self.porters = cycle([ThreadPoolExecutor(1, thread_name_prefix="porter") for _ in range(DESKS)])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == WATCHED:
            await super().__call__(scope, receive, send)
            return
        async with ThreadSensitiveContext(executor=next(self.porters)):
            await super().__call__(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        work = self.desks_for(request).submit(copy_context().run, answered, self, request)
        try:
            return await asyncio.shield(asyncio.wrap_future(work))
        except asyncio.CancelledError:  # the client has gone: what has begun is ended, with its body still open
            if not work.cancel():
                await ended(work)
            raise

    def desks_for(self, request: HttpRequest) -> ThreadPoolExecutor:
        if request.path == PROBED:
            return self.probes
        length = request.META.get("CONTENT_LENGTH") or "0"
        return self.large if length.isdecimal() and int(length) > LARGE else self.desks


async def ended(work: "Future[Any]") -> None:
    with suppress(Exception):
        await asyncio.wrap_future(work)


def answered(handler: Desks, request: HttpRequest) -> HttpResponseBase:
    """The answer, by a thread that leaves no connection behind but one that it may keep."""
    close_old_connections()
    try:
        return handler.get_response(request)
    finally:
        close_old_connections()


def keep_connections() -> None:
    """Have this process keep connections between requests. It is for a web process: a pool outlives no fork."""
    database = connections.settings["default"]
    if connections["default"].vendor == "sqlite":
        database["CONN_MAX_AGE"] = KEPT
        database["ASK_EVERY"] = IN_HASTE  # before workers, whom nobody waits for
        options = database["OPTIONS"]
        seldom = f"{options['init_command']} PRAGMA wal_autocheckpoint={CARRIED_BACK};"
        database["OPTIONS"] = {**options, "init_command": seldom}
    else:
        database["CONN_HEALTH_CHECKS"] = True  # one that broke while it lay in the pool is nobody's failure
        pool = {"min_size": 0, "max_size": CONNECTIONS, "timeout": CONNECTION_WITHIN, "reconnect_timeout": TRY_FOR}
        database["OPTIONS"] = {**database["OPTIONS"], "pool": pool}
