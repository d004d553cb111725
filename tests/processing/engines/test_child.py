"""The child is ours: read, timed, limited, and gone when we are."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from processing.engines import child
from processing.errors import ResourceLimit

ROOT = Path(__file__).parents[3]
EASY = child.Bounds(seconds=20, stall=20, memory=1 << 30)


def bounds(**changes):
    return child.Bounds(**{"seconds": 20, "stall": 20, "memory": 1 << 30, **changes})


def shell(script):
    return ["sh", "-c", script]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def is_gone(pid: int, within: float = 5) -> bool:
    end = time.monotonic() + within
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


def children() -> set[int]:
    """The pids of our own children, zombies too."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


@pytest.fixture(autouse=True)
def no_stray_child():
    """No test here may leave a child or a zombie; the broker of the whole suite stays."""
    before = children()
    yield
    assert children() <= before


class LostError(Exception):
    """What a runner raises when the job is no longer its own."""


def test_child__leaves_requests_and_people_the_first_turn():
    said = []
    child.run(["nice"], bounds(), on_line=said.append)
    assert said == [str(min(19, os.nice(0) + 10))]


def test_run__hands_over_each_line_and_keeps_the_last_words():
    lines = []
    said = child.run(shell("echo one; printf two; echo oops >&2"), EASY, on_line=lines.append)
    assert lines == ["one", "two"]
    assert said == "oops"


def test_run__lines_come_while_the_child_runs():
    started, arrivals = time.monotonic(), []
    child.run(
        shell("echo a; sleep 0.6; echo b"),
        EASY,
        on_line=lambda _: arrivals.append(time.monotonic() - started),
    )
    assert arrivals[1] - arrivals[0] > 0.4


def test_run__failure_carries_program_status_and_tail():
    with pytest.raises(child.ChildFailed) as caught:
        child.run(shell("echo broken >&2; exit 3"), EASY)
    assert (caught.value.program, caught.value.status, caught.value.tail) == ("sh", 3, "broken")


def test_run__death_by_signal_is_a_negative_status():
    with pytest.raises(child.ChildFailed) as caught:
        child.run(shell("kill -SEGV $$"), EASY)
    assert caught.value.status == -signal.SIGSEGV


def test_run__full_disk_is_told_whatever_the_status():
    said = "Error writing trailer of mp4-360.mp4: No space left on device"
    with pytest.raises(child.DiskFailed, match="No space left"):
        child.run(shell(f"echo '{said}' >&2"), EASY)


def test_run__missing_program_is_not_the_medias_fault():
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        child.run(["no-such-program"], EASY)


def test_run__time_that_we_were_stopped_is_not_the_childs(monkeypatch):
    monkeypatch.setattr(child, "ASLEEP", 0.5)
    stopped_for = iter([1.5])
    child.run(shell("sleep 0.3"), bounds(seconds=1, stall=1), on_tick=lambda: time.sleep(next(stopped_for, 0)))


def test_run__tail_is_bounded():
    said = child.run(shell("i=0; while [ $i -lt 200 ]; do printf '%0999d\\n' $i >&2; i=$((i+1)); done"), EASY)
    assert len(said) <= 4096 + child.TAIL_LINES
    assert len(said.splitlines()) == child.TAIL_LINES


def test_run__endless_line_is_cut():
    lengths = []
    child.run(shell("head -c 1000000 /dev/zero | tr '\\0' x"), EASY, on_line=lambda s: lengths.append(len(s)))
    assert max(lengths) <= child.LONGEST_LINE


def test_run__stdin_is_closed_and_environment_empty(monkeypatch):
    monkeypatch.setenv("MEDIAWEB_SECRET_KEY", "hush")
    lines = []
    child.run(shell("cat; env"), EASY, on_line=lines.append)
    assert not [line for line in lines if "hush" in line]


def test_run__ticks_at_least_twice_a_second_even_when_silent():
    ticks = []
    child.run(["sleep", "1.6"], EASY, on_tick=lambda: ticks.append(time.monotonic()))
    assert max(later - sooner for sooner, later in pairwise(ticks)) < 0.5
    assert len(ticks) >= 4


def test_run__whole_time_is_limited():
    with pytest.raises(ResourceLimit, match="1 seconds"):
        child.run(["sleep", "30"], bounds(seconds=1))


def test_run__stalled_child_is_killed():
    started = time.monotonic()
    with pytest.raises(ResourceLimit, match="without progress"):
        child.run(shell("echo here; sleep 30"), bounds(stall=1))
    assert time.monotonic() - started < 5


def test_run__lines_that_show_no_progress_do_not_keep_it_alive():
    chatter = "while :; do echo same; sleep 0.1; done"
    with pytest.raises(ResourceLimit, match="without progress"):
        child.run(shell(chatter), bounds(stall=1), on_line=lambda _: False)


def test_run__memory_is_limited():
    with pytest.raises(child.ChildFailed, match="MemoryError"):
        child.run([sys.executable, "-c", "bytearray(1 << 30)"], bounds(memory=512 << 20))


def test_run__file_size_is_limited(tmp_path):
    with pytest.raises(ResourceLimit, match="1 MiB of output"):
        child.run(["dd", "if=/dev/zero", "of=big", "bs=64k"], bounds(file_size=1 << 20), folder=tmp_path)
    assert (tmp_path / "big").stat().st_size == 1 << 20


@pytest.mark.parametrize("callback", ["on_line", "on_tick"])
def test_run__callback_that_raises_kills_the_whole_group(tmp_path, callback):
    def lose(*_):
        if (tmp_path / "grandchild").exists():
            raise LostError

    script = "sleep 60 & echo $$ > leader; echo $! > grandchild; while :; do echo x; sleep 0.1; done"
    with pytest.raises(LostError):
        child.run(shell(script), EASY, folder=tmp_path, **{callback: lose})
    assert is_gone(int((tmp_path / "leader").read_text()))
    assert is_gone(int((tmp_path / "grandchild").read_text()))


def test_run__grandchild_left_behind_is_killed_and_not_waited_for(tmp_path):
    started = time.monotonic()
    child.run(shell("sleep 60 & echo $! > grandchild"), EASY, folder=tmp_path)
    assert time.monotonic() - started < 5
    assert is_gone(int((tmp_path / "grandchild").read_text()))


def test_run__dies_with_its_parent(tmp_path):
    script = (
        "from processing.engines import child\n"
        f"child.run(['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 60'], child.Bounds(90, 90, 1 << 30))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.02)
        pid = int((tmp_path / "pid").read_text())
        assert is_alive(pid)
    finally:
        parent.kill()
        parent.wait()
    assert is_gone(pid)


def test_run__works_from_a_thread():
    said = []
    thread = threading.Thread(target=lambda: said.append(child.run(shell("echo hello >&2"), EASY)))
    thread.start()
    thread.join()
    assert said == ["hello"]


def test_run__leaves_no_open_files():
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    child.run(["true"], EASY)
    before = count()
    for _ in range(5):
        child.run(["true"], EASY)
    assert count() == before


def test_read__gives_all_of_stdout():
    assert child.read(shell("echo a; echo b; echo c >&2"), EASY, most=10) == ("a\nb", "c")


def test_read__more_than_allowed_is_refused():
    with pytest.raises(ResourceLimit, match="100 characters"):
        child.read(shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done"), EASY, most=100)
