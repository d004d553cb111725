"""A video cut into jobs, and the pieces that these leave for the step that joins them.

All of it is called inside `runner.changing`, which holds the run's row. Where `jobs` are asked for, they are all of
the run's, as they are now.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from processing import owed, pipelines, storage
from processing.facts import Part, Product
from processing.models import OPEN, Job, JobStatus, Run
from processing.pipelines import Step


def part_of(job: Job) -> Part | None:
    if job.plan is None:
        return None
    ranges = tuple((start, end) for start, end in job.plan["ranges"])
    return Part(**{**job.plan, "ranges": ranges})


def cut(run: Run, parts: Iterable[Part]) -> None:
    """A job for each of these parts, in each step that works by parts.

    One that has the same part already stays as it is, with its pieces; one that has another part
    begins anew; one without a part goes.
    """
    plans = {part.number: json.loads(json.dumps(asdict(part))) for part in parts}
    for step in pipelines.PIPELINES[run.kind]:
        if step.by_parts:
            cut_step(run, step, plans)


def cut_step(run: Run, step: Step, plans: Mapping[int, Any]) -> None:
    jobs = {job.part: job for job in run.jobs.filter(step=step.name)}
    changed = [job for job in jobs.values() if job.plan != plans.get(job.part)]
    drop(changed)
    for job in changed:
        if job.part in plans:
            plan_anew(job, plans[job.part])
        else:
            job.delete()
    Job.objects.bulk_create(
        Job(run=run, step=step.name, queue=step.queue, part=number, plan=plan)
        for number, plan in plans.items()
        if number not in jobs
    )


def plan_anew(job: Job, plan: Any) -> None:
    Job.objects.filter(pk=job.pk).update(plan=plan, work=None)
    job.owe_again()


def kept(job: Job) -> Sequence[Mapping[str, Any]]:
    """The pieces it has left, as `publishing.record` wrote them down."""
    return job.pieces or ()


def keys_of(job: Job) -> set[str]:
    return {piece["key"] for piece in kept(job)}


def keys_for(run: Run, step: Step) -> dict[str, list[tuple[str, int]]]:
    """The (key, bytes) of all that was left for this step, by the pieces' names, in the order of their parts."""
    found: dict[str, list[tuple[str, int]]] = {}
    for job in feeding(run, step.name).order_by("part", "pk"):
        for piece in kept(job):
            found.setdefault(piece["name"], []).append((piece["key"], piece["bytes"]))
    return found


def feeding(run: Run, step: str) -> Any:
    """The jobs that leave pieces for the step of this name."""
    return run.jobs.filter(step__in=pipelines.feeders(run.kind, step))


def drop(jobs: Iterable[Job]) -> None:
    """Keep the pieces of these no longer: no row knows them, and on commit the files go."""
    for job in jobs:
        for piece in kept(job):
            transaction.on_commit(lambda key=piece["key"]: storage.drop(key))  # type: ignore[misc]
        Job.objects.filter(pk=job.pk).update(pieces=None)
        job.pieces = None


def owe_plan(run: Run, jobs: Sequence[Job]) -> bool:
    """Owe the plan of the parts once more where a job waits for it in vain: in a run that is older than parts."""
    by_parts = [step for step in pipelines.PIPELINES[run.kind] if step.by_parts]
    unplanned = {job.step for job in jobs if job.status in OPEN and job.plan is None}
    needs = {need for step in by_parts if step.name in unplanned for need in step.needs}
    return sum(job.owe_again() for job in jobs if job.step in needs and job.status == JobStatus.SUCCEEDED) > 0


def owe_pieces(run: Run, jobs: Sequence[Job]) -> None:
    """Owe once more the pieces that a step which is still to be made needs, and that are not kept."""
    owing = {job.step for job in jobs if job.status in OPEN}
    for step in pipelines.PIPELINES[run.kind]:
        feeders = pipelines.feeders(run.kind, step.name)
        if feeders and step.name in owing and owed.missing(run)[step.name]:
            for job in jobs:
                if job.step in feeders and job.status == JobStatus.SUCCEEDED and not is_fed_by(run, job):
                    drop([job])
                    job.owe_again()


def is_fed_by(run: Run, job: Job) -> bool:
    """Whether it has left all that today's presets ask of it, and keeps it."""
    versions = {piece["name"]: piece["version"] for piece in kept(job)}
    told = owed.told(run, pipelines.step_named(run.kind, job.step))
    return job.pieces is not None and all(versions.get(preset.name, -1) >= preset.version for preset in told)


def check(run: Run, step: Step, product: Product) -> None:
    """Raises ValueError where a piece is missing that another step waits for: it would wait for ever."""
    if pipelines.leaves_pieces(run.kind, step):
        absent = {preset.name for preset in owed.told(run, step)} - {piece.name for piece in product.pieces}
        if absent:
            raise ValueError(f"{step.name} has left no {', '.join(sorted(absent))}")


def give_up(run: Run, jobs: Sequence[Job]) -> list[Job]:
    """Cancel what works for a step that cannot begin any more, because something it needs has failed; these jobs."""
    failed = {job.step for job in jobs if job.status == JobStatus.FAILED}
    lost = pipelines.pointless(run.kind, failed) if failed else set()
    vain = [job for job in jobs if job.step in lost and job.status in OPEN]
    return [job for job in vain if job.move(JobStatus.CANCELED, finished_at=Now(), held_at=None)]
