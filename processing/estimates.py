"""How long work will take, from how long the like of it took. Pure arithmetic, in seconds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import ceil

# The first jobs are averaged; later ones move the average by a tenth, so that it follows a change of
# machine or preset within twenty jobs, and forgets one odd job in as many.
SHARE = 0.1
# One job counts for twice, or half of, what was expected at the most: a disk that stood still for a
# minute says nothing of the next job. The average still gets anywhere, in more steps.
OUTLIER = 2.0
TRUSTED = 3  # jobs after which outliers are cut: the first one replaces a guess, whatever it says
LATE = 0.1  # of what was expected is left of what should be over by now
SHORTEST = 0.001  # seconds: what a clock of milliseconds can show


@dataclass(frozen=True)
class Measure:
    """What the jobs of a step took, over how much work they were, and the mean of that; of `jobs` so far.

    Of all seconds over all units, so that a job counts for as much as it is: a unit of a small one costs more, and it
    is the large ones that people wait for.
    """

    pace: float  # seconds per unit
    work: float  # units of a typical job
    jobs: int = 0

    def seconds(self, work: float | None) -> float:
        """What a job of so much work is expected to take; a typical one where nobody knows how much it is."""
        return self.pace * (self.work if work is None else work)

    def corrected(self, work: float, seconds: float) -> "Measure":
        """The measure after a job of so much work took so long."""
        pace = max(seconds, SHORTEST) / work
        if self.jobs >= TRUSTED:
            pace = min(max(pace, self.pace / OUTLIER), self.pace * OUTLIER)
        share = max(SHARE, 1 / (self.jobs + 1))
        mean = between(self.work, work, share)
        return Measure(between(self.work * self.pace, work * pace, share) / mean, mean, self.jobs + 1)


def between(old: float, new: float, share: float) -> float:
    """The mean of two, the new one with that share."""
    return (1 - share) * old + share * new


def remaining(expected: float, progress: float, elapsed: float, since: float = 0.0) -> float:
    """What is left of a running job, of which so many seconds are over, `since` it said how far it was included.

    What it has shown is believed in proportion to how much that is: a tenth done says little yet. One
    that says nothing of its progress and is late is expected to end soon, and never at once.
    """
    if not progress:
        return max(expected - elapsed, expected * LATE)
    shown = max(0.0, elapsed - since) * (1 - progress) / progress
    left = progress * shown + (1 - progress) * (1 - progress) * expected
    return max(left - since, left * LATE)


def ends(running: Sequence[float], listed: Sequence[float], hands: int) -> tuple[list[float], list[float]]:
    """When each job ends: those in hand, of which so much is left, and those that a list holds, in its order."""
    free = [0.0] * max(0, hands - len(running)) + list(running)
    heapify(free)
    found = []
    for seconds in listed:
        found.append(free[0] + seconds)
        heapreplace(free, found[-1])
    return list(running), found


@dataclass(frozen=True)
class Rival:
    """Work on a queue that ours shares it with, in seconds: all there is, what is in hand, what is in the list.

    `jobs` are how many that is in all. `ahead` is as much of the list as stands before the first of ours.
    """

    total: float = 0
    jobs: int = 0
    running: float = 0
    listed: float = 0
    ahead: float = 0


def before(own_jobs: int, stages: int, rivals: Sequence[Rival]) -> float:
    """Seconds of rivals' work that are done before the last of ours is begun, which has `own_jobs` before it.

    The list takes owners in turn, job by job: each rival has as many done meanwhile, but not more than
    it has. The first stage of ours waits for what stands before it in the list, each later one for
    what is there by then.
    """
    later = max(0, stages - 1)
    return sum(
        min(
            rival.total,
            rival.running + max(own_jobs * rival.total / max(1, rival.jobs), rival.ahead + later * rival.listed),
        )
        for rival in rivals
    )


def left(ahead: float, jobs_ahead: int, own: float, longest: float, hands: int) -> float:
    """Seconds until our last job has ended, on so many hands.

    `own` seconds of ours can be shared among the hands, but not those that follow one from another: of
    these the `longest` chain. With fewer jobs ahead than there are hands, nobody waits.
    """
    waits = ahead / hands if jobs_ahead >= hands else 0.0
    return waits + max(own / hands, longest)


def chain(needs: Mapping[str, Collection[str]], seconds: Mapping[str, float]) -> float:
    """The longest way through these steps, where each begins when those it needs have ended.

    `needs` is in an order in which each step stands after those it needs; a step without seconds is over.
    """
    ends: dict[str, float] = {}
    for step, needed in needs.items():
        ends[step] = max((ends[name] for name in needed), default=0.0) + seconds.get(step, 0.0)
    return max(ends.values(), default=0.0)


def turn(ahead: int, rivals: Sequence[int]) -> int:
    """Place in line, from 1, of who has `ahead` of its own before it, where each rival is let in by turns."""
    return 1 + ahead + sum(min(ahead, held) for held in rivals)


def whole(seconds: float) -> float:
    """Seconds for people: to two digits, because nobody knows the third; a whole one at least."""
    if seconds < 10:
        return float(max(1, ceil(seconds)))
    size = 10 ** (len(str(int(seconds))) - 2)
    return float(round(seconds / size) * size)
