"""Receiving an upload, over as many requests, processes and days as it takes, until it is an original.

The row is the truth: who receives takes it by a lease, adds to the bytes, writes down how many are
kept, and lets go. Bytes and their end are idempotent, so whoever dies leaves something that the next
request, or the sweep, goes on with.
"""

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils.timezone import now

from processing import storage, turns
from processing.clocks import is_over
from processing.errors import Empty, MediaError
from uploads import keeping
from uploads.intake import incoming
from uploads.intake.digest import Hashing, Sha256, is_resumable
from uploads.intake.incoming import STRETCH, Keeper, Lost
from uploads.intake.line import Line
from uploads.intake.tus import Checksum
from uploads.models import Original, Upload
from uploads.sniffing import HEAD

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=5)  # how long an upload is locked when who receives it is killed, or its line goes dead
RENEW_AFTER = 2.0  # seconds of silence: who was silent for longer may hold nothing any more
SAVE_EVERY = 1.0  # seconds: what a kill can cost of a fast upload, and a write to the database for each
BATCH = 1000  # rows that a sweep has in hand at once
KEPT_FOR = timedelta(days=1)  # since the last byte; a closed lid, a night, a train


class Held(Exception):
    """Somebody else is receiving this upload."""


class TooMany(Exception):
    """More bytes have come than were announced."""


class Mismatch(Exception):
    """The bytes of this request are not those that its checksum speaks of, and are dropped."""


def create(owner: Any, name: str, length: int | None, metadata: str = "", **more: Any) -> Upload:
    """A place for a file that will come. Raises MediaError where there is no room for it."""
    if length == 0:
        raise Empty
    keeping.check_size(length or 0)
    upload = Upload(
        owner=owner,
        name=keeping.shown_name(name),
        length=length,
        metadata=metadata,
        key=keeping.new_key(),
        expires_at=now() + KEPT_FOR,
        **more,
    )
    with keeping.alone(owner.pk):
        keeping.check_room(length or 0, keeping.room_for(owner))
        upload.save(force_insert=True)
    return upload


def find(owner: Any, upload_id: UUID) -> Upload | None:
    """The upload, if it is this owner's and not given up; ended, where it is whole and nobody is at it."""
    found = Upload.objects.select_related("original").filter(pk=upload_id, owner=owner, direct=False)
    upload = found.filter(Q(expires_at__gt=now()) | Q(original__isnull=False)).first()
    if upload and upload.is_whole and not upload.original_id and finish_left(upload.pk):
        return find(owner, upload_id)
    if upload:
        upload.offset = incoming.truth(upload)
    return upload


def unfinished(owner: Any, *, may_go_straight: bool) -> QuerySet[Upload]:
    """This owner's uploads that the page can go on with, newest first. One that is whole ends by itself.

    By tus: those of which something has come. Straight to the store: those of the page alone, which says when the file
    was changed; a program's file it could not tell. Their first part may have come without our having heard of it.
    """
    straight = Q(direct=True) & ~Q(metadata="") if may_go_straight else Q(pk=None)
    mine = Upload.objects.filter(Q(direct=False, offset__gt=0) | straight, owner=owner, original=None)
    open_ = mine.filter(expires_at__gt=now(), length__isnull=False).exclude(length=F("offset"))
    return open_.order_by("-created_at")


