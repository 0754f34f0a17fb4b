"""Why a request is refused: the vocabulary every provider shares.

A reject carries facts (a reset time, a parameter's name), never a sentence; the
provider's error table turns it into a status, headers and a body.
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
)


class Reject(Exception):
    """A refusal: one of REASONS, with the facts the provider's answer needs."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts

    @property
    def allow(self) -> Headers:
        """The Allow header, where the method was wrong."""
        methods = self.facts.get("allow")
        return ((b"allow", ", ".join(methods).encode()),) if methods else ()
