"""Where the owners' webhooks lead in a chaos run: a receiver that believes what is signed, and is at times down."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

STATES = {"well", "failing", "gone"}  # answers 500 to what it has read; hangs up before it reads


@dataclass(frozen=True)
class Message:
    """What came at the owner's address."""

    owner: str
    id: str
    at: str
    signature: str
    body: str

    def headers(self) -> dict[str, str]:
        return {"webhook-id": self.id, "webhook-timestamp": self.at, "webhook-signature": self.signature}

    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """`messages` are all that it has read, whatever it answered."""

    url: str
    state: str = "well"
    secrets: dict[str, str] = field(default_factory=dict)  # by owner
    messages: list[Message] = field(default_factory=list)

    def be(self, state: str = "well") -> bool:
        assert state in STATES
        self.state = state
        return True

    def listen(self, owner: str, client: httpx.Client) -> None:
        """Have all that becomes of this owner's originals told to us."""
        answer = client.post("/api/webhooks", json={"url": f"{self.url}/{owner}"})
        assert answer.status_code == 201, answer.text
        self.secrets[owner] = answer.json()["secret"]

    def answer(self, message: Message) -> int:
        self.messages.append(message)
        if self.state != "well":
            return 500
        try:
            Webhook(self.secrets[message.owner]).verify(message.body, message.headers())
        except WebhookVerificationError:
            return 400  # so says who gets it from a sender whose clock is wrong, too
        return 204

    def is_signed(self, message: Message) -> bool:
        """Whether the signature is its owner's for that id, time and body, whatever the time."""
        at = datetime.fromtimestamp(int(message.at), UTC)
        return message.signature == Webhook(self.secrets[message.owner]).sign(message.id, at, message.body)


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if there.state == "gone":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            said = (self.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
            self.send_response(there.answer(Message(self.path.strip("/"), *said, body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    there = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
