"""The whole service where everything of it can be hurt: processes, broker, database, store, disks and clock."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from mediaweb import embedded
from tests import postgres
from tests.chaos import switches
from tests.chaos.line import Line
from tests.chaos.receiver import Receiver, receiving
from tests.e2e.service import ROOT, Service
from tests.swift.store import Store
from tests.waiting import until

ROOM = {"scratch": 192, "media": 192}  # MiB of each of the run's own small disks
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
SECOND = ["-A", "mediaweb", "worker", "-Q", "images,videos,default", "-n", "second@%h", "-c", "1", "-l", "INFO"]
# Whom a fault means: words in a command.
ROLES: Mapping[str, str] = {
    "worker": "celery -A mediaweb worker",
    "beat": "celery -A mediaweb beat",
    "web": "uvicorn mediaweb.asgi",
    "broker": "unixsocket",  # it writes its own title
    "ffmpeg": "ffmpeg -",
    "decoder": "processing.engines.inside",
}
VICTIM_WITHIN = 6.0  # seconds in which a fault looks for somebody to strike
TASKS = ("run_image_job", "run_video_job", "advance", "sweep")


class Stage(Service):
    """One service, hurt from outside."""

    cluster: Any = None
    store: Store | None = None
    store_line: Line | None = None
    receiver: Receiver

    def __init__(self, data: Path, **environment: str) -> None:
        super().__init__(
            data,
            DJANGO_SETTINGS_MODULE="tests.chaos.settings",
            MEDIAWEB_PART_SECONDS="1",
            MEDIAWEB_SECRET_KEY="a key that only these tests know" * 2,
            **environment,
        )
        self.second = Second(self)
        (data / switches.FOLDER).mkdir(parents=True)

    def start(self) -> None:
        super().start()
        self.second.start()

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        self.second.stop()
        return super().stop(with_signal)

    def end(self) -> None:
        self.second.stop()
        super().end()

    @property
    def socket(self) -> Path:
        return embedded.broker_socket(self.data)

    @property
    def broker(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)

    # Whom

    def family(self) -> list[psutil.Process]:
        """The processes of the service that have parents in it, the second worker's among them."""
        roots = [process.pid for process in (self.process, self.second.process) if process]
        found: list[psutil.Process] = []
        for pid in roots:
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                found += [root, *root.children(recursive=True)]
        return found

    def players(self, role: str) -> list[psutil.Process]:
        """Everybody who plays this role now, in the order of their start."""
        if role == "pool child":
            return [one for one in self.playing("worker") if is_worker(one.parent())]
        if role == "decoder":  # at a job, for which the sandbox has forked
            return [one for one in self.playing(role) if ROLES[role] in command_of(one.parent())]
        if role == "worker":
            return [one for one in self.playing("worker") if not is_worker(one.parent())]
        return self.playing(role)

    def playing(self, role: str) -> list[psutil.Process]:
        return sorted((one for one in self.family() if ROLES[role] in command_of(one)), key=lambda one: one.pid)

    def one(self, role: str, number: int) -> psutil.Process | None:
        """One of them: of pool children, one that is at work, where there is any."""
        found = self.players(role)
        if role == "pool child":
            found = [one for one in found if is_at_work(one)] or found
        return found[number % len(found)] if found else None

    def someone(self, role: str, number: int) -> psutil.Process | None:
        with suppress(AssertionError):
            return until(lambda: self.one(role, number), VICTIM_WITHIN, every=0.02)
        return None

    # What happens to them

    def kill_one(self, role: str, number: int) -> bool:
        return self.signal_one(signal.SIGKILL, role, number)

    def terminate(self, role: str, number: int) -> bool:
        return self.signal_one(signal.SIGTERM, role, number)

    def signal_one(self, number_of_signal: int, role: str, number: int) -> bool:
        victim = self.someone(role, number)
        if victim:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(number_of_signal)
                return True
        return False

    def kill_all(self, worker: psutil.Process | None) -> None:
        """The worker and all that it has started."""
        for process in [worker, *worker.children(recursive=True)] if worker else ():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def freeze(self, role: str, number: int) -> list[psutil.Process]:
        """Stop one, and of a worker its children too; what was stopped."""
        victim = self.someone(role, number)
        if not victim:
            return []
        stopped = []
        for one in [victim, *(victim.children() if role == "worker" else ())]:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
                stopped.append(one)
        return stopped

    def thaw(self, stopped: Sequence[psutil.Process]) -> None:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.resume()

    def flush(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.broker.flushall())
        return False

    def send_twice(self, number: int) -> bool:
        """Whatever lies in the lists lies there twice."""
        copied = 0
        with suppress(redis.RedisError):
            for queue in ("images", "videos", "default"):
                for message in self.broker.lrange(queue, 0, -1):
                    copied += bool(self.broker.lpush(queue, message))
        return copied > 0 or self.send_stale(number)

    def send_stale(self, number: int) -> bool:
        """Messages for jobs and runs of long ago, of now, and of never."""
        with suppress(redis.RedisError, OperationalError, OSError), self.sender() as app:
            for id_ in range(number % 40, number % 40 + 60):
                name = TASKS[id_ % 3]
                queue = {"run_image_job": "images", "run_video_job": "videos"}.get(name, "default")
                app.send_task(f"processing.tasks.{name}", (id_,), queue=queue, retry=False)
            app.send_task("processing.tasks.sweep", queue="default", retry=False)
            return True
        return False

    @contextmanager
    def sender(self) -> Iterator[Celery]:
        """A program that knows the broker and nothing else."""
        url = embedded.celery_url(f"unix://{self.socket}")
        with Celery("stranger", broker=url, set_as_current=False) as app:
            app.conf.broker_transport_options = {"socket_timeout": 2, "max_retries": 1}
            yield app

    def fill(self, folder: str) -> bool:
        """Write the run's own small disk under this folder full: never another."""
        if not (self.data / folder).is_mount():
            return False
        try:
            with self.ballast(folder).open("wb", buffering=0) as file:
                while file.write(bytes(1 << 16)):
                    pass
        except OSError:
            return True
        return False

    def empty(self, folder: str) -> None:
        self.ballast(folder).unlink(missing_ok=True)

    def ballast(self, folder: str) -> Path:
        return self.data / folder / "ballast"

    def jump(self, number: int | None) -> bool:
        """Set the second worker's clock hours ahead or back; None: right again."""
        return self.second.jump(0 if number is None else (1 if number % 2 else -1) * (1 + number % 9) * 3600)

    def switch(self, name: str, *, on: bool = True) -> bool:
        flag = self.data / switches.FOLDER / name
        flag.touch() if on else flag.unlink(missing_ok=True)
        return True

    @contextmanager
    def switched(self, *names: str) -> Iterator[None]:
        """These switches are on in here, and no other afterwards."""
        for name in names:
            self.switch(name)
        try:
            yield
        finally:
            for name in names:
                self.switch(name, on=False)

    def mend(self) -> None:
        """The end of every fault that lasts."""
        if self.cluster:
            self.cluster.start()
        if self.store_line:
            self.store_line.be()
        self.receiver.be()
        for folder in ROOM:
            self.empty(folder)
        for flag in (self.data / switches.FOLDER).iterdir():
            flag.unlink()
        self.jump(None)
        for one in self.family():
            with suppress(psutil.NoSuchProcess):
                if one.status() == psutil.STATUS_STOPPED:
                    one.resume()

    def rows(self) -> dict[str, Any]:
        """What the database says, see `rows`."""
        words = [sys.executable, "-m", "tests.chaos.rows"]
        done = subprocess.run(words, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))


