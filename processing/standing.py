"""Where runs stand in line and how long they still take: from rows, in a few queries for a whole page."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import Case, Count, F, FloatField, Max, Sum, Value, When, Window
from django.db.models.functions import Coalesce
from django.utils import timezone

from processing import estimates, pipelines, queues, speeds
from processing.estimates import Measure, Rival
from processing.models import OPEN, Job, JobStatus, Run, RunStatus

UNFINISHED = (RunStatus.RECEIVED, RunStatus.PROCESSING)
SHOWN = ("pk", "run_id", "owner_id", "rank", "queue", "step", "status", "work", "progress", "queued_at", "started_at")
Measures = Mapping[tuple[str, str], Measure]


@dataclass(frozen=True)
class Standing:
    """Place in line, from 1, and seconds left. None: not in line; nobody can know."""

    position: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Waiting:
    """What waits of one owner on one queue, for its window or for other steps: seconds, and how many are held."""

    seconds: float = 0
    held: int = 0


@dataclass(frozen=True)
class Lines:
    """All lines at one moment: what is in the lists and in hand, job by job; of what waits only the sums.

    `own` is, of each (run, queue) that was asked for, what waits of its owner up to and including it.
    """

    measures: Measures
    hands: Mapping[str, int]
    active: Sequence[Any]
    waiting: Mapping[tuple[int | None, str], Waiting]
    own: Mapping[tuple[int, str], Waiting]
    now: datetime

    @classmethod
    def read(cls, runs: Iterable[Run]) -> Self:
        """The lines, as far as these runs need them: four queries however many they are, none where all have ended."""
        unfinished = [run for run in runs if run.status in UNFINISHED]
        if not unfinished:
            return cls({}, {}, [], {}, {}, timezone.now())
        measures = speeds.measured()
        owners = {job.owner_id for run in unfinished for job in run.jobs.all()}
        return cls(
            measures=measures,
            hands={name: queues.hands(name) or 0 for name in pipelines.QUEUES},
            active=list(Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING)).only(*SHOWN)),
            waiting=sums(measures),
            own=sums_up_to([run.pk for run in unfinished], owners, measures),
            now=timezone.now(),
        )

    def seconds(self, job: Job) -> float:
        """What is left of this job."""
        return queues.seconds_left(job, self.measures, self.now)

    def of(self, run: Run) -> Standing:
        """Where this run stands."""
        if run.status not in UNFINISHED:
            return Standing()
        jobs = [job for job in run.jobs.all() if job.status in OPEN]
        return Standing(self.position(jobs), self.left(run, jobs)) if jobs else Standing()

    def position(self, jobs: Sequence[Job]) -> int | None:
        """Place in line of the first of these jobs that is in one; None where none is, or one is at work."""
        if any(job.status == JobStatus.RUNNING for job in jobs):
            return None
        first = first_in_line(jobs)
        if first is None:
            return None
        listed = [job for job in self.active if job.queue == first.queue and job.status == JobStatus.QUEUED]
        if first.status == JobStatus.QUEUED:
            return 1 + sum(order(job) < order(first) for job in listed)
        own = self.own.get((first.run_id, first.queue), Waiting()).held
        mine = sum(job.queue == first.queue and job.held_at is not None for job in jobs)
        rivals = [
            line.held
            for (owner, queue), line in self.waiting.items()
            if queue == first.queue and owner != first.owner_id
        ]
        return len(listed) + estimates.turn(own - mine, rivals)

    def left(self, run: Run, jobs: Sequence[Job]) -> float | None:
        """Seconds until the last of these has ended, on the hands there are; None where one's queue has none."""
        by_queue = {
            name: [job for job in jobs if job.queue == name] for name in dict.fromkeys(job.queue for job in jobs)
        }
        if not all(self.hands.get(name) for name in by_queue):
            return None
        return max(self.left_on(name, run, jobs, mine) for name, mine in by_queue.items())

    def left_on(self, queue: str, run: Run, jobs: Sequence[Job], mine: Sequence[Job]) -> float:
        longest, stages = self.chains(run, jobs)
        pending = [job for job in mine if job.status != JobStatus.RUNNING]
        own = sum(map(self.seconds, mine))
        if not pending:
            return longest
        rivals, older, jobs_ahead = self.around(queue, mine, pending)
        turn = older + sum(map(self.seconds, pending))
        ahead = older + estimates.before(turn, stages, rivals)
        return estimates.left(ahead, jobs_ahead, own, longest, self.hands[queue])

    def chains(self, run: Run, jobs: Sequence[Job]) -> tuple[float, int]:
        """The longest chain of these jobs: its seconds, and how many of its steps have still to stand in line."""
        needs = {step.name: step.needs for step in pipelines.PIPELINES[run.kind]}
        seconds = {
            step: max(self.seconds(job) for job in jobs if job.step == step)
            for step in needs
            if any(job.step == step for job in jobs)
        }
        stands = {job.step: 1.0 for job in jobs if job.status != JobStatus.RUNNING}
        return estimates.chain(needs, seconds), round(estimates.chain(needs, stands))

    def around(self, queue: str, mine: Sequence[Job], pending: Sequence[Job]) -> tuple[list[Rival], float, int]:
        """On this queue: the rivals, the seconds of the same owner's older runs, and how many jobs go before."""
        me = mine[0]
        first = first_in_line(pending)
        listed = first is not None and first.status == JobStatus.QUEUED
        active = [job for job in self.active if job.queue == queue and job.run_id != me.run_id]
        by_owner: dict[int | None, list[Job]] = defaultdict(list)
        for job in active:
            by_owner[job.owner_id].append(job)

        def goes_before(job: Job) -> bool:
            return job.status == JobStatus.RUNNING or first is None or not listed or order(job) < order(first)

        waiting_own = sum(self.seconds(job) for job in mine if job.status == JobStatus.WAITING)
        up_to_me = self.own.get((me.run_id, queue), Waiting())
        older = [job for job in by_owner.get(me.owner_id, ()) if (job.rank, job.run_id) < (me.rank, me.run_id)]
        seconds_older = max(0.0, up_to_me.seconds - waiting_own) + sum(map(self.seconds, older))
        rivals = []
        for owner in {owner for owner, name in self.waiting if name == queue} | set(by_owner):
            theirs = [job for job in by_owner.get(owner, ()) if job not in older]
            running = sum(self.seconds(job) for job in theirs if job.status == JobStatus.RUNNING)
            queued = [job for job in theirs if job.status == JobStatus.QUEUED]
            in_list = sum(map(self.seconds, queued))
            behind = self.waiting.get((owner, queue), Waiting()).seconds
            if owner == me.owner_id:  # younger runs: what is in the list already goes before our later stages
                behind = 0
            rivals.append(
                Rival(
                    total=running + in_list + behind,
                    running=running,
                    listed=in_list,
                    ahead=sum(self.seconds(job) for job in queued if goes_before(job)),
                )
            )
        held = max(0, up_to_me.held - sum(job.held_at is not None for job in mine))
        return rivals, seconds_older, held + sum(map(goes_before, active))


