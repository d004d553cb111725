"""What probes are told."""

import pytest
from django.db import DatabaseError

from mediaweb import health
from tests.outage import broker_away

pytestmark = pytest.mark.django_db


def test_healthz__says_that_the_process_lives(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_healthz__asks_nothing_else(client, broker, django_assert_num_queries):
    with broker_away(broker), django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_readyz__is_ready_when_everything_answers(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": {}})


def test_readyz__names_the_broker_when_redis_is_down(client, broker):
    with broker_away(broker):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json()["problems"]) == {"broker"}
    assert answer.json()["problems"]["broker"].startswith("ConnectionError: ")


def test_readyz__is_ready_again_after_the_outage(client, broker):
    with broker_away(broker):
        client.get("/readyz")
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("name", ["database", "storage"])
def test_readyz__names_what_else_does_not_answer(client, monkeypatch, name):
    def fail() -> None:
        raise {"database": DatabaseError, "storage": OSError}[name]("gone")

    monkeypatch.setitem(health.CHECKS, name, fail)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json()["problems"]) == {name}


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_probes__need_no_login(client, address, method):
    assert getattr(client, method)(address).status_code == 200
