"""A body read straight from its connection into large blocks, where the server is uvicorn.

uvicorn reads 64 KiB at a time and copies each four times on the way to the application; of 1 GiB that is
most of the time. Here the connection is lent to a protocol that has the kernel write into our blocks, and
given back when the body has ended.
"""

import asyncio
from collections import deque
from typing import Any, cast

import httptools
from starlette.types import Receive
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WORTH = 4 << 20  # bytes of a body; a smaller one is here before it would pay
AHEAD = 2  # blocks that may wait to be kept; then the sender does


class Line(asyncio.BufferedProtocol):
    """Takes `left` bytes of a body from the connection of this request, in blocks of `size`."""

    @staticmethod
    def of(receive: Receive, left: int, size: int) -> "Line | None":
        """The line of the request that this `receive` belongs to; None where it cannot be had, or is not worth it."""
        cycle = getattr(receive, "__self__", None)
        if left < WORTH or not isinstance(cycle, RequestResponseCycle) or cycle.body or cycle.disconnected:
            return None
        server = cycle.transport.get_protocol()
        return Line(cycle, server, left, size) if isinstance(server, HttpToolsProtocol) else None

    def __init__(self, cycle: RequestResponseCycle, server: HttpToolsProtocol, left: int, size: int) -> None:
        self.cycle, self.server, self.transport = cycle, server, cast("Any", cycle.transport)
        self.left, self.size = left, size
        self.full: deque[bytearray] = deque()
        self.block, self.filled = bytearray(size), 0
        self.is_lost = False
        self.stirred = asyncio.Event()
        self.lend(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        return memoryview(self.block)[self.filled : self.filled + self.left]

    def buffer_updated(self, nbytes: int) -> None:
        self.filled += nbytes
        self.left -= nbytes
        if self.filled == self.size or not self.left:
            self.put_by()
        if not self.left:
            self.give_back()
        elif len(self.full) >= AHEAD:
            self.server.flow.pause_reading()
        self.stirred.set()

    @property
    def is_over(self) -> bool:
        """Whether the whole body has come and was taken."""
        return not (self.left or self.full)

    def put_by(self) -> None:
        self.full.append(self.block if self.filled == self.size else self.block[: self.filled])
        self.block, self.filled = bytearray(self.size), 0

    async def next(self, patience: float) -> bytearray:
        """The next block, or what has come of it by then; empty where nothing has, or nothing more will."""
        if not self.full and self.left and not self.is_lost:
            self.stirred.clear()
            try:
                async with asyncio.timeout(patience):
                    while not self.full and not self.is_lost:
                        await self.stirred.wait()
                        self.stirred.clear()
            except TimeoutError:
                pass
        if not self.full and self.filled:  # less than a block, but a second old
            self.put_by()
        block = self.full.popleft() if self.full else bytearray()
        if self.left and not self.is_lost:
            self.server.flow.resume_reading()
        return block

    def give_back(self) -> None:
        """Let the server have its connection again, all of this request's body being read."""
        parser = httptools.HttpRequestParser(self.server)  # the old one waits for that body
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.server.parser = parser
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self.lend(self.server)

    def lend(self, protocol: asyncio.BaseProtocol) -> None:
        """Reading stops meanwhile: uvloop asks only when it begins what kind of protocol it reads for."""
        self.server.flow.pause_reading()
        self.transport.set_protocol(protocol)
        self.server.flow.resume_reading()

    def give_up(self) -> None:
        """Keep the connection until its answer is sent, and end it then: what is left of the body is no request."""
        self.cycle.keep_alive = False

    def eof_received(self) -> None:
        """The sender will send no more: uvicorn waits for the line to close, and so do we."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.stirred.set()
        self.server.connection_lost(exc)

    def pause_writing(self) -> None:
        self.server.pause_writing()

    def resume_writing(self) -> None:
        self.server.resume_writing()
