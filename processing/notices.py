"""Mails to owners: one for each outcome of each original, those of the same minute in one message."""

import logging
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string

from processing.models import Notice, Run, RunStatus

log = logging.getLogger(__name__)

WORTH_A_MAIL = (RunStatus.READY, RunStatus.FAILED)
GATHER = timedelta(seconds=60)  # an owner's first finished original waits so long for others
CLAIM = timedelta(minutes=5)  # longer than any mail server takes; then the mail is tried again


def owe(run: Run, outcome: RunStatus) -> None:
    """Owe the run's owner a mail about this outcome, once ever."""
    if outcome in WORTH_A_MAIL:
        Notice.objects.get_or_create(run=run, outcome=outcome)


def send_owed() -> int:
    """Send each owner who has waited long enough one mail about everything; how many mails."""
    return sum(send(owner_id) for owner_id in owners_to_tell())


def unclaimed() -> Any:
    free = Q(claimed_at=None) | Q(claimed_at__lt=Now() - CLAIM)
    return Notice.objects.filter(free, sent_at=None)


def owners_to_tell() -> list[int]:
    due = unclaimed().filter(owed_at__lt=Now() - GATHER)
    return list(due.values_list("run__original__owner_id", flat=True).distinct())


def send(owner_id: int) -> bool:
    """One mail to one owner, if nobody else is at it."""
    mine = [notice.pk for notice in unclaimed().filter(run__original__owner_id=owner_id) if claim(notice)]
    notices = list(Notice.objects.filter(pk__in=mine).select_related("run__original__owner"))
    if not notices:
        return False
    message(notices).send()
    Notice.objects.filter(pk__in=mine).update(sent_at=Now())
    return True


def claim(notice: Notice) -> bool:
    return bool(unclaimed().filter(pk=notice.pk).update(claimed_at=Now()))


def message(notices: list[Notice]) -> EmailMessage:
    """The mail about these notices of one owner. Its id is theirs, so that a second copy shows as one."""
    owner: Any = notices[0].run.original.owner
    by_outcome = defaultdict(list)
    for notice in notices:
        by_outcome[notice.outcome].append(notice.run)
    context = {
        "owner": owner,
        "ready": by_outcome[RunStatus.READY],
        "failed": by_outcome[RunStatus.FAILED],
        "base_url": settings.OWN_URL,
    }
    subject = render_to_string("processing/mail/outcomes_subject.txt", context).strip()
    body = render_to_string("processing/mail/outcomes.txt", context)
    ids = "-".join(str(notice.pk) for notice in (notices[0], notices[-1]))
    return EmailMessage(subject, body, to=[owner.email], headers={"Message-ID": f"<notices-{ids}@mediaweb>"})
