"""What we read of a piece's index is what ffprobe says of it."""

import pytest
from films import X264, film, picture, seen, talkie

from processing.engines import index
from processing.errors import Corrupt

WITH_B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-metadata", "comment=2.500000 20")
# A rate that varies, and nothing to be seen for a second and a third.
LATE = ("-vf", "setpts='(N*N/20+N+13)/10/TB'", "-vsync", "passthrough", "-video_track_timescale", "360000")


@pytest.mark.parametrize("words", [X264, WITH_B_FRAMES, (*WITH_B_FRAMES, *LATE)], ids=["plain", "B-frames", "late"])
def test_index__is_what_ffprobe_says(words):
    piece = film(*picture("322x180"), *words)
    said = seen(piece, "-show_streams", "-show_format")
    stream, tags = said["streams"][0], said["format"]["tags"]
    found = index.read(piece)
    assert (found.frames, found.width, found.height) == (int(stream["nb_frames"]), 322, 180)
    assert found.first == pytest.approx(float(stream["start_time"]), abs=2e-6)
    assert found.comment == tags.get("comment", "")


def test_index__late_picture_is_late():
    assert index.read(film(*picture(), *WITH_B_FRAMES, *LATE)).first == pytest.approx(1.3, abs=0.001)


def test_index__file_cut_short_is_corrupt(tmp_path):
    piece = tmp_path / "piece.mp4"
    piece.write_bytes(film(*picture(), *X264).read_bytes()[:-3000])
    with pytest.raises(Corrupt):
        index.read(piece)


def test_index__track_without_frames_is_corrupt():
    empty = film("-i", str(talkie()), "-c", "copy", "-an", "-frames:v", "0")
    with pytest.raises(Corrupt):
        index.read(empty)
