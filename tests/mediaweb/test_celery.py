"""The Celery application: what its settings promise, and a real worker started by hand."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

import mediaweb
from mediaweb.celery import app
from processing import queues, tasks
from processing.doorbells import TASKS
from processing.pipelines import QUEUES
from tests.waiting import until

OURS = {
    f"processing.tasks.{name}"
    for name in ("run_image_job", "run_video_job", "advance", "sweep", "send_notices", "ping")
} | {
    f"uploads.tasks.{name}"
    for name in (
        "sweep_uploads",
        "finish_upload",
        "abort_forsaken",
        "send_webhooks",
        "sweep_webhooks",
        "forget_old",
    )
}


def test_app__is_the_projects_own():
    assert mediaweb.celery_app is app
    assert mediaweb.__all__ == ("celery_app",)
    assert app.main == "mediaweb"


def test_app__knows_every_task_and_no_other():
    app.loader.import_default_modules()
    assert {name for name in app.tasks if not name.startswith("celery.")} == OURS


def test_settings__broker_and_results_are_database_0_of_the_same_redis():
    assert app.conf.broker_url == app.conf.result_backend == f"redis+socket://{settings.DATA}/broker/redis.sock"
    with app.connection() as connection:
        assert connection.default_channel.client.connection_pool.connection_kwargs["db"] == 0


def test_settings__only_json_is_sent_and_taken():
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"


def test_settings__time_zone_is_djangos():
    assert app.conf.timezone == settings.TIME_ZONE == "America/Mexico_City"
    assert app.timezone.key == ZoneInfo("America/Mexico_City").key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("task_default_queue", "default"),
    ],
)
def test_settings__lose_no_work_and_hoard_none(name, value):
    assert app.conf[name] == value


def test_settings__nothing_is_redelivered_within_the_longest_job():
    assert app.conf.broker_transport_options["visibility_timeout"] >= 12 * 3600


def test_settings__an_upload_waits_for_no_more_than_two_tries_at_a_broker_that_is_away():
    options = app.conf.broker_transport_options
    assert (options["max_retries"], options["interval_start"]) == (1, 0)


def test_routes__lead_each_queues_task_to_its_queue():
    led = {queue: app.amqp.router.route({}, task)["queue"].name for queue, task in TASKS.items()}
    assert led == {"images": "images", "videos": "videos"}


@pytest.mark.parametrize("name", sorted(OURS - set(TASKS.values())))
def test_routes__everything_else_goes_to_default(name):
    assert app.amqp.router.route({}, name)["queue"].name == "default"


def test_tasks__of_the_pipeline_keep_no_results():
    kept = {name for name in OURS if not app.tasks[name].ignore_result}
    assert kept == {"processing.tasks.ping"}


def test_beat__sweeps_every_ten_seconds_and_no_sweep_outlives_the_next():
    sweep = app.conf.beat_schedule["sweep"]
    assert (sweep["task"], sweep["schedule"]) == ("processing.tasks.sweep", 10)
    assert sweep["options"]["expires"] <= sweep["schedule"]


def test_beat__names_only_tasks_there_are():
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= OURS


@contextmanager
def worker(*options: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`celery -A mediaweb worker` as somebody would start it by hand: by environment variables alone."""
    environment = {name: os.environ[name] for name in ("MEDIAWEB_DATA", "MEDIAWEB_DRAIN_SECONDS", "PATH")}
    command = [str(Path(sys.executable).with_name("celery")), "-A", "mediaweb", "worker", *options]
    with log.open("wb") as output, start(command, output, environment) as it:
        try:
            yield it
        finally:
            end(it)


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def start(command: list[str], output: IO[bytes], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=output, stderr=output)


def ready(log: Path) -> bool:
    return " ready." in log.read_text()


def test_worker__started_by_hand_lists_the_tasks_answers_a_ping_and_ends_well(tmp_path):
    log = tmp_path / "log"
    with worker("--loglevel=INFO", "--concurrency=1", log=log) as process:
        until(lambda: ready(log))
        result = tasks.ping.delay("hello")
        assert result.get(timeout=20) == "hello"
        assert result.result == "hello"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert set(re.findall(r"^  \. ((?:processing|uploads)\S+)$", log.read_text(), re.MULTILINE)) == OURS


def test_worker__of_one_queue_says_that_it_takes_from_that_one_alone(tmp_path):
    log = tmp_path / "log"
    with worker("-Q", "images", "-l", "INFO", "-c", "1", log=log):
        until(lambda: ready(log) and queues.workers("images"))
        assert [queues.workers(name) for name in QUEUES] == [1, 0, 0]
