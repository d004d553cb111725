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


@contextmanager
def running() -> Iterator[str]:
    """A started cluster's URL. PostgreSQL refuses to run as root: then it runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="mediaweb-postgres-"))
    data, port = folder / "data", free_port()
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    command(["initdb", "--pgdata", str(data), "--username", "postgres", "--auth", "trust", "--no-sync"])
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    server = subprocess.Popen(
        as_nobody([program("postgres"), "-D", str(data), "-p", str(port), *options]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        ask = [program("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        until(lambda: subprocess.run(ask, check=False).returncode == 0)
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # a "fast" end: on SIGTERM it waits for the last client to leave
        server.wait(30)
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
    with running() as url:
        environment = os.environ | {"DATABASE_URL": url, "MEDIAWEB_SECRET_KEY": "a key that only these tests know" * 2}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
