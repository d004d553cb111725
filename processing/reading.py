"""Letting a step work on an original, and believing what it says against the file only where our disk has served.

A file that we have cut short, or cannot read to its end, looks damaged to whoever reads it. Nobody is told to
upload a fresh copy for that, and nothing is left out for it: the job fails by a fault of ours, and comes again.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from processing import publishing, storage
from processing.engines import disk, traces
from processing.errors import MediaError
from processing.facts import Order, Product
from processing.pipelines import Step
from processing.storage import Damaged, OnBytes

log = logging.getLogger(__name__)


def carry_out(step: Step, order: Order, original: Any, on_bytes: OnBytes) -> Product:
    """Let the step work on the original's file; of a part, on its bytes alone, and on all if these will not do.

    Raises what the step does, and Damaged or OSError in place of a MediaError that is our fault.
    """
    if not step.reads_original:
        return step.make(order)
    ranges = () if storage.is_local() or order.part is None else order.part.ranges
    if ranges:
        try:
            with storage.fetched(original.key, order.folder, ranges, on_bytes) as source:
                return step.make(replace(order, source=source))
        except MediaError as error:
            log.warning("%s is read whole, because the part's bytes would not do: %s", original.key, error)
    with storage.fetched(original.key, order.folder, (), on_bytes) as source:
        return make_of(step, replace(order, source=source), original)


def make_of(step: Step, order: Order, original: Any) -> Product:
    """What the step makes of the whole file; looked through where the step has trouble with it."""
    if (found := order.source.stat().st_size) != original.bytes:
        raise Damaged(f"{original.key} has {found} bytes of {original.bytes}")
    try:
        product = step.make(order)
    except MediaError as error:
        look_through(order.source, original)
        if not disk.UNREAD.search(traces.said()):
            raise
        log.warning("%s can be read now, and is tried once more: %s", original.key, error)
    else:
        if not disk.UNREAD.search(traces.said()):
            return product
        look_through(order.source, original)
    return step.make(order)  # what was made before may be less than there is; now only the file can be at fault


def look_through(source: Path, original: Any) -> None:
    """Read the file to its end. Raises Damaged if it is another than was kept, OSError where the disk fails."""
    if publishing.sha256_of(source) != original.sha256:
        raise Damaged(f"{original.key} is not what was kept under it")