class Second:
    """Another worker for everything, with a clock of its own, started again whenever it ends."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.clock = stage.data / "clock"
        self.process: subprocess.Popen[bytes] | None = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.keep, daemon=True)

    def start(self) -> None:
        self.jump(0)
        self.thread.start()

    def keep(self) -> None:
        while not self.over.is_set():
            with (self.stage.data / "log" / "second.log").open("ab") as log:
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "celery", *SECOND],
                    cwd=ROOT,
                    env=self.stage.environment | self.fake(),
                    stdout=log,
                    stderr=log,
                )
            self.process.wait()
            self.over.wait(0.5)

    def fake(self) -> dict[str, str]:
        if not FAKETIME:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME[-1]),
            "PYTHONPATH": str(Path(__file__).with_name("clock")),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def jump(self, seconds: int) -> bool:
        draft = self.clock.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self.clock)
        return True

    def stop(self) -> None:
        self.over.set()
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.thread.is_alive():
            self.thread.join(30)


def command_of(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process else ""
    except psutil.NoSuchProcess:
        return ""


def is_worker(process: psutil.Process | None) -> bool:
    """By its command: `celery -A …` or `python -m celery -A …`."""
    return "celery -A mediaweb worker" in command_of(process)


def is_at_work(process: psutil.Process) -> bool:
    """Whether a pool child uses the processor or has a child of its own that does; a sandbox that idles does not."""
    with suppress(psutil.NoSuchProcess):
        return any("ffmpeg" in command_of(one) or one.children() for one in process.children())
    return False


def mount(folder: Path, mebibytes: int) -> bool:
    """A small disk of its own under this folder, where we may."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "chaos", str(folder)]
    return os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def abilities(data: Path) -> set[str]:
    """What this machine can do besides."""
    able = {"faketime"} if FAKETIME else set()
    probe = data / "probe"
    if mount(probe, 1):
        unmount(probe)
        able.add("mounts")
    return able


@contextmanager
def set_up(
    data: Path, database: str, storage: str, new_store: Callable[[], Store] | None = None, **environment: str
) -> Iterator[Stage]:
    """A running stage, which leaves nothing behind."""
    with ExitStack() as stack:
        store_line = None
        store = new_store() if storage == "s3" and new_store else None
        if store:
            store_line = Line(int(store.endpoint.rpartition(":")[2]), seed=1)
            stack.callback(store_line.close)
            environment |= store.environment() | {"AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{store_line.port}"}
        cluster = stack.enter_context(postgres.cluster()) if database == "postgres" else None
        stage = Stage(data, **environment, **({"DATABASE_URL": cluster.url} if cluster else {}))
        stage.store, stage.store_line, stage.cluster = store, store_line, cluster
        stage.receiver = stack.enter_context(receiving())
        for folder, size in ROOM.items():
            if mount(data / folder, size):
                stack.callback(unmount, data / folder)
        if not cluster:
            stage.spare_migrating()
        stage.start()
        try:
            yield stage
        finally:
            stage.mend()
            stage.end()
