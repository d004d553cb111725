"""`/account/webhooks`, as its owner uses it."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.uploads.webhooks.receiver import Receiver
from uploads.models import Delivery, Endpoint
from uploads.webhooks import endpoints, outbox

pytestmark = pytest.mark.django_db

PAGE = "/account/webhooks"
URL = "https://alice.example.net/hook"


@pytest.fixture
def page(alice: Any) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_webhook__is_added_and_its_secret_shown_once(page):
    shown = text(page.post(PAGE, {"url": URL, "event": ["original.failed"]}, follow=True))
    endpoint = Endpoint.objects.get()
    assert (endpoint.url, endpoint.events) == (URL, ["original.failed"])
    assert endpoint.secret in shown
    assert endpoint.secret not in text(page.get(PAGE))


def test_address__that_may_not_be_one_stays_in_the_form_with_why(page):
    answer = page.post(PAGE, {"url": "http://10.0.0.1/"})
    assert answer.status_code == 422
    assert b'value="http://10.0.0.1/"' in answer.content
    assert b"private network" in answer.content
    assert not Endpoint.objects.exists()


def test_buttons__do_what_they_say(page, alice, receiver: Receiver):
    endpoint = endpoints.add(alice, receiver.url)
    at = f"{PAGE}/{endpoint.pk}"
    assert "on its way" not in text(page.post(f"{at}/test", follow=True)) or Delivery.objects.count() == 1
    outbox.send_due(endpoint.pk)
    line = Delivery.objects.get()
    shown = text(page.get(PAGE))
    assert "arrived" in shown
    assert "thanks" in shown
    page.post(f"{at}/replay/{line.pk}")
    assert outbox.send_due(endpoint.pk) == 1
    former = endpoint.secret
    shown = text(page.post(f"{at}/secret", follow=True))
    endpoint.refresh_from_db()
    assert endpoint.secret != former
    assert endpoint.secret in shown
    page.post(f"{at}/switch", {"on": "0"})
    endpoint.refresh_from_db()
    assert not endpoint.is_on
    page.post(f"{at}/switch", {"on": "1"})
    page.post(f"{at}/delete")
    assert not Endpoint.objects.exists()


def test_log__asks_again_while_something_is_on_its_way_and_then_no_more(page, alice, receiver: Receiver):
    endpoint = endpoints.add(alice, receiver.url)
    assert "hx-get" not in text(page.get(PAGE))
    endpoints.test(endpoint)
    (again,) = re.findall(r'hx-get="([^"]+)"', text(page.get(PAGE)))
    assert "on its way" in text(page.get(again))
    outbox.send_due(endpoint.pk)
    assert "hx-get" not in text(page.get(again))


@pytest.mark.parametrize(("status", "sentence"), [(410, "410: gone"), (302, "do not follow"), (500, "with success")])
def test_failure__is_shown_with_its_sentence(page, alice, receiver: Receiver, status, sentence):
    endpoint = endpoints.add(alice, receiver.url)
    receiver.answers = [(status, b"<script>")]
    endpoints.test(endpoint)
    outbox.send_due(endpoint.pk)
    shown = text(page.get(PAGE))
    assert sentence in shown
    assert "<code>&lt;script&gt;</code>" in shown


@pytest.mark.parametrize("verb", ["log", "switch", "secret", "test", "delete"])
def test_bob__finds_nothing_of_alices(alice, bob, verb):
    endpoint = endpoints.add(alice, URL)
    page = Client()
    page.force_login(bob)
    call = page.get if verb == "log" else page.post
    assert call(f"{PAGE}/{endpoint.pk}/{verb}").status_code == 404
    assert URL not in text(page.get(PAGE))


def test_stranger__is_asked_to_sign_in(client):
    assert client.get(PAGE).status_code == 302
