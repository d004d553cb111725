"""What a file is, by its first bytes: the table against real files, and against what only looks like media."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from uploads.sniffing import HEAD, SIGNATURES, is_drawing, kind_of

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def accepted() -> list[dict[str, str]]:
    """The rows of the corpus that must end ready."""
    if not CORPUS.exists():
        return []
    with (CORPUS / "manifest.tsv").open() as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["expect"] == "accept"]


@pytest.mark.skipif(not CORPUS.exists(), reason=f"no corpus of real files at {CORPUS}")
def test_kind_of__every_good_file_of_the_corpus_is_known():
    wanted = {row["path"]: row["kind"].partition("s-")[0] for row in accepted()}
    found = {path: kind_of((CORPUS / path).read_bytes()[:HEAD]) for path in wanted}
    assert len(wanted) > 100
    assert found == wanted


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: f"{signature.name}-{signature.marks[0][1]!r}")
def test_kind_of__every_signature_is_reached(signature):
    head = bytearray(HEAD)
    for at, mark in signature.marks:
        head[at : at + len(mark)] = mark
    assert kind_of(bytes(head)) == signature.kind


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: f"{signature.name}-{signature.marks[0][1]!r}")
def test_kind_of__head_cut_within_the_last_mark_does_not_fit(signature):
    end = max(at + len(mark) for at, mark in signature.marks)
    head = bytearray(end)
    for at, mark in signature.marks:
        head[at : at + len(mark)] = mark
    assert signature.fits(bytes(head))
    assert not signature.fits(bytes(head[: end - 1]))


@pytest.mark.parametrize(
    "name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000", "ICO", "HEIF", "JXL"]
)
def test_kind_of__what_pillow_writes_is_an_image(name):
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(file, name)
    assert kind_of(file.getvalue()[:HEAD]) == "image"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0" * HEAD,
        b"hello, this is a text",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD/>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"8BPS\0\1",
        b"MZ\x90\0",
        b"\x7fELF\2\1\1",
        b"PK\3\4",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"ID3\4",
        b"BM, a sentence that begins so",
        b"GIF88a",
        b"G" + b"\0" * 400,
    ],
    ids=lambda head: repr(head[:12]),
)
def test_kind_of__what_is_not_on_the_list_is_nothing(head):
    assert kind_of(head) is None


@pytest.mark.parametrize(
    "head",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg>",
        b"  <!-- made by a tool -->\n<svg>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'><svg>",
    ],
)
def test_is_drawing__svg_however_it_begins(head):
    assert is_drawing(head)
    assert kind_of(head) is None


@pytest.mark.parametrize("head", [b"<html><body><svg>", b"<?xml version='1.0'?><rss>", b"text about <svg>", b""])
def test_is_drawing__what_only_mentions_one_is_not(head):
    assert not is_drawing(head)
