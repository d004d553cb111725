"""People who upload over a bad line, and do not give up: by a form's POST, and by tus."""

import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from tests.chaos.media import MEDIA
from tests.chaos.plans import Sending

VERSION = {"Tus-Resumable": "1.0.0"}
PATIENCE = 90.0  # seconds
PAUSE = 0.3  # seconds before another try
SLICES = 8  # in which a body is sent
LOST = (404, 410)  # an upload that is not there any longer: it begins anew


@dataclass
class Sent:
    """What has become of one sending."""

    sending: Sending
    id: str = ""  # of the original, once it was acknowledged
    code: str = ""  # of the refusal
    place: str = ""  # of what was begun by tus and left
    tries: int = 0
    answers: list[int] = field(default_factory=list)  # that were none of success


class GaveUp(Exception):
    """Nobody acknowledged it in all this time."""


def send(client: httpx.Client, sending: Sending) -> Sent:
    """Send it until it is acknowledged or refused; to leave it, until half of it is there."""
    medium, sent = MEDIA[sending.medium], Sent(sending)
    data, end = medium.data(), time.monotonic() + PATIENCE
    way = post if sending.way == "multipart" else tus
    while time.monotonic() < end:
        sent.tries += 1
        try:
            if way(client, sent, data):
                return sent
        except httpx.TransportError:
            pass
        time.sleep(PAUSE)
    raise GaveUp(f"{sending}: {sent.answers}")


def post(client: httpx.Client, sent: Sent, data: bytes) -> bool:
    """One POST of the whole; whether that settles it."""
    boundary = secrets.token_hex(16)
    name = MEDIA[sent.sending.medium].name
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(len(body))}
    answer = client.post("/api/originals", headers=headers, content=slowly(body, sent.sending.takes))
    if answer.status_code in (200, 201):
        sent.id = answer.json()["id"]
    return settled(sent, answer)


def tus(client: httpx.Client, sent: Sent, data: bytes) -> bool:
    """One try to go on by tus, from wherever the server says; whether that settles it."""
    if not sent.place:
        begin(client, sent, len(data))
        return False
    told = client.head(sent.place, headers=VERSION)
    if told.status_code in LOST:
        sent.place = ""
    elif told.status_code == 200 and not told.headers.get("x-original-id"):
        return go_on(client, sent, data, int(told.headers["upload-offset"]))
    sent.id = told.headers.get("x-original-id", "")
    return settled(sent, told)


def begin(client: httpx.Client, sent: Sent, length: int) -> None:
    name = b64encode(MEDIA[sent.sending.medium].name.encode()).decode()
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}
    answer = client.post("/files/", headers=headers)
    sent.place = httpx.URL(answer.headers.get("location", "")).path if answer.status_code == 201 else ""
    settled(sent, answer)


def go_on(client: httpx.Client, sent: Sent, data: bytes, offset: int) -> bool:
    """A PATCH with half of what is missing, or all of it where little is."""
    left = len(data) - offset
    is_left = sent.sending.way == "left"
    if is_left and offset >= len(data) // 2:
        return True
    size = left if left < 4096 and not is_left else max(1, left // 2)
    headers = {**VERSION, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    body = data[offset : offset + size]
    headers["Content-Length"] = str(len(body))
    answer = client.patch(sent.place, headers=headers, content=slowly(body, sent.sending.takes / 2))
    if answer.status_code in LOST:
        sent.place = ""
    sent.id = answer.headers.get("x-original-id", "")
    return settled(sent, answer)


def settled(sent: Sent, answer: httpx.Response) -> bool:
    """Whether it is acknowledged, or refused for what it is."""
    if answer.is_success:
        return bool(sent.id)
    sent.answers.append(answer.status_code)
    if answer.status_code in (400, 413, 415, 422) and answer.content:
        sent.code = answer.json()["error"]["code"]
    return bool(sent.code)


def slowly(body: bytes, seconds: float) -> Iterator[bytes]:
    """The body in slices, over so many seconds."""
    size = -(-len(body) // SLICES)
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(seconds / SLICES)
