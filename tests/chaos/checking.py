"""What a run has kept of the promise, looked at from outside: files, rows, mails, messages and processes."""

import email
import email.policy
import hashlib
import io
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.chaos.clients import Sent
from tests.chaos.media import MEDIA
from tests.chaos.stage import Stage
from tests.e2e.service import FINAL
from tests.waiting import until

LINK = re.compile(r"/originals/([0-9a-f-]{36})")
SCRATCH_WITHIN = 30.0  # seconds; the run's times make that of what is a minute, and a day for a body
ENDED = "-" * 79  # what Django writes behind a mail that it has sent to a file
STARTS = {"application/vnd.apple.mpegurl": b"#EXTM3U", "text/vtt": b"WEBVTT"}
# On the average: a worker has two or three jobs in hand, and an outage is asked about every second.
ATTEMPTS_PER_FAULT = 8


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept: its name, and where."""

    name: str
    where: str

    def __str__(self) -> str:
        return f"{self.name}: {self.where}"


@dataclass(frozen=True)
class Scene:
    """All that there is to be looked at when a run is over."""

    stage: Stage
    sent: Sequence[Sent]
    rows: Mapping[str, Any]
    faults: int

    def originals(self) -> dict[str, Any]:
        return {original["id"]: original for original in self.rows["originals"]}


def violations(scene: Scene) -> list[Violation]:
    return [Violation(name, where) for name, look in CHECKS.items() for where in look(scene)]


def lost(scene: Scene) -> Iterator[str]:
    """What was acknowledged, and is not there."""
    there = scene.originals()
    for sent in scene.sent:
        if sent.id and sent.id not in there:
            yield f"{sent.sending.medium} {sent.id}"


def never_sent(scene: Scene) -> Iterator[str]:
    """Originals that nobody was told of: each sender asks until he is answered, and bytes come once."""
    known = {sent.id for sent in scene.sent}
    yield from (f"{item['name']} {item['id']}" for item in scene.rows["originals"] if item["id"] not in known)


def unfinished(scene: Scene) -> Iterator[str]:
    for item in scene.rows["originals"]:
        if item["status"] not in FINAL:
            open_ = [
                f"{job['step']} {job['part']} {job['status']}" for job in item["jobs"] if job["status"] != "succeeded"
            ]
            yield f"{item['name']} {item['id']} is {item['status']}: {', '.join(open_)}"


def wrong_end(scene: Scene) -> Iterator[str]:
    """What has ended otherwise than its medium deserves."""
    there = scene.originals()
    for sent in scene.sent:
        medium, item = MEDIA[sent.sending.medium], there.get(sent.id)
        if sent.code and not (medium.is_refused and sent.code == medium.deserves):
            yield f"{medium.name} was refused: {sent.code}"
        if item and item["status"] in FINAL and item["error"] != medium.deserves:
            yield f"{medium.name} {sent.id} is {item['status']}: {item['error']} ({item['why']})"


def missing(scene: Scene) -> Iterator[str]:
    """What is ready and has not all that it is owed."""
    for item in scene.rows["originals"]:
        if item["status"] == "ready" and not item["complete"]:
            yield f"{item['name']} {item['id']}"


def given_up(scene: Scene) -> Iterator[str]:
    """Jobs that have failed in what is ready."""
    for item in scene.rows["originals"]:
        if item["status"] == "ready":
            yield from (f"{item['name']} {item['id']}: {failure}" for failure in item["failures"])


def doubled(scene: Scene) -> Iterator[str]:
    """Outputs that were published more than once."""
    log = scene.stage.data / "published.log"
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    attempts: dict[tuple[str, ...], list[str]] = {}
    for *output, attempt in lines:
        attempts.setdefault(tuple(output), []).append(attempt)
    for output, by in attempts.items():
        if len(by) > 1:
            yield f"{' '.join(output)} by {', '.join(by)}"


def misplaced(scene: Scene) -> Iterator[str]:
    """Files without a row, once `gc` has been, and rows without a file."""
    stage, known = scene.stage, {item["key"] for item in scene.rows["files"]}
    seen = until(lambda: stored_once_clean(stage, known), 15)
    yield from (f"no row for {key}" for key in sorted(seen - known - {""}))
    yield from (f"no file for {key}" for key in sorted(known - seen))


def stored_once_clean(stage: Stage, known: set[str]) -> set[str]:
    """The keys in the storage. A store gives whole seconds, rounded up: what was just written is left alone."""
    for _ in range(3):
        stage.manage("gc", "--older-than", "0")
        if (found := keys(stage)) <= known:
            break
    return found | {""}


def keys(stage: Stage) -> set[str]:
    if stage.store:
        client, name = stage.store.client(), stage.store.bucket
        begun = client.list_multipart_uploads(Bucket=name).get("Uploads", ())
        return {*stage.store.keys_kept(), *(f"parts of {item['Key']}" for item in begun)}
    root = stage.data / "media"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def content(stage: Stage, key: str) -> bytes | None:
    """The bytes of a file, past our own code."""
    if stage.store:
        client = stage.store.client()
        try:
            return bytes(client.get_object(Bucket=stage.store.bucket, Key=key)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None
    path = stage.data / "media" / key
    return path.read_bytes() if path.exists() else None


def corrupt(scene: Scene) -> Iterator[str]:
    """Files that are not their row's, or that nobody could show."""
    for item in scene.rows["files"]:
        data = content(scene.stage, item["key"])
        if data is None:
            continue  # `misplaced` says so
        if len(data) != item["bytes"] or hashlib.sha256(data).hexdigest() != item["sha256"]:
            yield f"{item['key']} is not its row's"
        elif not decodes(data, item["type"]):
            yield f"{item['key']} does not decode as {item['type']}"


