"""Place in line and seconds left, from rows whose times are given."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from processing import hands, lines, queues, speeds, standing, worker
from processing.bridge import connection
from processing.models import LEASE, Job, JobStatus, Run, RunStatus, Speed
from processing.standing import Lines, Standing, Waiting

pytestmark = pytest.mark.django_db
INSPECT, RENDER = 1.0, 4.0  # seconds of an image's two steps


@pytest.fixture(autouse=True)
def measured(db: None) -> None:
    connection().flushall()
    worker.be_present(["images"], 2)
    Speed.objects.create(queue="images", step="inspect", pace=INSPECT, work=1, jobs=50)
    Speed.objects.create(queue="images", step="thumbnails", pace=1, work=RENDER, jobs=50)


def stand(original: Any) -> Standing:
    run = Run.objects.get(original=original)
    return Lines.read([run]).of(run)


def job(original: Any, step: str = "inspect") -> Any:
    return Job.objects.get(run__original=original, step=step)


def set_running(original: Any, step: str, progress: float, elapsed: float) -> None:
    begun = now() - timedelta(seconds=elapsed)
    held = {"started_at": begun, "lease_until": now() + LEASE}  # how far it is was said just now
    values = {"status": JobStatus.RUNNING, "attempt": 1, "progress": progress, **held}
    Job.objects.filter(run__original=original, step=step).update(**values)
    Run.objects.filter(original=original).update(status=RunStatus.PROCESSING)


def set_succeeded(original: Any, step: str) -> None:
    Job.objects.filter(run__original=original, step=step).update(status=JobStatus.SUCCEEDED)


def test_position__is_the_place_among_those_in_the_list(upload):
    originals = [upload() for _ in range(3)]
    for number, original in enumerate(originals):
        Job.objects.filter(pk=job(original).pk).update(queued_at=now() - timedelta(minutes=10 - number))
    assert [stand(original).position for original in originals] == [1, 2, 3]


def test_position__of_the_only_one_is_first(upload):
    assert stand(upload()).position == 1


def test_position__others_queues_and_finished_jobs_are_not_in_line(upload):
    first, second, mine = upload(), upload(), upload()
    Job.objects.filter(pk=job(first).pk).update(queue="videos")
    set_succeeded(second, "inspect")
    assert stand(mine).position == 1


def test_position__who_is_at_work_is_in_no_line(upload):
    original = upload()
    set_running(original, "inspect", 0.5, 1)
    assert stand(original).position is None


def test_position__of_what_is_held_is_behind_the_list_and_what_its_owner_has_before_it(upload, bob):
    alices = [upload() for _ in range(lines.WINDOW + 5)]
    upload(owner=bob)
    places = [stand(original).position for original in alices[lines.WINDOW :]]
    assert places[0] == lines.WINDOW + 2, "let in as the first is begun"
    assert places == sorted(places)
    assert places[-1] > lines.WINDOW + 2 + 5, "the older ones' second steps are let in before its first"


def test_position__of_what_is_held_of_many_counts_the_list_and_the_owners_turns(upload, bob, monkeypatch):
    monkeypatch.setattr(standing, "PLAYED", 0)
    alices = [upload() for _ in range(lines.WINDOW + 5)]
    bobs = [upload(owner=bob) for _ in range(lines.WINDOW + 2)]
    listed = 2 * lines.WINDOW
    assert stand(alices[lines.WINDOW]).position == listed + 1
    assert stand(alices[-1]).position == listed + 5 + 2, "four of alice's before it, and both of bob's"
    assert stand(bobs[-1]).position == listed + 2 + 1


def test_position__moved_to_the_front_is_first(upload):
    originals = [upload() for _ in range(3)]
    Run.objects.filter(original=originals[2]).update(rank=-5)
    Job.objects.filter(run__original=originals[2]).update(rank=-5)
    assert [stand(original).position for original in originals] == [2, 3, 1]


def test_seconds__are_unknown_where_no_worker_lives(upload):
    connection().flushall()
    assert stand(upload()) == Standing(position=1, seconds=None)


def test_seconds__of_a_run_alone_are_those_of_its_steps(upload):
    assert stand(upload()).seconds == pytest.approx(INSPECT + RENDER)


def test_seconds__of_what_runs_are_by_its_progress(upload):
    original = upload()
    set_succeeded(original, "inspect")
    Job.objects.filter(run__original=original).update(work=RENDER)
    set_running(original, "thumbnails", 0.5, 2)
    assert stand(original).seconds == pytest.approx(RENDER / 2, abs=0.1)


def test_seconds__are_shared_among_the_hands(upload):
    originals = [upload() for _ in range(6)]
    alone = INSPECT + RENDER
    with_two = stand(originals[-1]).seconds
    assert with_two == pytest.approx(6 * alone / 2, abs=0.1)
    worker.be_present(["images"], 1)
    assert stand(originals[-1]).seconds == pytest.approx(6 * alone, abs=0.1)


def test_seconds__hands_share_the_cores_of_their_machines(upload, monkeypatch):
    monkeypatch.setattr(worker, "name", "images@here/1")
    originals = [upload() for _ in range(6)]
    worker.be_present(["images"], 2, cores=1)
    assert stand(originals[-1]).seconds == pytest.approx(6 * (INSPECT + RENDER), abs=0.1)
    monkeypatch.setattr(worker, "name", "videos@here/2")
    worker.be_present(["videos"], 2, cores=1)
    assert queues.strength()[1] == 1, "one machine, whatever number of workers"
    monkeypatch.setattr(worker, "name", "images@there/3")
    worker.be_present(["images"], 2, cores=1)
    assert queues.strength()[1] == 2


def test_seconds__of_many_are_shared_among_hands_and_cores_too(upload, monkeypatch):
    monkeypatch.setattr(standing, "PLAYED", 0)
    monkeypatch.setattr(worker, "name", "images@here/1")
    originals = [upload() for _ in range(12)]
    worker.be_present(["images"], 2, cores=2)
    with_two = stand(originals[-1]).seconds
    worker.be_present(["images"], 2, cores=1)
    assert stand(originals[-1]).seconds == pytest.approx(2 * with_two)


def test_seconds__of_bobs_do_not_count_all_of_alices(upload, bob):
    for _ in range(30):
        upload()
    flood = 30 * (INSPECT + RENDER) / 2
    assert stand(upload(owner=bob)).seconds < flood / 2


def test_seconds__of_the_last_of_a_flood_count_all_before(upload):
    originals = [upload() for _ in range(30)]
    assert stand(originals[-1]).seconds == pytest.approx(29 * (INSPECT + RENDER) / 2 + INSPECT + RENDER, rel=0.05)


def test_standing__of_who_has_ended_is_none_and_costs_nothing(upload, django_assert_num_queries):
    original = upload()
    Run.objects.update(status=RunStatus.READY)
    run = Run.objects.get(original=original)
    with django_assert_num_queries(0):
        assert Lines.read([run]).of(run) == Standing()


def test_read__is_as_many_queries_for_many_runs_as_for_one(upload, bob, monkeypatch, django_assert_num_queries):
    for _ in range(lines.WINDOW + 3):
        upload()
        upload(owner=bob)
    runs = list(Run.objects.prefetch_related("jobs"))
    for played, queries in ((standing.PLAYED, 3), (0, 4)):
        monkeypatch.setattr(standing, "PLAYED", played)
        with django_assert_num_queries(queries):
            found = Lines.read(runs)
            assert all(found.of(run).seconds for run in runs)


def test_lately__answer_is_given_again_for_as_often_as_it_took(monkeypatch):
    monkeypatch.setattr(standing, "TIMES", 20)
    seconds = iter([0.0, 0.1, 2.09, 2.11, 2.11, 2.11, 2.11])
    answers = [{(1, "images"): Waiting(jobs=number)} for number in range(3)]
    asked = iter(answers)
    lately = standing.Lately(lambda _: next(asked), clock=lambda: next(seconds))
    given = [lately.of({}) for _ in range(4)]
    assert given == [answers[0], answers[0], answers[1], answers[2]], "0.1 s are kept for 2, and none for none"


def test_read__sums_are_kept_by_every_page_of_a_process(upload, monkeypatch, django_assert_num_queries):
    upload()
    runs = list(Run.objects.prefetch_related("jobs"))
    monkeypatch.setattr(standing, "TIMES", 1e6)
    Lines.read(runs)
    with django_assert_num_queries(2):
        Lines.read(runs)


def test_learn__corrects_the_row_and_leaves_others(upload):
    original = upload()
    begun = now()
    done = job(original)
    Job.objects.filter(pk=done.pk).update(started_at=begun, finished_at=begun + timedelta(seconds=3), work=1)
    done.refresh_from_db()
    Speed.objects.filter(step="inspect").delete()
    speeds.learn(done)
    assert speeds.measured()["images", "inspect"].pace == pytest.approx(3)
    assert speeds.measured()["images", "thumbnails"].jobs == 50


def test_learn__counts_the_seconds_of_a_core(upload, monkeypatch):
    monkeypatch.setattr(hands, "cores", lambda: 2)
    done, *others = [job(upload()) for _ in range(6)]
    for number, other in enumerate(others):  # three beside it, and two on another machine
        set_running(other.run.original, "inspect", 0, 1)
        Job.objects.filter(pk=other.pk).update(worker=f"images@{'here' if number < 3 else 'there'}/{number}")
    begun = now()
    times = {"started_at": begun, "finished_at": begun + timedelta(seconds=3)}
    Job.objects.filter(pk=done.pk).update(**times, work=1, worker="images@here/9")
    done.refresh_from_db()
    Speed.objects.filter(step="inspect").delete()
    speeds.learn(done)
    assert speeds.measured()["images", "inspect"].pace == pytest.approx(3 * 2 / 4)


@pytest.mark.parametrize(
    ("queued", "freed", "seconds"),
    [
        pytest.param(5, (1,), 4, id="the hand was idle for a second"),
        pytest.param(0.5, (1,), 3.5, id="half of it without a job"),
        pytest.param(5, (60,), 3, id="for longer there was nothing to do"),
        pytest.param(5, (1.5, 1), 4.5, id="of two hands the one that was free for longer"),
        pytest.param(5, (-1,), 3, id="the other hand's job ended while it was at work"),
    ],
)
def test_learn__counts_from_when_hand_and_job_were_there_for_each_other(upload, queued, freed, seconds):
    *before, done = (job(upload()) for _ in range(1 + len(freed)))
    begun = now()
    for other, ago in zip(before, freed, strict=True):
        was_at_work(other, begun - timedelta(seconds=90), begun - timedelta(seconds=ago), worker="images@here/1")
    asked = begun - timedelta(seconds=queued)
    was_at_work(done, begun, begun + timedelta(seconds=3), queued_at=asked, worker="images@here/1")
    assert learned(done) == pytest.approx(seconds)


def test_learn__the_moment_between_two_jobs_of_another_hand_is_not_free(upload, monkeypatch):
    """As what is foretold takes each hand to be at work for as long as its list is not empty."""
    monkeypatch.setattr(hands, "cores", lambda: 1)
    first, second, done = (job(upload()) for _ in range(3))
    begun = now()
    for other, began, ended in ((first, 0, 2), (second, 3, 4)):
        moments = (begun + timedelta(seconds=seconds) for seconds in (began, ended))
        was_at_work(other, *moments, queued_at=begun, worker="videos@here/1")
    was_at_work(done, begun, begun + timedelta(seconds=4), queued_at=begun, worker="images@here/2")
    assert learned(done) == pytest.approx(4 / 2)


def was_at_work(of, began, ended, **more):
    Job.objects.filter(pk=of.pk).update(started_at=began, finished_at=ended, work=1, **more)
    of.refresh_from_db()


def learned(done):
    """The pace of its step, of this job alone."""
    Speed.objects.filter(step="inspect").delete()
    speeds.learn(done)
    return speeds.measured()["images", "inspect"].pace


def test_learn__a_job_beside_it_for_a_while_took_half_of_that_while(upload, monkeypatch):
    monkeypatch.setattr(hands, "cores", lambda: 1)
    beside, done = (job(upload()) for _ in range(2))
    begun = now()
    Job.objects.filter(pk=beside.pk).update(
        started_at=begun, finished_at=begun + timedelta(seconds=2), worker="videos@here/1"
    )
    times = {"started_at": begun, "finished_at": begun + timedelta(seconds=4)}
    Job.objects.filter(pk=done.pk).update(**times, work=1, worker="images@here/2")
    done.refresh_from_db()
    Speed.objects.filter(step="inspect").delete()
    speeds.learn(done)
    assert speeds.measured()["images", "inspect"].pace == pytest.approx(4 / 1.5)


def test_backlog__is_the_same_by_row_and_by_sum(upload):
    for _ in range(3):
        upload()
    assert next(queue for queue in queues.overview() if queue.name == "images").backlog_seconds == 3 * INSPECT
