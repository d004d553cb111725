"""What we do with each kind of original. Data, and pure functions of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from processing import presets
from processing.engines import images, videos
from processing.facts import Facts, Order, Product
from processing.presets import Preset


def nothing(facts: Facts) -> tuple[Preset, ...]:
    """The presets of a step that only measures."""
    return ()


@dataclass(frozen=True)
class Step:
    """One thing done to an original, by one function of an engine, on one queue.

    `needs` names the steps that must have succeeded before. `presets` says which files the step
    owes to an original with these facts. `weight` is its share of the run's progress.
    """

    name: str
    make: Callable[[Order], Product]
    queue: str
    needs: tuple[str, ...] = ()
    presets: Callable[[Facts], tuple[Preset, ...]] = nothing
    weight: float = 1


PIPELINES: Mapping[str, tuple[Step, ...]] = {
    "image": (
        Step("inspect", images.inspect, "images"),
        Step("thumbnails", images.render, "images", ("inspect",), presets.stills, weight=9),
    ),
    "video": (
        Step("inspect", videos.inspect, "videos"),
        Step("poster", videos.grab_poster, "videos", ("inspect",), presets.poster, weight=2),
        Step("ladder", videos.transcode, "videos", ("inspect",), presets.rungs, weight=97),
    ),
}
QUEUES = ("images", "videos", "default")


def step_named(kind: str, name: str) -> Step:
    """The step of that name in that kind's pipeline."""
    return next(step for step in PIPELINES[kind] if step.name == name)


def ready(kind: str, undone: Collection[str]) -> list[str]:
    """The undone steps that need no other undone one, in pipeline order."""
    return [step.name for step in PIPELINES[kind] if step.name in undone and not set(step.needs) & set(undone)]


def out_of_reach(kind: str, failed: Collection[str]) -> set[str]:
    """The failed steps, and those that can never begin because they need one of these."""
    lost = set(failed)
    for step in PIPELINES[kind]:  # in order: what a step needs stands before it
        if set(step.needs) & lost:
            lost.add(step.name)
    return lost


def progress(kind: str, fractions: Mapping[str, float]) -> float:
    """How far a run is, 0 to 1, from how far each of its steps is."""
    steps = PIPELINES[kind]
    total = sum(step.weight for step in steps)
    return sum(step.weight * fractions.get(step.name, 0) for step in steps) / total
