"""What the database of a run says, as a line of JSON: `python -m tests.chaos.rows`, in the run's environment."""

import json
import sys
from typing import Any

import django


def run_of(original: Any) -> dict[str, Any]:
    from processing import owed, pipelines

    run = original.run
    jobs = run.jobs.order_by("pk").values("id", "step", "part", "status", "attempt", "errors", "crashes", "outages")
    return {
        "id": str(original.pk),
        "name": original.name,
        "owner": original.owner.get_username(),
        "status": run.status,
        "error": run.error_code,
        "why": run.error_message,
        "complete": owed.is_all_there(run) and run.pipeline_version == pipelines.version(run.kind),
        "jobs": [{**job, "worker": ""} for job in jobs],
        "failures": [job.error_message for job in run.jobs.filter(status="failed")],
        "notices": list(run.notices.values_list("outcome", flat=True)),
        "untold": run.notices.filter(sent_at=None).count(),
    }


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
        "running": Job.objects.filter(status="running").count(),
        "uploads": [str(pk) for pk in Upload.objects.filter(original=None).values_list("pk", flat=True)],
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    django.setup()
    main()
