"""The promise under fire, in short: a seeded run on each database, and runs that lack a guard and must fail.

`make chaos` is the long form.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos import plans, running
from tests.chaos.controls import CONTROLS, play
from tests.chaos.stage import Stage, abilities, set_up
from tests.swift.store import Store

pytestmark = pytest.mark.e2e

SEED = 7
SHORT = {"uploads": 8, "faults": 14, "seconds": 12.0}


@pytest.fixture(scope="module", params=os.environ.get("CHAOS_CONTROLS", "sqlite").split(","))
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage for the controls: each looks at its own original alone."""
    with set_up(tmp_path_factory.mktemp("controls") / "data", request.param, "local") as stage:
        yield stage


@pytest.fixture(scope="module")
def alice(played: Stage) -> Iterator[httpx.Client]:
    with played.client("alice") as client:
        yield client


@pytest.mark.parametrize(("database", "storage"), [("sqlite", "local"), ("postgres", "s3")])
def test_chaos__everything_accepted_ends_and_is_made_once(tmp_path: Path, swift: Store, database: str, storage: str):
    plan = plans.make(SEED, database, storage, able=abilities(tmp_path), **SHORT)
    print(plan.text())  # noqa: T201 - to do it again: `python -m tests.chaos --plan FILE`
    with set_up(tmp_path / "data", database, storage, swift.with_new_bucket) as stage:
        report = running.run(stage, plan)
        report.violations += running.leave(stage)
        assert not report.violations, f"{report.violations}\n{stage.log()}"
    assert report.uploads >= SHORT["uploads"] // 2
    assert len(report.struck) >= SHORT["faults"] // 2, report.missed


@pytest.mark.parametrize("name", CONTROLS)
def test_control__without_its_guard_the_promise_is_broken(played: Stage, alice: httpx.Client, name: str):
    control = CONTROLS[name]
    broken = play(played, alice, control, guarded=False)
    assert {violation.name for violation in broken} == {control.fails_as}, broken


@pytest.mark.parametrize("name", {control.play: name for name, control in CONTROLS.items()}.values())
def test_control__with_its_guard_the_same_play_keeps_the_promise(played: Stage, alice: httpx.Client, name: str):
    assert play(played, alice, CONTROLS[name], guarded=True) == []
