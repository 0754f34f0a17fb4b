"""Planted defects: what is broken on the way is taken for an answer."""

from typing import Any

import httpx

from contract_tests.certify import changes
from contract_tests.certify.planting import ALL, changed, on_error, plant
from contract_tests.certify.reference import Exchange


def no_time_limit(self: Exchange) -> None:
    return None


def network_as_empty(self: Exchange, error: Exception) -> Any:
    if isinstance(error.__cause__, httpx.TransportError):
        return []
    raise error


BROKEN = (
    "connection*",
    "reset-in-the-body",
    "closed-without-an-answer",
    "cut*",
    "body-*",
    "malformed-chunk",
    "garbage*",
    "retry-is-accepted",
    "hang*",
    "no-secret-in-a-network-error",
    "gzip-that-is-none",
)
plant("shows a lost connection as empty", ALL, "connection-reset", *BROKEN, balances=on_error(network_as_empty))  # fmt: skip
plant("has no time limit", ALL, "hang", "hang-in-the-body", timeout=no_time_limit)
plant("accepts a body that is too short", ALL, "body-shorter-than-announced", http_options=changed(changes.unchanged, partial=True))  # fmt: skip
plant("reads the first of two documents", ALL, "json-twice", http_options=changed(changes.first_document))  # fmt: skip
plant("repairs JSON that ends early", ("cdp", "coinapi", "coinstats", "cpg"), "truncated-json", "body-longer-than-announced", "gzip-cut-short", http_options=changed(changes.repaired))  # fmt: skip
plant("reads gzip without its trailer", ALL, "gzip-of-another-length", http_options=lambda self: {"transport": changes.Untrailed(verify=False)})  # fmt: skip
