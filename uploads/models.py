"""What people upload, and the tokens their programs come with."""

import hashlib
import secrets
import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now


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

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="original_by_owner"),
            models.Index(fields=["-created_at", "-id"], name="original_by_date"),
        ]

    def __str__(self) -> str:
        return self.name


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
