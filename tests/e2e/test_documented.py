"""What docs/api.md tells programs to do, done as it is written there."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import new_photo_bytes
from tests.e2e.service import ROOT, Service
from tests.ports import free_port

pytestmark = pytest.mark.e2e

TEXT = (ROOT / "docs/api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_document__runs_as_it_is_written(service: Service, tmp_path: Path):
    for name in ("IMG_1.JPG", "IMG_2.JPG"):
        (tmp_path / name).write_bytes(new_photo_bytes())
    (receiver,) = blocks("python")
    (tmp_path / "receive.py").write_text(receiver)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "MEDIAWEB": service.url,
        "TOKEN": service.manage("api_token", "dora", "--create").strip(),
        "PORT": str(port),
        "RECEIVER": f"http://127.0.0.1:{port}/hook",
    }
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT", *blocks("sh")])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "original.jpg").read_bytes() == (tmp_path / "IMG_1.JPG").read_bytes()
    assert (tmp_path / "webp-160.webp").read_bytes()[8:12] == b"WEBP"
    received = (tmp_path / "received.log").read_text()
    assert "webhook.test" in received
    assert "IMG_2.JPG" in received
    log = json.loads(done.stdout.strip().splitlines()[-1])["items"]
    assert {item["event"] for item in log} == {"webhook.test", "original.ready"}
