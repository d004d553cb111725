"""The image engine against real and hostile files that were not made for this project."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from processing.engines import images
from processing.errors import MediaError
from processing.facts import Order
from processing.presets import stills

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"

# Good files of these kinds may be refused until their decoders are there.
NOT_YET = {"HEIF", "HEIC", "JXL", "RAW"}

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus is not at {CORPUS}")


def files(*expectations):
    """The images of the manifest with one of these expectations."""
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "manifest.tsv").open(newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        pytest.param(row, id=row["path"])
        for row in rows
        if row["path"].startswith("images-") and row["expect"] in expectations
    ]


def process(row, folder):
    order = Order(CORPUS / row["path"], folder)
    facts = images.inspect(order).facts
    return facts, images.render(replace(order, facts=facts, presets=stills(facts)))


def check(facts, product):
    """Every file is there, as large as it should be, and carries nothing but pixels."""
    assert len(product.files) == len(stills(facts))
    for made, preset in zip(product.files, stills(facts), strict=True):
        with Image.open(made.path) as rendition:
            assert rendition.size == (made.width, made.height)
            assert max(rendition.size) == min(preset.box, facts.long_side)
            assert not {"exif", "icc_profile", "xmp", "comment"} & rendition.info.keys()


@pytest.mark.parametrize("row", [p for p in files("accept") if p.values[0]["real_format"] not in NOT_YET])
def test_corpus__good_file_rendered(row, tmp_path):
    facts, product = process(row, tmp_path)
    assert facts.format == row["real_format"]
    assert {facts.width, facts.height} == {int(row["width"]), int(row["height"])}
    check(facts, product)


@pytest.mark.parametrize("row", [p for p in files("accept") if p.values[0]["real_format"] in NOT_YET])
def test_corpus__good_file_of_a_format_not_read_yet(row, tmp_path):
    try:
        check(*process(row, tmp_path))
    except MediaError as error:
        assert error.code == "unsupported_type"  # noqa: PT017 - both outcomes are allowed


@pytest.mark.parametrize("row", files("reject"))
def test_corpus__bad_file_refused(row, tmp_path):
    with pytest.raises(MediaError):
        process(row, tmp_path)


@pytest.mark.parametrize("row", files("either"))
def test_corpus__odd_file_rendered_or_refused(row, tmp_path):
    try:
        check(*process(row, tmp_path))
    except MediaError as error:
        assert str(error)  # noqa: PT017 - both outcomes are allowed
