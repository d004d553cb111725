"""What hostile and odd images cost: seconds and memory of each, through the sandbox, as a worker does it.

    python -m tests.benchmarks.images.limits FOLDER [PATTERN]

Memory is the resident sets of this process, the sandbox and its job, summed every 5 ms: pages that they
share count twice, so it is never less than what a container is charged.
"""

import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from processing.engines.sandbox import EngineFailed, Pool
from processing.errors import MediaError
from processing.facts import Order
from processing.presets import image_files

NAMES = ("processing.engines.images:inspect", "processing.engines.images:render")
EVERY = 0.005  # seconds


class Watch(threading.Thread):
    """The most memory that this process and all below it had together, since it was last asked."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.me = psutil.Process()
        self.peak = 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, sum(map(resident, [self.me, *self.me.children(recursive=True)])))
            time.sleep(EVERY)

    def taken(self) -> int:
        """In MiB; and begin anew."""
        peak, self.peak = self.peak, 0
        return peak >> 20


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@dataclass(frozen=True)
class Outcome:
    """`ended` is "ready", the code of a refusal, or "internal" for a failure of ours."""

    name: str
    ended: str
    seconds: float
    mib: int


def measure(pool: Pool, source: Path, watch: Watch) -> Outcome:
    started = time.perf_counter()
    ended = "ready"
    watch.taken()
    with tempfile.TemporaryDirectory() as folder:
        order = Order(source, Path(folder))
        try:
            facts = pool.make(NAMES[0], order).facts
            assert facts
            pool.make(NAMES[1], replace(order, facts=facts, presets=image_files(facts)))
        except MediaError as error:
            ended = error.code
        except EngineFailed as error:
            ended = f"internal: {error}"
    return Outcome(source.name, ended, round(time.perf_counter() - started, 2), watch.taken())


def main() -> None:
    sources = sorted(Path(sys.argv[1]).glob(sys.argv[2] if len(sys.argv) > 2 else "*"))
    watch = Watch()
    watch.start()
    pool = Pool(NAMES)
    outcomes = [measure(pool, source, watch) for source in sources]
    for each in outcomes:
        print(f"{each.name[:60]:60} {each.ended:20} {each.seconds:6.2f} s {each.mib:5d} MiB")  # noqa: T201
    print(json.dumps([asdict(each) for each in outcomes]))  # noqa: T201


if __name__ == "__main__":
    main()
