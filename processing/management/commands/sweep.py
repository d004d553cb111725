"""`manage.py sweep`: one round of recovery by hand; beat does the same every ten seconds."""

from typing import Any

from django.core.management import BaseCommand

from processing import runner


class Command(BaseCommand):
    help = "Take back what dead workers held, begin what is due, ring again for lost messages."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, count in runner.sweep().items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
