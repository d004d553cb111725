"""Straight to S3: the client sends parts to addresses that we sign, and we look at what has arrived.

Each address is good for one part of one upload and for exactly its number of bytes; what counts in the
end is what the store says it has, never what a client says it sent.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.timezone import now

from processing import storage
from processing.errors import MediaError
from uploads import keeping
from uploads.intake import incoming, receiving
from uploads.intake.receiving import KEPT_FOR, Receiver
from uploads.models import Upload
from uploads.sniffing import HEAD

SIGNED_FOR = 3600  # seconds: what a part of 8 MiB takes on the slowest line anybody waits for
# Bytes that are hashed while the client waits for its answer: half a second's worth. More are left to a worker.
AT_ONCE = 64 << 20


class Incomplete(Exception):
    """Parts are missing, or are not of the size that was signed."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers


@dataclass(frozen=True)
class Part:
    number: int
    bytes: int
    etag: str


def create(owner: Any, name: str, length: int, metadata: str = "") -> Upload:
    """A multipart upload that nobody but its owner can add to. Raises MediaError."""
    upload = receiving.create(owner, name, length, metadata, direct=True)
    made = incoming.client().create_multipart_upload(Bucket=incoming.bucket_name(), Key=upload.key)
    upload.store_id = made["UploadId"]
    upload.save(update_fields=["store_id"])
    return upload


def find(owner: Any, upload_id: UUID) -> Upload | None:
    found = Upload.objects.select_related("original").filter(pk=upload_id, owner=owner, direct=True)
    return found.filter(Q(expires_at__gt=now()) | Q(original__isnull=False)).first()


def sizes(upload: Upload) -> Mapping[int, int]:
    """{number: bytes} of the parts it must have."""
    length, size = upload.length or 0, incoming.part_size()
    count = math.ceil(length / size)
    return {number: min(size, length - (number - 1) * size) for number in range(1, count + 1)}


def sign(upload: Upload, number: int) -> str:
    """The address that takes this part, of exactly its size, for a while."""
    rows = Upload.objects.filter(pk=upload.pk)
    rows.update(expires_at=now() + KEPT_FOR)
    # To be shown: clients send one after the other. What counts is what the store has.
    before = (number - 1) * incoming.part_size()
    rows.filter(offset__lt=before, holder="").update(offset=before)
    return str(
        incoming.client().generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": incoming.bucket_name(),
                "Key": upload.key,
                "UploadId": upload.store_id,
                "PartNumber": number,
                "ContentLength": sizes(upload)[number],
            },
            ExpiresIn=SIGNED_FOR,
        )
    )


def parts(upload: Upload) -> list[Part]:
    """What the store has of it; or of what it was put together."""
    if upload.is_whole:
        return [Part(number, size, tag) for number, tag, size in upload.parts]
    pages = incoming.client().get_paginator("list_parts")
    found = pages.paginate(Bucket=incoming.bucket_name(), Key=upload.key, UploadId=upload.store_id)
    return [Part(item["PartNumber"], item["Size"], item["ETag"]) for page in found for item in page.get("Parts", [])]


def kept(upload: Upload) -> list[Part]:
    """The parts that nobody need send again: those there that are of the size they must have."""
    wanted = sizes(upload)
    return [part for part in parts(upload) if wanted.get(part.number) == part.bytes]


def complete(upload: Upload) -> bool:
    """Put the parts together; whether it is an original already, or a worker has its bytes to hash first.

    Raises Incomplete, MediaError, and Held where this is being done.
    """
    receiver = receiving.take(upload.pk)
    try:
        put_together(receiver)
        look_at(receiver)
        if (upload.length or 0) > AT_ONCE:
            return False
        receiver.finish()
    except MediaError:
        receiver.drop()
        raise
    finally:
        receiver.release()
    return True


def put_together(receiver: Receiver) -> None:
    upload = receiver.upload
    if not upload.is_whole:
        there = {part.number: part for part in parts(upload)}
        wanted = sizes(upload)
        wrong = [number for number, size in wanted.items() if number not in there or there[number].bytes != size]
        if wrong:
            raise Incomplete(wrong)
        upload.parts = [[number, there[number].etag, size] for number, size in wanted.items()]
        upload.offset = upload.length or 0
        receiver.digest = None  # none of it has come by here
        receiver.save()
    incoming.put_in_place(upload)


def look_at(receiver: Receiver) -> None:
    upload = receiver.upload
    wanted = {"Bucket": incoming.bucket_name(), "Key": upload.key, "Range": f"bytes=0-{HEAD - 1}"}
    upload.kind = keeping.kind_of_head(incoming.client().get_object(**wanted)["Body"].read())
    receiver.save()


def page_may_send(origin: str) -> bool | None:
    """Whether a page of this origin may send straight to the store; None where the store has not said.

    Then what is begun goes by tus, and what was begun straight can be gone on with.
    """
    if settings.S3_DIRECT is None:
        from processing import cors  # with S3's client, which files in a folder do not owe

        return cors.lets_in(origin)
    return settings.S3_DIRECT


def is_offered() -> bool:
    """Whether files lie in a store that clients can send to."""
    return not storage.is_local()
