"""The OpenAPI document: what holds for all operations is derived here, so that none of them can forget it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ninja import NinjaAPI

from processing.outages import AWAY
from uploads.examples import EXAMPLES
from uploads.idempotency import REPLAYED
from uploads.representation import Refusal

# {status: (what it means, code and sentence of an example)}
MEANINGS: Mapping[int, tuple[str, str, str]] = {
    400: ("The body cannot be read, or the file is one that we cannot take.", "empty", "The file is empty. …"),
    401: ("Nobody is signed in.", "unauthenticated", "Sign in, or send Authorization: Bearer TOKEN."),
    403: ("Not for this account, over its quota, or (session) without a CSRF token.", "forbidden", "Your account …"),
    404: ("Nothing has this id, or it is another's.", "not_found", "There is nothing here with that id, …"),
    409: ("Not now: see the code.", "request_in_flight", "The first request with this Idempotency-Key is …"),
    413: ("Too many bytes.", "too_large", "The file has more than the 21474836480 bytes allowed here. …"),
    415: (
        "Neither an image nor a video.",
        "unsupported_type",
        "This is not an image or video of a kind we can read. …",
    ),
    422: ("Not as documented here.", "invalid", "The request is not as documented."),
    429: ("Too many requests a minute.", "too_many_requests", "Too many requests."),
    503: ("Our database or storage is away; try again.", *AWAY),
}
RETRY_AFTER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
REPLAY = {REPLAYED: {"description": "there where the answer is an earlier one's", "schema": {"type": "string"}}}


class DocumentedAPI(NinjaAPI):
    """Ninja's API, whose document declares every answer that its operations have in common."""

    def get_openapi_schema(self, **options: Any) -> Any:
        document = super().get_openapi_schema(**options)
        schemas = document["components"]["schemas"]
        schemas["Refusal"] = schema(document)
        for name in EXAMPLES.keys() & schemas.keys():
            schemas[name]["examples"] = [EXAMPLES[name]]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for status in sorted({*common(path, method, operation), *special(operation)}):
                    operation["responses"][status] = refusal(status)
                operation["responses"] = dict(sorted(operation["responses"].items(), key=lambda item: int(item[0])))
                if has_key(operation):
                    for status in made(operation):
                        operation["responses"][status]["headers"] = REPLAY
        return document


def common(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """The statuses that an operation of this form may answer with, whatever it does."""
    yield from (401, 429, 503)
    if method != "get":
        yield 403
    if "{" in path:
        yield 404
    if "requestBody" in operation:
        yield 400
    if "requestBody" in operation or operation["parameters"]:
        yield 422
    if has_key(operation):
        yield 409


def made(operation: Mapping[str, Any]) -> list[int]:
    return [status for status in operation["responses"] if int(status) < 300]


def special(operation: Mapping[str, Any]) -> Iterator[int]:
    """Those that it names itself."""
    yield from (status for status in operation["responses"] if int(status) >= 400)


def has_key(operation: Mapping[str, Any]) -> bool:
    return any(item["name"] == "Idempotency-Key" for item in operation["parameters"])


def refusal(status: int) -> dict[str, Any]:
    meaning, code, message = MEANINGS[status]
    content = {
        "schema": {"$ref": "#/components/schemas/Refusal"},
        "example": {"error": {"code": code, "message": message, "details": {}}},
    }
    headers = {"headers": RETRY_AFTER} if status in {429, 503} else {}
    return {"description": meaning, "content": {"application/json": content}, **headers}


def schema(document: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a refusal; what it refers to is in every document that has an original."""
    found = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"].update(found.pop("$defs"))
    return found
