"""The HTTP interface, from outside: what is answered, to whom, and what it changes."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from processing import events, lines, storage, worker
from processing.bridge import connection
from processing.models import Job, JobStatus, Run, RunStatus
from tests.conftest import fresh, photo_bytes
from tests.outage import broker_away
from uploads import api
from uploads.models import ApiToken, Original

pytestmark = pytest.mark.django_db

LIST = "/api/originals"
FIELDS = {
    *("id", "name", "kind", "status", "bytes", "sha256", "owner", "created_at", "taken_at", "ready_at", "progress"),
    *("queue_position", "eta_seconds", "error", "facts", "placeholder", "colour", "srcset", "jobs", "renditions"),
}


@pytest.fixture
def signed_in(client: Client) -> Callable[[Any], Client]:
    """A program of this user's, with its token."""

    def sign_in(user: Any) -> Client:
        return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user)}"})

    return sign_in


@pytest.fixture
def program(alice: Any, signed_in: Callable[[Any], Client]) -> Client:
    """Alice's."""
    return signed_in(alice)


def photo_file(data: bytes | None = None, name: str = "photo.jpg") -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, photo_bytes() if data is None else data)}


def error_of(answer: Any, status: int) -> Any:
    """The error's code; the answer must have the documented form."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    return error["code"]


def at(original: Any, verb: str = "") -> str:
    return f"{LIST}/{original.pk}" + (f"/{verb}" if verb else "")


def listed(client: Client, **query: Any) -> list[str]:
    return [item["id"] for item in client.get(LIST, query).json()["items"]]


def test_upload__answers_with_the_original(program):
    answer = program.post(LIST, photo_file(name="café.jpg"))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["kind"], body["owner"]) == ("café.jpg", "image", "alice")
    assert (body["status"], body["progress"], body["ready_at"], body["error"]) == ("received", 0, None, None)
    assert body["bytes"] == len(photo_bytes())
    assert [(job["step"], job["status"]) for job in body["jobs"]] == [("inspect", "queued"), ("thumbnails", "waiting")]
    assert body["queue_position"] == 1


def test_upload__has_every_documented_field(program):
    body = program.post(LIST, photo_file()).json()
    assert set(body) == FIELDS


@pytest.mark.parametrize("already", [0, lines.WINDOW], ids=["listed", "held"])
@pytest.mark.parametrize("data", [photo_bytes(), b"\0\0\0\x18ftypmp42" + bytes(16)], ids=["photo", "film"])
def test_upload__answers_what_the_rows_say(program, upload, data, already):
    for number in range(already):
        upload(fresh(data), str(number))
    answer = program.post(LIST, photo_file(data))
    assert answer.status_code == 201
    assert answer.json() == program.get(f"{LIST}/{answer.json()['id']}").json()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("already", "statements"), [(1, 11), (lines.WINDOW, 10)], ids=["listed", "held"])
def test_upload__costs_few_statements(program, upload, already, statements):
    """Of a web process's time most goes into putting them into words; BEGIN and COMMIT, which cost little, apart."""
    for _ in range(already):
        upload()
    with CaptureQueriesContext(database) as seen:
        assert program.post(LIST, photo_file()).status_code == 201
    asked = [query["sql"] for query in seen.captured_queries if query["sql"].split()[0] not in {"BEGIN", "COMMIT"}]
    # The owner's row is locked, and where the window is full, it is counted once more.
    more = (1 + (already == lines.WINDOW)) if database.features.has_select_for_update else 0
    assert len(asked) == statements + more, "\n".join(asked)


def test_upload__of_the_same_bytes_is_the_original_there_is(program):
    first, second = program.post(LIST, photo_file()), program.post(LIST, photo_file(name="copy.jpg"))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()


def test_list__says_by_its_hash_whether_a_file_is_here(upload, program, bob):
    hers, his = upload(), upload(owner=bob)
    assert listed(program, sha256=hers.sha256) == [str(hers.pk)]
    assert listed(program, sha256=hers.sha256.upper()) == [str(hers.pk)]
    assert listed(program, sha256=his.sha256) == []
    assert listed(program, sha256="nonsense\0") == []


