"""`manage.py backup FILE`: all rows as one file, while the service runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from mediaweb import backups
from processing.commands import QuickCommand


class Command(QuickCommand):
    help = "Write every row to FILE, as of one instant. Copy the storage after it, not before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            backups.write(file)
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{file}: {file.stat().st_size} bytes. Now copy the storage.")
