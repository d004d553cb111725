"""Bring an original's jobs and renditions in line with its pipeline, whatever dies on the way.

Rows are the truth, messages are doorbells: a change of jobs works out what is owed next and rings
for it; `run` answers a ring; `sweeping` rings again where a ring was lost. Everything here may be
called twice, at any time, by anybody.
"""

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from processing import (
    doorbells,
    events,
    hands,
    idle,
    last_words,
    lines,
    memory,
    owed,
    parts,
    pipelines,
    publishing,
    reading,
    speeds,
    storage,
    summary,
)
from processing.engines import traces
from processing.engines.traces import Traces
from processing.errors import MediaError
from processing.facts import Order, Product
from processing.heartbeat import Heartbeat, JobLost
from processing.models import NO_WAY_ON, OPEN, Job, JobStatus, Rendition, Run
from processing.outages import is_outage
from processing.pipelines import Step
from processing.presets import Preset

log = logging.getLogger(__name__)

ERRORS_ALLOWED = 5  # tries when the fault is ours: the backoff below makes that half a minute
BACKOFF = timedelta(seconds=2)  # before the second try; doubled for each later one
# A store or a disk out of service is no job's error. After a day of it, which is 2880 tries, it is counted
# as one all the same: perhaps it is this job that fills the disk.
OUTAGES_ALLOWED = 2880
OUTAGE_PAUSE = timedelta(seconds=30)


def start(original: Any) -> Run:
    """Owe an original everything its kind gets. Call it in the transaction that keeps the original."""
    with transaction.atomic(savepoint=False):
        run = Run.objects.create(original=original, kind=original.kind)
        run.first_jobs = owe(run, pipelines.PIPELINES[run.kind])
        go_on(run, run.first_jobs)
    return run


def owe_steps(run: Run) -> int:
    """A job for each step of the pipeline that the run has none of; how many."""
    have = set(run.jobs.values_list("step", flat=True))
    return len(owe(run, [step for step in pipelines.PIPELINES[run.kind] if step.name not in have]))


def owe(run: Run, steps: Iterable[Step]) -> list[Job]:
    new = [Job(run=run, step=step.name, queue=step.queue) for step in steps]
    for job in new:
        lines.say(run, job)
    return list(Job.objects.bulk_create(new))


def advance(run_id: int) -> None:
    """Queue what is ready and sum the run up; nothing, if that is done already or the run is gone."""
    with suppress(Run.DoesNotExist), changing(run_id):
        pass


@contextmanager
def changing(run_id: int) -> Iterator[Run]:
    """Change jobs of a run in here, and nowhere else.

    The run's row is held first (one order of locks everywhere), what has become ready is queued and
    the run summed up in the same transaction, and on commit the bells are rung and the pages told.
    """
    with transaction.atomic():
        run = Run.locked(run_id)
        yield run
        go_on(run, jobs_of(run))


def jobs_of(run: Run) -> list[Job]:
    return list(run.jobs.order_by("part", "pk"))


def go_on(run: Run, jobs: Sequence[Job]) -> None:
    """`jobs` are all of the run's, read once: the run's lock keeps them as they are."""
    if run.cancel_wish:
        cancel_open(run, jobs)
    else:
        for job in parts.give_up(run, jobs):
            let_in_after(job)
        parts.owe_pieces(run, jobs)
        if parts.owe_plan(run, jobs) and owe_steps(run):
            jobs = jobs_of(run)
        queue_ready(run, jobs)
    if summary.write(run, jobs):
        publishing.withdraw(owed.unwanted(run))
    transaction.on_commit(lambda: events.tell(run))


def queue_ready(run: Run, jobs: Sequence[Job]) -> None:
    """Queue what could begin, as far as its owner's window goes; the rest is held until others of it are begun."""
    lines.describe(run, jobs)
    idle.end(run, jobs)
    names = pipelines.ready(run.kind, idle.undone(jobs))
    for job in jobs:
        if job.status in {JobStatus.QUEUED, JobStatus.RUNNING} and job.step not in names:
            job.move(JobStatus.WAITING)  # what it needs is owed again
    lines.leave([job for job in jobs if job.is_held and job.step not in names])
    late = set(run.jobs.late().values_list("pk", flat=True)) if any(job.not_before for job in jobs) else set()
    waiting = [job for job in jobs if job.status == JobStatus.WAITING and job.pk not in late]
    ready = sorted((job for job in waiting if job.step in names), key=lambda job: names.index(job.step))
    admitted = lines.admitted(run, ready)
    ring(run, [job for job in admitted if job.move(JobStatus.QUEUED, **lines.LISTED)])
    if lines.may_have_moved():
        for job in ready:
            if job not in admitted and job.held_at is None:  # room may have come while nobody could see it held
                let_in_after(job)


def ring(run: Run, jobs: list[Job]) -> None:
    if jobs:
        transaction.on_commit(lambda: doorbells.ring(run.pk, jobs))
    if ranked := {job.pk for job in jobs if job.rank < 0}:
        transaction.on_commit(lambda: doorbells.move_to_front(ranked))


