"""Two video workers of one service: who of them is at what, held where a test wants them."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil

from tests.e2e.service import ROOT, Service, state
from tests.waiting import until

FIRST, SECOND = "videos@", "videos-2@"


@contextmanager
def second_worker(service: Service) -> Iterator[None]:
    celery = f"{sys.executable} -m celery -A mediaweb worker -Q videos -n {SECOND}%h -c 1 -l INFO".split()
    path = service.data.parent / f"second-{uuid.uuid4()}.log"
    with path.open("ab") as log:
        command = ["setpriv", "--pdeathsig", "KILL", *celery]
        process = subprocess.Popen(command, cwd=ROOT, env=service.environment, stdout=log, stderr=log)
    try:
        until(lambda: " ready." in path.read_text(), 60)
        yield
    finally:
        process.terminate()
        process.wait(30)


def jobs(client: httpx.Client, original_id: str, step: str = "ladder") -> list[dict[str, Any]]:
    return [job for job in state(client, original_id)["jobs"] if job["step"] == step]


def encoders(service: Service, worker: str = "") -> list[psutil.Process]:
    """The encoders of ladders at work, of this worker alone where one is named."""
    return [process for process in service.running("ffmpeg", "mp4-360") if is_child_of(process, worker)]


def is_child_of(process: psutil.Process, worker: str) -> bool:
    try:
        return any(worker in " ".join(parent.cmdline()) for parent in process.parents())
    except psutil.NoSuchProcess:
        return False


def stopped(service: Service, worker: str) -> psutil.Process | None:
    """One of this worker's encoders, held in the middle of its part."""
    for process in encoders(service, worker):
        try:
            process.suspend()
            if process.status() == psutil.STATUS_STOPPED:
                return process
        except psutil.NoSuchProcess:
            continue
    return None
