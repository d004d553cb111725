"""The whole service with its files in a real S3 store."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.service import Service, files_of, send, state, until_final
from tests.swift.store import Store
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def store(swift: Store) -> Store:
    """The bucket of this module's service."""
    return swift.with_new_bucket()


@pytest.fixture(scope="module")
def service(make_service: Callable[..., Service], store: Store) -> Service:
    return make_service(**store.environment())


@pytest.fixture
def client(service: Service) -> Any:
    with service.client("alice") as client:
        yield client


def files_here(service: Service) -> list[str]:
    """Whatever lies on this machine that should lie in the store."""
    found = [*(service.data / "media").rglob("*"), *(service.data / "scratch").rglob("*")]
    return [str(path) for path in found if path.is_file()]


def running_jobs(client: httpx.Client, ids: list[str]) -> set[int]:
    """The jobs that a worker is at, or was when it died."""
    jobs = [job for original_id in ids for job in state(client, original_id)["jobs"]]
    return {job["id"] for job in jobs if job["status"] == "running"}


def end_leases(service: Service, jobs: set[int]) -> None:
    """Half a minute passes: what the dead held is another's to take."""
    imports = "from django.core.management import call_command; from django.utils.timezone import now"
    imports += "; from processing.models import Job"
    words = f"Job.objects.filter(pk__in={jobs}).update(lease_until=now())"
    service.manage("shell", "-v0", "-c", f"{imports}; {words}; call_command('sweep')")


def test_photo_and_video__end_ready_and_are_served_by_the_store(service, client, store, phone_photo, clip):
    ids = [send(client, phone_photo, "IMG_1.JPG"), send(client, clip(), "año.mp4")]
    photo, video = until_final(client, ids, 60)
    assert (photo["status"], video["status"]) == ("ready", "ready"), (photo["error"], video["error"])
    texts = {"hls", "subtitles"}  # we serve these ourselves, as they name files of the store
    renditions = [item for item in (*photo["renditions"], *video["renditions"]) if item["preset"] not in texts]
    for item in renditions:
        assert item["url"].startswith(f"{store.endpoint}/{store.bucket}/renditions/")
        assert "X-Amz-Signature=" in item["url"]
        whole = httpx.get(item["url"])
        assert (whole.status_code, len(whole.content)) == (200, item["bytes"])
        assert whole.headers["content-type"] == item["content_type"]
    film = next(item for item in renditions if item["preset"] == "mp4-360")
    part = httpx.get(film["url"], headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, len(part.content)) == (206, 1000)
    assert len(store.keys_kept()) == len(ids) + files_of(photo) + files_of(video)
    assert files_here(service) == []


def test_download__is_the_original_under_its_name(client, clip):
    original_id = send(client, clip(), "año.mp4")
    leads_to = client.get(f"/api/originals/{original_id}/download").headers["location"]
    saved = httpx.get(leads_to)
    assert saved.content.startswith(clip())
    assert saved.headers["content-disposition"] == "attachment; filename*=utf-8''a%C3%B1o.mp4"
    until_final(client, [original_id], 60)  # what it goes on to write is no other test's


def test_delete__leaves_no_key(client, store, photo):
    before = set(store.keys_kept())
    original_id = send(client, photo((2000, 1500)), "photo.jpg")
    [original] = until_final(client, [original_id])
    made = set(store.keys_kept()) - before
    assert len(made) == 1 + len(original["renditions"]), made
    assert client.delete(f"/api/originals/{original_id}").status_code == 204
    after = set(store.keys_kept())
    assert after <= before
    assert all(key.startswith("pieces/") for key in before - after), "of films before it, which go when they are joined"


def test_gc__removes_what_no_row_refers_to_and_spares_the_rest(service, client, store, photo):
    original_id = send(client, photo(), "photo.jpg")
    until_final(client, [original_id])
    kept = store.keys_kept()
    orphans = [f"originals/{uuid.uuid4()}", f"renditions/{uuid.uuid4()}/webp-640.1-1.webp"]
    for key in orphans:
        store.put(key)
    # The store gives whole seconds, rounded up: what was just written is from the future.
    until(lambda: "2 files would be removed" in service.manage("gc", "--dry-run", "--older-than", "0"))
    assert service.manage("gc", "--older-than", "0").split()[:2] == orphans
    assert store.keys_kept() == kept


def test_kill_a_busy_worker__all_end_ready_and_once(service, client, store, phone_photo):
    service.manage("gc", "--older-than", "0")
    before = set(store.keys_kept())
    ids = [send(client, phone_photo, f"{number}.jpg") for number in range(4)]
    until(lambda: running_jobs(client, ids))
    assert service.kill("worker", "-Q images")
    held = running_jobs(client, ids)
    end_leases(service, held)
    originals = until_final(client, ids, 90)
    assert [item["status"] for item in originals] == ["ready"] * len(ids), [item["error"] for item in originals]
    attempts = {job["id"]: job["attempt"] for item in originals for job in item["jobs"]}
    assert held
    assert all(attempts[job] == 2 for job in held), "made by another"
    service.manage("gc", "--older-than", "0")
    assert len(set(store.keys_kept()) - before) == len(ids) * (1 + 6)
