"""The colours of a film are the same in all that is made of it, whatever it was stored in."""

import films
import ladders
import pytest
from films import X264, film
from PIL import Image

from processing import presets
from processing.engines import previews, storyboards, videos
from processing.facts import Limits, Order

LIMITS = Limits(threads=1)
RED = (200, 50, 50)
# Code values of 10 bits in limited range, dark to bright: 100 is near black, 940 the brightest there is.
CODES = (100, 300, 509, 940)


def colour(path):
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((20, 20))


def shown(path):
    """The colour of the first frame, as a player takes it that goes by the tags we write."""
    as_tagged = "scale=in_color_matrix=bt709:in_range=tv,format=rgb24"
    return colour(film("-i", str(path), "-frames:v", "1", "-vf", as_tagged, name="frame.png"))


def tagged(matrix, size="320x180"):
    """A red film in that matrix, tagged as such."""
    return film(
        "-f", "lavfi", "-i", f"color=0xC83232:s={size}:d=0.5:r=10,format=rgb24,"
        f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p", *X264, "-crf", "5",
        "-colorspace", matrix, "-color_primaries", "bt709", "-color_trc", "bt709",
    )  # fmt: skip


def bright(code, transfer):
    """A grey film of 10 bits in BT.2020."""
    grey = f"color=black:s=160x90:d=0.2:r=10,format=yuv420p10le,geq=lum={code}:cb=512:cr=512"
    return film(
        "-f", "lavfi", "-i", grey, *X264[:4], "-pix_fmt", "yuv420p10le", "-crf", "5",
        "-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", transfer,
    )  # fmt: skip


def made(source, folder, make, wanted):
    facts = videos.inspect(Order(source, folder, limits=LIMITS)).facts
    return make(Order(source, folder, facts, wanted(facts), limits=LIMITS)).files[0].path


@pytest.mark.parametrize(("matrix", "size"), [("bt709", "320x180"), ("smpte170m", "320x180"), ("bt470bg", "160x90")])
def test_red__is_as_red_in_poster_storyboard_preview_and_rung(tmp_path, matrix, size):
    source = tagged(matrix, size)
    stills = (videos.grab_poster, presets.poster), (storyboards.make, presets.storyboard)
    found = [colour(made(source, tmp_path, *step)) for step in stills]
    moving = (previews.make, presets.preview), (ladders.transcode, lambda _: presets.LADDER[:1])
    found += [shown(made(source, tmp_path, *step)) for step in moving]
    for seen in found:
        assert seen == pytest.approx(RED, abs=5)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr__greys_stay_grey_and_in_order(tmp_path, transfer):
    found = [colour(made(bright(code, transfer), tmp_path, videos.grab_poster, presets.poster)) for code in CODES]
    assert all(max(seen) - min(seen) <= 3 for seen in found)
    levels = [seen[1] for seen in found]
    assert levels == sorted(levels)
    assert levels[0] < 16
    assert 100 < levels[2] < 180  # what is white on paper in PQ, and half the signal in HLG
    assert levels[-1] >= 250


def test_hdr__is_toned_alike_in_all_that_is_made(tmp_path):
    source = bright(509, "smpte2084")
    poster = colour(made(source, tmp_path, videos.grab_poster, presets.poster))
    assert colour(made(source, tmp_path, storyboards.make, presets.storyboard)) == pytest.approx(poster, abs=3)
    for step in ((previews.make, presets.preview), (ladders.transcode, lambda _: presets.LADDER[:1])):
        assert shown(made(source, tmp_path, *step)) == pytest.approx(poster, abs=3)


def test_hdr10__leaves_nothing_of_its_range_in_a_rung(tmp_path):
    """A phone's HDR10: HEVC of 10 bits that says how bright the screen was it was graded on."""
    screen = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    said = f"hdr10=1:repeat-headers=1:{screen}:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
    source = film(
        *films.picture(seconds=0.5), "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
        "-x265-params", said, "-tag:v", "hvc1",
    )  # fmt: skip
    assert side_data(source)
    facts = videos.inspect(Order(source, tmp_path, limits=LIMITS)).facts
    assert (facts.transfer, facts.primaries, facts.matrix, facts.bit_depth) == ("smpte2084", "bt2020", "bt2020", 10)
    rung = made(source, tmp_path, ladders.transcode, lambda _: presets.LADDER[:1])
    video = films.streams(rung)["video"]
    assert {video[f"color_{tag}"] for tag in ("space", "transfer", "primaries")} == {"bt709"}
    assert (video["pix_fmt"], video["color_range"]) == ("yuv420p", "tv")
    assert not side_data(rung)


def side_data(path):
    """What a film's first frame says of the screen it is meant for."""
    [frame] = films.seen(path, "-select_streams", "v", "-show_frames", "-read_intervals", "%+#1")["frames"]
    known = ("Mastering display metadata", "Content light level metadata")
    return [item for item in frame.get("side_data_list", []) if item["side_data_type"] in known]
