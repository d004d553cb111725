"""Wanted minus done: the files an original's pipeline owes it, against the renditions there are."""

from collections.abc import Collection, Mapping
from typing import Any

from processing import pipelines
from processing.facts import Facts
from processing.models import JobStatus, Run
from processing.pipelines import Step
from processing.presets import Preset

OUTDATED = 0  # the version of a rendition somebody wants made again: older than any preset's


def facts_of(original: Any) -> Facts | None:
    return Facts(**original.facts) if original.facts else None


def wanted(run: Run) -> dict[str, tuple[Preset, ...]]:
    """What each step owes to this original; nothing, as long as nobody has measured it."""
    facts = facts_of(run.original)
    return {step.name: step.presets(facts) if facts else () for step in pipelines.PIPELINES[run.kind]}


def missing(run: Run) -> dict[str, tuple[Preset, ...]]:
    """What of this is not there in today's version, for each step; all of a set that is not whole."""
    done = set(run.original.renditions.filter(name="").values_list("preset", "version"))
    gaps = {
        step: tuple(preset for preset in presets if (preset.name, preset.version) not in done)
        for step, presets in wanted(run).items()
    }
    sets = {step.name for step in pipelines.PIPELINES[run.kind] if step.is_set}
    return {step: wanted(run)[step] if step in sets and gap else gap for step, gap in gaps.items()}


def to_make(run: Run, step: Step) -> tuple[Preset, ...] | None:
    """The presets of an order for this step; None where there is nothing to do."""
    gaps = missing(run)
    presets = gaps[step.name] + told(run, step)
    has_presets = not (step.presets is step.told is pipelines.nothing)
    if (has_presets and not presets) or (step.works_for and not gaps[step.works_for]):
        return None
    return presets


def told(run: Run, step: Step) -> tuple[Preset, ...]:
    """What another step owes, and this one works on."""
    facts = facts_of(run.original)
    return step.told(facts) if facts else ()


def outdate(run: Run, names: Collection[str]) -> set[str]:
    """Call the renditions of these presets too old, and leave them to be seen; the steps that owe them again."""
    fresh = run.original.renditions.filter(preset__in=names, version__gt=OUTDATED)
    outdated = set(fresh.values_list("preset", flat=True))
    fresh.update(version=OUTDATED)
    return steps_owing(wanted(run), outdated)


def steps_owing(presets: Mapping[str, Collection[Preset]], names: Collection[str]) -> set[str]:
    """The steps that have one of these names among their presets."""
    return {step for step, owed in presets.items() if {preset.name for preset in owed} & set(names)}


def is_all_there(run: Run) -> bool:
    """Whether there is nothing that today's pipeline would still do: no step, no file but those of failed extras."""
    steps = {step.name for step in pipelines.PIPELINES[run.kind]}
    if not steps <= set(run.jobs.values_list("step", flat=True)):
        return False
    given_up = set(failed_extras(run).values_list("step", flat=True))
    return not any(gap for step, gap in missing(run).items() if step not in given_up)


def failed_extras(run: Run) -> Any:
    """The jobs that failed and that the original is ready without."""
    return run.jobs.filter(status=JobStatus.FAILED, step__in=pipelines.extras(run.kind))


def unwanted(run: Run) -> Any:
    """The renditions whose preset no step of today owes to this original."""
    renditions = run.original.renditions.all()
    if not run.original.facts:
        return renditions.none()
    return renditions.exclude(preset__in=names_of(wanted(run)))


def names_of(presets: Mapping[str, Collection[Preset]]) -> set[str]:
    return {preset.name for owed in presets.values() for preset in owed}
