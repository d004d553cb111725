"""A webhook's words on its page."""

from collections.abc import Iterable

from django import template
from django.utils.translation import gettext, gettext_noop

from uploads.models import Delivery, Endpoint
from uploads.webhooks.addresses import Refused

register = template.Library()

EVENTS = {
    "original.ready": gettext_noop("ready"),
    "original.failed": gettext_noop("failed"),
    "webhook.test": gettext_noop("test"),
}
PROBLEMS = {
    "status": gettext_noop("It did not answer with success (2xx)."),
    "redirect": gettext_noop("It sent us elsewhere, and we do not follow."),
    "timeout": gettext_noop("It did not answer within 10 seconds."),
    "unreachable": gettext_noop("Nobody answers there."),
    "certificate": gettext_noop("Its certificate cannot be trusted, or it speaks no TLS."),
    "nonsense": gettext_noop("What it answers is not HTTP."),
    **Refused.sentences,
}
OFF = {
    "failing": gettext_noop("Switched off, because nothing has arrived there for a day."),
    "gone": gettext_noop("Switched off, because it answered 410: gone."),
}


@register.filter
def event_word(event: str) -> str:
    """What happened, in a word."""
    return gettext(EVENTS[event])


@register.filter
def problem_sentence(delivery: Delivery) -> str:
    """Why the last try was none; empty where it was, or has not been."""
    return gettext(PROBLEMS[delivery.problem]) if delivery.problem else ""


@register.filter
def off_sentence(reason: str) -> str:
    """Why we switched an endpoint off."""
    return gettext(OFF[reason])


@register.filter
def is_expecting(endpoint: Endpoint, log: Iterable[Delivery]) -> bool:
    """Whether something in the log may change within seconds: it has just been sent off, and nothing failed yet."""
    return endpoint.is_on and not endpoint.failing_since and any(line.status == "pending" for line in log)
