"""The page a link leads to, what an original's own page does with its links, and the zip of a selection."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from uploads.models import Share
from uploads.reach import mendable
from uploads.representation import originals
from uploads.sharing import shares, zips

LASTING = [(1, _("A day")), (7, _("A week")), (30, _("A month")), (0, _("Until it is revoked"))]


class ShareForm(forms.Form):
    """What is wanted of a new link."""

    days = forms.TypedChoiceField(choices=LASTING, coerce=int)
    password = forms.CharField(
        required=False, strip=False, min_length=shares.SHORTEST_PASSWORD, max_length=shares.LONGEST_PASSWORD
    )
    downloads = forms.BooleanField(required=False)

    @property
    def wanted(self) -> dict[str, Any]:
        """As `shares.make` takes it."""
        days, password, downloads = (self.cleaned_data[name] for name in ("days", "password", "downloads"))
        expires_at = now() + timedelta(days=days) if days else None
        return {"expires_at": expires_at, "password": password, "downloads": downloads}


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """What the link shows, its password's form, or that it does not work any longer. Nobody signs in for it."""
    share = shares.find(token)
    if share is None:
        return hidden(render(request, "uploads/sharing/gone.html", status=404))
    if request.method == "POST":
        return unlock(request, share)
    if not shares.is_open(request, share):
        return hidden(render(request, "uploads/sharing/locked.html"))
    original = originals().get(pk=share.original_id)
    original.share = share
    return hidden(render(request, "uploads/sharing/page.html", {"original": original, "share": share}))


def unlock(request: HttpRequest, share: Share) -> HttpResponse:
    try:
        if share.is_public or shares.unlock(request, share, request.POST.get("password", "")):
            response = redirect("uploads:shared", share.token)
            shares.remember(request, response, share)
            return hidden(response)
    except shares.TooMany:
        why, status = gettext("Too many passwords were tried from here. Try again in a quarter of an hour."), 429
    else:
        why, status = gettext("This is not its password."), 403
    return hidden(render(request, "uploads/sharing/locked.html", {"why": why}, status=status))


def hidden(response: HttpResponse) -> HttpResponse:
    """The response, kept out of searches and of shared caches; no other site is told the address."""
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-cache"
    return response


@sensitive_post_parameters("password")
@require_POST
@login_required
def make(request: HttpRequest, original_id: UUID) -> HttpResponse:
    original = mendable(request, original_id)
    form = ShareForm(request.POST)
    if form.is_valid():
        shares.make(original, **form.wanted)
    else:
        messages.error(request, " ".join(str(text) for found in form.errors.values() for text in found))
    return shown(request, original_id)


@require_POST
@login_required
def revoke(request: HttpRequest, original_id: UUID, share_id: UUID) -> HttpResponse:
    shares.revoke(mendable(request, original_id), share_id)
    return shown(request, original_id)


def shown(request: HttpRequest, original_id: UUID) -> HttpResponse:
    """The original's links as they are now: alone where htmx asks, else on its page."""
    if "HX-Request" not in request.headers:
        return redirect(f"/originals/{original_id}#links")
    return render(request, "uploads/sharing/links.html", {"original": mendable(request, original_id)})


@require_POST
@login_required
def download(request: HttpRequest) -> HttpResponseBase:
    """What is selected, as a zip."""
    ids = request.POST.getlist("ids")
    if len(ids) > zips.MOST:
        messages.error(request, gettext("Download at most %(most)s at once.") % {"most": zips.MOST})
        return redirect("uploads:home")
    try:
        return zips.answer(request, [UUID(original_id) for original_id in ids])
    except ValueError as error:
        raise Http404 from error
