"""Engines: paths and presets in, files and facts out; they know neither Django nor Celery."""
