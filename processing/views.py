"""The pages of editors and ops: the desk, one run, the queues."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from processing import history, listing, pipelines, queues, runner
from processing.errors import SENTENCES
from processing.listing import Filters
from processing.models import Job, Run, RunStatus, SavedView
from processing.standing import UNFINISHED
from processing.timeline import Timeline

View = Callable[..., HttpResponse]

LONGEST_VIEW = 1000  # characters of a saved query
BULK = 1000  # runs that one click mends: a few seconds of small transactions
# What can be done to a run, and to which it makes a difference.
MENDS = {
    "retry": (runner.retry, listing.RETRYABLE),
    "cancel": (runner.cancel, Q(status__in=UNFINISHED)),
    "reprocess": (runner.make_again, Q(status=RunStatus.READY)),
    "front": (runner.to_front, Q(status__in=UNFINISHED)),
}


def needs(permission: str) -> Callable[[View], View]:
    """Strangers sign in first; members without the permission are told so by a 403."""

    def guarded(view: View) -> View:
        return login_required(permission_required(f"processing.{permission}", raise_exception=True)(view))

    return guarded


@vary_on_headers("HX-Request")
@needs("see_all_runs")
def desk(request: HttpRequest) -> HttpResponse:
    """Every run, newest first, narrowed by the query; a POST mends the selected ones."""
    filters = Filters.of(request.GET)
    if request.method == "POST":
        return mend_selected(request, filters)
    context = {
        "filters": filters,
        "counts": listing.counts(filters),
        "page": listing.page(filters.apply(listing.runs()), request.GET.get("cursor", "")),
        "errors": list(SENTENCES),
        "steps": list(dict.fromkeys(step.name for steps in pipelines.PIPELINES.values() for step in steps)),
        "queues": list(pipelines.QUEUES),
        "views": request.user.saved_views.order_by("name"),  # type: ignore[union-attr]
    }
    return render(request, "processing/parts/rows.html" if is_part(request) else "processing/desk.html", context)


@needs("mend_runs")
def mend_selected(request: HttpRequest, filters: Filters) -> HttpResponse:
    """Retry, cancel or re-render the ticked runs, or all that match."""
    action = request.POST.get("action")
    if action in MENDS:
        done = mend(action, selected(request, filters))
        messages.success(request, ngettext("%(count)s run changed.", "%(count)s runs changed.", done) % {"count": done})
    return redirect(f"{reverse('processing:desk')}?{request.GET.urlencode()}")


def mend(action: str, runs: QuerySet[Run]) -> int:
    """Do it to those of these runs where it makes a difference, BULK at most, the newest first; how many.

    So that of those that are moved to the front the oldest comes to stand first.
    """
    change, which = MENDS[action]
    chosen = list(runs.filter(which).order_by("-pk").values_list("pk", flat=True)[:BULK])
    for run_id in chosen:
        change(run_id)
    return len(chosen)


def selected(request: HttpRequest, filters: Filters) -> QuerySet[Run]:
    if request.POST.get("scope") == "all":
        return filters.apply(Run.objects.all())
    return Run.objects.filter(original__in=identifiers(request.POST.getlist("run")))


def identifiers(texts: Iterable[str]) -> list[UUID]:
    """The ids among these texts; what is none is passed over."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


@require_POST
@needs("see_all_runs")
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep what the desk is narrowed to, under a name; the same name again is the same view."""
    query = urlencode(Filters.of(request.GET).narrowed())
    name = request.POST.get("name", "").strip()[:60]
    if name and len(query) <= LONGEST_VIEW:
        SavedView.objects.update_or_create(owner_id=request.user.pk, name=name, defaults={"query": query})
    return redirect(f"{reverse('processing:desk')}?{query}")


@require_POST
@needs("see_all_runs")
def drop_view(request: HttpRequest, view_id: int) -> HttpResponse:
    get_object_or_404(SavedView, owner=request.user.pk, pk=view_id).delete()
    return redirect(f"{reverse('processing:desk')}?{request.GET.urlencode()}")


@needs("see_all_runs")
def counts(request: HttpRequest) -> HttpResponse:
    """The desk's tabs."""
    filters = Filters.of(request.GET)
    return render(request, "processing/parts/tabs.html", {"filters": filters, "counts": listing.counts(filters)})


@needs("see_all_runs")
def row(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """One row of the desk."""
    return render(request, "processing/parts/row.html", {"row": listing.Row.of(found(original_id))})


@needs("see_all_runs")
def one_run(request: HttpRequest, original_id: UUID) -> HttpResponse:
    return render(request, "processing/run.html", pipeline_of(found(original_id)))


@needs("see_all_runs")
def pipeline(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """The part of a run's page that moves."""
    return render(request, "processing/parts/pipeline.html", pipeline_of(found(original_id)))


@vary_on_headers("HX-Request")
@needs("see_all_runs")
def one_job(request: HttpRequest, original_id: UUID, job_id: int) -> HttpResponse:
    """What is known of one job's last attempt: what its programs were told, said and took."""
    job = get_object_or_404(Job.objects.select_related("run__original"), run__original=original_id, pk=job_id)
    context = {"job": job, "run": job.run, "original": job.run.original, "traces": job.traces or {}}
    return render(request, "processing/parts/job.html" if is_part(request) else "processing/job.html", context)


def pipeline_of(run: Run) -> dict[str, Any]:
    return {"run": run, "row": listing.Row.of(run), "timeline": Timeline.of(list(run.jobs.all()))}


@require_POST
@needs("mend_runs")
def mend_one(request: HttpRequest, original_id: UUID, action: str) -> HttpResponse:
    mend(action, Run.objects.filter(pk=found(original_id).pk))
    return redirect("processing:run", original_id)


@needs("see_queues")
def queue_cards(request: HttpRequest) -> HttpResponse:
    """How full the queues are; the cards alone where htmx asks for them."""
    template = "processing/parts/queues.html" if is_part(request) else "processing/queues.html"
    hours = history.last_hour()
    cards = [{"queue": queue, "hour": hours[queue.name]} for queue in queues.overview()]
    return render(request, template, {"cards": cards})


def is_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the part that moves, and not for the page around it."""
    return "HX-Request" in request.headers


def found(original_id: UUID) -> Run:
    return get_object_or_404(listing.runs(), original=original_id)
