"""A clock that was hours ahead, and has been set right: nothing waits for those hours."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils.timezone import now

from processing import doorbells, notices, sweeping
from processing.bridge import connection
from processing.models import Job, JobStatus, Notice, RunStatus
from tests.processing.test_runner import job_of, work

pytestmark = pytest.mark.django_db(transaction=True)

AHEAD = timedelta(hours=5)


def test_lease__of_a_dead_worker_whose_clock_was_ahead_is_over(upload):
    job = job_of(upload(), "inspect")
    job.claim("worker-a")
    Job.objects.update(lease_until=now() + AHEAD)
    assert sweeping.sweep()["taken_back"] == 1


def test_pause__of_a_worker_whose_clock_was_ahead_is_over(upload):
    original = upload()
    connection().flushall()
    Job.objects.filter(step="inspect").update(status=JobStatus.WAITING, not_before=now() + AHEAD)
    sweeping.sweep()
    work()
    original.run.refresh_from_db()
    assert original.run.status == RunStatus.READY


def test_message__lost_by_a_worker_whose_clock_was_ahead_is_sent_again(upload):
    job = job_of(upload(), "inspect")
    connection().flushall()
    Job.objects.filter(pk=job.pk).update(rung_at=now() + AHEAD)
    sweeping.sweep()
    assert doorbells.heard() == {job.pk}


def test_mail__owed_by_a_worker_whose_clock_was_ahead_is_sent(upload):
    upload()
    work()
    Notice.objects.update(owed_at=now() + AHEAD)
    notices.send_owed()
    assert len(mail.outbox) == 1