def test_upload__without_a_file_is_invalid(program):
    assert error_of(program.post(LIST), 422) == "invalid"
    assert error_of(program.post(LIST, {"file": "not a file"}), 422) == "invalid"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [(b"", 400, "empty"), (b"<svg/>", 415, "unsupported_type"), (photo_bytes((900, 900)), 413, "too_large")],
)
def test_upload__refusals_have_their_status_and_code(program, settings, data, status, code):
    settings.MAX_UPLOAD_BYTES = len(photo_bytes((900, 900))) - 1
    assert error_of(program.post(LIST, photo_file(data)), status) == code
    assert not Original.objects.exists()


def test_upload__over_quota_says_how_much_is_free(program, settings):
    settings.QUOTA_BYTES = 10
    answer = program.post(LIST, photo_file())
    assert error_of(answer, 403) == "quota_exceeded"
    assert answer.json()["error"]["details"] == {"free": 10, "allowed": 10}


def test_upload__torn_body_is_a_bad_request(program):
    answer = program.post(LIST, b"--x\r\nnonsense", content_type="multipart/form-data; boundary=")
    assert error_of(answer, 400) == "bad_request"


@pytest.mark.django_db(transaction=True)
def test_upload__is_accepted_while_redis_is_down(program, broker):
    with broker_away(broker):
        assert program.post(LIST, photo_file()).status_code == 201
    assert Run.objects.get().status == RunStatus.RECEIVED


NOBODYS = "/5b6e5a1c-96a5-4ff1-9a0a-8c6f4b8a9d1e"
CALLS = [
    ("post", ""),
    ("get", ""),
    *[(method, NOBODYS) for method in ("get", "delete")],
    *[("post", f"{NOBODYS}/{verb}") for verb in ("retry", "cancel", "reprocess")],
    ("get", f"{NOBODYS}/download"),
]


@pytest.mark.parametrize(("method", "path"), CALLS, ids=[f"{m} {p[-8:]}" for m, p in CALLS])
def test_stranger__is_refused_everywhere(client, method, path):
    assert error_of(getattr(client, method)(LIST + path), 401) == "unauthenticated"


@pytest.mark.parametrize("path", ["/api/queues", "/api/events"])
def test_stranger__sees_neither_queues_nor_events(client, path):
    assert error_of(client.get(path), 401) == "unauthenticated"


@pytest.mark.parametrize("header", ["Bearer mw_wrong", "Bearer ", "Basic YTpi", "Bearer \0", "Bearer é"])
def test_token__that_is_not_ours_opens_nothing(client, alice, header):
    ApiToken.issue(alice)
    assert error_of(client.get(LIST, headers={"Authorization": header}), 401) == "unauthenticated"


def test_token__of_a_dismissed_user_opens_nothing(program, alice):
    alice.is_active = False
    alice.save()
    assert error_of(program.get(LIST), 401) == "unauthenticated"


def test_token__is_not_kept_in_plain(alice):
    plain = ApiToken.issue(alice)
    assert plain not in {str(value) for value in ApiToken.objects.values().get().values()}


def test_session__reads_and_needs_a_csrf_token_to_write(alice):
    page = Client(enforce_csrf_checks=True)
    page.force_login(alice)
    assert page.get(LIST).status_code == 200
    assert error_of(page.post(LIST, photo_file()), 403) == "forbidden"
    assert not Original.objects.exists()


def test_session__with_its_csrf_token_uploads(alice):
    page = Client(enforce_csrf_checks=True)
    page.force_login(alice)
    token = "a" * 32
    page.cookies["csrftoken"] = token
    assert page.post(LIST, photo_file(), headers={"X-CSRFToken": token}).status_code == 201


def test_program__needs_no_csrf_token(alice):
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {ApiToken.issue(alice)}"})
    assert program.post(LIST, photo_file()).status_code == 201


@pytest.mark.parametrize("call", ["get ", "delete ", "post retry", "post cancel", "post reprocess", "get download"])
def test_bob__finds_nothing_of_alices(upload, bob, signed_in, call):
    method, verb = call.split(" ")
    original = upload()
    before = Run.objects.values().get()
    assert error_of(getattr(signed_in(bob), method)(at(original, verb)), 404) == "not_found"
    assert Run.objects.values().get() == before
    assert storage.default_storage.exists(original.key)


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("get ", 200),
        ("post cancel", 202),
        ("post retry", 202),
        ("post reprocess", 202),
        ("get download", 302),
        ("delete ", 204),
    ],
)
def test_charlie__sees_and_mends_alices(upload, charlie, signed_in, call, status):
    method, verb = call.split(" ")
    assert getattr(signed_in(charlie), method)(at(upload(), verb)).status_code == status


