"""What answers look like, for the OpenAPI document: one example of each schema, which a test holds against it."""

from collections.abc import Mapping
from typing import Any

MOMENT = "2026-11-26T08:30:00.000Z"
LATER = "2026-11-26T08:30:04.000Z"
ORIGINAL_ID = "0198d7a6-3f0a-7c3e-9d52-8a1f6f2f9a10"
UPLOAD_ID = "0198d7a6-77aa-7d21-8f00-1c2d3e4f5a6b"
ENDPOINT_ID = "0198d7a7-1b2c-7a4d-8e5f-6a7b8c9d0e1f"

ORIGINAL: Mapping[str, Any] = {
    "id": ORIGINAL_ID,
    "name": "IMG_1.JPG",
    "kind": "image",
    "status": "ready",
    "bytes": 3145728,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "owner": "ana",
    "created_at": MOMENT,
    "taken_at": "2026-11-25T17:02:11.000Z",
    "ready_at": LATER,
    "progress": 1.0,
    "queue_position": None,
    "eta_seconds": None,
    "error": None,
    "facts": {"width": 4032, "height": 3024, "orientation": 6, "format": "jpeg", "frames": 1},
    "placeholder": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    "colour": "#7d8a95",
    "srcset": "https://media.example.org/media/renditions/…/webp-640.2-1.webp?until=…&sign=… 640w",
    "jobs": [
        {
            "id": 2,
            "step": "thumbnails",
            "part": 0,
            "queue": "images",
            "status": "succeeded",
            "attempt": 1,
            "progress": 1.0,
            "queued_at": MOMENT,
            "started_at": MOMENT,
            "finished_at": LATER,
            "seconds": 0.4,
            "worker": "images@worker-images-1",
            "error": None,
        }
    ],
    "renditions": [
        {
            "preset": "webp-640",
            "content_type": "image/webp",
            "width": 480,
            "height": 640,
            "bytes": 48213,
            "url": "https://media.example.org/media/renditions/…/webp-640.2-1.webp?until=…&sign=…",
            "files": [],
        }
    ],
}
MULTIPART: Mapping[str, Any] = {
    "id": UPLOAD_ID,
    "name": "Time lapse.mp4",
    "bytes": 9437184,
    "part_bytes": 8388608,
    "expires_at": "2026-11-27T08:30:00.000Z",
    "original_id": None,
}
WEBHOOK: Mapping[str, Any] = {
    "id": ENDPOINT_ID,
    "url": "https://example.org/hooks/media",
    "events": ["original.ready", "original.failed"],
    "on": True,
    "off_because": "",
    "failing_since": None,
    "created_at": MOMENT,
}
DELIVERY: Mapping[str, Any] = {
    "id": "0198d7a8-5c6d-7e8f-9a0b-1c2d3e4f5061",
    "event": "original.ready",
    "original_id": ORIGINAL_ID,
    "status": "delivered",
    "created_at": MOMENT,
    "tries": 1,
    "next_try_at": None,
    "tried_at": LATER,
    "delivered_at": LATER,
    "answer_status": 204,
    "answer": "",
    "seconds": 0.12,
    "problem": "",
}
# {schema: an example}
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "OriginalOut": ORIGINAL,
    "OriginalPage": {"items": [ORIGINAL], "next_cursor": None},
    "MultipartOut": MULTIPART,
    "PartsOut": {**MULTIPART, "parts": [{"number": 1, "bytes": 8388608, "etag": '"d41d8cd98f00b204e9800998ecf8427e"'}]},
    "SignedOut": {"url": "https://bucket.example.org/incoming/…?partNumber=2&X-Amz-Signature=…", "bytes": 1048576},
    "WebhookOut": WEBHOOK,
    "WebhookMade": {**WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="},
    "DeliveryOut": DELIVERY,
    "DeliveryPage": {"items": [DELIVERY], "next_cursor": None},
    "ShareOut": {
        "id": "0198d7a9-0a1b-7c2d-8e3f-4a5b6c7d8e9f",
        "url": "https://media.example.org/s/Xn2vQb0mVJ0eIuXlqB8n5oJc1bBqk3aT",
        "has_password": False,
        "downloads": True,
        "created_at": MOMENT,
        "expires_at": None,
    },
    "Queue": {
        "name": "videos",
        "depth": 8,
        "queued": 310,
        "running": 2,
        "oldest_wait_seconds": 95.0,
        "backlog_seconds": 5400.0,
        "workers": 2,
    },
}
