"""Planted defects: pauses that are not kept, retries without a bound."""

from contract_tests.certify import changes
from contract_tests.certify.planting import ALL, HTTP, again_while, changed, plant
from contract_tests.certify.reference import Exchange


def hasty(self: Exchange, seconds: float) -> None:
    """Does not sleep."""


def capped(self: Exchange, seconds: float) -> None:
    self.stage["sleep"](min(max(seconds, self.asked), 2))


plant("never sleeps", ALL, "limit-without-a-hint", "retry-after-honoured", "long-retry-after", "syncing-for-ever", sleep=hasty)  # fmt: skip
plant("sleeps two seconds at most", HTTP, "long-retry-after", sleep=capped)
plant("ignores Retry-After", HTTP, "retry-after-honoured", "long-retry-after", "limit-without-a-hint", sleep=lambda self, seconds: self.stage["sleep"](0.2))  # fmt: skip
plant("retries a 429 for ever", ("cdp", "coinapi", "coinstats", "cpg"), "limited-for-ever", "long-retry-after", "credits-exhausted", balances=again_while(lambda self, e: self.status == 429, 5000))  # fmt: skip
plant("retries a limit for ever", ("coinw",), "limited-for-ever", balances=again_while(lambda self, e: "29001" in str(e), 2))  # fmt: skip
plant("shows a 429 as empty", HTTP, "limited-for-ever", "limit*", "retry-after*", "long-retry-after", "credits-exhausted", http_options=changed(changes.status_as_empty(429)))  # fmt: skip
plant("retries a 5xx for ever", ALL, "bad-gateway-page", "server-error-for-ever", "no-secret-in-a-parser-error", balances=again_while(lambda self, e: self.status >= 500, 1))  # fmt: skip
plant("shows a 5xx as empty", ALL, "bad-gateway-page", "server-error*", "error-in-the-middle-of-a-walk", "no-secret-in-a-parser-error", "first-try", http_options=changed(changes.status_as_empty(500, 502, 503)))  # fmt: skip
plant(
    "shows what is no JSON as empty",
    ALL,
    "html-under-status-200",
    "empty-body-under-status-200",
    "truncated-json",
    "json-twice",
    "gzip-*",
    "body-longer-than-announced",
    "retry-is-accepted",
    "invalid-utf8",
    http_options=changed(changes.unreadable_as_empty),
)
plant("takes a body without rows for an account without rows", ALL, "json-of-another-service", "redirect-to-another-host", "limit*", "code-29001-is-a-limit", http_options=changed(changes.missing_as_empty))  # fmt: skip
plant("follows redirects with its key", ("coinapi", "coinstats", "cpg"), "redirect-to-another-host", http_options=lambda self: {"follow_redirects": True})  # fmt: skip
plant("takes a redirect for an account without rows", ALL, "redirect-to-another-host", http_options=changed(changes.status_as_empty(307)))  # fmt: skip
