"""Every outcome is owed one message to each endpoint, whatever dies, and is sent until it arrives or is given up."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils.timezone import now

from processing import doorbells, runner, summary, sweeping
from processing.bridge import connection
from processing.models import Job, Run
from tests.conftest import new_photo_bytes
from tests.outage import broker_away
from tests.uploads.webhooks.receiver import Receiver
from uploads import keeping, tasks
from uploads.models import Delivery, Endpoint, Original
from uploads.webhooks import endpoints, outbox, sending

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    """Answer every ring for pictures until the queue is silent."""
    while message := connection().lpop("images"):
        for job_id in doorbells.job_ids(message):
            runner.run(job_id, "worker-a")


def rung() -> list[str]:
    """The endpoints that bells were rung for."""
    messages = list(doorbells.messages("default"))
    return [arguments(text)[0] for text in messages if json.loads(text)["headers"]["task"].endswith("send_webhooks")]


def arguments(message: Any) -> Any:
    return json.loads(base64.b64decode(json.loads(message)["body"]))[0]


def later(**of: Any) -> None:
    """As if the time of the next try had come."""
    Delivery.objects.filter(**of, due_at__isnull=False).update(due_at=Now() - timedelta(seconds=1))
    Endpoint.objects.update(paused_until=None)


@pytest.fixture
def endpoint(alice: Any, receiver: Receiver) -> Endpoint:
    return endpoints.add(alice, receiver.url)


@pytest.fixture
def owed(endpoint: Endpoint, upload: Callable[..., Any]) -> Delivery:
    """A message about a photo that has become ready."""
    upload(name="café.jpg")
    work()
    return Delivery.objects.get()


def test_ready__is_told_signed_with_what_the_original_is(owed, endpoint, receiver):
    assert outbox.send_due(endpoint.pk) == 1
    (message,) = receiver.verified(endpoint.secret)
    original = Original.objects.get()
    assert message["type"] == "original.ready"
    told = message["data"]
    assert (told["id"], told["name"], told["status"], told["error"]) == (str(original.pk), "café.jpg", "ready", None)
    assert (told["bytes"], told["sha256"], told["owner"]) == (original.bytes, original.sha256, "alice")
    assert told["url"].endswith(f"/api/originals/{original.pk}")
    owed.refresh_from_db()
    assert (owed.status, owed.tries, owed.answer_status, owed.answer) == ("delivered", 1, 200, "thanks")
    assert outbox.send_due(endpoint.pk) == 0


def test_failed__is_told_with_its_reason(endpoint, upload, receiver):
    upload(new_photo_bytes((900, 900))[:5000])
    work()
    outbox.send_due(endpoint.pk)
    (message,) = receiver.verified(endpoint.secret)
    assert message["type"] == "original.failed"
    assert message["data"]["error"]["code"] == "corrupt"


def test_outcome__is_owed_once_however_often_it_is_summed_up(owed):
    for _ in range(3):
        runner.advance(owed.original.run.pk)
    assert Delivery.objects.get() == owed


def test_outcome__again_after_a_retry_is_another_one(endpoint, upload):
    original = upload(new_photo_bytes((900, 900))[:5000])
    work()
    runner.retry(original.run.pk)
    work()
    assert list(Delivery.objects.values_list("event", flat=True)) == ["original.failed"] * 2


def test_outcome__that_is_rolled_back_owes_nothing(endpoint, upload, monkeypatch):
    original = upload()
    written = summary.write

    def dies(run: Run, jobs: Sequence[Job]) -> bool:
        written(run, jobs)
        if run.jobs.filter(status="succeeded").count() == 2:
            raise ConnectionError("the process dies before its transaction is over")
        return False

    monkeypatch.setattr(summary, "write", dies)
    work()
    assert not Delivery.objects.exists()
    monkeypatch.undo()
    original.run.jobs.filter(status="running").update(lease_until=Now() - timedelta(seconds=1))
    sweeping.sweep()
    work()
    assert Delivery.objects.count() == 1


def test_canceled__and_what_nobody_asked_for_is_told_to_nobody(alice, receiver, upload):
    endpoints.add(alice, receiver.url, ["original.failed"])
    runner.cancel(upload().run.pk)
    upload()
    work()
    assert not Delivery.objects.exists()


def test_outcome__of_bobs_is_not_told_to_alice(endpoint, upload, bob):
    upload(owner=bob)
    work()
    assert not Delivery.objects.exists()


def test_each_endpoint__of_the_owner_is_owed_a_message_of_its_own(alice, receiver, upload):
    both = [endpoints.add(alice, receiver.url + path) for path in ("/a", "/b")]
    upload()
    work()
    assert {delivery.endpoint for delivery in Delivery.objects.all()} == set(both)
    assert set(rung()) == {str(endpoint.pk) for endpoint in both}


def test_refusal__is_tried_again_under_the_same_id_until_it_is_taken(owed, endpoint, receiver):
    receiver.answers = [(503, b"not now"), (200, b"")]
    outbox.send_due(endpoint.pk)
    owed.refresh_from_db()
    assert (owed.status, owed.tries, owed.answer_status, owed.answer) == ("pending", 1, 503, "not now")
    assert outbox.send_due(endpoint.pk) == 0, "not before its time"
    later()
    assert outbox.send_due(endpoint.pk) == 1
    assert receiver.ids() == [str(owed.pk)] * 2
    receiver.verified(endpoint.secret)
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.paused_until) == (0, None, None)


def test_waits__grow_and_differ_and_take_a_day(owed, endpoint, receiver):
    receiver.answers = [(500, b"")]
    waits = []
    while not waits or owed.due_at:
        later()
        outbox.send_due(endpoint.pk)
        owed.refresh_from_db()
        waits.append((owed.due_at - now()).total_seconds() if owed.due_at else 0)
        assert len(waits) < 20, "it is never given up"
    assert (owed.tries, owed.status, len(receiver.messages)) == (8, "failed", 8)
    assert waits[:-1] == sorted(waits[:-1])
    for wait, planned in zip(waits, outbox.WAITS, strict=False):
        assert wait == pytest.approx(planned.total_seconds(), rel=outbox.JITTER, abs=2)
    assert timedelta(hours=24) < sum(outbox.WAITS, timedelta()) < timedelta(hours=30)


def give_up(owed: Delivery, endpoint: Endpoint) -> Endpoint:
    """The last of its tries."""
    Delivery.objects.filter(pk=owed.pk).update(tries=len(outbox.WAITS))
    later()
    outbox.send_due(endpoint.pk)
    endpoint.refresh_from_db()
    return endpoint


def test_endpoint__where_nothing_has_arrived_for_a_day_is_switched_off_with_the_reason(owed, endpoint, receiver):
    receiver.answers = [(500, b"")]
    assert give_up(owed, endpoint).is_on, "it has not failed for so long"
    Endpoint.objects.update(failing_since=now() - timedelta(days=2))
    outbox.replay(owed)
    endpoint = give_up(owed, endpoint)
    assert (endpoint.is_on, endpoint.off_because) == (False, "failing")


def test_endpoint__that_says_gone_is_switched_off_at_once(owed, endpoint, receiver):
    receiver.answers = [(410, b"")]
    outbox.send_due(endpoint.pk)
    endpoint.refresh_from_db()
    assert (endpoint.is_on, endpoint.off_because) == (False, "gone")


def test_endpoint__switched_on_again_gets_what_it_is_owed(owed, endpoint, receiver):
    endpoints.change(endpoint, None, None, is_on=False)
    assert outbox.send_due(endpoint.pk) == 0
    endpoints.change(endpoint, None, None, is_on=True)
    assert outbox.send_due(endpoint.pk) == 1
    assert receiver.ids() == [str(owed.pk)]


def test_endpoint__that_fails_is_left_alone_for_a_while_by_its_other_messages_too(owed, endpoint, receiver, upload):
    receiver.answers = [(500, b"")]
    upload()
    work()
    assert outbox.send_due(endpoint.pk) == 1, "the second message waits"
    assert outbox.send_due(endpoint.pk) == 0
    pauses = []
    for _ in range(9):
        later()
        outbox.send_due(endpoint.pk)
        endpoint.refresh_from_db()
        pauses.append((endpoint.paused_until - now()).total_seconds())
    assert pauses[:3] == [pytest.approx(seconds, abs=2) for seconds in (10, 20, 40)]
    assert pauses[-1] <= outbox.LONGEST_PAUSE.total_seconds()


def test_endpoint__is_sent_to_by_one_worker_at_a_time(owed, endpoint, receiver, monkeypatch):
    sent_within: list[int] = []
    post = sending.post

    def meanwhile(*arguments: Any) -> Any:
        sent_within.append(outbox.send_due(endpoint.pk))
        return post(*arguments)

    monkeypatch.setattr(sending, "post", meanwhile)
    outbox.send_due(endpoint.pk)
    assert sent_within == [0]
    assert len(receiver.messages) == 1


def test_worker__that_dies_while_it_sends_has_counted_its_try_and_is_followed_by_another(
    owed, endpoint, receiver, monkeypatch
):
    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(sending, "post", dies)
    with pytest.raises(KeyboardInterrupt):
        outbox.send_due(endpoint.pk)
    monkeypatch.undo()
    owed.refresh_from_db()
    assert (owed.tries, owed.status) == (1, "pending")
    later()
    assert outbox.send_due(endpoint.pk) == 1
    assert receiver.ids() == [str(owed.pk)]


def test_worker__that_only_slept_sends_nothing_once_its_lease_is_over(owed, endpoint):
    Endpoint.objects.update(holder="the other", lease_until=Now() + outbox.LEASE)
    assert outbox.take(endpoint.pk, "the sleeper") is None
    assert outbox.take(endpoint.pk, "the other") == owed


def test_sweep__rings_for_what_is_due_and_for_nothing_else(owed, endpoint, receiver):
    connection().delete("default")
    assert outbox.sweep() == 1
    assert rung() == [str(endpoint.pk)]
    tasks.send_webhooks(str(endpoint.pk))
    assert outbox.sweep() == 0


def test_sweep__does_not_wait_for_times_that_were_written_by_a_clock_hours_ahead(owed):
    ahead = now() + timedelta(hours=5)
    Endpoint.objects.update(paused_until=ahead, lease_until=ahead)
    Delivery.objects.update(due_at=now() + timedelta(days=2))
    connection().flushall()
    assert outbox.sweep() == 1
    assert rung() == [str(owed.endpoint_id)]


def test_outcome__while_redis_is_down_is_told_by_the_sweep(endpoint, upload, broker, receiver):
    upload()
    with broker_away(broker):
        for job in Run.objects.get().jobs.order_by("pk"):
            runner.run(job.pk, "worker-a")
    assert outbox.sweep() == 1
    for endpoint_id in rung():
        tasks.send_webhooks(endpoint_id)
    assert len(receiver.messages) == 1


def test_more_that_is_due__after_a_turn_has_another(endpoint, upload, monkeypatch, receiver):
    monkeypatch.setattr(outbox, "TURN", 0.0)
    upload()
    work()
    connection().delete("default")
    assert outbox.send_due(endpoint.pk) == 0
    assert rung() == [str(endpoint.pk)]


def test_replay__sends_what_has_arrived_or_failed_once_more_under_its_id(owed, endpoint, receiver):
    outbox.send_due(endpoint.pk)
    outbox.replay(owed)
    assert outbox.send_due(endpoint.pk) == 1
    assert receiver.ids() == [str(owed.pk)] * 2
    give_up(owed, endpoint)
    outbox.replay(owed)
    assert outbox.send_due(endpoint.pk) == 1
    owed.refresh_from_db()
    assert owed.status == "delivered"


def test_deleted_original__takes_its_messages_along(owed, endpoint, receiver):
    keeping.forget(owed.original)
    assert outbox.send_due(endpoint.pk) == 0
    assert not Delivery.objects.exists()


def test_original__deleted_while_its_message_is_on_the_way_harms_nobody(owed, endpoint, receiver, monkeypatch):
    post = sending.post

    def deleted_meanwhile(*arguments: Any) -> Any:
        keeping.forget(owed.original)
        return post(*arguments)

    monkeypatch.setattr(sending, "post", deleted_meanwhile)
    assert outbox.send_due(endpoint.pk) == 1
    assert not Delivery.objects.exists()


def test_endpoint__deleted_while_a_message_is_on_the_way_harms_nobody(owed, endpoint, monkeypatch):
    post = sending.post

    def deleted_meanwhile(*arguments: Any) -> Any:
        endpoints.remove(Endpoint.objects.get())
        return post(*arguments)

    monkeypatch.setattr(sending, "post", deleted_meanwhile)
    assert outbox.send_due(endpoint.pk) == 1
    assert not Endpoint.objects.exists()


def test_deleted_owner__takes_endpoints_and_messages_along(owed, alice):
    alice.delete()
    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()


def test_secret__once_changed_signs_beside_the_former_for_a_day(owed, endpoint, receiver):
    former = endpoint.secret
    new = endpoints.new_secret(endpoint)
    outbox.send_due(endpoint.pk)
    assert receiver.verified(former)
    assert receiver.verified(new)
    Endpoint.objects.update(former_until=now())
    endpoint.refresh_from_db()
    assert endpoint.secrets() == [new]


def test_log__forgets_after_a_month_what_is_over(owed, endpoint):
    Delivery.objects.update(created_at=now() - timedelta(days=31))
    assert outbox.forget_old() == 0, "it is still owed"
    outbox.send_due(endpoint.pk)
    assert outbox.forget_old() == 1
