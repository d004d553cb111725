"""Tests in several processes start servers at the same time, each on ports of its own."""

import subprocess
import sys

from mediaweb.environment import BASE_DIR
from tests.ports import SIZE, free_port

OTHER = f"from tests.ports import free_port; print(*(free_port() for _ in range({SIZE})), flush=True); input()"


def test_free_port__is_no_other_processes_while_they_live():
    words = [sys.executable, "-c", OTHER]
    with subprocess.Popen(words, cwd=BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = set(map(int, other.stdout.readline().split()))
        ours = {free_port() for _ in range(SIZE)}
        other.communicate("\n")
    assert len(ours) > SIZE // 2
    assert theirs
    assert not ours & theirs
