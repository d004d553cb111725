"""The sandbox's own side: a process that has everything loaded, and forks for each job.

It decodes nothing itself, so no job finds what another has left, and there is nothing to recycle. The
fork is fenced to its own source and folder, works, answers in lines of JSON, and is gone.
"""

import gc
import importlib
import json
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import IO, Any, NoReturn

from PIL import Image

from processing.engines import fence
from processing.errors import MediaError, ResourceLimit
from processing.facts import Order, Product

Make = Callable[[Order], Product]

LARGEST_ORDER = 65_536  # bytes: eight presets are 700
TRACEBACK = 2000  # characters of its end: the last six calls


def main(control: socket.socket, names: list[str]) -> None:
    """Answer orders to the functions of these names, and no others, until the parent is gone."""
    makes = {name: imported(name) for name in names}
    Image.init()  # all plugins: they would be imported by the first file of a rarer format, in each fork
    importlib.import_module("av")  # and this by the first JPEG
    gc.collect()
    gc.freeze()  # or the first collection in a fork touches, and so copies, every page
    while True:
        message, handles, *_ = socket.recv_fds(control, LARGEST_ORDER, 2)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            work_and_exit(makes, message, *handles)
        for handle in handles:
            os.close(handle)
        control.send(json.dumps(end_of(pid, control)).encode())


def imported(name: str) -> Make:
    """The function that is called `module:function`."""
    module, _, function = name.partition(":")
    make: Make = getattr(importlib.import_module(module), function)
    return make


def end_of(pid: int, control: socket.socket) -> tuple[int, float, int]:
    """The job's exit status, negative for a signal, its CPU seconds, and the most bytes it held.

    If the parent hangs up meanwhile, it ends at once.
    """
    handle = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(control, select.POLLIN)
    if any(ready != handle for ready, _ in poll.poll()):
        os.kill(pid, signal.SIGKILL)  # it is not reaped yet, so the number is still its own
    os.close(handle)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def work_and_exit(makes: Mapping[str, Make], message: bytes, answers: int, words: int) -> NoReturn:
    """Be the job: nothing of the process that was forked runs on after it."""
    status = 1
    try:
        os.dup2(words, sys.stdout.fileno())  # what a C library prints is evidence, not an answer
        os.dup2(words, sys.stderr.fileno())
        os.close(words)
        with os.fdopen(answers, "w", encoding="utf-8") as pipe:
            work(makes, message, pipe)
        status = 0
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is; its words tell
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def work(makes: Mapping[str, Make], message: bytes, pipe: IO[str]) -> None:
    """Do one order within the fence and write what came of it."""

    def tell(**answer: Any) -> None:
        pipe.write(json.dumps(answer, default=str) + "\n")
        pipe.flush()

    # Only the parent writes to this socket: the job has closed its end before it sees a foreign byte.
    name, bounds, fields = pickle.loads(message)  # noqa: S301
    make = makes[name]
    order = Order(**fields, report=lambda fraction: tell(progress=fraction))
    os.chdir(order.folder)
    tempfile.tempdir = str(order.folder)
    fence.enter(bounds, order.source, order.folder)
    tell(**answer_to(make, order))


def answer_to(make: Make, order: Order) -> dict[str, Any]:
    try:
        return {"product": asdict(make(order))}
    except MediaError as error:
        return {"refused": {"code": error.code, "details": error.details}}
    except MemoryError:
        return {"refused": {"code": ResourceLimit.code, "details": {"allowed": "memory"}}}
    except Exception as error:  # noqa: BLE001 - handed on: the parent raises it
        trace = traceback.format_exc()[-TRACEBACK:]
        failed = {"reason": f"{type(error).__name__}: {error}"[:300], "trace": trace}
        return {"failed": failed | {"errno": getattr(error, "errno", None)}}


if __name__ == "__main__":
    # Raised again in every fork, which then is the only user of the socket's other descriptor.
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
