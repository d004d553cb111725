"""Signatures of Standard Webhooks (standardwebhooks.com): pure, and checked against their own library.

Six lines rather than that library, which brings an HTTP client and a date parser along.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(message_id: str, timestamp: int, body: str, keys: Iterable[str]) -> dict[str, str]:
    """The three headers of a message, signed with each of these secrets."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    key = b64decode(secret.removeprefix(PREFIX))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), "sha256")
    return f"v1,{b64encode(digest).decode()}"
