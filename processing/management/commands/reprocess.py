"""`manage.py reprocess`: owe originals again what a change of presets, or a failure, has left undone."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.management import CommandError
from django.db import transaction
from django.db.models import QuerySet
from tqdm import tqdm

from processing import listing, pipelines, runner
from processing.commands import QuickCommand
from processing.models import Run, RunStatus

BATCH = 1000  # ids held in memory at once
MENDABLE = (RunStatus.RECEIVED, RunStatus.PROCESSING, RunStatus.READY)  # the others wait for a retry

Change = Callable[[int], int]  # what is done to a run; how many jobs it takes
Pass = tuple[QuerySet[Run], Change]


class Command(QuickCommand):
    help = "Queue what is missing, of an old version, or failed; it may be stopped and started again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--preset", metavar="NAME", help="make this preset again, whatever is there")
        parser.add_argument("--stale", action="store_true", help="make what is missing or of an old version")
        parser.add_argument("--failed", action="store_true", help="retry what has failed")
        parser.add_argument("--kind", metavar="K", help=f"only {' or '.join(pipelines.PIPELINES)}")
        parser.add_argument("--dry-run", action="store_true", help="count, and queue nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["preset"] or options["stale"] or options["failed"]):
            raise CommandError("Say what to do again: --preset NAME, --stale or --failed.")
        passes = list(passes_of(options))
        with tqdm(total=sum(rows.count() for rows, _ in passes), unit="run", disable=None) as bar:
            tally = Counter(queued for rows, change in passes for queued in changed(rows, change, options, bar))
        verb = "would be queued" if options["dry_run"] else "queued"
        self.stdout.write(f"{tally[True]} {verb}, {tally[False]} with nothing to do")


def passes_of(options: Mapping[str, Any]) -> Iterator[Pass]:
    """What to go through, in this order, as the options say. Raises CommandError."""
    kinds = kinds_named(options["kind"])
    if options["failed"]:
        yield Run.objects.filter(listing.RETRYABLE, kind__in=kinds).exclude(status=RunStatus.CANCELED), runner.retry
    if preset := options["preset"]:
        having = kinds_having(preset, kinds)
        again = partial(runner.reprocess, again=(preset,), others=False)
        yield Run.objects.filter(kind__in=having, status__in=MENDABLE), again
    if options["stale"]:
        yield from ((rows, runner.reprocess) for kind in kinds for rows in stale(kind))


def kinds_named(name: str | None) -> list[str]:
    known = list(pipelines.PIPELINES)
    if name and name not in known:
        raise CommandError(f"There is no kind {name!r}. There are: {', '.join(known)}.")
    return [name] if name else known


def kinds_having(preset: str, kinds: list[str]) -> list[str]:
    names = {kind: pipelines.preset_names(kind) for kind in kinds}
    found = [kind for kind in kinds if preset in names[kind]]
    if not found:
        known = ", ".join(name for kind in kinds for name in names[kind])
        raise CommandError(f"There is no preset {preset!r} of {' or '.join(kinds)}. There are: {known}.")
    return found


def stale(kind: str) -> Iterator[QuerySet[Run]]:
    """The runs of this kind that were not complete under today's pipeline, by the version they were.

    One selection for each version there is: `run_by_version` leads to each, past the runs of today.
    """
    today = pipelines.version(kind)
    rows = Run.objects.filter(kind=kind)
    version = rows.order_by("pipeline_version").values_list("pipeline_version", flat=True).first()
    while version is not None:
        if version != today:
            yield rows.filter(pipeline_version=version, status__in=MENDABLE)
        later = rows.filter(pipeline_version__gt=version).order_by("pipeline_version")
        version = later.values_list("pipeline_version", flat=True).first()


def changed(rows: QuerySet[Run], change: Change, options: Mapping[str, Any], bar: Any) -> Iterator[bool]:
    """Whether each of these had something to do, which it has been given, each in a transaction of its own."""
    for run_id in ids(rows):
        with suppress(Run.DoesNotExist):  # deleted meanwhile
            yield change_one(run_id, change, dry_run=options["dry_run"])
        bar.update()


def change_one(run_id: int, change: Change, *, dry_run: bool) -> bool:
    with transaction.atomic():
        jobs = change(run_id)
        transaction.set_rollback(dry_run)  # a dry run does everything but commit, so it counts what is so
    return jobs > 0


def ids(rows: QuerySet[Run]) -> Iterator[int]:
    """The ids of these runs, a batch at a time."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield from batch
        last = batch[-1]
