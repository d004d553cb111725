"""Whether the process lives, and whether what it leans on answers."""

from collections.abc import Callable

from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

from processing import bridge, storage


def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers. Nothing else is asked, so that an outage elsewhere restarts nothing here."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, broker and storage answer; 503 with the reasons where one does not."""
    checks = {name: reason(check) for name, check in CHECKS.items()}
    problems = {name: problem for name, problem in checks.items() if problem}
    return JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)


def reason(check: Callable[[], object]) -> str:
    """Why the check fails; empty where it holds."""
    try:
        check()
    except faults() as error:
        return f"{type(error).__name__}: {error}"
    return ""


def faults() -> tuple[type[Exception], ...]:
    """What is raised where one of them does not serve. S3's client is loaded only where it is the storage."""
    if storage.is_local():
        return (DatabaseError, RedisError, OSError)
    from botocore.exceptions import BotoCoreError, ClientError

    return (DatabaseError, RedisError, OSError, BotoCoreError, ClientError)


def ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def ask_storage() -> None:
    """An S3 store is asked for the bucket: of a file in one that is gone it says no more than "not there"."""
    if storage.is_local():
        default_storage.exists("originals/.probe")
    else:
        bucket = storage.bucket()
        bucket.meta.client.head_bucket(Bucket=bucket.name)


CHECKS: dict[str, Callable[[], object]] = {
    "database": ask_database,
    "broker": lambda: bridge.connection().ping(),
    "storage": ask_storage,
}
