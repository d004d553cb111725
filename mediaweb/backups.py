"""The rows as one file, and back: by the database's own means, while the service runs."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

# libpq's variables: a password on a command line is everybody's to read.
PG_VARIABLES = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
SQLITE_MAGIC = b"SQLite format 3\0"
PG_DUMP_MAGIC = b"PGDMP"


class BackupError(Exception):
    """Why no backup could be made or taken back, and what to do about it."""


def write(path: Path) -> None:
    """Write all rows, as of one instant, to `path`: whole, or not at all. Raises BackupError."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        (copy_sqlite if is_sqlite() else dump_postgres)(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path) -> None:
    """Put the rows of a backup in the place of all there are. The service must be stopped. Raises BackupError."""
    with path.open("rb") as file:
        head = file.read(len(SQLITE_MAGIC))
    if not head.startswith(SQLITE_MAGIC if is_sqlite() else PG_DUMP_MAGIC):
        raise BackupError(f"{path} is no backup of this kind of database ({connection.vendor}).")
    (restore_sqlite if is_sqlite() else restore_postgres)(path)


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def copy_sqlite(target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        raw().backup(copy)


def restore_sqlite(source: Path) -> None:
    with closing(sqlite3.connect(source)) as backup:
        if backup.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise BackupError(f"{source} is damaged.")
        backup.backup(raw())


def raw() -> Any:
    """SQLite's own connection, under Django's."""
    connection.ensure_connection()
    return connection.connection


def dump_postgres(target: Path) -> None:
    run_postgres("pg_dump", "--format=custom", "--no-owner", "--file", str(target))


def restore_postgres(source: Path) -> None:
    database = str(settings.DATABASES["default"]["NAME"])
    flags = ("--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error")
    run_postgres("pg_restore", *flags, "--dbname", database, str(source))


def run_postgres(program: str, *words: str) -> None:
    if not shutil.which(program):
        raise BackupError(f"{program} is not installed: apt-get install postgresql-client.")
    database: dict[str, Any] = settings.DATABASES["default"]
    own = {variable: str(database[name]) for name, variable in PG_VARIABLES.items() if database.get(name)}
    if mode := database.get("OPTIONS", {}).get("sslmode"):
        own["PGSSLMODE"] = mode
    done = subprocess.run([program, *words], env=os.environ | own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program}: {done.stderr.strip()[-500:]}")
