"""Our signatures are those of Standard Webhooks: its own library takes them."""

import time
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from uploads.webhooks import signing

BODY = '{"type": "original.ready", "data": {"name": "café.jpg"}}'


def test_signature__is_their_librarys():
    secret, sent_at = signing.new_secret(), int(time.time())
    theirs = Webhook(secret).sign("an-id", datetime.fromtimestamp(sent_at, UTC), BODY)
    assert signing.signature(secret, "an-id", sent_at, BODY) == theirs


def test_message__signed_with_two_secrets_is_taken_by_both_and_by_no_other():
    new, former = signing.new_secret(), signing.new_secret()
    headers = signing.headers("an-id", int(time.time()), BODY, [new, former])
    for secret in (new, former):
        assert Webhook(secret).verify(BODY, headers)["type"] == "original.ready"
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(BODY, headers)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_message__changed_on_its_way_is_refused(changed):
    secret = signing.new_secret()
    headers = signing.headers("an-id", int(time.time()), BODY, [secret])
    body = BODY + " " if changed == "body" else BODY
    headers |= {changed: headers[changed] + "1"} if changed in headers else {}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_secret__has_the_bytes_the_specification_asks_for():
    assert 24 <= len(b64decode(signing.new_secret().removeprefix("whsec_"))) <= 64
