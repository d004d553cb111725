"""`manage.py ingest`: files of this machine as originals, as if they had been uploaded."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import CommandError
from tqdm import tqdm

from processing.commands import QuickCommand
from processing.errors import MediaError
from uploads import keeping


class Command(QuickCommand):
    help = "Import files; each is kept and queued, or refused with its reason on stderr."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--owner", metavar="USER", help="whose they become; the first administrator's")
        parser.add_argument("--recursive", action="store_true", help="go into folders of folders")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = owner_named(options["owner"])
        files = [file for path in options["paths"] for file in files_at(path, options["recursive"])]
        bar = tqdm(files, unit="file", disable=None)
        count = Counter(self.ingest(owner, path, bar) for path in bar)
        here = f", {count['here']} here already" if count["here"] else ""
        self.stdout.write(f"{count['kept']} kept, {count['refused']} refused{here}")

    def ingest(self, owner: Any, path: Path, bar: Any) -> str:
        try:
            source = path.open("rb")
        except OSError as error:
            return self.refuse(path, f"cannot be opened: {error.strerror}", bar)
        with source:
            try:
                original = keeping.keep(owner, path.name, source)
            except MediaError as error:
                return self.refuse(path, f"{error.code}: {error}", bar)
        return "here" if original.was_there else "kept"

    def refuse(self, path: Path, reason: str, bar: Any) -> str:
        with bar.external_write_mode():
            self.stderr.write(f"{path}: {reason}")
        return "refused"


def owner_named(name: str | None) -> Any:
    users = get_user_model().objects.order_by("pk")
    user = users.filter(username=name).first() if name else users.filter(is_superuser=True).first()
    if user is None:
        raise CommandError(
            f"There is no user {name!r}. Make one: manage.py api_token {name} --create"
            if name
            else "There is no administrator yet. Name a user with --owner, or run manage.py createsuperuser."
        )
    return user


def files_at(path: Path, recursive: bool) -> Iterator[Path]:
    """The file, or a folder's files in order of their names."""
    if not path.exists():
        raise CommandError(f"{path} does not exist.")
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise CommandError(f"{path} is neither a file nor a folder.")
    yield from sorted(item for item in (path.rglob("*") if recursive else path.iterdir()) if item.is_file())
