"""Who is asking: a signed-in page (with CSRF), or a program with its token."""

from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from uploads.models import ApiToken


class Token(HttpBearer):
    """`Authorization: Bearer TOKEN`, as `manage.py api_token` prints it."""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        found = ApiToken.bearer(token)
        if found:
            request.user = found.user
        return found and found.user


CALLERS = [Token(), SessionAuth()]
