"""Many at once: nobody is refused, nothing is lost, and a server with few connections to give is enough."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from mediaweb.desks import CONNECTIONS
from processing import events
from processing.models import Run
from tests.conftest import new_photo_bytes
from tests.uploads.web import Web, database_url
from tests.waiting import until
from uploads.models import ApiToken, Original

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 60


@pytest.fixture
def few() -> Iterator[str]:
    """The tests' database, as somebody sees it who is given no more connections than one web process keeps."""
    url = database_url()
    if connection.vendor == "sqlite":
        yield url
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE few LOGIN CONNECTION LIMIT {CONNECTIONS}")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO few")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO few")
    yield url.replace("postgres://postgres@", "postgres://few@", 1)
    with connection.cursor() as cursor:
        cursor.execute("DROP OWNED BY few")
        cursor.execute("DROP ROLE few")


@pytest.fixture
def web(tmp_path: Path, few: str) -> Iterator[Web]:
    web = Web(tmp_path / "web.log", DATABASE_URL=few, MEDIAWEB_API_RATE="0")
    web.start()
    yield web
    web.kill()


@pytest.fixture
def token(alice: Any) -> str:
    return ApiToken.issue(alice)


def test_crowd__everybody_is_answered_and_every_file_is_owed_its_processing(web, token):
    def send(photo: bytes) -> httpx.Response:
        with web.client(token) as client:
            return client.post("/api/originals", files={"file": ("photo.jpg", photo)}, timeout=120)

    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(send, [new_photo_bytes() for _ in range(CROWD)]))
    assert Counter(answer.status_code for answer in answers) == {201: CROWD}, web.log.read_text()
    ids = {answer.json()["id"] for answer in answers}
    assert {str(pk) for pk in Original.objects.values_list("pk", flat=True)} == ids
    assert Run.objects.filter(jobs__isnull=False).distinct().count() == CROWD


def test_crowd__that_watches_holds_no_connection(web, token, upload):
    """A page is open for hours. More of them than there are connections, and a request is answered all the same."""
    original = upload()
    with ExitStack() as stack:
        client = stack.enter_context(web.client(token))
        streams = [stack.enter_context(client.stream("GET", "/api/events")) for _ in range(CONNECTIONS + 5)]
        pages = [stream.iter_lines() for stream in streams]
        for page in pages:
            assert next(page).startswith("retry:")
            until(lambda page=page: next(page) == "event: listening")
        events.tell(original.run)
        for page in pages:
            until(lambda page=page: next(page) == "event: original")
            assert json.loads(next(page).removeprefix("data: "))["id"] == str(original.pk)
        assert client.get("/api/originals").status_code == 200
