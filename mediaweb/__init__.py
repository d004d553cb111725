"""The project: settings, Celery, addresses, and the frame of every page."""

from mediaweb.celery import app as celery_app

__all__ = ("celery_app",)
