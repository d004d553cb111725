"""Whether the bucket lets pages in, found as a browser finds it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from processing import cors, storage
from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store

ORIGIN = "https://media.example"
OPEN = {"Access-Control-Allow-Origin": ORIGIN, "Access-Control-Allow-Methods": "GET, PUT"}
READABLE = {**OPEN, "Access-Control-Expose-Headers": "ETag"}


@pytest.fixture
def store(s3: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    return s3


@contextmanager
def bucket(preflight: Mapping[str, str], answer: Mapping[str, str]) -> Iterator[str]:
    """The address of a file in a bucket with these headers: our own store has no rules to be set."""

    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self.say(200 if preflight else 403, preflight)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.say(200, answer)

        def do_DELETE(self) -> None:
            self.say(204, {})

        def say(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/bucket/key"
    server.shutdown()
    server.server_close()


def test_shut_out__finds_nothing_where_the_store_lets_pages_in_and_leaves_no_file(store):
    assert cors.shut_out(storage.bucket(), ORIGIN) == ""
    assert store.keys_kept() == []


@pytest.mark.parametrize(
    ("preflight", "answer", "found"),
    [
        ({}, {}, ["refuses pages", "refuses a PUT", "hides its answers", "does not expose ETag"]),
        ({**OPEN, "Access-Control-Allow-Methods": "GET"}, READABLE, ["refuses a PUT"]),
        ({**OPEN, "Access-Control-Allow-Origin": "https://other.example"}, READABLE, ["refuses pages"]),
        (OPEN, OPEN, ["does not expose ETag"]),
        (OPEN, READABLE, []),
        ({**OPEN, "Access-Control-Allow-Origin": "*"}, {**READABLE, "Access-Control-Expose-Headers": "*"}, []),
    ],
)
def test_shut_out__by_what_a_browser_would_meet(preflight, answer, found):
    with bucket(preflight, answer) as address:
        said = [*cors.refusals(address, ORIGIN), *cors.hidings(address, ORIGIN)]
    assert len(said) == len(found)
    assert all(words in line for words, line in zip(found, said, strict=True))
