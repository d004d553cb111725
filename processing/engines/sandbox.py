"""Untrusted images are decoded in a process that can do nothing else (`inside`); here is our side of it.

A sandbox is started with the first job of a process and serves all later ones. Each of its jobs is a
fork of it, fenced to one source and one folder (`fence`). Its answers count as hostile too.
A small photo's two jobs take 1.19 times as long as in-process, where two fresh processes take 4.7
(tests/benchmarks/images/sandbox.py, on two busy cores).
"""

import atexit
import functools
import json
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from processing.engines import traces
from processing.engines.child import ENVIRONMENT, TICK
from processing.engines.fence import MIB, Bounds
from processing.engines.kernel import killings
from processing.errors import Corrupt, MediaError, ResourceLimit
from processing.facts import Made, Order, Product

Make = Callable[[Order], Product]

ROOT = Path(__file__).parents[2]  # where `processing` is found
READ = 65_536  # bytes: what a Linux pipe holds
LONGEST_ANSWER = 65_536  # bytes of one line; eight files are 1500
TAIL = 4096  # bytes of what the job said on stderr: it fits in a log line
HANG_UP = 5  # seconds: the sandbox reaps its job and goes in 3 ms; while it starts, in half a second

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP)
ERRORS = {error.code: error for error in MediaError.__subclasses__()}
PRODUCT = TypeAdapter(Product)
PROGRESS = TypeAdapter(float)


class EngineFailed(Exception):
    """The engine failed in its sandbox, or the sandbox itself did: our fault, not the file's.

    `errno` is the system's number, where it refused the engine something.
    """

    def __init__(self, reason: str, errno: int | None = None) -> None:
        super().__init__(reason)
        self.errno = errno


def sandboxed(make: Make) -> Make:
    """`make`, done in a sandbox: the same product, files and MediaErrors.

    Raises besides: Corrupt where a decoder crashed, ResourceLimit at the end of `Bounds`, EngineFailed
    for every other error inside; and what `order.report` raises, after the job is dead.
    """
    name = f"{make.__module__}:{make.__qualname__}"
    POOL.names.append(name)

    @functools.wraps(make)
    def make_inside(order: Order) -> Product:
        return POOL.make(name, order)

    return make_inside


class Pool:
    """The sandboxes of this process: one, or as many as threads have been at work at once.

    `names` ("module:function") are all that a sandbox will do.
    """

    def __init__(self, names: Sequence[str] = (), bounds: Bounds | None = None) -> None:
        self.names = list(names)
        self.bounds = bounds or Bounds()
        self.idle: list[Sandbox] = []

    def make(self, name: str, order: Order) -> Product:
        """Do the order in a sandbox that is free, or in a new one."""
        sandbox = self.free()
        try:
            return sandbox.make(name, order)
        finally:
            if sandbox.is_ready():
                self.idle.append(sandbox)

    def free(self) -> "Sandbox":
        with suppress(IndexError):
            while True:
                if (sandbox := self.idle.pop()).is_ready():
                    return sandbox
                sandbox.stop()
        return Sandbox(self.names, self.bounds)


