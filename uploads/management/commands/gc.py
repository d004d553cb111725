"""`manage.py gc`: remove files that no row refers to, and scratch that nobody uses."""

from argparse import ArgumentParser
from typing import Any

from processing import storage
from processing.commands import QuickCommand
from uploads import garbage
from uploads.intake import incoming


class Command(QuickCommand):
    help = "Remove files that no row refers to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="name them, and remove nothing")
        parser.add_argument(
            "--older-than",
            type=float,
            default=garbage.UPLOAD_MAY_TAKE.total_seconds(),
            metavar="SECONDS",
            help="age from which bytes without an original are garbage (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        removed = 0
        for key in garbage.find(options["older_than"]):
            removed += 1
            self.stdout.write(key)
            if not options["dry_run"]:
                storage.drop(key)
        for key, store_id in garbage.forsaken(options["older_than"]):
            removed += 1
            self.stdout.write(f"parts of {key}")
            if not options["dry_run"]:
                incoming.abort(key, store_id)
        scratch = 0 if options["dry_run"] else storage.clear_scratch()
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{removed} files {verb}, {scratch} scratch folders cleared")
