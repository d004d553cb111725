"""One owner's flood, another's one photo: the real service, looked at from outside."""

import httpx
import pytest

from processing.lines import WINDOW
from tests.e2e.service import send, state
from tests.waiting import until

pytestmark = pytest.mark.e2e
FLOOD = 60
HANDS = 8  # at the most, of `make run`
# Before each of his two steps a window of hers, and what was in hand.
BEFORE = 2 * (WINDOW + HANDS)


def ready_at(client: httpx.Client) -> list[str]:
    """When each that is ready came to be so, as texts that sort."""
    items = client.get("/api/originals", params={"limit": 200, "status": "ready"}).json()["items"]
    return [item["ready_at"] for item in items if item["name"].startswith("flood")]


def test_flood__of_alice_lets_bobs_photo_pass(service, photo):
    with service.client("alice") as alice, service.client("bob") as bob:
        small = photo((800, 600))
        for number in range(FLOOD):
            send(alice, small, f"flood-{number}.jpg")
        his = send(bob, small, "his.jpg")
        until(lambda: len(ready_at(alice)) == FLOOD, 120, every=0.2)
        bobs = state(bob, his)
        before = [at for at in ready_at(alice) if bobs["created_at"] < at <= bobs["ready_at"]]
        assert len(before) <= BEFORE
