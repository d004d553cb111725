"""Playlists, storyboards and subtitles: whose bare names lead to signed addresses, for whoever holds the token."""

from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.core.files.storage import default_storage

from processing import links, storage
from processing.engines import hls
from processing.standing import Lines
from tests.uploads import streams
from uploads import playing
from uploads.models import ApiToken
from uploads.representation import represent
from uploads.templatetags import films

pytestmark = pytest.mark.django_db


@pytest.fixture
def film(alice):
    """Alice's, with everything a film can have."""
    film = streams.a_film(alice)
    streams.publish_hls(film)
    streams.publish_extras(film)
    return film


def address_of(film, preset, name=""):
    return playing.address(film.renditions.get(preset=preset, name=name))


def lines_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode().splitlines()


def test_play__master_names_its_playlists_and_they_are_found_beside_it(client, film):
    url = address_of(film, "hls")
    master = lines_of(client, url)
    assert "180.m3u8" in master
    assert any('URI="audio.m3u8"' in line for line in master)
    assert lines_of(client, urljoin(url, "180.m3u8"))[0] == "#EXTM3U"


def test_play__playlist_leads_to_signed_files(client, film):
    lines = lines_of(client, address_of(film, "hls", "360.m3u8"))
    key = film.renditions.get(preset="hls", name="360.mp4").key
    found = [line for line in lines if not line.startswith("#")]
    assert len(found) == streams.SECONDS / 2
    assert {urlsplit(line).path for line in found} == {f"/media/{key}"}
    assert any(line.startswith(f'#EXT-X-MAP:URI="/media/{key}?until=') for line in lines)


def test_play__addresses_outlast_the_longest_film(client, film, monkeypatch):
    url = address_of(film, "hls", "audio.m3u8")
    media = next(line for line in lines_of(client, url) if line.startswith("/media/"))
    key = film.renditions.get(preset="hls", name="audio.mp4").key
    query = dict(pair.split("=") for pair in urlsplit(media).query.split("&"))
    later = links.time.time() + configured.LIMITS.duration
    monkeypatch.setattr(links.time, "time", lambda: later)
    assert links.holds(key, query["until"], query["sign"])
    assert client.get(url).status_code == 200


def test_play__storyboard_leads_to_its_sheet(client, film):
    lines = lines_of(client, address_of(film, "storyboard", "storyboard.vtt"))
    key = film.renditions.get(preset="storyboard", name="").key
    cues = [line for line in lines if "#xywh=" in line]
    assert len(cues) == 4
    assert all(line.startswith(f"/media/{key}?until=") for line in cues)
    assert "00:00:06.000 --> 00:00:12.000" in lines


def test_play__subtitles_are_as_they_are(client, film):
    answer = client.get(address_of(film, "subtitles", "spa-2.vtt"))
    assert answer.content.decode() == streams.WORDS
    assert answer["Content-Type"] == "text/vtt; charset=utf-8"


def test_play__needs_no_session_and_lets_other_sites_read(client, film):
    answer = client.get(address_of(film, "hls"))
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Content-Type"] == "application/vnd.apple.mpegurl"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


def test_play__long_playlists_travel_small(client, film):
    whole = client.get(address_of(film, "hls", "360.m3u8"))
    small = client.get(address_of(film, "hls", "360.m3u8"), headers={"Accept-Encoding": "gzip"})
    assert small["Content-Encoding"] == "gzip"
    assert len(small.content) < len(whole.content) / 2


def test_play__token_of_another_film_opens_nothing(client, film, bob):
    other = streams.a_film(bob)
    streams.publish_hls(other)
    url = address_of(film, "hls").replace(str(film.pk), str(other.pk))
    assert refused(client.get(url), 403) == "link_expired"


@pytest.mark.parametrize("token", ["0-0", "9999999999-00", "é", "-", "9999999999"])
def test_play__token_that_is_none_opens_nothing(client, film, token):
    url = address_of(film, "hls").replace(links.token(film.pk), token)
    assert refused(client.get(url), 403) == "link_expired"


def test_play__token_runs_out(client, film, monkeypatch):
    url = address_of(film, "hls")
    later = links.time.time() + links.TO_WATCH + links.STEP + 1
    monkeypatch.setattr(links.time, "time", lambda: later)
    assert refused(client.get(url), 403) == "link_expired"


def test_stream__of_a_film_of_one_segment_is_left_to_programs(film):
    assert films.stream(film) == address_of(film, "hls")
    film.renditions.filter(preset="hls", name="").update(duration=hls.SEGMENT)
    assert films.stream(film) == ""


@pytest.mark.parametrize("shorter", ["180.mp4 360.mp4", "audio.mp4"])
def test_stream__whose_picture_and_sound_end_far_apart_is_left_to_programs(film, shorter):
    ends = film.renditions.filter(preset="hls", name__in=shorter.split())
    ends.update(duration=streams.SECONDS - films.AHEAD)
    assert films.stream(film) == address_of(film, "hls")
    ends.update(duration=streams.SECONDS - films.AHEAD - 0.1)
    assert films.stream(film) == ""


@pytest.mark.parametrize("name", ["540.m3u8", "360.mp4", "hls.vtt"])
def test_play__name_that_is_no_text_of_the_preset_is_not_found(client, film, name):
    assert refused(client.get(urljoin(address_of(film, "hls"), name)), 404) == "not_found"


def test_play__file_that_went_meanwhile_is_not_found(client, film):
    main = film.renditions.get(preset="hls", name="")
    default_storage.delete(main.key)
    assert refused(client.get(playing.address(main)), 404) == "not_found"


def test_play__only_reads(client, film):
    assert client.post(address_of(film, "hls")).status_code == 405


def refused(answer, status):
    assert answer.status_code == status
    return answer.json()["error"]["code"]


def test_addressed__other_names_comments_and_addresses_stay():
    text = '#EXTM3U\n# URI=a.mp4\n\n#EXT-X-MAP:URI="a.mp4",BYTERANGE="9@0"\na.mp4\nb.mp4\nhttps://elsewhere/a.mp4\n'
    found = playing.addressed(text, ".m3u8", {"a.mp4": "/there?x=1"})
    assert found == text.replace('"a.mp4"', '"/there?x=1"').replace("\na.mp4", "\n/there?x=1")


def test_represent__companions_are_listed_under_the_file_that_refers_to_them(film):
    answer = represent(film, Lines.read([film.run]))
    hls = next(item for item in answer.renditions if item.preset == "hls")
    assert [item.preset for item in answer.renditions].count("hls") == 1
    assert {item.name for item in hls.files} == {
        f"{n}.{kind}" for n in ("180", "360", "audio") for kind in ("m3u8", "mp4")
    }
    assert hls.url.endswith("/hls/hls.m3u8")
    assert next(item for item in hls.files if item.name == "360.mp4").url.startswith("/media/")


def test_api__hls_is_played_from_its_url(client, film, alice):
    token = ApiToken.issue(alice)
    answer = client.get(f"/api/originals/{film.pk}", headers={"Authorization": f"Bearer {token}"}).json()
    url = next(item for item in answer["renditions"] if item["preset"] == "hls")["url"]
    assert lines_of(client, urlsplit(url).path)[0] == "#EXTM3U"


def test_text__of_a_key_without_a_file_is_not_found():
    with pytest.raises(FileNotFoundError):
        storage.text(f"renditions/{uuid4()}/hls.1-1.m3u8")
