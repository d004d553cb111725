"""What every contestant of the comparison does: orders in as lines of JSON, files and seconds out.

An order names a source, a folder, the sizes wanted (largest first), a format and a quality. One process
serves them all, as a worker would; time is that of the work alone, CPU that of all its threads.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Make = Callable[[dict[str, Any]], object]
Prepare = Callable[[dict[str, Any]], Any]


def serve(make: Make, prepare: Prepare | None = None) -> None:
    """Answer each order with the seconds that `make` took; what `prepare` does before does not count."""
    for line in sys.stdin:
        order = json.loads(line)
        if prepare:
            order["prepared"] = prepare(order)
        cpu, wall = time.process_time(), time.perf_counter()
        make(order)
        taken = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        sys.stdout.write(json.dumps(taken) + "\n")
        sys.stdout.flush()


def path_of(order: dict[str, Any], number: int) -> Path:
    """Where the file of this size goes; sharp.js says the same."""
    return Path(order["folder"]) / f"{number}.{order['format']}"
