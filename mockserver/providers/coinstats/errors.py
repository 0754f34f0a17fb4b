"""The error table: ``{statusCode, message, requestId, path}``; a 503 has only the first two.

The older shape is ``{error, message}``; a 409 of that shape has only the message.
"""

from typing import Any
from uuid import UUID

import msgspec

from mockserver.model.http import Response
from mockserver.model.provider import Error, ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded

ERRORS = {
    # fact: coinstats-route-first
    "no_route": Error(404, "Not Found"),
    "bad_method": Error(405, "Method Not Allowed"),
    "too_large": Error(413, "Payload Too Large"),
    "bad_request": Error(400, "Bad Request"),  # fact: coinstats-error-texts
    # fact: coinstats-bad-exchange-credentials, coinstats-bad-exchange-credentials-text
    "bad_exchange_credentials": Error(401, "Exchange credentials expired"),
    # fact: coinstats-unauthorized, coinstats-unauthorized-text, coinstats-revoked
    "missing_credential": Error(401, "Unauthorized"),
    "unknown_credential": Error(401, "Unauthorized"),
    "revoked_credential": Error(401, "Unauthorized"),
    "forbidden": Error(403, "Forbidden"),  # fact: coinstats-other-texts
    "not_found": Error(404, "Not Found"),
    "not_synced": Error(409, "Transactions not synced"),  # fact: coinstats-not-synced
    "rate_limited": Error(429, "Rate limit exceeded"),  # fact: coinstats-rate-limited
    # fact: coinstats-credits-exhausted
    "credits_exhausted": Error(429, "Insufficient credits for this request"),
    # fact: coinstats-other-statuses
    "payment_required": Error(402, "Payment Required"),
    "internal_error": Error(500, "Internal Server Error"),  # fact: coinstats-other-failures
    "not_implemented": Error(501, "Not Implemented"),
    # fact: coinstats-error-503-text
    "service_unavailable": Error(503, "Service Unavailable. Please Contact Support"),
}

UNAUTHORIZED = ("missing_credential", "unknown_credential", "revoked_credential")
# fact: coinstats-unauthorized-text-observed
INVALID_KEY = (
    "Your API Key is invalid. "
    "Please login to https://openapi.coinstats.app and generate your API Key."
)
# Each kind of refusal that has variants, and the quirk that chooses one.
VARIANTS = {
    **dict.fromkeys(UNAUTHORIZED, ("documented", "observed")),
    "bad_exchange_credentials": ("401", "400", "403"),
    "credits_exhausted": ("429", "406"),
}
QUIRKS = {
    **dict.fromkeys(UNAUTHORIZED, "key_error_text"),
    "bad_exchange_credentials": "bad_exchange_credentials",
    "credits_exhausted": "credits_exhausted",
}

# The ``error`` of the older shape, by status.
# fact: coinstats-error-shape-legacy-names
NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    413: "Payload Too Large",
    429: "Rate limit exceeded",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject; its facts are a parameter's name, the allowed methods and a variant."""
    status, message = _status_and_message(reject, context)
    # fact: coinstats-media-type, coinstats-no-rate-headers
    headers = [(b"content-type", b"application/json")]
    headers += reject.allow
    render = _legacy_body if context.quirks["error_shape"] == "legacy" else _current_body
    body = msgspec.json.encode(render(status, message, context))
    return Response(status, tuple(headers), body)


def _status_and_message(reject: Reject, context: ErrorContext) -> tuple[int, str]:
    error, facts = ERRORS[reject.reason], reject.facts
    if "parameter" in facts:
        # fact: coinstats-invalid-parameter, coinstats-error-message
        return error.status, f"Invalid parameter: {facts['parameter']}"
    if reject.reason not in QUIRKS:
        return error.status, error.message
    variant = str(facts.get("variant") or context.quirks[QUIRKS[reject.reason]])
    if variant == "observed":
        return error.status, INVALID_KEY
    # fact: coinstats-bad-exchange-credentials-status, coinstats-credits-exhausted-status
    status = int(variant) if variant.isdigit() else error.status
    rejected = reject.reason == "bad_exchange_credentials" and status != error.status
    # fact: coinstats-bad-exchange-credentials-other-text
    return status, "Invalid exchange credentials" if rejected else error.message


def _current_body(status: int, message: str, context: ErrorContext) -> dict[str, Any]:
    body = {"statusCode": status, "message": message}
    if status == 503:  # fact: coinstats-error-503
        return body
    entropy = seeded(context.seed, "coinstats", "request", context.number, size=16)
    # fact: coinstats-error-shape
    return body | {
        "requestId": str(UUID(bytes=entropy, version=4)),  # fact: coinstats-error-request-id
        # fact: coinstats-error-path, coinstats-error-path-raw
        "path": context.path.decode("utf-8", "replace"),
    }


def _legacy_body(status: int, message: str, context: ErrorContext) -> dict[str, Any]:
    # fact: coinstats-error-shape-legacy
    return {"message": message} if status == 409 else {"error": NAMES[status], "message": message}
