"""Waiting on a condition, never on the clock."""

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

Seen = TypeVar("Seen")


def until(condition: Callable[[], Seen], seconds: float = 20, every: float = 0.02) -> Seen:
    """What `condition` returns once that is true. Fails after `seconds`, saying what it saw last."""
    end = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < end, f"still {seen!r} after {seconds} s"
        time.sleep(every)
    return seen


def end(process: "subprocess.Popen[Any]", seconds: float = 20) -> None:
    """Ask the process to end, and see to it that it does."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
