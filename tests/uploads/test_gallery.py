"""The gallery over many originals: by when they were taken, narrowed by its address, page by page."""

import random
import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from processing import listing as desk
from processing import runner
from processing.facts import Facts, Product
from processing.models import Job, JobStatus, Run
from processing.publishing import record
from tests.uploads.test_pages import a_ready_picture, a_ready_video, an_original, text_of
from uploads import listing
from uploads.listing import Filters
from uploads.models import Original

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2019, 5, 3, 12, tzinfo=UTC)


@pytest.fixture
def alice(alice, client):
    """Alice, signed in."""
    client.force_login(alice)
    return alice


def names(client, query=""):
    return re.findall(r'class="card [^>]* data-name="([^"]+)"', text_of(client, f"/{query}"))


def seed(owner, count, start=0):
    """So many ready originals, taken a minute apart, some at the very same moment."""
    rows = [
        Original(
            id=UUID(int=random.getrandbits(128)),
            owner=owner,
            name=f"{number}.jpg",
            kind="video" if number % 50 == 0 else "image",
            bytes=1000,
            sha256=f"{number:064}",
            key=f"originals/{number}",
            taken_at=LONG_AGO + timedelta(minutes=number // 3),
        )
        for number in range(start, start + count)
    ]
    Original.objects.bulk_create(rows, 1000)
    Run.objects.bulk_create([Run(original=row, kind=row.kind, status="ready", progress=1) for row in rows], 1000)


def test_gallery__by_when_it_was_taken_and_not_when_it_came(client, alice):
    a_ready_picture(alice, name="older.jpg", taken_at=LONG_AGO)
    a_ready_picture(alice, name="newer.jpg", taken_at=LONG_AGO + timedelta(days=1))
    a_ready_picture(alice, name="oldest.jpg", taken_at=LONG_AGO - timedelta(days=400))
    assert names(client) == ["newer.jpg", "older.jpg", "oldest.jpg"]
    page = text_of(client, "/")
    assert page.index(">May 4, 2019<") < page.index(">May 3, 2019<") < page.index(">March 29, 2018<")


def test_gallery__engine_says_when_it_was_taken(alice, upload, settings):
    settings.TIME_ZONE = "America/Mexico_City"
    run = Run.objects.get(original=upload())
    job = run.jobs.get(step="inspect")
    Job.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING)
    record(job, Product(facts=Facts("image", "JPEG", 4, 3, taken="2019-05-03T08:00:00")), [])
    assert timezone.localtime(Original.objects.get().taken_at).isoformat() == "2019-05-03T08:00:00-05:00"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?kind=video", ["dog.mp4"]),
        ("?status=failed", ["torn.jpg"]),
        ("?status=received", ["new.jpg"]),
        ("?q=SUN", ["sunset.jpg"]),
        ("?since=2019-05-03&until=2019-05-03", ["sunset.jpg"]),
        ("?until=2019-05-02", []),
        ("?kind=image&since=2019-05-04", ["new.jpg", "torn.jpg"]),
        ("?kind=x&status=x&since=x&until=9999-12-31", ["new.jpg", "dog.mp4", "torn.jpg", "sunset.jpg"]),
    ],
)
def test_gallery__is_narrowed_by_its_address(client, alice, query, found):
    a_ready_picture(alice, name="sunset.jpg", taken_at=LONG_AGO)
    an_original(alice, "torn.jpg", status="failed")
    a_ready_video(alice)
    an_original(alice, "new.jpg")
    assert names(client, query) == found


def test_gallery__says_what_it_is_narrowed_to_and_offers_the_rest(client, alice):
    page = text_of(client, "/?q=a&kind=video&status=failed&since=2019-05-03")
    assert '<input type="hidden" name="kind" value="video" form="finding">' in page
    assert '<option value="failed" selected>Failed</option>' in page
    assert 'href="?q=a&amp;kind=video&amp;since=2019-05-03"' in page  # without the status
    assert "data-new=" not in page  # what arrives may not belong here
    assert "Show all" in page


def test_gallery__link_to_the_next_page_keeps_the_filters(client, alice, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 1)
    monkeypatch.setattr("uploads.listing.page.__defaults__", ("", 1, "taken_at"))
    for number in range(2):
        a_ready_picture(alice, name=f"{number}.jpg")
    assert re.search(r'class="more" href="\?kind=image&amp;cursor=[^"]+"', text_of(client, "/?kind=image"))


