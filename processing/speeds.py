"""Measures of what steps take, kept in rows and corrected by every job that ends well."""

from processing import hands, owed, parts, pipelines
from processing.estimates import Measure
from processing.models import Job, Run, Speed


def learn(job: Job) -> None:
    """Correct the measure of this job's step. Call it last in the transaction of its success.

    What counts are seconds of a core (`hands.cost`): one that shared two cores with three others took half of its time.
    The row is held until the commit: who waits for it holds the row of a run that nobody here wants.
    """
    work, seconds = job.work or work_of(job.run, job), hands.cost(job)
    if not (work and seconds):
        return
    known = Speed.objects.select_for_update().filter(queue=job.queue, step=job.step).first()
    old = Measure(known.pace, known.work, known.jobs) if known else guess(job, work)
    new = old.corrected(work, seconds)
    values = {"pace": new.pace, "work": new.work, "jobs": new.jobs}
    if known:
        Speed.objects.filter(pk=known.pk).update(**values)
    else:  # two may be the first
        Speed.objects.update_or_create(queue=job.queue, step=job.step, defaults=values)


def guess(job: Job, work: float) -> Measure:
    """What the pipeline says of a step that has never been measured."""
    return Measure(pipelines.step_named(job.run.kind, job.step).pace, work)


def measured() -> dict[tuple[str, str], Measure]:
    """The measure of every step, by (queue, step): measured, or as the pipeline guesses."""
    steps = [step for kind in pipelines.PIPELINES.values() for step in kind]
    guesses = {(step.queue, step.name): Measure(step.pace, 1) for step in steps}
    rows = Speed.objects.all()
    return guesses | {(row.queue, row.step): Measure(row.pace, row.work, row.jobs) for row in rows}


def work_of(run: Run, job: Job) -> float | None:
    """How much work the job is; None where nobody has measured its original yet, or knows its step any longer."""
    facts = owed.facts_of(run.original)
    steps = {step.name: step for step in pipelines.PIPELINES[run.kind]}
    return steps[job.step].units(facts, parts.part_of(job)) if facts and job.step in steps else None
