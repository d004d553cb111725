"""A sha256 that outlives its process: its state is 112 bytes that a row can hold.

hashlib's objects can be neither pickled nor copied out of their process, so this calls the functions
beneath them, in the very libcrypto that hashlib has loaded, whose state is a plain struct (OpenSSL
SHA256_Init(3)). Equal to hashlib in speed (1.7 GB/s with SHA extensions). Where a Python has its
libcrypto built in and hidden, there is no state, and a file is hashed once it is whole.
"""

import _hashlib
import ctypes
import hashlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any

# uint32 h[8], Nl, Nh, data[16], num, md_len: <openssl/sha.h>, unchanged since 0.9.8
STATE = 112
BEHIND = 2  # pieces that may wait to be hashed; then who writes does
SIEVE = 256 << 10  # bytes that are hashed at a time: they are still in the processor's cache when they are

hashers = ThreadPoolExecutor(8, thread_name_prefix="hashing")  # more than there are cores would not be quicker


class Sha256:
    """As hashlib's, and `state` goes on elsewhere: Sha256(state)."""

    def __init__(self, state: bytes = b"") -> None:
        self.context = ctypes.create_string_buffer(state, STATE) if state else ctypes.create_string_buffer(STATE)
        if not state:
            libcrypto().SHA256_Init(self.context)

    def update(self, data: bytearray | memoryview) -> None:
        """Add these bytes, which must be writable: they are read where they lie. The GIL is let go."""
        if data:
            first = ctypes.c_char.from_buffer(data)
            libcrypto().SHA256_Update(self.context, ctypes.byref(first), ctypes.c_size_t(len(data)))

    @property
    def state(self) -> bytes:
        return self.context.raw

    def hexdigest(self) -> str:
        """Of all bytes so far; more may follow."""
        context = ctypes.create_string_buffer(self.state, STATE)
        digest = ctypes.create_string_buffer(32)
        libcrypto().SHA256_Final(digest, context)
        return digest.raw.hex()


class Hashing:
    """Digests of a file while it is written, worked out in another thread: the next write takes as long as they do.

    What is hashed is read from the file, so that it is what is kept; its pieces one by one, as they were added.
    """

    def __init__(self, *digests: Any) -> None:
        """Those that are None are left out."""
        self.digests = [digest for digest in digests if digest]
        self.pieces: deque[Future[None]] = deque()

    def add(self, handle: int, at: int, size: int) -> None:
        """These bytes come next. Waits where too many do already; raises what reading them has raised."""
        if len(self.pieces) == BEHIND:
            self.pieces.popleft().result()
        if self.digests:
            before = self.pieces[-1] if self.pieces else None
            self.pieces.append(hashers.submit(hash_next, before, self.digests, handle, at, size))

    def catch_up(self) -> None:
        """Wait until the digests are those of all bytes so far. Raises what reading them has raised."""
        while self.pieces:
            self.pieces.popleft().result()

    def give_up(self) -> None:
        """Wait until nobody reads the file any longer, whatever comes of it."""
        wait(self.pieces)


def hash_next(before: Future[None] | None, *piece: Any) -> None:
    if before:
        before.result()
    hash_file(*piece)


def hash_file(digests: Sequence[Any], handle: int, at: int, size: int) -> None:
    """Add to each of the digests these bytes of a file, which are in the kernel's memory if they were just written.

    Raises EOFError where it ends before them.
    """
    sieve = memoryview(bytearray(min(size, SIEVE)))
    while size:
        read = os.preadv(handle, [sieve[:size]], at)
        if not read:
            raise EOFError
        for digest in digests:
            digest.update(sieve[:read])
        at, size = at + read, size - read


@cache
def libcrypto() -> Any:
    """The library that hashlib stands on; one without these functions where it cannot be reached."""
    return ctypes.CDLL(getattr(_hashlib, "__file__", None))


@cache
def is_resumable() -> bool:
    """Whether a state taken from here and put back gives what hashlib gives."""
    if not hasattr(libcrypto(), "SHA256_Update"):
        return False
    half = Sha256()
    half.update(bytearray(b"of which nothing may be lost" * 5))
    whole = Sha256(half.state)
    whole.update(bytearray(b"on the way"))
    return whole.hexdigest() == hashlib.sha256(b"of which nothing may be lost" * 5 + b"on the way").hexdigest()