def decodes(data: bytes, kind: str) -> bool:
    if kind.startswith("image/"):
        Image.open(io.BytesIO(data)).load()
        return True
    if kind.startswith(("video/", "audio/")):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            words = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", file.name, "-f", "null", "-"]
            return subprocess.run(words, check=False, capture_output=True).returncode == 0
    return data.startswith(STARTS.get(kind, b""))


def told(scene: Scene) -> Counter[str]:
    """How many mails told of each original. A second copy of a mail has the same id, and shows as one."""
    mails: dict[str, set[str]] = {}
    for path in (scene.stage.data / "mails").glob("*"):
        for text in path.read_text().split(f"\n{ENDED}\n")[:-1]:
            message = email.message_from_string(text.strip(), policy=email.policy.default)
            text_of = message.get_body(("plain",))
            found = LINK.findall(text_of.get_content()) if text_of else []
            mails.setdefault(str(message["Message-ID"]), set()).update(found)
    return Counter(original for named in mails.values() for original in named)


def untold(scene: Scene) -> Iterator[str]:
    counts = told(scene)
    for item in scene.rows["originals"]:
        if item["status"] in ("ready", "failed"):
            if item["notices"] != [item["status"]] or item["untold"]:
                yield f"{item['id']} owes {item['notices']}"
            if counts[item["id"]] < 1:
                yield f"{item['id']} in no mail"


def told_twice(scene: Scene) -> Iterator[str]:
    yield from (f"{original} in {count} mails" for original, count in told(scene).items() if count > 1)


def unheard(scene: Scene) -> Iterator[str]:
    """Outcomes of which no message has arrived at their owner's webhook."""
    arrived = {message.id for message in scene.stage.receiver.messages}
    heard: dict[str, set[str]] = {}
    for delivery in scene.rows["deliveries"]:
        heard.setdefault(delivery["original"], set()).add(delivery["event"])
        if delivery["status"] != "delivered" or delivery["id"] not in arrived:
            yield f"{delivery['event']} {delivery['id']} of {delivery['original']} is {delivery['status']}"
    for item in scene.rows["originals"]:
        events = heard.get(item["id"], set())
        if item["status"] in ("ready", "failed") and events != {f"original.{item['status']}"}:
            yield f"{item['id']} is {item['status']}, and told were {sorted(events)}"


def heard_twice(scene: Scene) -> Iterator[str]:
    """Outcomes with two messages of different ids. What fails ends anew each time that its sender sends it anew."""
    ends = {sent.id: sent.tries if MEDIA[sent.sending.medium].deserves else 1 for sent in scene.sent}
    ids: dict[str, set[str]] = {}
    for message in scene.stage.receiver.messages:
        ids.setdefault(str(message.data()["data"]["id"]), set()).add(message.id)
    for delivery in scene.rows["deliveries"]:
        ids.setdefault(delivery["original"], set()).add(delivery["id"])
    yield from (f"{original} in {len(found)}" for original, found in ids.items() if len(found) > ends.get(original, 1))


def garbled(scene: Scene) -> Iterator[str]:
    """Messages that are not their row's, came to another, or are not signed by their owner's secret."""
    owed = {delivery["id"]: (delivery["owner"], delivery["body"]) for delivery in scene.rows["deliveries"]}
    for message in scene.stage.receiver.messages:
        if owed.get(message.id) != (message.owner, message.body):
            yield f"{message.id} to {message.owner} is not its row's"
        if not scene.stage.receiver.is_signed(message):
            yield f"{message.id} to {message.owner} is not signed"


def too_many_attempts(scene: Scene) -> Iterator[str]:
    jobs = [job for item in scene.rows["originals"] for job in item["jobs"]]
    extra = sum(max(0, job["attempt"] - 1) for job in jobs)
    if extra > ATTEMPTS_PER_FAULT * max(1, scene.faults):
        yield f"{extra} more than jobs, of {scene.faults} faults"


def scratch(scene: Scene) -> Iterator[str]:
    """What stays in the scratch folder. What the dead left there is cleared by the living, once it has been quiet."""
    folder = scene.stage.data / "scratch"
    with suppress(AssertionError):
        until(lambda: not list(folder.iterdir()), SCRATCH_WITHIN, every=0.2)
    yield from (str(path) for path in folder.iterdir())


def left_over(scene: Scene) -> Iterator[str]:
    """Uploads under way that nobody sends."""
    yield from scene.rows["uploads"]


CHECKS: Mapping[str, Callable[[Scene], Iterator[str]]] = {
    "lost": lost,
    "never sent": never_sent,
    "unfinished": unfinished,
    "wrong end": wrong_end,
    "missing": missing,
    "given up": given_up,
    "doubled": doubled,
    "misplaced": misplaced,
    "corrupt": corrupt,
    "untold": untold,
    "told twice": told_twice,
    "unheard": unheard,
    "heard twice": heard_twice,
    "garbled": garbled,
    "attempts": too_many_attempts,
    "scratch": scratch,
    "left over": left_over,
}


def strays(stage: Stage) -> list[str]:
    """Processes of a service that was stopped."""
    return [" ".join(process.cmdline()) for process in stage.processes()]
