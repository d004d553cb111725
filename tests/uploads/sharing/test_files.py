"""Files by a link: what is sent, for how long it may be kept, and to whom."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from django.core.asgi import get_asgi_application
from django.utils.timezone import now

from mediaweb.serving import Media
from processing import storage
from processing.models import Rendition
from tests.processing.test_storage_s3 import settings_with
from tests.uploads import streams
from tests.uploads.test_pages import a_ready_picture
from uploads.models import Share
from uploads.sharing import shares
from uploads.sharing.files import Shared

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "under the old oak"
BYTES = b"RIFF a small picture"


@pytest.fixture
def picture(alice, tmp_path):
    """One that has bytes."""
    picture = a_ready_picture(alice, name="Lake.jpg")
    for rendition in picture.renditions.all():
        made = tmp_path / "made"
        made.write_bytes(BYTES)
        rendition.key += ".webp"
        rendition.save()
        storage.keep(made, rendition.key, "image/webp")
    return picture


def get(url, method="GET", **headers):
    async def go():
        transport = httpx.ASGITransport(app=Shared(Media(get_asgi_application())))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, url, headers=named)

    return asyncio.run(go())


def place_of(share, query="?v=000000000000", preset="webp-640"):
    return f"/s/{share.token}/{preset}/{preset}.webp{query}"


def test_file__may_be_kept_for_ever_and_read_from_anywhere(picture):
    answer = get(place_of(shares.make(picture)))
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"] == "image/webp"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert "Content-Disposition" not in answer.headers


def test_file__ranges_and_conditions_hold(picture):
    place = place_of(shares.make(picture))
    part = get(place, range="bytes=2-5")
    assert (part.status_code, part.content) == (206, BYTES[2:6])
    assert "immutable" in part.headers["Cache-Control"]
    unchanged = get(place, if_none_match=part.headers["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert "immutable" in unchanged.headers["Cache-Control"]
    assert get(place, "HEAD").headers["Content-Length"] == str(len(BYTES))
    assert get(place, "POST").status_code == 405


@pytest.mark.parametrize("query", ["", "?v=111111111111"])
def test_file__address_of_no_version_or_an_old_one_gives_the_newest_and_asks_soon(picture, query):
    answer = get(place_of(shares.make(picture), query))
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_file__is_kept_no_longer_than_the_link_lives(picture):
    share = shares.make(picture, expires_at=now() + timedelta(minutes=10))
    kept = get(place_of(share)).headers["Cache-Control"]
    assert 500 < int(kept.split("max-age=")[1].split(",")[0]) <= 600


def test_file__downloads_under_the_originals_name_where_that_is_allowed(picture):
    answer = get(place_of(shares.make(picture), "?save"))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Lake-webp-640.webp"'
    assert "Content-Disposition" not in get(place_of(shares.make(picture, downloads=False), "?save")).headers


@pytest.mark.parametrize("end", ["revoked", "expired", "mistyped", "other"])
def test_file__is_gone_with_the_link(picture, bob, end):
    share = shares.make(picture)
    place = place_of(share)
    assert get(place).status_code == 200
    if end == "revoked":
        shares.revoke(picture, share.pk)
    elif end == "expired":
        Share.objects.update(expires_at=now())
    elif end == "mistyped":
        place = place.replace(share.token, "x" * 32)
    else:
        place = place_of(shares.make(a_ready_picture(bob)), preset="jpeg-1280")
    answer = get(place)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.headers["Cache-Control"] == "no-store"


def test_file__of_a_link_with_a_password_is_for_who_has_said_it(picture, client):
    share = shares.make(picture, password=PASSWORD)
    assert get(place_of(share)).status_code == 404
    cookie = client.post(f"/s/{share.token}", {"password": PASSWORD}).cookies[shares.COOKIE].value
    answer = get(place_of(share), cookie=f"{shares.COOKIE}={cookie}")
    assert answer.content == BYTES
    assert answer.headers["Cache-Control"].startswith("private")
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("preset", ["originals", "..", "webp-640", "%00"])
def test_file__the_original_itself_is_nowhere(picture, preset):
    name = picture.key.split("/")[1]
    assert get(f"/s/{shares.make(picture).token}/{preset}/{name}").status_code == 404


def test_film__every_name_in_its_texts_leads_on_by_the_link(alice):
    film = streams.a_film(alice)
    streams.publish_hls(film)
    streams.publish_extras(film)
    share = shares.make(film)
    place = f"/s/{share.token}/hls"
    master = get(f"{place}/hls.m3u8")
    assert master.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert master.headers["Cache-Control"] == "private, no-cache"
    assert f"{place}/180.m3u8" in master.text.splitlines()
    rung = get(f"{place}/180.m3u8").text.splitlines()
    files = {line for line in rung if not line.startswith("#")}
    assert files == {f"{place}/180.mp4?v=000000000000"}
    assert get(files.pop(), range="bytes=0-99").status_code == 206
    board = get(f"/s/{share.token}/storyboard/storyboard.vtt")
    assert f"/s/{share.token}/storyboard/storyboard.webp?v=000000000000#xywh=" in board.text
    assert get(f"/s/{share.token}/subtitles/spa-2.vtt").text == streams.WORDS


def test_film__text_whose_file_is_gone_is_not_found(alice):
    film = streams.a_film(alice)
    streams.publish_extras(film)
    share = shares.make(film)
    storage.drop(Rendition.objects.get(preset="subtitles", name="").key)
    assert get(f"/s/{share.token}/subtitles/subtitles.vtt").status_code == 404


def test_s3__leads_to_the_store_for_a_while(s3, settings, monkeypatch, picture):
    made = settings_with(monkeypatch, **s3.environment())["STORAGES"]
    settings.STORAGES = {**settings.STORAGES, "default": made["default"]}
    answer = get(place_of(shares.make(picture)))
    assert answer.status_code == 302
    assert "X-Amz-Signature=" in answer.headers["Location"]
    assert answer.headers["Cache-Control"] == "public, max-age=900"
