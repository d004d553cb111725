"""What people upload, what of it is on its way, and the tokens their programs come with."""

import hashlib
import secrets
import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now

from uploads.intake import tus


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
            models.Index(fields=["owner", "-taken_at", "-id"], name="original_by_taking"),
            models.Index(fields=["owner", "kind", "-taken_at", "-id"], name="original_by_kind"),
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
    def bearer(cls, plain: str) -> Self | None:
        """The token with this plain text, if its user may still sign in."""
        tokens = cls.objects.select_related("user")
        return tokens.filter(digest=cls.digest_of(plain), user__is_active=True).first()

    @staticmethod
    def digest_of(plain: str) -> str:
        # A plain hash is enough: 256 random bits cannot be guessed, so there is nothing to slow down.
        return hashlib.sha256(plain.encode()).hexdigest()
