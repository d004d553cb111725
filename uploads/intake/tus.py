"""The tus 1.0.0 protocol as its headers say it: pure, without a database, a socket or a byte of a file.

https://tus.io/protocols/resumable-upload
"""

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration"
BODY = "application/offset+octet-stream"
ALGORITHMS: Mapping[str, Callable[[], Any]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),  # what the protocol asks every server for
    "sha256": hashlib.sha256,
}
# Longer than any file system's names in base64; what a client tells of itself is no place for data.
LONGEST_METADATA = 4096
LARGEST = (1 << 63) - 1  # what a row can hold


class Refused(Exception):
    """An answer that is not the one asked for."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None, **headers: str
    ) -> None:
        self.status, self.code, self.message, self.details = status, code, message, details or {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(message)


@dataclass(frozen=True)
class Creation:
    """What a client wants to send. `length` None: it will say so later."""

    length: int | None
    metadata: str
    name: str


@dataclass(frozen=True)
class Checksum:
    """What the body of a request must hash to."""

    algorithm: str
    digest: bytes

    def start(self) -> Any:
        return ALGORITHMS[self.algorithm]()


@dataclass(frozen=True)
class Chunk:
    """Where a body's bytes belong, and what is said about them."""

    offset: int
    checksum: Checksum | None
    length: int | None  # of the whole upload, where it is said only now
    bytes: int | None = None  # of this body, where its length is told


def method_of(method: str, headers: Mapping[str, str]) -> str:
    """The method meant: some clients can send nothing but POST."""
    override = headers.get("x-http-method-override", "").upper()
    return override if method == "POST" and override in {"HEAD", "PATCH", "DELETE"} else method


def check_version(headers: Mapping[str, str]) -> None:
    if headers.get("tus-resumable") != VERSION:
        raise Refused(412, "tus_version", f"Send Tus-Resumable: {VERSION}.", Tus_Version=VERSION)


def creation(headers: Mapping[str, str]) -> Creation:
    metadata = headers.get("upload-metadata", "")
    named = metadata_of(metadata)
    length = headers.get("upload-length")
    defer = headers.get("upload-defer-length")
    if (length is None) == (defer is None) or defer not in {None, "1"}:
        raise Refused(400, "upload_length", "Send either Upload-Length: BYTES or Upload-Defer-Length: 1.")
    return Creation(
        length=None if length is None else number("Upload-Length", length),
        metadata=metadata,
        name=named.get("filename") or named.get("name", ""),
    )


def chunk(headers: Mapping[str, str]) -> Chunk:
    """What PATCH says of its body."""
    check_body(headers)
    length = headers.get("upload-length")
    return Chunk(
        offset=number("Upload-Offset", headers.get("upload-offset", "")),
        checksum=checksum_of(headers),
        length=None if length is None else number("Upload-Length", length),
        bytes=told(headers),
    )


def first_chunk(headers: Mapping[str, str]) -> Chunk | None:
    """What POST says of its body, if it has one."""
    if not told(headers) and "chunked" not in headers.get("transfer-encoding", ""):
        return None
    check_body(headers)
    return Chunk(offset=0, checksum=checksum_of(headers), length=None, bytes=told(headers))


def check_body(headers: Mapping[str, str]) -> None:
    if headers.get("content-type", "").partition(";")[0].strip() != BODY:
        raise Refused(415, "content_type", f"Send Content-Type: {BODY}.")


def told(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= LARGEST):
        raise Refused(400, name.lower().replace("-", "_"), f"{name} must be a whole number of bytes.")
    return int(text)


def checksum_of(headers: Mapping[str, str]) -> Checksum | None:
    text = headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, digest = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise Refused(400, "checksum_algorithm", f"Upload-Checksum may be of {', '.join(ALGORITHMS)}.")
    return Checksum(algorithm, decoded("Upload-Checksum", digest))


def metadata_of(text: str) -> dict[str, str]:
    """`key base64, key base64, key` as a dictionary."""
    if len(text) > LONGEST_METADATA:
        raise Refused(400, "upload_metadata", f"Upload-Metadata may have {LONGEST_METADATA} characters.")
    pairs = [pair.strip().partition(" ") for pair in text.split(",") if pair.strip()]
    return {key: decoded("Upload-Metadata", value.strip()).decode(errors="replace") for key, _, value in pairs}


def decoded(name: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:  # the second: letters beyond ASCII
        raise Refused(400, name.lower().replace("-", "_"), f"{name} holds what is not base64.") from error
