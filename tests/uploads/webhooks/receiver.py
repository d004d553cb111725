"""A receiver of webhooks: a real server on loopback that keeps what it is sent, and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook


@dataclass
class Receiver:
    """`answers` are given one after the other, the last for ever."""

    url: str
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"thanks")])
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[dict[str, str], str]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def answer(self) -> tuple[int, bytes]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.messages]

    def verified(self, secret: str) -> list[dict[str, object]]:
        """What came, by Standard Webhooks' own library; it raises where a signature is not right."""
        return [dict(Webhook(secret).verify(body, headers)) for headers, body in self.messages]


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            there.messages.append(({name.lower(): value for name, value in self.headers.items()}, body))
            there.go_on.wait(20)
            status, text = there.answer()
            self.send_response(status)
            for name, value in there.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    there = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield there
    there.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()
