"""The end of a film in the midst of its parts, with its files in a real S3 store: nothing works on, nothing is left."""

from collections.abc import Callable

import pytest

from tests.e2e.service import Service, files_of, send, state, until_final
from tests.e2e.workers import FIRST, SECOND, encoders, jobs, second_worker, stopped
from tests.swift.store import Store
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def store(swift: Store) -> Store:
    return swift.with_new_bucket()


@pytest.fixture(scope="module")
def service(make_service: Callable[..., Service], store: Store) -> Service:
    """A service on that store that cuts films small; its video worker has one hand."""
    return make_service(MEDIAWEB_PART_SECONDS="0.25", HANDS="1", **store.environment())


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_end_mid_film__stops_every_encoder_and_leaves_nothing_in_the_store(service, store, film, end):
    before = set(store.keys_kept())
    with second_worker(service), service.client("alice") as client:
        original_id = send(client, film, "film.mp4")
        for worker in (FIRST, SECOND):
            until(lambda worker=worker: stopped(service, worker), 60, every=0.001)
        assert len(jobs(client, original_id)) >= 4
        assert [key for key in store.keys_kept() if key.startswith("pieces/")], "the sound waits for its pictures"
        if end == "cancel":
            assert client.post(f"/api/originals/{original_id}/cancel").status_code == 202
        else:
            assert client.delete(f"/api/originals/{original_id}").status_code == 204
        until(lambda: not encoders(service), 5)
        until(lambda: not [path for path in (service.data / "scratch").rglob("*") if path.is_file()], 5)
        until(lambda: not [key for key in store.keys_kept() if key.startswith("pieces/")], 5)
        left = set(store.keys_kept()) - before
        if end == "delete":
            assert left == set()
        else:
            assert len(left) == 1 + files_of(state(client, original_id)), "the original, and what had been published"
            client.post(f"/api/originals/{original_id}/retry")
            [original] = until_final(client, [original_id], 60)
            assert original["status"] == "ready", original["error"]
            client.delete(f"/api/originals/{original_id}")
            until(lambda: set(store.keys_kept()) == before, 5)  # the pieces go, one by one, once it is ready
