"""What stands before Django: signed local files with ranges, and the bound on a request's body."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from mediaweb import serving
from processing import links, storage

DATA = bytes(range(256)) * 40
KEY = "originals/a-film.mp4"


class Inner:
    """Stands for Django: reads the body whole and says how long it was."""

    def __init__(self) -> None:
        self.called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called = True
        read, more = 0, True
        while more:
            message = await receive()
            read += len(message.get("body", b""))
            more = message.get("more_body", False)
        await PlainTextResponse(f"inner read {read}")(scope, receive, send)


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture(autouse=True)
def film(tmp_path: Path) -> Iterator[None]:
    """A file in the storage, under KEY."""
    made = tmp_path / "made"
    made.write_bytes(DATA)
    storage.keep(made, KEY)
    yield
    storage.drop(KEY)


def ask(app: Any, method: str, url: str, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, url, **options)

    return asyncio.run(go())


def get(url: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(serving.Media(Inner()), "GET", url, headers=named)


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    return str(error["code"])


def test_media__whole_file_with_its_type_and_a_validator():
    answer = get(links.sign(KEY))
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"]
    assert answer.headers["cache-control"].startswith("private")
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize(
    ("span", "content", "said"),
    [
        ("bytes=0-0", DATA[:1], f"bytes 0-0/{len(DATA)}"),
        ("bytes=100-199", DATA[100:200], f"bytes 100-199/{len(DATA)}"),
        ("bytes=10000-", DATA[10000:], f"bytes 10000-{len(DATA) - 1}/{len(DATA)}"),
        ("bytes=-5", DATA[-5:], f"bytes {len(DATA) - 5}-{len(DATA) - 1}/{len(DATA)}"),
        ("bytes=10000-99999", DATA[10000:], f"bytes 10000-{len(DATA) - 1}/{len(DATA)}"),
    ],
)
def test_media__range_is_answered_with_that_part(span, content, said):
    answer = get(links.sign(KEY), range=span)
    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"] == said


def test_media__range_past_the_end_cannot_be_satisfied():
    answer = get(links.sign(KEY), range=f"bytes={len(DATA)}-")
    assert answer.status_code == 416
    assert answer.headers["content-range"].endswith(f"*/{len(DATA)}")


def test_media__if_range_with_the_right_validator_gives_the_part_and_else_the_whole():
    url = links.sign(KEY)
    tag = get(url).headers["etag"]
    assert get(url, range="bytes=0-9", if_range=tag).status_code == 206
    changed = get(url, range="bytes=0-9", if_range='"another"')
    assert (changed.status_code, changed.content) == (200, DATA)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_media__what_one_has_already_is_not_sent_again(form):
    url = links.sign(KEY)
    tag = get(url).headers["etag"]
    answer = get(url, if_none_match=form.format(tag))
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag
    assert answer.headers.get("content-length", "0") == "0"


def test_media__what_has_changed_is_sent_whole():
    assert get(links.sign(KEY), if_none_match='"another"').content == DATA


def test_media__is_unchanged_since_it_was_written():
    written = get(links.sign(KEY)).headers["last-modified"]
    answer = get(links.sign(KEY), if_modified_since=written)
    assert (answer.status_code, answer.content) == (304, b"")
    for since in ("Mon, 01 Jan 2001 00:00:00 GMT", "yesterday"):
        assert get(links.sign(KEY), if_modified_since=since).content == DATA
    another = get(links.sign(KEY), if_modified_since=written, if_none_match='"another"')
    assert another.content == DATA, "the validator says more than the date"


def test_media__longer_than_one_read_arrives_whole(tmp_path):
    long = bytes(range(256)) * (serving.CHUNK // 256) + b"and more"
    (tmp_path / "long").write_bytes(long)
    storage.keep(tmp_path / "long", "originals/long.mp4")
    assert get(links.sign("originals/long.mp4")).content == long
    assert get(links.sign("originals/long.mp4"), range="bytes=9-").content == long[9:]
    storage.drop("originals/long.mp4")


def test_media__may_be_read_by_a_player_on_another_site():
    assert get(links.sign(KEY)).headers["access-control-allow-origin"] == "*"
    assert get(links.sign(KEY), range="bytes=0-9").headers["access-control-allow-origin"] == "*"


def test_media__is_left_to_the_proxy_where_there_is_one(settings):
    settings.ACCEL = "/inner/"
    answer = get(links.sign(KEY, download_as="día.mp4"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-accel-redirect"] == f"/inner/{KEY}"
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"] == serving.FENCE["Content-Security-Policy"]


def test_media__the_proxy_is_asked_for_nothing_that_is_not_signed_or_not_there(settings):
    settings.ACCEL = "/inner/"
    refused(get(links.sign(KEY) + "0"), 403)
    refused(get(links.sign("originals/gone.mp4")), 404)


def test_media__head_has_the_length_and_no_body():
    answer = ask(serving.Media(Inner()), "HEAD", links.sign(KEY))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_media__nothing_else_is_done_to_files(method):
    answer = ask(serving.Media(Inner()), method, links.sign(KEY))
    assert refused(answer, 405) == "method_not_allowed"
    assert Path(storage.default_storage.path(KEY)).exists()


def test_media__expired_link_is_refused(monkeypatch):
    url = links.sign(KEY)
    later = links.time.time() + links.GOOD_FOR + links.STEP + 1
    monkeypatch.setattr(links.time, "time", lambda: later)
    assert refused(get(url), 403) == "link_expired"


@pytest.mark.parametrize(
    "tampered",
    [
        lambda url: url.replace("a-film", "b-film"),
        lambda url: url.replace("until=", "until=9"),
        lambda url: url.replace("sign=", "sign=0"),
        lambda url: url.replace("sign=", "sign=%C3%A9"),
        lambda url: url + "&name=page.html",
        lambda url: url.partition("?")[0],
        lambda url: url.partition("sign=")[0] + "sign=",
    ],
    ids=["key", "until", "sign", "sign not ASCII", "name", "no query", "empty sign"],
)
def test_media__link_that_was_changed_is_refused(tampered):
    assert refused(get(tampered(links.sign(KEY))), 403) == "link_expired"


@pytest.mark.parametrize("key", ["../secret_key", "originals/../../secret_key", "/etc/passwd"])
def test_media__way_out_of_the_storage_is_refused_unsigned(key):
    assert (settings.DATA / "secret_key").exists()
    assert status_of(key, "until=9999999999&sign=0") == 403


@pytest.mark.parametrize("key", ["../secret_key", "originals/../../secret_key", "/etc/passwd", "originals", "gone.mp4"])
def test_media__way_out_of_the_storage_is_refused_even_signed(key):
    query = links.sign(key).partition("?")[2]
    assert status_of(key, query) == 404


def status_of(key: str, query: str) -> int:
    """What is answered to this path as it is, which no client library lets through."""
    scope = {"type": "http", "method": "GET", "path": f"/media/{key}", "query_string": query.encode(), "headers": []}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(serving.Media(Inner())(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "name", ["día de campo.mp4", 'a"; filename="b.html', "a\r\nSet-Cookie: x=1", "a.html", "日本.mov"]
)
def test_media__name_makes_it_an_attachment_under_that_name(name):
    answer = get(links.sign(KEY, download_as=name))
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert "set-cookie" not in answer.headers
    assert name.isascii() or disposition == f"attachment; filename*=utf-8''{quote(name)}"


@pytest.mark.parametrize("key", ["originals/evil.html", "originals/evil.svg", "renditions/x/webp-160.1-1.webp"])
def test_media__no_script_runs_in_what_somebody_uploaded(tmp_path, key):
    (tmp_path / "evil").write_bytes(b"<script>alert(1)</script>")
    storage.keep(tmp_path / "evil", key)
    answer = get(links.sign(key))
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    storage.drop(key)


def test_media__original_without_an_extension_is_bytes():
    assert mimetypes.guess_type("originals/7d0c")[0] is None
    scope_key = "originals/7d0c"
    Path(storage.default_storage.path(scope_key)).write_bytes(b"<html>")
    assert get(links.sign(scope_key)).headers["content-type"] == "application/octet-stream"
    storage.drop(scope_key)


def test_media__other_addresses_and_other_stores_are_djangos(inner, monkeypatch):
    assert ask(serving.Media(inner), "GET", "/healthz").text == "inner read 0"
    monkeypatch.setattr(storage, "is_local", lambda: False)
    assert ask(serving.Media(inner), "GET", links.sign(KEY)).text == "inner read 0"


@pytest.fixture
def small(settings: Any) -> int:
    """The longest body that is let through: 1000 bytes of file and the frame around them."""
    settings.MAX_UPLOAD_BYTES = 1000
    return 1000 + serving.MULTIPART_FRAME


async def chunks(total: int, size: int = 65536) -> AsyncIterator[bytes]:
    while total > 0:
        yield b"x" * min(size, total)
        total -= size


def test_body__declared_length_over_the_limit_is_refused_before_anything_is_read(small, inner):
    answer = ask(serving.Body(inner), "POST", "/", content=b"x" * (small + 1))
    assert refused(answer, 413) == "too_large"
    assert answer.json()["error"]["details"] == {"allowed": 1000}
    assert not inner.called


def test_body__chunks_over_the_limit_are_refused(small, inner):
    answer = ask(serving.Body(inner), "POST", "/", content=chunks(small + 1))
    assert refused(answer, 413) == "too_large"
    assert inner.called


def test_body__that_says_it_is_short_and_is_not_is_refused(small, inner):
    answer = ask(serving.Body(inner), "POST", "/", content=chunks(small + 1), headers={"Content-Length": "5"})
    assert refused(answer, 413) == "too_large"


@pytest.mark.parametrize("length", ["²", "-1", "many", ""])
def test_body__length_that_is_no_number_is_counted_as_it_comes(small, inner, length):
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", length.encode("latin-1"))]}
    assert serving.declared_length(scope) == 0


def test_body__at_the_limit_is_let_through(small, inner):
    assert ask(serving.Body(inner), "POST", "/", content=b"x" * small).text == f"inner read {small}"
    assert ask(serving.Body(inner), "POST", "/", content=chunks(small)).text == f"inner read {small}"


def test_body__lifespan_and_sockets_pass_by(inner):
    seen: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Message:
        return {"type": "lifespan.startup"}

    for kind in ("lifespan", "websocket"):
        asyncio.run(serving.Media(serving.Body(note))({"type": kind}, nothing, nothing))
    assert seen == ["lifespan", "websocket"]


# Django leaves the file it was reading the body into to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.django_db(transaction=True)
def test_application__refuses_a_long_body_in_front_of_the_real_django(small):
    application = serving.Media(serving.Body(get_asgi_application()))
    answer = ask(application, "POST", "/api/originals", content=chunks(small + 1))
    assert refused(answer, 413) == "too_large"
