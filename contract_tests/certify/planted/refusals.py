# ruff: noqa: SLF001 - a defect replaces a part of a client
"""Planted defects: refusals that are hidden, or retried for ever."""

from typing import Any

from contract_tests.certify import changes
from contract_tests.certify.planting import (
    ALL,
    ERRORS,
    HTTP,
    again_while,
    changed,
    fails,
    on_error,
    plant,
)
from contract_tests.clients.coinstats import CoinStatsClient, CoinStatsError

REFUSED = (
    "two-runs-at-once",
    "exchange-credentials-refused",
    "unknown-key",
    "revoked-key",
    "bad-signature",
    "plain-text-401",
    "clock-skew-raises",
    "no-secret-*",
    "revoked-in-the-middle-of-a-walk",
)
UNAUTHORIZED = ("10006", "10007")
plant("shows a 401 as empty", HTTP, "unknown-key", *REFUSED, http_options=changed(changes.status_as_empty(401)))  # fmt: skip
plant("shows a wrong key as empty", ("coinw",), "unknown-key", *REFUSED, http_options=changed(changes.code_as_empty(*UNAUTHORIZED)))  # fmt: skip
plant("shows a 403 as empty", ALL, "challenge-page", "forbidden", "error-without-message", http_options=changed(changes.status_as_empty(403)))  # fmt: skip
plant("shows a 404 as empty", HTTP, "not-found", http_options=changed(changes.status_as_empty(404)))
plant("shows a 400 as empty", HTTP, "bad-request", "expired-page-token", "exchange-credentials-refused", http_options=changed(changes.status_as_empty(400, 422)))  # fmt: skip
plant("retries a 401 for ever", ALL, "plain-text-401", *REFUSED, balances=again_while(lambda self, e: self.status == 401, 0.1))  # fmt: skip
plant("retries whatever fails for ever", ALL, "unknown-key", ERRORS, balances=again_while(lambda self, e: True, 0.1))  # fmt: skip
plant(
    "trusts the status 200",
    ("coinw",),
    "errors-under-status-200",
    *REFUSED,
    "forbidden",
    "not-found",
    "bad-request",
    "code-29001-is-a-limit",
    "limit*",
    "server-error*",
    "json-of-another-service",
    "first-try",
    "rows-of-another-type",
    http_options=changed(
        lambda _, r: (
            changes.with_body(r, changes.EMPTY["coinw"])
            if r.status_code == 200
            and isinstance(d := changes.parsed(r), dict)
            and not d.get("data")
            else r
        )
    ),
)
plant("takes 29001 for an account without coins", ("coinw",), "code-29001-is-a-limit", "limited-for-ever", "limit-without-a-hint", http_options=changed(changes.code_as_empty("29001")))  # fmt: skip
plant("shows a 490 as empty", ("coinapi",), "unreachable-exchange", "unreachable-exchange-media-type", "exchange-timeout", http_options=changed(changes.status_as_empty(490)))  # fmt: skip
plant("shows a 490 of the right media type as empty", ("coinapi",), "unreachable-exchange-media-type", http_options=changed(lambda p, r: (changes.status_as_empty(490)(p, r) if r.headers.get("content-type") == "application/json" else r)))  # fmt: skip
plant("loses the reason of a 490", ("coinapi",), "unreachable-exchange", "unreachable-exchange-media-type", "exchange-timeout", balances=on_error(lambda self, e: fails(RuntimeError("the request failed") if self.status == 490 else e)))  # fmt: skip
plant("knows one reason of a 490", ("coinapi",), "exchange-timeout", balances=on_error(lambda self, e: fails(RuntimeError("EXCHANGE_UNREACHABLE") if self.status == 490 else e)))  # fmt: skip
plant("retries exhausted credits", ("coinstats",), "credits-exhausted", kind=lambda self: type("Planted", (CoinStatsClient,), {"_read": lambda client, method, path, **content: retried(client, method, path, content)}))  # fmt: skip
plant("shows refused exchange credentials as empty", ("coinstats",), "exchange-credentials-refused", http_options=changed(lambda p, r: changes.with_body(r, changes.EMPTY[p]) if b"redentials" in r.content else r))  # fmt: skip


def retried(client: Any, method: str, path: str, content: Any) -> Any:
    """Retries whatever error is a 429, seven times."""
    for _ in range(7):
        try:
            return client._send(method, path, content)
        except CoinStatsError as error:
            if error.code != "429" and not error.retriable:
                raise
            client._sleep(1)
    return client._send(method, path, content)
