"""The error table: ``{"success": false, "message": ...}`` and nothing else."""

import msgspec

from mockserver.model.http import Headers, Response
from mockserver.model.provider import Error, ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.times import SECOND

JSON: Headers = ((b"content-type", b"application/json"),)  # fact: cpg-media-type

ERRORS = {
    # fact: cpg-route-first
    "no_route": Error(404, "Not Found"),
    "bad_method": Error(405, "Method Not Allowed"),
    "too_large": Error(413, "Request body too large"),  # fact: cpg-body-too-large
    # fact: cpg-validation-status
    "bad_request": Error(422, "body: Input should be a valid dictionary"),
    "business_rule": Error(400, "Insufficient balance"),  # fact: cpg-business-rule
    "missing_credential": Error(401, "Missing authentication headers"),
    # fact: cpg-unknown-key
    "unknown_credential": Error(401, "Invalid API key"),
    "revoked_credential": Error(401, "Invalid API key"),
    "bad_signature": Error(401, "Invalid signature"),  # fact: cpg-bad-signature
    # fact: cpg-timestamp-text
    "outside_window": Error(401, "Request timestamp is outside the allowed window"),
    "replayed": Error(401, "Request signature has already been used"),  # fact: cpg-replay
    "forbidden": Error(403, "Insufficient permissions"),  # fact: cpg-forbidden-text
    "ip_not_allowed": Error(403, "IP address not allowed"),  # fact: cpg-foreign-address-text
    "rate_limited": Error(429, "Rate limit exceeded"),  # fact: cpg-rate-limited
    "not_found": Error(404, "Withdrawal not found"),  # fact: cpg-not-found-texts
    "internal_error": Error(500, "Internal server error"),  # fact: cpg-server-error
    "service_unavailable": Error(503, "Service unavailable"),  # fact: cpg-unavailable
}


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject; only the limit per address sends headers about when to retry."""
    error, facts = ERRORS[reject.reason], reject.facts
    headers = JSON
    if facts.get("limit") == "ip":  # fact: cpg-key-limit-bare
        # fact: cpg-address-limit-headers, cpg-address-limit-header-values
        headers += (
            (b"retry-after", b"%d" % -(-facts["wait"] // SECOND)),
            (b"x-ratelimit-limit", b"%d" % facts["count"]),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-reset", b"%d" % (facts["reset"] // SECOND)),
        )
    headers += reject.allow
    # fact: cpg-error-envelope
    body = {"success": False, "message": facts.get("message", error.message)}
    return Response(error.status, headers, msgspec.json.encode(body))
