"""Links: alice shares, strangers look, bob must not meddle."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils.timezone import now

from tests.uploads.test_pages import a_ready_picture, a_ready_video, add_rendition, an_original
from uploads import keeping
from uploads.models import ApiToken, Share
from uploads.sharing import shares

pytestmark = pytest.mark.django_db
PASSWORD = "under the old oak"


@pytest.fixture
def picture(alice):
    picture = a_ready_picture(alice, name="lake <1>.jpg")
    add_rendition(picture, "jpeg-1280", 1280, 853, "image/jpeg")
    return picture


@pytest.fixture
def program(alice):
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(alice)}"})


def page_of(client, share, status=200):
    answer = client.get(f"/s/{share.token}")
    assert answer.status_code == status
    assert "noindex" in answer["X-Robots-Tag"]
    assert answer["Referrer-Policy"] == "same-origin"
    assert "noindex" in answer.content.decode()
    return answer.content.decode()


def test_page__shows_a_stranger_the_picture_by_addresses_of_the_link(client, picture):
    share = shares.make(picture)
    page = page_of(client, share)
    assert f'srcset="/s/{share.token}/webp-160/webp-160?v=000000000000 160w, ' in page
    assert "lake &lt;1&gt;.jpg" in page
    assert not re.search("/media/|alice|/api/|/originals/", page)


def test_page__film_has_its_player_and_all_that_goes_along(client, alice):
    film = a_ready_video(alice)
    for preset, name in (("hls", ""), ("storyboard", "storyboard.vtt"), ("subtitles", "")):
        add_rendition(film, preset, 640, 360, "text/vtt", name=name)
    film.renditions.filter(preset="hls").update(key="renditions/hls.m3u8", duration=64.2)
    film.renditions.filter(preset="subtitles").update(key="renditions/subtitles.vtt")
    share = shares.make(film)
    page = page_of(client, share)
    assert f'data-stream="/s/{share.token}/hls/hls.m3u8"' in page
    assert f'src="/s/{share.token}/storyboard/storyboard.vtt"' in page
    assert f'src="/s/{share.token}/subtitles/subtitles.vtt"' in page
    assert f'poster="/s/{share.token}/poster/' in page
    assert f'data-fragment="/s/{share.token}"' in page
    assert "player.js" in page
    assert not re.search("/media/|/play/", page)


def test_page__messengers_are_given_a_picture_and_a_film(client, picture, alice):
    share = shares.make(picture)
    page = page_of(client, share)
    place = f"http://testserver/s/{share.token}"
    assert f'<meta property="og:image" content="{place}/jpeg-1280/jpeg-1280?v=' in page
    assert '<meta property="og:title" content="lake &lt;1&gt;.jpg">' in page
    film = shares.make(a_ready_video(alice))
    page = page_of(client, film)
    assert f'<meta property="og:video" content="http://testserver/s/{film.token}/mp4-720/' in page
    assert f'<meta property="og:image" content="http://testserver/s/{film.token}/poster/' in page


def test_page__offers_the_files_where_the_sharer_does(client, picture):
    assert "/jpeg-1280/jpeg-1280?save" in page_of(client, shares.make(picture))
    assert "?save" not in page_of(client, shares.make(picture, downloads=False))


def test_page__nothing_made_yet_is_said_without_a_reason(client, alice):
    page = page_of(client, shares.make(an_original(alice, status="failed")))
    assert "nothing to see" in page


@pytest.mark.parametrize("end", ["revoked", "expired", "deleted", "mistyped"])
def test_page__link_that_is_over_says_so_and_nothing_else(client, picture, end):
    share = shares.make(picture)
    if end == "revoked":
        assert shares.revoke(picture, share.pk)
    elif end == "expired":
        Share.objects.update(expires_at=now())
    elif end == "deleted":
        keeping.forget(picture)
    else:
        share.token = share.token[:-1] + "\0"
    page = page_of(client, share, 404)
    assert "does not work any longer" in page
    assert "lake" not in page


def test_page__waits_for_its_password_and_leaks_nothing(client, picture):
    share = shares.make(picture, password=PASSWORD)
    page = page_of(client, share)
    assert 'name="password"' in page
    assert not re.search("lake|og:|webp", page)
    assert client.post(f"/s/{share.token}", {"password": "wrong"}).status_code == 403
    answer = client.post(f"/s/{share.token}", {"password": PASSWORD})
    assert answer.url == f"/s/{share.token}"
    cookie = answer.cookies[shares.COOKIE]
    assert (cookie["path"], cookie["httponly"]) == (f"/s/{share.token}", True)
    page = page_of(client, share)
    assert "lake" in page
    assert "og:" not in page


def test_password__is_hashed_and_opens_no_other_link(client, picture):
    one, other = (shares.make(picture, password=PASSWORD) for _ in range(2))
    assert PASSWORD not in one.password
    cookie = client.post(f"/s/{one.token}", {"password": PASSWORD}).cookies[shares.COOKIE].value
    client.cookies[shares.COOKIE] = cookie  # sent to the other's address, where no browser would
    assert 'name="password"' in page_of(client, other)
    Share.objects.filter(pk=one.pk).update(password="another")
    assert 'name="password"' in page_of(client, one)


def test_password__guessing_is_stopped_for_this_link_alone(client, picture):
    share, other = (shares.make(picture, password=PASSWORD) for _ in range(2))
    for _ in range(settings.AXES_FAILURE_LIMIT):
        assert client.post(f"/s/{share.token}", {"password": "wrong"}).status_code == 403
    answer = client.post(f"/s/{share.token}", {"password": PASSWORD})
    assert answer.status_code == 429
    assert "Too many passwords" in answer.content.decode()
    assert client.post(f"/s/{other.token}", {"password": PASSWORD}).status_code == 302
    elsewhere = client.post(f"/s/{share.token}", {"password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert elsewhere.status_code == 302


def test_detail__makes_and_revokes(client, alice, picture):
    client.force_login(alice)
    answer = client.post(f"/originals/{picture.pk}/shares", {"days": "7", "password": "", "downloads": "on"})
    assert answer.url == f"/originals/{picture.pk}#links"
    share = picture.shares.get()
    assert share.downloads
    assert timedelta(days=6) < share.expires_at - now() < timedelta(days=8)
    assert f'data-copy="/s/{share.token}"' in client.get(f"/originals/{picture.pk}").content.decode()
    part = client.post(f"/originals/{picture.pk}/shares/{share.pk}/revoke", headers={"HX-Request": "true"})
    assert share.token not in part.content.decode()
    assert not shares.find(share.token)


def test_detail__short_password_makes_no_link(client, alice, picture):
    client.force_login(alice)
    page = client.post(f"/originals/{picture.pk}/shares", {"days": "0", "password": "oak"}, follow=True)
    assert not picture.shares.exists()
    assert "at least 8 characters" in page.content.decode()


def test_detail__others_make_and_revoke_nothing(client, bob, picture):
    share = shares.make(picture)
    client.force_login(bob)
    assert client.post(f"/originals/{picture.pk}/shares", {"days": "0"}).status_code == 404
    assert client.post(f"/originals/{picture.pk}/shares/{share.pk}/revoke").status_code == 404
    assert shares.find(share.token)


def test_detail__embeds_by_a_link_without_a_password_alone(client, alice, picture):
    client.force_login(alice)
    shares.make(picture, password=PASSWORD)
    assert "&lt;picture&gt;" not in client.get(f"/originals/{picture.pk}").content.decode()
    share = shares.make(picture)
    page = client.get(f"/originals/{picture.pk}").content.decode()
    assert "&lt;picture&gt;" in page
    assert f"http://testserver/s/{share.token}/webp-640/webp-640 640w" in page


def test_detail__embeds_a_film_with_its_stream(client, alice):
    film = a_ready_video(alice)
    add_rendition(film, "hls", 1920, 1080, "application/vnd.apple.mpegurl")
    film.renditions.filter(preset="hls").update(key="renditions/hls.m3u8")
    share = shares.make(film)
    client.force_login(alice)
    page = client.get(f"/originals/{film.pk}").content.decode()
    assert f"http://testserver/s/{share.token}/hls/hls.m3u8" in page
    assert f"http://testserver/s/{share.token}/mp4-720/mp4-720&quot;" in page


def test_api__makes_lists_and_revokes(program, picture):
    place = f"/api/originals/{picture.pk}/shares"
    expires_at = (now() + timedelta(hours=1)).isoformat()
    answer = program.post(place, {"password": PASSWORD, "expires_at": expires_at}, content_type="application/json")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["has_password"], made["downloads"]) == (True, True)
    assert PASSWORD not in answer.content.decode()
    assert Client().get(made["url"]).status_code == 200
    assert program.get(place).json() == [made]
    assert program.delete(f"{place}/{made['id']}").status_code == 204
    assert program.delete(f"{place}/{made['id']}").status_code == 404
    assert program.get(place).json() == []
    assert Client().get(made["url"]).status_code == 404


@pytest.mark.parametrize(
    "wanted", [{"password": "short"}, {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2220-01-01T00:00:00"}]
)
def test_api__refuses_what_makes_no_sense(program, picture, wanted):
    answer = program.post(f"/api/originals/{picture.pk}/shares", wanted, content_type="application/json")
    assert answer.status_code == 422
    assert not picture.shares.exists()


def test_api__anothers_original_does_not_exist(program, bob):
    place = f"/api/originals/{a_ready_picture(bob).pk}/shares"
    assert program.get(place).status_code == 404
    assert program.post(place, {}, content_type="application/json").status_code == 404
