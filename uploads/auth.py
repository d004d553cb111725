"""Who is asking: a signed-in page (with CSRF), or a program with its token."""

from io import BytesIO
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from ninja.security import HttpBearer, SessionAuth

from uploads.models import ApiToken


class Token(HttpBearer):
    """`Authorization: Bearer TOKEN`, as `manage.py api_token` prints it."""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        user = ApiToken.bearer(token)
        if user:
            request.user = user
        return user


CALLERS = [Token(), SessionAuth()]


class Forged(Exception):
    """Another site's page made this browser ask."""


def request_of(scope: Any) -> HttpRequest:
    """Django's view of a request that Django does not answer; its body stays where it is."""
    request = ASGIRequest(scope, BytesIO())
    SessionMiddleware(unanswered).process_request(request)
    AuthenticationMiddleware(unanswered).process_request(request)
    return request


def caller(request: HttpRequest) -> Any:
    """The user who asks, or None. Raises Forged, as Django's own pages would."""
    if "Authorization" in request.headers:
        return Token()(request)
    if not request.user.is_authenticated:
        return None
    guard = CsrfViewMiddleware(unanswered)
    guard.process_request(request)
    if guard.process_view(request, unanswered, (), {}):
        raise Forged
    return request.user


def unanswered(request: HttpRequest) -> HttpResponse:
    """Stands for the view where there is none."""
    return HttpResponse()
