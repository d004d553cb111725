"""The Celery application: this Django project, reused by every worker and by beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
# Before it loads the tasks, Celery would run Django's checks, and throw away what they say. They load every address
# of the site, which is nothing to a worker or beat: 0.3 s of CPU and 9 MiB in each.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")

app = Celery("mediaweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
