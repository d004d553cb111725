"""What the Kubernetes manifests promise, read from what kustomize makes of them.

Where there is no kubectl, the files are checked as they are; what only their patches say is skipped.
"""

import functools
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
BASE = ROOT / "k8s/base"
DEMO = ROOT / "k8s/overlays/demo"

QUEUES = ("images", "videos", "default")
WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
APP = ("web", *WORKERS, "beat", "migrate")
# FINDINGS: what is still running is handed back 45 s before the end of the grace.
HAND_BACK_SECONDS = 45

KUBECTL = shutil.which("kubectl")
patched = pytest.mark.skipif(KUBECTL is None, reason="no kubectl to apply the patches")


def written(folder: Path) -> list[dict]:
    """The resources a kustomization lists, as they stand in their files."""
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    found = []
    for path in ((folder / resource).resolve() for resource in resources):
        found += written(path) if path.is_dir() else yaml.safe_load_all(path.read_text())
    return found


@functools.cache
def manifests(folder: Path) -> list[dict]:
    if KUBECTL is None:
        return written(folder)
    built = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return list(yaml.safe_load_all(built.stdout))


def of_kind(*kinds: str) -> dict[str, dict]:
    return {found["metadata"]["name"]: found for found in manifests(BASE) if found["kind"] in kinds}


def workload(name: str) -> dict:
    return of_kind("Deployment", "StatefulSet", "Job")[name]


def pod(name: str) -> dict:
    return workload(name)["spec"]["template"]["spec"]


def container(name: str) -> dict:
    (only,) = pod(name)["containers"]
    return only


def labels(name: str) -> dict:
    return workload(name)["spec"]["template"]["metadata"]["labels"]


def selected(selector: dict) -> set[str]:
    names = of_kind("Deployment", "StatefulSet", "Job")
    return {name for name in names if selector.items() <= labels(name).items()}


@functools.cache
def compose_services() -> dict:
    return yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"]


# The whole


@pytest.mark.parametrize("folder", [BASE, DEMO], ids=["base", "demo"])
def test_every_resource_is_valid(folder):
    for resource in manifests(folder):
        kubernetes_validate.validate(resource, "1.33", strict=True)


def test_every_file_of_the_base_is_used():
    kustomization = (BASE / "kustomization.yaml").read_text()
    unused = {path.name for path in BASE.rglob("*.yaml") if str(path.relative_to(BASE)) not in kustomization}
    assert unused == {"kustomization.yaml"}


def test_the_example_of_a_secret_is_valid():
    secret = yaml.safe_load((BASE / "secret.example.yaml").read_text())
    kubernetes_validate.validate(secret, "1.33", strict=True)
    assert secret["metadata"]["name"] == "mediaweb"


@pytest.mark.parametrize("folder", [BASE, DEMO], ids=["base", "demo"])
def test_no_secret_is_in_git(folder):
    assert not [resource for resource in manifests(folder) if resource["kind"] == "Secret"]


# Queues and their workers


def test_every_queue_has_one_deployment_from_the_same_image():
    deployments = of_kind("Deployment")
    consumed = {}
    for name in deployments:
        words = container(name)["args"]
        if "-Q" in words:
            consumed[name] = words[words.index("-Q") + 1]

    assert consumed == {f"worker-{queue}": queue for queue in QUEUES}
    assert len({container(name)["image"] for name in APP}) == 1


@patched
def test_init_containers_run_the_same_image_too():
    images = {init["image"] for name in APP for init in pod(name).get("initContainers", [])}
    assert images == {container("web")["image"]}


@pytest.mark.parametrize("name", APP)
def test_command_is_the_one_of_compose(name):
    assert " ".join(container(name)["args"]) == compose_services()[name]["command"]


@pytest.mark.parametrize("queue", QUEUES)
def test_worker_is_selected_by_its_own_deployment_alone(queue):
    assert selected(workload(f"worker-{queue}")["spec"]["selector"]["matchLabels"]) == {f"worker-{queue}"}


@patched
@pytest.mark.parametrize("queue", QUEUES)
def test_worker_has_time_to_drain_and_to_hand_back(queue):
    (config,) = (found["data"] for found in of_kind("ConfigMap").values())
    own = {variable["name"]: variable["value"] for variable in container(f"worker-{queue}").get("env", [])}
    drain = int((config | own)["MEDIAWEB_DRAIN_SECONDS"])
    assert pod(f"worker-{queue}")["terminationGracePeriodSeconds"] >= drain + HAND_BACK_SECONDS


