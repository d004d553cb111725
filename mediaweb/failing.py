"""The answer to a request that failed on our side: 503 in an outage, 500 where the fault is ours."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.views.defaults import server_error

from processing.outages import AWAY, RETRY_SECONDS, is_outage


def answer(request: HttpRequest) -> HttpResponse:
    """In JSON where a program asked. It looks at no row: the database may be what is away."""
    away = is_outage(sys.exc_info()[1])
    response = told(request, away=away)
    if away:
        response.status_code = 503
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def told(request: HttpRequest, *, away: bool) -> HttpResponse:
    if not request.path.startswith("/api/"):
        return HttpResponseServerError(server_error(request).content)
    code, message = AWAY if away else ("internal", "Something went wrong on our side.")
    return JsonResponse({"error": {"code": code, "message": message, "details": {}}}, status=500)
