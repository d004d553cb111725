"""What the embedded default keeps for itself, and the forms of an address Celery and redis-py want."""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes, the closing zero among them


def secret_key(data: Path) -> str:
    """The key this folder made for itself the first time; kept private to its owner."""
    path = data / "secret_key"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        draft = data / f".secret_key.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)  # of two first starts one wins, and both read the same key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


def broker_socket(data: Path) -> Path:
    """The embedded broker's socket: in `data`, or in the temporary folder where that name is too long."""
    path = data / "broker" / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"mediaweb-{os.getuid()}-{name}", "redis.sock")


def celery_url(url: str) -> str:
    """REDIS_URL as Celery writes it: its own scheme for sockets, a list of URLs for sentinels."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        database = parse_qs(parts.query).get("db")
        return f"redis+socket://{parts.path}" + (f"?virtual_host={database[0]}" if database else "")
    if parts.scheme == "sentinel":
        login, _, hosts = parts.netloc.rpartition("@")
        prefix = f"sentinel://{login}@" if login else "sentinel://"
        return ";".join(f"{prefix}{host}{parts.path}" for host in hosts.split(","))
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
        return f"{url}{'&' if parts.query else '?'}ssl_cert_reqs=required"
    return url


def transport_options(url: str) -> dict[str, Any]:
    """What Celery must be told beside the URL: the name of the master that the sentinels watch."""
    parts = urlsplit(url)
    if parts.scheme != "sentinel":
        return {}
    return {"master_name": parse_qs(parts.query).get("master", ["mymaster"])[0]}
