"""Ports for servers that tests start."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

# Below 32,768, from where on the kernel gives ports to whoever asks for any, or connects.
FIRST, BLOCKS, SIZE = 20_000, 120, 100
LOCKS = Path(tempfile.gettempdir(), f"mediaweb-ports-{os.getuid()}")


def free_port() -> int:
    """A port of loopback that nobody listens on just now, and that no other process is given while this one lives."""
    return next(port for port in own_ports() if can_be_bound(port))


@cache
def own_ports() -> Iterator[int]:
    """A block of them, again and again: what is asked for twice in a row must not be the same."""
    LOCKS.mkdir(exist_ok=True)
    for first in range(FIRST, FIRST + BLOCKS * SIZE, SIZE):
        handle = os.open(LOCKS / str(first), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends
        except BlockingIOError:
            os.close(handle)
            continue
        return cycle(range(first, first + SIZE))
    raise RuntimeError(f"all {BLOCKS} blocks of ports are taken, see {LOCKS}")


def can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
