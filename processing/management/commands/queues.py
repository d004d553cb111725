"""`manage.py queues`: how full each queue is, and who works on it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict, fields
from typing import Any

from processing import queues
from processing.commands import QuickCommand

COLUMNS = [field.name for field in fields(queues.Queue)]


class Command(QuickCommand):
    help = "Depth, running, oldest wait, backlog in worker-seconds, and workers of each queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [asdict(queue) for queue in queues.overview()]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for line in [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows]:
            self.stdout.write("  ".join(f"{shown(line[column]):>{max(9, len(column))}}" for column in COLUMNS))


def shown(value: object) -> str:
    return "no answer" if value is None else str(value)
