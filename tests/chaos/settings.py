"""The service's own settings for a chaos run: shorter waits, mails into files, and the tests' switches."""

import os

from mediaweb.settings import *  # noqa: F403 - the service as it is, but for what follows
from mediaweb.settings import CELERY_BEAT_SCHEDULE, DATA, INSTALLED_APPS, STORAGES

SHORT = os.environ.get("CHAOS_TIMES", "short") == "short"
INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.switches.Switches"]
MAILS = DATA / "mails"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = str(MAILS)

if SHORT:
    SWEEP_SECONDS = 2
    for entry in CELERY_BEAT_SCHEDULE.values():
        entry["schedule"] = SWEEP_SECONDS
        entry["options"] = {"expires": SWEEP_SECONDS}
    if "client_config" in STORAGES["default"].get("OPTIONS", {}):
        STORAGES["default"]["OPTIONS"]["client_config"].read_timeout = 4

# What Celery calls an early acknowledgement costs us nothing: messages are doorbells (docs/promises.md).
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = os.environ.get("CHAOS_ACKS", "late") == "late"
