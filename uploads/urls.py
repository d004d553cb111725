"""The pages of people who upload."""

from django.urls import include, path

from uploads import bulk, playing, views
from uploads.sharing import views as sharing
from uploads.webhooks import views as webhooks

app_name = "uploads"
urlpatterns = [
    path("", views.home, name="home"),
    path("selected/delete", bulk.delete_mine, name="delete_mine"),
    path("status/selected/delete", bulk.delete_runs, name="delete_runs"),
    path("originals/<uuid:original_id>", views.detail, name="detail"),
    path("originals/<uuid:original_id>/card", views.card, name="card"),
    path("originals/<uuid:original_id>/stage", views.stage, name="stage"),
    path("originals/<uuid:original_id>/side", views.side, name="side"),
    path("originals/<uuid:original_id>/retry", views.retry, name="retry"),
    path("originals/<uuid:original_id>/cancel", views.cancel, name="cancel"),
    path("originals/<uuid:original_id>/reprocess", views.reprocess, name="reprocess"),
    path("originals/<uuid:original_id>/rename", views.rename, name="rename"),
    path("originals/<uuid:original_id>/delete", views.delete, name="delete"),
    path("originals/<uuid:original_id>/shares", sharing.make, name="share"),
    path("originals/<uuid:original_id>/shares/<uuid:share_id>/revoke", sharing.revoke, name="revoke"),
    path("download", sharing.download, name="download"),
    path("s/<str:token>", sharing.page, name="shared"),
    path("play/<uuid:original_id>/<str:token>/<str:preset>/<str:name>", playing.play, name="play"),
    path("account/webhooks", webhooks.page, name="webhooks"),
    path("account/webhooks/", include("uploads.webhooks.urls")),
]
