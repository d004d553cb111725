"""What runs in which pass of `make test`, and what first."""

from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The files of more than half a minute: what takes long and begins last leaves the other core without work, and left to
# itself xdist begins with the files of many tests.
LONGEST = (
    "processing/test_model.py",
    "uploads/test_player.py",
    "uploads/test_document.py",
    "processing/engines/test_joins.py",
    "processing/engines/test_videos.py",
    "uploads/test_files_s3.py",
    "uploads/test_files.py",
    "processing/engines/test_packaging.py",
    "processing/test_reprocess.py",
    "processing/test_storage_s3.py",
    "processing/test_parts.py",
)
PLACES = {TESTS / name: place for place, name in enumerate(LONGEST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: PLACES.get(item.path, len(PLACES)))
    for item in items:
        if asks_the_database(item) and not item.get_closest_marker("once"):
            item.add_marker("database")


def asks_the_database(item: pytest.Item) -> bool:
    """Whether it may: pytest-django refuses a connection to whatever does not say that it wants one."""
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db")) or not {"db", "transactional_db"}.isdisjoint(names)
