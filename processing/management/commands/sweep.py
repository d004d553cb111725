"""`manage.py sweep`: one round of recovery by hand; beat does the same every ten seconds."""

from typing import Any

from django.core.management import CommandError
from redis.exceptions import RedisError

from processing import sweeping
from processing.commands import QuickCommand


class Command(QuickCommand):
    help = "Take back what dead workers held, begin what is due, ring again for lost messages."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = sweeping.sweep()
        except RedisError as error:
            raise CommandError(f"Redis does not answer ({error}). Run `manage.py doctor` for what to do.") from error
        for name, count in done.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
