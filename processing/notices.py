"""Mails to owners: one for each outcome of each original, those of the same minute in one message."""

import logging
from collections import defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import translation

from processing import mailing
from processing.clocks import is_ago
from processing.models import Notice, Run, RunStatus

log = logging.getLogger(__name__)

WORTH_A_MAIL = (RunStatus.READY, RunStatus.FAILED)
GATHER = timedelta(seconds=60)  # an owner's first finished original waits so long for others
MOST = 50  # originals of either outcome that a mail names; a holiday of four hundred is no letter
CLAIM = timedelta(minutes=5)  # longer than any mail server takes; then the mail is tried again


def owe(run: Run, outcome: RunStatus) -> None:
    """Owe the run's owner a mail about this outcome, once ever."""
    if outcome in WORTH_A_MAIL:
        Notice.objects.get_or_create(run=run, outcome=outcome)


def send_owed() -> int:
    """Send each owner who has waited long enough one mail about everything; how many mails."""
    return sum(send(mail) for mail in [*left_unsent(), *map(gather, owners_to_tell())])


def owners_to_tell() -> list[int]:
    due = Notice.objects.filter(is_ago("owed_at", GATHER), mail=None, sent_at=None)
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
    return Notice.objects.filter(Q(claimed_at=None) | is_ago("claimed_at", CLAIM), sent_at=None)


def send(mail: UUID) -> bool:
    """Send this mail, if nobody else is at it; to who wants none nothing is sent, nor owed any longer."""
    if not free().filter(mail=mail).update(claimed_at=Now()):
        return False
    rows = Notice.objects.filter(mail=mail)
    notices = list(rows.select_related("run__original__owner").order_by("pk"))
    if not notices:  # their originals are deleted
        return False
    owner: Any = notices[0].run.original.owner
    mailbox = mailing.mailbox_of(owner)
    is_sent = mailbox.is_wanted and bool(owner.email)
    if is_sent:
        with translation.override(mailbox.language):
            message(mail, owner, notices).send()
    rows.update(sent_at=Now())
    return is_sent


def message(mail: UUID, owner: Any, notices: list[Notice]) -> EmailMultiAlternatives:
    """The mail about these notices of one owner. It keeps its id, so that a second copy shows as one."""
    by_outcome = defaultdict(list)
    for notice in notices:
        by_outcome[notice.outcome].append(notice.run)
    ready, failed = by_outcome[RunStatus.READY], by_outcome[RunStatus.FAILED]
    context = {
        "owner": owner,
        "ready": ready,
        "failed": failed,
        "most": f":{MOST}",
        "ready_more": max(0, len(ready) - MOST),
        "failed_more": max(0, len(failed) - MOST),
        "base_url": settings.OWN_URL,
        "way_out": mailing.way_out(owner),
    }
    subject = render_to_string("processing/mail/outcomes_subject.txt", context).strip()
    body = render_to_string("processing/mail/outcomes.txt", context)
    headers = {
        "Message-ID": f"<{mail}@mediaweb>",
        "Auto-Submitted": "auto-generated",
        # One click in the mail program itself: RFC 8058.
        "List-Unsubscribe": f"<{context['way_out']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    letter = EmailMultiAlternatives(subject, body, to=[owner.email], headers=headers)
    letter.attach_alternative(
        render_to_string("processing/mail/outcomes.html", {**context, "subject": subject}), "text/html"
    )
    return letter
