"""Where films are cut, by the arithmetic alone."""

import pytest

from processing.engines import cutting
from processing.engines.packets import Packets


def packets(*rows):
    """Packets of (shown, read, flags), 100 bytes each, one after the other."""
    found = Packets()
    for number, (shown, read, flags) in enumerate(rows):
        found.take(f"{shown},{read},0.1,100,{1000 + 100 * number},{flags}")
    return found


def plain(frames, gop, begins=0.0):
    return packets(*((begins + n / 10, begins + n / 10, "K_" if n % gop == 0 else "__") for n in range(frames)))


def plan(found, number, **more):
    return cutting.plan(found, cutting.read_clock(found), number, **more)


def test_plan__parts_follow_one_another_and_have_all_frames():
    parts = plan(plain(100, 10), 4)
    assert [part.number for part in parts] == [0, 1, 2, 3]
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert (parts[0].start, parts[-1].end) == (0.0, pytest.approx(10.0))
    assert [part.frames for part in parts] == [20, 30, 20, 30]


def test_plan__little_work_is_one_part():
    assert len(plan(plain(100, 10), 0)) == len(plan(plain(100, 10), 1)) == 1


def test_plan__film_of_one_keyframe_is_one_part():
    assert len(plan(plain(100, 100), 5)) == 1


def test_plan__fewer_keyframes_than_parts_are_all_cut_at():
    assert [part.frames for part in plan(plain(100, 40), 9)] == [40, 40, 20]


def test_plan__begins_where_the_clock_does():
    assert plan(plain(20, 10, begins=7.0), 2)[0].start == 7.0


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 0, "K_"), ("N/A", 0.1, "__"), (0.2, 0.2, "K_")],
        [(0, 0, "K_"), (0.1, "N/A", "__"), (0.2, 0.2, "K_")],
        [(n / 10, "N/A", "K_") for n in range(17)] + [(1.7, 1.7, "K_")],
        [(0, "N/A", "K_"), (0.1, "N/A", "K_")],
        [(9, 9, "K_"), (9.1, 9.1, "__"), (0, 0, "K_"), (0.1, 0.1, "__")],
    ],
    ids=[
        "a frame without a time",
        "a packet without one",
        "many without one",
        "none with one",
        "a clock that jumps back",
    ],
)
def test_plan__clock_that_cannot_be_trusted_is_one_part(rows):
    found = packets(*rows)
    assert not cutting.read_clock(found).steady
    assert len(plan(found, 3)) == 1


def test_plan__first_packets_of_matroska_do_not_say_when_they_are_read():
    found = packets((0, "N/A", "K_"), (0.2, "N/A", "__"), (0.1, 0, "__"), (0.3, 0.1, "K_"), (0.4, 0.2, "__"))
    assert cutting.read_clock(found).steady
    assert [(part.start, part.frames) for part in plan(found, 2)] == [(0, 3), (0.3, 2)]


def test_shown_times__hidden_packets_and_doubles_are_no_frames():
    found = packets((-0.1, -0.1, "KD"), (0, 0, "__"), (0, 0.1, "__"), (0.2, 0.2, "K_"))
    assert cutting.shown_times(found) == [0.0, 0.2]


def test_clean_keyframes__not_hidden_ones_nor_those_that_later_ones_are_shown_before():
    found = packets((-1, -1, "KD"), (0.0, 0.0, "K_"), (0.5, 0.1, "__"), (0.3, 0.2, "K_"), (0.8, 0.3, "K_"))
    assert cutting.clean_keyframes(found) == [0.0, 0.8]


def test_plan__leading_frames_of_an_open_gop_belong_to_the_part_before():
    found = packets(
        (0.0, -0.2, "K_"), (0.1, -0.1, "__"), (0.4, 0.0, "K_"), (0.2, 0.1, "__"), (0.3, 0.2, "__"), (0.5, 0.3, "__")
    )  # fmt: skip
    parts = plan(found, 2)
    assert [(part.start, part.frames) for part in parts] == [(0.0, 4), (0.4, 2)]
    assert cutting.spans(found, parts, [0.0, 0.0 + cutting.SAME])[1][0] == 1200


def test_plan__fast_film_has_sixty_frames_a_second_on_one_beat():
    parts = plan(plain(100, 7), 3, fastest=4)
    assert sum(part.frames for part in parts) == 40


def test_read_clock__lead_is_the_most_a_keyframe_is_early():
    found = packets((0.2, 0.0, "K_"), (0.9, 0.1, "__"), (0.3, 0.2, "K_"))
    assert cutting.read_clock(found).lead == pytest.approx(0.2)


def test_read_clock__even_frames_are_no_variable_rate_and_gaps_are():
    assert not cutting.is_variable([n / 60 for n in range(100)])
    assert not cutting.is_variable([round(n / 60, 3) for n in range(100)])
    assert cutting.is_variable([n / 60 for n in range(100) if n % 9])
    assert not cutting.is_variable([0.0])


def test_seek_time__lands_on_the_keyframe_or_before_it():
    assert 4.8 < cutting.seek_time(5.0, 0.2, whole_gop=False) < 4.801
    assert cutting.seek_time(5.0, 0.2, whole_gop=True) < 4.8


def test_extent__packet_that_is_nowhere_makes_it_unknown():
    found = plain(3, 1)
    found.place[1] = -1
    assert cutting.extent(found, 0, 3) == (0, 0)
    assert cutting.extent(found, 2, 3) == (1200, 1300)


def test_merged__touching_ranges_are_one_and_empty_ones_none():
    assert cutting.merged([(10, 20), (0, 5), (20, 30), (7, 7), (4, 6)]) == ((0, 6), (10, 30))


def test_take__line_that_is_no_packet_is_passed_over():
    found = Packets()
    found.take("")
    found.take("side_data")
    assert len(found) == 0
    assert cutting.read_clock(packets(("N/A", "N/A", "K_"))).seconds == 0


def test_work__grows_with_frames_and_pixels():
    assert cutting.work(60, 100, 100) == 2 * cutting.work(30, 100, 100)
    assert cutting.work(30, 100, 200) > cutting.work(30, 200, 100)
