"""The arithmetic of what work takes: no rows, no clocks."""

import random
from dataclasses import replace

import pytest

from processing import costs, estimates, pipelines
from processing.estimates import Measure, Rival
from processing.facts import Facts, Part, Text

GUESS = Measure(pace=1, work=1)


def after(measure: Measure, *paces: float, work: float = 2.0) -> Measure:
    for pace in paces:
        measure = measure.corrected(work, pace * work)
    return measure


def test_corrected__first_job_replaces_the_guess():
    assert after(GUESS, 9) == Measure(pytest.approx(9), pytest.approx(2), 1)


def test_corrected__a_job_counts_for_as_much_as_it_is():
    measure = after(after(GUESS, 1, work=10), 3, work=1)
    assert measure == Measure(pytest.approx(13 / 11), pytest.approx(5.5), 2)


def test_corrected__one_odd_job_moves_it_by_an_eighth_at_the_most():
    settled = after(GUESS, *[1] * 30)
    assert after(settled, 1000).pace <= 1.13
    assert after(settled, 0.0001).pace >= 0.88


def test_corrected__a_machine_twice_as_slow_is_believed_within_twenty_jobs():
    assert after(GUESS, *[1] * 100, *[2] * 20).pace == pytest.approx(2, rel=0.1)


def test_corrected__noise_of_a_third_leaves_it_within_a_tenth():
    noise = random.Random(7)  # noqa: S311
    measure = after(GUESS, *[noise.lognormvariate(0, 0.3) for _ in range(200)])
    assert measure.pace == pytest.approx(1, rel=0.15)


def test_corrected__a_job_quicker_than_the_clock_shows_is_not_infinitely_quick():
    assert GUESS.corrected(1, 0).pace > 0


def test_seconds__of_a_job_nobody_has_measured_are_those_of_a_typical_one():
    measure = Measure(pace=0.5, work=6, jobs=9)
    assert (measure.seconds(None), measure.seconds(10)) == (3, 5)


@pytest.mark.parametrize(
    ("progress", "elapsed", "left"),
    [(0, 0, 10), (0, 4, 6), (0, 60, 1), (0.5, 5, 5), (0.5, 10, 7.5), (1, 12, 0)],
)
def test_remaining__believes_progress_more_the_more_there_is(progress, elapsed, left):
    assert estimates.remaining(10, progress, elapsed) == pytest.approx(left)


@pytest.mark.parametrize(("since", "left"), [(0, 5), (2, 2), (5, 0.25)])
def test_remaining__of_what_said_how_far_it_is_some_time_ago_is_less_by_what_it_did_since(since, left):
    assert estimates.remaining(10, 0.5, 5, since) == pytest.approx(left)


def test_before__rivals_take_turns_and_no_more_than_they_have():
    flood = Rival(total=1000, jobs=1000, running=1, listed=8, ahead=8)
    assert estimates.before(0, 1, [flood]) == 9, "what stands before it"
    assert estimates.before(1, 2, [flood]) == 17, "and once more for its second stage"
    assert estimates.before(50, 1, [flood]) == 51, "a job for each of ours"
    assert estimates.before(50, 1, [Rival(total=3, jobs=3, listed=3, ahead=3)]) == 3


def test_ends__each_hand_takes_the_next_as_it_gets_free():
    assert estimates.ends([5.0], [2.0, 2.0, 4.0], hands=2) == ([5.0], [2.0, 4.0, 8.0])
    assert estimates.ends([5.0, 1.0], [2.0], hands=1) == ([5.0, 1.0], [3.0]), "a worker just left"


def test_left__is_shared_among_the_hands_but_a_chain_is_not():
    assert estimates.left(ahead=20, jobs_ahead=9, own=8, longest=1, hands=4) == 7
    assert estimates.left(ahead=20, jobs_ahead=9, own=8, longest=6, hands=4) == 11
    assert estimates.left(ahead=20, jobs_ahead=3, own=8, longest=6, hands=4) == 6, "a hand is free"


def test_chain__is_the_longest_way_through_parts_and_steps():
    needs = {"inspect": (), "audio": ("inspect",), "ladder": ("inspect",), "package": ("ladder", "audio")}
    assert estimates.chain(needs, {"audio": 5, "ladder": 30, "package": 2}) == 32
    assert estimates.chain(needs, {"package": 2}) == 2
    assert estimates.chain(needs, {}) == 0


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, 1), (7.4, 8), (97, 97), (104, 100), (1234, 1200)])
def test_whole__has_two_digits(seconds, shown):
    assert estimates.whole(seconds) == shown


