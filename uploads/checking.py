"""Rows against storage: is every file that a row speaks of there, and as it was written?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from processing import runner, storage
from processing.models import Rendition
from uploads.models import Original

Row = Original | Rendition


@dataclass(frozen=True)
class Fault:
    """A row whose file is `missing`, or `corrupt`: of another size, or of other bytes."""

    what: str
    row: Row

    @property
    def is_mendable(self) -> bool:
        """Whether the original can make it anew."""
        return isinstance(self.row, Rendition)


def rows() -> Iterator[Row]:
    """Every row that has a file: originals first, because a rendition is mended from one."""
    yield from Original.objects.order_by("pk").iterator()
    yield from Rendition.objects.order_by("pk").iterator()


def count() -> int:
    return Original.objects.count() + Rendition.objects.count()


def look(row: Row, *, quick: bool) -> Fault | None:
    """What is wrong with the row's file, now. `quick` goes by its size alone, and reads nothing.

    A row that is gone or has changed meanwhile (deleted, made again) is no fault.
    """
    what = fault_of(row, quick=quick)
    return Fault(what, row) if what and is_still_there(row) else None


def is_still_there(row: Row) -> bool:
    table: Any = type(row).objects
    return bool(table.filter(pk=row.pk, key=row.key).exists())


def fault_of(row: Row, *, quick: bool) -> str:
    size = storage.size(row.key)
    if size is None:
        return "missing"
    if size != row.bytes or not (quick or storage.sha256(row.key) == row.sha256):
        return "corrupt"
    return ""


def mend(fault: Fault) -> bool:
    """Let a rendition be made anew; False for an original: that one comes from a backup."""
    if not isinstance(fault.row, Rendition):
        return False
    return runner.replace_file(fault.row) > 0
