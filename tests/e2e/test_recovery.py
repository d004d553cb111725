"""The promise, with real processes: whatever is killed, everything accepted ends ready, made once."""

import json
import signal

import psutil
import pytest

from tests.e2e.service import FINAL, Service, all_final, files_of, send, state, until_final
from tests.waiting import until

pytestmark = pytest.mark.e2e

# A lease (30 s), a sweep (10 s), the sweep after that for what the broker lost, and the work itself.
RECOVERED_WITHIN = 120


def flush(service: Service) -> None:
    script = "from processing.bridge import connection; connection().flushall()"
    service.manage("shell", "-v0", "-c", script)


def test_kill_everything_while_busy__all_end_ready_and_once(make_service, phone_photo, clip):
    service = make_service()
    with service.client("alice") as client:
        video = clip(8, "1280x720")
        ids = [send(client, phone_photo, f"{number}.jpg") for number in range(12)]
        ids += [send(client, video, f"{number}.mp4") for number in range(8)]

        until(lambda: service.running("ffmpeg", "libx264"), 60)
        assert service.kill("worker", "-Q videos")
        until(lambda: not service.running("ffmpeg"), 5)  # it dies with its worker
        assert service.kill("worker", "-Q images")
        assert service.kill("beat")
        until(lambda: service.running("ffmpeg", "libx264"), 60)
        flush(service)
        until(lambda: service.kill("ffmpeg", "libx264"), 60)
        assert service.kill("unixsocket")  # the broker
        assert service.kill("worker", "-Q default")

        originals = until(lambda: all_final(client, ids), RECOVERED_WITHIN + 60, every=0.5)
        assert {item["status"] for item in originals} == {"ready"}, [item["error"] for item in originals]
        for original in originals:
            presets = [item["preset"] for item in original["renditions"]]
            assert len(presets) == len(set(presets)) == (6 if original["kind"] == "image" else 8)

    until(lambda: not service.running("ffmpeg"), 10)
    service.manage("gc", "--older-than", "0")
    kept = [path for path in (service.data / "media").rglob("*") if path.is_file()]
    assert len(kept) == len(ids) + sum(files_of(original) for original in originals)
    assert "0 files would be removed" in service.manage("gc", "--dry-run", "--older-than", "0")


def test_workers_away__uploads_are_accepted_and_finish_when_they_return(service, photo):
    with service.client("alice") as client:
        workers = service.running("celery", "worker")
        for process in workers:
            process.suspend()
        try:
            ids = [send(client, photo((100, 80)), f"{number}.jpg") for number in range(5)]
            images = json.loads(service.manage("queues", "--json"))[0]
            assert (images["name"], images["queued"], images["running"]) == ("images", 5, 0)
            assert not all_final(client, ids)
        finally:
            for process in workers:
                process.resume()
        originals = until_final(client, ids, 60)
        assert {item["status"] for item in originals} == {"ready"}


def crash(encoder: psutil.Process) -> None:
    """Let the pool's process that started this encoder die as by a fault of its own."""
    try:
        encoder.parent().send_signal(signal.SIGSEGV)  # type: ignore[union-attr]
        encoder.wait(10)
    except (psutil.NoSuchProcess, AttributeError):
        return


def test_job_that_takes_its_process_down_twice__is_set_aside_and_the_next_goes_on(service, clip):
    with service.client("alice") as client:
        poison = send(client, clip(8, "1280x720"), "poison.mp4")

        def has_ended() -> bool:
            for encoder in service.running("ffmpeg", "libx264"):
                crash(encoder)
            return state(client, poison)["status"] in FINAL

        until(has_ended, 60)
        [job] = [job for job in state(client, poison)["jobs"] if job["step"] == "ladder"]
        assert (job["status"], job["attempt"], job["error"]["code"]) == ("failed", 2, "internal")
        assert "took its worker down 2 times" in job["error"]["message"]
        assert "signal 11 (SIGSEGV)" in job["error"]["message"]
        next_one = send(client, clip(), "after.mp4")
        [after] = until_final(client, [next_one], 60)
        assert after["status"] == "ready"
