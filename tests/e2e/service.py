"""The whole service in processes of its own, as `make run` starts it, watched and hurt from outside."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.conftest import fresh
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
FINAL = {"ready", "failed", "canceled"}
DATABASE = "mediaweb.sqlite3"  # in a service's folder, where it is told of no other


class Service:
    """One running service: its HTTP face, its processes, its commands."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.environment = os.environ | {
            "MEDIAWEB_DATA": str(data),
            "PORT": str(self.port),
            "MEDIAWEB_DRAIN_SECONDS": "2",
            "MEDIAWEB_WEBHOOK_PRIVATE": "true",  # receivers are on this machine
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        # A command beside the service takes two seconds of a core: one makes a user, a token and a password.
        self.tokens: dict[str, tuple[str, str]] = {}  # the role, and a token
        self.passwords: dict[str, str] = {}

    def spare_migrating(self) -> None:
        """Begin with a database that has its tables, and nothing for the start's own `migrate` to do."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / DATABASE).write_bytes(migrated())

    def start(self) -> None:
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            command = ["setpriv", "--pdeathsig", "TERM", sys.executable, "manage.py", "serve"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self.answers, 60)

    def answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """Tell the service to stop; its exit status. One that does not is killed with all its processes, and fails."""
        assert self.process
        self.process.send_signal(with_signal)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def end(self) -> None:
        """At once: how a service stops that is asked to, tests of their own look at."""
        if self.process and self.process.poll() is None:
            self.kill()
            self.process.wait()

    def log(self) -> str:
        paths = [self.data.parent / f"{self.data.name}.log", *(self.data / "log").glob("*.log")]
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in paths)

    def manage(self, *words: str) -> str:
        """Run a management command beside the service; what it printed."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def client(self, user: str, role: str = "uploader") -> httpx.Client:
        """A program of this user's, who is made where there is none."""
        if self.tokens.get(user, ("", ""))[0] != role:
            self.tokens[user] = role, self.manage("shell", "-v0", "-c", self.make(user, role)).strip()
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.tokens[user][1]}"}, timeout=30)

    def make(self, user: str, role: str) -> str:
        """What a shell is told to do for that. A password stays as it is: with a new one, nobody is signed in."""
        words = [
            "from django.contrib.auth import get_user_model; from django.core.management import call_command",
            f"call_command('api_token', {user!r}, '--create', '--role', {role!r})",
        ]
        if user not in self.passwords:
            password = self.passwords[user] = secrets.token_urlsafe(12)
            words.append(f"u = get_user_model().objects.get(username={user!r}); u.set_password({password!r}); u.save()")
        return "; ".join(words)

    def password(self, user: str) -> str:
        """Of a user who has been a client."""
        return self.passwords[user]

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this service, and none of another's."""
        return self.running()

    def running(self, *words: str) -> list[psutil.Process]:
        """The service's processes whose command holds all of these words."""
        # Tests ask again and again: environments of the few that it may be, and not of the whole machine.
        return [each for each in psutil.process_iter() if holds(each, words) and belongs(each, str(self.data))]

    def kill(self, *words: str) -> int:
        """SIGKILL them; how many there were."""
        found = self.running(*words)
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        return len(found)


@cache
def migrated() -> bytes:
    """An embedded database as `migrate` makes it, once for all who begin with it: it takes three seconds of a core."""
    with tempfile.TemporaryDirectory(prefix="mediaweb-migrated-") as folder:
        environment = os.environ | {"MEDIAWEB_DATA": folder, "DATABASE_URL": ""}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        return Path(folder, DATABASE).read_bytes()


def belongs(process: psutil.Process, data: str) -> bool:
    """By its environment, or (encoders get none of ours) by the folder in its command."""
    try:
        named = process.environ().get("MEDIAWEB_DATA") == data or data in " ".join(process.cmdline())
        return named and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def holds(process: psutil.Process, words: Sequence[str]) -> bool:
    try:
        command = " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return all(word in command for word in words)


def send(client: httpx.Client, data: bytes, name: str) -> str:
    """Upload, as what nobody has sent before; the original's id. Anything but 201 fails."""
    response = client.post("/api/originals", files={"file": (name, fresh(data))})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def state(client: httpx.Client, original_id: str) -> dict[str, Any]:
    response = client.get(f"/api/originals/{original_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def files_of(original: dict[str, Any]) -> int:
    """How many files its renditions are."""
    return sum(1 + len(item["files"]) for item in original["renditions"])


def all_final(client: httpx.Client, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Their JSON, once every one of them has ended; empty before."""
    states = []
    for original_id in ids:
        states.append(state(client, original_id))
        if states[-1]["status"] not in FINAL:
            return []
    return states


def until_final(client: httpx.Client, ids: Collection[str], seconds: float = 20) -> list[dict[str, Any]]:
    """Their JSON, when all have ended. It asks now and then: every answer takes of the cores that make them."""
    return until(lambda: all_final(client, ids), seconds, every=0.1)
