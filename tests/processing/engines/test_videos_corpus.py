"""Real and hostile videos: each ends as its manifest expects, and never in another way."""

import csv
from pathlib import Path

import ladders
import pytest

from processing import presets
from processing.engines import videos
from processing.errors import MediaError
from processing.facts import Limits, Order

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
MANIFEST = CORPUS / "manifest.tsv"
NOT_YET: dict[str, str] = {}  # path: why a file that is expected to be accepted is not yet

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"there is no corpus at {CORPUS}")


def expectations():
    if not MANIFEST.exists():
        return []
    with MANIFEST.open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        chosen = [row for row in rows if row["kind"].startswith("videos")]
    return [pytest.param(row["path"], row["expect"], id=row["path"]) for row in chosen]


def everything(source, folder):
    """Facts, poster and lowest rung of a video."""
    limits = Limits(threads=1)
    facts = videos.inspect(Order(source, folder, limits=limits)).facts
    poster = videos.grab_poster(Order(source, folder, facts, presets.poster(facts), limits))
    lowest = ladders.transcode(Order(source, folder, facts, presets.rungs(facts)[:1], limits))
    return [*poster.files, *lowest.files]


@pytest.mark.parametrize(("path", "expect"), expectations())
def test_corpus(tmp_path, path, expect):
    if path in NOT_YET:
        pytest.xfail(NOT_YET[path])
    try:
        files = everything(CORPUS / path, tmp_path)
    except MediaError:
        assert expect in ("reject", "either")
    else:
        assert expect in ("accept", "either")
        assert [made.path.stat().st_size > 0 for made in files] == [True, True]


def test_corpus__is_read_whole():
    assert len(expectations()) == 90
