"""Large bodies, which are read past the server's own parser: what comes behind them, and what breaks off."""

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
import socket
import struct
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psutil
import pytest
from django.utils.timezone import now

from processing import storage
from tests.uploads.test_files import db, film_bytes, kept, program, servers, token, web  # noqa: F401 - fixtures
from tests.uploads.web import BODY, HalfPatch, create, offset, patch, row_of
from tests.waiting import until
from uploads.intake import digest, incoming, receiving
from uploads.intake.digest import hash_file
from uploads.intake.line import WORTH, Line
from uploads.intake.receiving import LEASE, RENEW_AFTER
from uploads.models import Original, Upload

SIZE = WORTH + (3 << 20) + 17
DATA_SEGS_IN = 152  # where Linux's tcp_info counts the segments that have come with data


def patch_head(place: httpx.URL, program: httpx.Client, at: int, length: int) -> bytes:  # noqa: F811
    headers = {**BODY, "Host": place.netloc.decode(), "Authorization": program.headers["Authorization"]}
    headers |= {"Content-Length": str(length), "Upload-Offset": str(at)}
    lines = [f"PATCH {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_of(line: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = line.recv(4096)
        if not piece:
            break
        head += piece
    return head


def told_of_the_head(program: httpx.Client, place: str, at: int, length: int) -> tuple[int, str]:  # noqa: F811
    """Send a PATCH without its body: the status and the code of the answer, with which the server hangs up."""
    url = httpx.URL(place)
    with socket.create_connection((url.host, url.port), timeout=10) as line:
        line.sendall(patch_head(url, program, at, length))
        answer = b""
        while piece := line.recv(4096):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def test_large_body__is_kept_whole_and_its_connection_goes_on(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    for at, piece in ((0, data[: WORTH + 5]), (WORTH + 5, data[WORTH + 5 :])):
        assert patch(program, place, at, piece).status_code == 204
    original = Original.objects.get()
    assert (original.bytes, original.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert kept(original) == data


def test_large_body__another_request_may_follow_at_once(program):  # noqa: F811
    places = [httpx.URL(create(program, SIZE)) for _ in range(2)]
    films = [film_bytes(SIZE) for _ in places]
    with socket.create_connection((places[0].host, places[0].port)) as line:
        for place, film in zip(places, films, strict=True):  # the second before the first is answered
            line.sendall(patch_head(place, program, 0, SIZE) + film)
        heads = answer_of(line) + answer_of(line)
    assert heads.count(b"HTTP/1.1 204") == 2
    found = set(Original.objects.values_list("sha256", flat=True))
    assert found == {hashlib.sha256(film).hexdigest() for film in films}


def test_large_body__that_breaks_off_is_kept_as_far_as_it_came(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    broken = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: Upload.objects.get().offset > 0)
    broken.close()
    until(lambda: not row_of(place).lease_until)  # until the server has heard of it, the upload is another's
    assert offset(program, place) == WORTH + 1234
    assert patch(program, place, WORTH + 1234, data[WORTH + 1234 :]).status_code == 204
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_large_body__of_an_upload_that_another_sends_is_refused_before_it_comes(program):  # noqa: F811
    place = create(program, SIZE)
    other = HalfPatch(program, place, 0, SIZE).send(film_bytes(1 << 20))
    until(lambda: row_of(place).lease_until)
    assert told_of_the_head(program, place, 0, SIZE) == (423, "locked")
    other.close()


def test_large_body__is_refused_by_an_answer_that_no_line_can_break_in_two(program):  # noqa: F811
    place = httpx.URL(create(program, SIZE))
    with socket.create_connection((place.host, place.port), timeout=10) as line:
        line.sendall(patch_head(place, program, 1, SIZE - 1))
        answer = line.recv(4096)
        while not answer.endswith(b"}}"):
            answer += line.recv(4096)
        segments = struct.unpack_from("I", line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), DATA_SEGS_IN)
    assert answer.startswith(b"HTTP/1.1 409")
    assert segments == (1,)


def test_large_body__at_another_offset_is_refused_before_it_comes(program):  # noqa: F811
    place = create(program, SIZE)
    patch(program, place, 0, film_bytes(1 << 20))
    assert told_of_the_head(program, place, 0, SIZE) == (409, "offset")
    assert offset(program, place) == 1 << 20


def test_large_body__whose_line_goes_dead_lets_the_client_in_again_where_it_was(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    dead = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: offset(program, place) == WORTH + 1234)
    until(lambda: patch(program, place, WORTH + 1234, data[WORTH + 1234 :]).status_code == 204, LEASE.seconds / 2)
    dead.close()
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


def test_large_body__whose_line_stays_silent_takes_the_upload_no_more(program):  # noqa: F811
    place = create(program, SIZE)
    silent = HalfPatch(program, place, 0, SIZE).send(film_bytes(WORTH + 1234))
    until(lambda: offset(program, place) == WORTH + 1234)
    until(lambda: row_of(place).lease_until <= now())
    end, leases = time.monotonic() + 2 * RENEW_AFTER, set()
    until(lambda: leases.add(row_of(place).lease_until) or time.monotonic() > end)
    assert len(leases) == 1, "others would be told that it is being sent"
    silent.close()


def test_large_body__that_was_silent_goes_on(program):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    slow = HalfPatch(program, place, 0, len(data)).send(data[: WORTH + 1234])
    until(lambda: offset(program, place) == WORTH + 1234)
    assert slow.send(data[WORTH + 1234 :]).answer() == b"HTTP/1.1 204 No Content"
    assert Original.objects.get().sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [SIZE, 20 << 20])
def test_large_body__of_no_kind_we_take_is_refused_in_words(program, size):  # noqa: F811
    place = create(program, size)
    answer = patch(program, place, 0, secrets.token_bytes(size))
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_type"
    assert not Upload.objects.exists()
    assert program.get("/healthz").status_code == 200
    assert not list(storage.keys(storage.ORIGINALS))


@pytest.mark.parametrize("is_right", [True, False])
def test_large_body__with_a_checksum_counts_where_it_is_right(program, is_right):  # noqa: F811
    data = film_bytes(SIZE)
    place = create(program, len(data))
    checksum = hashlib.sha1(data if is_right else data[:-1], usedforsecurity=False).digest()
    told = {"Upload-Checksum": f"sha1 {b64encode(checksum).decode()}"}
    answer = patch(program, place, 0, data, **told)
    assert answer.status_code == (204 if is_right else 460)
    assert offset(program, place) == (len(data) if is_right else 0)
    assert patch(program, place, len(data) if is_right else 0, b"" if is_right else data).status_code == 204
    assert kept(Original.objects.get()) == data


def test_large_bodies__leave_nothing_open_behind_them(program, web):  # noqa: F811
    data = film_bytes(SIZE)

    def send_all_ways() -> None:
        HalfPatch(program, create(program, SIZE), 0, SIZE).send(data[: WORTH + 1234]).close()
        patch(program, create(program, SIZE), 0, secrets.token_bytes(SIZE))
        patch(program, create(program, SIZE), 0, film_bytes(SIZE))

    process = psutil.Process(web.process.pid)
    send_all_ways()  # what is opened once, and kept, is open now
    before = process.num_fds()
    for _ in range(3):
        send_all_ways()
    until(lambda: process.num_fds() <= before)


class Lent:
    """A line without a server: what is sent into `other` comes out of `line`."""

    def __init__(self, left: int) -> None:
        ours, self.other = socket.socketpair()
        ours.setblocking(False)
        flow = SimpleNamespace(pause_reading=lambda: None, resume_reading=lambda: None)
        self.line = Line(cast("Any", None), cast("Any", SimpleNamespace(flow=flow)), ours, left)

    def __enter__(self) -> "Lent":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.other.close()


def test_line__gives_what_has_come_and_no_more_than_is_wanted(tmp_path):
    with Lent(100) as lent, (tmp_path / "file").open("w+b") as file:
        lent.other.sendall(b"a film, and more")
        assert lent.line.draw(file.fileno(), 3, 6) == 6
        assert lent.line.draw(file.fileno(), 9, 100) == 10
        assert lent.line.draw(file.fileno(), 19, 100) == 0
        assert (lent.line.left, lent.line.is_lost) == (84, False)
        assert file.read() == b"\0\0\0a film, and more"


def test_line__leaves_what_follows_the_body_to_the_server(tmp_path):
    with Lent(6) as lent, (tmp_path / "file").open("w+b") as file:
        lent.other.sendall(b"a filmGET / HTTP/1.1")
        assert lent.line.draw(file.fileno(), 0, 100) == 6
        assert lent.line.connection.recv(100) == b"GET / HTTP/1.1"


def test_line__that_breaks_off_gives_what_came_before(tmp_path):
    with Lent(100) as lent, (tmp_path / "file").open("w+b") as file:
        lent.other.sendall(b"a film")
        lent.other.close()
        assert lent.line.draw(file.fileno(), 0, 100) == 6
        assert lent.line.is_lost
        assert file.read() == b"a film"


def test_line__a_small_pipe_takes_more_turns(tmp_path):
    data = secrets.token_bytes(100_000)
    with Lent(len(data)) as lent, (tmp_path / "file").open("w+b") as file:
        fcntl.fcntl(lent.line.pipe, fcntl.F_SETPIPE_SZ, 4096)
        lent.other.sendall(data)
        assert lent.line.draw(file.fileno(), 0, len(data)) == len(data)
        assert file.read() == data


def test_line__where_splicing_into_the_file_cannot_be_done_writes(tmp_path):
    data = secrets.token_bytes(100_000)
    with (
        Lent(len(data)) as lent,
        (tmp_path / "file").open("a+b") as file,
    ):  # of what may only grow, splice(2) knows nothing
        lent.other.sendall(data)
        assert lent.line.draw(file.fileno(), 0, len(data)) == len(data)
        file.seek(0)
        assert file.read() == data


def test_line__stirs_when_something_or_nothing_more_will_come():
    with Lent(100) as lent:
        assert not asyncio.run(lent.line.stirs(0.01))
        lent.other.sendall(b"a")
        assert asyncio.run(lent.line.stirs(0.01))
        assert lent.line.skip() == 1
        lent.other.close()
        assert asyncio.run(lent.line.stirs(30))


def test_line__skips_what_nobody_wants():
    with Lent(100) as lent:
        lent.other.sendall(b"no film")
        assert (lent.line.skip(), lent.line.skip(), lent.line.left) == (7, 0, 93)


@pytest.fixture
def receiver(alice):
    return receiving.take(receiving.create(alice, "film.mp4", 1 << 20).pk)


def test_receiver__that_is_ended_while_a_thread_writes_waits_for_it(receiver, monkeypatch):
    is_writing, is_closed, close = threading.Event(), threading.Event(), receiver.keeper.close
    monkeypatch.setattr(receiver.keeper, "close", lambda: (is_closed.set(), close()))

    def fill(handle: int, at: int, most: int) -> int:
        is_writing.set()
        assert not is_closed.wait(0.3), "the file's number may be another file's by now"
        return os.pwrite(handle, b"1234", at)

    with ThreadPoolExecutor() as threads:
        writing = threads.submit(receiver.add, fill)
        is_writing.wait()
        receiver.release()
        assert writing.result() == 4


def test_receiver__that_is_ended_while_a_thread_puts_away_waits_for_it(receiver, monkeypatch):
    is_settling, is_closed, close, waited = threading.Event(), threading.Event(), receiver.keeper.close, []

    def settle(*, whole: bool) -> None:
        is_settling.set()
        waited.append(not is_closed.wait(0.3))
        raise EOFError  # before it comes to rows, which this thread cannot see

    monkeypatch.setattr(receiver.keeper, "settle", settle)
    monkeypatch.setattr(receiver.keeper, "close", lambda: (is_closed.set(), close()))
    with ThreadPoolExecutor() as threads:
        settling = threads.submit(receiver.settle)
        is_settling.wait()
        receiver.release()
        assert isinstance(settling.exception(), EOFError)
    assert waited == [True]


def test_receiver__that_is_ended_before_all_is_hashed_waits_for_that_too(receiver, monkeypatch):
    is_closed, close, hashed = threading.Event(), receiver.keeper.close, []
    monkeypatch.setattr(receiver.keeper, "close", lambda: (is_closed.set(), close()))
    monkeypatch.setattr(digest, "hash_file", lambda *_: hashed.append(not is_closed.wait(0.3)))
    receiver.write(bytearray(b"1234"))
    receiver.release()
    assert hashed == [True]


def test_receiver__whose_file_was_cut_off_says_so_and_lets_go(receiver, monkeypatch):
    cut = threading.Event()

    def hash_when_cut(digests: Any, handle: int, at: int, size: int) -> None:
        cut.wait()
        hash_file(digests, handle, at, size)

    monkeypatch.setattr(digest, "hash_file", hash_when_cut)
    receiver.write(bytearray(film_bytes(8192)))
    os.truncate(incoming.path_of(receiver.upload), 4096)
    cut.set()
    with pytest.raises(EOFError):
        receiver.settle()
    receiver.release()
    assert not Upload.objects.get().holder


def test_receiver__hashes_one_piece_after_the_other(receiver, monkeypatch):
    data, second = film_bytes(8192), threading.Event()

    def hash_slowly(digests: Any, handle: int, at: int, size: int) -> None:
        if at:
            second.set()
        else:
            assert not second.wait(0.3)
        hash_file(digests, handle, at, size)

    monkeypatch.setattr(digest, "hash_file", hash_slowly)
    receiver.write(bytearray(data[:4096]))
    receiver.write(bytearray(data[4096:]))
    receiver.hashing.catch_up()
    assert receiver.digest.hexdigest() == hashlib.sha256(data).hexdigest()
    receiver.release()
