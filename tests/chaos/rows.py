"""What the database of a run says, as a line of JSON: `python -m tests.chaos.rows`, in the run's environment."""

import json
import sys
from typing import Any

import django


def job_of(job: Any) -> dict[str, Any]:
    """`at_work` is from when to when its last attempt was made, in seconds since 1970; empty where it has not ended."""
    times = [moment.timestamp() for moment in (job.started_at, job.finished_at) if moment]
    fields = ("id", "step", "part", "status", "attempt", "errors", "crashes", "outages")
    return {**{name: getattr(job, name) for name in fields}, "at_work": times if len(times) == 2 else []}


def run_of(original: Any) -> dict[str, Any]:
    from processing import owed, pipelines

    run = original.run
    return {
        "id": str(original.pk),
        "name": original.name,
        "owner": original.owner.get_username(),
        "status": run.status,
        "error": run.error_code,
        "why": run.error_message,
        "complete": owed.is_all_there(run) and run.pipeline_version == pipelines.version(run.kind),
        "jobs": [job_of(job) for job in run.jobs.order_by("pk")],
        "failures": [job.error_message for job in run.jobs.filter(status="failed")],
        "notices": list(run.notices.values_list("outcome", flat=True)),
        "untold": run.notices.filter(sent_at=None).count(),
    }


def deliveries() -> list[dict[str, Any]]:
    """Every message that an owner's webhook was owed."""
    from uploads.models import Delivery

    found = Delivery.objects.select_related("endpoint__owner").order_by("created_at", "pk")
    return [
        {
            "id": str(item.pk),
            "owner": item.endpoint.owner.get_username(),
            "original": str(item.original_id),
            "event": item.event,
            "body": item.body,
            "status": item.status,
        }
        for item in found
    ]


def files() -> list[dict[str, Any]]:
    """Every file that a row speaks of."""
    from processing import parts
    from processing.models import Job, Rendition
    from uploads.models import Original

    fields = ("key", "bytes", "sha256")
    originals = [{**item, "type": ""} for item in Original.objects.values(*fields)]
    made = [{**item, "type": item["content_type"]} for item in Rendition.objects.values(*fields, "content_type")]
    pieces = [{**piece, "type": "piece"} for job in Job.objects.all() for piece in parts.kept(job)]
    return [*originals, *made, *pieces]


def main() -> None:
    from processing.models import Job, Rendition
    from uploads.models import Original, Upload

    originals = Original.objects.select_related("run", "owner").order_by("created_at")
    renditions = Rendition.objects.values_list("original", "preset", "name", "version")
    said = {
        "originals": [run_of(original) for original in originals],
        "files": files(),
        "renditions": [[str(original), *others] for original, *others in renditions],
        "deliveries": deliveries(),
        "running": Job.objects.filter(status="running").count(),
        "uploads": [str(pk) for pk in Upload.objects.filter(original=None).values_list("pk", flat=True)],
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    django.setup()
    main()
