"""Lines played forward: when jobs begin and end."""

from math import inf

import pytest

from processing import forecast
from processing.forecast import Task

HANDS = {"images": 2, "videos": 2}


def task(key: int, seconds: float = 1.0, **more: object) -> Task:
    values = {"run": key, "owner": 1, "queue": "images", "step": "inspect", "place": float(key), **more}
    return Task(key=key, seconds=seconds, **values)


def play(*tasks: Task, hands=HANDS, cores=inf, window=8):
    found = forecast.play(tasks, hands, cores, window)
    return {key: (each.begins, each.ends) for key, each in found.items()}


def test_play__hands_take_the_first_in_the_list():
    assert play(task(1, 2), task(2, 1), task(3, 1)) == {1: (0, 2), 2: (0, 1), 3: (1, 2)}


def test_play__what_is_moved_to_the_front_goes_first():
    assert play(task(1), task(2), task(3, rank=-5), hands={"images": 1})[3] == (0, 1)


def test_play__who_is_at_work_has_a_hand():
    assert play(task(1, 3, place=None, began=True), task(2, 1), hands={"images": 1})[2] == (3, 4)


def test_play__a_step_begins_when_all_it_needs_have_ended():
    parts = [task(number, number, run=1, step="ladder") for number in (1, 2)]
    package = task(3, 1, run=1, step="package", place=None, needs=("inspect", "ladder"))
    assert play(*parts, package)[3] == (2, 3)


def test_play__later_steps_stand_at_the_end_of_the_list():
    mine = task(1), task(2, run=1, step="thumbnails", place=None, needs=("inspect",))
    others = [task(number) for number in (3, 4, 5)]
    assert play(*mine, *others, hands={"images": 1})[2] == (4, 5)


def test_play__an_owner_has_a_window_in_the_list():
    alices = [task(number, place=None if number > 2 else number) for number in (1, 2, 3, 4, 5)]
    bobs = task(8, owner=2, place=0.5), task(9, run=8, owner=2, step="thumbnails", place=None, needs=("inspect",))
    found = play(*alices, *bobs, hands={"images": 1}, window=2)
    assert [found[key][0] for key in (8, 1, 2, 9, 3, 4, 5)] == [0, 1, 2, 3, 4, 5, 6]


def test_play__more_jobs_than_cores_are_slower_on_every_queue():
    found = play(task(1, 2), task(2, 2), task(3, 4, queue="videos"), task(4, 4, queue="videos"), cores=2)
    assert found[1] == found[2] == (0, 4)
    assert found[3] == found[4] == (0, pytest.approx(6)), "alone on the cores for their other halves"


def test_play__counts_what_is_begun_before_each():
    found = forecast.play([task(1, 5, began=True, place=None), task(2), task(3), task(4)], HANDS, inf, 8)
    assert [found[key].before for key in (2, 3, 4)] == [0, 1, 2]


def test_play__without_hands_nothing_ends():
    assert play(task(1), task(2, run=1, step="thumbnails", place=None, needs=("inspect",)), hands={}) == {}
