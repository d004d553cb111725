from collections.abc import Iterator
from typing import Any

import pytest

from tests.uploads.webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A server that webhooks may be sent to, which is on this machine."""
    settings.WEBHOOK_PRIVATE = True
    with receiving() as there:
        yield there
