"""Home and one original, as their people see them: alice uploads, bob must not notice, charlie edits."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from processing import runner
from processing.models import Rendition, Run
from uploads.models import Original, Upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(alice, client):
    """Alice, signed in."""
    client.force_login(alice)
    return alice


def an_original(owner, name="cat.jpg", kind="image", status="", **fields):
    fields.setdefault("created_at", timezone.now())  # the database's own clock has steps of a millisecond
    fields.setdefault("taken_at", fields["created_at"])
    original = Original.objects.create(
        owner=owner, name=name, kind=kind, bytes=1000, sha256="0" * 64, key=f"originals/{uuid4()}", **fields
    )
    run = runner.start(original)
    if status:
        Run.objects.filter(pk=run.pk).update(status=status)
    return original


def a_ready_picture(owner, **fields):
    facts = {"kind": "image", "format": "jpeg", "width": 3000, "height": 2000}
    original = an_original(owner, status="ready", facts=facts, placeholder="LEHV6nWB2yk8pyo0adR*.7kCMdnj", **fields)
    for box in (160, 640):
        add_rendition(original, f"webp-{box}", box, box * 2 // 3)
    return original


def a_ready_video(owner, rungs=(360, 720, 1080)):
    facts = {"kind": "video", "format": "mov", "width": 1920, "height": 1080, "duration": 64.2}
    original = an_original(owner, "dog.mp4", "video", "ready", facts=facts)
    add_rendition(original, "poster", 1280, 720)
    for lines in rungs:
        add_rendition(original, f"mp4-{lines}", lines * 16 // 9, lines, "video/mp4")
    return original


def add_rendition(original, preset, width, height, content_type="image/webp", *, name=""):
    Rendition.objects.create(
        original=original,
        preset=preset,
        name=name,
        version=1,
        key=f"renditions/{original.pk}/{preset}{name}",
        bytes=500,
        content_type=content_type,
        width=width,
        height=height,
        sha256="0" * 64,
    )


def text_of(client, url, **headers):
    response = client.get(url, headers=headers)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_home__stranger_is_welcomed(client):
    page = text_of(client, "/")
    assert "/accounts/signup/" in page
    assert 'type="file"' not in page


def test_home__empty_gallery_says_what_to_do(client, alice):
    page = text_of(client, "/")
    assert "Drop photos and videos anywhere" in page
    assert 'class="zone"' in page  # the large one


def test_home__plain_form_keeps_files(client, alice, photo):
    files = [SimpleUploadedFile(name, photo(comment=name)) for name in ("one.jpg", "two.jpg")]
    page = client.post("/", {"file": files}, follow=True).content.decode()
    assert set(Original.objects.values_list("name", flat=True)) == {"one.jpg", "two.jpg"}
    assert "one.jpg is kept" in page


def test_home__plain_form_says_what_was_here_already(client, alice, photo):
    for name in ("one.jpg", "two.jpg"):
        page = client.post("/", {"file": SimpleUploadedFile(name, photo())}, follow=True).content.decode()
    assert "two.jpg was here already, as one.jpg" in page
    assert Original.objects.count() == 1


def test_home__plain_form_says_why_a_file_is_refused(client, alice):
    page = client.post("/", {"file": SimpleUploadedFile("notes.txt", b"hello")}, follow=True).content.decode()
    assert "notes.txt was not kept. This is not an image or video" in page
    assert not Original.objects.exists()


def test_home__unfinished_originals_have_their_place_and_say_how_far_they_are(client, alice):
    original = an_original(alice, status="processing")
    Run.objects.update(progress=0.62)
    page = text_of(client, "/")
    assert f'<article class="card processing open" data-original-id="{original.pk}" data-status="processing"' in page
    assert "62 %" in page
    assert f'action="/originals/{original.pk}/cancel"' in page


def test_home__picture_has_srcset_and_its_ratio(client, alice):
    a_ready_picture(alice)
    page = text_of(client, "/")
    assert "--ratio: 1.5000" in page
    assert " 160w, " in page
    assert " 640w" in page


def test_home__video_shows_its_length(client, alice):
    a_ready_video(alice)
    assert "1:04" in text_of(client, "/")


def test_home__failed_original_keeps_its_place_with_the_reason(client, alice):
    original = an_original(alice, status="failed")
    Run.objects.update(error_code="corrupt", error_details={"reason": "truncated"})
    page = text_of(client, "/")
    assert "The file is damaged and cannot be read (truncated)." in page
    assert f'action="/originals/{original.pk}/retry"' in page


def test_home__name_is_never_markup(client, alice):
    an_original(alice, '"><script>alert(1)</script>.jpg')
    assert "<script>alert" not in text_of(client, "/")


def test_home__another_owners_originals_are_not_there(client, alice, bob):
    a_ready_picture(bob, name="secret.jpg")
    assert "secret.jpg" not in text_of(client, "/")


def test_home__grouped_by_day(client, alice):
    a_ready_picture(alice)
    a_ready_picture(alice, created_at=timezone.now() - timedelta(days=1))
    page = text_of(client, "/")
    assert page.index(">Today</time></h2>") < page.index(">Yesterday</time></h2>")


def test_home__pages_follow_without_repeating(client, alice, monkeypatch):
    monkeypatch.setattr("uploads.listing.page.__defaults__", ("", 2, "taken_at"))
    names = [a_ready_picture(alice, name=f"{number}.jpg").name for number in range(3)]
    first = client.get("/")
    cursor = first.context["next_cursor"]
    second = text_of(client, f"/?cursor={cursor}", hx_request="true")
    assert "<html" not in second
    assert names[0] in second
    assert names[1] not in second


def test_home__strange_cursor_begins_again(client, alice):
    assert client.get("/?cursor=nonsense").url == "/"


def test_home__search_narrows_and_says_when_nothing_matches(client, alice):
    a_ready_picture(alice, name="beach.jpg")
    assert "beach.jpg" in text_of(client, "/?q=BEA")
    assert "No name contains “zebra”" in text_of(client, "/?q=zebra")


def test_home__cost_does_not_grow_with_the_gallery(client, alice, django_assert_max_num_queries):
    for _ in range(20):
        a_ready_picture(alice)
    with django_assert_max_num_queries(12):
        client.get("/")


def test_home__spanish(client, alice):
    client.post("/i18n/setlang/", {"language": "es"})
    assert '<html lang="es">' in text_of(client, "/")


def test_card__is_open_until_it_is_done_and_not_while_it_is_made_again(client, alice):
    waiting, ready = an_original(alice), a_ready_picture(alice)
    Run.objects.filter(original=ready).update(status="processing", ready_at=timezone.now())
    assert 'class="card received open"' in text_of(client, f"/originals/{waiting.pk}/card")
    assert 'class="card processing"' in text_of(client, f"/originals/{ready.pk}/card")


def test_detail__picture_with_its_renditions(client, alice):
    original = a_ready_picture(alice)
    page = text_of(client, f"/originals/{original.pk}")
    assert "3000 \N{MULTIPLICATION SIGN} 2000" in page
    assert 'data-preset="webp-640"' in page
    assert f"/api/originals/{original.pk}/download" in page


def sources(client, original):
    """The presets that the page's <video> may play, first choice first."""
    return re.findall(r'<source [^>]*data-preset="([^"]+)"', text_of(client, f"/originals/{original.pk}"))


