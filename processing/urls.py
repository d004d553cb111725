"""The pages of editors and ops."""

from django.urls import path

from processing import views

app_name = "processing"
urlpatterns = [
    path("", views.desk, name="desk"),
    path("counts", views.counts, name="counts"),
    path("views", views.save_view, name="save_view"),
    path("views/<int:view_id>/drop", views.drop_view, name="drop_view"),
    path("queues", views.queue_cards, name="queues"),
    path("<uuid:original_id>", views.one_run, name="run"),
    path("<uuid:original_id>/row", views.row, name="row"),
    path("<uuid:original_id>/pipeline", views.pipeline, name="pipeline"),
    path("<uuid:original_id>/jobs/<int:job_id>", views.one_job, name="job"),
    path("<uuid:original_id>/retry", views.mend_one, {"action": "retry"}, name="retry"),
    path("<uuid:original_id>/cancel", views.mend_one, {"action": "cancel"}, name="cancel"),
]
