"""A bad line to a good store: a proxy before it that is slow, hangs up, or answers for it, as it is told."""

import random
import socket
import threading
import time
from contextlib import suppress

READ = 65_536
SLOW = 0.15  # seconds a piece of that size takes then
CUT_AFTER = (200, 300_000)  # bytes
XML = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>said by the line</Message></Error>"
ANSWERS = {"failing": ("500 Internal Server Error", "InternalError"), "busy": ("503 Service Unavailable", "SlowDown")}
STATES = {"well", "gone", "slow", "cutting", *ANSWERS}


class Line:
    """Forwards to a port of this machine."""

    def __init__(self, port: int, seed: int) -> None:
        self.to = port
        self.dice = random.Random(seed)  # noqa: S311
        self.state = "well"
        self.open: set[socket.socket] = set()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def be(self, state: str = "well") -> bool:
        """Be in another state from now on. Whoever is connected notices, except where it is only slow."""
        assert state in STATES
        self.state = state
        if state not in {"well", "slow", "cutting"}:
            for end in list(self.open):
                hang_up(end)
        return True

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self.state in ANSWERS:
                client.recv(READ)
                client.sendall(answer(self.state))
            elif self.state != "gone":
                server = socket.create_connection(("127.0.0.1", self.to))
                self.open |= {client, server}
                threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
                self.pump(client, server)
        hang_up(client)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        left = self.dice.randint(*CUT_AFTER)
        with suppress(OSError):
            while data := source.recv(READ):
                if self.state == "slow":
                    time.sleep(SLOW)
                if self.state == "cutting" and (left := left - len(data)) < 0:
                    target.sendall(data[:left])
                    break
                target.sendall(data)
        self.open -= {source, target}
        hang_up(source)
        hang_up(target)

    def close(self) -> None:
        self.listening.close()
        for end in list(self.open):
            hang_up(end)


def answer(state: str) -> bytes:
    status, code = ANSWERS[state]
    body = XML.format(code=code)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"{head}\r\n\r\n{body}".encode()


def hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
