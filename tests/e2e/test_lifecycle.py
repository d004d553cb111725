"""The service starts, answers before it works, survives what dies, and stops without a trace."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import fresh
from tests.e2e.service import ROOT, Service, send, state, until_final
from tests.waiting import until

pytestmark = pytest.mark.e2e


def test_upload__is_answered_before_processing_and_ends_ready(service, phone_photo):
    with service.client("alice") as client:
        response = client.post("/api/originals", files={"file": ("IMG_1.JPG", fresh(phone_photo))})
        assert response.status_code == 201
        made = response.json()
        assert (made["ready_at"], made["renditions"]) == (None, [])
        assert made["status"] in {"received", "processing"}  # a worker may have begun by then
        [original] = until_final(client, [response.json()["id"]])
        assert original["status"] == "ready", original
        assert len(original["renditions"]) == 6
        assert (original["facts"]["width"], original["facts"]["height"]) == (3024, 4032)
        shown = next(item for item in original["renditions"] if item["preset"] == "webp-640")
        assert (shown["width"], shown["height"]) == (480, 640)
        assert httpx.get(shown["url"]).headers["content-type"] == "image/webp"


def test_video__plays_from_any_second(service, clip):
    with service.client("alice") as client:
        original_id = send(client, clip(), "walk.mp4")
        [original] = until_final(client, [original_id], 60)
        assert original["status"] == "ready", original
        made = {item["preset"]: item for item in original["renditions"]}
        assert set(made) == {"source", "poster", "mp4-360", "hls", "storyboard", "preview"}
        part = httpx.get(made["mp4-360"]["url"], headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, len(part.content)) == (206, 1000)


def heard_by(client: httpx.Client) -> Iterator[str]:
    """The lines of this user's event stream, from its beginning on."""
    lines = client.send(client.build_request("GET", "/api/events"), stream=True).iter_lines()
    assert next(lines).startswith("retry")
    return lines


def told_until_ready(lines: Iterator[str], original_id: str) -> set[str]:
    """The ids of all originals that the stream told of, up to this one's being ready."""
    told = set()
    end = time.monotonic() + 60
    for line in lines:  # at least one every twelve seconds
        assert time.monotonic() < end, told
        if line.startswith("data: {") and "id" in (original := json.loads(line.removeprefix("data: "))):
            told.add(original["id"])
            if (original["id"], original["status"]) == (original_id, "ready"):
                return told
    raise AssertionError(f"the stream ended after {told}")


def test_events__tell_the_owner_and_nobody_else(service, photo):
    with service.client("alice") as alice, service.client("bob") as bob:
        bobs, alices = heard_by(bob), heard_by(alice)
        from_alice = send(alice, photo((50, 40)), "small.jpg")
        assert told_until_ready(alices, from_alice) == {from_alice}
        from_bob = send(bob, photo((50, 40)), "bobs.jpg")
        assert told_until_ready(bobs, from_bob) == {from_bob}


def test_ping__result_comes_back_through_redis(service):
    said = service.manage(
        "shell", "-v0", "-c", "from processing.tasks import ping; print(ping.delay('hola').get(timeout=20))"
    )
    assert said.strip() == "hola"


def test_cancel__stops_the_encoder(service, clip):
    with service.client("alice") as client:
        original_id = send(client, clip(30, "1280x720"), "long.mp4")
        until(lambda: service.running("ffmpeg", "libx264"), 40)
        assert client.post(f"/api/originals/{original_id}/cancel").status_code == 202
        until(lambda: not service.running("ffmpeg"), 10)
        assert state(client, original_id)["status"] == "canceled"
        assert client.delete(f"/api/originals/{original_id}").status_code == 204
        assert client.get(f"/api/originals/{original_id}").status_code == 404


def test_start_and_stop__nothing_is_left_and_what_was_begun_goes_on(make_service, clip):
    service = make_service(from_nothing=True)
    with service.client("alice") as client:
        original_id = send(client, clip(30, "1280x720"), "long.mp4")
        until(lambda: service.running("ffmpeg", "libx264"), 40)
    assert service.stop(signal.SIGINT) == 0
    assert not service.processes()
    service.start()
    with service.client("alice") as client:
        [original] = until_final(client, [original_id], 120)
        assert original["status"] == "ready"
        ladder = next(job for job in original["jobs"] if job["step"] == "ladder")
        assert ladder["attempt"] == 2, "handed back, then made whole by another worker"
    assert stopped_with_a_slow_worker(service) == 0


def stopped_with_a_slow_worker(service: Service) -> int:
    """The exit status of a service that is told to stop while one worker cannot: the others do not wait for it."""
    assert service.process
    slow = service.running("worker", "-Q videos")
    for process in slow:
        process.suspend()
    service.process.send_signal(signal.SIGTERM)
    until(lambda: not (service.running("worker", "-Q images") or service.running("worker", "-Q default")), 20)
    assert service.running("unixsocket"), "the broker outlives them all"
    for process in slow:
        process.resume()
    return service.process.wait(60)


def test_second_service_on_the_same_folder__is_refused_with_the_reason(service):
    command = [sys.executable, "manage.py", "serve"]
    done = subprocess.run(command, cwd=ROOT, env=service.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "running already" in done.stderr
