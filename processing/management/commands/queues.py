"""`manage.py queues`: how full each queue is, and who works on it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from processing import queues

COLUMNS = ("name", "depth", "queued", "running", "oldest_wait_seconds", "backlog_seconds", "workers")


class Command(BaseCommand):
    help = "Depth, running, oldest wait, backlog in worker-seconds, and workers of each queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = queues.as_json()
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        self.stdout.write("  ".join(f"{column:>8}" for column in COLUMNS))
        for row in rows:
            self.stdout.write("  ".join(f"{shown(row[c]):>{max(8, len(c))}}" for c in COLUMNS))


def shown(value: object) -> str:
    return "no answer" if value is None else str(value)
