"""What happens in a chaos run, and when: made from a seed, printed, and done again from what was printed."""

import json
import random
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.media import MEDIA

WAYS = {"multipart": 4, "tus": 5, "left": 1}  # how a file is sent; `left`: by tus, half of it, and never gone on with
SECONDS = 30.0  # in which uploads stream in and faults strike
OWNERS = ("alice", "bob")


@dataclass(frozen=True)
class Sending:
    """A file that is sent: when, what, how, and over how many seconds."""

    at: float
    medium: str
    way: str
    owner: str
    takes: float


@dataclass(frozen=True)
class Strike:
    """A fault that strikes: when, how long, and a number that says whom."""

    at: float
    fault: str
    lasts: float
    number: int


@dataclass(frozen=True)
class Plan:
    seed: int
    database: str
    storage: str
    sendings: tuple[Sending, ...]
    strikes: tuple[Strike, ...]

    def text(self) -> str:
        """A line of JSON, from which `read` makes the plan again."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Plan":
        said: dict[str, Any] = json.loads(text)
        said["sendings"] = tuple(Sending(**item) for item in said["sendings"])
        said["strikes"] = tuple(Strike(**item) for item in said["strikes"])
        return cls(**said)


def make(
    seed: int,
    database: str = "sqlite",
    storage: str = "local",
    *,
    uploads: int = 12,
    faults: int = 28,
    seconds: float = SECONDS,
    able: Collection[str] = (),
) -> Plan:
    """The plan of this seed. `able`: what this machine can do besides, see `Fault.needs`."""
    dice = random.Random(f"{seed} {database} {storage}")  # noqa: S311
    has = {database, storage, *able}
    fitting = {name: fault for name, fault in FAULTS.items() if set(fault.needs.split()) <= has}
    sendings = [a_sending(dice, seconds) for _ in range(uploads)]
    strikes = [a_strike(dice, fitting, seconds) for _ in range(faults)]
    return Plan(seed, database, storage, in_order(sendings), in_order(strikes))


def a_sending(dice: random.Random, seconds: float) -> Sending:
    return Sending(
        at=round(dice.uniform(0, seconds * 0.8), 2),
        medium=drawn(dice, {name: medium.weight for name, medium in MEDIA.items()}),
        way=drawn(dice, WAYS),
        owner=dice.choice(OWNERS),
        takes=round(dice.uniform(0.1, 4), 2),
    )


def a_strike(dice: random.Random, faults: Mapping[str, Fault], seconds: float) -> Strike:
    name = drawn(dice, {name: fault.weight for name, fault in faults.items()})
    at, lasts = dice.uniform(0.5, seconds), dice.uniform(*faults[name].lasts)
    return Strike(round(at, 2), name, round(lasts, 2), dice.randrange(1000))


def drawn(dice: random.Random, weights: Mapping[str, int]) -> str:
    return dice.choices([*weights], [*weights.values()])[0]


def in_order(items: Any) -> Any:
    return tuple(sorted(items, key=lambda item: item.at))