FILM = Facts("video", "mp4", 1920, 1080, duration=60, frame_rate=30)
# With sound and text tracks, and pictures that can be copied.
FULL = {
    "format": "mov", "video_codec": "h264", "profile": "High", "audio_codec": "aac", "audio_track": 1,
    "texts": (Text(2),),
}  # fmt: skip


def test_work__of_the_parts_is_that_of_the_whole_beside_starting():
    parts = [Part(number, number * 10, number * 10 + 10, 300) for number in range(6)]
    sum_of_parts = sum(costs.ladder(FILM, part) - costs.STARTING for part in parts)
    assert sum_of_parts == pytest.approx(costs.ladder(FILM, None) - costs.STARTING)


def test_work__of_a_ladder_grows_with_its_rungs():
    small = Facts("video", "mp4", 640, 360, duration=60, frame_rate=30)
    assert costs.ladder(FILM, None) > 8 * costs.ladder(small, None)


@pytest.mark.parametrize(("size", "took"), [((64, 64), 0.18), ((4000, 3000), 1.07)])
def test_pace__of_an_image_is_what_was_measured(size, took):
    found = pipelines.step_named("image", "thumbnails")
    assert found.pace * found.work(Facts("image", "jpeg", *size), None) == pytest.approx(took, rel=0.1)


def test_work__of_an_image_is_mostly_that_of_its_sizes():
    small, middle, large = (Facts("image", "jpeg", *size) for size in ((1200, 900), (2400, 1800), (4800, 3600)))
    sizes = costs.pictures(middle, None) - costs.pictures(small, None)
    assert costs.pictures(large, None) - costs.pictures(middle, None) == pytest.approx(costs.READING * 3 * 4.32)
    assert sizes > 3 * costs.READING * (4.32 - 1.08), "the largest is one more file"


def test_work__of_what_moves_grows_with_its_frames():
    one, many = (Facts("image", "gif", 400, 300, frames=frames) for frames in (2, 100))
    more = costs.pictures(many, None) - costs.pictures(one, None)
    assert more == pytest.approx(98 * 0.12 * (1 + costs.READING))


def test_work__of_a_video_grows_with_what_each_step_works_on():
    silent = Facts("video", "mov", 1920, 1080, duration=600, frame_rate=30, bit_rate=8_000_000)
    assert costs.copying(silent) == costs.COPYING + 600
    assert costs.sound(replace(silent, audio_track=1), None) == costs.SOUNDING + 600
    assert costs.packing(silent, None) > costs.packing(replace(silent, duration=60), None) > 4 * costs.PACKING
    assert costs.keyframes(silent, None) > costs.stretch(silent, None)
    assert costs.draft(silent, None) == pytest.approx(0.11 * costs.ladder(silent, None), rel=0.05)


def test_work__of_a_step_that_owes_such_a_film_nothing_is_none():
    short = Facts("video", "avi", 640, 360, duration=6, frame_rate=30, bit_rate=8_000_000)
    assert [step(short, None) for step in (costs.remuxing, costs.texts, costs.sound, costs.draft)] == [0, 0, 0, 0]
    all_of_it = replace(short, **FULL)
    assert all(step(all_of_it, None) for step in (costs.remuxing, costs.texts, costs.sound))
    assert costs.draft(replace(FILM, duration=600), None)


@pytest.mark.parametrize(
    ("step", "size", "seconds", "took"),
    [
        ("source", (640, 360), 30, 0.31), ("source", (1920, 1080), 10, 0.39),
        ("poster", (640, 360), 30, 0.23), ("poster", (1920, 1080), 10, 0.69),
        ("preview", (640, 360), 30, 0.44), ("preview", (1920, 1080), 10, 1.0),
        ("storyboard", (640, 360), 30, 0.2), ("storyboard", (1920, 1080), 10, 0.25),
        ("audio", (640, 360), 30, 0.53), ("audio", (640, 360), 10, 0.21),
        ("package", (640, 360), 30, 0.41), ("package", (1920, 1080), 10, 1.37),
        ("subtitles", (640, 360), 30, 0.15), ("subtitles", (1920, 1080), 10, 0.17),
        ("ladder", (640, 360), 30, 4.47), ("ladder", (640, 360), 10, 1.59),
    ],
)  # fmt: skip
def test_pace__is_what_was_measured_when_the_constants_were_fitted(step, size, seconds, took):
    rate = {640: 3_200_000, 1920: 20_300_000}[size[0]]
    facts = Facts(kind="video", width=size[0], height=size[1], duration=seconds, frame_rate=30, bit_rate=rate, **FULL)
    found = pipelines.step_named("video", step)
    assert found.pace * found.work(facts, None) == pytest.approx(took, rel=0.3)
