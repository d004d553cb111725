"""What is done to many originals at once: to those that were ticked, or to all that match."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from processing import listing as desk
from processing.models import Run
from processing.views import identifiers, needs
from uploads import keeping
from uploads.listing import Filters
from uploads.models import Original

# Originals that one click deletes: with ten files each on a local disk they take some ten seconds.
BULK = 1000


@require_POST
@login_required
def delete_mine(request: HttpRequest) -> HttpResponse:
    """Delete the ticked originals of the gallery, or all that its filters match."""
    mine = Original.objects.filter(owner=request.user.pk)
    if is_of_all(request):
        rows = Filters.of(request.GET).apply(mine)
    else:
        rows = mine.filter(pk__in=identifiers(request.POST.getlist("ids")))
    return delete(request, rows, reverse("uploads:home"))


@require_POST
@needs("mend_runs")
def delete_runs(request: HttpRequest) -> HttpResponse:
    """Delete the originals of the desk's ticked runs, or of all that its filters match."""
    if is_of_all(request):
        rows = Original.objects.filter(run__in=desk.Filters.of(request.GET).apply(Run.objects.all()))
    else:
        rows = Original.objects.filter(pk__in=identifiers(request.POST.getlist("run")))
    return delete(request, rows, reverse("processing:desk"))


def is_of_all(request: HttpRequest) -> bool:
    return request.POST.get("scope") == "all"


def delete(request: HttpRequest, rows: QuerySet[Original], back: str) -> HttpResponse:
    """Ask first; delete what was there to be seen when it was asked, BULK at most, and go `back`."""
    asked_at = parse_datetime(request.POST.get("sure", ""))
    back = f"{back}?{request.GET.urlencode()}" if request.GET else back
    if asked_at is None:
        return ask(request, rows, back)
    chosen = rows.filter(created_at__lte=asked_at).select_related("run").order_by("-created_at")[:BULK]
    for original in chosen:
        with suppress(Run.DoesNotExist):  # somebody else was quicker
            keeping.forget(original)
    count = len(chosen)
    said = ngettext("%(count)s original is deleted.", "%(count)s originals are deleted.", count)
    messages.success(request, said % {"count": count})
    return redirect(back)


def ask(request: HttpRequest, rows: QuerySet[Original], back: str) -> HttpResponse:
    """How many they are and what becomes of them; the dialog alone where a script asks for it."""
    found: dict[str, Any] = rows.aggregate(count=Count("pk"), bytes=Sum("bytes"))
    fields = [(name, value) for name in ("ids", "run", "scope") for value in request.POST.getlist(name)]
    context = {
        **found,
        "most": BULK if found["count"] > BULK else None,
        "going": min(found["count"], BULK),
        "action": f"{request.path}?{urlencode(list(request.GET.items()))}",
        "fields": fields,
        "asked_at": timezone.now().isoformat(),
        "back": back,
    }
    alone = "HX-Request" in request.headers
    return render(request, "uploads/parts/sure.html" if alone else "uploads/sure.html", context)
