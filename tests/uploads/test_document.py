"""The OpenAPI document against a real web process: nothing it allows breaks us, and no answer is undeclared."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.conftest import new_photo_bytes
from tests.uploads.web import Web
from uploads.models import ApiToken, Delivery, Endpoint, Original
from uploads.webhooks import endpoints

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = 20  # of each operation: with the pauses of a real server, half a minute in all
POOL = 15


@pytest.fixture
def document(charlie: Any, upload: Any, tmp_path: Path) -> Iterator[Any]:
    """The document, as charlie gets it, who has some of everything."""
    for number in range(POOL):
        upload(new_photo_bytes((16, 16)), name=f"{number}.jpg", owner=charlie)
        endpoints.test(endpoints.add(charlie, f"https://example.org/{number}"))
    web = Web(tmp_path / "web.log", MEDIAWEB_API_RATE="0")
    web.start()
    schema = schemathesis.openapi.from_url(f"{web.url}/api/openapi.json")
    schema.config.max_stream_events = 1
    schema.config.headers = {"Authorization": f"Bearer {ApiToken.issue(charlie)}"}
    yield schema
    web.kill()


api = schemathesis.pytest.from_fixture("document")


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation__answers_as_it_is_documented(case):
    if case.meta.generation.mode.is_positive:
        case.path_parameters |= {
            name: one_of_ours(name, value) for name, value in case.path_parameters.items() if name in OURS
        }
    case.call_and_validate()


OURS = {"original_id": Original, "webhook_id": Endpoint, "delivery_id": Delivery}


def one_of_ours(name: str, value: Any) -> str:
    """Where the document asks for an id, one that there is: the same for the same example."""
    ids = list(OURS[name].objects.order_by("created_at").values_list("pk", flat=True))
    return str(ids[zlib.crc32(str(value).encode()) % len(ids)])
