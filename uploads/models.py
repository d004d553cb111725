"""What people upload, what of it is on its way, and what their programs come with and are told."""

import hashlib
import secrets
import uuid
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now

from uploads.intake import tus
from uploads.webhooks import signing


class Original(models.Model):
    """Bytes as received, never rewritten, and the facts measured from them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="originals")
    name = models.CharField(max_length=255)  # as the uploader called it: shown, escaped, never a path
    kind = models.CharField(max_length=5)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    key = models.CharField(max_length=200, unique=True)
    facts = models.JSONField(null=True)
    placeholder = models.CharField(max_length=60, blank=True)
    colour = models.CharField(max_length=7, blank=True)  # the dominant one, `#rrggbb`
    # Not the database's Now(): SQLite's has three digits, and then equals no cursor.
    created_at = models.DateTimeField(default=now)
    taken_at = models.DateTimeField(default=now)  # `capture.moment`: when it came, until its facts are known

    was_there = False  # on one that was found when the same bytes came again
    share: "Share | None" = None  # the link it is shown by, where it is shown to strangers

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="original_by_owner"),
            models.Index(fields=["-created_at", "-id"], name="original_by_date"),
            # With the name, so that a search reads the index alone: 33 ms of SQLite for 100,000, where it took 400.
            models.Index(fields=["owner", "-taken_at", "-id", "name"], name="original_by_taking"),
            models.Index(fields=["owner", "kind", "-taken_at", "-id", "name"], name="original_by_kind"),
            models.Index(fields=["owner", "sha256"], name="original_by_bytes"),
        ]

    def __str__(self) -> str:
        return self.name


class Upload(models.Model):
    """A file on its way: how much of it has come, and who is receiving more.

    `offset` bytes are kept, whatever dies. Who adds to them holds a lease, and names its `holder` in
    every change, so that one that was given up can change nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)
    metadata = models.TextField(blank=True)  # as the client said it, for the client
    length = models.PositiveBigIntegerField(null=True)  # None: not said yet
    offset = models.PositiveBigIntegerField(default=0)
    head = models.BinaryField(default=bytes)  # the first bytes, until `kind` is known by them
    kind = models.CharField(max_length=5, blank=True)
    hashing = models.BinaryField(null=True)  # sha256's state after `offset` bytes; None: to be read again
    key = models.CharField(max_length=200, unique=True)  # of the original it becomes
    store_id = models.CharField(max_length=1024, blank=True)  # S3's name for a multipart upload
    parts = models.JSONField(default=list)  # of S3: [number, ETag, bytes], in their order
    direct = models.BooleanField(default=False)  # the browser sends the parts to S3 itself
    losses = models.PositiveIntegerField(default=0)  # times who was receiving vanished
    holder = models.CharField(max_length=16, blank=True)
    lease_until = models.DateTimeField(null=True)
    original = models.ForeignKey(Original, models.CASCADE, null=True, related_name="uploads")  # once it is one
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="upload_by_owner"),
            models.Index(fields=["expires_at"], name="upload_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.offset} of {self.length} bytes)"

    @property
    def is_whole(self) -> bool:
        return self.offset == self.length

    @property
    def modified(self) -> str:
        """When the file was last changed, where our page has sent it: by this, name and length it is known again."""
        return tus.metadata_of(self.metadata).get("modified", "")


class ShareQuerySet(models.QuerySet["Share"]):
    def live(self) -> Self:
        """Those that still open."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now()), revoked_at=None)


def new_share_token() -> str:
    return secrets.token_urlsafe(24)


class Share(models.Model):
    """A link by which anybody may see what was made of one original, until it expires or is revoked.

    The token is kept as it is: its owner copies it again whenever they like, and it outlives a change of
    the secret key. Who can read this row can read every row beside it; the password is hashed all the same,
    because people use one twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    original = models.ForeignKey(Original, models.CASCADE, related_name="shares")
    token = models.CharField(max_length=32, unique=True, default=new_share_token)  # 192 bits: nobody guesses one
    password = models.CharField(max_length=128, blank=True)  # hashed; empty: none is asked for
    downloads = models.BooleanField(default=True)  # whether the page offers the files
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ShareQuerySet.as_manager()

    def __str__(self) -> str:
        return f"link to {self.original_id}"

    @property
    def is_public(self) -> bool:
        """Whether the link alone opens it."""
        return not self.password


class ApiToken(models.Model):
    """A program's key to its owner's account. Only its hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"token of {self.user}"

    @classmethod
    def issue(cls, user: Any) -> str:
        """Make a token; the plain text is returned once and not kept."""
        plain = f"mw_{secrets.token_urlsafe(32)}"
        cls.objects.create(user=user, digest=cls.digest_of(plain))
        return plain

    @classmethod
    def bearer(cls, plain: str) -> Any:
        """The user whose token has this plain text, if they may still sign in; else None."""
        users = get_user_model().objects.filter(api_tokens__digest=cls.digest_of(plain), is_active=True)
        return next(iter(users), None)  # one at the most, which nobody need put in order

    @staticmethod
    def digest_of(plain: str) -> str:
        # A plain hash is enough: 256 random bits cannot be guessed, so there is nothing to slow down.
        return hashlib.sha256(plain.encode()).hexdigest()


class KeyedRequest(models.Model):
    """A creating request that a program named by a key, and what it was answered; no status: it is at work."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # of all the request asks for
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    lease_until = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_request_per_key")]
        indexes = [models.Index(fields=["expires_at"], name="keyed_by_expiry")]

    def __str__(self) -> str:
        return self.key


class Endpoint(models.Model):
    """An address of an owner's that is told what becomes of their originals.

    Its messages go one after the other, under a lease: one that never answers keeps one worker busy at most.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="endpoints")
    url = models.CharField(max_length=500)
    events = models.JSONField(default=list)
    secret = models.CharField(max_length=100, default=signing.new_secret)
    former_secret = models.CharField(max_length=100, blank=True)  # signs as well, until `former_until`
    former_until = models.DateTimeField(null=True)
    is_on = models.BooleanField(default=True)
    off_because = models.CharField(max_length=20, blank=True)  # why we switched it off; empty where its owner did
    failures = models.PositiveIntegerField(default=0)  # tries in a row
    failing_since = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    holder = models.CharField(max_length=16, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.url

    def secrets(self) -> list[str]:
        """What its messages are signed with now: after a change, for a while with the former secret too."""
        former = self.former_until and self.former_until > now()
        return [self.secret, self.former_secret] if former else [self.secret]


class Delivery(models.Model):
    """A message owed to an endpoint, written with the outcome it tells of; afterwards its line in the log.

    `due_at` is when it is tried next; None once it has arrived, or is given up.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # its `webhook-id`
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", db_index=False)
    original = models.ForeignKey(Original, models.CASCADE, null=True, related_name="deliveries")  # None: a test
    event = models.CharField(max_length=20)
    body = models.TextField()
    created_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True, db_default=Now())
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    answer_status = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True)  # its first bytes
    seconds = models.FloatField(null=True)
    problem = models.CharField(max_length=20, blank=True)  # why there was no answer, or not the one hoped for

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["endpoint", "-created_at", "-id"], name="delivery_log"),
            models.Index(fields=["endpoint", "due_at"], name="delivery_due", condition=models.Q(due_at__isnull=False)),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} for {self.endpoint_id}"

    @property
    def status(self) -> str:
        if self.delivered_at:
            return "delivered"
        return "pending" if self.due_at else "failed"