def test_pages__hold_each_original_once(alice):
    seed(alice, 200)
    rows, cursor, seen = Original.objects.filter(owner=alice), "", []
    while cursor is not None:
        page = listing.page(rows, cursor, 7, "taken_at")
        seen += page.items
        cursor = page.next_cursor
    assert len(seen) == len({item.pk for item in seen}) == 200
    assert seen == sorted(seen, key=lambda item: (item.taken_at, item.pk), reverse=True)


@pytest.mark.parametrize("query", ["", "kind=video"])
def test_pages__thousandth_begins_where_the_index_says(client, alice, query):
    seed(alice, 3000)
    if connection.vendor == "postgresql":  # which sorts the few that a test has for less
        connection.cursor().execute("ANALYZE; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    at = Original.objects.order_by("taken_at", "pk")[100]
    rows = Filters(**dict([query.split("=")] if query else [])).apply(Original.objects.filter(owner=alice))
    rows = rows.filter(listing.beyond("taken_at", at.taken_at, at.pk)).order_by("-taken_at", "-id")[:51]
    plan = rows.explain()
    assert "original_by_kind" in plan if query else "original_by_" in plan
    if connection.vendor == "sqlite":
        assert "taken_at<?" in plan
        assert "TEMP B-TREE" not in plan
    else:
        assert "taken_at <= " in plan[: plan.index("Filter:")]
        assert "Sort" not in plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads the names themselves")
def test_search__reads_the_index_and_no_rows_but_those_it_finds(alice):
    rows = Filters(q="dawn").apply(Original.objects.filter(owner=alice)).order_by("-taken_at", "-id").values("pk")
    assert "COVERING INDEX original_by_taking" in rows.explain()
    assert "COVERING INDEX original_by_" in desk.Filters(q="dawn").apply(Run.objects.all()).explain()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="has trigrams")
def test_search__goes_by_trigrams(alice):
    seed(alice, 3000)
    # Of so few it would read all, which costs less.
    connection.cursor().execute("ANALYZE; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    rows = Filters(q="2999.jp").apply(Original.objects.all()).order_by("-taken_at", "-id")[:51]
    assert "original_by_part_of_name" in rows.explain()
    assert [original.name for original in rows] == ["2999.jpg"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="has extensions")
def test_search__does_without_trigrams_where_we_may_not_have_them(alice):
    migration = import_module("uploads.migrations.0007_names")
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP EXTENSION pg_trgm CASCADE; CREATE ROLE humble; GRANT CREATE, USAGE ON SCHEMA public TO humble"
        )
        cursor.execute("SET LOCAL ROLE humble")
    migration.index_names(None, SimpleNamespace(connection=connection))
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        assert not trigrams(cursor)
    migration.index_names(None, SimpleNamespace(connection=connection))
    with connection.cursor() as cursor:
        assert trigrams(cursor)


def trigrams(cursor):
    """The definition of their index, where there is one."""
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'original_by_part_of_name'")
    return cursor.fetchone()


@pytest.mark.parametrize("deep", [False, True])
def test_pages__cost_few_queries_however_many_there_are(client, alice, django_assert_max_num_queries, deep):
    seed(alice, 1000)
    at = Original.objects.order_by("taken_at")[500]
    cursor = f"?cursor={listing.encode(at, 'taken_at')}" if deep else ""
    with django_assert_max_num_queries(9):
        assert len(names(client, cursor)) == listing.PAGE


def test_pages__lines_cost_four_more_however_many_stand_in_them(client, alice, django_assert_max_num_queries):
    for number in range(5):
        an_original(alice, f"{number}.jpg")
    with django_assert_max_num_queries(9 + 4):
        text_of(client, "/")


def test_neighbours__go_by_when_they_were_taken(client, alice):
    middle = a_ready_picture(alice, taken_at=LONG_AGO)
    newer = a_ready_picture(alice, taken_at=LONG_AGO + timedelta(days=1))
    older = a_ready_picture(alice, taken_at=LONG_AGO - timedelta(days=1))
    page = text_of(client, f"/originals/{middle.pk}")
    assert f'rel="prev" href="/originals/{newer.pk}"' in page
    assert f'rel="next" href="/originals/{older.pk}"' in page


def test_start__keeps_it_where_it_came_until_it_is_measured(alice):
    original = an_original(alice)
    runner.advance(original.run.pk)
    assert Original.objects.get().taken_at == original.created_at
