"""Links to originals: made, opened by who has them and knows their password, revoked."""

import re
from datetime import datetime
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.signals import user_login_failed
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from uploads.models import Original, Share

TOKEN = re.compile(r"[\w-]{32}", re.ASCII)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
OPEN_FOR = 12 * 3600  # seconds a password is remembered: as long as a film may take to watch
COOKIE = "share"


class TooMany(Exception):
    """So many passwords were tried from there that no more are looked at for a while."""


def make(
    original: Original, *, password: str = "", expires_at: datetime | None = None, downloads: bool = True
) -> Share:
    hashed = make_password(password) if password else ""
    return original.shares.create(password=hashed, expires_at=expires_at, downloads=downloads)


def live(original: Original) -> QuerySet[Share]:
    """The original's links that open it, newest first."""
    return original.shares.live().order_by("-created_at")


def find(token: str) -> Share | None:
    """The link with this token, if it still opens."""
    if not TOKEN.fullmatch(token):
        return None
    return Share.objects.live().select_related("original").filter(token=token).first()


def revoke(original: Original, share_id: Any) -> bool:
    """Close a link at once; whether it was open."""
    return bool(live(original).filter(pk=share_id).update(revoked_at=now()))


def is_open(request: HttpRequest, share: Share) -> bool:
    """Whether this browser may see what the link leads to."""
    if share.is_public:
        return True
    known = request.get_signed_cookie(COOKIE, "", salt=salt(share), max_age=OPEN_FOR)
    return known == str(share.pk)


def unlock(request: HttpRequest, share: Share, password: str) -> bool:
    """Whether this is the link's password. Guesses are counted as those at logins are. Raises TooMany."""
    guess = {"username": f"link {share.pk}"}
    if not AxesProxyHandler.is_allowed(request, guess):
        raise TooMany
    if check_password(password, share.password):
        return True
    user_login_failed.send(sender=__name__, credentials=guess, request=request)
    request.axes_locked_out = False  # type: ignore[attr-defined]  # axes would answer in our place
    return False


def remember(request: HttpRequest, response: HttpResponse, share: Share) -> None:
    """Let this browser in without the password, to this link alone."""
    response.set_signed_cookie(
        COOKIE,
        str(share.pk),
        salt=salt(share),
        max_age=OPEN_FOR,
        path=f"/s/{share.token}",
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def salt(share: Share) -> str:
    return f"{COOKIE} {share.pk} {share.password}"
