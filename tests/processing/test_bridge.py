"""A Redis that is frozen: its machine takes connections, and nothing answers on them."""

import socket
from collections.abc import Iterator

import pytest
from django.conf import settings

from processing import bridge, doorbells, events
from tests.outage import broker_away, hang_up
from tests.waiting import until

pytestmark = pytest.mark.django_db


class Frozen:
    """A server that counts who comes."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listening.setblocking(False)
        self.url = f"redis://127.0.0.1:{self.listening.getsockname()[1]}/0"
        self.taken: list[socket.socket] = []

    def came(self) -> int:
        """How many connections have been made so far."""
        try:
            while True:
                self.taken.append(self.listening.accept()[0])
        except BlockingIOError:
            return len(self.taken)

    def close(self) -> None:
        for each in (*self.taken, self.listening):
            each.close()


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Frozen]:
    server = Frozen()
    monkeypatch.setattr(settings, "REDIS_URL", server.url)
    monkeypatch.setattr(bridge, "TIMEOUTS", {"socket_timeout": 0.2})
    monkeypatch.setattr(bridge, "SLOW", 0.1)
    monkeypatch.setattr(bridge, "SPARED", 2)
    bridge.connection.cache_clear()
    yield server
    bridge.connection.cache_clear()
    monkeypatch.undo()
    bridge.silence.until = 0
    hang_up()
    server.close()


def test_frozen_redis__is_waited_for_once_and_asked_again_later(upload, frozen):
    original = upload()
    events.tell(original.run)
    waited = frozen.came()
    assert waited
    for _ in range(5):
        events.tell(original.run)
        doorbells.ring(original.run.pk, list(original.run.jobs.all()))
    assert frozen.came() == waited, "nobody waits again for what may be left unsaid"
    until(lambda: events.tell(original.run) or frozen.came() > waited)


def test_redis_that_was_away__is_told_at_once_when_it_is_back(upload, broker):
    original = upload()
    with broker_away(broker):
        doorbells.ring(original.run.pk, list(original.run.jobs.all()))
    doorbells.ring(original.run.pk, list(original.run.jobs.all()))
    assert doorbells.heard() == set(original.run.jobs.values_list("pk", flat=True))
