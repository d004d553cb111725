"""Where runs stand in line and how long they still take: from rows, in a few queries for a whole page."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import chain, groupby
from math import inf
from operator import attrgetter
from typing import Any, Self

from django.db.models import Case, Count, F, FloatField, Max, Sum, Value, When, Window
from django.db.models.functions import Coalesce
from django.utils import timezone

from processing import estimates, forecast, lines, pipelines, queues, speeds
from processing.estimates import Measure, Rival
from processing.forecast import Foreseen, Task
from processing.models import OPEN, Job, JobStatus, Run, RunStatus

UNFINISHED = (RunStatus.RECEIVED, RunStatus.PROCESSING)
SHOWN = (
    "pk",
    "run_id",
    "owner_id",
    "rank",
    "queue",
    "step",
    "status",
    "work",
    "progress",
    "queued_at",
    "started_at",
    "lease_until",
)
Measures = Mapping[tuple[str, str], Measure]
# The sums are asked for by every page at every event, and took 162 ms of 10 000 waiting rows. Given again for
# 20 times as long as they took, they cost a process a twentieth of a core at the most, and are 3 s old then.
TIMES = 20
# A read that took no longer is made anew for every upload: 8 ms of 50 open runs, 16 of 250, 65 of 4000, which is
# more than all else that an upload costs.
CHEAP = 0.01  # seconds
# So many open jobs are played forward one by one, in 3 ms; more are summed up, and the many even out.
PLAYED = 500


@dataclass(frozen=True)
class Standing:
    """Place in line, from 1, and seconds left. None: not in line; nobody can know."""

    position: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Waiting:
    """What waits of one owner on one queue, for its window or for other steps, and how many of it are held."""

    seconds: float = 0
    held: int = 0
    jobs: int = 0


Sums = Mapping[tuple[int | None, str], Waiting]


@dataclass(frozen=True)
class Lines:
    """All lines at one moment: where each run stands, if they are short enough to be played forward.

    Else what is in the lists and in hand, job by job, and of what waits only the sums; `own` is, of each
    (run, queue) that was asked for, what waits of its owner up to and including it.
    """

    measures: Measures
    hands: Mapping[str, int]
    active: Sequence[Any]
    waiting: Sums
    own: Mapping[tuple[int, str], Waiting]
    now: datetime
    cores: float = inf
    foreseen: Mapping[int, Standing] | None = None
    played: dict[str, dict[int, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, runs: Iterable[Run]) -> Self:
        """The lines, as far as these runs need them: four queries however many they are, none where all have ended."""
        unfinished = [run for run in runs if run.status in UNFINISHED]
        if not unfinished:
            return cls({}, {}, [], {}, {}, timezone.now())
        measures = speeds.measured()
        waiting = SUMS.of(measures)
        hands, cores = queues.strength()
        if sum(line.jobs for line in waiting.values()) <= PLAYED:
            jobs = Job.objects.filter(status__in=OPEN, run__status__in=UNFINISHED).select_related("run")
            shown = list(jobs.only(*SHOWN, "run__kind"))
            found = cls(measures, hands, shown, {}, {}, timezone.now(), cores)
            return replace(found, foreseen=found.play())
        owners = {job.owner_id for run in unfinished for job in run.jobs.all()}
        return cls(
            measures=measures,
            hands=hands,
            active=list(Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING)).only(*SHOWN)),
            waiting=waiting,
            own=sums_up_to([run.pk for run in unfinished], owners, measures),
            now=timezone.now(),
            cores=cores,
        )

    def play(self) -> dict[int, Standing]:
        """Where each run stands, by playing forward all that is open."""
        tasks = [self.task(job) for job in self.active]
        # A queue without hands has a line all the same.
        ends = forecast.play(tasks, {name: n or 1 for name, n in self.hands.items()}, self.cores, lines.WINDOW)
        return {run: self.foresee(list(own), ends) for run, own in groupby(sorted(tasks, key=by_run), key=by_run)}

    def task(self, job: Job) -> Task:
        step = {step.name: step for step in pipelines.PIPELINES[job.run.kind]}.get(job.step)
        return Task(
            key=job.pk,
            run=job.run_id,
            owner=job.owner_id,
            queue=job.queue,
            step=job.step,
            seconds=self.seconds(job),
            rank=job.rank,
            place=job.queued_at.timestamp() if job.status == JobStatus.QUEUED and job.queued_at else None,
            began=job.status == JobStatus.RUNNING,
            needs=step.needs if step else (),
        )

    def foresee(self, tasks: Sequence[Task], ends: Mapping[int, Foreseen]) -> Standing:
        """Of the tasks of one run."""
        found = [ends[task.key] for task in tasks if task.key in ends]
        known = len(found) == len(tasks) and all(self.hands.get(task.queue) for task in tasks)
        first = min(found, key=lambda each: (each.begins, each.before), default=None)
        return Standing(
            position=None if first is None or any(task.began for task in tasks) else 1 + first.before,
            seconds=max(each.ends for each in found) if known else None,
        )

    @cached_property
    def at_work(self) -> int:
        return sum(job.status == JobStatus.RUNNING for job in self.active)

    def seconds(self, job: Job) -> float:
        """What is left of this job, in seconds of a core."""
        return queues.seconds_left(job, self.measures, self.now, min(1.0, self.cores / max(1, self.at_work)))

    def of(self, run: Run) -> Standing:
        """Where this run stands."""
        if run.status not in UNFINISHED:
            return Standing()
        if self.foreseen is not None:
            return self.foreseen.get(run.pk, Standing())
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
        slower = max(1.0, sum(self.hands[name] for name in self.busy) / self.cores)
        return slower * max(self.left_on(name, run, jobs, mine) for name, mine in by_queue.items())

    @cached_property
    def busy(self) -> set[str]:
        """The queues with something in their list."""
        return {job.queue for job in self.active if job.status == JobStatus.QUEUED}

    def left_on(self, queue: str, run: Run, jobs: Sequence[Job], mine: Sequence[Job]) -> float:
        """Seconds until the run's last job on this queue has ended; exact, if paces are, once all are in the list."""
        if all(job.status != JobStatus.WAITING for job in jobs):
            ends = self.ends(queue)
            return max(ends.get(job.pk, 0.0) for job in mine)
        longest, stages = self.chains(run, jobs)
        own = sum(map(self.seconds, mine))
        older, own_jobs, jobs_ahead, rivals = self.around(queue, mine)
        ahead = older + estimates.before(own_jobs, stages, rivals)
        return estimates.left(ahead, jobs_ahead, own, longest, self.hands[queue])

    def ends(self, queue: str) -> dict[int, float]:
        """When the jobs in hand and in the list will have ended, by their ids."""
        if queue not in self.played:
            active = [job for job in self.active if job.queue == queue]
            running = [job for job in active if job.status == JobStatus.RUNNING]
            listed = sorted((job for job in active if job.status == JobStatus.QUEUED), key=order)
            left, waits = ([self.seconds(job) for job in jobs] for jobs in (running, listed))
            found = chain(*estimates.ends(left, waits, self.hands[queue]))
            self.played[queue] = dict(zip((job.pk for job in (*running, *listed)), found, strict=True))
        return self.played[queue]

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

    def around(self, queue: str, mine: Sequence[Job]) -> tuple[float, int, int, list[Rival]]:
        """What goes before the last of these on this queue.

        The seconds of the same owner's older runs, how many of that owner's jobs go before, how many of
        all owners' may, and the rivals: each other owner, and the same one's younger runs.
        """
        me, first = mine[0], first_in_line(mine)
        others = [job for job in self.active if job.queue == queue and job.run_id != me.run_id]
        older = [job for job in others if job.owner_id == me.owner_id and rank(job) < rank(me)]
        rest: dict[int | None, list[Job]] = {owner: [] for owner, name in self.waiting if name == queue}
        for job in others:
            if job not in older:
                rest.setdefault(job.owner_id, []).append(job)
        up_to_me, ours = self.own.get((me.run_id, queue), Waiting()), self.sum_of(mine)
        own_jobs = len(older) + up_to_me.jobs - ours.jobs + len(mine) - 1
        seconds = sum(map(self.seconds, older)) + up_to_me.seconds - ours.seconds
        jobs_ahead = sum(goes_before(job, first) for job in others) + up_to_me.held - ours.held
        rivals = [
            self.rival(
                theirs, first, Waiting() if owner == me.owner_id else self.waiting.get((owner, queue), Waiting())
            )
            for owner, theirs in rest.items()
        ]
        return max(0.0, seconds), own_jobs, jobs_ahead, rivals

    def sum_of(self, jobs: Sequence[Job]) -> Waiting:
        waiting = [job for job in jobs if job.status == JobStatus.WAITING]
        held = sum(job.held_at is not None for job in waiting)
        return Waiting(sum(map(self.seconds, waiting)), held, len(waiting))

    def rival(self, active: Sequence[Job], first: Job | None, behind: Waiting) -> Rival:
        running = sum(self.seconds(job) for job in active if job.status == JobStatus.RUNNING)
        queued = [job for job in active if job.status == JobStatus.QUEUED]
        listed = sum(map(self.seconds, queued))
        return Rival(
            total=running + listed + behind.seconds,
            jobs=len(active) + behind.jobs,
            running=running,
            listed=listed,
            ahead=sum(self.seconds(job) for job in queued if goes_before(job, first)),
        )


