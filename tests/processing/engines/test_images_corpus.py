"""The image engine against real and hostile files that were not made for this project."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from processing.engines import images
from processing.errors import MediaError
from processing.facts import Order
from processing.presets import ANIMATED, image_files

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"

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
    return facts, images.render(replace(order, facts=facts, presets=image_files(facts)))


def check(facts, product):
    """Every file is there, as large as it should be, and carries nothing but pixels."""
    assert len(product.files) == len(image_files(facts))
    for made, preset in zip(product.files, image_files(facts), strict=True):
        with Image.open(made.path) as rendition:
            assert rendition.size == (made.width, made.height)
            assert max(rendition.size) == min(preset.box, facts.long_side)
            assert getattr(rendition, "n_frames", 1) == 1 or preset == ANIMATED
            assert not {"exif", "icc_profile", "xmp", "comment"} & rendition.info.keys()


@pytest.mark.parametrize("row", files("accept"))
def test_corpus__good_file_rendered(row, tmp_path):
    facts, product = process(row, tmp_path)
    assert facts.format == row["real_format"]
    assert {facts.width, facts.height} == {int(row["width"]), int(row["height"])}
    check(facts, product)


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
