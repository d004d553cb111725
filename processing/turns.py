"""One at a time: a lock kept where the rows are, that dies with its holder."""

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

OURS = 0x6D77  # "mw": advisory locks have numbers for names, and others may use the same database


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether nobody else is at what goes by this name; as long as this is open, nobody else begins it then.

    Nothing leans on it for truth: a holder whose connection broke has lost it without a word.
    """
    with (advisory if connection.vendor == "postgresql" else beside_the_file)(name) as is_ours:
        yield is_ours


@contextmanager
def advisory(name: str) -> Iterator[bool]:
    """By the database session: a connection that ends lets go."""
    number = zlib.crc32(name.encode()) & 0x7FFFFFFF
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [OURS, number])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours and connection.connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [OURS, number])


@contextmanager
def beside_the_file(name: str) -> Iterator[bool]:
    """By the kernel, for SQLite, whose users are all on one machine."""
    handle = os.open(Path(f"{connection.settings_dict['NAME']}.{name}"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)
