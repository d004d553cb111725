"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path

from mediaweb import health
from uploads.api import api

urlpatterns = [
    path("", include("uploads.urls")),
    path("status/", include("processing.urls")),
    path("api/", api.urls),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
