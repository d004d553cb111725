"""`manage.py restore FILE`: the rows of a backup in the place of all there are."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from mediaweb import backups
from processing import queues
from processing.commands import QuickCommand
from processing.pipelines import QUEUES


class Command(QuickCommand):
    help = "Replace every row by those of FILE. Stop the service first, and put the storage back before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--yes", action="store_true", help="replace what is there without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        if any(queues.workers(name) for name in QUEUES):
            raise CommandError("Workers are at work on these rows. Stop the service first.")
        if not (options["yes"] or input("Replace every row there is? Type yes: ") == "yes"):
            raise CommandError("Nothing was replaced.")
        try:
            backups.read(options["file"])
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Restored. Now: manage.py migrate, start the service, then manage.py fsck --mend "
            "(makes anew what is missing) and manage.py gc (removes what is newer than the backup)."
        )
