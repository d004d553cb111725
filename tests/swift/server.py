"""A real S3 store: OpenStack Swift in four processes on loopback, from a virtual environment of its own.

It checks every signature, presigned ones and their expiry among them, where moto takes any.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

from tests.ports import free_port
from tests.swift.store import Store
from tests.waiting import end, until

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[1] / ".venv-swift" / "bin"
STORAGE_SERVERS = ("account", "container", "object")


@contextmanager
def running() -> Iterator[Store]:
    """A started store, empty. It goes when this ends, and its processes with ours, whichever way we end."""
    assert PROGRAMS.exists(), "Swift is not set up: run `make setup-test`"
    folder = Path(tempfile.mkdtemp(prefix="mediaweb-swift-"))
    ports = {kind: free_port() for kind in (*STORAGE_SERVERS, "proxy")}
    secret_key = secrets.token_hex(16)
    configure(folder, ports, secret_key)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for kind in ports:
            stack.enter_context(serving(folder, kind))
        # A proxy that is asked while its servers are not there yet leaves them alone for a minute.
        until(lambda: all(listens(port) for port in ports.values()))
        yield Store(f"http://127.0.0.1:{ports['proxy']}", "tests:tester", secret_key)


def configure(folder: Path, ports: Mapping[str, int], secret_key: str) -> None:
    """Write what the servers read: a configuration each, and the rings."""
    (folder / "disks" / "disk").mkdir(parents=True)
    shutil.copy(HERE / "swift.conf", folder)
    # Swift becomes the user it is told to be; ours is the one that can read this checkout for sure.
    words = {"folder": folder, "user": pwd.getpwuid(os.getuid()).pw_name, "secret_key": secret_key}
    for kind, port in ports.items():
        template = HERE / ("proxy-server.conf" if kind == "proxy" else "storage-server.conf")
        text = Template(template.read_text()).substitute(words, kind=kind, port=port)
        (folder / f"{kind}-server.conf").write_text(text)
    command = [PROGRAMS / "python", HERE / "rings.py", folder, *(str(ports[kind]) for kind in STORAGE_SERVERS)]
    subprocess.run(command, check=True)


@contextmanager
def serving(folder: Path, kind: str) -> Iterator[None]:
    """One server, in a group of its own: Swift may signal all of its group. It dies with the thread that started it."""
    command = ["setpriv", "--pdeathsig", "KILL", PROGRAMS / f"swift-{kind}-server", folder / f"{kind}-server.conf"]
    log = folder / f"{kind}.log"
    with log.open("wb") as output:
        server = subprocess.Popen([*command, "--verbose"], stdout=output, stderr=output, start_new_session=True)
    try:
        yield
        assert server.poll() is None, log.read_text()
    finally:
        end(server)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
