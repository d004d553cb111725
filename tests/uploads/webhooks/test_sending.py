"""One message to one address, which may be anybody's: bounded in time and bytes, and never sent elsewhere."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from uploads.webhooks import addresses, sending


def post(url: str) -> sending.Answer:
    return sending.post(url, '{"a": "é"}', {"webhook-id": "an-id"})


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what it likes; its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = server.accept()
        with client:
            heard = b""
            while not heard.endswith(b"}"):  # the message whole: what is unread would reset the connection
                heard += client.recv(65536)
            speak(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    server.close()
    thread.join(5)


def test_message__arrives_as_json_with_its_headers(receiver):
    answer = post(receiver.url)
    assert (answer.status, answer.text, answer.problem, answer.is_good) == (200, "thanks", "", True)
    ((headers, body),) = receiver.messages
    assert body == '{"a": "é"}'
    assert (headers["content-type"], headers["webhook-id"]) == ("application/json", "an-id")
    assert headers["host"] == receiver.url.split("/")[2]


def test_private_address__is_not_even_connected_to(receiver, settings):
    settings.WEBHOOK_PRIVATE = False
    for host in ("127.0.0.1", "127.1", "localhost"):
        assert post(receiver.url.replace("127.0.0.1", host)).problem == "private"
    assert not receiver.messages


def test_name__that_leads_elsewhere_a_moment_later_gains_nothing(receiver, settings, monkeypatch):
    """It is asked for once: what the connection goes to is what was looked at."""
    settings.WEBHOOK_PRIVATE = False
    asked: list[str] = []
    port = int(receiver.url.split(":")[2].split("/")[0])

    def turning(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        address = "1.1.1.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", turning)
    assert addresses.resolved("turning.example", port, private=False) == ["1.1.1.1"]
    assert post(f"http://turning.example:{port}/hook").problem == "private"
    assert not receiver.messages


def test_connection__goes_to_the_address_that_was_looked_at(receiver, monkeypatch):
    """The name leads nowhere by itself: only what `resolved` has found is connected to, under the name."""
    monkeypatch.setattr(sending, "resolved", lambda *_, **__: ["127.0.0.2", "127.0.0.1"])
    url = receiver.url.replace("127.0.0.1", "no-such-name.invalid")
    assert post(url).status == 200
    assert receiver.messages[0][0]["host"].startswith("no-such-name.invalid:")


def test_redirect__is_not_followed(receiver):
    receiver.answers, receiver.headers = [(302, b"")], {"Location": receiver.url}
    answer = post(receiver.url)
    assert (answer.status, answer.problem, answer.is_good) == (302, "redirect", False)
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy__of_the_environment_is_not_asked(receiver, monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert post(receiver.url).status == 200


def test_answer__is_read_to_its_first_bytes_and_kept_as_any_database_can(receiver):
    receiver.answers = [(500, b"\0\xff" + b"x" * 3_000_000)]
    answer = post(receiver.url)
    assert (answer.status, answer.problem) == (500, "status")
    assert answer.text.startswith("�xxx")
    assert len(answer.text) < sending.SHOWN


def test_answer__that_drips_for_ever_is_given_up_in_time(settings, monkeypatch):
    settings.WEBHOOK_PRIVATE = True
    monkeypatch.setattr(sending, "LIMIT", 0.5)

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(400):
            try:
                client.sendall(b"X-Drop: 1\r\n")
            except OSError:
                return
            time.sleep(0.05)

    with speaking(drip) as url:
        assert post(url).problem == "timeout"


def test_name_server__that_says_nothing_is_not_waited_for(settings, monkeypatch):
    settings.WEBHOOK_PRIVATE = True
    monkeypatch.setattr(sending, "LIMIT", 0.3)
    speak_at_last = threading.Event()
    monkeypatch.setattr(sending, "resolved", lambda *_, **__: speak_at_last.wait(20) or [])
    assert post("http://silent.example/").problem == "timeout"
    assert not speak_at_last.is_set()
    speak_at_last.set()


@pytest.mark.parametrize(
    ("said", "problem"), [(b"SSH-2.0-nonsense\r\n\r\n", "nonsense"), (b"", "nonsense"), (b"HTTP/1.1 200", "nonsense")]
)
def test_answer__that_is_no_http_is_nonsense(settings, said, problem):
    settings.WEBHOOK_PRIVATE = True
    with speaking(lambda client: client.sendall(said)) as url:
        assert post(url).problem == problem


def test_nobody__at_the_address_is_unreachable(settings):
    settings.WEBHOOK_PRIVATE = True
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/").problem == "unreachable"
    assert post("http://no-such-name.invalid/").problem == "unreachable"


def test_tls__with_who_speaks_none_is_a_matter_of_the_certificate(receiver):
    assert post(receiver.url.replace("http:", "https:")).problem == "certificate"
