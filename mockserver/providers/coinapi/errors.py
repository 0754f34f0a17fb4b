"""The error table: 490 with a MESSAGE_REJECT, everything else ``{"error": ...}``."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.model.http import Response
from mockserver.model.provider import Error, ErrorContext
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.times import SECOND
from mockserver.model.world import Quirks


class MessageReject(Struct, frozen=True):
    """A row that renders as a MESSAGE_REJECT; None omits a member.

    With ``names_requested`` the requested exchange replaces ``exchange_id``.
    """

    reject_reason: str
    message: str
    exchange_id: str | None = None
    rejected_message: str | None = None
    names_requested: bool = False
    status: int = 490  # fact: coinapi-unreachable


EXAMPLE_ORDER = "BINANCE-7d8a-4888"  # fact: coinapi-reject-example

# fact: coinapi-error-shape, coinapi-other-failures
ERRORS: dict[str, Error | MessageReject] = {
    # fact: coinapi-route-first
    "no_route": Error(404, "Not Found"),
    "bad_method": Error(405, "Method Not Allowed"),
    "too_large": Error(413, "Payload Too Large"),
    "bad_request": Error(400, "Bad Request"),
    # fact: coinapi-missing-key, coinapi-invalid-key-text
    "missing_credential": Error(401, "Invalid API key"),
    "unknown_credential": Error(401, "Invalid API key"),  # fact: coinapi-unknown-key
    "revoked_credential": Error(401, "Invalid API key"),
    "forbidden": Error(403, "Forbidden"),
    "rate_limited": Error(429, "Too Many Requests"),  # fact: coinapi-rate-limited-text
    # fact: coinapi-unreachable-reject, coinapi-reject-reasons
    "exchange_unreachable": MessageReject(
        "EXCHANGE_UNREACHABLE",
        "Exchange is unreachable.",
        exchange_id="BITMEX",
        names_requested=True,
    ),
    "exchange_response_timeout": MessageReject(
        "EXCHANGE_RESPONSE_TIMEOUT",
        "Exchange response timeout.",
        exchange_id="BITMEX",
        names_requested=True,
    ),
    "order_id_not_found": MessageReject(
        "ORDER_ID_NOT_FOUND",
        f"Order with ID: {EXAMPLE_ORDER} not found",
        exchange_id="BINANCE",
        rejected_message=f'{{"client_order_id":"{EXAMPLE_ORDER}","exchange_id":"BINANCE",'
        '"type":"ORDER_CANCEL_SINGLE_REQUEST"}',
    ),
    "invalid_type": MessageReject("INVALID_TYPE", "Invalid message type."),
    "method_not_supported": MessageReject("METHOD_NOT_SUPPORTED", "Method is not supported."),
    "json_error": MessageReject("JSON_ERROR", "Message is not valid JSON."),
    "other": MessageReject("OTHER", "Request was rejected."),
    "internal_error": Error(500, "Internal Server Error"),
    "service_unavailable": Error(503, "Service Unavailable"),
}

QUOTING = tuple(reason for reason, row in ERRORS.items() if isinstance(row, MessageReject))


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject.

    Its facts are ``exchange_id``, ``rejected_message``, ``allow`` and those of a rate limit.

    A rate limit has ``wait`` (nanoseconds), ``reset`` (nanoseconds since the epoch) and
    ``count``.
    """
    row, facts, quirks = ERRORS[reject.reason], reject.facts, context.quirks
    if isinstance(row, MessageReject):
        # fact: coinapi-reject-media-type, coinapi-reject-media-type-right
        media_type = quirks["reject_media_type"].encode()
        requested = facts.get("exchange_id") or first(context.query, "exchange_id")
        exchange_id = requested if row.names_requested else None
        # fact: coinapi-rejected-message
        quoted = facts.get("rejected_message", row.rejected_message)
        body = _message_reject(row, exchange_id or row.exchange_id, quoted)
        return Response(row.status, ((b"content-type", media_type),), msgspec.json.encode(body))
    headers = [(b"content-type", b"application/json")]
    if reject.reason == "rate_limited":
        headers += _rate_headers(facts, quirks)
    headers += reject.allow
    body = {quirks["error_shape"]: row.message}  # fact: coinapi-error-shape-message
    return Response(row.status, tuple(headers), msgspec.json.encode(body))


# fact: coinapi-reject-members
def _message_reject(
    row: MessageReject, exchange_id: str | None, quoted: str | None
) -> dict[str, str]:
    body = {
        "type": "MESSAGE_REJECT",
        "reject_reason": row.reject_reason,
        "exchange_id": exchange_id,
        "message": row.message,
        "rejected_message": quoted,
    }
    return {name: value for name, value in body.items() if value is not None}


def _rate_headers(facts: dict[str, Any], quirks: Quirks) -> list[tuple[bytes, bytes]]:
    wait = -(-facts.get("wait", SECOND) // SECOND)
    headers = [(b"retry-after", b"%d" % wait)]  # fact: coinapi-retry-after
    # fact: coinapi-rate-limit-headers
    if quirks["rate_limit_headers"] == "on" and "reset" in facts:
        count = b"%d" % facts["count"]
        reset = datetime.fromtimestamp(facts["reset"] // SECOND, UTC)
        headers += [
            (b"x-ratelimit-used", count),
            (b"x-ratelimit-limit", count),
            (b"x-ratelimit-remaining", b"0"),
            (b"x-ratelimit-request-cost", b"1"),
            (b"x-ratelimit-reset", reset.strftime("%Y-%m-%dT%H:%M:%S.0000000Z").encode()),
        ]
    return headers