def test_detail__video_plays_720_and_offers_the_rest(client, alice):
    assert sources(client, a_ready_video(alice)) == ["mp4-720", "mp4-360", "mp4-1080"]


def test_detail__video_without_720_plays_the_next_lower(client, alice):
    assert sources(client, a_ready_video(alice, rungs=(360, 480))) == ["mp4-480", "mp4-360"]


def test_detail__source_plays_until_the_ladder_is_made(client, alice):
    original = a_ready_video(alice, rungs=(360,))
    add_rendition(original, "source", 1920, 1080, "video/mp4")
    assert sources(client, original) == ["mp4-360", "source"]
    original.renditions.filter(preset="mp4-360").update(version=0)  # a draft
    assert sources(client, original) == ["source", "mp4-360"]


def test_detail__source_too_heavy_for_most_lines_gives_way_to_the_draft(client, alice):
    original = a_ready_video(alice, rungs=(360,))
    original.renditions.filter(preset="mp4-360").update(version=0)
    add_rendition(original, "source", 3840, 2160, "video/mp4")
    original.renditions.filter(preset="source").update(duration=1, bytes=4_000_000)
    assert sources(client, original) == ["mp4-360", "source"]


def test_detail__rungs_that_are_still_made_are_named(client, alice):
    original = a_ready_video(alice, rungs=(360,))
    assert 'data-awaited="1080 720 480"' in text_of(client, f"/originals/{original.pk}")


def test_detail__picture_loads_no_player(client, alice):
    assert "player.js" not in text_of(client, f"/originals/{a_ready_picture(alice).pk}")
    assert "player.js" in text_of(client, f"/originals/{a_ready_video(alice).pk}")


