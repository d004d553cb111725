"""Whatever a file does to its decoder, the worker gets an answer, and goes on."""

import contextlib
import inspect
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from PIL import Image

from processing import pipelines
from processing.engines import fence, images, sandbox, traces
from processing.engines.fence import MIB, Bounds
from processing.engines.sandbox import EngineFailed, Pool
from processing.errors import Corrupt, ResourceLimit, TooManyFrames, TooManyPixels
from processing.facts import Made, Order, Product
from processing.outages import is_outage
from processing.presets import MAIL_JPEG, WEBP
from tests.processing.engines import hostile
from tests.waiting import until

ROOT = Path(__file__).parents[3]
NAMES = [f"{hostile.__name__}:{name}" for name, make in vars(hostile).items() if inspect.isfunction(make)]
SMALL = Bounds(cpu=1, stall=1, memory=512 * MIB, file_size=8 * MIB)


class LostError(Exception):
    """What a runner raises when the job is no longer its own."""


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def pool():
    """One for all tests here: each must leave it fit for the next."""
    pool = Pool(NAMES, SMALL)
    yield pool
    for idle in pool.idle:
        idle.stop()


@pytest.fixture
def order(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "sibling").write_text("somebody else's")
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "source", "JPEG")
    return Order(tmp_path / "source", folder)


@pytest.fixture
def do(pool, order):
    """Let a hostile make loose on the order."""

    def do(make, **changes):
        return pool.make(f"{hostile.__name__}:{make.__name__}", replace(order, **changes))

    return do


@pytest.fixture
def found(do):
    """What a make has found out, by the file it made of it."""
    return lambda make, **changes: json.loads(do(make, **changes).files[0].path.read_text())


class TestProduct:
    def test_sandboxed__makes_the_same_as_without(self, order, tmp_path):
        presets = WEBP[:2]
        plainly = images.render(replace(order, folder=tmp_path, presets=presets))
        inside = sandbox.sandboxed(images.render)(replace(order, presets=presets))
        assert inside.placeholder == plainly.placeholder
        for ours, theirs in zip(inside.files, plainly.files, strict=True):
            assert ours.path.read_bytes() == theirs.path.read_bytes()
            assert ours == replace(theirs, path=order.folder / theirs.path.name)
        assert sandbox.sandboxed(images.inspect)(order) == images.inspect(order)

    def test_sandboxed__is_how_every_image_step_is_made(self):
        for step in pipelines.PIPELINES["image"]:
            assert step.make.__wrapped__.__module__ == "processing.engines.images"

    def test_sandboxed__folder_and_source_may_be_relative(self, order, monkeypatch):
        monkeypatch.chdir(order.folder)
        near = replace(order, source=Path("../source"), folder=Path(), presets=WEBP[:1])
        assert sandbox.sandboxed(images.render)(near).files[0].path == Path("webp-160.webp")

    def test_sandboxed__bomb_is_refused_as_without(self, order):
        header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99))]
        body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
        order.source.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        with pytest.raises(TooManyPixels) as error:
            sandbox.sandboxed(images.inspect)(order)
        assert error.value.details == {"found": 3600, "allowed": 100}

    def test_make__error_of_theirs_comes_through_whole(self, do):
        with pytest.raises(TooManyFrames) as error:
            do(hostile.refuse)
        assert (error.value.code, error.value.details) == ("too_many_frames", {"found": 7, "allowed": 5})

    def test_make__error_of_ours_comes_with_its_traceback_and_last_words(self, do, capfd):
        with pytest.raises(EngineFailed) as error:
            do(hostile.fail)
        assert str(error.value) == "OSError: the disk is on fire"
        assert "hostile.py" in error.value.__notes__[0]
        assert "libtiff: what is this tag?" in error.value.__notes__[1]
        assert capfd.readouterr() == ("", ""), "the worker's own log stays clean"

    def test_make__chatter_is_no_answer_and_blocks_nobody(self, do):
        assert do(hostile.chatter) == Product(hostile.FACTS)

    @pytest.mark.parametrize("make", [hostile.publish_foreign_file, hostile.publish_link, hostile.publish_page])
    def test_make__file_that_is_not_the_jobs_own_is_never_published(self, do, make):
        with pytest.raises(EngineFailed):
            do(make)

    def test_believable__link_in_the_folder_is_no_file(self, order):
        (order.folder / "link").symlink_to("/etc/passwd")
        made = Made("webp-160", 1, order.folder / "link", "image/webp", 1, 1)
        with pytest.raises(ValueError, match="no file of the job"):
            sandbox.Job(order, traces.begin(["x"])).believable_file(made)

    def test_make__facts_of_the_wrong_type_are_not_believed(self, do):
        with pytest.raises(EngineFailed, match="makes no sense"):
            do(hostile.lie_about_facts)

    def test_make__silent_end_is_our_fault(self, do):
        with pytest.raises(EngineFailed, match="without an answer"):
            do(hostile.exit_quietly)

    def test_make__only_what_is_on_the_list(self, pool, order):
        with pytest.raises(EngineFailed):
            pool.make("os:system", order)


