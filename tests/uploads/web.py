"""A web process of its own on the tests' rows and files, spoken to by tus and hurt from outside."""

import os
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import connection

from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
VERSION = {"Tus-Resumable": "1.0.0"}
BODY = {**VERSION, "Content-Type": "application/offset+octet-stream"}


class Web:
    """One uvicorn."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.log = log
        self.environment = os.environ | {
            "DATABASE_URL": database_url(),
            "MEDIAWEB_DATA": str(settings.DATA),
            "MEDIAWEB_SECRET_KEY": settings.SECRET_KEY,
            "REDIS_URL": settings.REDIS_URL,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        words = [sys.executable, "-m", "uvicorn", "mediaweb.asgi:application", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *words, "--log-level", "warning"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        until(self.answers)

    def answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def client(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def database_url() -> str:
    """The tests' own database, for another process."""
    made = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings.DATABASES['default']['TEST']['NAME']}"
    return f"postgres://{made['USER']}@{made['HOST']}:{made['PORT']}/{settings.DATABASES['default']['TEST']['NAME']}"


def metadata(**values: str) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in values.items())


def create(client: httpx.Client, length: int, name: str = "photo.jpg", **headers: str) -> str:
    """A new upload's address."""
    wanted = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": metadata(filename=name), **headers}
    answer = client.post("/files/", headers=wanted)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def patch(client: httpx.Client, place: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    return client.patch(place, headers={**BODY, "Upload-Offset": str(offset), **headers}, content=data)


def offset(client: httpx.Client, place: str) -> int:
    answer = client.head(place, headers=VERSION)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["upload-offset"])


class HalfPatch:
    """A PATCH whose body stops before its end, with the line open until `close`."""

    def __init__(self, client: httpx.Client, place: str, offset: int, length: int, **more: str) -> None:
        url = httpx.URL(place)
        self.socket = socket.create_connection((url.host, url.port))
        headers = {
            "Host": f"{url.host}:{url.port}",
            "Authorization": client.headers["Authorization"],
            "Content-Length": str(length),
            "Upload-Offset": str(offset),
            **BODY,
            **more,
        }
        lines = [f"PATCH {url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> "HalfPatch":
        self.socket.sendall(data)
        return self

    def close(self) -> None:
        self.socket.close()

    def answer(self) -> bytes:
        """The answer's first line."""
        with self.socket:
            return self.socket.recv(4096).partition(b"\r\n")[0]


def row_of(place: str) -> Any:
    from uploads.models import Upload

    return Upload.objects.get(pk=place.rpartition("/")[2])
