"""Celery's side of uploads: each task is one line."""

import logging
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from uploads import garbage, idempotency
from uploads.intake import receiving
from uploads.webhooks import outbox

log = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def sweep_uploads() -> None:
    receiving.sweep()


@shared_task(ignore_result=True)
def abort_forsaken() -> None:
    garbage.abort_forsaken()


@shared_task(ignore_result=True)
def finish_upload(upload_id: str) -> None:
    receiving.finish_left(UUID(upload_id))


@shared_task(ignore_result=True)
def send_webhooks(endpoint_id: str) -> None:
    outbox.send_due(UUID(endpoint_id))


@shared_task(ignore_result=True)
def sweep_webhooks() -> None:
    outbox.sweep()


@shared_task(ignore_result=True)
def forget_old() -> None:
    outbox.forget_old()
    idempotency.forget_old()


def ring_finish(upload_id: UUID) -> None:
    """Have a worker end a whole upload now; the sweep will do it anyway."""
    try:
        finish_upload.apply_async((str(upload_id),), retry=False)
    except (OperationalError, RedisError) as error:
        log.warning("upload %s waits for the sweep: %s", upload_id, error)
