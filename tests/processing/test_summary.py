"""What a run's jobs amount to: pure, from jobs that were never saved."""

import pytest

from processing import pipelines, summary
from processing.models import Job, JobStatus, RunStatus

LETTERS = {
    "w": JobStatus.WAITING,
    "q": JobStatus.QUEUED,
    "r": JobStatus.RUNNING,
    "s": JobStatus.SUCCEEDED,
    "f": JobStatus.FAILED,
    "c": JobStatus.CANCELED,
}
STEPS = {"image": ("inspect", "thumbnails"), "video": ("inspect", "poster", "ladder")}


def jobs(kind: str, letters: str, **values: object) -> list[Job]:
    """One job a letter, in the order of the pipeline; whatever is past `queued` has been tried."""
    return [
        Job(step=step, status=LETTERS[letter], attempt=int(letter in "rsf"), **values)
        for step, letter in zip(STEPS[kind], letters, strict=True)
    ]


@pytest.mark.parametrize(
    ("kind", "letters", "status"),
    [
        ("image", "qw", RunStatus.RECEIVED),
        ("image", "ww", RunStatus.RECEIVED),
        ("image", "rw", RunStatus.PROCESSING),
        ("image", "sw", RunStatus.PROCESSING),
        ("image", "sq", RunStatus.PROCESSING),
        ("image", "ss", RunStatus.READY),
        ("image", "fw", RunStatus.FAILED),
        ("image", "sf", RunStatus.FAILED),
        ("image", "cc", RunStatus.CANCELED),
        ("image", "sc", RunStatus.CANCELED),
        ("image", "cw", RunStatus.CANCELED),
        ("video", "sfr", RunStatus.PROCESSING),
        ("video", "sfq", RunStatus.PROCESSING),
        ("video", "sfs", RunStatus.READY),
        ("video", "sff", RunStatus.FAILED),
        ("video", "sws", RunStatus.PROCESSING),
        ("video", "srf", RunStatus.PROCESSING),
        ("video", "sfc", RunStatus.CANCELED),
        ("video", "scs", RunStatus.CANCELED),
        ("video", "fww", RunStatus.FAILED),
        ("video", "sss", RunStatus.READY),
    ],
)
def test_status_of__what_the_jobs_amount_to(kind, letters, status):
    assert summary.status_of(kind, jobs(kind, letters)) == status


@pytest.mark.parametrize("failed", [step.name for step in pipelines.PIPELINES["video"]])
def test_status_of__film_of_which_one_step_failed_is_ready_without_an_extra_alone(failed):
    steps = [step.name for step in pipelines.PIPELINES["video"]]
    film = [Job(step=step, status=JobStatus.FAILED if step == failed else JobStatus.SUCCEEDED) for step in steps]
    ends = RunStatus.READY if failed in pipelines.extras("video") else RunStatus.FAILED
    assert summary.status_of("video", film) == ends


def test_status_of__one_that_was_tried_and_waits_again_is_processing():
    waiting = jobs("image", "ww")
    waiting[0].attempt = 1
    assert summary.status_of("image", waiting) == RunStatus.PROCESSING


@pytest.mark.parametrize(
    ("letters", "progress"), [("qw", 0), ("rw", 0.05), ("sw", 0.1), ("sr", 0.55), ("ss", 1), ("sf", 0.1), ("cc", 0)]
)
def test_progress_of__counts_what_is_done_and_what_runs(letters, progress):
    assert summary.progress_of("image", jobs("image", letters, progress=0.5)) == pytest.approx(progress)


def test_progress_of__parts_of_a_step_count_by_their_frames():
    parts = [
        Job(step="ladder", part=0, plan={"frames": 300}, status=JobStatus.QUEUED),
        Job(step="ladder", part=1, plan={"frames": 100}, status=JobStatus.SUCCEEDED),
    ]
    inspect, poster = (Job(step="inspect", status=JobStatus.SUCCEEDED), Job(step="poster", status=JobStatus.QUEUED))
    assert summary.progress_of("video", [inspect, poster, *parts]) == pytest.approx((100 - 1 - 88 * 3 / 4) / 100)


def test_progress_of__step_that_is_younger_than_the_run_counts_as_done():
    assert summary.progress_of("video", jobs("video", "sss")[:2]) == 1


def test_error_of__is_the_first_failure():
    found = jobs("video", "sff", error_code="corrupt", error_details={"reason": "torn"})
    found[2].error_code = "too_long"
    assert summary.error_of(RunStatus.FAILED, found) == {"error_code": "corrupt", "error_details": {"reason": "torn"}}


@pytest.mark.parametrize(
    ("status", "letters", "code"),
    [
        (RunStatus.CANCELED, "sc", "canceled"),
        (RunStatus.READY, "ss", ""),
        (RunStatus.PROCESSING, "sr", ""),
        (RunStatus.RECEIVED, "qw", ""),
    ],
)
def test_error_of__without_a_failure_says_only_that_it_was_canceled(status, letters, code):
    assert summary.error_of(status, jobs("image", letters)) == {"error_code": code, "error_details": {}}