def test_unknown_id__is_not_found_and_a_word_is_invalid(program):
    assert error_of(program.get(f"{LIST}/{uuid.uuid4()}"), 404) == "not_found"
    assert error_of(program.get(f"{LIST}/nonsense"), 422) == "invalid"


def test_list__shows_alice_her_own_and_charlie_all(upload, alice, bob, charlie, signed_in):
    hers, his = str(upload().pk), str(upload(owner=bob).pk)
    assert listed(signed_in(alice)) == [hers]
    assert listed(signed_in(bob)) == [his]
    assert set(listed(signed_in(charlie))) == {hers, his}


def test_list__filter_by_owner_gives_bob_nothing_of_alices(upload, bob, charlie, signed_in):
    hers = str(upload().pk)
    assert listed(signed_in(bob), owner="alice") == []
    assert listed(signed_in(charlie), owner="alice") == [hers]
    assert listed(signed_in(charlie), owner="bob") == []


def test_list__is_narrowed_by_status_kind_and_name(upload, program):
    beach, forest = upload(name="Beach.jpg"), upload(name="forest 100%.jpg")
    Run.objects.filter(original=beach).update(status=RunStatus.READY)
    Original.objects.filter(pk=forest.pk).update(kind="video")
    assert listed(program, status="ready") == [str(beach.pk)]
    assert listed(program, kind="video") == [str(forest.pk)]
    assert listed(program, q="beach") == [str(beach.pk)]
    assert listed(program, q="100%") == [str(forest.pk)]
    assert listed(program, q="beach", kind="video") == []
    assert listed(program, status="nonsense") == []


def walk(client: Client, **query: Any) -> list[list[str]]:
    """Every page of the list, following the cursors."""
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(LIST, {**query, "cursor": cursor}).json()
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next_cursor"]
        assert len(pages) < 50, "the pages never end"
    return pages


def test_paging__newest_first_without_doubles_or_gaps(upload, program):
    originals = [upload() for _ in range(7)]
    for number, original in enumerate(originals):
        Original.objects.filter(pk=original.pk).update(created_at=now() - timedelta(minutes=number))
    pages = walk(program, limit=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert list(chain.from_iterable(pages)) == [str(original.pk) for original in originals]


def test_paging__originals_of_the_same_instant_come_once_each(upload, program):
    originals = [upload() for _ in range(7)]
    Original.objects.update(created_at=datetime(2026, 1, 2, 3, 4, 5, 678000, UTC))
    seen = chain.from_iterable(walk(program, limit=2))
    assert sorted(seen) == sorted(str(original.pk) for original in originals)


def test_paging__new_arrival_moves_nobody_to_another_page(upload, program):
    originals = [upload() for _ in range(4)]
    first = program.get(LIST, {"limit": 2}).json()
    upload()
    second = program.get(LIST, {"limit": 2, "cursor": first["next_cursor"]}).json()
    seen = [item["id"] for item in first["items"] + second["items"]]
    assert sorted(seen) == sorted(str(original.pk) for original in originals)


def test_paging__last_full_page_has_no_cursor(upload, program):
    for _ in range(2):
        upload()
    assert program.get(LIST, {"limit": 2}).json()["next_cursor"] is None


def cursor_of(text: str) -> str:
    return api.listing.base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        "====",
        cursor_of("2026-01-01T00:00:00+00:00"),
        cursor_of("yesterday 5b6e5a1c-96a5-4ff1-9a0a-8c6f4b8a9d1e"),
        cursor_of("2026-01-01T00:00:00.000000+00:00 5"),
        cursor_of("2026-01-01T00:00:00.000000 5b6e5a1c-96a5-4ff1-9a0a-8c6f4b8a9d1e"),
        cursor_of("0001-01-01T00:00:00.000000+14:00 5b6e5a1c-96a5-4ff1-9a0a-8c6f4b8a9d1e"),
        cursor_of("9999-12-31T23:59:59.000000-14:00 5b6e5a1c-96a5-4ff1-9a0a-8c6f4b8a9d1e"),
    ],
)
def test_paging__cursor_that_is_not_ours_is_invalid(upload, program, cursor):
    upload()
    assert error_of(program.get(LIST, {"cursor": cursor}), 422) == "invalid"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", ""])
def test_paging__limit_out_of_bounds_is_invalid(program, limit):
    assert error_of(program.get(LIST, {"limit": limit}), 422) == "invalid"


