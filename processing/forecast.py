"""When jobs will begin and end, by playing all lines forward: job by job, as workers would take them. Pure arithmetic.

Seconds are of a core: where more jobs are at work than there are cores, all of them go slower.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any


@dataclass(frozen=True)
class Task:
    """What is left of one job, by its run and owner, and how it stands in its owner's line.

    `seconds` of a core are left. `place` is when it came into its queue's list, `began` whether it is at work;
    one that is neither waits for the steps it `needs`, or for its owner's window.
    """

    key: int
    run: int
    owner: int | None
    queue: str
    step: str
    seconds: float
    rank: int = 0
    place: float | None = None
    began: bool = False
    needs: Collection[str] = ()

    @property
    def line(self) -> tuple[int, int, int]:
        """How what waits of an owner is let into the list."""
        return self.rank, self.run, self.key


@dataclass(frozen=True)
class Foreseen:
    """Seconds from now until a job begins and ends, and how many of its queue begin before it."""

    begins: float
    ends: float
    before: int


@dataclass
class Play:
    """All lines at one moment of the play."""

    hands: Mapping[str, int]
    cores: float
    window: int
    now: float = 0.0
    came: int = 0  # into the lists since the play began
    used: float = 0.0  # seconds of a core that each job at work has had since the play began
    working: list[tuple[float, int, Task]] = field(default_factory=list)  # by what `used` is when they end
    busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    listed: dict[str, list[tuple[Any, int, Task]]] = field(default_factory=lambda: defaultdict(list))
    in_list: dict[tuple[int | None, str], int] = field(default_factory=lambda: defaultdict(int))
    held: dict[tuple[int | None, str], list[tuple[Any, Task]]] = field(default_factory=lambda: defaultdict(list))
    open: dict[int, dict[int, Task]] = field(default_factory=lambda: defaultdict(dict))  # of each run
    free: set[int] = field(default_factory=set)  # jobs that have what they need
    begun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    starts: dict[int, tuple[float, int]] = field(default_factory=dict)
    found: dict[int, Foreseen] = field(default_factory=dict)

    def to_the_end(self, tasks: Iterable[Task]) -> dict[int, Foreseen]:
        """Each job by its key; without those on a queue that has no hands, and what waits for them."""
        for task in tasks:
            self.open[task.run][task.key] = task
            if task.began:
                self.free.add(task.key)
                self.begin(task)
            elif task.place is not None:
                self.free.add(task.key)
                self.enlist(task, (task.rank, 0, task.place))
        for run in self.open:
            self.let_on(run)
        while True:
            self.take()
            if not self.working:
                return self.found
            self.end_next()

    def begin(self, task: Task) -> None:
        self.busy[task.queue] += 1
        self.starts[task.key] = self.now, self.begun[task.queue]
        if not task.began:
            self.begun[task.queue] += 1
        heappush(self.working, (self.used + task.seconds, task.key, task))

    def enlist(self, task: Task, place: tuple[Any, ...]) -> None:
        self.in_list[task.owner, task.queue] += 1
        heappush(self.listed[task.queue], (place, task.key, task))

    def let_on(self, run: int) -> None:
        """What of this run has become free stands in its owner's line, and in the list as far as that goes."""
        undone = {task.step for task in self.open[run].values()}
        for task in self.open[run].values():
            if task.key not in self.free and not undone.intersection(task.needs):
                self.free.add(task.key)
                heappush(self.held[task.owner, task.queue], (task.line, task))
                self.let_in(task.owner, task.queue)

    def let_in(self, owner: int | None, queue: str) -> None:
        line = self.held[owner, queue]
        while line and (self.in_list[owner, queue] < self.window or line[0][1].rank < 0):
            _, task = heappop(line)
            self.came += 1
            self.enlist(task, (task.rank, 1, self.came))

    def take(self) -> None:
        """Every free hand takes the first in its list."""
        for queue, line in self.listed.items():
            while line and self.busy[queue] < self.hands.get(queue, 0):
                _, _, task = heappop(line)
                self.in_list[task.owner, queue] -= 1
                self.begin(task)
                self.let_in(task.owner, queue)

    def end_next(self) -> None:
        used, _, task = heappop(self.working)
        slower = max(1.0, (len(self.working) + 1) / self.cores)
        self.now += (used - self.used) * slower
        self.used = used
        self.busy[task.queue] -= 1
        begins, before = self.starts[task.key]
        self.found[task.key] = Foreseen(begins, self.now, before)
        del self.open[task.run][task.key]
        self.let_on(task.run)


def play(tasks: Sequence[Task], hands: Mapping[str, int], cores: float, window: int) -> dict[int, Foreseen]:
    """When each job begins and ends, on so many hands of each queue that share so many cores."""
    return Play(hands, cores, window).to_the_end(tasks)
