"""Celery's side of uploads: each task is one line."""

from celery import shared_task

from uploads import receiving


@shared_task(ignore_result=True)
def sweep_uploads() -> None:
    receiving.sweep()
