"""The OpenAPI document against a real web process: nothing it allows breaks us, and no answer is undeclared."""

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
import schemathesis
from django.db import connection
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import new_photo_bytes
from tests.uploads.web import Web
from uploads.api import api
from uploads.models import ApiToken, Delivery, Endpoint, Original, Share
from uploads.webhooks import endpoints

pytestmark = pytest.mark.django_db(transaction=True)

# Of each operation, of what it takes and as many of what it does not; the same in every run. PostgreSQL is the
# stricter of the two (NUL bytes, long numbers), and what is served from.
EXAMPLES = 10 if connection.vendor == "postgresql" else 3
POOL = 4
ADDRESS = 65_000  # bytes: of a longer one HTTP's parser knows no length, and no operation hears of it
SEEDED = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
OPERATIONS = [(path, method) for path, methods in api.get_openapi_schema()["paths"].items() for method in methods]
OURS = {"original_id": Original, "webhook_id": Endpoint, "delivery_id": Delivery, "share_id": Share}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("web") / "log", MEDIAWEB_API_RATE="0")
    web.start()
    yield web
    web.kill()


@pytest.fixture(scope="module")
def document(web: Web) -> Any:
    found = schemathesis.openapi.from_url(f"{web.url}/api/openapi.json")
    found.config.max_stream_events = 1
    return found


@pytest.fixture
def token(charlie: Any, upload: Any) -> str:
    """Charlie's, who has some of everything."""
    for number in range(POOL):
        original = upload(new_photo_bytes((16, 16)), name=f"{number}.jpg", owner=charlie)
        original.shares.create(token=f"token-{number}")
        endpoints.test(endpoints.add(charlie, f"https://example.org/{number}"))
    return ApiToken.issue(charlie)


def test_document__names_the_operations_that_are_sent_to_here(document):
    named = [(path, method) for path, methods in document.raw_schema["paths"].items() for method in methods]
    assert sorted(named) == sorted(OPERATIONS)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_operation__answers_what_is_declared_to_whatever_it_is_sent(document, token, path, method):
    """First what its schemas allow, then what they do not."""
    operation = document[path][method]
    assert len(sent(operation, GenerationMode.POSITIVE, token)) == EXAMPLES
    assert len(sent(operation, GenerationMode.NEGATIVE, token)) == EXAMPLES


def sent(operation: Any, mode: GenerationMode, token: str) -> list[int]:
    """The statuses of the answers to examples of this mode; raises at the first that is not declared, or is ours."""
    statuses = []

    @SEEDED
    @given(case=operation.as_strategy(mode))
    def answers_as_declared(case: Any) -> None:
        if mode.is_positive:
            case.path_parameters |= ids_of_ours(case.path_parameters)
        assume(len(urlencode(case.query or {}, doseq=True)) < ADDRESS)
        # What is well-formed may be refused all the same: for a private address, a quota, a file that is no picture.
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {token}"}, excluded_checks=[positive_data_acceptance]
        )
        statuses.append(answer.status_code)

    answers_as_declared()
    return statuses


def ids_of_ours(asked: dict[str, Any]) -> dict[str, str]:
    """Where an id is asked for, one that there is as long as there is one: the same for the same example."""
    found = {}
    for name in asked.keys() & OURS.keys():
        ids = list(OURS[name].objects.order_by("created_at").values_list("pk", flat=True))
        if ids:
            found[name] = str(ids[zlib.crc32(str(asked[name]).encode()) % len(ids)])
    return found


def test_every_answer__has_an_example_that_its_schema_takes(client):
    document = client.get("/api/openapi.json").json()
    names = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(answers(document))))
    assert len(names) > 10
    for name in names - {"Refusal"}:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        for example in document["components"]["schemas"][name]["examples"]:
            jsonschema.validate(example, schema, cls=jsonschema.Draft202012Validator)


def test_every_refusal__has_an_example(client):
    document = client.get("/api/openapi.json").json()
    refusals = [answer for status, answer in answers(document) if int(status) >= 400]
    assert len(refusals) > 100
    for answer in refusals:
        example = answer["content"]["application/json"]["example"]["error"]
        assert set(example) == {"code", "message", "details"}


def answers(document: Any) -> list[tuple[str, Any]]:
    """(status, answer) of every operation."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    return [item for operation in operations for item in operation["responses"].items()]
