"""What a request is told when it fails on our side."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

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
