"""The stage of these tests: a checkout whose static files nobody has collected."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def uncollected(settings: Any, tmp_path: Path) -> None:
    """Pages name static files as they are, and Whitenoise finds a folder, if an empty one."""
    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow by design, and no test here is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
