"""What children leave to be looked at."""

import sys
import threading

import pytest

from processing.engines import child, sandbox, traces
from processing.engines.traces import MOST, Trace, Traces

BOUNDS = child.Bounds(seconds=20, stall=20, memory=1024 * child.MIB)
# Busy for a while, as large as 64 MiB, and with something to say.
BUSY = """
import sys, time
data = bytearray(64 << 20)
data[::4096] = b"x" * len(data[::4096])
print("line one", file=sys.stderr); print("line two", file=sys.stderr)
while time.process_time() < 0.6: pass
sys.exit(3)
"""


def test_kept__has_command_status_words_cpu_and_memory_of_a_child():
    with traces.kept() as seen, pytest.raises(child.ChildFailed):
        child.run([sys.executable, "-c", BUSY], BOUNDS)
    data = seen.as_data()
    [told] = data["commands"]
    assert told["command"].startswith(f"{sys.executable} -c ")
    assert (told["status"], told["said"]) == (3, "line one\nline two")
    assert 0.5 < told["cpu"] <= data["cpu"]
    assert told["seconds"] >= 0.5
    assert 64 << 20 < told["memory"] == data["memory"] < 128 << 20


def test_kept__child_that_is_stopped_has_left_what_it_said_so_far():
    def stop() -> None:
        if "line two" in seen.as_data()["commands"][0]["said"]:
            raise KeyError

    with traces.kept() as seen, pytest.raises(KeyError):
        child.run([sys.executable, "-c", BUSY.replace("0.6", "60")], BOUNDS, on_tick=stop)
    [told] = seen.as_data()["commands"]
    assert (told["status"], told["said"]) == (-9, "line one\nline two")


def test_kept__nobody_asked_is_no_trouble_and_another_thread_is_another_job():
    def run() -> None:
        child.run(["true"], BOUNDS)

    run()
    with traces.kept() as seen:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert seen.as_data()["commands"] == []


def test_as_data__is_of_the_longest_and_the_last_in_their_order():
    children = [Trace(str(number), 0, seconds=seconds) for number, seconds in enumerate((9, 1, 8, 1, 7, 6, 5, 4, 1))]
    data = Traces(children).as_data()
    assert [told["command"] for told in data["commands"]] == ["0", "2", "4", "5", "6", "8"]
    assert (len(data["commands"]), data["children"]) == (MOST, 9)


def test_as_data__of_a_child_that_still_runs_has_no_status():
    with traces.kept() as seen:
        traces.begin(["ffmpeg", "-i", "a file.mp4"])
    assert [(told["command"], told["status"]) for told in seen.as_data()["commands"]] == [
        ("ffmpeg -i 'a file.mp4'", None)
    ]


def test_sandbox__leaves_what_its_job_took(tmp_path, photo):
    from processing.engines import images
    from processing.facts import Order

    source = tmp_path / "photo.jpg"
    source.write_bytes(photo((2000, 1500)))
    pool = sandbox.Pool(["processing.engines.images:inspect"])
    with traces.kept() as seen:
        assert pool.make("processing.engines.images:inspect", Order(source, tmp_path)).facts
    [told] = seen.as_data()["commands"]
    assert (told["command"], told["status"]) == (f"{images.__name__}:inspect", 0)
    assert told["cpu"] > 0
    assert told["memory"] > 10 << 20
