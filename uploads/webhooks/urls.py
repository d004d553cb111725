"""Below `/account/webhooks/`: what the buttons of its page do."""

from django.urls import path

from uploads.webhooks import views

urlpatterns = [
    path("<uuid:webhook_id>/log", views.lines, name="webhook_log"),
    path("<uuid:webhook_id>/switch", views.switch, name="webhook_switch"),
    path("<uuid:webhook_id>/secret", views.new_secret, name="webhook_secret"),
    path("<uuid:webhook_id>/test", views.test, name="webhook_test"),
    path("<uuid:webhook_id>/replay/<uuid:delivery_id>", views.replay, name="webhook_replay"),
    path("<uuid:webhook_id>/delete", views.remove, name="webhook_delete"),
]
