"""Own the child: a program that reads untrusted bytes runs limited, watched, and dies with us.

One thread does it all: the caller's. It reads the child's pipes, calls back, and keeps time.
"""

import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from processing.engines import disk, traces
from processing.errors import ResourceLimit

TICK = 0.25  # seconds between ticks: the promise is two a second, and a callback may be late once
ASLEEP = 5.0  # seconds between two looks: then we were stopped ourselves, as a rule with the child
READ = 65_536  # bytes: what a Linux pipe holds, so that one read empties it
LONGEST_LINE = 65_536  # bytes: what is longer is cut; ffprobe's longest lines are under 200
TAIL_LINES = 20
TAIL_WIDTH = 200  # characters a line: 20 of them are 4 KiB, which fits in a log line and in a row
MIB = 1 << 20
# Media is made in the time that requests, uploads and whoever works at this machine leave. A child yields to workers as
# well: they hold rows and locks in between, for which requests wait.
NICELY = ("nice", "-n", "10")

# No variable of ours reaches the child, so a broken decoder finds no secret among them. Two malloc
# arenas, because each thread's own would reserve 64 MiB of the address space we limit.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True)
class Bounds:
    """What a child may use: seconds in all, seconds without a sign of life, bytes of each kind."""

    seconds: float
    stall: float
    memory: int
    file_size: int | None = None


class ChildFailed(Exception):
    """The program ended with a status other than 0; negative is the signal that killed it."""

    def __init__(self, program: str, status: int, tail: str) -> None:
        self.program = program
        self.status = status
        self.tail = tail
        super().__init__(f"{program} ended with status {status}: {tail}")


class DiskFailed(ChildFailed):
    """The program says, whatever its status, that our disk failed it."""


def ignore(line: str) -> None:
    """The `on_line` of a child whose words nobody needs."""


def nothing() -> None:
    """The `on_tick` of a child that nobody waits for."""


def run(
    argv: Sequence[str],
    bounds: Bounds,
    *,
    folder: Path | None = None,
    on_line: Callable[[str], object] = ignore,
    on_tick: Callable[[], object] = nothing,
) -> str:
    """Run `argv` in `folder` to its end and give back the last lines of its stderr.

    `on_line(line)` gets each line of stdout as it comes; a line it returns False for is no sign of
    life. `on_tick()` is called at least twice a second. Whatever either raises passes on, after the
    whole process group is killed and the child reaped; so does every other way out of here.

    Raises ResourceLimit if the child ran out of its bounds, DiskFailed if it says that our disk failed,
    ChildFailed if it failed by itself, and OSError if it cannot be started. Leaves a trace (`traces`).
    """
    trace = traces.begin(argv)
    with subprocess.Popen(
        owned(argv, bounds),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)},
        start_new_session=True,
    ) as child:
        watch = _Watch(child, bounds, on_line, on_tick, trace)
        try:
            watch.until_exit()
        finally:
            usage = _end(child)
            trace.saw(0, watch.tail())
            trace.ended(child.returncode, usage.ru_utime + usage.ru_stime)
    if child.returncode == -signal.SIGXFSZ:
        raise ResourceLimit(allowed=f"{_in_mib(bounds.file_size)} of output")
    if disk.WORDS.search(watch.tail()):  # ffmpeg 5.1 says so of a file's last bytes and ends with status 0
        raise DiskFailed(argv[0], child.returncode, watch.tail())
    if child.returncode:
        raise ChildFailed(argv[0], child.returncode, watch.tail())
    return watch.tail()


def read(argv: Sequence[str], bounds: Bounds, most: int, on_tick: Callable[[], object] = nothing) -> tuple[str, str]:
    """The whole stdout of `argv` and the last lines of its stderr, run as by `run`.

    ResourceLimit if stdout has more than `most` characters.
    """
    lines: list[str] = []
    room = most

    def keep(line: str) -> None:
        nonlocal room
        room -= len(line) + 1
        if room < 0:
            raise ResourceLimit(allowed=f"{most} characters of description")
        lines.append(line)

    tail = run(argv, bounds, on_line=keep, on_tick=on_tick)
    return "\n".join(lines), tail


