"""The error table: ``{"success": false, "message": ...}`` and nothing else."""

import msgspec

from mockserver.model.durations import SECOND
from mockserver.model.http import Headers, Response
from mockserver.model.provider import Error, ErrorContext
from mockserver.model.reject import Reject

JSON: Headers = ((b"content-type", b"application/json"),)

ERRORS = {
    "no_route": Error(404, "Not Found"),
    "bad_method": Error(405, "Method Not Allowed"),
    "too_large": Error(413, "Request body too large"),
    "bad_request": Error(422, "body: Input should be a valid dictionary"),
    "business_rule": Error(400, "Insufficient balance"),
    "missing_credential": Error(401, "Missing authentication headers"),
    "unknown_credential": Error(401, "Invalid API key"),
    "revoked_credential": Error(401, "Invalid API key"),
    "bad_signature": Error(401, "Invalid signature"),
    "outside_window": Error(401, "Request timestamp is outside the allowed window"),
    "replayed": Error(401, "Request signature has already been used"),
    "forbidden": Error(403, "Insufficient permissions"),
    "ip_not_allowed": Error(403, "IP address not allowed"),
    "rate_limited": Error(429, "Rate limit exceeded"),
    "not_found": Error(404, "Withdrawal not found"),
    "internal_error": Error(500, "Internal server error"),
    "service_unavailable": Error(503, "Service unavailable"),
}


def refuse(reject: Reject, asked: ErrorContext) -> Response:
    """Renders a reject; only the per-IP backstop tells when to come back."""
    error, facts = ERRORS[reject.reason], reject.facts
    headers = JSON
    if facts.get("limit") == "ip":
        headers += (
            (b"retry-after", b"%d" % -(-facts["wait"] // SECOND)),
            (b"x-ratelimit-limit", b"%d" % facts["count"]),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", b"%d" % (facts["reset"] // SECOND)),
        )
    headers += reject.allow
    body = {"success": False, "message": facts.get("message", error.message)}
    return Response(error.status, headers, msgspec.json.encode(body))
