"""`manage.py fsck`: compare every row with its file, and have renditions that are damaged made anew."""

import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from tqdm import tqdm

from processing.commands import QuickCommand
from processing.models import Rendition
from uploads import checking, garbage
from uploads.checking import Fault


class Command(QuickCommand):
    help = "Check that every file is there and whole. The exit status is 1 where something is left to be done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="by presence and size: reads no file")
        parser.add_argument("--mend", action="store_true", help="have damaged renditions made anew")

    def handle(self, *args: Any, **options: Any) -> None:
        tally: Counter[str] = Counter()
        bar = tqdm(checking.rows(), total=checking.count(), unit="file", disable=None)
        for row in bar:
            if fault := checking.look(row, quick=options["quick"]):
                mended = options["mend"] and checking.mend(fault)
                tally["mended" if mended else "left"] += 1
                with bar.external_write_mode():
                    self.stdout.write(sentence(fault, mended=mended))
        orphans = sum(1 for _ in garbage.find(garbage.UPLOAD_MAY_TAKE.total_seconds()))
        self.stdout.write(f"{tally['left']} damaged, {tally['mended']} being made anew, {orphans} orphans")
        if orphans:
            self.stdout.write("Orphans are files that no row refers to: manage.py gc removes them.")
        if tally["left"]:
            sys.exit(1)


def sentence(fault: Fault, *, mended: bool) -> str:
    """What is wrong, and what to do about it."""
    row = fault.row
    if mended:
        advice = "is made anew"
    elif fault.is_mendable:
        advice = "make it anew with --mend"
    else:
        advice = "restore it from a backup"
    name = f"{row.preset} of {row.original_id}" if isinstance(row, Rendition) else f"original {row.pk} ({row.name})"
    return f"{fault.what}: {name} at {row.key}; {advice}"
