"""The faults that a chaos run knows, as data: how often, how long, what they need, and what they do to the stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Victims = Any  # what a fault has struck, for its end to mend
Stage = Any


def nothing(stage: Stage, victims: Victims) -> None:
    """A fault that is over as soon as it has struck."""


@dataclass(frozen=True)
class Fault:
    """`strike(stage, number)` gives what it struck, or nothing where there was nobody; `mend` undoes it later.

    `needs`: the databases, storages and abilities of a machine without which it cannot be.
    """

    weight: int
    strike: Callable[[Stage, int], Victims]
    lasts: tuple[float, float] = (0, 0)
    mend: Callable[[Stage, Victims], None] = nothing
    needs: str = ""


def killing(role: str) -> Callable[[Stage, int], Victims]:
    return lambda stage, number: stage.kill_one(role, number)


def freezing(role: str) -> Callable[[Stage, int], Victims]:
    return lambda stage, number: stage.freeze(role, number)


def thaw(stage: Stage, victims: Victims) -> None:
    stage.thaw(victims)


def store(state: str) -> Fault:
    return Fault(2, lambda stage, _: stage.store_line.be(state), (0.5, 4), lambda stage, _: stage.store_line.be(), "s3")


def receiver(state: str) -> Fault:
    return Fault(1, lambda stage, _: stage.receiver.be(state), (0.5, 6), lambda stage, _: stage.receiver.be())


def full(folder: str) -> Fault:
    return Fault(
        2,
        lambda stage, _: stage.fill(folder),
        (0.5, 4),
        lambda stage, _: stage.empty(folder),
        "mounts" if folder == "scratch" else "mounts local",
    )


LONGER_THAN_A_LEASE = (5.0, 9.0)  # the run's leases last four seconds

FAULTS = {
    "kill_pool_child": Fault(4, killing("pool child")),
    "kill_worker": Fault(3, killing("worker")),
    "kill_beat": Fault(1, killing("beat")),
    "kill_web": Fault(3, killing("web")),
    "kill_ffmpeg": Fault(4, killing("ffmpeg")),
    "kill_decoder": Fault(3, killing("decoder")),
    "end_worker": Fault(2, lambda stage, number: stage.terminate("worker", number)),
    "freeze_worker": Fault(2, freezing("worker"), LONGER_THAN_A_LEASE, thaw),
    "freeze_pool_child": Fault(3, freezing("pool child"), LONGER_THAN_A_LEASE, thaw),
    "kill_broker": Fault(2, killing("broker")),
    "freeze_broker": Fault(2, freezing("broker"), (1, 7), thaw),
    "flush_broker": Fault(2, lambda stage, _: stage.flush()),
    "kill_database": Fault(
        3, lambda stage, _: stage.cluster.end_at_once(), (0.2, 4), lambda stage, _: stage.cluster.start(), "postgres"
    ),
    "store_gone": store("gone"),
    "store_slow": store("slow"),
    "store_failing": store("failing"),
    "store_busy": store("busy"),
    "store_cutting": store("cutting"),
    "full_scratch": full("scratch"),
    "full_storage": full("media"),
    "receiver_failing": receiver("failing"),
    "receiver_gone": receiver("gone"),
    "lose_rings": Fault(
        2, lambda stage, _: stage.switch("rings"), (0.5, 4), lambda stage, _: stage.switch("rings", on=False)
    ),
    "send_twice": Fault(2, lambda stage, number: stage.send_twice(number)),
    "send_stale": Fault(2, lambda stage, number: stage.send_stale(number)),
    "jump_clock": Fault(
        2, lambda stage, number: stage.jump(number), (1, 6), lambda stage, _: stage.jump(None), "faketime"
    ),
}