class Spared:
    """Lines for who can do without: where reading them takes long, it takes a twentieth of a process's time."""

    def __init__(self) -> None:
        self.until = 0.0

    def read(self, runs: Iterable[Run]) -> Lines:
        """As `Lines.read`; or, for a while after that has taken long, lines in which nobody stands."""
        begun = time.monotonic()
        if begun < self.until:
            return Lines({}, {}, [], {}, {}, timezone.now(), foreseen={})
        lines = Lines.read(runs)
        ended = time.monotonic()
        self.until = ended + TIMES * max(0.0, ended - begun - CHEAP)
        return lines


SPARED = Spared()
by_run = attrgetter("run")


def goes_before(job: Job, first: Job | None) -> bool:
    """Whether a job in hand or in the list is begun before this one, which may still be held."""
    if job.status == JobStatus.RUNNING or first is None or first.status != JobStatus.QUEUED:
        return True
    return order(job) < order(first)


def rank(job: Job) -> tuple[int, int]:
    """How runs stand in their owner's line."""
    return job.rank, job.run_id


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


def sums(measures: Measures) -> Sums:
    """What waits of each owner on each queue.

    Summed up by steps, and multiplied here: an expression that knows all paces takes longer to put into words than
    a short line to read.
    """
    rows = waiting().values("owner", "queue", "step")
    found: dict[tuple[int | None, str], Waiting] = {}
    counts = {"known": Count("work"), "held": Count("held_at"), "jobs": Count("pk")}
    for row in rows.annotate(units=Sum("work", default=0.0), **counts):
        measure = measures.get((row["queue"], row["step"]), queues.UNKNOWN)
        seconds = measure.seconds(row["units"] + (row["jobs"] - row["known"]) * measure.work)
        line = row["owner"], row["queue"]
        before = found.get(line, Waiting())
        found[line] = Waiting(before.seconds + seconds, before.held + row["held"], before.jobs + row["jobs"])
    return found


