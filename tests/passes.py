"""What runs in which pass of `make test`, what first, and what has the machine to itself."""

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
    "e2e/test_every_page.py",
    "e2e/test_survival.py",
    "e2e/test_lifecycle.py",
    "e2e/test_direct.py",
    "e2e/test_uploading.py",
    "e2e/test_browser.py",
    "e2e/test_s3.py",
    "e2e/test_gallery.py",
)
PLACES = {TESTS / name: place for place, name in enumerate(LONGEST)}
# What would tell of the machine, and no longer of the service, beside another service's work: it strikes by the clock,
# measures time or memory, listens to a film while it plays, or must have ended within so many seconds.
ALONE = (
    "chaos/test_chaos.py",
    "e2e/test_bombs.py",
    "e2e/test_fairness.py",
    "e2e/test_films.py",
    "e2e/test_parts.py",
    "e2e/test_parts_s3.py",
    "e2e/test_recovery.py",
)
MEASURED = {TESTS / name for name in ALONE}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: PLACES.get(item.path, len(PLACES)))
    for item in items:
        if asks_the_database(item) and not item.get_closest_marker("once"):
            item.add_marker("database")
        if item.path in MEASURED:
            item.add_marker("alone")


def asks_the_database(item: pytest.Item) -> bool:
    """Whether it may: pytest-django refuses a connection to whatever does not say that it wants one."""
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db")) or not {"db", "transactional_db"}.isdisjoint(names)
