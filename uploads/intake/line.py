"""A large body that goes from its connection into a file within the kernel, where the server is uvicorn.

uvicorn takes 64 KiB from a connection at a time and copies each four times on the way to the application;
of 1 GiB that is most of the time. Here the server leaves its connection alone while the body is spliced
out of it (splice(2)), and goes on with it once the body has ended. None of it lies in our memory.
"""

import asyncio
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL

import httptools
from starlette.types import Receive
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WORTH = 4 << 20  # bytes of a body; a smaller one is here before it would pay
ENOUGH = 1 << 20  # bytes that somebody is woken for, and that are on their way at once


class Line:
    """The connection of a request while `left` bytes of its body are still to come."""

    @staticmethod
    def of(receive: Receive, left: int) -> "Line | None":
        """The line of the request that this `receive` belongs to; None where it cannot be had, or is not worth it."""
        cycle = getattr(receive, "__self__", None)
        if left < WORTH or not isinstance(cycle, RequestResponseCycle) or cycle.body or cycle.disconnected:
            return None
        server, lent = cycle.transport.get_protocol(), cycle.transport.get_extra_info("socket")
        if not (isinstance(server, HttpToolsProtocol) and lent and hasattr(os, "splice")):
            return None
        return Line(cycle, server, socket.socket(fileno=os.dup(lent.fileno())), left)

    def __init__(
        self, cycle: RequestResponseCycle, server: HttpToolsProtocol, connection: socket.socket, left: int
    ) -> None:
        server.flow.pause_reading()
        self.cycle, self.server, self.connection, self.left = cycle, server, connection, left
        self.is_lost = False
        self.pipe_end, self.pipe = os.pipe()
        with suppress(PermissionError):  # of one user's pipes only so many may be large; a small one takes more turns
            fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, ENOUGH)

    async def stirs(self, patience: float) -> bool:
        """Wait until enough has come for somebody to be woken, or the line is lost; for `patience` seconds at most.

        Whether there is anything to draw then, be it that nothing more will come.
        """
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(self.left, ENOUGH))
        loop, stirred = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.connection, stirred.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await stirred.wait()
        finally:
            loop.remove_reader(self.connection)
        return stirred.is_set() or self.is_wet()

    def is_wet(self) -> bool:
        """Whether a byte has come that is not drawn yet."""
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def draw(self, handle: int, at: int, most: int) -> int:
        """Move what has come of the body into a file, to `at`; how many bytes, 0 where there are none now."""
        moved = 0
        while came := self.take(min(most - moved, self.left)):
            to = moved + came
            while moved < to:
                moved += self.pour(handle, at + moved, to - moved)
        return moved

    def take(self, most: int) -> int:
        """Bytes that are in the pipe now."""
        if not most:
            return 0
        try:
            came = os.splice(self.connection.fileno(), self.pipe, most, flags=os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        except OSError:  # the sender has hung up in one of many ways
            came = 0
        self.left -= came
        self.is_lost = not came
        return came

    def pour(self, handle: int, at: int, size: int) -> int:
        try:
            return os.splice(self.pipe_end, handle, size, offset_dst=at, flags=os.SPLICE_F_MOVE)
        except OSError as error:
            if error.errno != EINVAL:
                raise
        data = memoryview(os.read(self.pipe_end, size))  # a file system that knows no splice
        moved = 0
        while moved < len(data):
            moved += os.pwrite(handle, data[moved:], at + moved)
        return moved

    def skip(self) -> int:
        """Throw away what has come of the body; how many bytes."""
        came = self.take(min(ENOUGH, self.left))
        if came:
            os.read(self.pipe_end, came)
        return came

    def give_back(self) -> None:
        """Let the server have its connection again: all of the body is taken, or nothing more will come."""
        if not self.left:
            parser = httptools.HttpRequestParser(self.server)  # the old one waits for that body
            parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self.server.parser = parser
            self.cycle.more_body = False
            self.cycle.message_event.set()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self.server.flow.resume_reading()

    def close(self) -> None:
        """Let go of what this process holds: the connection has not ended as long as we have hold of it."""
        self.connection.close()
        os.close(self.pipe)
        os.close(self.pipe_end)


@contextmanager
def in_one_piece(receive: Receive) -> Iterator[None]:
    """Have what is sent meanwhile to the client of this `receive` go as one segment, as far as it fits.

    uvicorn writes an answer's head and its body apart, and a line may break between them. Elsewhere nothing changes.
    """
    cycle = getattr(receive, "__self__", None)
    lent = None
    if isinstance(cycle, RequestResponseCycle) and not cycle.transport.is_closing():
        lent = cycle.transport.get_extra_info("socket")
    if not (lent and lent.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_CORK")):
        yield
        return
    with socket.socket(fileno=os.dup(lent.fileno())) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        yield
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
