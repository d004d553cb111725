"""Loaded by a Python whose clock is libfaketime's: it mistakes an absolute time of the monotonic clock for a faked one.

Python sleeps until such a time, and got EINVAL; to wait for nothing takes a span.
"""

import select
import time


def sleep(seconds: float) -> None:
    select.select((), (), (), max(0, seconds))


time.sleep = sleep
