"""The desk, one run and the queues: charlie edits what alice uploads, dora operates."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from babel.messages.pofile import read_po
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.template.loader import render_to_string
from django.utils import timezone, translation

from processing import history, listing, queues, runner, worker
from processing.errors import CLOSER, SENTENCES
from processing.models import Job, JobStatus, Run, RunStatus, Speed
from processing.queues import Queue
from processing.templatetags.showing import REASONS, STATES, age, clock, percent, sentence, spell
from processing.timeline import Timeline
from uploads.models import Original

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    settings.WHITENOISE_AUTOREFRESH = True  # nothing need be collected
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def charlie(charlie, client):
    """Charlie, signed in."""
    client.force_login(charlie)
    return charlie


@pytest.fixture
def dora(client):
    """Operates: sees queues and nothing else; signed in."""
    user = User.objects.create_user("dora", "dora@example.org")
    user.user_permissions.add(Permission.objects.get(codename="see_queues"))
    client.force_login(user)
    return user


def a_run(owner, name="cat.jpg", kind="image", status="", code="", **details):
    original = Original.objects.create(
        owner=owner, name=name, kind=kind, bytes=1000, sha256="0" * 64, key=f"originals/{uuid4()}"
    )
    run = runner.start(original)
    if status:
        Run.objects.filter(pk=run.pk).update(status=status, error_code=code, error_details=details)
    return Run.objects.get(pk=run.pk)


def a_failed_run(owner, **fields):
    run = a_run(owner, **fields)
    run.jobs.filter(step="inspect").update(status=JobStatus.FAILED, error_code="corrupt", error_details={"reason": "x"})
    runner.advance(run.pk)
    return run


def text_of(client, url, **headers):
    response = client.get(url, headers=headers)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def names(client, query):
    return [row.run.original.name for row in client.get(f"/status/{query}").context["page"].rows]


def test_desk__editors_only(client, alice):
    assert client.get("/status/").url.startswith("/accounts/login/")
    client.force_login(alice)
    response = client.get("/status/")
    assert response.status_code == 403
    assert "Your account may not see this page" in response.content.decode()


def test_desk__every_owners_runs_newest_first(client, charlie, alice):
    a_run(alice, "old.jpg")
    a_run(charlie, "new.jpg")
    assert names(client, "") == ["new.jpg", "old.jpg"]


def test_desk__filters(client, charlie, alice):
    a_run(alice, "a.jpg", status="ready")
    a_run(alice, "b.mp4", "video", "failed", "corrupt", reason="x")
    a_run(charlie, "c.jpg")
    assert names(client, "?status=ready") == ["a.jpg"]
    assert names(client, "?kind=video") == ["b.mp4"]
    assert names(client, "?error=corrupt") == ["b.mp4"]
    assert names(client, "?owner=charlie") == ["c.jpg"]
    assert names(client, "?q=A.J") == ["a.jpg"]


def test_desk__counts_ignore_the_status_filter_alone(client, charlie, alice):
    a_run(alice, status="ready")
    a_run(alice, "b.mp4", "video", status="failed", code="canceled")
    counts = client.get("/status/?status=ready&kind=image").context["counts"]
    assert counts == {"": 1, "received": 0, "processing": 0, "ready": 1, "failed": 0, "canceled": 0}


def test_desk__failed_row_says_why(client, charlie, alice):
    a_run(alice, status="failed", code="too_many_pixels", found=240, allowed=100)
    assert "The picture has 240 megapixels; 100 are allowed." in text_of(client, "/status/")


def test_desk__pages_follow(client, charlie, alice, monkeypatch):
    monkeypatch.setattr("processing.listing.page.__defaults__", ("", 2))
    for number in range(3):
        a_run(alice, f"{number}.jpg")
    first = client.get("/status/")
    rest = text_of(client, f"/status/?cursor={first.context['page'].next_cursor}", hx_request="true")
    assert "<html" not in rest
    assert "0.jpg" in rest
    assert "1.jpg" not in rest


def test_desk__nonsense_in_the_address_is_no_error(client, charlie, alice):
    a_run(alice)
    assert names(client, "?cursor=x&kind=%00&status=nothing") == []


def test_desk__cost_does_not_grow_with_the_rows(client, charlie, alice, django_assert_max_num_queries):
    for _ in range(20):
        a_run(alice, status="ready")
        Job.objects.update(status=JobStatus.SUCCEEDED)
    with django_assert_max_num_queries(14):
        client.get("/status/")


def test_desk__retry_the_ticked_ones(client, charlie, alice):
    ticked, other = a_failed_run(alice), a_failed_run(alice)
    page = client.post("/status/", {"action": "retry", "run": [ticked.original_id]}, follow=True)
    assert "1 run changed." in page.content.decode()
    assert Run.objects.get(pk=ticked.pk).status == "received"
    assert Run.objects.get(pk=other.pk).status == "failed"


def test_desk__retry_all_that_match(client, charlie, alice):
    match, other = a_failed_run(alice, name="cat.jpg"), a_failed_run(alice, name="dog.jpg")
    response = client.post("/status/?q=cat", {"action": "retry", "scope": "all"})
    assert response.url == "/status/?q=cat"
    assert Run.objects.get(pk=match.pk).status == "received"
    assert Run.objects.get(pk=other.pk).status == "failed"


def test_desk__moves_the_ticked_ones_to_the_front_the_oldest_first(client, charlie, alice):
    first, second, third, ready = a_run(alice), a_run(alice), a_run(alice), a_run(alice, status="ready")
    ticked = [run.original_id for run in (second, third, ready)]
    client.post("/status/", {"action": "front", "run": ticked})
    assert list(Run.objects.order_by("rank", "pk").values_list("pk", flat=True))[:2] == [second.pk, third.pk]
    assert set(Run.objects.filter(rank=0).values_list("pk", flat=True)) == {first.pk, ready.pk}


@pytest.mark.parametrize(("language", "left"), [("en", "about 1:40"), ("es", "aprox. 1:40")])
def test_desk__says_place_and_time_left_in_the_readers_language(client, charlie, upload, language, left):
    upload()
    Speed.objects.create(queue="images", step="inspect", pace=100, work=1)
    Speed.objects.create(queue="images", step="thumbnails", pace=0.01, work=1)
    worker.be_present(["images"])
    page = client.get("/status/", headers={"Accept-Language": language}).content.decode()
    assert left in page
    assert ">#1<" in page


def test_desk__cancel_leaves_what_is_finished(client, charlie, alice):
    ready, waiting = a_run(alice, status="ready"), a_run(alice)
    client.post("/status/", {"action": "cancel", "run": [ready.original_id, waiting.original_id]})
    assert Run.objects.get(pk=ready.pk).status == "ready"
    assert Run.objects.get(pk=waiting.pk).status == "canceled"


@pytest.mark.parametrize("form", [{}, {"action": "explode"}, {"action": "retry", "run": "not-an-id"}])
def test_desk__strange_forms_change_nothing(client, charlie, alice, form):
    run = a_failed_run(alice)
    assert client.post("/status/", form).status_code == 302
    assert Run.objects.get(pk=run.pk).status == "failed"


def test_desk__who_may_only_look_has_no_buttons(client, alice):
    alice.user_permissions.add(Permission.objects.get(codename="see_all_runs"))
    client.force_login(alice)
    run = a_failed_run(alice)
    assert "data-retry" not in text_of(client, "/status/")
    assert client.post("/status/", {"action": "retry", "run": run.original_id}).status_code == 403
    assert client.post(f"/status/{run.original_id}/retry").status_code == 403


def test_row__of_one_run(client, charlie, alice):
    run = a_run(alice)
    row = text_of(client, f"/status/{run.original_id}/row")
    assert f'data-original-id="{run.original_id}" data-status="received"' in row
    assert "images · inspect" in row


def test_row__tells_parts_of_a_step(alice):
    run = a_run(alice, kind="video")
    run.jobs.filter(step="ladder").update(status=JobStatus.SUCCEEDED)
    run.jobs.exclude(step="ladder").update(status=JobStatus.SUCCEEDED)
    Job.objects.create(run=run, step="ladder", part=1, queue="videos", status=JobStatus.RUNNING)
    assert listing.Row.of(run).parts == (1, 2)


def test_run__each_step_is_a_row(client, charlie, alice):
    run = a_failed_run(alice)
    page = text_of(client, f"/status/{run.original_id}")
    assert page.count("data-step=") == run.jobs.count()
    assert "The file is damaged and cannot be read (x)." in page
    assert f'action="/status/{run.original_id}/retry"' in page


def test_run__parts_of_a_film_are_one_row_and_those_that_fare_alike_another(client, charlie, alice):
    run = a_run(alice, kind="video")
    begin = timezone.now() - timedelta(seconds=60)
    run.jobs.filter(step="ladder").delete()
    for part, status in enumerate(("succeeded", "succeeded", "failed", "running")):
        times = {"queued_at": begin, "started_at": begin, "finished_at": begin + timedelta(seconds=10)}
        code = {"error_code": "corrupt", "error_details": {"reason": "torn"}} if status == "failed" else {}
        worker = f"worker-{part % 2}"
        Job.objects.create(
            run=run, step="ladder", part=part, queue="videos", status=status, worker=worker, attempt=1, **times, **code
        )
    page = text_of(client, f"/status/{run.original_id}")
    assert page.count('data-step="ladder" data-status="running"') == page.count('data-step="ladder"') == 1
    assert ">2/4<" in page
    assert "worker-0 +1" in page
    assert re.findall('data-part="(.*)" data-status="(.*)"', page) == [
        ("1\N{EN DASH}2", "succeeded"),
        ("3", "failed"),
        ("4", "running"),
    ]
    assert page.count('<i class="worked') == page.count('<a class="worked') == 4
    assert re.search(r'data-part="3".*torn.*data-part="4"', page, re.DOTALL)
    assert "40 s" in page


TOLD = {
    "cpu": 12.34,
    "memory": 552 << 20,
    "children": 9,
    "commands": [
        {"command": "ffprobe film.mp4", "status": 0, "seconds": 0.2, "cpu": 0.1, "memory": 0, "said": ""},
        {
            "command": "ffmpeg -i <film>",
            "status": 1,
            "seconds": 70,
            "cpu": 11.9,
            "memory": 552 << 20,
            "said": "no frame",
        },
    ],
}


LOST = {
    "worker": "worker-6",
    "attempt": 1,
    "end": "it ended by signal 9",
    "memory": {"stated": 900, "held": 871},
    "lines": ["line one", "line <two>"],
    "out_of_memory": True,
}


def test_run__bar_leads_to_what_its_job_did(client, charlie, alice):
    run = a_failed_run(alice)
    job = run.jobs.get(step="inspect")
    times = {"queued_at": timezone.now(), "started_at": timezone.now(), "finished_at": timezone.now()}
    Job.objects.filter(pk=job.pk).update(
        **times, worker="worker-7", attempt=2, crashes=1, memory=1 << 30, traces=TOLD, evidence=[LOST]
    )
    url = f"/status/{run.original_id}/jobs/{job.pk}"
    assert f'data-job href="{url}"' in text_of(client, f"/status/{run.original_id}")
    page = text_of(client, url)
    words = ["worker-7", "took its worker down once", "552.0\xa0MB", "of 1.0\xa0GB expected", "12 s"]
    words += ["ffprobe film.mp4", "ffmpeg -i &lt;film&gt;", "ended with 1", "no frame", "The file is damaged"]
    words += [
        "The 2 longest of 9",
        "attempt 1 lost",
        "worker-6",
        "871 MiB",
        "out of memory",
        "it ended by signal 9",
        "line &lt;two&gt;",
    ]
    for said in words:
        assert said in page, said
    part = text_of(client, url, hx_request="true")
    assert "<html" not in part
    assert "no frame" in part


def test_job__that_runs_says_until_when_it_is_held(client, charlie, alice):
    run = a_run(alice)
    job = run.jobs.get(step="inspect")
    assert job.claim("worker-7")
    page = text_of(client, f"/status/{run.original_id}/jobs/{job.pk}")
    assert "Lease until" in page
    assert "It has run no program" in page


def test_job__of_another_original_is_404_and_editors_only(client, charlie, alice, bob):
    run, other = a_run(alice), a_run(bob)
    url = f"/status/{run.original_id}/jobs/{other.jobs.first().pk}"
    assert client.get(url).status_code == 404
    client.force_login(alice)
    assert client.get(f"/status/{run.original_id}/jobs/{run.jobs.first().pk}").status_code == 403


def test_run__retry_and_cancel(client, charlie, alice):
    run = a_failed_run(alice)
    client.post(f"/status/{run.original_id}/retry")
    assert Run.objects.get().status == "received"
    client.post(f"/status/{run.original_id}/cancel")
    assert Run.objects.get().status == "canceled"


def test_run__unknown_is_404(client, charlie):
    assert client.get(f"/status/{uuid4()}").status_code == 404


def test_timeline__waits_and_work_share_an_axis():
    begin = timezone.now() - timedelta(seconds=100)
    first = Job(
        step="inspect",
        status=JobStatus.SUCCEEDED,
        queued_at=begin,
        started_at=begin + timedelta(seconds=10),
        finished_at=begin + timedelta(seconds=50),
    )
    waiting = Job(step="thumbnails", status=JobStatus.WAITING)
    axis = Timeline.of([first, waiting])
    assert axis.seconds == pytest.approx(100, abs=1)
    [bar], [other] = (line.bars for line in axis.lines)
    assert bar.waited.width == pytest.approx(10, abs=1)
    assert bar.worked.left == pytest.approx(10, abs=1)
    assert bar.worked.width == pytest.approx(40, abs=1)
    assert other.waited is other.worked is None


def test_queues__ops_see_them_and_not_the_desk(client, dora):
    page = text_of(client, "/status/queues")
    assert all(f'data-queue="{name}"' in page for name in ("images", "videos", "default"))
    assert client.get("/status/").status_code == 403


@pytest.mark.parametrize(
    ("queue", "said"),
    [
        (Queue("videos", None, 0, 0, 0.0, 0.0, None), "Redis does not answer"),
        (Queue("videos", 3, 3, 0, 0.0, 0.0, 0), "Jobs wait and no worker takes from this queue"),
        (Queue("videos", 0, 0, 0, 0.0, 0.0, 0), "new jobs would wait"),
        (Queue("videos", 0, 0, 0, 0.0, 0.0, 2), "2 workers"),
        (Queue("videos", 9, 9, 2, 0.0, 7200.0, 2, 2), "need 1 h for what is in line"),
    ],
)
def test_queues__a_sentence_when_something_is_wrong(client, dora, monkeypatch, queue, said):
    monkeypatch.setattr(queues, "overview", lambda: [queue])
    page = text_of(client, "/status/queues", hx_request="true")
    assert said in page
    assert "celery -A mediaweb worker -Q videos -n videos-2@%h -l INFO" in page


def ended(run, status, minutes, count=1, queue="videos"):
    Job.objects.bulk_create(
        Job(
            run=run,
            step="ladder",
            part=Job.objects.count() + number,
            queue=queue,
            status=status,
            started_at=timezone.now() - timedelta(minutes=minutes + 1),
            finished_at=timezone.now() - timedelta(minutes=minutes),
        )
        for number in range(count)
    )


def test_last_hour__counts_what_ended_by_queue_and_stretch(alice, django_assert_num_queries):
    run = a_run(alice)
    ended(run, "succeeded", 1, 3)
    ended(run, "failed", 1)
    ended(run, "succeeded", 31)
    ended(run, "succeeded", 61)
    ended(run, "succeeded", 59, queue="images")
    with django_assert_num_queries(1):
        hours = history.last_hour()
    assert [(bar.done, bar.failed) for bar in hours["videos"].bars if bar.done] == [(1, 0), (4, 1)]
    assert (hours["videos"].done, hours["videos"].failed, hours["videos"].most) == (5, 1, 4)
    assert (len(hours["images"].bars), hours["images"].done, hours["default"].done) == (30, 1, 0)


def test_last_hour__is_read_by_an_index(alice):
    rows = Job.objects.filter(status__in=("succeeded", "failed"), finished_at__gt=timezone.now())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "job_ended" in rows.explain()


def test_queues__show_the_last_hour_and_say_when_much_of_it_failed(client, charlie, alice):
    worker.be_present(["videos"])
    run = a_run(alice)
    ended(run, "succeeded", 5, 10)
    ended(run, "failed", 5, 4)
    page = text_of(client, "/status/queues")
    assert "14 jobs ended in the last hour, 4 of them failed" in page
    assert "have failed" not in page
    ended(run, "failed", 1)
    page = text_of(client, "/status/queues")
    assert "5 of the 15 jobs of the last hour have failed." in page
    assert 'href="/status/?status=failed"' in page
    assert page.count("<rect") == 2 + 2


def test_mail__says_what_failed_and_why(alice):
    context = {
        "owner": alice,
        "ready": [a_run(alice, "ok.jpg")],
        "base_url": "https://m.example",
        "most": 9,
        "failed": [a_run(alice, "it's <bad>.jpg", status="failed", code="corrupt", reason="truncated")],
    }
    subject = render_to_string("processing/mail/outcomes_subject.txt", context).strip()
    body = render_to_string("processing/mail/outcomes.txt", context)
    assert subject == "mediaweb: 1 ready, 1 failed"
    assert "it's <bad>.jpg\n  The file is damaged and cannot be read (truncated)." in body
    assert f"https://m.example/originals/{context['ready'][0].original_id}" in body


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (21.9, "21 s"), (200, "3 min"), (7300, "2 h"), (None, "")]
)
def test_spell__largest_unit(seconds, text):
    assert spell(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(64.2, "1:04"), (3852, "1:04:12"), (0.4, "0:00")])
def test_clock__as_players_show_it(seconds, text):
    assert clock(seconds) == text


def test_percent__is_100_only_when_done():
    assert percent(0.999) == 99


def test_age__brief():
    assert age(timezone.now()) == "just now"
    assert age(timezone.now() - timedelta(minutes=5)) == "5 min ago"


def test_sentence__big_numbers_are_grouped():
    run = Run(error_code="too_large", error_details={"allowed": 21474836480})
    assert "21,474,836,480 bytes" in sentence(run)


def test_sentence__cause_is_in_the_readers_language():
    run = Run(error_code="corrupt", error_details={"reason": "it ends too early"})
    with translation.override("es"):
        assert "termina antes de tiempo" in sentence(run)


def test_words__every_state_and_code_has_some():
    assert set(STATES) == {*RunStatus.values, *JobStatus.values}
    assert set(REASONS) == set(SENTENCES)


def test_spanish__has_every_sentence_and_keeps_its_details():
    with (ROOT / "mediaweb/locale/es/LC_MESSAGES/django.po").open("rb") as file:
        catalog = read_po(file, locale="es")
    assert all(sentence in catalog for sentence in (*SENTENCES.values(), *CLOSER.values()))
    assert [message.id for message in catalog if message.id and not all(strings(message))] == []
    assert [error for message in catalog for error in message.check()] == []


def strings(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


def test_spanish__pages_in_it(client, charlie):
    with translation.override("es"):
        assert render_to_string("processing/parts/state.html", {"word": "x", "tone": "ready", "icon": "clock"})
    client.cookies["django_language"] = "es"
    assert '<html lang="es">' in text_of(client, "/status/")


def test_desk__narrowed_to_what_is_still_owed(client, charlie, alice):
    a_run(alice, "film.mp4", "video")
    a_run(alice, "photo.jpg")
    done = a_run(alice, "done.jpg", status="ready")
    done.jobs.update(status=JobStatus.SUCCEEDED)
    assert names(client, "?queue=videos") == ["film.mp4"]
    assert names(client, "?queue=images") == ["photo.jpg"]
    assert names(client, "?step=ladder") == ["film.mp4"]
    assert names(client, "?step=nonsense") == []


def test_desk__narrowed_to_the_days_it_was_received(client, charlie, alice):
    for name, day in (("old.jpg", 3), ("new.jpg", 4)):
        received = datetime(2019, 5, day, 23, 30, tzinfo=timezone.get_default_timezone())
        Original.objects.filter(pk=a_run(alice, name).original_id).update(created_at=received)
    assert names(client, "?since=2019-05-03&until=2019-05-03") == ["old.jpg"]
    assert names(client, "?since=2019-05-04") == ["new.jpg"]
    assert names(client, "?since=nonsense") == ["new.jpg", "old.jpg"]


def test_desk__view_is_saved_under_a_name_and_dropped(client, charlie):
    client.post("/status/views?status=failed&kind=video&cursor=9", {"name": "Broken films"})
    client.post("/status/views?status=failed", {"name": "Broken films"})  # the same name is the same view
    page = text_of(client, "/status/")
    assert '<a href="/status/?status=failed">Broken films</a>' in page
    client.post(f"/status/views/{charlie.saved_views.get().pk}/drop")
    assert "Broken films" not in text_of(client, "/status/")


def test_desk__view_is_its_owners_alone(client, charlie, alice):
    view = alice.saved_views.create(name="hers", query="kind=video")
    assert "hers" not in text_of(client, "/status/")
    assert client.post(f"/status/views/{view.pk}/drop").status_code == 404
    client.post("/status/views", {"name": " "})
    assert not charlie.saved_views.exists()
