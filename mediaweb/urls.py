"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path

from mediaweb import health
from processing import account
from uploads.api import api

handler500 = "mediaweb.failing.answer"

urlpatterns = [
    path("", include("uploads.urls")),
    path("status/", include("processing.urls")),
    path("api/", api.urls),
    path("accounts/", include("allauth.urls")),
    path("account/", account.account, name="account"),
    path("i18n/setlang/", account.choose_language, name="set_language"),
    path("mails/stop/<str:token>", account.stop_mails, name="stop_mails"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