@patched
@pytest.mark.parametrize("name", [*WORKERS, "beat"])
def test_worker_is_watched_by_the_heartbeat_compose_watches(name):
    kind, script = compose_services()["worker-videos"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    for probe in ("startupProbe", "livenessProbe"):
        assert container(name)[probe]["exec"]["command"] == ["sh", "-c", script]


def test_beat_is_alone():
    assert workload("beat")["spec"]["replicas"] == 1
    assert workload("beat")["spec"]["strategy"] == {"type": "Recreate"}


# Pods


@patched
@pytest.mark.parametrize("name", [*APP, "redis"])
def test_pod_is_unprivileged(name):
    spec = pod(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    for each in [*spec["containers"], *spec.get("initContainers", [])]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@patched
@pytest.mark.parametrize("name", APP)
def test_pod_runs_as_the_user_of_the_image(name):
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "compose/Dockerfile").read_text(), re.MULTILINE)
    context = pod(name)["securityContext"]
    assert [str(context["runAsUser"]), str(context["runAsGroup"])] == list(user.groups())


@pytest.mark.parametrize("name", [*APP, "redis"])
def test_every_container_has_requests_and_limits(name):
    for each in [*pod(name)["containers"], *pod(name).get("initContainers", [])]:
        assert set(each["resources"]["requests"]) == {"cpu", "memory"}
        assert set(each["resources"]["limits"]) == {"cpu", "memory"}


def test_web_is_restarted_by_its_own_health_and_left_out_by_that_of_others():
    web = container("web")
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probe_of_web_names_a_host_that_is_always_served(probe):
    assert container("web")[probe]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_every_setting_is_one_the_service_reads():
    known = re.findall(r'alias="(\w+)"', (ROOT / "mediaweb/environment.py").read_text())
    config = (BASE / "config.env").read_text() + (BASE / "secret.example.yaml").read_text()
    for name in re.findall(r"^[#\s]*((?:MEDIAWEB|AWS|DATABASE|REDIS|EMAIL)_\w+)\s*[=:]", config, re.MULTILINE):
        assert name in known


@patched
@pytest.mark.parametrize("name", ["web", *WORKERS, "beat"])
def test_new_code_waits_for_its_migrations(name):
    (wait,) = pod(name)["initContainers"]
    assert "manage.py migrate --check" in wait["args"][-1]


@patched
@pytest.mark.parametrize("name", ["web", *WORKERS])
def test_media_are_shared_and_scratch_is_not(name):
    mounts = {mount["mountPath"]: mount["name"] for mount in container(name)["volumeMounts"]}
    assert mounts == {"/data/media": "media", "/data/scratch": "scratch", "/tmp": "tmp"}
    volumes = {volume["name"]: volume for volume in pod(name)["volumes"]}
    assert volumes["media"]["persistentVolumeClaim"] == {"claimName": "media"}
    assert "emptyDir" in volumes["scratch"]
    assert of_kind("PersistentVolumeClaim")["media"]["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("name", ["web", *WORKERS])
def test_disruption_budget_protects_it_and_nothing_else(name):
    budget = of_kind("PodDisruptionBudget")[name]["spec"]
    assert selected(budget["selector"]["matchLabels"]) == {name}
    # A budget that allows no eviction at all would block the drain of a node for ever.
    spare = workload(name)["spec"]["replicas"] - budget.get("minAvailable", 0)
    assert budget.get("maxUnavailable", spare) >= 1


# The network


def test_no_service_selects_a_worker():
    reached = {name: selected(service["spec"]["selector"]) for name, service in of_kind("Service").items()}
    assert reached == {"redis": {"redis"}, "web": {"web"}}


@pytest.mark.parametrize("name", [*WORKERS, "beat", "migrate"])
def test_worker_listens_on_no_port(name):
    assert "ports" not in container(name)


@patched
def test_everything_is_closed_but_redis_to_ourselves_and_web():
    policies = [policy["spec"] for policy in of_kind("NetworkPolicy").values()]
    assert all(policy["policyTypes"] == ["Ingress"] for policy in policies)

    (closed,) = (policy for policy in policies if "ingress" not in policy)
    assert selected(closed["podSelector"]["matchLabels"]) == {*APP, "redis"}

    opened = {}
    for policy in (policy for policy in policies if "ingress" in policy):
        (target,) = selected(policy["podSelector"]["matchLabels"])
        (opened[target],) = policy["ingress"]
    assert set(opened) == {"redis", "web"}

    (peer,) = opened["redis"]["from"]
    assert set(peer) == {"podSelector"}
    assert selected(peer["podSelector"]["matchLabels"]) == set(APP)


# Redis


def test_redis_has_the_settings_of_compose():
    lines = (ROOT / "compose/redis.conf").read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    program, *arguments = container("redis")["args"]
    assert program == "redis-server"
    assert sorted(arguments) == sorted(f"--{setting}" for setting in settings)


def test_redis_is_the_one_of_compose():
    assert container("redis")["image"] in compose_services()["redis"]["image"]


def test_redis_keeps_its_file_over_a_restart():
    (claim,) = workload("redis")["spec"]["volumeClaimTemplates"]
    assert {"name": claim["metadata"]["name"], "mountPath": "/data"} in container("redis")["volumeMounts"]
