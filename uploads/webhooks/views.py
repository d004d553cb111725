"""The page of webhooks: one's endpoints, each with its log."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from uploads.models import Delivery, Endpoint
from uploads.webhooks import endpoints
from uploads.webhooks.addresses import Refused
from uploads.webhooks.api import found

SHOWN = 20  # lines of a log; the API has the others
JUST_MADE = "webhook_secret"  # in a session, from a secret's making to its being shown


@login_required
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """All of one's endpoints; a new one where a form brings its address."""
    return add(request) if request.method == "POST" else shown(request)


def add(request: HttpRequest) -> HttpResponse:
    url, events = request.POST.get("url", ""), request.POST.getlist("event")
    try:
        endpoint = endpoints.add(request.user, url, events or endpoints.EVENTS)
    except Refused as error:
        return shown(request, status=422, url=url, problem=gettext(str(error)))
    except endpoints.TooMany:
        problem = gettext("You have as many webhooks as one may have. Delete one first.")
        return shown(request, status=409, url=url, problem=problem)
    return telling(request, endpoint, endpoint.secret)


def telling(request: HttpRequest, endpoint: Endpoint, secret: str) -> HttpResponse:
    """To the page, which shows the secret this once."""
    request.session[JUST_MADE] = [str(endpoint.pk), secret]
    return redirect("uploads:webhooks")


def shown(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    mine = Endpoint.objects.filter(owner=request.user.pk)
    secret_of, secret = request.session.pop(JUST_MADE, ("", ""))
    context = {
        "endpoints": [(endpoint, log(endpoint), secret if secret_of == str(endpoint.pk) else "") for endpoint in mine],
        "events": endpoints.EVENTS,
        **more,
    }
    return render(request, "uploads/webhooks.html", context, status=status)


def log(endpoint: Endpoint) -> QuerySet[Delivery]:
    return endpoint.deliveries.select_related("original").order_by("-created_at", "-id")[:SHOWN]


@require_GET
@login_required
@never_cache
def lines(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """An endpoint's state and log, for a page that waits for a message's arrival."""
    endpoint = found(request, webhook_id)
    return render(request, "uploads/parts/deliveries.html", {"endpoint": endpoint, "log": log(endpoint)})


@require_POST
@login_required
def switch(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    endpoints.change(found(request, webhook_id), None, None, request.POST.get("on") == "1")
    return redirect("uploads:webhooks")


@require_POST
@login_required
def new_secret(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    endpoint = found(request, webhook_id)
    return telling(request, endpoint, endpoints.new_secret(endpoint))


@require_POST
@login_required
def test(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    endpoints.test(found(request, webhook_id))
    return redirect("uploads:webhooks")


@require_POST
@login_required
def replay(request: HttpRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    log = Delivery.objects.select_related("endpoint").filter(endpoint=found(request, webhook_id))
    delivery = log.filter(pk=delivery_id).first()
    if delivery is None:
        raise Http404
    endpoints.send_again(delivery)
    return redirect("uploads:webhooks")


@require_POST
@login_required
def remove(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    endpoint = found(request, webhook_id)
    endpoints.remove(endpoint)
    messages.success(request, gettext("%(name)s is deleted.") % {"name": endpoint.url})
    return redirect("uploads:webhooks")
