"""What the children of a job leave to be looked at: their commands, their last words, and what they took."""

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any

MOST = 6  # children that are shown of a job, those that took longest: a poster may have nine, a storyboard fifty
LONGEST = 4000  # characters of a command: a ladder of four rungs has 2500


@dataclass
class Trace:
    """One child. `status` is its exit status, None while it runs; `cpu` in seconds, `memory` its most bytes."""

    command: str
    status: int | None = None
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    said: str = ""
    began: float = field(default_factory=time.monotonic)

    def saw(self, memory: int, said: str) -> None:
        """How far it has come: what it holds and has said by now."""
        self.seconds = time.monotonic() - self.began
        self.memory = max(self.memory, memory)
        self.said = said

    def ended(self, status: int, cpu: float) -> None:
        self.seconds = time.monotonic() - self.began
        self.status, self.cpu = status, cpu


@dataclass
class Traces:
    """All children of a job, in the order in which they began; and what this process does meanwhile."""

    children: list[Trace] = field(default_factory=list)
    began: float = field(default_factory=time.process_time)

    def as_data(self) -> dict[str, Any]:
        """Of all of them what they took, and of the MOST that took longest everything; the last one is always there."""
        numbered = list(enumerate(self.children))
        longest = sorted(numbered[:-1], key=lambda item: item[1].seconds)[1 - MOST :]
        return {
            "cpu": round(time.process_time() - self.began + sum(trace.cpu for _, trace in numbered), 2),
            "memory": max((trace.memory for _, trace in numbered), default=0),
            "children": len(numbered),
            "commands": [shown(trace) for _, trace in sorted(longest + numbered[-1:], key=itemgetter(0))],
        }


def shown(trace: Trace) -> dict[str, Any]:
    told = asdict(trace) | {"seconds": round(trace.seconds, 2), "cpu": round(trace.cpu, 2)}
    del told["began"]
    return told


KEPT: ContextVar[Traces | None] = ContextVar("kept", default=None)


@contextmanager
def kept() -> Iterator[Traces]:
    """The traces of every child that this thread runs meanwhile."""
    found = Traces()
    token = KEPT.set(found)
    try:
        yield found
    finally:
        KEPT.reset(token)


def said() -> str:
    """The last words of all children so far whose traces this thread keeps."""
    found = KEPT.get()
    return "\n".join(trace.said for trace in found.children) if found else ""


def begin(command: Sequence[str]) -> Trace:
    """The trace of a child that begins; kept where anybody asked for it."""
    trace = Trace(shlex.join(command)[:LONGEST])
    found = KEPT.get()
    if found is not None:
        found.children.append(trace)
    return trace
