"""A line that breaks or is slow: a TCP proxy that hangs up at given bytes, and notes what was acknowledged and sent."""

import re
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count

OFFSET = re.compile(rb"\r\nupload-offset: (\d+)\r\n", re.IGNORECASE)


class Line:
    """Forwards to these ports in turn, as a balancer does.

    `cuts`: bytes sent in all after which it hangs up. `pace`: bytes a second that each connection takes.
    """

    pace = 0

    def __init__(self, ports: Sequence[int], cuts: Sequence[int] = ()) -> None:
        self.ports = ports
        self.cuts = sorted(cuts)
        self.sent = 0
        self.acknowledged = 0
        self.sent_twice = 0  # bytes asked to be taken below what was acknowledged
        self.hung_up = 0
        self.lock = threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        for turn in count():
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.ports[turn % len(self.ports)]))
            except OSError:  # nobody is there just now
                client.close()
                continue
            for pump in (self.forward, self.back):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                with self.lock:
                    for found in OFFSET.findall(data):
                        self.sent_twice += max(0, self.acknowledged - int(found))
                    self.sent += len(data)
                    cut = bool(self.cuts) and self.sent >= self.cuts[0]
                if cut:
                    with self.lock:
                        self.cuts.pop(0)
                        self.hung_up += 1
                    break
                if self.pace:
                    time.sleep(len(data) / self.pace)
                server.sendall(data)
        hang_up(client, server)

    def back(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                with self.lock:
                    for found in OFFSET.findall(data):
                        self.acknowledged = max(self.acknowledged, int(found))
                client.sendall(data)
        hang_up(client, server)

    def close(self) -> None:
        self.listening.close()


def hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
