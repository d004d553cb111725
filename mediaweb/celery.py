"""The Celery application: this Django project, reused by every worker and by beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")

app = Celery("mediaweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