@dataclass
class Lately:
    """Sums that are given again for TIMES as long as they took."""

    find: Callable[[Measures], Sums]
    clock: Callable[[], float] = time.monotonic
    found: tuple[float, Sums] | None = None  # until when, and what

    def of(self, measures: Measures) -> Sums:
        begun, found = self.clock(), self.found
        if found and begun < found[0]:
            return found[1]
        answer = self.find(measures)
        ended = self.clock()
        self.found = ended + TIMES * (ended - begun), answer
        return answer


SUMS = Lately(sums)


def sums_up_to(
    runs: Collection[int], owners: Collection[int | None], measures: Measures
) -> dict[tuple[int, str], Waiting]:
    """What waits of their owners on each queue up to and including each of these runs, in the order of their lines."""
    line: dict[str, Any] = {"partition_by": [F("owner"), F("queue")], "order_by": ["rank", "run"]}
    rows = waiting().filter(owner__in=owners)
    rows = rows.annotate(
        seconds_so_far=Window(Sum(expected(measures)), **line),
        held_so_far=Window(Count("held_at"), **line),
        jobs_so_far=Window(Count("pk"), **line),
        # Of a window, so that it is asked after the sums were made.
        whose=Window(Max("run"), partition_by=[F("run")]),
    ).filter(whose__in=list(runs))
    found = rows.values_list("run", "queue", "seconds_so_far", "held_so_far", "jobs_so_far")
    return {(run, queue): Waiting(*sums) for run, queue, *sums in found}
