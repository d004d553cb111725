"""What a request is told when it fails on our side."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.uploads.web import VERSION, Web, patch

pytestmark = pytest.mark.django_db


@contextmanager
def database_failing(error: Exception) -> Iterator[None]:
    """Every question to the database ends like this."""

    def fail(*question: Any) -> Any:
        raise error

    with connection.execute_wrapper(fail):
        yield


@pytest.fixture
def stranger() -> Client:
    return Client(raise_request_exception=False, headers={"Authorization": "Bearer mw_nobodys"})


def test_outage__tells_a_program_when_to_come_again(stranger):
    with database_failing(OperationalError("the database system is shutting down")):
        answer = stranger.get("/api/originals")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["error"]["code"] == "unavailable"


def test_outage__shows_people_a_page_that_asks_for_no_row(alice):
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    with database_failing(OperationalError("server closed the connection unexpectedly")):
        answer = client.get("/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Nothing that was accepted is lost" in answer.content.decode()


def test_fault_of_ours__is_no_outage(stranger):
    with database_failing(ValueError("a bug")):
        answer = stranger.get("/api/originals")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "Retry-After" not in answer.headers


def test_outage__is_no_end_of_an_upload(tmp_path):
    """tus-js-client sends a file anew from its first byte where HEAD fails with anything but 423."""
    away = Web(tmp_path / "web.log", DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/rows.sqlite3")
    away.start()
    place = f"{away.url}/files/{uuid.uuid4()}"
    with away.client("mw_nobodys") as program:
        asked, sent = program.head(place, headers=VERSION), patch(program, place, 0, b"more")
    away.kill()
    assert (asked.status_code, asked.headers["Retry-After"]) == (423, "5")
    assert (sent.status_code, sent.json()["error"]["code"]) == (503, "unavailable")
