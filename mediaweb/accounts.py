"""What happens around signing in that is ours."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.utils.translation import get_language

from processing import mailing


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # it has no types
    """Who signs in or up for the first time gets our mails in the language they did it in."""

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        mailing.met(user, get_language() or "")
