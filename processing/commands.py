"""What our management commands have in common."""

from django.core.management import BaseCommand


class QuickCommand(BaseCommand):
    """Begins at once, without Django's checks of the whole project: more than a command itself costs, most times.

    They load every address of the site, and look at code, which is the same at every start: a test runs them.
    """

    requires_system_checks = ()
