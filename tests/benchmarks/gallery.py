"""What a page of the gallery costs: the first and the thousandth of 100,000 originals, and narrowed ones; and the desk.

`python -m tests.benchmarks.gallery [--rows 100000] [--rounds 7]`: milliseconds of the list alone and of the whole
page, medians, as a table and JSON; on the database of DATABASE_URL, or an SQLite file of its own.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CHUNK = 5000
RENDITIONS = (160, 320, 640, 1280)
HASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"
FACTS = {"kind": "image", "format": "JPEG", "width": 4032, "height": 3024, "taken": ""}
VIDEOS, FAILED = 50, 2000  # one of so many


def seed(owner: Any, rows: int) -> None:
    """So many originals with what is made of them, taken over ten years."""
    from processing.models import Rendition, Run
    from uploads.models import Original

    begin = datetime(2016, 1, 1, tzinfo=UTC)
    for start in range(0, rows, CHUNK):
        numbers = range(start, min(start + CHUNK, rows))
        originals = [
            Original(
                owner=owner,
                name=f"IMG_{number:06}.jpg",
                kind="image" if number % VIDEOS else "video",
                bytes=4_000_000,
                sha256=f"{number:064}",
                key=f"originals/{number}",
                facts=FACTS,
                placeholder=HASH,
                taken_at=begin + timedelta(seconds=3156 * (number * 7919 % rows)),
            )
            for number in numbers
        ]
        Original.objects.bulk_create(originals)
        Run.objects.bulk_create(
            Run(original=item, kind=item.kind, status="ready" if at % FAILED else "failed", progress=1)
            for at, item in zip(numbers, originals, strict=True)
        )
        Rendition.objects.bulk_create(
            [
                Rendition(
                    original=item,
                    preset=f"webp-{box}",
                    version=1,
                    key=f"renditions/{uuid.uuid4()}.webp",
                    content_type="image/webp",
                    width=box,
                    height=box * 3 // 4,
                    bytes=20_000,
                    sha256="0" * 64,
                )
                for item in originals
                for box in RENDITIONS
            ],
            1000,
        )


def median_ms(do: Callable[[], object], rounds: int) -> float:
    do()
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        do()
        took.append((time.perf_counter() - begun) * 1000)
    return round(statistics.median(took), 1)


def measure(owner: Any, rows: int, rounds: int) -> dict[str, dict[str, float]]:
    from django.http import QueryDict
    from django.test import Client

    from processing import listing as desk
    from uploads import listing
    from uploads.models import Original

    client = Client()
    client.force_login(owner)
    mine = Original.objects.filter(owner=owner)
    deep = mine.order_by("-taken_at", "-id")[min(50 * 999, rows - 1) - 1]
    cursor = listing.encode(deep, "taken_at")
    queries = {
        "first": "",
        "thousandth": f"cursor={cursor}",
        "videos": "kind=video",
        "videos, deep": f"kind=video&cursor={cursor}",
        "failed": "status=failed",
        "name": "q=_0500",
        "name of all": "q=IMG",
        "name of none": "q=nothing",
        "one month": "since=2019-05-01&until=2019-05-31",
    }

    def costs(query: str) -> dict[str, float]:
        asked = QueryDict(query)
        narrowed = listing.Filters.of(asked).apply(mine.select_related("run"))
        return {
            "list ms": median_ms(lambda: listing.page(narrowed, asked.get("cursor", ""), by="taken_at"), rounds),
            "page ms": median_ms(lambda: client.get(f"/?{query}"), rounds),
        }

    def costs_of_desk(query: str) -> dict[str, float]:
        filters = desk.Filters.of(QueryDict(query))
        return {
            "list ms": median_ms(lambda: desk.page(filters.apply(desk.runs())), rounds),
            "page ms": median_ms(lambda: client.get(f"/status/?{query}"), rounds),
        }

    found = {name: costs(query) for name, query in queries.items()}
    searches = ("", "q=_0500", "q=IMG", "q=nothing")
    return found | {f"desk {query}".strip(): costs_of_desk(query) for query in searches}


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("MEDIAWEB_DATA", str(Path(folder, "data")))
        os.environ.setdefault("MEDIAWEB_ALLOWED_HOSTS", "testserver")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaweb.settings")
        import django

        django.setup()
        from django.contrib.auth import get_user_model
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        owner = get_user_model().objects.create_superuser(f"bench-{uuid.uuid4().hex[:8]}")  # who sees the desk
        seed(owner, options.rows)
        if connection.vendor == "postgresql":
            connection.cursor().execute("ANALYZE")
        found = measure(owner, options.rows, options.rounds)
    lines = [f"| {name} | {costs['list ms']} | {costs['page ms']} |" for name, costs in found.items()]
    head = f"| {options.rows:,} originals, {connection.vendor} | list ms | page ms |\n|---|---:|---:|"
    sys.stdout.write("\n".join([head, *lines, json.dumps(found), ""]))


if __name__ == "__main__":
    run()
