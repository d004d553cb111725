"""What a chaos run changes in the service's processes: waits are shorter, and guards can be taken away.

An application of Django's, loaded by the tests' settings in every process. The product knows nothing of it.
A switch is a file in the run's folder: while it lies there, that guard is off.
"""

import importlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import AppConfig

FOLDER = "switches"
DWELL = 0.3  # seconds that a job takes longer, before its engine and after: small work is hard to hit
HELD_FOR = 60  # seconds: a held job goes on by itself, should whoever holds it be gone

# Where a wait is long by default, a run of a minute has another. The quarantine counts crashes and losses, and here
# we are the cause of them all: it is out of reach.
TIMES: dict[tuple[str, str], Any] = {
    ("processing.models", "LEASE"): timedelta(seconds=4),
    ("processing.heartbeat", "LEASE"): timedelta(seconds=4),
    ("processing.heartbeat", "BEAT"): 0.5,
    ("processing.sweeping", "UNANSWERED"): timedelta(seconds=2),
    ("processing.runner", "OUTAGE_PAUSE"): timedelta(seconds=1),
    ("processing.notices", "GATHER"): timedelta(seconds=1),
    ("processing.notices", "CLAIM"): timedelta(seconds=5),
    ("uploads.webhooks.outbox", "WAITS"): [timedelta(seconds=1)] * 60,
    ("uploads.webhooks.outbox", "PAUSE"): timedelta(seconds=0.5),
    ("uploads.webhooks.outbox", "LONGEST_PAUSE"): timedelta(seconds=2),
    ("uploads.webhooks.outbox", "LEASE"): timedelta(seconds=4),
    ("uploads.webhooks.outbox", "TURN"): 2.0,
    ("uploads.intake.receiving", "LEASE"): timedelta(seconds=3),
    ("processing.storage", "QUIET"): 6,
    ("processing.storage", "BODY_MAY_TAKE"): 15,
}
NO_QUARANTINE: dict[tuple[str, str], Any] = {
    ("processing.quarantine", "CRASHES_ALLOWED"): 1000,
    ("processing.quarantine", "LOSSES_ALLOWED"): 1000,
}


class Switches(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from django.conf import settings

        for (module, name), value in {**NO_QUARANTINE, **(TIMES if settings.SHORT else {})}.items():
            replace(module, name, lambda _, value=value: value)
        folder = settings.DATA / FOLDER
        for (module, name), change in CHANGES.items():
            replace(module, name, lambda old, change=change: change(old, folder))


def replace(module: str, path: str, change: Callable[[Any], Any]) -> None:
    """Let `change` make another thing of what stands there. Fails where nothing does."""
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, name, change(getattr(owner, name)))


def fenceless_move(old: Any, folder: Path) -> Any:
    """A move that asks neither for the attempt nor for the status."""

    def move(self: Any, to: Any, **changes: Any) -> bool:
        if not is_unfenced(folder):
            return bool(old(self, to, **changes))
        moved = type(self).objects.filter(pk=self.pk).update(status=to, **changes)
        self.refresh_from_db()
        return bool(moved)

    return move


def fenceless_renew(old: Any, folder: Path) -> Any:
    return lambda *args, **named: bool(old(*args, **named)) or is_unfenced(folder)


def is_unfenced(folder: Path) -> bool:
    """Who acknowledges early goes on with what its row says is done, and no fence may stop it."""
    return (folder / "fence").exists() or (folder / "acks").exists()


def never_lost(old: Any, folder: Path) -> Any:
    """Leases do not run out."""
    return lambda self: self.none() if (folder / "lease").exists() else old(self)


def no_sweep(old: Any, folder: Path) -> Any:
    return lambda: {} if (folder / "sweep").exists() else old()


def lost_rings(old: Any, folder: Path) -> Any:
    """Rows are committed, and then nobody is told."""
    return lambda *args: None if (folder / "rings").exists() else old(*args)


def held(old: Any, folder: Path) -> Any:
    """Small work is in hand for a while, and what it has made is not published as long as it is held."""

    def make(job: Any, *others: Any) -> Any:
        if job.step == "thumbnails" and (folder / "acks").exists():
            acknowledge(job)
        time.sleep(DWELL)
        product = old(job, *others)
        time.sleep(DWELL)
        end = time.monotonic() + HELD_FOR
        while (folder / f"hold-{job.step}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        return product

    return make


def acknowledge(job: Any) -> None:
    """A job is acknowledged by its row's move to its end: here when pictures are begun, not when they are there."""
    from django.db.models.functions import Now

    from processing import runner
    from processing.models import Job, JobStatus

    with runner.changing(job.run_id):
        Job.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, finished_at=Now(), progress=1)


def noted(old: Any, folder: Path) -> Any:
    """Each publication leaves a line once it is committed: a row that is replaced would hide that it was made twice."""

    def record_file(job: Any, made: Any, item: Any) -> None:
        from django.db import transaction

        old(job, made, item)
        line = f"{job.run.original_id} {made.preset} {made.name or '-'} {made.version} {job.pk}-{job.attempt}\n"
        transaction.on_commit(lambda: append(folder.parent / "published.log", line))

    return record_file


def append(path: Path, line: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(handle, line.encode())
    os.close(handle)


CHANGES: dict[tuple[str, str], Callable[[Any, Path], Any]] = {
    ("processing.models", "Job.move"): fenceless_move,
    ("processing.models", "Job.renew"): fenceless_renew,
    ("processing.models", "JobQuerySet.lost"): never_lost,
    ("processing.sweeping", "sweep"): no_sweep,
    ("processing.doorbells", "ring"): lost_rings,
    ("processing.runner", "make"): held,
    ("processing.publishing", "record_file"): noted,
}
