"""Text tracks as WebVTT, with words in them and nothing else."""

import re
from dataclasses import asdict

import pytest
from films import film, seen, talkie

from processing import presets
from processing.engines import probe, subtitles, videos
from processing.facts import Facts, Limits, Order, Text

LIMITS = Limits(threads=1)
SRT = """1
00:00:00,200 --> 00:00:01,000
Hello <b>you</b> <i>there</i>

2
00:00:01,000 --> 00:00:01,800
<script>alert(1)</script><font color="red">red</font> a < b & c --> d

"""
SPANISH = "1\n00:00:00,500 --> 00:00:01,500\nHola señora\n"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Two SRT files."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "en.srt").write_text(SRT)
    (folder / "es.srt").write_text(SPANISH)
    return folder


def subtitled(texts, codec, name):
    """A talkie with an English and a Spanish track."""
    return film(
        "-i", str(talkie()), "-i", str(texts / "en.srt"), "-i", str(texts / "es.srt"),
        "-map", "0", "-map", "1", "-map", "2", "-c", "copy", "-c:s", codec,
        "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=spa", "-metadata:s:s:1", "title=Para todos",
        name=name,
    )  # fmt: skip


def extract(source, folder):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return subtitles.extract(Order(source, folder, facts, presets.subtitles(facts), limits=LIMITS)).files


@pytest.mark.parametrize(
    ("codec", "name"),
    [("mov_text", "film.mp4"), ("srt", "film.mkv"), ("ass", "film.mkv"), ("webvtt", "film.mkv")],
)
def test_extract__each_text_track_is_a_webvtt(tmp_path, texts, codec, name):
    first, second = extract(subtitled(texts, codec, name), tmp_path)
    assert [(made.preset, made.name, made.content_type) for made in (first, second)] == [
        ("subtitles", "", "text/vtt"),
        ("subtitles", "spa-1.vtt", "text/vtt"),
    ]
    english, spanish = first.path.read_text(), second.path.read_text()
    # In Matroska everything is 23 ms later: it begins with the sound, which AAC begins before the picture.
    assert re.match(r"WEBVTT\n\n00:00\.2[02]\d --> 00:01\.0[02]\d\nHello ", english)
    assert "<b>you</b>" in english or codec in ("mov_text", "ass")  # where the tags do not survive
    assert re.fullmatch(r"WEBVTT\n\n00:00\.5[02]\d --> 00:01\.5[02]\d\nHola señora\n", spanish)
    assert seen(second.path, "-show_streams")["streams"][0]["codec_name"] == "webvtt"


@pytest.mark.parametrize(("codec", "name"), [("mov_text", "film.mp4"), ("srt", "film.mkv"), ("webvtt", "film.mkv")])
def test_extract__hostile_text_is_words(tmp_path, texts, codec, name):
    said = extract(subtitled(texts, codec, name), tmp_path)[0].path.read_text()
    words = "".join(line for line in said.splitlines() if " --> " not in line)
    assert set(re.findall(r"<[^>]*>", words)) <= {"<b>", "</b>", "<i>", "</i>", "<u>", "</u>"}
    assert "script" not in words
    assert "red" in words


def test_extract__nothing_of_a_film_without_text(tmp_path):
    source = talkie()
    facts = videos.inspect(Order(source, tmp_path, limits=LIMITS)).facts
    assert facts.texts == ()
    assert presets.subtitles(facts) == ()
    assert subtitles.extract(Order(source, tmp_path, facts, limits=LIMITS)).files == ()


def test_extract__pictures_of_letters_are_no_text(tmp_path, texts):
    source = film(
        "-i", str(talkie()), "-f", "lavfi", "-i", "color=red@0.5:s=320x180:d=1:r=1,format=yuva420p",
        "-map", "0", "-map", "1:v", "-c", "copy", "-c:v:1", "png", name="film.mkv",
    )  # fmt: skip
    assert extract_facts(source, tmp_path).texts == ()


def extract_facts(source, folder):
    return videos.inspect(Order(source, folder, limits=LIMITS)).facts


def test_inspect__lists_text_tracks_with_language_and_title(tmp_path, texts):
    facts = extract_facts(subtitled(texts, "srt", "film.mkv"), tmp_path)
    assert facts.texts == (Text(2, "eng"), Text(3, "spa", "Para todos"))
    assert presets.subtitles(facts) == (presets.SUBTITLES,)


def test_facts__come_back_from_json_as_they_went():
    facts = Facts("video", "mov", 1, 1, texts=(Text(2, "eng", "All"),))
    assert Facts(**asdict(facts)) == facts


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("eng", "eng"),
        ("pt-BR", "pt"),
        ("ES", "es"),
        ("und", ""),
        ("", ""),
        ("../../x", ""),
        ("klingon", ""),
        ("e/", ""),
    ],
)
def test_language__is_a_code_or_nothing(tag, expected):
    assert probe.language(tag) == expected


def test_companion__without_a_language_is_undetermined():
    assert subtitles.companion(2, Text(5)) == "und-2.vtt"


def test_cleaned__styles_notes_regions_and_settings_go():
    said = (
        "WEBVTT\n\nSTYLE\n::cue { background: url(http://evil/) }\n\nREGION\nid:fred\n\nNOTE\n00 secret\n\n"
        "id\n00:01.000 --> 00:02.000 line:0 position:20%\nOne\nTwo\n\n00:03.000 --> 00:04.000\n\n"
    )
    assert subtitles.cleaned(said) == "WEBVTT\n\n00:01.000 --> 00:02.000\nOne\nTwo\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<B>x</B> <u>y</u>", "<b>x</b> <u>y</u>"),
        ("<c.red><v Bob>x", "x"),
        ("<img src=x onerror=alert(1)>x", "x"),
        ("<<b>script>x", "&lt;<b>script&gt;x"),
        ("a & b &amp; c &lt; d", "a &amp; b &amp; c &lt; d"),
        ("&#60;script&#62;", "&amp;#60;script&amp;#62;"),
        ("00:01.000 --> 00:02.000", "00:01.000 --&gt; 00:02.000"),
        ("<b", "&lt;b"),
    ],
)
def test_plain__leaves_no_tag_but_three(line, expected):
    assert subtitles.plain(line) == expected
