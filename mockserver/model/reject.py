"""The reasons for which requests are rejected, shared by every provider.

A reject has facts (a reset time, a parameter's name), never a sentence. The provider's error table
turns it into a status, headers and a body.
"""

from typing import Any

from mockserver.model.http import Headers

REASONS = (
    "no_route",
    "bad_method",
    "too_large",
    "foreign_origin",
    "bad_request",
    "bad_exchange_credentials",
    "business_rule",
    "missing_credential",
    "unknown_credential",
    "revoked_credential",
    "bad_signature",
    "outside_window",
    "expired",
    "replayed",
    "forbidden",
    "ip_not_allowed",
    "rate_limited",
    "credits_exhausted",
    "payment_required",
    "not_found",
    "bad_page_token",
    "exchange_unreachable",
    "exchange_response_timeout",
    "order_id_not_found",
    "invalid_type",
    "method_not_supported",
    "json_error",
    "other",
    "not_synced",
    "internal_error",
    "service_unavailable",
    "endpoint_unavailable",
    "not_implemented",
)


class Reject(Exception):
    """Rejects a request: one of REASONS, with the facts that the response needs."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts

    @property
    def allow(self) -> Headers:
        """The Allow header of ``bad_method``, () for another reason."""
        methods = self.facts.get("allow")
        return ((b"allow", ", ".join(methods).encode()),) if methods else ()