@pytest.mark.parametrize("limit", [1, 200])
def test_paging__limit_at_its_bounds_is_taken(program, limit):
    assert program.get(LIST, {"limit": limit}).status_code == 200


def test_list__costs_as_many_queries_for_many_as_for_one(upload, program, django_assert_max_num_queries):
    for _ in range(5):
        upload()
    Job.objects.update(status=JobStatus.SUCCEEDED)
    with django_assert_max_num_queries(10):
        assert len(listed(program)) == 5


@pytest.mark.parametrize(("given", "kept"), [("Día.jpg", "Día.jpg"), ("../a\u202e.jpg", "a.jpg"), ("..", "unnamed")])
def test_rename__calls_it_so_without_what_cannot_be_shown(program, upload, given, kept):
    original = upload()
    answer = program.patch(f"{LIST}/{original.pk}", {"name": given}, content_type="application/json")
    assert (answer.status_code, answer.json()["name"]) == (200, kept)
    assert Original.objects.get().name == kept


@pytest.mark.parametrize("body", [{"name": ""}, {"name": "x" * 256}, {}, {"name": 7}])
def test_rename__to_what_is_no_name_is_refused(program, upload, body):
    original = upload()
    answer = program.patch(f"{LIST}/{original.pk}", body, content_type="application/json")
    assert error_of(answer, 422) == "invalid"
    assert Original.objects.get().name == "photo.jpg"


def test_rename__another_owners_does_not_exist(signed_in, upload, bob):
    answer = signed_in(bob).patch(f"{LIST}/{upload().pk}", {"name": "x"}, content_type="application/json")
    assert error_of(answer, 404) == "not_found"


def test_cancel__stops_what_is_open(upload, program):
    answer = program.post(at(upload(), "cancel"))
    assert answer.status_code == 202
    assert answer.json()["status"] == "canceled"
    assert answer.json()["error"]["code"] == "canceled"
    assert {job["status"] for job in answer.json()["jobs"]} == {"canceled"}


def test_cancel__of_a_ready_original_changes_nothing(upload, program):
    original = upload()
    Job.objects.update(status=JobStatus.SUCCEEDED)
    Run.objects.update(status=RunStatus.READY)
    assert program.post(at(original, "cancel")).json()["status"] == "ready"


def test_retry__owes_again_what_failed(upload, program):
    original = upload()
    Job.objects.filter(step="inspect").update(
        status=JobStatus.FAILED, attempt=1, error_code="corrupt", error_details={"reason": "torn"}
    )
    Run.objects.update(status=RunStatus.FAILED, error_code="corrupt", error_details={"reason": "torn"})
    answer = program.post(at(original, "retry"))
    assert answer.status_code == 202
    assert answer.json()["error"] is None
    assert [job["status"] for job in answer.json()["jobs"]] == ["queued", "waiting"]


def test_error__is_shown_with_its_sentence(upload, program):
    original = upload()
    Run.objects.update(status=RunStatus.FAILED, error_code="corrupt", error_details={"reason": "torn"})
    error = program.get(at(original)).json()["error"]
    assert error["code"] == "corrupt"
    assert "(torn)" in error["message"]


def a_rendition(original: Any, preset: str, width: int) -> None:
    original.renditions.create(
        preset=preset, version=1, key=f"renditions/{preset}.x", content_type="", width=width, height=1, bytes=1
    )


def test_front__is_for_editors(upload, program, alice, charlie):
    original = upload()
    assert program.post(at(original, "front")).status_code == 403
    alice.groups.add(*charlie.groups.all())
    answer = program.post(at(original, "front"))
    assert (answer.status_code, answer.json()["queue_position"]) == (202, 1)
    assert Run.objects.get(original=original).rank < 0


def test_list__says_place_and_seconds_left_of_each(upload, program):
    connection().flushall()
    upload()
    upload()
    said = [(item["queue_position"], item["eta_seconds"]) for item in program.get(LIST).json()["items"]]
    assert said == [(2, None), (1, None)]
    worker.be_present(["images"])
    newer, older = program.get(LIST).json()["items"]
    assert 0 < older["eta_seconds"] < newer["eta_seconds"]


