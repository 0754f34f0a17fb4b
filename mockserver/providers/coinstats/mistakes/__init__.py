"""Explains what CoinStats rejects: a misplaced or altered key, a portfolio, credits.

``body`` explains bodies and parameters, ``exchange`` the credentials of an exchange.
"""

from collections.abc import Mapping

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    SentValue,
    explanation_for,
    fingerprinted,
    match_altered_key,
    printable,
    sent_values,
)
from mockserver.model.query import first
from mockserver.providers.coinstats.auth import bearer_token
from mockserver.providers.coinstats.exchanges import EXCHANGES
from mockserver.providers.coinstats.mistakes import body, exchange
from mockserver.providers.coinstats.usage import BALANCE_COST, STATUS_COST, SUPPORT_COST, SYNC_COST

HEADER = "X-API-KEY"
BEARER = "Authorization: Bearer"
EXPECTED_KEY = f"a key in {HEADER}, or after {BEARER}"

# A key in the wrong place, by SentValue.where.
MISPLACED = {
    "header": Mistake("key in another header", f"Send the key in the header {HEADER}."),
    "parameter": Mistake("key in the query", f"Send the key in the header {HEADER}."),
    "member": Mistake("key in the body", f"Send the key in the header {HEADER}."),
}
NO_BEARER = Mistake("no Bearer", "Write the word Bearer and one space before the key.")
SCHEME_BEFORE_KEY = "a scheme such as Bearer before the key"

COSTS = {"balance": BALANCE_COST, "support": SUPPORT_COST, "status": STATUS_COST, "sync": SYNC_COST}


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Explains a rejected request; returns None where the general explanation is enough."""
    explainer = EXPLAINERS.get(rejected.reason)
    return None if explainer is None else explainer(rejected)


def _labels_by_key(rejected: RejectedRequest) -> Mapping[bytes, str]:
    return {key.api_key.encode(): key.label for key in rejected.keys}


# The key


def _explain_missing_key(rejected: RejectedRequest) -> Explanation | None:
    labels = _labels_by_key(rejected)
    for value in sent_values(rejected.request):
        match = match_altered_key(value.value, labels, whole=True)
        if match is not None:
            alterations, label = match
            received = f"the key {label} in {value.place}"
            return explanation_for(_placement_mistakes(value, alterations), EXPECTED_KEY, received)
    return _explain_empty_key(rejected)


def _placement_mistakes(value: SentValue, alterations: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    """Returns the mistakes of a key that was sent in the wrong place."""
    if (value.where, value.name) != ("header", "authorization"):
        return (MISPLACED[value.where], *alterations)
    return (NO_BEARER, *(mistake for mistake in alterations if mistake.name != SCHEME_BEFORE_KEY))


def _explain_empty_key(rejected: RejectedRequest) -> Explanation | None:
    """Explains a header without a key; returns None where neither header was sent."""
    for name in (HEADER, "Authorization"):
        for header_name, value in rejected.request.headers:
            if header_name == name.lower().encode() and value.strip().lower() in (b"", b"bearer"):
                fix = "Check that the variable that holds the key is set."
                return Explanation("empty key", EXPECTED_KEY, f"no key in the header {name}", fix)
    return None


def _explain_unknown_key(rejected: RejectedRequest) -> Explanation | None:
    request, labels = rejected.request, _labels_by_key(rejected)
    header = request.header(HEADER.lower().encode())
    token = bearer_token(request.header(b"authorization"))
    if header and token in labels:
        received = f"{fingerprinted(header)} in {HEADER}, the key {labels[token]} after Bearer"
        fix = f"Omit {HEADER}, or send the right key in it."
        return Explanation("X-API-KEY before Authorization", EXPECTED_KEY, received, fix)
    presented = header or token
    match = match_altered_key(presented, labels)
    if match is not None:
        alterations, label = match
        received = f"{fingerprinted(presented)}, which is similar to it"
        return explanation_for(alterations, f"the key {label}", received)
    return _explain_other_value(rejected, presented.decode("latin-1"))


def _explain_other_value(rejected: RejectedRequest, presented: str) -> Explanation | None:
    """Explains another value in place of the key: its label, or an exchange's key."""
    for key in rejected.keys:
        if presented == key.label:
            fix = f"Send the key itself: {presented} is only its label in this mock."
            received = f"its label {presented}"
            return Explanation("label for the key", f"the key {presented}", received, fix)
    exchange_values = {v: name for k in rejected.keys for name, v in k.connection_fields.items()}
    exchange_values |= body.field_names(rejected.request.body)
    if presented not in exchange_values:
        return None
    received = f"{fingerprinted(presented)}, the {exchange_values[presented]} of an exchange"
    fix = "Send a key of CoinStats here; an exchange's keys belong in connectionFields."
    return Explanation("exchange's key for the key", "a key of CoinStats", received, fix)


# Portfolios and credits


def _explain_portfolio(rejected: RejectedRequest) -> Explanation:
    id = first(rejected.request.query, "portfolioId")
    if id in EXCHANGES:
        rule, fix = "connectionId for the portfolioId", "Send portfolio.id of the balance call."
    else:
        rule = "unknown portfolio"
        fix = "Call POST /v1/exchange/balance with this key first: it creates the portfolio."
    expected = "portfolio.id of a balance call with this key"
    return Explanation(rule, expected, printable(id.encode()), fix)


def _explain_credits(rejected: RejectedRequest) -> Explanation:
    cost = COSTS[rejected.request.path.decode("latin-1").rpartition("/")[2]]
    return Explanation(
        "credits exhausted",
        f"{cost} credits for this call",
        f"{rejected.facts['left']} left of {rejected.quirks['credits']}",
        "Reset the sandbox, use another key, or raise the quirk coinstats.credits.",
    )


def _explain_not_synced(rejected: RejectedRequest) -> Explanation:
    return Explanation(
        "not synced",
        "a portfolio whose status is synced",
        "one that is still syncing",
        "Poll GET /v1/exchange/status until it says synced, then retry.",
    )


EXPLAINERS = {
    "missing_credential": _explain_missing_key,
    "unknown_credential": _explain_unknown_key,
    "bad_request": body.explain_parameter,
    "bad_exchange_credentials": exchange.explain_credentials,
    "not_found": _explain_portfolio,
    "credits_exhausted": _explain_credits,
    "not_synced": _explain_not_synced,
}
