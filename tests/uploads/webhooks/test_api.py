"""`/api/webhooks`, from outside."""

import uuid
from typing import Any

import pytest
from django.test import Client

from tests.uploads.webhooks.receiver import Receiver
from uploads.models import ApiToken, Delivery, Endpoint
from uploads.webhooks import endpoints, outbox

pytestmark = pytest.mark.django_db

HOOKS = "/api/webhooks"
URL = "https://example.org/hook"


def program_of(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user)}"})


@pytest.fixture
def program(alice: Any) -> Client:
    return program_of(alice)


def post(client: Client, path: str = "", **body: Any) -> Any:
    return client.post(HOOKS + path, body, content_type="application/json")


def test_webhook__is_added_and_shows_its_secret_once(program):
    made = post(program, url=URL)
    assert made.status_code == 201
    body = made.json()
    assert body["secret"].startswith("whsec_")
    assert (body["url"], body["on"], body["events"]) == (URL, True, ["original.ready", "original.failed"])
    del body["secret"]
    assert program.get(HOOKS).json() == [body]
    assert program.get(f"{HOOKS}/{body['id']}").json() == body


@pytest.mark.parametrize(
    ("url", "reason"), [("http://10.0.0.1/", "private"), ("ftp://example.org", "scheme"), ("http://a:25/", "port")]
)
def test_address__that_may_not_be_one_is_refused_with_its_reason(program, url, reason):
    for refused in (
        post(program, url=url),
        program.patch(f"{HOOKS}/{post(program, url=URL).json()['id']}", {"url": url}, content_type="application/json"),
    ):
        assert refused.status_code == 422
        error = refused.json()["error"]
        assert (error["code"], error["details"]) == ("address_refused", {"reason": reason})


@pytest.mark.parametrize("wanted", [{}, {"url": URL, "events": []}, {"url": URL, "events": ["nonsense"]}, {"url": 1}])
def test_webhook__of_another_form_is_invalid(program, wanted):
    assert post(program, **wanted).json()["error"]["code"] == "invalid"


def test_webhook__is_changed_by_what_is_given(program):
    made = post(program, url=URL).json()
    changes = {"events": ["original.failed"], "on": False}
    changed = program.patch(f"{HOOKS}/{made['id']}", changes, content_type="application/json").json()
    assert (changed["url"], changed["events"], changed["on"]) == (URL, ["original.failed"], False)


def test_secret__is_changed_and_shown(program):
    made = post(program, url=URL).json()
    changed = post(program, f"/{made['id']}/secret").json()
    assert changed["secret"] != made["secret"]
    assert Endpoint.objects.get().secrets() == [changed["secret"], made["secret"]]


def test_webhook__is_deleted_with_its_log(program):
    made = post(program, url=URL).json()
    post(program, f"/{made['id']}/test")
    assert program.delete(f"{HOOKS}/{made['id']}").status_code == 204
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()


def test_owner__has_so_many_webhooks_and_no_more(program, alice):
    for number in range(endpoints.MOST):
        endpoints.add(alice, f"{URL}/{number}")
    refused = post(program, url=URL)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "too_many_webhooks")


def test_test__is_sent_and_shows_in_the_log(program, receiver: Receiver):
    made = post(program, url=receiver.url).json()
    owed = post(program, f"/{made['id']}/test")
    assert (owed.status_code, owed.json()["status"]) == (202, "pending")
    outbox.send_due(Endpoint.objects.get().pk)
    (line,) = program.get(f"{HOOKS}/{made['id']}/deliveries").json()["items"]
    assert (line["event"], line["status"], line["answer_status"], line["answer"]) == (
        "webhook.test",
        "delivered",
        200,
        "thanks",
    )
    assert line["seconds"] >= 0
    assert receiver.verified(made["secret"])[0]["type"] == "webhook.test"
    again = post(program, f"/{made['id']}/deliveries/{line['id']}/replay")
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, line["id"], "pending")


def test_log__comes_in_pages(program):
    made = post(program, url=URL).json()
    for _ in range(3):
        post(program, f"/{made['id']}/test")
    first = program.get(f"{HOOKS}/{made['id']}/deliveries", {"limit": 2}).json()
    second = program.get(f"{HOOKS}/{made['id']}/deliveries", {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)


def test_webhook__that_is_off_is_sent_nothing(program):
    made = post(program, url=URL).json()
    sent = post(program, f"/{made['id']}/test").json()
    program.patch(f"{HOOKS}/{made['id']}", {"on": False}, content_type="application/json")
    for path in (f"/{made['id']}/test", f"/{made['id']}/deliveries/{sent['id']}/replay"):
        refused = post(program, path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "webhook_off")


def test_others__find_nothing_of_alices_nor_do_editors(program, bob, charlie):
    made = post(program, url=URL).json()
    line = post(program, f"/{made['id']}/test").json()
    for other in map(program_of, (bob, charlie)):
        assert other.get(HOOKS).json() == []
        for method, path in (
            ("get", f"/{made['id']}"),
            ("patch", f"/{made['id']}"),
            ("delete", f"/{made['id']}"),
            ("post", f"/{made['id']}/secret"),
            ("post", f"/{made['id']}/test"),
            ("get", f"/{made['id']}/deliveries"),
            ("post", f"/{made['id']}/deliveries/{line['id']}/replay"),
        ):
            body = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
            assert getattr(other, method)(HOOKS + path, **body).status_code == 404, (method, path)
    mine = endpoints.add(bob, URL)
    assert post(program_of(bob), f"/{mine.pk}/deliveries/{line['id']}/replay").status_code == 404
    assert post(program, f"/{made['id']}/deliveries/{uuid.uuid4()}/replay").status_code == 404