class Receiver:
    """One request's hold on an upload. Made by `take`; ended by `release`, whatever happens."""

    def __init__(self, upload: Upload, holder: str, checksum: Checksum | None) -> None:
        """With a checksum nothing counts until all of it has come and is right."""
        self.upload, self.holder, self.checksum = upload, holder, checksum
        self.checking: Any = checksum and checksum.start()
        kept = incoming.truth(upload)
        if kept < upload.offset:
            upload.offset, upload.hashing = kept, None
        self.keeper = None if upload.is_whole or upload.direct else incoming.keeper(upload)
        self.digest = digest_of(upload)
        self.hashing = Hashing(self.digest, self.checking)
        self.at_work = threading.Lock()  # a request can be ended while a thread is still at its bytes
        self.room = keeping.room_for(upload.owner) + reserved(upload)
        self.saved_at = self.renewed_at = time.monotonic()

    def write(self, data: bytearray) -> None:
        """Add these bytes.

        Raises TooMany, MediaError where the upload may not be kept, and Lost where somebody took over.
        """
        self.check_room_for(len(data))
        left = memoryview(data)
        while left:
            left = left[self.add(partial(put, left)) :]

    def draw(self, line: Line) -> int:
        """Add what has come by this line, or a stretch of it: others wait for this thread. How many bytes.

        There must be room for all of its body (`check_room_for`). Raises as `write` does.
        """
        return self.add(line.draw)

    def add(self, fill: Callable[[int, int, int], int]) -> int:
        """Add the bytes that `fill(handle, at, most)` writes into a file; how many."""
        with self.at_work:
            self.check_lease()
            if not self.keeper:
                raise TooMany
            size = fill(self.keeper.handle, self.keeper.at, min(self.keeper.room, STRETCH))
            if size:
                self.count(self.keeper, size)
            return size

    @property
    def is_due(self) -> bool:
        """Whether to write down how much is kept: a file every second, an object with each part."""
        return not storage.is_local() or time.monotonic() - self.saved_at > SAVE_EVERY

    def check_room_for(self, more: int) -> None:
        length, size = self.upload.length, self.upload.offset + more
        if length is not None and size > length:
            raise TooMany
        keeping.check_size(size)
        keeping.check_room(size, self.room)

    def count(self, keeper: Keeper, size: int) -> None:
        """So many bytes have been written behind those that were kept."""
        self.upload.offset += size
        self.hashing.add(keeper.handle, keeper.at, size)
        self.sniff(keeper.handle, keeper.at, size)
        if size == keeper.room:
            self.hashing.catch_up()
        keeper.added(size)
        if not self.checksum and keeper.is_settled and self.is_due:
            self.save()

    def sniff(self, handle: int, at: int, size: int) -> None:
        upload = self.upload
        if not upload.kind:
            upload.head = bytes(upload.head) + os.pread(handle, min(size, HEAD - len(upload.head)), at)
            sniff(upload)

    def check_lease(self) -> None:
        """Do nothing on a lease that has run out unnoticed, in a process that was stopped."""
        if time.monotonic() - self.renewed_at > RENEW_AFTER:
            self.change(lease_until=Now() + LEASE)

    def save(self) -> None:
        """Write down how much is kept. Raises Lost."""
        upload = self.upload
        self.hashing.catch_up()
        upload.hashing = self.digest.state if self.digest else None
        kept = ("offset", "head", "kind", "hashing", "store_id", "parts", "length")
        self.change(
            **{name: getattr(upload, name) for name in kept},
            lease_until=Now() + LEASE,
            expires_at=now() + KEPT_FOR,
        )
        self.saved_at = time.monotonic()

    def change(self, **changes: Any) -> None:
        mine = Upload.objects.filter(pk=self.upload.pk, holder=self.holder)
        if not mine.update(**changes):
            raise Lost
        self.renewed_at = time.monotonic()

    def announce(self, length: int) -> None:
        """How many bytes the upload will have, where that was left open. Raises TooMany, MediaError."""
        upload = self.upload
        if upload.length not in {None, length} or length < upload.offset:
            raise TooMany
        keeping.check_size(length)
        keeping.check_room(length, self.room)
        upload.length = length

    def settle(self, *, is_broken: bool = False) -> None:
        """Put away and write down all that came, and end the upload where that was the last of it.

        Raises Mismatch. What has broken off cannot be checked: without a checksum it counts, with one it does not.
        """
        if self.checksum and is_broken:
            return
        with self.at_work:
            self.hashing.catch_up()
            if self.checksum and self.checking.digest() != self.checksum.digest:
                raise Mismatch
            if self.keeper:
                self.keeper.settle(whole=self.upload.is_whole)
                self.save()
                self.keeper.tidy()
            if self.upload.is_whole:
                self.finish()

    def finish(self) -> None:
        """Let a whole upload be an original."""
        upload = self.upload
        incoming.put_in_place(upload)
        if upload.direct and not upload.kind:
            upload.head = next(incoming.blocks(upload.key))[:HEAD]
        sniff(upload)
        self.hashing.catch_up()
        sha256 = self.digest.hexdigest() if self.digest else self.read_again()
        original = Original(
            owner=upload.owner, name=upload.name, kind=upload.kind, bytes=upload.offset, sha256=sha256, key=upload.key
        )
        with transaction.atomic():
            kept = keeping.write_down(original, is_reserved=True)
            self.change(original=kept, holder="", lease_until=None, hashing=None)
        upload.original = kept

    def read_again(self) -> str:
        digest = hashlib.sha256()
        for block in incoming.blocks(self.upload.key):
            digest.update(block)
            self.check_lease()
        return digest.hexdigest()

    def drop(self) -> None:
        """Keep nothing of the upload, because it may not be kept."""
        deleted, _ = Upload.objects.filter(pk=self.upload.pk, holder=self.holder).delete()
        if deleted:
            incoming.drop(self.upload, whole=True)

    def release(self) -> None:
        """Let go: the next may come at once."""
        with self.at_work:
            self.hashing.give_up()
            if self.keeper:
                self.keeper.close()
        Upload.objects.filter(pk=self.upload.pk, holder=self.holder).update(holder="", lease_until=None)