class TestFence:
    def test_job__gets_through_no_wall(self, found):
        if missing := fence.missing():
            pytest.skip(f"this kernel has no {missing}")
        assert found(hostile.try_the_walls) == []

    def test_walls__are_open_without_the_fence(self, order):
        """The attempts are real: outside they succeed."""
        code = (
            "import sys, pathlib; from tests.processing.engines import hostile; from processing.facts import Order\n"
            "hostile.try_the_walls(Order(*map(pathlib.Path, sys.argv[1:])))"
        )
        subprocess.run([sys.executable, "-c", code, order.source, order.folder], cwd=ROOT, check=True)
        succeeded = json.loads((order.folder / "found.json").read_text())
        usual = {"read a sibling", "write outside", "change a time", "open a socket", "fork", "signal its parent"}
        assert usual <= set(succeeded)

    def test_job__knows_no_variable_of_ours(self, found, monkeypatch):
        monkeypatch.setenv("MEDIAWEB_SECRET_KEY", "hush")
        sandbox.stop_all()  # the next one is started now
        environment = found(hostile.tell_environment)
        assert set(environment) <= {"LC_ALL", "MALLOC_ARENA_MAX", "LC_CTYPE"}

    def test_job__may_use_threads(self, found):
        assert found(hostile.work_in_threads) == [0, 1, 2, 3]


class TestBounds:
    @pytest.mark.parametrize("make", [hostile.crash, hostile.abort])
    def test_crash__is_a_corrupt_file(self, do, make):
        with pytest.raises(Corrupt, match="the decoder crashed on it"):
            do(make)

    def test_crash__last_words_are_kept_as_evidence(self, do):
        with pytest.raises(Corrupt) as error:
            do(hostile.crash)
        assert "corrupted size vs. prev_size" in error.value.__notes__[0]

    def test_memory__is_limited(self, do):
        with pytest.raises(ResourceLimit) as error:
            do(hostile.take_memory)
        assert error.value.details == {"allowed": "memory"}

    def test_memory__taken_by_the_kernels_killer(self, do, monkeypatch):
        counted = iter((7, 8))
        monkeypatch.setattr(sandbox, "killings", lambda: next(counted))
        with pytest.raises(ResourceLimit, match="memory"):
            do(hostile.be_killed)

    def test_killed__where_no_memory_ran_out_is_our_fault(self, do):
        """Who stops us for good kills all that we have started, in any order."""
        with pytest.raises(EngineFailed, match="status -9"):
            do(hostile.be_killed)

    def test_computing__is_limited(self, do):
        with pytest.raises(ResourceLimit, match="1 seconds"):
            do(hostile.compute_for_ever)

    def test_waiting__is_limited(self, do, order):
        with pytest.raises(ResourceLimit, match="1 seconds"):
            do(hostile.wait_for_ever)
        assert not is_alive(int((order.folder / "pid").read_text()))

    def test_output__is_limited(self, do, order):
        with pytest.raises(ResourceLimit, match="8 MiB of output"):
            do(hostile.write_for_ever)
        assert (order.folder / "big").stat().st_size == 8 * MIB

    def test_output__that_does_not_fit_is_never_half_a_picture(self, order):
        pool = Pool([f"{images.__name__}:render"], Bounds(file_size=4096))
        Image.effect_noise((400, 300), 80).convert("RGB").save(order.source, "JPEG")
        for preset in (WEBP[-1], MAIL_JPEG):
            with pytest.raises(ResourceLimit, match="of output"):
                pool.make(f"{images.__name__}:render", replace(order, presets=(preset,)))
        pool.free().stop()

    def test_full_disk__is_told_by_the_systems_number(self, do):
        with pytest.raises(EngineFailed) as error:
            do(hostile.meet_a_full_disk)
        assert is_outage(error.value)

    @pytest.mark.parametrize("make", [hostile.crash, hostile.take_memory, hostile.be_killed, hostile.fail])
    def test_next_job__is_done_by_the_same_sandbox(self, do, found, make):
        before = found(hostile.tell_sandbox)
        with pytest.raises((Corrupt, ResourceLimit, EngineFailed)):
            do(make)
        assert found(hostile.tell_sandbox) == before

    def test_next_job__after_one_that_was_given_up(self, do, found):
        with pytest.raises(ResourceLimit):
            do(hostile.wait_for_ever)
        assert found(hostile.tell_sandbox)


