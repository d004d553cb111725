"""One film on every video worker: its parts spread, one worker's death costs one part, its end ends them all."""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.service import Service, files_of, send, state, until_final
from tests.e2e.workers import FIRST, SECOND, encoders, jobs, second_worker, stopped
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service(cutting_service: Service) -> Iterator[Service]:
    """With two video workers."""
    with second_worker(cutting_service):
        yield cutting_service


def kept(service: Service) -> list[str]:
    """Whatever lies in the storage, and in the scratch folder of a job."""
    found = [*(service.data / "media").rglob("*"), *(service.data / "scratch").rglob("*")]
    return [str(path.relative_to(service.data)) for path in found if path.is_file()]


def is_of_a_job(path: str) -> bool:
    return "pieces/" in path or "/job-" in path


def end_leases(service: Service) -> None:
    """Half a minute passes: what the dead held is another's to take."""
    imports = "from django.utils.timezone import now; from processing.models import Job"
    words = "Job.objects.filter(status='running').update(lease_until=now())"
    service.manage("shell", "-v0", "-c", f"{imports}; {words}")
    service.manage("sweep")


def test_film__is_shared_by_both_workers_and_ends_ready(service, film):
    with service.client("alice") as client:
        original_id = send(client, film, "film.mp4")
        [original] = until_final(client, [original_id], 60)
        assert original["status"] == "ready", original["error"]
        made = {item["preset"]: item for item in original["renditions"]}
        assert {"poster", "mp4-360", "mp4-480", "hls"} <= set(made)
        ladder = [job for job in original["jobs"] if job["step"] == "ladder"]
        assert [job["part"] for job in ladder] == list(range(len(ladder)))
        assert len(ladder) >= 4
        assert len({job["worker"] for job in ladder}) == 2, "each takes what is next"
        assert original["progress"] == 1
        for item in (made["mp4-480"], *made["hls"]["files"]):
            answer = httpx.get(item["url"])
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] == item["content_type"]
            if not item["content_type"].endswith("mpegurl"):  # which names its files by signed addresses
                assert len(answer.content) == item["bytes"]
        assert not list((service.data / "media").glob("pieces/*/*"))


def test_kill_a_worker_mid_film__costs_one_part(service, film):
    with service.client("alice") as client:
        original_id = send(client, film, "film.mp4")
        until(lambda: stopped(service, SECOND), 60, every=0.001)
        [held] = [job for job in jobs(client, original_id) if job["status"] == "running" and SECOND in job["worker"]]
        until(lambda: sum(job["status"] == "succeeded" for job in jobs(client, original_id)) >= 3, 30, every=0.1)
        before = {job["id"]: job["attempt"] for job in jobs(client, original_id) if job["status"] == "succeeded"}
        assert service.kill("worker", SECOND)
        until(lambda: not encoders(service, SECOND), 5)
        end_leases(service)
        [original] = until_final(client, [original_id], 60)
        assert original["status"] == "ready", original["error"]
        attempts = {job["id"]: job["attempt"] for job in original["jobs"] if job["step"] in ("ladder", "audio")}
        assert attempts[held["id"]] == 2
        assert [attempt for job, attempt in attempts.items() if job != held["id"]] == [1] * (len(attempts) - 1)
        assert attempts | before == attempts


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_end_mid_film__stops_every_encoder_and_leaves_nothing(service, film, end):
    before = kept(service)  # a killed worker's last words lie in its scratch folder until they are old
    with second_worker(service), service.client("alice") as client:
        original_id = send(client, film, "film.mp4")
        for worker in (FIRST, SECOND):
            until(lambda worker=worker: stopped(service, worker), 60, every=0.001)
        until(lambda: len(jobs(client, original_id)) >= 4)
        assert (service.data / "media" / "originals").exists()
        if end == "cancel":
            assert client.post(f"/api/originals/{original_id}/cancel").status_code == 202
        else:
            assert client.delete(f"/api/originals/{original_id}").status_code == 204
        until(lambda: not encoders(service), 5)
        until(lambda: not [path for path in kept(service) if is_of_a_job(path) and path not in before], 5)
        if end == "cancel":
            assert state(client, original_id)["status"] == "canceled"
            published = files_of(state(client, original_id))
            assert len([path for path in kept(service) if original_id in path]) == published
            client.post(f"/api/originals/{original_id}/retry")
            [original] = until_final(client, [original_id], 60)
            assert original["status"] == "ready", original["error"]
        else:
            assert not [path for path in kept(service) if original_id in path]
