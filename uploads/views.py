"""The pages of people who upload: home with its gallery, and one original."""

from itertools import groupby
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from processing import runner
from processing.errors import CLOSER, SENTENCES, MediaError
from processing.models import RunStatus
from processing.standing import Lines
from processing.templatetags.showing import sentence_of
from uploads import keeping, listing
from uploads.intake import direct, incoming, receiving
from uploads.listing import Filters
from uploads.models import Original
from uploads.reach import mendable, visible
from uploads.representation import originals
from uploads.sniffing import SIGNATURES

IN_PROGRESS = 200  # rows shown at once; the rest follow as these finish


def home(request: HttpRequest) -> HttpResponse:
    """The welcome of strangers; a member's upload zone and gallery."""
    if not request.user.is_authenticated:
        return render(request, "uploads/welcome.html")
    if request.method == "POST":
        return keep_sent(request)
    return gallery(request)


def keep_sent(request: HttpRequest) -> HttpResponse:
    """Keep the files of a plain form: what a browser without JavaScript sends."""
    for file in request.FILES.getlist("file"):
        keep_one(request, file)
    return redirect("uploads:home")


def keep_one(request: HttpRequest, file: Any) -> None:
    try:
        original = keeping.keep(request.user, file.name or "", file)
    except MediaError as error:
        why = sentence_of(error.code, error.details)
        messages.error(request, gettext("%(name)s was not kept. %(why)s") % {"name": file.name, "why": why})
    else:
        messages.success(request, outcome(original, file.name) % {"name": file.name, "other": original.name})


def outcome(original: Original, name: str) -> str:
    if original.was_there:
        return gettext("%(name)s was here already, as %(other)s.")
    return gettext("%(other)s is kept, and its processing begins.")


@vary_on_headers("HX-Request")
def gallery(request: HttpRequest) -> HttpResponse:
    """Newest first by when they were taken; a later page alone where htmx asks for it."""
    filters = Filters.of(request.GET)
    rows = filters.apply(originals().filter(owner=request.user.pk))
    try:
        page = listing.page(rows, request.GET.get("cursor", ""), by="taken_at")
    except listing.BadCursor:
        return redirect("uploads:home")
    context = {
        "days": by_day(page.items),
        "next_cursor": page.next_cursor,
        "filters": filters,
        "statuses": RunStatus.values,
        "lines": Lines.read(original.run for original in page.items),
    }
    if "HX-Request" in request.headers:
        return render(request, "uploads/parts/days.html", context)
    return render(request, "uploads/home.html", {**context, **what_can_be_sent(request)})


def what_can_be_sent(request: HttpRequest) -> dict[str, Any]:
    """All the page needs to refuse a file before a byte of it is sent, and to go on with one that broke off."""
    may_go_straight = direct.page_may_send(origin_of(request))
    return {
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "may_go_straight": may_go_straight,
        "part_bytes": incoming.part_size(),
        "quota_bytes": settings.QUOTA_BYTES,
        "free_bytes": max(0, keeping.room_for(request.user)),
        "sentences": sentences(),
        "signatures": [[(at, mark.hex()) for at, mark in signature.marks] for signature in SIGNATURES],
        "unfinished": receiving.unfinished(request.user, may_go_straight=may_go_straight is not False)[:IN_PROGRESS],
    }


def origin_of(request: HttpRequest) -> str:
    """The page's, as its browser names it. Not every proxy tells us that it speaks TLS; our own address does."""
    own, host = urlsplit(settings.OWN_URL), request.get_host()
    return f"{own.scheme if host == own.netloc else request.scheme}://{host}"


def sentences() -> dict[str, str]:
    """The sentence of each error code, and of "code format" where there is a closer one."""
    closer = {" ".join(key): text for key, text in CLOSER.items()}
    return {key: gettext(text) for key, text in {**SENTENCES, **closer}.items()}


def by_day(items: Any) -> list[tuple[Any, list[Original]]]:
    """[(day, originals)] in the order given, by the reader's calendar."""
    return [(day, list(group)) for day, group in groupby(items, lambda item: timezone.localdate(item.taken_at))]


@login_required
def detail(request: HttpRequest, original_id: UUID) -> HttpResponse:
    original = visible(request, original_id)
    return render(request, "uploads/detail.html", {**with_lines(original), **neighbours(original)})


def with_lines(original: Original) -> dict[str, Any]:
    """The original, and the lines it may stand in."""
    return {"original": original, "lines": Lines.read([original.run])}


def neighbours(original: Original) -> dict[str, Original | None]:
    """The owner's next newer and next older original."""
    rows = Original.objects.filter(owner=original.owner_id)
    same = Q(taken_at=original.taken_at)
    newer = rows.filter(Q(taken_at__gt=original.taken_at) | same & Q(pk__gt=original.pk))
    return {
        "newer": newer.order_by("taken_at", "pk").first(),
        "older": next(iter(listing.page(rows, listing.encode(original, "taken_at"), 1, "taken_at").items), None),
    }


@login_required
def card(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """The original as the gallery shows it."""
    return render(request, "uploads/parts/card.html", with_lines(visible(request, original_id)))


@login_required
def stage(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """The medium of the detail page."""
    return render(request, "uploads/parts/stage.html", {"original": visible(request, original_id)})


@login_required
def side(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """The side sheet of the detail page."""
    return render(request, "uploads/parts/side.html", with_lines(visible(request, original_id)))


@require_POST
@login_required
def retry(request: HttpRequest, original_id: UUID) -> HttpResponse:
    runner.retry(mendable(request, original_id).run.pk)
    return redirect("uploads:detail", original_id)


@require_POST
@login_required
def cancel(request: HttpRequest, original_id: UUID) -> HttpResponse:
    runner.cancel(mendable(request, original_id).run.pk)
    return redirect("uploads:detail", original_id)


@require_POST
@login_required
def reprocess(request: HttpRequest, original_id: UUID) -> HttpResponse:
    runner.make_again(mendable(request, original_id).run.pk)
    return redirect("uploads:detail", original_id)


@require_POST
@login_required
def rename(request: HttpRequest, original_id: UUID) -> HttpResponse:
    keeping.rename(mendable(request, original_id), request.POST.get("name", ""))
    return redirect("uploads:detail", original_id)


@require_POST
@login_required
def delete(request: HttpRequest, original_id: UUID) -> HttpResponse:
    original = mendable(request, original_id)
    keeping.forget(original)
    messages.success(request, gettext("%(name)s is deleted.") % {"name": original.name})
    return redirect("uploads:home")
