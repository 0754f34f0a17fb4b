"""The error table: ``{statusCode, message, requestId, path}``; a 503 has only the first two.

The older shape is ``{error, message}``, where a 409 has only the message.
"""

from typing import Any
from uuid import UUID

import msgspec

from mockserver.model.http import Response
from mockserver.model.provider import Error, ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded

ERRORS = {
    "no_route": Error(404, "Not Found"),
    "bad_method": Error(405, "Method Not Allowed"),
    "too_large": Error(413, "Payload Too Large"),
    "bad_request": Error(400, "Bad Request"),
    "bad_exchange_credentials": Error(400, "Invalid exchange credentials"),
    "missing_credential": Error(401, "Unauthorized"),
    "unknown_credential": Error(401, "Unauthorized"),
    "revoked_credential": Error(401, "Unauthorized"),
    "forbidden": Error(403, "Forbidden"),
    "not_found": Error(404, "Not Found"),
    "not_synced": Error(409, "Transactions not synced"),
    "rate_limited": Error(429, "Rate limit exceeded"),
    "credits_exhausted": Error(429, "Insufficient credits for this request"),
    "internal_error": Error(500, "Internal Server Error"),
    "service_unavailable": Error(503, "Service Unavailable. Please Contact Support"),
}

# What the older shape calls a status.
NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    429: "Rate limit exceeded",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def refuse(reject: Reject, asked: ErrorContext) -> Response:
    """Renders a reject; the facts are a parameter's name, the methods allowed."""
    error, facts = ERRORS[reject.reason], reject.facts
    status, message = error.status, error.message
    if reject.reason == "bad_exchange_credentials":
        status = int(asked.quirks["bad_exchange_credentials"])
    if "parameter" in facts:
        message = f"Invalid parameter: {facts['parameter']}"
    headers = [(b"content-type", b"application/json")]
    headers += reject.allow
    show = _legacy if asked.quirks["error_shape"] == "legacy" else _current
    body = msgspec.json.encode(show(status, message, asked))
    return Response(status, tuple(headers), body)


def _current(status: int, message: str, asked: ErrorContext) -> dict[str, Any]:
    body = {"statusCode": status, "message": message}
    if status == 503:
        return body
    entropy = seeded(asked.seed, "coinstats", "request", asked.number, size=16)
    return body | {
        "requestId": str(UUID(bytes=entropy, version=4)),
        "path": asked.path.decode("utf-8", "replace"),
    }


def _legacy(status: int, message: str, asked: ErrorContext) -> dict[str, Any]:
    return {"message": message} if status == 409 else {"error": NAMES[status], "message": message}