def first_in_line(jobs: Sequence[Job]) -> Job | None:
    queued = [job for job in jobs if job.status == JobStatus.QUEUED]
    held = [job for job in jobs if job.held_at is not None]
    return min(queued, key=order, default=None) or next(iter(held), None)


def order(job: Job) -> tuple[Any, ...]:
    """How queued jobs stand in a list: those moved to the front, then by when they came."""
    return job.rank, job.queued_at, job.pk


def expected(measures: Measures) -> Any:
    """What a job is expected to take, as the database works it out."""
    known = [
        When(queue=queue, step=step, then=Coalesce(F("work"), Value(measure.work)) * Value(measure.pace))
        for (queue, step), measure in measures.items()
    ]
    return Case(*known, default=Value(1.0), output_field=FloatField())


def waiting() -> Any:
    return Job.objects.filter(status=JobStatus.WAITING, run__status__in=UNFINISHED)


def sums(measures: Measures) -> dict[tuple[int | None, str], Waiting]:
    """What waits of each owner on each queue."""
    rows = waiting().values("owner", "queue").annotate(seconds=Sum(expected(measures)), held=Count("held_at"))
    return {(row["owner"], row["queue"]): Waiting(row["seconds"], row["held"]) for row in rows}


def sums_up_to(
    runs: Collection[int], owners: Collection[int | None], measures: Measures
) -> dict[tuple[int, str], Waiting]:
    """What waits of their owners on each queue up to and including each of these runs, in the order of their lines."""
    line: dict[str, Any] = {"partition_by": [F("owner"), F("queue")], "order_by": ["rank", "run"]}
    rows = waiting().filter(owner__in=owners)
    rows = rows.annotate(
        seconds_so_far=Window(Sum(expected(measures)), **line),
        held_so_far=Window(Count("held_at"), **line),
        # Of a window, so that it is asked after the sums were made.
        whose=Window(Max("run"), partition_by=[F("run")]),
    ).filter(whose__in=list(runs))
    found = rows.values_list("run", "queue", "seconds_so_far", "held_so_far")
    return {(run, queue): Waiting(seconds, held) for run, queue, seconds, held in found}