def cancel_open(run: Run, jobs: Iterable[Job]) -> None:
    """Nothing is left of a canceled run but what has been published."""
    for job in jobs:
        if job.status in OPEN:
            job.move(JobStatus.CANCELED, finished_at=Now(), held_at=None)
            let_in_after(job)
    parts.drop(job for job in jobs if job.pieces is not None)


def cancel(run_id: int) -> None:
    """Stop a run: what waits is dropped, and who is at work learns it by the next heartbeat."""
    with changing(run_id) as run:
        run.cancel_wish = True


def retry(run_id: int) -> int:
    """Owe again whatever has failed or was canceled, with all its tries; how many jobs."""
    with changing(run_id) as run:
        return take_up(run)


def take_up(run: Run) -> int:
    run.cancel_wish = False
    return owe_again(run.jobs.filter(status__in=NO_WAY_ON))


def owe_again(jobs: Iterable[Job]) -> int:
    """Let these wait once more, with all their tries; a worker that holds one loses it. How many."""
    return sum(job.owe_again() for job in jobs)


def reprocess(run_id: int, again: Collection[str] = (), *, others: bool = True) -> int:
    """Owe what today's pipeline wants and is not there; how many jobs that takes.

    `again` names presets to be made whatever is there; without `others` it is about these alone. What
    is there stays to be seen until its successor is, and goes when the run is ready without it.
    """
    with changing(run_id) as run:
        return renew_files(run, again, others=others)


def make_again(run_id: int) -> int:
    """Owe everything once more: every file, and what has failed or was canceled; how many jobs."""
    with changing(run_id) as run:
        return take_up(run) + renew_files(run, owed.names_of(owed.wanted(run)), others=True)


def replace_file(rendition: Rendition) -> int:
    """Take a damaged file out of sight and owe its preset again; how many jobs that takes."""
    run_id = Run.objects.get(original=rendition.original_id).pk
    with changing(run_id) as run:
        publishing.withdraw(Rendition.objects.filter(pk=rendition.pk, key=rendition.key))
        return renew_files(run, (rendition.preset,), others=False)


def renew_files(run: Run, again: Collection[str], *, others: bool) -> int:
    past = run.jobs.exclude(step__in=[step.name for step in pipelines.PIPELINES[run.kind]])
    parts.drop(past)
    past.delete()
    outdated = owed.outdate(run, again)
    missing = owed.missing(run)
    stale = owed.steps_owing(missing, owed.names_of(missing) if others else again)
    # Who is at work was told what was missing before: he begins again only where that has just changed.
    done = run.jobs.filter(status=JobStatus.SUCCEEDED, step__in=stale)
    at_work = run.jobs.filter(status=JobStatus.RUNNING, step__in=outdated)
    given_up = owed.failed_extras(run).filter(step__in=stale)
    return owe_again(done | at_work | given_up) + owe_steps(run)


def run(job_id: int, worker: str) -> None:
    """Answer a ring: make what the job owes, unless it is not there to be taken."""
    job = Job.objects.select_related("run__original").filter(pk=job_id).first()
    try:
        if job and take(job, worker):
            attempt(job)
    except (JobLost, Run.DoesNotExist):
        log.info("%s is not ours any longer", job)


def take(job: Job, worker: str) -> bool:
    """Claim the job if it fits beside what this worker has in hand; else put it back for a while, for any worker."""
    stated = memory.stated(job)
    with memory.deciding():
        if job.put_back >= memory.PATIENCE or memory.fits(stated, worker):
            return claim(job, worker, stated)
    log.info("%s does not fit now: it would hold %s MiB", job, stated >> 20)
    with changing(job.run_id):
        let_in_after(job)
        later = {"not_before": Now() + memory.PUT_BACK, "put_back": job.put_back + 1}
        if job.status == JobStatus.QUEUED:
            job.move(JobStatus.WAITING, **later)
    return False


def claim(job: Job, worker: str, stated: int = 0) -> bool:
    with changing(job.run_id):
        let_in_after(job)
        return job.claim(worker, stated)


def let_in_after(job: Job) -> None:
    """Once it has left the list for good, let its owner's next in: in transactions of their own."""
    owner, queue = job.owner_id, job.queue
    transaction.on_commit(lambda: let_in(owner, queue), robust=True)


def let_in(owner: int | None, queue: str) -> int:
    """Queue what is held of this owner's, as far as there is room; how many runs were asked."""
    runs = lines.next_runs(owner, queue)
    for run_id in runs:
        advance(run_id)
    return len(runs)


def to_front(run_id: int) -> int:
    """Let a run go before all others: what waits in line, and what will; how many jobs wait in line now."""
    with changing(run_id) as run:
        lines.rank_first(run)
        listed = set(run.jobs.filter(status=JobStatus.QUEUED).values_list("pk", flat=True))
        transaction.on_commit(lambda: doorbells.move_to_front(listed))
        return len(listed) + run.jobs.held().count()


