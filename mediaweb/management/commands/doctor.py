"""`manage.py doctor`: everything the service needs, whether it is there, and how to mend it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from PIL import features
from redis.exceptions import RedisError

from mediaweb.health import ask_database
from processing import bridge, cors, queues, storage
from processing.engines import fence
from processing.pipelines import QUEUES

DISK_WANTED = 5 * 2**30  # an hour of phone video and what is made of it


@dataclass(frozen=True)
class Check:
    """One thing that should hold. `find` returns what is wrong, or nothing; `must_hold`, whether that is a fault."""

    name: str
    find: Callable[[], str]
    mend: str
    must_hold: Callable[[], bool] = lambda: True


def missing_programs() -> str:
    return ", ".join(name for name in ("ffmpeg", "ffprobe", "setpriv", "prlimit") if not shutil.which(name))


def missing_encoders() -> str:
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=True)
    return ", ".join(name for name in ("libx264", "aac") if f" {name} " not in listed.stdout)


def missing_formats() -> str:
    return ", ".join(name for name in ("jpg", "webp", "avif", "jpg_2000", "littlecms2") if not features.check(name))


def fence_open() -> str:
    return ", ".join(fence.missing())


def database_silent() -> str:
    ask_database()
    return ""


def migrations_owed() -> str:
    executor = MigrationExecutor(connection)
    owed = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(owed)} not applied" if owed else ""


def broker_silent() -> str:
    bridge.connection().ping()
    return ""


def workers_missing() -> str:
    return ", ".join(f"no worker takes from {name}" for name in QUEUES if not queues.workers(name))


def storage_unwritable() -> str:
    key = default_storage.save(f"originals/.doctor-{os.getpid()}", ContentFile(b"well"))
    default_storage.delete(key)
    return ""


def pages_shut_out() -> str:
    if settings.S3_DIRECT is False:
        return ""
    refusal = cors.shut_out(storage.bucket(), settings.OWN_URL)
    return refusal if settings.S3_DIRECT else refusal and f"{refusal}, so large files come by the web process"


def pages_must_get_in() -> bool:
    return settings.S3_DIRECT is True


def disk_full() -> str:
    free = shutil.disk_usage(settings.SCRATCH).free
    return f"{free / 2**30:.1f} GiB free in {settings.SCRATCH}" if free < DISK_WANTED else ""


def pages_unbuilt() -> str:
    return "" if (settings.STATIC_ROOT / "staticfiles.json").exists() else "static files are not collected"


CHECKS: Sequence[Check] = (
    Check("programs", missing_programs, "install ffmpeg and util-linux: apt-get install ffmpeg util-linux"),
    Check("encoders", missing_encoders, "install an ffmpeg built with libx264 and AAC, such as Debian's"),
    Check("image formats", missing_formats, "reinstall Pillow's wheel: pip install --force-reinstall pillow"),
    Check(
        "fence", fence_open, "decoders are limited, but not confined: run on Linux 5.13 or newer, with Landlock allowed"
    ),
    Check("database", database_silent, "check DATABASE_URL and that the server runs"),
    Check("migrations", migrations_owed, "run: python manage.py migrate"),
    Check("broker", broker_silent, "check REDIS_URL and that the server runs; `make run` starts an embedded one"),
    Check("workers", workers_missing, "start one for each queue: celery -A mediaweb worker -Q images -l INFO"),
    Check("storage", storage_unwritable, "make MEDIAWEB_DATA writable, or check the AWS_… variables"),
    Check(
        "bucket and pages",
        pages_shut_out,
        "give the bucket a CORS rule: AllowedOrigins MEDIAWEB_BASE_URL, AllowedMethods PUT, ExposeHeaders ETag; "
        "or set MEDIAWEB_S3_DIRECT=false",
        pages_must_get_in,
    ),
    Check("disk", disk_full, "free some space, or set MEDIAWEB_DATA to a larger disk"),
    Check("pages", pages_unbuilt, "run: make setup"),
)


class Command(BaseCommand):
    help = "Check everything the service needs, and say how to mend what is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        healthy = [self.report(check) for check in CHECKS]
        if not all(healthy):
            sys.exit(1)

    def report(self, check: Check) -> bool:
        wrong = outcome(check)
        fails = bool(wrong) and check.must_hold()
        mark = self.style.ERROR("✕") if fails else self.style.WARNING("!") if wrong else self.style.SUCCESS("✓")
        self.stdout.write(f"{mark} {check.name}" + (f": {wrong}\n    {check.mend}" if wrong else ""))
        return not fails


def outcome(check: Check) -> str:
    try:
        return check.find()
    except (DatabaseError, RedisError, OSError, BotoCoreError, ClientError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
