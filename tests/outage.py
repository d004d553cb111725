"""Taking the broker away for a while, as an outage does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import pools

from mediaweb import celery_app
from processing.bridge import connection


@contextmanager
def broker_away(socket: Path) -> Iterator[None]:
    """Nothing answers on the broker's socket in here: it is moved aside, and open connections are closed."""
    aside = socket.with_suffix(".aside")
    socket.rename(aside)
    try:
        hang_up()
        yield
    finally:
        aside.rename(socket)
        hang_up()


def hang_up() -> None:
    """Close what this process holds open, so that its next word to the broker needs a new connection."""
    connection().connection_pool.disconnect()
    pools.reset()
    celery_app._after_fork()  # as a fresh process: it forgets the closed pools
