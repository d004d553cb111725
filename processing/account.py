"""An account's own settings, its language, and the way out of our mails."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language_info, gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language

from processing import mailing

LANGUAGES = dict(settings.LANGUAGES)


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """What mails one gets, and in which language."""
    if request.method == "POST":
        language = request.POST.get("language", "")
        wanted = {"language": language} if language in LANGUAGES else {}
        mailing.change(request.user, **wanted, is_wanted=request.POST.get("mails") == "1")
        messages.success(request, gettext("Your settings are kept."))
        return redirect("account")
    in_themselves = [(code, get_language_info(code)["name_local"]) for code in LANGUAGES]
    return render(
        request, "processing/account.html", {"mailbox": mailing.mailbox_of(request.user), "languages": in_themselves}
    )


def choose_language(request: HttpRequest) -> HttpResponse:
    """The language of the pages from now on, and of the mails of who is signed in."""
    language = request.POST.get("language", "")
    if request.method == "POST" and request.user.is_authenticated and language in LANGUAGES:
        mailing.change(request.user, language=language)
    return set_language(request)


@csrf_exempt  # mail programs post here on their user's click (RFC 8058); the signature says for whom
@never_cache
def stop_mails(request: HttpRequest, token: str) -> HttpResponse:
    """The way out of our mails: a button, since mail filters open every link; a POST leaves."""
    user = mailing.who_leaves(token)
    if user is None:
        raise Http404
    if request.method == "POST":
        mailing.change(user, is_wanted=False)
    context = {"owner": user, "is_wanted": mailing.mailbox_of(user).is_wanted}
    return render(request, "processing/stop_mails.html", context)
