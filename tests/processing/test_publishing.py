"""Under which keys files appear."""

import mimetypes
from pathlib import Path

import pytest

from processing import publishing
from processing.facts import Made, Piece
from processing.models import Job, Run

JOB = Job(pk=7, part=2, attempt=3, run=Run(original_id="o"))


def made(path: str, content_type: str, name: str = "") -> Made:
    return Made("hls", 1, Path(path), content_type, 0, 0, name=name)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (made("hls.m3u8", "application/vnd.apple.mpegurl"), "renditions/o/hls.7-3.m3u8"),
        (made("360.mp4", "video/mp4", "360.mp4"), "renditions/o/hls.360.7-3.mp4"),
        (made("audio.mp4", "audio/mp4", "audio.mp4"), "renditions/o/hls.audio.7-3.m4a"),
        (Piece("mp4-360", Path("mp4-360.mp4")), "pieces/o/mp4-360.2.7-3.mp4"),
    ],
)
def test_key_of__bears_the_attempt_and_ends_as_its_type_does(file, key):
    assert publishing.key_of(JOB, file) == key
    if isinstance(file, Made):
        assert mimetypes.guess_type(key)[0] == file.content_type
