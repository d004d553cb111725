"""How soon another worker begins what a killed one held, by the service's own waits: `python -m tests.chaos.recovery`.

Seen on Redis, where its message is sent again, and in the rows, where it is claimed again.
"""

import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import redis

import tests.environment  # noqa: F401 - the folder of our own settings
from tests.chaos.controls import STEP, holder_of, job_of, sent
from tests.chaos.stage import Stage, set_up
from tests.waiting import until

WITHIN = 40.0  # seconds: a lease of 30, and a sweep every 10
DATABASES = ("sqlite", "postgres")


class Listener:
    """When a message was last put into the list of images: the server tells of it."""

    def __init__(self, broker: redis.Redis) -> None:
        self.at = 0.0
        self.broker = broker  # one that nobody holds closes its connections, this one's too
        broker.config_set("notify-keyspace-events", "Kl")
        self.told = broker.pubsub(ignore_subscribe_messages=True)
        self.told.subscribe("__keyspace@0__:images")
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        with suppress(redis.RedisError, ValueError, OSError):
            for message in self.told.listen():
                if message["data"] == b"lpush":
                    self.at = time.time()


def measured(stage: Stage) -> tuple[float, float]:
    """Seconds from a worker's death until its job is in the list again, and until it is begun again."""
    with stage.client("alice") as client:
        with stage.switched(f"hold-{STEP}"):
            original_id = sent(client)
            holder = until(lambda: holder_of(stage, client, original_id), 60)
            listener = Listener(redis.Redis(unix_socket_path=str(stage.socket)))
            killed_at = time.time()
            stage.kill_all(holder.parent())
        job = until(lambda: begun_again(client, original_id), WITHIN * 2, every=0.1)
    started = datetime.fromisoformat(job["started_at"]).timestamp()
    return listener.at - killed_at, started - killed_at


def begun_again(client: Any, original_id: str) -> dict[str, Any] | None:
    job = job_of(client, original_id)
    return job if job["attempt"] > 1 else None


def main() -> int:
    late = False
    for database in DATABASES:
        with (
            tempfile.TemporaryDirectory(prefix="chaos-recovery-", ignore_cleanup_errors=True) as folder,
            set_up(Path(folder, "data"), database, "local", CHAOS_TIMES="long") as stage,
        ):
            on_redis, in_rows = measured(stage)
        print(f"{database}: sent again after {on_redis:.1f} s, begun again after {in_rows:.1f} s")  # noqa: T201
        late |= in_rows > WITHIN
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
