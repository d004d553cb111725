"""What is left of a process that dies at a job: its log, Python's own word on a fatal signal, its memory.

In files of the attempt's scratch folder, which nobody clears before the lease has run out, because a
process that is killed can tell nobody anything.
"""

import faulthandler
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings

from processing.engines.kernel import killings
from processing.models import Job

WORDS, MEMORY = "last-words", "memory"
LINES = 20  # of a Python stack and the log before it; a row holds four kilobytes of them
MIB = 1 << 20


def folder_name(job: Job) -> str:
    return f"job-{job.pk}-{job.attempt}"


@contextmanager
def kept(folder: Path) -> Iterator[Callable[[], None]]:
    """Keep them in this folder while this is open. Call what is given from time to time: it notes the memory."""
    with (folder / WORDS).open("w") as words, (folder / MEMORY).open("w") as memory:
        handler = logging.StreamHandler(words)
        logging.getLogger().addHandler(handler)
        if is_first := not faulthandler.is_enabled():
            faulthandler.enable(words)
        note = partial(note_memory, memory, killings())
        note()
        try:
            yield note
        finally:
            if is_first:
                faulthandler.disable()
            logging.getLogger().removeHandler(handler)


def note_memory(file: TextIO, killings_before: int) -> None:
    """What this process and its children hold, and how often the kernel had killed for want of memory before."""
    with suppress(OSError, ValueError):  # a full disk; a job that has just ended
        file.seek(0)
        file.write(f"{held():<20} {killings_before:<20}")
        file.flush()


def evidence(job: Job, end: str) -> dict[str, Any]:
    """What is known of a dead attempt, in a form that a row can hold. `end`: how its process ended, as far as known."""
    found: dict[str, Any] = {
        "worker": job.worker,
        "attempt": job.attempt,
        "end": end,
        "memory": {"stated": job.memory // MIB},
        "lines": [],
        "out_of_memory": False,
    }
    for folder in settings.SCRATCH.glob(f"{folder_name(job)}.*"):
        with suppress(OSError, ValueError):
            bytes_held, killings_before = map(int, (folder / MEMORY).read_text().split())
            found["memory"]["held"] = bytes_held // MIB
            found["out_of_memory"] = killings() > killings_before
        with suppress(OSError), (folder / WORDS).open(errors="replace") as file:
            found["lines"] = [line.rstrip()[:200] for line in deque(file, LINES)]
    return found


def held(pid: int | None = None) -> int:
    """Bytes in memory of this process and of all below it."""
    folder = Path(f"/proc/{pid or os.getpid()}")
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = [child for task in folder.glob("task/*/children") for child in task.read_text().split()]
    except OSError:  # it has ended meanwhile
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(held(int(child)) for child in children)
