from tests.chaos import plans
from tests.chaos.__main__ import SEEDS
from tests.chaos.faults import FAULTS
from tests.chaos.plans import Plan

ABLE = ("mounts", "faketime")


def test_make__same_seed_is_the_same_plan():
    assert plans.make(3, able=ABLE) == plans.make(3, able=ABLE)
    assert plans.make(3, able=ABLE) != plans.make(4, able=ABLE)


def test_read__what_was_printed_is_the_plan():
    plan = plans.make(3, "postgres", "s3", able=ABLE)
    assert Plan.read(plan.text()) == plan


def test_make__strikes_only_what_is_there():
    struck = {strike.fault for strike in plans.make(3, "sqlite", "local", faults=500).strikes}
    assert struck == {name for name, fault in FAULTS.items() if not fault.needs}


def test_seeds__strike_with_every_fault_there_is():
    kinds = [(database, storage) for database in ("sqlite", "postgres") for storage in ("local", "s3")]
    made = [plans.make(seed, *kind, able=ABLE) for seed in SEEDS for kind in kinds]
    assert {strike.fault for plan in made for strike in plan.strikes} == set(FAULTS)