def put(data: memoryview, handle: int, at: int, most: int) -> int:
    return os.pwrite(handle, data[:most], at)


def take(upload_id: UUID, checksum: Checksum | None = None) -> Receiver:
    """Hold the upload against everybody else. Raises Held, or Lost where it is gone."""
    holder = secrets.token_hex(8)
    rows = Upload.objects.filter(pk=upload_id, original=None)
    hold = {"holder": holder, "lease_until": Now() + LEASE}
    free = rows.filter(lease_until=None).update(**hold)
    if not free and not rows.filter(is_over("lease_until", 2 * LEASE)).update(losses=F("losses") + 1, **hold):
        raise Held if rows.exists() else Lost
    upload = Upload.objects.select_related("owner").get(pk=upload_id)
    return Receiver(upload, holder, checksum)


def digest_of(upload: Upload) -> Sha256 | None:
    """The digest that goes on where the bytes do; None where it is not known, and is read at the end."""
    if not is_resumable():
        return None
    if upload.offset == 0:
        return Sha256()
    return Sha256(bytes(upload.hashing)) if upload.hashing else None


def reserved(upload: Upload) -> int:
    """What this upload takes of its owner's room already."""
    return upload.offset if upload.length is None else upload.length


def sniff(upload: Upload) -> None:
    """Find out what it is, as soon as there is enough of it. Raises UnsupportedType."""
    if upload.kind or not (len(upload.head) == HEAD or upload.is_whole):
        return
    upload.kind, upload.head = keeping.kind_of_head(bytes(upload.head)), b""


def forget(upload: Upload) -> None:
    """Give an upload up, whoever is receiving it. An original that it has become stays."""
    rows = Upload.objects.filter(pk=upload.pk)
    with transaction.atomic():
        last = rows.select_for_update().first()
        rows.delete()
    if last and not last.original_id:
        incoming.drop(last)


def sweep() -> dict[str, int]:
    """End what is whole and was left so by a process that died, and give up what nobody goes on with.

    Nothing, where another is at it.
    """
    with turns.alone("sweep-uploads") as is_ours:
        if not is_ours:
            return {"finished": 0, "expired": 0}
        finished = sum(finish_or_go_on(upload.pk) for upload in batched(left_whole()))
        return {"finished": finished, "expired": sum(map(expire, batched(expired()))) + drop_rows_of_finished()}


def batched(uploads: QuerySet[Upload]) -> Iterator[Upload]:
    """These uploads. A batch is read when the one before it is done with."""
    batch = list(uploads.order_by("pk")[:BATCH])
    while batch:
        yield from batch
        batch = list(uploads.filter(pk__gt=batch[-1].pk).order_by("pk")[:BATCH])


def is_unheld() -> Q:
    return Q(lease_until=None) | is_over("lease_until", 2 * LEASE)


def left_whole() -> QuerySet[Upload]:
    whole = Upload.objects.filter(original=None, length=F("offset"))
    return whole.filter(is_unheld())


def finish_or_go_on(upload_id: UUID) -> bool:
    """One that cannot be ended now, in an outage of the store, keeps no other waiting and is tried again."""
    try:
        return finish_left(upload_id)
    except Exception:
        log.exception("upload %s", upload_id)
        return False


def finish_left(upload_id: UUID) -> bool:
    try:
        receiver = take(upload_id)
    except (Held, Lost):
        return False
    try:
        receiver.finish()
    except MediaError as error:
        log.info("upload %s: %s", upload_id, error)
        receiver.drop()
    except Lost:
        return False
    finally:
        receiver.release()
    return True


def expired() -> QuerySet[Upload]:
    """Those that are whole end as an original, however long that takes."""
    late = Upload.objects.filter(is_unheld(), original=None, expires_at__lt=now())
    return late.exclude(length=F("offset"))


def expire(upload: Upload) -> bool:
    forget(upload)
    return True


def drop_rows_of_finished() -> int:
    """Nobody asks any longer what became of these: their originals stay."""
    dropped = 0
    late = Upload.objects.filter(original__isnull=False, expires_at__lt=now()).values_list("pk", flat=True)
    while batch := list(late[:BATCH]):
        dropped += Upload.objects.filter(pk__in=batch).delete()[0]
    return dropped
