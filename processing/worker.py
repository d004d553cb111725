"""What a Celery worker does beside its tasks: it has a name, says that it lives, and stops politely."""

import gc
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from celery import signals
from django.conf import settings
from django.db import close_old_connections
from redis.exceptions import RedisError

from processing import hands, runner, storage
from processing.bridge import connection

SPEAK = 5  # seconds
PRESENCE = 15  # seconds a worker counts as living after it was last heard

log = logging.getLogger(__name__)

# Its own even where two workers are started under one name; pool children inherit it by the fork.
name = f"{socket.gethostname()}/{os.getpid()}"


@signals.worker_init.connect
def begin(sender: Any, **_: Any) -> None:
    """Take a name, and begin to live."""
    global name  # noqa: PLW0603 - a process is one worker: this is its identity
    name = f"{sender.hostname}/{uuid.uuid4().hex[:8]}"
    live(lambda: speak(sender))
    storage.is_local()  # asks the storage, and so loads S3's client, where that is it: once, for all of the pool
    # Or the pool's first collections copy every page of ours: a prefork of 4 holds 254 MiB instead of 150
    # (PSS after 2000 tasks, tests/benchmarks/prefork.py).
    gc.freeze()


def hands_of(worker: Any) -> int:
    """How many jobs it does at once; Celery works `auto` out a moment after this worker began to live."""
    return worker.concurrency if isinstance(worker.concurrency, int) else 1


def speak(worker: Any) -> None:
    be_present(worker.app.amqp.queues.consume_from, hands_of(worker), hands.cores())
    tidy()


def tidy() -> None:
    """Clear away what the dead left in this machine's scratch folder: also our own children, that we outlive."""
    try:
        storage.clear_scratch()
    except OSError as error:
        log.warning("the scratch folder cannot be tidied: %s", error)


@signals.beat_init.connect
def begin_beat(**_: Any) -> None:
    live(lambda: None)


def live(say: Callable[[], None]) -> None:
    """Say every few seconds that this process lives, from a thread of its own.

    Not from Celery's own heartbeat: that stops with the broker, and then a probe would kill every
    worker, with what it is encoding, for an outage that is not its own.
    """

    def go_on() -> None:
        while True:
            touch_heartbeat()
            say()
            time.sleep(SPEAK)

    threading.Thread(target=go_on, name="living", daemon=True).start()


def touch_heartbeat() -> None:
    if settings.HEARTBEAT_FILE:
        try:
            settings.HEARTBEAT_FILE.touch()
        except OSError as error:
            log.warning("the heartbeat file cannot be touched: %s", error)


def be_present(queues: Iterable[str], at_once: int = 1, cores: int = 0) -> None:
    """Say which queues this worker takes from, how many jobs it does at once and on how many cores, by keys that fade.

    The cores are its machine's: other workers there say the same.
    """
    try:
        for queue in queues:
            connection().set(f"mediaweb:worker:{queue}:{name}", at_once, ex=PRESENCE)
        if cores:
            connection().set(f"mediaweb:cores:{hands.machine_of(name)}", cores, ex=PRESENCE)
    except RedisError as error:
        log.warning("Redis does not answer: %s", error)


@signals.worker_shutting_down.connect
def drain(**_: Any) -> None:
    """Told to stop: let jobs end by themselves for a while, then hand back those that have not."""
    timer = threading.Timer(settings.DRAIN_SECONDS, lambda: runner.hand_back(name))
    timer.daemon = True
    timer.start()


@signals.task_prerun.connect
@signals.task_postrun.connect
def drop_dead_connections(**_: Any) -> None:
    """A database that was restarted must not fail the next twenty jobs."""
    close_old_connections()
