"""A line that breaks or is slow: a TCP proxy that hangs up at given bytes, and notes what is acknowledged and sent."""

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from httptools import HttpRequestParser

OFFSET = re.compile(rb"\r\nupload-offset: (\d+)\r\n", re.IGNORECASE)
OVERLAP = 64  # bytes: longer than that header, which may come in two pieces


@dataclass
class Patch:
    """A request that adds to an upload, as it came by."""

    offset: int
    is_told: bool  # an answer had told this offset
    sent_twice: int  # bytes it begins below what answers had acknowledged
    size: int = 0  # bytes of its body, as far as they came


class Line:
    """Forwards to these ports, each connection to any of them. Offsets are taken for those of one upload.

    `cuts`: bytes of uploads' bodies (PATCH to us, PUT to a store) in all after which it hangs up; of the first
    `unheard` of these the server does not hear: its end goes dead and stays open. `pace`: bytes a second that each
    connection takes.
    `strike` is told of each piece of such a body before it is passed on: how many bytes there were, and for which port.
    """

    pace = 0

    def __init__(
        self,
        ports: Sequence[int],
        cuts: Sequence[int] = (),
        unheard: int = 0,
        strike: Callable[[int, int], None] | None = None,
    ) -> None:
        self.ports = ports
        self.cuts = sorted(cuts)
        self.unheard = unheard
        self.dead: list[socket.socket] = []
        self.strike = strike
        self.sent = 0  # bytes of all that clients say
        self.given = 0  # those of uploads' bodies
        self.told: set[int] = set()  # offsets, by answers
        self.patches: list[Patch] = []
        self.hung_up = 0
        self.lock = threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def sent_twice(self) -> int:
        """Bytes that were acknowledged, and sent again."""
        return sum(patch.sent_twice for patch in self.patches)

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            port = random.choice(self.ports)  # noqa: S311
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:  # nobody is there just now
                client.close()
                continue
            threading.Thread(target=self.forward, args=(client, server, port), daemon=True).start()
            threading.Thread(target=self.back, args=(client, server), daemon=True).start()

    def forward(self, client: socket.socket, server: socket.socket, port: int) -> None:
        requests = Requests(self)
        with suppress(OSError):
            while data := client.recv(65536):
                with self.lock:
                    given = requests.read(data)
                    beyond = self.given - self.cuts[0] if given and self.cuts else -1
                    if beyond >= 0:
                        self.cuts.pop(0)
                        self.hung_up += 1
                if given and self.strike:
                    self.strike(self.given, port)
                if self.pace:
                    time.sleep(len(data) / self.pace)
                if beyond >= 0:
                    server.sendall(data[: max(0, len(data) - beyond)])
                    if self.hung_up <= self.unheard:
                        self.dead.append(server)
                    break
                server.sendall(data)
        hang_up(client, *([] if server in self.dead else [server]))

    def back(self, client: socket.socket, server: socket.socket) -> None:
        before = b""
        with suppress(OSError):
            while data := server.recv(65536):
                with self.lock:
                    self.told.update(int(found) for found in OFFSET.findall(before + data))
                before = (before + data)[-OVERLAP:]
                client.sendall(data)
        hang_up(client, *([] if server in self.dead else [server]))

    def close(self) -> None:
        self.listening.close()
        hang_up(*self.dead)


class Requests:
    """What comes over one connection, read along for the line."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.parser = HttpRequestParser(self)
        self.is_upload = False
        self.patch: Patch | None = None
        self.offset = ""

    def read(self, data: bytes) -> int:
        """Take note of it; how many bytes of it are an upload's body."""
        before = self.line.given
        self.line.sent += len(data)
        self.parser.feed_data(data)
        return self.line.given - before

    def on_message_begin(self) -> None:
        self.patch, self.offset = None, ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"upload-offset":
            self.offset = value.decode()

    def on_headers_complete(self) -> None:
        self.is_upload = bool(self.offset) or self.parser.get_method() == b"PUT"
        if self.offset:
            told, offset = self.line.told, int(self.offset)
            self.patch = Patch(offset, offset in told, max(0, max(told, default=0) - offset))
            self.line.patches.append(self.patch)

    def on_body(self, body: bytes) -> None:
        if self.patch:
            self.patch.size += len(body)
        if self.is_upload:
            self.line.given += len(body)


def hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