class TestReport:
    def test_report__comes_at_least_twice_a_second_with_the_last_fraction(self, do):
        ticks, fractions = [], []

        def report(fraction):
            ticks.append(time.monotonic())
            fractions.append(fraction)

        with pytest.raises(ResourceLimit):
            do(hostile.wait_for_ever, report=report)
        assert max(later - sooner for sooner, later in pairwise(ticks)) < 0.5
        assert len(ticks) >= 4
        assert fractions[-1] == 0.5

    def test_report__that_raises_kills_the_job_and_passes(self, do, order):
        pid = order.folder / "pid"

        def lose(fraction):
            if fraction == 0.5:
                raise LostError

        with pytest.raises(LostError):
            do(hostile.wait_for_ever, report=lose)
        assert not is_alive(int(pid.read_text()))


class TestPool:
    def test_pool__many_jobs_share_a_sandbox(self, found):
        assert len({found(hostile.tell_sandbox) for _ in range(5)}) == 1

    def test_pool__sandbox_that_died_is_replaced(self, found):
        first = found(hostile.tell_sandbox)
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_alive(first))
        assert found(hostile.tell_sandbox) != first

    def test_pool__sandbox_that_dies_at_work_is_our_fault(self, do, order):
        def kill(fraction):
            if fraction:
                os.kill(psutil.Process(int((order.folder / "pid").read_text())).ppid(), signal.SIGKILL)

        with pytest.raises(EngineFailed, match="the sandbox itself ended"):
            do(hostile.wait_for_ever, report=kill)
        pid = int((order.folder / "pid").read_text())
        until(lambda: not is_alive(pid), 5)

    def test_pool__two_threads_work_at_once_in_sandboxes_of_their_own(self, pool, order, tmp_path):
        met, seen = threading.Barrier(2, timeout=20), []

        def work(folder):
            def meet(fraction):
                if fraction and not seen:
                    met.wait()
                    seen.append(True)

            folder.mkdir()
            with contextlib.suppress(ResourceLimit):
                pool.make(f"{hostile.__name__}:wait_for_ever", replace(order, folder=folder, report=meet))

        threads = [threading.Thread(target=work, args=(tmp_path / name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen

    def test_fork__has_a_sandbox_of_its_own(self, found, order):
        ours = found(hostile.tell_sandbox)
        pid = os.fork()
        if pid == 0:
            theirs = 0
            with contextlib.suppress(BaseException):
                theirs = found(hostile.tell_sandbox)
            (order.folder / "theirs").write_text(str(theirs))
            os._exit(0)
        os.waitpid(pid, 0)
        theirs = int((order.folder / "theirs").read_text())
        assert theirs not in (0, ours)
        until(lambda: not is_alive(theirs), 5)
        assert found(hostile.tell_sandbox) == ours

    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
    def test_worker_killed__leaves_neither_job_nor_sandbox(self, order, end):
        code = (
            "import sys, pathlib; from processing.engines.sandbox import Pool; from processing.facts import Order\n"
            "name = 'tests.processing.engines.hostile:wait_for_ever'\n"
            "Pool([name]).make(name, Order(*map(pathlib.Path, sys.argv[1:])))"
        )
        parent = subprocess.Popen([sys.executable, "-c", code, order.source, order.folder], cwd=ROOT)
        try:
            job = int(until(lambda: (order.folder / "pid").exists() and (order.folder / "pid").read_text()))
            above = psutil.Process(job).ppid()
        finally:
            parent.send_signal(end)
            parent.wait()
        until(lambda: not is_alive(job) and not is_alive(above), 5)

    def test_process_that_ends__takes_its_sandbox_along(self, order):
        code = (
            "import sys, pathlib; from processing.engines.sandbox import Pool; from processing.facts import Order\n"
            "name = 'tests.processing.engines.hostile:tell_sandbox'\n"
            "Pool([name]).make(name, Order(*map(pathlib.Path, sys.argv[1:])))"
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code, order.source, order.folder], cwd=ROOT, check=True)
        assert not is_alive(int((order.folder / "found.json").read_text()))

    def test_sandbox__leaves_no_open_files(self, found):
        found(hostile.tell_sandbox)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            found(hostile.tell_sandbox)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