def test_detail__companions_are_not_in_the_table(client, alice):
    original = a_ready_video(alice)
    add_rendition(original, "hls", 1920, 1080, "application/vnd.apple.mpegurl")
    add_rendition(original, "hls", 640, 360, "video/mp4", name="360.mp4")
    side = text_of(client, f"/originals/{original.pk}/side")
    assert side.count('data-preset="hls"') == 1
    assert 'data-renditions="5"' in side


def test_detail__neighbours_are_the_owners_own(client, alice, bob):
    older, middle = a_ready_picture(alice), a_ready_picture(alice)
    a_ready_picture(bob)
    page = text_of(client, f"/originals/{middle.pk}")
    assert f'rel="next" href="/originals/{older.pk}"' in page
    assert 'rel="prev"' not in page


@pytest.mark.parametrize("part", ["", "/card", "/stage", "/side"])
def test_detail__another_owners_does_not_exist(client, alice, bob, part):
    assert client.get(f"/originals/{an_original(bob).pk}{part}").status_code == 404


def test_detail__editor_sees_all_and_mends_nothing_unless_allowed(client, alice, bob):
    alice.user_permissions.add(Permission.objects.get(codename="see_all_runs"))
    original = an_original(bob)
    assert "cat.jpg" in text_of(client, f"/originals/{original.pk}")
    assert client.post(f"/originals/{original.pk}/cancel").status_code == 404


def test_detail__stranger_signs_in_first(client, bob):
    assert client.get(f"/originals/{an_original(bob).pk}").url.startswith("/accounts/login/")


def test_cancel__then_retry(client, alice):
    original = an_original(alice)
    client.post(f"/originals/{original.pk}/cancel")
    assert Run.objects.get().status == "canceled"
    client.post(f"/originals/{original.pk}/retry")
    assert Run.objects.get().status == "received"


def test_rename__shows_the_new_name(client, alice, bob):
    original = an_original(alice)
    page = client.post(f"/originals/{original.pk}/rename", {"name": "tom.jpg"}, follow=True).content.decode()
    assert "<h1>tom.jpg</h1>" in page
    assert client.post(f"/originals/{an_original(bob).pk}/rename", {"name": "x"}).status_code == 404


def test_delete__says_so_and_is_gone(client, alice):
    original = an_original(alice)
    page = client.post(f"/originals/{original.pk}/delete", follow=True).content.decode()
    assert "cat.jpg is deleted." in page
    assert not Original.objects.exists()


def test_delete__not_by_a_link(client, alice):
    assert client.get(f"/originals/{an_original(alice).pk}/delete").status_code == 405


@pytest.mark.parametrize("page", ["login", "signup", "password/reset", "password/change", "logout"])
def test_accounts__in_the_same_frame(client, alice, page):
    if page in {"login", "signup"}:
        client.logout()
    assert 'class="bar"' in text_of(client, f"/accounts/{page}/")


def test_detail__animation_moves_as_the_lightest_file_there_is(client, alice):
    original = an_original(
        alice,
        "waves.gif",
        status="ready",
        facts={"kind": "image", "width": 640, "height": 480, "frames": 90, "format": "GIF"},
    )
    add_rendition(original, "webp-640", 640, 480)
    add_rendition(original, "animated-640", 640, 480)
    page = text_of(client, f"/originals/{original.pk}/stage")
    assert f'srcset="/media/renditions/{original.pk}/animated-640' in page
    assert "<video" not in page
    add_rendition(original, "loop-640", 640, 480, "video/mp4")
    page = text_of(client, f"/originals/{original.pk}/stage")
    assert re.search(r"<video [^>]*autoplay muted loop [^>]*/loop-640", page)
    assert "animated-640" not in page


def test_home__film_card_knows_its_preview(client, alice):
    film = a_ready_video(alice)
    assert "data-preview" not in text_of(client, "/")
    add_rendition(film, "preview", 426, 240, "video/mp4")
    assert f'data-preview="/media/renditions/{film.pk}/preview' in text_of(client, "/")


def test_home__asks_for_the_file_again_only_where_bytes_are_missing(client, alice):
    later = timezone.now() + timedelta(days=1)
    for name, offset in (("half.mp4", 500), ("whole.mp4", 1000)):
        Upload.objects.create(owner=alice, name=name, key=name, length=1000, offset=offset, expires_at=later)
    page = text_of(client, "/")
    assert "half.mp4" in page
    assert "whole.mp4" not in page
