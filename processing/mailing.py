"""How owners want our mails: their language, and the way out of them."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.urls import reverse

from processing.models import Mailbox

SIGNER = signing.Signer(salt="mediaweb.mails")  # without a date: a mail that is sent once more is the same mail


def mailbox_of(user: Any) -> Mailbox:
    """The user's own, or what holds for who has never said anything."""
    return Mailbox.objects.filter(user=user).first() or Mailbox(user=user)


def change(user: Any, **wanted: Any) -> None:
    """Keep what the user wants: `language`, `is_wanted`."""
    Mailbox.objects.update_or_create(user=user, defaults=wanted)


def met(user: Any, language: str) -> None:
    """The user came speaking this language; it holds as long as they have said nothing else."""
    Mailbox.objects.get_or_create(user=user, defaults={"language": language})


def way_out(user: Any) -> str:
    """The address where this user's mails are stopped, without signing in. It is good for ever: so is the mail."""
    return settings.OWN_URL + reverse("stop_mails", args=[SIGNER.sign(user.pk)])


def who_leaves(token: str) -> Any:
    """The user a way out was made for; None where it is none of ours."""
    try:
        return get_user_model().objects.filter(pk=SIGNER.unsign(token)).first()
    except signing.BadSignature:
        return None
