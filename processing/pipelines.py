"""What we do with each kind of original. Data, and pure functions of it."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from processing import costs, presets
from processing.engines import (
    audio,
    cutting,
    drafts,
    images,
    ladder,
    packaging,
    previews,
    remuxing,
    storyboards,
    subtitles,
    videos,
)
from processing.engines.sandbox import sandboxed
from processing.facts import Facts, Order, Part, Product, Text
from processing.presets import Preset


def nothing(facts: Facts) -> tuple[Preset, ...]:
    """The presets of a step that only measures."""
    return ()


def draft_of(facts: Facts) -> tuple[Preset, ...]:
    """The rung that a film gets in haste, where that pays."""
    return presets.LADDER[:1] if drafts.pays(facts) else ()


@dataclass(frozen=True)
class Step:
    """One thing done to an original, by one function of an engine, on one queue.

    `needs` names the steps that must have succeeded before. `presets` says which files the step
    owes to an original with these facts. `weight` is its share of the run's progress.

    `work` says how much of it such an original, or a part of it, takes, in units of the step's own;
    `pace` is how many seconds a unit is taken to last until jobs have been measured. Where it may be little,
    `turn` is what a hand spends on any such job beside it, in the same units: the claim, the record of what was
    made, the way to the next. `memory` says how many bytes a job holds at its peak.

    A step `by_parts` is one job for each part that a video is cut into. `is_set` says that a step's
    files belong together: where one of them is missing or old, all are made again.

    A step that `works_for` another one works only while that one owes something, and is `told` of what
    it is to be; where the other one needs it, it leaves pieces for it. `is_hasty` work lets people see
    something sooner, and is left out where others wait in line. A step of pieces alone does without
    the original: it `reads_original` no more. An original `is_ready_without` an extra that cannot be made.
    A step `goes_first` that ends what much has been done for: before all that no editor has ranked.
    """

    name: str
    make: Callable[[Order], Product]
    queue: str
    needs: tuple[str, ...] = ()
    presets: Callable[[Facts], tuple[Preset, ...]] = nothing
    weight: float = 1
    by_parts: bool = False
    is_set: bool = False
    works_for: str = ""
    told: Callable[[Facts], tuple[Preset, ...]] = nothing
    is_hasty: bool = False
    reads_original: bool = True
    is_ready_without: bool = False
    goes_first: bool = False
    work: Callable[[Facts, Part | None], float] = costs.one
    pace: float = 1
    turn: float = 0
    memory: Callable[[Facts, Part | None], int] = costs.little

    def units(self, facts: Facts, part: Part | None) -> float:
        """All that such a job takes of a hand; 0 where there is nothing to do."""
        work = self.work(facts, part)
        return work + self.turn if work else 0.0


# Paces were fitted with `costs`, on one thread; the first jobs correct them (`estimates.Measure`). Turns are what jobs
# took beside their work, as the rows of a service said: 0.1 to 0.4 s, of two hands on each queue and two cores in all.
PIPELINES: Mapping[str, tuple[Step, ...]] = {
    "image": (
        Step("inspect", sandboxed(images.inspect), "images", pace=0.17),
        Step(
            "thumbnails",
            sandboxed(images.render),
            "images",
            ("inspect",),
            presets.image_files,
            weight=9,
            work=costs.pictures,
            pace=0.1,
            turn=3,
            memory=costs.picture_bytes,
        ),
    ),
    "video": (
        Step("inspect", videos.inspect, "videos", pace=0.17),
        # What people can watch or see soon goes first.
        Step(
            "source",
            remuxing.remux,
            "videos",
            ("inspect",),
            presets.source,
            work=costs.remuxing,
            pace=0.003,
            is_ready_without=True,
        ),
        Step(
            "draft",
            drafts.make_draft,
            "videos",
            ("inspect",),
            weight=2,
            work=costs.draft,
            pace=cutting.ENCODING,
            turn=15,
            works_for="package",
            told=draft_of,
            is_hasty=True,
            is_ready_without=True,
            memory=costs.film_bytes,
        ),
        Step(
            "poster",
            videos.grab_poster,
            "videos",
            ("inspect",),
            presets.poster,
            work=costs.stretch,
            pace=0.004,
            turn=12,
            memory=costs.film_bytes,
            is_ready_without=True,
        ),
        Step(
            "audio",
            audio.encode,
            "videos",
            ("inspect",),
            weight=2,
            work=costs.sound,
            pace=0.016,
            works_for="package",
            told=presets.sound,
        ),
        Step(
            "ladder",
            ladder.transcode,
            "videos",
            ("inspect",),
            weight=88,
            work=costs.ladder,
            pace=cutting.ENCODING,
            turn=15,
            by_parts=True,
            works_for="package",
            told=presets.rungs,
            memory=costs.ladder_bytes,
        ),
        Step(
            "package",
            packaging.package,
            "videos",
            ("inspect", "ladder", "audio"),
            presets.packages,
            weight=2,
            work=costs.packing,
            pace=0.013,
            turn=25,
            is_set=True,
            reads_original=False,
            goes_first=True,  # a second's work, behind which a film that is all but ready would wait for the next one's
        ),
        Step(
            "storyboard",
            storyboards.make,
            "videos",
            ("inspect",),
            presets.storyboard,
            work=costs.keyframes,
            pace=0.0022,
            turn=12,
            memory=costs.film_bytes,
            is_ready_without=True,
        ),
        Step(
            "preview",
            previews.make,
            "videos",
            ("inspect",),
            presets.preview,
            work=costs.preview,
            pace=0.005,
            turn=60,
            memory=costs.film_bytes,
            is_ready_without=True,
        ),
        Step(
            "subtitles",
            subtitles.extract,
            "videos",
            ("inspect",),
            presets.subtitles,
            work=costs.texts,
            pace=0.0015,
            is_ready_without=True,
        ),
    ),
}
QUEUES = ("images", "videos", "default")


def step_named(kind: str, name: str) -> Step:
    """The step of that name in that kind's pipeline."""
    return next(step for step in PIPELINES[kind] if step.name == name)


