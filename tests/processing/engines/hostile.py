"""What a decoder might do that a hostile file has taken over: makes for the tests of the sandbox."""

import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from processing.errors import TooManyFrames
from processing.facts import Facts, Made, Order, Product

FACTS = Facts("image", "PNG", 1, 1)


def say(order: Order, found: object) -> Product:
    """Hand a finding to the test, in a file, as a job would hand a rendition."""
    path = order.folder / "found.json"
    path.write_text(json.dumps(found))
    return Product(FACTS, files=(Made("found", 1, path, "image/webp", 1, 1),))


def tell_environment(order: Order) -> Product:
    return say(order, dict(os.environ))


def tell_sandbox(order: Order) -> Product:
    return say(order, os.getppid())


def refuse(order: Order) -> Product:
    raise TooManyFrames(found=7, allowed=5)


def fail(order: Order) -> Product:
    print("libtiff: what is this tag?", file=sys.stderr)  # noqa: T201
    raise OSError("the disk is on fire")


def meet_a_full_disk(order: Order) -> Product:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def crash(order: Order) -> Product:
    os.write(2, b"corrupted size vs. prev_size\n")
    ctypes.string_at(0)
    raise AssertionError


def abort(order: Order) -> Product:
    os.abort()


def be_killed(order: Order) -> Product:
    signal.raise_signal(signal.SIGKILL)
    raise AssertionError


def take_memory(order: Order) -> Product:
    return say(order, len(bytearray(1 << 30)))


def compute_for_ever(order: Order) -> Product:
    while True:
        pass


def wait_for_ever(order: Order) -> Product:
    (order.folder / "pid").write_text(str(os.getpid()))
    order.report(0.5)
    while True:
        time.sleep(60)


def write_for_ever(order: Order) -> Product:
    with (order.folder / "big").open("wb") as file:
        while True:
            file.write(bytes(1 << 20))


def chatter(order: Order) -> Product:
    for _ in range(20_000):
        os.write(1, b"x" * 100)
    return Product(FACTS)


def exit_quietly(order: Order) -> Product:
    os._exit(0)


def publish_foreign_file(order: Order) -> Product:
    return Product(FACTS, files=(Made("webp-160", 1, Path("/etc/passwd"), "image/webp", 1, 1),))


def publish_link(order: Order) -> Product:
    path = order.folder / "link"
    path.symlink_to("/etc/passwd")
    return Product(FACTS, files=(Made("webp-160", 1, path, "image/webp", 1, 1),))


def publish_page(order: Order) -> Product:
    made = say(order, "<script>").files[0]
    return Product(FACTS, files=(replace(made, content_type="text/html"),))


def lie_about_facts(order: Order) -> Product:
    return Product(replace(FACTS, width="<script>"))  # type: ignore[arg-type]


def work_in_threads(order: Order) -> Product:
    seen: list[int] = []
    threads = [threading.Thread(target=seen.append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return say(order, sorted(seen))


def try_the_walls(order: Order) -> Product:
    """The name of each thing that was possible and should not be."""
    victim = order.source.parent / "sibling"
    attempts = {
        "read a sibling": victim.read_bytes,
        "read a system file": Path("/etc/passwd").read_bytes,
        "read a process": Path(f"/proc/{os.getppid()}/environ").read_bytes,
        "write the source": lambda: order.source.open("r+b"),
        "write a sibling": lambda: victim.write_text("mine"),
        "write outside": victim.with_name("outside").touch,
        "change a time": lambda: os.utime(victim),
        "change a mode": lambda: victim.chmod(0o777),
        "open a socket": socket.socket,
        "open a unix socket": lambda: socket.socket(socket.AF_UNIX),
        "start a program": lambda: subprocess.run(["true"], check=True),
        "fork": fork,
        "signal its parent": lambda: os.kill(os.getppid(), 0),
        "hold its parent": lambda: os.close(os.pidfd_open(os.getppid())),
        "leave its group": os.setsid,
    }
    return say(order, [name for name, attempt in attempts.items() if succeeds(attempt)])


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def succeeds(attempt) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
