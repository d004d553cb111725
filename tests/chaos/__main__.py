"""`python -m tests.chaos`: chaos runs, one after the other, and a line of a table for each.

`--seeds 1-10 --databases sqlite,postgres`, or `--plan FILE` to do again what a run has printed.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import tests.environment  # noqa: F401 - the folder of our own settings
from tests.chaos import plans, running
from tests.chaos.plans import Plan
from tests.chaos.stage import abilities, set_up
from tests.chaos.table import Table
from tests.swift import server

SEEDS = range(1, 11)


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and take the stage down
    table = Table(args.table)
    print(running.HEAD, flush=True)  # noqa: T201
    plans_left = (plan for plan in planned(args) if args.plan or not table.has(plan))
    broken = sum([not one(plan, table, args.keep) for plan in plans_left])
    print(table.medians(), flush=True)  # noqa: T201
    return int(broken > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default=f"{SEEDS[0]}-{SEEDS[-1]}")
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--storage", choices=("local", "s3"), help="default: by the seed, local where it is odd")
    parser.add_argument("--plan", type=Path, help="a plan that was printed")
    parser.add_argument("--uploads", type=int, default=12)
    parser.add_argument("--faults", type=int, default=32)
    parser.add_argument("--table", type=Path, help="a file to add lines to; runs with a clean one are left out")
    parser.add_argument("--keep", action="store_true", help="leave a run's folder where it is, with its logs")
    return parser.parse_args()


def planned(args: argparse.Namespace) -> Iterator[Plan]:
    if args.plan:
        yield Plan.read(args.plan.read_text())
        return
    first, _, last = args.seeds.partition("-")
    with tempfile.TemporaryDirectory() as folder:
        able = abilities(Path(folder))
    for seed in range(int(first), int(last or first) + 1):
        for database in args.databases.split(","):
            storage = args.storage or ("local" if seed % 2 else "s3")
            yield plans.make(seed, database, storage, uploads=args.uploads, faults=args.faults, able=able)


def one(plan: Plan, table: Table, keep: bool) -> bool:
    """One run; whether it kept every promise."""
    print(plan.text(), file=sys.stderr, flush=True)  # noqa: T201
    with ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-{plan.database}-")
        store = stack.enter_context(server.running()) if plan.storage == "s3" else None
        stage = stack.enter_context(
            set_up(Path(folder, "data"), plan.database, plan.storage, store and store.with_new_bucket)
        )
        report = running.run(stage, plan)
        report.violations += running.leave(stage)
    print(report.line(), flush=True)  # noqa: T201
    for violation in report.violations:
        print(f"  {violation}", flush=True)  # noqa: T201
    met = f"senders met {sorted(set(report.answers))}"
    print(f"  missed: {report.missed}; {met}; {folder}", file=sys.stderr)  # noqa: T201
    table.add(report)
    return not report.violations


if __name__ == "__main__":
    sys.exit(main())