def test_reprocess__owes_every_file_again_and_shows_the_old_ones_meanwhile(upload, program):
    original = upload()
    Original.objects.update(facts={"kind": "image", "format": "JPEG", "width": 100, "height": 80})
    for preset in ("webp-160", "jpeg-1280"):
        a_rendition(original, preset, 100)
    Job.objects.update(status=JobStatus.SUCCEEDED, attempt=1)
    Run.objects.update(status=RunStatus.READY)
    answer = program.post(at(original, "reprocess"))
    assert answer.status_code == 202
    assert answer.json()["status"] == "processing"
    assert [job["status"] for job in answer.json()["jobs"]] == ["succeeded", "queued"]
    assert [item["preset"] for item in answer.json()["renditions"]] == ["webp-160", "jpeg-1280"]


def test_renditions__companions_stand_under_the_file_that_refers_to_them(upload, program):
    original = upload()
    a_rendition(original, "hls", 1)
    for name, kind in (("360.m3u8", "application/vnd.apple.mpegurl"), ("360.mp4", "video/mp4")):
        original.renditions.create(
            preset="hls", name=name, version=1, key=f"renditions/{name}", content_type=kind, width=1, height=1, bytes=7
        )
    (rendition,) = program.get(at(original)).json()["renditions"]
    assert [(item["name"], item["content_type"], item["bytes"]) for item in rendition["files"]] == [
        ("360.m3u8", "application/vnd.apple.mpegurl", 7),
        ("360.mp4", "video/mp4", 7),
    ]
    assert rendition["files"][0]["url"].startswith(f"http://testserver/play/{original.pk}/")
    assert rendition["files"][1]["url"].startswith("http://testserver/media/renditions/360.mp4?")


def test_srcset__has_the_webp_sizes_smallest_first_with_whole_addresses(upload, program):
    original = upload()
    for preset, width in (("webp-640", 640), ("webp-160", 160), ("jpeg-1280", 1280), ("square-320", 320)):
        a_rendition(original, preset, width)
    small, large = program.get(at(original)).json()["srcset"].split(", ")
    assert small.startswith("http://testserver/media/renditions/webp-160.x?")
    assert (small.split(" ")[1:], large.split(" ")[1:]) == (["160w"], ["640w"])


def test_srcset__is_empty_as_long_as_there_is_no_picture(upload, program):
    assert program.get(at(upload())).json()["srcset"] == ""


def test_delete__takes_rows_and_file(upload, program, django_capture_on_commit_callbacks):
    original = upload()
    with django_capture_on_commit_callbacks(execute=True):
        answer = program.delete(at(original))
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Original.objects.exists()
    assert not Job.objects.exists()
    assert not storage.default_storage.exists(original.key)
    assert error_of(program.delete(at(original)), 404) == "not_found"