def extras(kind: str) -> set[str]:
    """The steps that an original is ready without, where they have failed."""
    return {step.name for step in PIPELINES[kind] if step.is_ready_without}


def ready(kind: str, undone: Collection[str]) -> list[str]:
    """The undone steps that need no other undone one, in pipeline order."""
    return [step.name for step in PIPELINES[kind] if step.name in undone and not set(step.needs) & set(undone)]


def first(kind: str) -> set[str]:
    """The steps that go before whatever has no rank."""
    return {step.name for step in PIPELINES[kind] if step.goes_first}


def out_of_reach(kind: str, failed: Collection[str]) -> set[str]:
    """The steps that can never begin, because they need a failed one, or another that cannot begin."""
    lost: set[str] = set()
    for step in PIPELINES[kind]:  # in order: what a step needs stands before it
        if set(step.needs) & (lost | set(failed)):
            lost.add(step.name)
    return lost


def pointless(kind: str, failed: Collection[str]) -> set[str]:
    """The steps that work for one that can never begin."""
    lost = out_of_reach(kind, failed)
    return {step.name for step in PIPELINES[kind] if step.works_for in lost}


def feeders(kind: str, name: str) -> set[str]:
    """The steps that leave pieces for the one of this name."""
    needed = step_named(kind, name).needs
    return {step.name for step in PIPELINES[kind] if step.works_for == name and step.name in needed}


def leaves_pieces(kind: str, step: Step) -> bool:
    """Whether another step waits for what this one makes."""
    return bool(step.works_for) and step.name in feeders(kind, step.works_for)


def progress(kind: str, fractions: Mapping[str, float]) -> float:
    """How far a run is, 0 to 1, from how far each of its steps is."""
    steps = PIPELINES[kind]
    total = sum(step.weight for step in steps)
    return sum(step.weight * fractions.get(step.name, 0) for step in steps) / total


# One original of each sort that presets tell apart: every power of two, still, moving, moving for long, and a
# film that can be copied and has subtitles.
SAMPLE_SIDES = tuple(1 << power for power in range(15))
FILM = {"format": "mov", "video_codec": "h264", "profile": "High", "audio_codec": "aac", "texts": (Text(2),)}
SAMPLES: tuple[Mapping[str, Any], ...] = ({"frames": 1}, {"frames": 2}, {"frames": 500}, FILM)
VERSION_LETTERS = 12


def samples(kind: str) -> Iterator[tuple[Step, tuple[Preset, ...]]]:
    """Each step, with what it owes to each sample of this kind."""
    facts = [
        Facts(**{"kind": kind, "format": "", "width": side, "height": side, **more})
        for side in SAMPLE_SIDES
        for more in SAMPLES
    ]
    return ((step, step.presets(sample)) for step in PIPELINES[kind] for sample in facts)


def preset_names(kind: str) -> list[str]:
    """The presets of this kind, in pipeline order."""
    return list(dict.fromkeys(preset.name for _, presets in samples(kind) for preset in presets))


def version(kind: str) -> str:
    """What this kind is owed today, as a short text: another one as soon as a step, preset or version changes."""
    owed = [[step.name, [(preset.name, preset.version) for preset in presets]] for step, presets in samples(kind)]
    return hashlib.sha256(json.dumps(owed).encode()).hexdigest()[:VERSION_LETTERS]