def owned(argv: Sequence[str], bounds: Bounds) -> list[str]:
    """`argv` behind the programs that bind it to us and limit it; they exec, so the pid stays.

    util-linux does it rather than `preexec_fn`, which may deadlock in a process with threads. The
    death signal is sent when the *thread* that started the child ends: start it from one that waits.
    """
    if not shutil.which(argv[0]):
        raise FileNotFoundError(f"{argv[0]} is not installed, or not on PATH")
    limits = [f"--as={bounds.memory}", "--core=0"]
    if bounds.file_size is not None:
        limits.append(f"--fsize={bounds.file_size}")
    return ["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--", "prlimit", *limits, "--", *NICELY, *argv]


def _end(child: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Kill what is left of the child's group, then reap it: in this order its pid is still its own. What it used."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _peak(pid: int) -> int:
    """The most bytes that a running process has held.

    Not `ru_maxrss`, which counts what the process was before it became the program: us.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _in_mib(size: int | None) -> str:
    return f"{(size or 0) // MIB} MiB"


class _Watch:
    """One child being watched: its pipes, its clock, its last words."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        bounds: Bounds,
        on_line: Callable[[str], object],
        on_tick: Callable[[], object],
        trace: traces.Trace,
    ) -> None:
        self.child = child
        self.trace = trace
        self.bounds = bounds
        self.on_line = on_line
        self.on_tick = on_tick
        self.started = self.alive = self.looked = time.monotonic()
        self.ticked = 0.0
        self.words: deque[str] = deque(maxlen=TAIL_LINES)

    def until_exit(self) -> None:
        """Read and tick until the child has exited and all it said is read."""
        takers = {self.child.stdout: self._take_line, self.child.stderr: self._take_word}
        exited = os.pidfd_open(self.child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(exited, selectors.EVENT_READ)
                for pipe, take in takers.items():
                    if pipe is not None:  # never: both were asked for; the type does not know
                        selector.register(pipe, selectors.EVENT_READ, _Lines(pipe.fileno(), take))
                self._loop(selector, exited)
        finally:
            os.close(exited)

    def _loop(self, selector: selectors.BaseSelector, exited: int) -> None:
        over = False
        while not over:
            for key, _ in selector.select(TICK):
                if key.fileobj == exited:
                    over = True
                elif not key.data.read():
                    selector.unregister(key.fileobj)
            self._keep_time()
        for key in list(selector.get_map().values()):
            if key.data:
                key.data.drain()

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now - self.looked > ASLEEP:  # time that nobody had is not the child's
            self.started += now - self.looked
            self.alive += now - self.looked
        self.looked = now
        if now - self.started > self.bounds.seconds:
            raise ResourceLimit(allowed=f"{self.bounds.seconds:.0f} seconds")
        if now - self.alive > self.bounds.stall:
            raise ResourceLimit(allowed=f"{self.bounds.stall:.0f} seconds without progress")
        if now - self.ticked >= TICK:
            self.ticked = now
            self.trace.saw(_peak(self.child.pid), self.tail())
            self.on_tick()

    def _take_line(self, line: str) -> None:
        if self.on_line(line) is not False:
            self.alive = time.monotonic()

    def _take_word(self, line: str) -> None:
        self.words.append(line[:TAIL_WIDTH])

    def tail(self) -> str:
        """The last lines of stderr."""
        return "\n".join(self.words)


class _Lines:
    """The bytes of a pipe as lines, none longer than LONGEST_LINE."""

    def __init__(self, pipe: int, take: Callable[[str], None]) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        self.take = take
        self.rest = b""

    def read(self) -> bool:
        """Take what is there now; False at the end of the pipe."""
        try:
            data = os.read(self.pipe, READ)
        except BlockingIOError:
            return True
        self._give(data)
        return bool(data)

    def drain(self) -> None:
        """Take what a child that has exited left in the pipe, and no more: a stray may hold it open."""
        for _ in range(MIB // READ):  # a pipe holds at most 1 MiB
            if not self.read():
                return
        self._give(b"")

    def _give(self, data: bytes) -> None:
        # ffmpeg ends some lines by CR alone, to overwrite them on a terminal.
        *lines, self.rest = re.split(rb"[\r\n]+", self.rest + data)
        if not data or len(self.rest) > LONGEST_LINE:
            lines, self.rest = [*lines, self.rest], b""
        for line in filter(None, lines):
            self.take(line[:LONGEST_LINE].decode("utf-8", "replace"))
