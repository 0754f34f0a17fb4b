"""The error table: ``{"errorType", "errorMessage", "correlationId", "errorLink"}``.

Every failed authentication gets the same response; the journal has the reason.
"""

from uuid import UUID

import msgspec
from msgspec import Struct

from mockserver.model.http import Headers, Response
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.times import SECOND

JSON: Headers = ((b"content-type", b"application/json"),)
PLAIN: Headers = ((b"content-type", b"text/plain"),)

# fact: cdp-error-link, cdp-error-link-spelling
ERRORS_PAGE = "https://docs.cdp.coinbase.com/api-reference/v2/errors#"
EDGE = "IAD"  # the last part of the documented correlation id


class Error(Struct, frozen=True):
    """A row of the table; a reject may replace ``message``."""

    status: int
    type: str
    message: str


# fact: cdp-invalid-request
INVALID = Error(400, "invalid_request", "Invalid account ID or query parameters.")
# The text of INVALID at the other operations.
INVALID_TEXTS = {
    "listAccounts": "Invalid query parameters.",  # fact: cdp-invalid-request-list
    "getAccount": "Invalid account ID.",  # fact: cdp-invalid-request-account
    # fact: cdp-invalid-request-asset
    "getBalance": "Invalid account ID or asset symbol.",
}
# fact: cdp-unauthorized, cdp-unauthorized-alike
UNAUTHORIZED = Error(401, "unauthorized", "Authentication required.")

ERRORS = {
    # fact: cdp-wrong-path, cdp-asset-missing
    "no_route": Error(404, "not_found", "The requested resource was not found."),
    # fact: cdp-wrong-method, cdp-write-rate
    "bad_method": Error(405, "invalid_request", "Method not allowed."),
    # fact: cdp-large-body
    "too_large": Error(413, "invalid_request", "Request body too large."),
    "bad_request": INVALID,
    "bad_page_token": INVALID,
    "missing_credential": UNAUTHORIZED,
    "unknown_credential": UNAUTHORIZED,
    "revoked_credential": UNAUTHORIZED,
    "bad_signature": UNAUTHORIZED,
    "outside_window": UNAUTHORIZED,
    "expired": UNAUTHORIZED,
    # fact: cdp-forbidden, cdp-permission
    "forbidden": Error(403, "forbidden", "User forbidden from performing the action."),
    # fact: cdp-not-found
    "not_found": Error(404, "not_found", "Account not found."),
    # fact: cdp-rate-limited
    "rate_limited": Error(
        429, "rate_limit_exceeded", "Rate limit exceeded. Please try again later."
    ),
    # fact: cdp-internal-error
    "internal_error": Error(500, "internal_server_error", "An internal server error occurred."),
    # fact: cdp-unavailable
    "service_unavailable": Error(
        503, "service_unavailable", "Service unavailable. Please try again later."
    ),
    # fact: cdp-endpoint-unavailable
    "endpoint_unavailable": Error(
        503,
        "endpoint_unavailable",
        "This endpoint is temporarily unavailable. Please try again later.",
    ),
}

ALTERNATIVE = "alternative"
# Texts of the errors page that differ from those of the endpoint's own page.
# fact: cdp-error-text
ALTERNATIVE_TEXTS = {
    "unauthorized": "Authentication error.",
    "forbidden": "Forbidden.",
    "rate_limit_exceeded": "Too many requests. Please try again later.",
}
VARIANTS = {
    reason: (ALTERNATIVE,) for reason, error in ERRORS.items() if error.type in ALTERNATIVE_TEXTS
}


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject.

    Its facts are ``message``, ``variant``, ``allow`` and ``wait`` (nanoseconds).
    """
    row, facts, quirks = ERRORS[reject.reason], reject.facts, context.quirks
    if row is UNAUTHORIZED and quirks["auth_failure_body"] == "plain":
        return Response(row.status, PLAIN, b"Unauthorized")  # fact: cdp-plain-unauthorized
    headers = JSON
    headers += reject.allow
    # fact: cdp-retry-after, cdp-retry-after-quirk
    if reject.reason == "rate_limited" and quirks["retry_after"] == "true":
        headers += ((b"retry-after", b"%d" % -(-facts.get("wait", SECOND) // SECOND)),)
    # fact: cdp-error-body
    body = {"errorType": row.type, "errorMessage": _message(row, reject, context)}
    # fact: cdp-error-body-always, cdp-error-members
    if quirks["error_members"] != "two":
        body["correlationId"] = _correlation_id(context)
        body["errorLink"] = ERRORS_PAGE + row.type
    return Response(row.status, headers, msgspec.json.encode(body))


def _message(row: Error, reject: Reject, context: ErrorContext) -> str:
    text = reject.facts.get("variant", context.quirks["error_text"])
    if text == ALTERNATIVE and row.type in ALTERNATIVE_TEXTS:
        return ALTERNATIVE_TEXTS[row.type]
    default = INVALID_TEXTS.get(context.operation, row.message) if row is INVALID else row.message
    message: str = reject.facts.get("message", default)
    return message


def _correlation_id(context: ErrorContext) -> str:
    # fact: cdp-correlation-id-seeded
    parts = (context.seed, "cdp", "correlationId", context.number)
    if context.quirks["error_members"] == "uuid":  # fact: cdp-error-members-uuid
        return str(UUID(bytes=seeded(*parts, size=16), version=4))
    return f"{seeded(*parts, size=8).hex()}-{EDGE}"  # fact: cdp-correlation-id
