"""The error table: ``{"errorType", "errorMessage", "correlationId", "errorLink"}``.

Every failed authentication gets one and the same answer; the journal tells them apart.
"""

import msgspec
from msgspec import Struct

from mockserver.model.durations import SECOND
from mockserver.model.http import Headers, Response
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded

JSON: Headers = ((b"content-type", b"application/json"),)
PLAIN: Headers = ((b"content-type", b"text/plain"),)

LINK = "https://docs.cdp.coinbase.com/api-reference/v2/errors#"
EDGE = "IAD"  # what the documented correlation id ends in

UNAUTHORIZED = 401


class Error(Struct, frozen=True):
    """A row: ``message`` stands where the reject brings none."""

    status: int
    type: str
    message: str


INVALID = Error(400, "invalid_request", "Invalid account ID or query parameters.")
REFUSED = Error(UNAUTHORIZED, "unauthorized", "Authentication required.")

ERRORS = {
    "no_route": Error(404, "not_found", "The requested resource was not found."),
    "bad_method": Error(405, "invalid_request", "Method not allowed."),
    "too_large": Error(413, "invalid_request", "Request body too large."),
    "bad_request": INVALID,
    "bad_page_token": INVALID,
    "missing_credential": REFUSED,
    "unknown_credential": REFUSED,
    "revoked_credential": REFUSED,
    "bad_signature": REFUSED,
    "outside_window": REFUSED,
    "expired": REFUSED,
    "forbidden": Error(403, "forbidden", "User forbidden from performing the action."),
    "not_found": Error(404, "not_found", "Account not found."),
    "rate_limited": Error(
        429, "rate_limit_exceeded", "Rate limit exceeded. Please try again later."
    ),
    "internal_error": Error(500, "internal_server_error", "An internal server error occurred."),
    "service_unavailable": Error(
        503, "service_unavailable", "Service unavailable. Please try again later."
    ),
    "endpoint_unavailable": Error(
        503,
        "endpoint_unavailable",
        "This endpoint is temporarily unavailable. Please try again later.",
    ),
}


def refuse(reject: Reject, asked: ErrorContext) -> Response:
    """Renders a reject; the facts are a message, the methods allowed, the time to wait."""
    row, facts, quirks = ERRORS[reject.reason], reject.facts, asked.quirks
    if row.status == UNAUTHORIZED and quirks["auth_failure_body"] == "plain":
        return Response(row.status, PLAIN, b"Unauthorized")
    headers = JSON
    headers += reject.allow
    if reject.reason == "rate_limited" and quirks["retry_after"] == "true":
        headers += ((b"retry-after", b"%d" % -(-facts.get("wait", SECOND) // SECOND)),)
    digest = seeded(asked.seed, "cdp", "correlationId", asked.number, size=8)
    body = {
        "errorType": row.type,
        "errorMessage": facts.get("message", row.message),
        "correlationId": f"{digest.hex()}-{EDGE}",
        "errorLink": LINK + row.type,
    }
    return Response(row.status, headers, msgspec.json.encode(body))
