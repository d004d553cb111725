"""Messages to the workers. They carry ids alone, and any of them may be lost or come twice."""

import base64
import json
import logging
from collections.abc import Collection, Iterator, Sequence

from celery import current_app, signature
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from processing.bridge import connection, silence
from processing.models import Job

log = logging.getLogger(__name__)

# The task that answers on each queue; CELERY_TASK_ROUTES leads it there.
TASKS = {
    "images": "processing.tasks.run_image_job",
    "videos": "processing.tasks.run_video_job",
}
# Workers take from the right (BRPOP), senders add at the left (LPUSH). A message that is gone meanwhile
# is with a worker, and is not made twice.
TO_FRONT = """if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then return redis.call('RPUSH', KEYS[1], ARGV[1]) end"""
PAGE = 1000  # messages read at once: about a megabyte


def ring(run_id: int, jobs: Sequence[Job]) -> None:
    """Send each of these jobs to its queue, as a chain that ends in `advance`. Lost rings are the sweep's work.

    One chain for each: the links of one chain are answered one after the other, and parts of a film
    are for every worker that is free.
    """
    last = signature("processing.tasks.advance", (run_id,), immutable=True)
    try:
        with silence.spared():
            for job in jobs:
                # As `chain(bell, last)` would send it, in half of the time.
                current_app.send_task(TASKS[job.queue], (job.pk,), chain=[last], retry=False, ignore_result=True)
    except (OperationalError, RedisError) as error:
        log.warning("run %s: nobody could be told (%s); the sweep will try again", run_id, error)


def move_to_front(jobs: Collection[int]) -> None:
    """Let the messages of these jobs be the next that are taken, in the order they stand in now."""
    try:
        for queue in TASKS:
            for message in [text for text in messages(queue) if set(job_ids(text)) & set(jobs)]:
                connection().eval(TO_FRONT, 1, queue, message)
    except RedisError as error:
        log.warning("jobs %s could not be moved to the front (%s)", jobs, error)


def heard() -> set[int]:
    """Ids of the jobs whose message lies in a queue."""
    return {job_id for queue in TASKS for message in messages(queue) for job_id in job_ids(message)}


def messages(queue: str) -> Iterator[bytes | str]:
    start = 0
    while page := connection().lrange(queue, start, start + PAGE - 1):
        yield from page
        start += PAGE


def job_ids(message: bytes | str) -> Iterator[int]:
    """The job's id in a message of Celery's protocol 2: the first argument in its base64 body."""
    arguments = json.loads(base64.b64decode(json.loads(message)["body"]))[0]
    if arguments and isinstance(arguments[0], int):
        yield arguments[0]
