"""Between tests with transactions of their own: the tables are as Django's own flush leaves them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test import TransactionTestCase

from tests import emptying
from tests.processing.test_runner import work
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
CASE = TransactionTestCase("__init__")


@pytest.fixture(autouse=True)
def empty() -> None:
    """From here on there is something to compare with."""
    emptying.empty(CASE)


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Those that Django has done meanwhile."""
    done: list[Any] = []
    flush = emptying.flush
    monkeypatch.setattr(emptying, "flush", lambda case: done.append(case) or flush(case))
    return done


def everything() -> dict[str, list[Any]]:
    """All rows there are, without their numbers."""
    found = emptying.rows("default", emptying.tables_with_rows("default"))
    found["auth_permission"] = list(Permission.objects.values_list("codename", "name", "content_type__model"))
    return {table: sorted(row[-2:] for row in rows) for table, rows in found.items()}


def test_emptied__is_what_a_flush_leaves(upload, charlie, client, flushes):
    client.force_login(charlie)
    upload()
    work()
    assert len(emptying.tables_with_rows("default")) > 10
    emptying.empty(CASE)
    assert flushes == []
    emptied = everything()
    emptying.flush(CASE)
    assert emptied == everything()
    assert set(emptied) == {"auth_permission", "django_content_type"}


def test_what_a_flush_leaves__is_made_anew_where_it_was_changed(flushes):
    before = everything()
    Permission.objects.filter(codename="add_user").delete()
    emptying.empty(CASE)
    assert (flushes, everything()) == ([CASE], before)
    Permission.objects.filter(codename="add_user").update(name="may add anybody")
    emptying.empty(CASE)
    assert (flushes, everything()) == ([CASE, CASE], before)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite's writers stand in line anyway")
def test_emptying__waits_for_who_is_in_a_transaction():
    def empty() -> None:
        try:
            emptying.empty(CASE)
        finally:
            connection.close()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            User.objects.create_user("bob")
            emptied = other.submit(empty)
            until(lambda: waits() or emptied.done())
        emptied.result(20)
    assert not User.objects.exists()
