import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing import presets
from processing.facts import Facts
from processing.presets import by_short_side, even, within_box

lengths = st.integers(1, 100_000)


def image(width, height):
    return Facts("image", "JPEG", width, height)


def video(width, height):
    return Facts("video", "mov", width, height)


def boxes(facts):
    return [preset for preset in presets.WEBP if preset.suits(facts)]


def names(wanted):
    return [preset.name for preset in wanted]


def test_within_box__longest_side_fills_it():
    assert within_box(4000, 3000, 640) == (640, 480)
    assert within_box(3000, 4000, 640) == (480, 640)


def test_within_box__never_enlarged():
    assert within_box(100, 50, 640) == (100, 50)


def test_within_box__a_line_stays_a_pixel_high():
    assert within_box(100_000, 1, 160) == (160, 1)


@given(lengths, lengths, st.integers(1, 5000))
def test_within_box__fits_and_keeps_its_shape(width, height, box):
    small = within_box(width, height, box)
    assert min(small) >= 1
    assert max(small) == min(box, max(width, height))
    scale = max(small) / max(width, height)
    assert abs(small[0] - width * scale) < 1
    assert abs(small[1] - height * scale) < 1


@given(lengths, lengths, st.integers(1, 5000))
def test_within_box__is_blind_to_orientation(width, height, box):
    assert within_box(width, height, box) == within_box(height, width, box)[::-1]


def test_by_short_side__portrait_video_measured_by_short_side():
    assert by_short_side(1920, 1080, 480) == (854, 480)
    assert by_short_side(1080, 1920, 480) == (480, 854)


@given(lengths, lengths, st.integers(2, 2160))
def test_by_short_side__both_sides_even_and_never_enlarged_beyond_that(width, height, short_side):
    small = by_short_side(width, height, short_side)
    assert all(side % 2 == 0 and side >= 2 for side in small)
    assert all(side <= max(2, original + 1) for side, original in zip(small, (width, height), strict=True))


@pytest.mark.parametrize(("length", "expected"), [(0.2, 2), (1, 2), (2, 2), (3.2, 4), (853.3, 854), (101, 100)])
def test_even__nearest_even_number_from_2(length, expected):
    assert even(length) == expected


@pytest.mark.parametrize(
    ("long_side", "expected"),
    [
        (1, ["webp-160"]),
        (160, ["webp-160"]),
        (161, ["webp-160", "webp-320"]),
        (1280, ["webp-160", "webp-320", "webp-640", "webp-1280"]),
        (2048, ["webp-160", "webp-320", "webp-640", "webp-1280", "webp-2048"]),
        (9000, ["webp-160", "webp-320", "webp-640", "webp-1280", "webp-2048"]),
    ],
)
def test_boxes__each_smaller_one_and_the_first_that_holds_it_whole(long_side, expected):
    assert names(boxes(image(long_side, 1))) == expected
    assert names(boxes(image(1, long_side))) == expected


@given(lengths, lengths)
def test_boxes__own_size_at_most_once(width, height):
    sizes = [within_box(width, height, preset.box) for preset in boxes(image(width, height))]
    assert len(set(sizes)) == len(sizes)


def test_image_files__mail_jpeg_beside_the_boxes():
    assert names(presets.image_files(image(200, 100))) == ["webp-160", "webp-320", "jpeg-1280"]


def test_image_files__a_film_beside_the_stills_of_what_moves():
    film = Facts("image", "GIF", 200, 100, frames=2)
    assert names(presets.image_files(film)) == ["webp-160", "webp-320", "jpeg-1280", "animated-640"]


def test_family__avif_has_the_boxes_of_webp():
    assert [(preset.box, preset.above) for preset in presets.AVIF] == [(p.box, p.above) for p in presets.WEBP]
    assert names(presets.AVIF)[::4] == ["avif-160", "avif-2048"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), ["mp4-360"]),
        ((640, 360), ["mp4-360"]),
        ((854, 480), ["mp4-360", "mp4-480"]),
        ((1080, 1920), ["mp4-360", "mp4-480", "mp4-720", "mp4-1080"]),
        ((3840, 2160), ["mp4-360", "mp4-480", "mp4-720", "mp4-1080"]),
    ],
)
def test_rungs__none_larger_than_the_video_and_always_the_lowest(size, expected):
    assert names(presets.rungs(video(*size))) == expected


def test_poster__one_whatever_the_size():
    assert names(presets.poster(video(10, 10))) == ["poster"]


def test_presets__say_how_their_files_are_called():
    kinds = {(preset.extension, preset.content_type) for preset in (*presets.WEBP, presets.MAIL_JPEG, *presets.LADDER)}
    assert kinds == {("webp", "image/webp"), ("jpg", "image/jpeg"), ("mp4", "video/mp4")}


def test_presets__names_are_unique():
    stills = (*presets.WEBP, *presets.AVIF, presets.MAIL_JPEG, presets.SQUARE, presets.POSTER)
    everything = names((*stills, presets.ANIMATED, *presets.LADDER))
    assert len(set(everything)) == len(everything)


def test_loop__no_larger_than_the_film_it_is_recorded_beside():
    assert presets.LOOP.box <= presets.ANIMATED.box
