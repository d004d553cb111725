"""Every answer of the API that is not the one asked for: its form, its codes, and what raises it."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from processing.errors import MediaError
from uploads import idempotency, listing
from uploads.webhooks import addresses, endpoints

STATUSES = {"too_large": 413, "unsupported_type": 415, "quota_exceeded": 403}  # of MediaErrors; others: 400

Sentence = tuple[int, str, str]
# Raised, and answered by a status, a stable code and a sentence that need nothing but the fact.
PLAIN: Mapping[type[Exception], Sentence] = {
    AuthenticationError: (401, "unauthenticated", "Sign in, or send Authorization: Bearer TOKEN."),
    PermissionDenied: (403, "forbidden", "Your account may not do this; ask an administrator."),
    Http404: (404, "not_found", "There is nothing here with that id, or it is not yours."),
    MultiPartParserError: (400, "bad_request", "The request's body cannot be read."),
    SuspiciousOperation: (400, "bad_request", "The request's body cannot be read."),
    listing.BadCursor: (422, "invalid", "This cursor is not one we gave. Begin again without it."),
    idempotency.Reused: (422, "idempotency_key_reused", "This Idempotency-Key came with another request before."),
    idempotency.InFlight: (409, "request_in_flight", "The first request with this Idempotency-Key is still at work."),
    endpoints.TooMany: (409, "too_many_webhooks", "You have as many webhooks as one may have; delete one first."),
    endpoints.Off: (409, "webhook_off", "This webhook is off; switch it on first."),
}


def refuse(request: HttpRequest, status: int, code: str, message: str, details: Any = None) -> HttpResponse:
    from uploads.api import api

    body = {"error": {"code": code, "message": message, "details": details or {}}}
    return api.create_response(request, body, status=status)


def plain(status: int, code: str, message: str, request: HttpRequest, error: Exception) -> HttpResponse:
    return refuse(request, status, code, message)


def media(request: HttpRequest, error: MediaError) -> HttpResponse:
    return refuse(request, STATUSES.get(error.code, 400), error.code, str(error), error.details)


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return refuse(request, 422, "invalid", "The request is not as documented.", {"problems": error.errors})


def address(request: HttpRequest, error: addresses.Refused) -> HttpResponse:
    return refuse(request, 422, "address_refused", str(error), {"reason": error.reason})


def other(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Among them 429: what asks too often."""
    return refuse(request, error.status_code, HTTPStatus(error.status_code).name.lower(), str(error))


HANDLERS: Mapping[type[Exception], Callable[..., HttpResponse]] = {
    **{error: partial(plain, *sentence) for error, sentence in PLAIN.items()},
    MediaError: media,
    ValidationError: invalid,
    HttpError: other,
    addresses.Refused: address,
}


def register(api: NinjaAPI) -> None:
    """Have the API answer what is raised in the form that is documented."""
    for error, handler in HANDLERS.items():
        api.add_exception_handler(error, handler)