class Sandbox:
    """One process of `inside`, for one job at a time.

    It ends when our end of its socket closes: also when we are killed, and with it its job. A death
    signal would come when the *thread* ends that started it.
    """

    def __init__(self, names: Sequence[str], bounds: Bounds) -> None:
        self.bounds = bounds
        self.owner = os.getpid()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-s", "-m", "processing.engines.inside", str(theirs.fileno()), *names],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        LIVE.add(self)

    def is_ready(self) -> bool:
        """Whether it can take a job: it lives, and is not one our process inherited by a fork."""
        return self.owner == os.getpid() and self in LIVE and self.process.poll() is None

    def make(self, name: str, order: Order) -> Product:
        """Do one order. Every way out of here but the job's own end kills the job, and the sandbox."""
        job = Job(order, traces.begin([name]))
        ended = False
        try:
            with self.sent(name, order) as (answers, words):
                status = self.watch(job, answers, words)
            ended = True
        finally:
            if not ended:
                self.stop()
        return job.outcome(status, self.bounds)

    @contextmanager
    def sent(self, name: str, order: Order) -> Iterator[tuple[int, int]]:
        """The order is sent; the pipes of its job's answers and words, to read from."""
        told = {field.name: getattr(order, field.name) for field in fields(order) if field.name != "report"}
        told |= {"source": order.source.absolute(), "folder": order.folder.absolute()}
        answers, answers_in = os.pipe()
        words, words_in = os.pipe()
        try:
            try:
                message = pickle.dumps((name, self.bounds, told))
                socket.send_fds(self.control, [message], [answers_in, words_in])
            except (BrokenPipeError, ConnectionResetError) as error:
                raise EngineFailed("the sandbox ended before its job") from error
            finally:
                os.close(answers_in)
                os.close(words_in)
            yield answers, words
        finally:
            os.close(answers)
            os.close(words)

    def watch(self, job: "Job", answers: int, words: int) -> int:
        """Read and report until the job has ended, and all it said is read; its exit status."""
        takers = {answers: job.hear, words: job.overhear}
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            for pipe in takers:
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ)
            while self.control not in (ready := [key.fileobj for key, _ in selector.select(TICK)]):
                for pipe in takers.keys() & ready:
                    if not read(pipe, takers[pipe]):
                        selector.unregister(pipe)
                job.keep_time(self.bounds)
        for pipe, take in takers.items():
            drain(pipe, take)
        if end := self.control.recv(READ):
            status, cpu, memory = json.loads(end)
            job.trace.saw(memory, job.words.decode("utf-8", "replace"))
            job.trace.ended(status, cpu)
            return int(status)
        raise EngineFailed("the sandbox itself ended")

    def stop(self) -> None:
        """Hang up, so that it kills its job and goes; and wait until both are gone."""
        LIVE.discard(self)
        self.control.close()
        if self.owner != os.getpid():
            self.process.returncode = 0  # another's child: not ours to wait for
            return
        try:
            self.process.wait(HANG_UP)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Job:
    """What is heard of one order's job."""

    def __init__(self, order: Order, trace: traces.Trace) -> None:
        self.order = order
        self.trace = trace
        self.fraction = 0.0
        self.answer: dict[str, Any] = {}
        self.rest = self.words = b""
        self.alive = time.monotonic()
        self.ticked = 0.0
        self.killings_before = killings()

    def hear(self, data: bytes) -> None:
        """Take in a piece of the answers."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LONGEST_ANSWER:
            raise EngineFailed("the job answers without end")
        for line in lines:
            with making_sense():
                self.answer = dict(json.loads(line))
                if "progress" in self.answer:
                    self.fraction = PROGRESS.validate_python(self.answer["progress"])
                    self.alive, self.ticked = time.monotonic(), 0.0

    def overhear(self, data: bytes) -> None:
        """Take in a piece of what it and its libraries print."""
        self.words = (self.words + data)[-TAIL:]

    def keep_time(self, bounds: Bounds) -> None:
        """Report four times a second, and give up a job that is silent for too long."""
        now = time.monotonic()
        if now - self.alive > bounds.stall:
            raise ResourceLimit(allowed=f"{bounds.stall:.0f} seconds")
        if now - self.ticked >= TICK:
            self.ticked = now
            self.order.report(self.fraction)

    def outcome(self, status: int, bounds: Bounds) -> Product:
        """The product, or the error that the job ended in, with its last words as a note."""
        try:
            if status:
                raise death(status, bounds, memory_ran_out=killings() > self.killings_before)
            return self.judged()
        except (MediaError, EngineFailed) as error:
            if self.words:
                error.add_note(self.words.decode("utf-8", "replace"))
            raise

    def judged(self) -> Product:
        with making_sense():
            match self.answer:
                case {"product": product}:
                    return self.believable(PRODUCT.validate_python(product))
                case {"refused": {"code": str(code), "details": dict(details)}}:
                    raise ERRORS[code](**details)
                case {"failed": {"reason": str(reason), "trace": str(trace), "errno": int() | None as number}}:
                    error = EngineFailed(reason, number)
                    error.add_note(trace)
                    raise error
        raise EngineFailed("the job ended without an answer")

    def believable(self, product: Product) -> Product:
        return replace(product, files=tuple(self.believable_file(made) for made in product.files))

    def believable_file(self, made: Made) -> Made:
        """The file, if it is one: a decoder that was taken over must not have us publish /etc/passwd, or a page."""
        path = self.order.folder / made.path.name
        kind, _, subtype = made.content_type.partition("/")
        if path.is_symlink() or not path.is_file() or kind not in ("image", "video") or not subtype.isalnum():
            raise ValueError(f"{made} is no file of the job")
        return replace(made, path=path)


@contextmanager
def making_sense() -> Iterator[None]:
    """An answer that cannot be understood is a failed engine."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise EngineFailed(f"the job's answer makes no sense: {error}") from error


def death(status: int, bounds: Bounds, *, memory_ran_out: bool) -> MediaError | EngineFailed:
    """What a job died of that did not answer. `memory_ran_out`: the kernel has killed somebody for it meanwhile."""
    if -status in CRASHES:
        return Corrupt(reason="the decoder crashed on it")
    if -status == signal.SIGXCPU:
        return ResourceLimit(allowed=f"{bounds.cpu} seconds")
    if -status == signal.SIGXFSZ:
        return ResourceLimit(allowed=f"{bounds.file_size // MIB} MiB of output")
    if -status == signal.SIGKILL and memory_ran_out:  # it takes the job first
        return ResourceLimit(allowed="memory")
    return EngineFailed(f"the job ended with status {status}")  # killed from outside, like all of us at a hard stop


def read(pipe: int, take: Callable[[bytes], None]) -> bool:
    """Take what is there now; False at the pipe's end."""
    data = os.read(pipe, READ)
    take(data)
    return bool(data)


def drain(pipe: int, take: Callable[[bytes], None]) -> None:
    """Take what a job that has ended left in the pipe."""
    with suppress(BlockingIOError):
        for _ in range(MIB // READ):  # a pipe holds at most 1 MiB
            if not read(pipe, take):
                return


def stop_all() -> None:
    """Stop the sandboxes of this process; in a fork, only close our copies of the parent's sockets."""
    for sandbox in list(LIVE):
        sandbox.stop()


LIVE: set[Sandbox] = set()
POOL = Pool()
os.register_at_fork(after_in_child=stop_all)
atexit.register(stop_all)