def test_download__leads_to_a_signed_address_of_the_file_under_its_name(upload, program):
    original = upload(name="día 1.jpg")
    answer = program.get(at(original, "download"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"/media/{original.key}?")
    assert "name=d%C3%ADa+1.jpg" in answer["Location"]


def test_queues__are_for_those_who_may_see_them(program, charlie, signed_in):
    assert error_of(program.get("/api/queues"), 403) == "forbidden"
    answer = signed_in(charlie).get("/api/queues")
    assert [queue["name"] for queue in answer.json()] == ["images", "videos", "default"]


def test_openapi__is_of_version_3_1_and_lists_every_path(client):
    document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {f"{method} {path}" for path, methods in document["paths"].items() for method in methods} == {
        "get /api/originals",
        "post /api/originals",
        "get /api/originals/{original_id}",
        "patch /api/originals/{original_id}",
        "delete /api/originals/{original_id}",
        "post /api/originals/{original_id}/retry",
        "post /api/originals/{original_id}/cancel",
        "post /api/originals/{original_id}/reprocess",
        "post /api/originals/{original_id}/front",
        "get /api/originals/{original_id}/download",
        "get /api/download",
        "get /api/originals/{original_id}/shares",
        "post /api/originals/{original_id}/shares",
        "delete /api/originals/{original_id}/shares/{share_id}",
        "get /api/events",
        "get /api/queues",
        "post /api/multipart",
        "get /api/multipart/{upload_id}",
        "delete /api/multipart/{upload_id}",
        "post /api/multipart/{upload_id}/complete",
        "post /api/multipart/{upload_id}/parts/{number}",
        "get /api/webhooks",
        "post /api/webhooks",
        "get /api/webhooks/{webhook_id}",
        "patch /api/webhooks/{webhook_id}",
        "delete /api/webhooks/{webhook_id}",
        "post /api/webhooks/{webhook_id}/secret",
        "post /api/webhooks/{webhook_id}/test",
        "get /api/webhooks/{webhook_id}/deliveries",
        "post /api/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    }


def test_openapi__every_call_says_how_it_refuses(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    calls = [(path, call) for path, methods in paths.items() for call in methods.values()]
    assert all("401" in call["responses"] for _, call in calls)
    assert all("404" in call["responses"] for path, call in calls if "{" in path)
    assert all(call["summary"] and call["security"] for _, call in calls)


def test_openapi__repeats_no_key(client):
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(client.get("/api/openapi.json").content, object_pairs_hook=once)


def test_docs__are_a_page(client):
    assert client.get("/api/docs").status_code == 200


def test_unknown_address__is_refused_in_json(program):
    assert error_of(program.get("/api/nonsense"), 404) == "not_found"
    assert error_of(program.post(f"{LIST}/{uuid.uuid4()}/nonsense"), 404) == "not_found"


def test_method_that_is_none__is_refused(program):
    assert program.put(LIST).status_code == 405


def events_seen_by(user: Any, originals: list[Any]) -> list[dict[str, Any]]:
    """What reaches this user's stream when each of these originals moves."""

    async def watch() -> list[dict[str, Any]]:
        request = AsyncRequestFactory().get("/api/events")
        request.user = user
        stream = api.stream(request)
        try:
            assert "event: listening" in await anext(stream), "the subscription holds"
            for original in originals:
                await sync_to_async(events.tell)(original.run)
            async with asyncio.timeout(10):
                seen = [await anext(stream)]
                while not seen[-1].startswith("event: original") or str(originals[-1].pk) not in seen[-1]:
                    seen.append(await anext(stream))
        finally:
            await stream.aclose()
        return [json.loads(text.partition("data: ")[2]) for text in seen]

    return async_to_sync(watch)()


def test_events__alices_reach_alice_and_an_editor(upload, alice, charlie):
    original = upload()
    for user in (alice, charlie):
        (event,) = events_seen_by(user, [original])
        assert (event["id"], event["status"]) == (str(original.pk), "received")


def test_events__alices_do_not_reach_bob(upload, bob):
    hers, his = upload(), upload(owner=bob)
    assert [event["id"] for event in events_seen_by(bob, [hers, his])] == [str(his.pk)]


def test_events__have_the_same_json_as_the_detail(upload, alice, program):
    original = upload()
    (event,) = events_seen_by(alice, [original])
    assert event == program.get(at(original)).json()


def test_events__of_a_deleted_original_are_passed_over(upload, alice):
    gone, stays = upload(), upload()
    gone.run  # noqa: B018 - it is told of after it is gone
    Original.objects.filter(pk=gone.pk).delete()
    assert [event["id"] for event in events_seen_by(alice, [gone, stays])] == [str(stays.pk)]


def test_events__address_answers_with_a_stream_that_no_proxy_keeps_back(alice):
    async def headers() -> Any:
        token = await sync_to_async(ApiToken.issue)(alice)
        answer = await AsyncClient().get("/api/events", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.content
        first = await anext(aiter(answer.streaming_content))
        answer.close()
        return answer.status_code, answer.headers, first

    status, found, first = async_to_sync(headers)()
    assert (status, found["Content-Type"]) == (200, "text/event-stream")
    assert (found["Cache-Control"], found["X-Accel-Buffering"]) == ("no-cache", "no")
    assert first.startswith(b"retry: ")


def test_events__stream_ends_quietly_while_redis_is_down(alice, broker):
    async def watch() -> list[str]:
        request = AsyncRequestFactory().get("/api/events")
        request.user = alice
        async with asyncio.timeout(20):
            return [text async for text in api.stream(request)]

    with broker_away(broker):
        assert async_to_sync(watch)() == []


def test_media_link__of_a_rendition_is_absolute(upload, program):
    original = upload()
    original.renditions.create(
        preset="webp-160", version=1, key="renditions/x.webp", content_type="image/webp", width=1, height=1, bytes=1
    )
    (rendition,) = program.get(at(original)).json()["renditions"]
    assert rendition["url"].startswith("http://testserver/media/renditions/x.webp?")
    assert Path(rendition["preset"]).name == "webp-160"


@pytest.mark.parametrize("name", ["q", "owner", "kind", "status"])
def test_list__nul_in_a_filter_matches_nothing(upload, program, name):
    upload()
    answer = program.get(f"/api/originals?{name}=%00")
    assert (answer.status_code, answer.json()["items"]) == (200, [])
