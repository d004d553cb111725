"""Times that rows wait for, where a clock may have been wrong when they were written, or be wrong now.

What lies further ahead than anybody ever waits is over: a clock that ran hours ahead and was set right would
otherwise keep a job, a lease or a message waiting for those hours. Whoever is taken for dead by a clock that is
wrong loses his work to another, by the fence, and nothing else.
"""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now


def is_over(field: str, longest: timedelta) -> Q:
    """This time has come; it was set to `longest` ahead at most."""
    return Q(**{f"{field}__lte": Now()}) | Q(**{f"{field}__gt": Now() + longest})


def is_ago(field: str, span: timedelta) -> Q:
    """It was then at least so long ago; what lies ahead by as much was not written by this clock."""
    return Q(**{f"{field}__lt": Now() - span}) | Q(**{f"{field}__gt": Now() + span})
