"""What is owed when a run has ended: rows, written in the transaction that ends it, and sent by others."""

from django.conf import settings
from django.utils.module_loading import import_string

from processing.models import Run, RunStatus


def owe(run: Run, outcome: RunStatus) -> None:
    """Have everybody who is to be told write down what they owe. `run` is as it was before this."""
    for path in settings.OWED_AT_OUTCOME:
        import_string(path)(run, outcome)
