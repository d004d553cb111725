"""A job whose worker is gone: tried again, or set aside with the evidence, and the queue moves on."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from processing import doorbells, last_words, quarantine, sweeping
from processing.dying import take_back
from processing.models import Job, JobStatus, RunStatus
from tests.processing.test_runner import expire_leases, job_of, work

pytestmark = pytest.mark.django_db(transaction=True)
SEGFAULT = "Worker exited prematurely: signal 11 (SIGSEGV) Job: 3."
KILLED = "Worker exited prematurely: signal 9 (SIGKILL) Job: 3."


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A claimed job whose process is said to have ended so, as the pool says it."""
    monkeypatch.setattr("processing.worker.name", "worker-a")

    def dies(job: Job, said: str) -> Job:
        job.refresh_from_db()
        assert job.claim("worker-a", 100 << 20)
        take_back(job.pk, said)
        job.refresh_from_db()
        return job

    return dies


@pytest.fixture
def left() -> Iterator[Callable[[Job], Path]]:
    """The scratch folder that the first attempt at a job leaves behind."""
    made: list[Path] = []

    def left(job: Job) -> Path:
        made.append(settings.SCRATCH / f"job-{job.pk}-1.left")
        made[-1].mkdir()
        return made[-1]

    yield left
    for folder in made:
        shutil.rmtree(folder)


def test_first_crash__is_tried_again_at_once(upload, dies):
    job = dies(job_of(upload(), "inspect"), SEGFAULT)
    assert (job.status, job.crashes, job.losses) == (JobStatus.QUEUED, 1, 0)
    assert job.pk in doorbells.heard()


def test_second_crash__sets_it_aside_with_the_evidence_and_the_next_goes_on(upload, dies):
    poison, other = upload(), upload()
    for _ in range(2):
        job = dies(job_of(poison, "inspect"), SEGFAULT)
    poison.run.refresh_from_db()
    assert (poison.run.status, poison.run.error_code) == (RunStatus.FAILED, "internal")
    assert "took its worker down 2 times" in poison.run.error_message
    assert "signal 11 (SIGSEGV)" in poison.run.error_message
    assert [(item["worker"], item["attempt"], item["end"], item["memory"]) for item in job.evidence] == [
        ("worker-a", number, "signal 11 (SIGSEGV)", {"stated": 100}) for number in (1, 2)
    ]
    work()
    other.run.refresh_from_db()
    assert other.run.status == RunStatus.READY


def test_killed_from_outside__is_a_loss_and_no_crash(upload, dies):
    job = job_of(upload(), "inspect")
    for _ in range(quarantine.CRASHES_ALLOWED):
        job = dies(job, KILLED)
    assert (job.status, job.crashes, job.losses) == (JobStatus.QUEUED, 0, 2)


def test_killed_for_want_of_memory__is_a_crash(upload, dies, left, monkeypatch):
    job = job_of(upload(), "inspect")
    folder = left(job)
    with last_words.kept(folder):
        pass
    before = last_words.killings()
    monkeypatch.setattr(last_words, "killings", lambda: before + 1)
    job = dies(job, KILLED)
    assert (job.crashes, job.losses, job.evidence[0]["out_of_memory"]) == (1, 0, True)
    assert 10 < job.evidence[0]["memory"]["held"] < 2000


def test_leases_that_run_out__end_too(upload):
    original = upload()
    for number in range(quarantine.LOSSES_ALLOWED):
        assert job_of(original, "inspect").claim(f"worker-{number}")
        expire_leases()
        sweeping.sweep()
    original.run.refresh_from_db()
    assert (original.run.status, original.run.error_code) == (RunStatus.FAILED, "internal")
    assert f"lost its worker 5 times, last worker-{number}" in original.run.error_message
    assert len(job_of(original, "inspect").evidence) == 5


def test_lease_that_runs_out_after_a_fatal_error__is_a_crash(upload, left):
    """As of a worker without a pool, which nobody outlives to tell."""
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    folder = left(job)
    (folder / last_words.WORDS).write_text("Fatal Python error: Segmentation fault\n")
    expire_leases()
    sweeping.sweep()
    job.refresh_from_db()
    assert (job.crashes, job.losses) == (1, 0)


def test_retry__begins_without_the_evidence(upload, dies):
    from processing import runner

    original = upload()
    for _ in range(2):
        job = dies(job_of(original, "inspect"), SEGFAULT)
    runner.retry(original.run.pk)
    job.refresh_from_db()
    assert (job.status, job.crashes, job.evidence) == (JobStatus.QUEUED, 0, [])


def test_another_workers_job__is_left_alone(upload, dies):
    job = job_of(upload(), "inspect")
    job.claim("worker-b")
    take_back(job.pk, SEGFAULT)
    job.refresh_from_db()
    assert (job.status, job.worker) == (JobStatus.RUNNING, "worker-b")


def test_last_words__outlive_a_segmentation_fault(upload, left):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    folder = left(job)
    script = f"""
import logging, os, pathlib, signal, django
django.setup()
from processing import last_words
with last_words.kept(pathlib.Path({str(folder)!r})):
    logging.getLogger().error("reading the third frame")
    os.kill(os.getpid(), signal.SIGSEGV)
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "mediaweb.settings"}
    done = subprocess.run([sys.executable, "-c", script], cwd=settings.BASE_DIR, env=environment, check=False)
    assert done.returncode == -signal.SIGSEGV
    lines = last_words.evidence(job, "")["lines"]
    assert "reading the third frame" in lines
    assert "Fatal Python error: Segmentation fault" in lines


def test_last_words__leave_log_and_faults_as_they_were(tmp_path: Path):
    before = list(logging.getLogger().handlers)
    with last_words.kept(tmp_path) as note:
        pass
    note()  # a heartbeat that comes late
    assert logging.getLogger().handlers == before
