"""What a chaos run looks at of webhooks: it finds nothing where all was told, and whatever was not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import checking, rows
from tests.chaos.checking import Scene
from tests.chaos.clients import Sent
from tests.chaos.plans import Sending
from tests.chaos.receiver import Receiver, receiving
from tests.processing.test_runner import work
from uploads.models import Delivery, Endpoint
from uploads.webhooks import endpoints, outbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE = True
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def found(receiver: Receiver, alice: Any, upload: Callable[..., Any]) -> Callable[[], dict[str, list[str]]]:
    """What the checks find after a photo of alice's has become ready and was told."""
    endpoint = endpoints.add(alice, f"{receiver.url}/alice")
    receiver.secrets["alice"] = endpoint.secret
    original = upload()
    work()
    outbox.send_due(endpoint.pk)
    sent = [Sent(Sending(0, "photo", "multipart", "alice", 0), str(original.pk))]

    def look() -> dict[str, list[str]]:
        said = json.loads(json.dumps({"originals": [rows.run_of(original)], "deliveries": rows.deliveries()}))
        scene = Scene(SimpleNamespace(receiver=receiver), sent, said, faults=1)  # type: ignore[arg-type]
        seen = {name: list(checking.CHECKS[name](scene)) for name in ("unheard", "heard twice", "garbled")}
        return {name: where for name, where in seen.items() if where}

    original.run.refresh_from_db()
    return look


def test_told_once__is_well(found):
    assert found() == {}


def test_message_that_never_came__is_missed(found, receiver):
    receiver.messages.clear()
    assert [*found()] == ["unheard"]


def test_outcome_that_nobody_was_owed__is_missed(found, receiver):
    Delivery.objects.all().delete()
    receiver.messages.clear()
    assert [*found()] == ["unheard"]


def test_two_ids_for_one_outcome__are_seen(found):
    again = Delivery.objects.get()
    again.pk = None
    again.due_at = None
    again.save(force_insert=True)
    assert "heard twice" in found()


def test_same_id_again__is_as_it_should_be(found, receiver):
    receiver.messages.append(receiver.messages[0])
    assert found() == {}


@pytest.mark.parametrize("other", [{"body": '{"data": {"id": 7}}'}, {"signature": "v1,bm9uZQ=="}, {"owner": "bob"}])
def test_message_that_is_not_its_rows__is_seen(found, receiver, other):
    receiver.secrets["bob"] = receiver.secrets["alice"]
    receiver.messages.append(replace(receiver.messages[0], **other))
    assert "garbled" in found()


@pytest.mark.parametrize("state", ["failing", "gone"])
def test_receiver_out_of_order__is_told_again(found, receiver, state):
    receiver.be(state)
    outbox.replay(Delivery.objects.get())
    endpoint = Endpoint.objects.get()
    outbox.send_due(endpoint.pk)
    assert [*found()] == ["unheard"]
    receiver.be()
    outbox.replay(Delivery.objects.get())
    outbox.send_due(endpoint.pk)
    assert found() == {}
