from pathlib import Path

from tests.chaos import plans
from tests.chaos.checking import Violation
from tests.chaos.running import Report, idle
from tests.chaos.table import Table


def report(seed: int, settled: float, waited: float, *violations: Violation) -> Report:
    return Report(plans.make(seed, "sqlite", "local"), list(violations), settled=settled, idle=waited)


def test_table__is_gone_on_with(tmp_path: Path):
    Table(tmp_path / "table").add(report(3, 10, 4))
    again = Table(tmp_path / "table")
    assert again.has(plans.make(3, "sqlite", "local"))
    assert not again.has(plans.make(3, "postgres", "local"))
    assert not again.has(plans.make(4, "sqlite", "local"))


def test_table__run_that_broke_a_promise_is_done_again(tmp_path: Path):
    Table(tmp_path / "table").add(report(3, 10, 4, Violation("lost", "a photo")))
    assert not Table(tmp_path / "table").has(plans.make(3, "sqlite", "local"))


def test_medians__are_of_each_runs_last_line(tmp_path: Path):
    table = Table(tmp_path / "table")
    for seed, settled, waited in ((1, 99, 99), (1, 10, 4), (2, 20, 6), (3, 30, 20)):
        table.add(report(seed, settled, waited))
    assert Table(tmp_path / "table").medians() == "median of 3 runs: settled after 20.0 s, 6.0 of them idle"


def test_idle__is_when_no_job_was_at_work():
    spans = [[90.0, 102.0], [101.0, 104.0], [110.0, 130.0], []]
    rows = {"originals": [{"jobs": [{"at_work": span} for span in spans]}]}
    assert idle(rows, 100.0, 120.0) == 6.0
