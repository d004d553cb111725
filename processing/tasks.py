"""Celery's side: each task is one line, and its arguments are ids."""

from celery import Task, shared_task

from processing import notices, runner, sweeping, worker


class Owed(Task):  # type: ignore[type-arg]  # at run time it takes none
    """A job's task. Where a process of the pool dies at it, its worker says so."""

    Request = "processing.dying:Request"  # by name: nobody but a worker needs it


@shared_task(ignore_result=True, base=Owed)
def run_image_job(job_id: int) -> None:
    runner.run(job_id, worker.name)


@shared_task(ignore_result=True, base=Owed)
def run_video_job(job_id: int) -> None:
    runner.run(job_id, worker.name)


@shared_task(ignore_result=True)
def advance(run_id: int) -> None:
    runner.advance(run_id)


@shared_task(ignore_result=True)
def sweep() -> None:
    sweeping.sweep()


@shared_task(ignore_result=True)
def send_notices() -> None:
    notices.send_owed()


@shared_task
def ping(text: str = "pong") -> str:
    """Give the text back: shows from a shell that broker, worker and result backend work together."""
    return text
