"""Mails to owners: one for each outcome of each original, those of the same minute in one message."""

import logging
from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

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
    Notice.objects.get_or_create(run=run, outcome=outcome)


def send_owed() -> int:
    """Send each owner who has waited long enough one mail about everything; how many mails."""
    return sum(send(mail) for mail in [*left_unsent(), *map(gather, owners_to_tell())])


def owners_to_tell() -> list[int]:
    due = Notice.objects.filter(mail=None, sent_at=None, owed_at__lt=Now() - GATHER)
    return list(due.values_list("run__original__owner_id", flat=True).distinct())


def gather(owner_id: int) -> UUID:
    """Put all that this owner is owed into one mail, for good: what is tried again is the same mail."""
    mail = uuid4()
    waiting = Notice.objects.filter(mail=None, sent_at=None, run__original__owner=owner_id).values_list("pk", flat=True)
    Notice.objects.filter(pk__in=list(waiting), mail=None).update(mail=mail)
    return mail


def left_unsent() -> list[UUID]:
    """The mails that were not sent, and that nobody is at."""
    return list(free().exclude(mail=None).values_list("mail", flat=True).distinct())


def free() -> Any:
    return Notice.objects.filter(Q(claimed_at=None) | Q(claimed_at__lt=Now() - CLAIM), sent_at=None)


def send(mail: UUID) -> bool:
    """Send this mail, if nobody else is at it."""
    if not free().filter(mail=mail).update(claimed_at=Now()):
        return False
    rows = Notice.objects.filter(mail=mail)
    message(mail, list(rows.select_related("run__original__owner"))).send()
    rows.update(sent_at=Now())
    return True


def message(mail: UUID, notices: list[Notice]) -> EmailMessage:
    """The mail about these notices of one owner. It keeps its id, so that a second copy shows as one."""
    owner: Any = notices[0].run.original.owner
    by_outcome = defaultdict(list)
    for notice in notices:
        by_outcome[notice.outcome].append(notice.run)
    context = {
        "owner": owner,
        "ready": by_outcome[RunStatus.READY],
        "failed": by_outcome[RunStatus.FAILED],
        "base_url": settings.BASE_URL or f"http://127.0.0.1:{settings.ENV.port}",
    }
    subject = render_to_string("processing/mail/outcomes_subject.txt", context).strip()
    body = render_to_string("processing/mail/outcomes.txt", context)
    return EmailMessage(subject, body, to=[owner.email], headers={"Message-ID": f"<{mail}@mediaweb>"})
