"""Run a command with a real PostgreSQL of its own: `python -m tests.postgres COMMAND …`.

The cluster lives in a temporary folder, listens on loopback, and goes when the command ends.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.waiting import until


class Cluster:
    """A database server's folder, and the server while it runs. It refuses to run as root: then it runs as nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.server: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        folder = folder / "data"
        command(["initdb", "--pgdata", str(folder), "--username", "postgres", "--auth", "trust", "--no-sync"])

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.server and self.server.poll() is None:
            return
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        self.server = subprocess.Popen(
            as_nobody([program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *options]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        ask = [program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        until(lambda: subprocess.run(ask, check=False).returncode == 0)

    def end_at_once(self) -> bool:
        """As `pg_ctl stop -m immediate` does: every connection breaks, and the next start recovers from the log."""
        return self.end(signal.SIGQUIT)

    def end(self, with_signal: int) -> bool:
        """Whether there was one to end."""
        if not self.server or self.server.poll() is not None:
            return False
        self.server.send_signal(with_signal)
        self.server.wait()
        return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A started cluster in a folder of its own, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="mediaweb-postgres-"))
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.end(signal.SIGINT)  # a "fast" end: on SIGTERM it waits for the last client to leave
        shutil.rmtree(folder, ignore_errors=True)


def command(words: Sequence[str]) -> None:
    name, *others = words
    subprocess.run(as_nobody([program(name), *others]), check=True, stdout=subprocess.DEVNULL, cwd="/")


def as_nobody(words: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return words
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *words]


def program(name: str) -> str:
    """The newest installed server's program: Debian keeps them off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(found[-1]) if found else name


if __name__ == "__main__":
    with cluster() as made:
        environment = os.environ | {
            "DATABASE_URL": made.url,
            "MEDIAWEB_SECRET_KEY": "a key that only these tests know" * 2,
        }
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
