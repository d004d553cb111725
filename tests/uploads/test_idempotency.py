"""`Idempotency-Key`: what is sent twice is done once, and both get the same answer."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client
from django.utils.timezone import now

from tests.conftest import new_photo_bytes, photo_bytes
from uploads import idempotency, keeping
from uploads.models import ApiToken, Endpoint, KeyedRequest, Original

pytestmark = pytest.mark.django_db

ORIGINALS, HOOKS = "/api/originals", "/api/webhooks"
URL = "https://example.org/hook"


def program_of(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user)}"})


@pytest.fixture
def program(alice: Any) -> Client:
    return program_of(alice)


def send(client: Client, key: str | None = "a-key", data: bytes | None = None, name: str = "photo.jpg") -> Any:
    file = SimpleUploadedFile(name, photo_bytes() if data is None else data)
    return client.post(ORIGINALS, {"file": file}, headers={"Idempotency-Key": key} if key else {})


def hook(client: Client, key: str = "a-key", **wanted: Any) -> Any:
    wanted = wanted or {"url": URL}
    return client.post(HOOKS, wanted, content_type="application/json", headers={"Idempotency-Key": key})


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_upload__sent_again_gets_the_same_answer(program):
    first, second = send(program), send(program)
    assert (first.status_code, second.status_code) == (201, 201), "not 200, as without a key"
    assert second.content == first.content
    assert second["Content-Type"] == first["Content-Type"]
    assert (first.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    assert Original.objects.count() == 1


def test_upload__with_another_file_or_name_under_the_same_key_is_refused(program):
    send(program)
    assert code_of(send(program, data=new_photo_bytes())) == (422, "idempotency_key_reused")
    assert code_of(send(program, name="other.jpg")) == (422, "idempotency_key_reused")
    assert Original.objects.count() == 1


def test_key__of_another_call_or_owner_is_another(program, bob):
    send(program)
    assert code_of(hook(program)) == (422, "idempotency_key_reused")
    assert hook(program_of(bob)).status_code == 201


def test_webhook__sent_again_is_one_with_one_secret(program):
    first, second = hook(program), hook(program)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert Endpoint.objects.count() == 1
    assert hook(program, key="another").json()["id"] != first.json()["id"]


def test_refusal__is_not_kept_since_it_made_nothing(program):
    assert send(program, data=b"").status_code == 400
    assert not KeyedRequest.objects.exists()
    assert send(program).status_code == 201


def test_second__while_the_first_is_at_work_is_told_so(program, monkeypatch):
    within: list[Any] = []
    keep = keeping.keep

    def meanwhile(*arguments: Any) -> Any:
        within.append(send(program))
        return keep(*arguments)

    monkeypatch.setattr(keeping, "keep", meanwhile)
    assert send(program).status_code == 201
    assert [code_of(answer) for answer in within] == [(409, "request_in_flight")]


def test_first__that_died_is_followed_by_the_next_once_its_lease_is_over(program, alice, monkeypatch):
    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "keep", dies)
    with pytest.raises(KeyboardInterrupt):
        send(program)
    monkeypatch.undo()
    assert code_of(send(program)) == (409, "request_in_flight")
    KeyedRequest.objects.update(lease_until=now() - timedelta(seconds=1))
    assert send(program).status_code == 201
    assert send(program)["Idempotency-Replayed"] == "true"


def test_key__is_good_for_a_day(program):
    send(program)
    KeyedRequest.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert send(program, data=new_photo_bytes()).status_code == 201
    KeyedRequest.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert idempotency.forget_old() == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_key__of_no_length_or_too_much_is_invalid(program, key):
    answer = program.post(ORIGINALS, {"file": SimpleUploadedFile("a.jpg", b"x")}, headers={"Idempotency-Key": key})
    assert code_of(answer) == (422, "invalid")


def test_upload__without_a_key_is_as_ever(program):
    assert [send(program, key=None).status_code for _ in range(2)] == [201, 200]
    assert not KeyedRequest.objects.exists()