def attempt(job: Job) -> None:
    """One try at a claimed job, ending in a recorded success or failure, or JobLost."""
    with traces.kept() as seen:
        try_out(job, seen)


def try_out(job: Job, seen: Traces) -> None:
    try:
        with Heartbeat(lambda progress: renew(job, progress, seen)) as heartbeat:
            memory.wait_for_room(job, heartbeat)
            make_and_publish(job, heartbeat, seen)
    except (JobLost, Run.DoesNotExist):
        raise
    except MediaError as error:
        log.info("%s: %s", job, error)
        settle(job, JobStatus.FAILED, error_code=error.code, error_details=error.details, traces=seen.as_data())
    except storage.Gone as error:
        log.warning("%s: a piece is gone: %s", job, error)
        wait_for_piece(job, error.key)
    except Exception as error:
        log.exception("%s", job)
        settle(job, **after_error(job, error), traces=seen.as_data())


def renew(job: Job, progress: float, seen: Traces) -> bool:
    try:
        with changing(job.run_id):
            return job.renew(progress, traces=seen.as_data())
    except Run.DoesNotExist:
        return False


def make_and_publish(job: Job, heartbeat: Heartbeat, seen: Traces) -> None:
    with storage.scratch(last_words.folder_name(job)) as folder, last_words.kept(folder) as note_memory:
        heartbeat.on_beat = note_memory
        product = make(job, folder, heartbeat)
        published = publishing.upload(job, product)
        with publishing.dropping_on_loss(published), changing(job.run_id) as run:
            if not job.move(JobStatus.SUCCEEDED, finished_at=Now(), progress=1, traces=seen.as_data()):
                raise JobLost
            job.run = run  # as it is now: what is recorded is known to whoever asks next
            publishing.record(job, product, published)
            if product != Product():  # else it found everything there, and says nothing of its speed
                speeds.learn(job)


def make(job: Job, folder: Path, heartbeat: Heartbeat) -> Product:
    """What the job's step makes of what is there; nothing, where nothing is owed."""
    step = pipelines.step_named(job.run.kind, job.step)
    presets = owed.to_make(job.run, step)
    if presets is None or (step.is_hasty and not is_worth_haste(job, presets)):
        return Product()
    order = Order(
        source=folder,  # its place is known once it has been fetched
        folder=folder,
        facts=owed.facts_of(job.run.original),
        presets=presets,
        part=parts.part_of(job),
        limits=settings.LIMITS,
        hands=hands.to_spare(),
        report=heartbeat.report,
    )
    with storage.fetched_pieces(parts.keys_for(job.run, step), folder, heartbeat.check) as pieces:
        product = reading.carry_out(step, replace(order, pieces=pieces), job.run.original, heartbeat.check)
    parts.check(job.run, step, product)
    return product


def is_worth_haste(job: Job, presets: Collection[Preset]) -> bool:
    """Whether nobody else waits in line, and there is nothing of these presets to be seen yet."""
    shown = job.run.original.renditions.filter(preset__in=[preset.name for preset in presets])
    others = Job.objects.filter(queue=job.queue, status=JobStatus.QUEUED).exclude(run=job.run_id)
    return not (shown.exists() or others.exists())


def settle(job: Job, to: JobStatus, **changes: Any) -> None:
    with changing(job.run_id):
        if not job.move(to, **changes, finished_at=Now()):
            raise JobLost


def wait_for_piece(job: Job, key: str) -> None:
    """Let the job wait until the piece that is not there any longer has been made again."""
    with changing(job.run_id) as run:
        parts.drop(feeder for feeder in parts.feeding(run, job.step) if key in parts.keys_of(feeder))
        if not job.move(JobStatus.WAITING):
            raise JobLost


def after_error(job: Job, error: Exception) -> dict[str, Any]:
    """What becomes of a job that raised something of ours: a later try, or the end of them."""
    said = {"error_code": "internal", "error_details": {"reason": f"{type(error).__name__}: {error}"[:300]}}
    if is_outage(error) and job.outages < OUTAGES_ALLOWED:
        return {
            "to": JobStatus.WAITING,
            "outages": job.outages + 1,
            "not_before": Now() + jittered(OUTAGE_PAUSE),
            **said,
        }
    errors = job.errors + 1
    return {
        "to": JobStatus.WAITING if errors < ERRORS_ALLOWED else JobStatus.FAILED,
        "errors": errors,
        "not_before": Now() + jittered(BACKOFF * 2 ** (errors - 1)),
        **said,
    }


def jittered(pause: timedelta) -> timedelta:
    """About as long: what failed together shall not come back together."""
    return pause * random.uniform(0.8, 1.2)  # noqa: S311


def hand_back(worker: str) -> int:
    """Give back what this worker holds, uncounted, because it is told to stop. It notices by its heartbeat."""
    held = Job.objects.filter(status=JobStatus.RUNNING, worker=worker)
    return sum(hand_back_job(job) for job in held)


def hand_back_job(job: Job) -> bool:
    with suppress(Run.DoesNotExist), changing(job.run_id):
        return job.move(JobStatus.WAITING)
    return False
