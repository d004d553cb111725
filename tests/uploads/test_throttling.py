"""How often one may ask: counted for each token by itself, and never in Redis' way."""

from typing import Any

import pytest
from django.test import Client

from tests.outage import broker_away
from uploads import api
from uploads.models import ApiToken

pytestmark = pytest.mark.django_db

LIST = "/api/originals"


def program_of(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user)}"})


@pytest.fixture(autouse=True)
def three_a_minute(settings: Any) -> None:
    settings.API_RATE = 3
    api.api.throttle.blind_until = 0  # a test before may have taken Redis away


def statuses(client: Client, count: int) -> list[int]:
    return [client.get(LIST).status_code for _ in range(count)]


def test_token__that_asks_too_often_is_told_when_to_come_back(alice):
    program = program_of(alice)
    assert statuses(program, 4) == [200, 200, 200, 429]
    refused = program.get(LIST)
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(refused["Retry-After"]) <= 120


def test_each_token_and_session__is_counted_by_itself(alice):
    first, second, page = program_of(alice), program_of(alice), Client()
    page.force_login(alice)
    for client in (first, second, page):
        assert statuses(client, 3) == [200, 200, 200]
    assert page.get(LIST).status_code == 429


def test_no_limit__is_none(alice, settings):
    settings.API_RATE = 0
    assert set(statuses(program_of(alice), 10)) == {200}


def test_stranger__is_refused_before_anything_is_counted(client):
    assert set(statuses(client, 5)) == {401}


@pytest.mark.django_db(transaction=True)
def test_redis__away_lets_everybody_go_on_and_is_asked_again_later(alice, broker, monkeypatch):
    program = program_of(alice)
    rate = api.api.throttle
    with broker_away(broker):
        assert set(statuses(program, 5)) == {200}
        assert rate.blind_until > 0
    assert statuses(program, 4)[-1] == 200, "it is not asked at every request meanwhile"
    rate.blind_until = 0
    assert statuses(program, 4) == [200, 200, 200, 429]
