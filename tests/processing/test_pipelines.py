"""The pipelines as data, and the pure functions of them."""

import pytest

from processing import pipelines, presets
from processing.doorbells import TASKS
from processing.facts import Facts
from processing.pipelines import PIPELINES, QUEUES, Step

STEPS = [(kind, step) for kind, steps in PIPELINES.items() for step in steps]
NAMED = [f"{kind}-{step.name}" for kind, step in STEPS]
GRAND = {
    "image": Facts("image", "JPEG", 8000, 6000),
    "video": Facts("video", "mov", 3840, 2160, duration=60, video_codec="h264"),
}


@pytest.mark.parametrize(("kind", "step"), STEPS, ids=NAMED)
def test_step__needs_only_steps_that_stand_before_it(kind, step):
    names = [other.name for other in PIPELINES[kind]]
    assert names.count(step.name) == 1
    assert set(step.needs) <= set(names[: names.index(step.name)])


@pytest.mark.parametrize(("kind", "step"), STEPS, ids=NAMED)
def test_step__is_on_a_queue_whose_task_is_known(kind, step):
    assert step.queue in QUEUES
    assert step.queue in TASKS
    assert step.weight > 0


@pytest.mark.parametrize("kind", PIPELINES)
def test_extras__are_needed_by_no_step(kind):
    assert not {need for step in PIPELINES[kind] for need in step.needs} & pipelines.extras(kind)


def test_extras__of_a_film_are_all_but_what_leads_to_its_ladder():
    needed = {"inspect", "audio", "ladder", "package"}
    assert pipelines.extras("video") == {step.name for step in PIPELINES["video"]} - needed


@pytest.mark.parametrize("kind", PIPELINES)
def test_pipeline__owes_every_preset_once_and_by_a_stable_name(kind):
    owed = [preset.name for step in PIPELINES[kind] for preset in step.presets(GRAND[kind])]
    assert len(owed) == len(set(owed))
    assert all(name == name.lower() and len(name) <= 40 for name in owed)


def test_presets__are_those_of_the_contract():
    named = [preset.name for preset in (*presets.WEBP, presets.MAIL_JPEG, presets.POSTER, *presets.LADDER)]
    assert len(named) == len(set(named))
    assert {"webp-160", "webp-2048", "jpeg-1280", "poster", "mp4-360", "mp4-1080"} <= set(named)


@pytest.mark.parametrize("kind", PIPELINES)
def test_ready__everything_undone_begins_with_the_first_step_alone(kind):
    assert pipelines.ready(kind, [step.name for step in PIPELINES[kind]]) == ["inspect"]


@pytest.mark.parametrize(
    ("kind", "undone", "ready"),
    [
        ("image", {"thumbnails"}, ["thumbnails"]),
        ("video", {"ladder", "poster"}, ["poster", "ladder"]),
        ("video", {"ladder"}, ["ladder"]),
        ("video", set(), []),
        ("video", {"a step of an older version"}, []),
    ],
)
def test_ready__are_the_undone_whose_needs_are_done_in_order(kind, undone, ready):
    assert pipelines.ready(kind, undone) == ready


@pytest.mark.parametrize(
    ("kind", "failed", "lost"),
    [
        ("image", set(), set()),
        ("image", {"inspect"}, {"thumbnails"}),
        ("image", {"thumbnails"}, set()),
        ("video", {"poster"}, set()),
        ("video", {"ladder"}, {"package"}),
    ],
)
def test_out_of_reach__is_all_that_needs_what_failed(kind, failed, lost):
    assert pipelines.out_of_reach(kind, failed) == lost


def test_out_of_reach__goes_on_through_what_is_lost_on_the_way(monkeypatch):
    def make(order):
        raise AssertionError

    chain = (Step("a", make, "images"), Step("b", make, "images", ("a",)), Step("c", make, "images", ("b",)))
    monkeypatch.setattr(pipelines, "PIPELINES", {"image": chain})
    assert pipelines.out_of_reach("image", {"a"}) == {"b", "c"}
    assert pipelines.ready("image", {"b", "c"}) == ["b"]


@pytest.mark.parametrize(
    ("failed", "vain"), [({"storyboard"}, set()), ({"audio"}, {"draft", "audio", "ladder"}), ({"package"}, set())]
)
def test_pointless__is_what_works_for_a_step_that_cannot_begin(failed, vain):
    assert pipelines.pointless("video", failed) == vain


def test_feeders__leave_pieces_for_the_step_that_needs_them():
    assert pipelines.feeders("video", "package") == {"audio", "ladder"}
    assert not pipelines.leaves_pieces("video", pipelines.step_named("video", "draft"))


def test_version__knows_the_presets_that_some_films_get():
    assert {"source", "subtitles", "hls", "storyboard", "preview"} <= set(pipelines.preset_names("video"))


@pytest.mark.parametrize("kind", PIPELINES)
def test_progress__goes_from_nothing_to_one(kind):
    steps = [step.name for step in PIPELINES[kind]]
    assert pipelines.progress(kind, {}) == 0
    assert pipelines.progress(kind, dict.fromkeys(steps, 1)) == 1
    assert pipelines.progress(kind, dict.fromkeys(steps, 0.5)) == 0.5


def test_progress__counts_a_step_by_its_weight():
    assert pipelines.progress("image", {"inspect": 1}) == pytest.approx(0.1)
    assert pipelines.progress("video", {"ladder": 1}) == pytest.approx(0.88)


@pytest.mark.parametrize("kind", PIPELINES)
def test_progress__never_falls_as_steps_end(kind):
    done: dict[str, float] = {}
    seen = [0.0]
    for step in PIPELINES[kind]:
        done[step.name] = 1
        seen.append(pipelines.progress(kind, done))
    assert seen == sorted(seen)


@pytest.mark.parametrize(("kind", "step"), STEPS, ids=NAMED)
def test_step_named__finds_each(kind, step):
    assert pipelines.step_named(kind, step.name) is step
