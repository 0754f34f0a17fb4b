"""Explains what CoinStats rejects: a misplaced or altered key, a portfolio, credits.

``body`` explains bodies and parameters, ``exchange`` the credentials of an exchange.
"""

from collections.abc import Callable, Mapping
from functools import partial

from mockserver.explain import Explanation, RejectedRequest, fingerprinted, printable
from mockserver.explain.plain_keys import explain_missing_key, explain_wrong_key
from mockserver.model.query import first
from mockserver.model.rule_table import KeyRules
from mockserver.providers.coinstats.auth import PLACES, read_key
from mockserver.providers.coinstats.exchanges import EXCHANGES
from mockserver.providers.coinstats.mistakes import body, exchange
from mockserver.providers.coinstats.usage import BALANCE_COST, STATUS_COST, SUPPORT_COST, SYNC_COST

IN_HEADER = "Send the key in the header X-API-KEY."
KEY_RULES = KeyRules(
    places=PLACES,
    expected="a key in X-API-KEY, or after Authorization: Bearer",
    misplaced={
        "header": ("key in another header", IN_HEADER),
        "parameter": ("key in the query", IN_HEADER),
        "member": ("key in the body", IN_HEADER),
    },
    shadowed=(
        "X-API-KEY before Authorization",
        "{sent} in X-API-KEY, the key {label} after Bearer",
        "Omit X-API-KEY, or send the right key in it.",
    ),
    empty="no key in {}",
    no_scheme=("no Bearer", "Write the word Bearer and one space before the key."),
)

COSTS = {"balance": BALANCE_COST, "support": SUPPORT_COST, "status": STATUS_COST, "sync": SYNC_COST}


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Explains a rejected request; returns None where the general explanation is enough."""
    explainer = EXPLAINERS.get(rejected.reason)
    return None if explainer is None else explainer(rejected)


# The key


def _explain_unknown_key(rejected: RejectedRequest) -> Explanation | None:
    """Explains an unknown key; an exchange's key in its place, too."""
    explanation = explain_wrong_key(rejected, KEY_RULES)
    if explanation is not None:
        return explanation
    presented = read_key(rejected.request).decode("latin-1")
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


EXPLAINERS: Mapping[str, Callable[[RejectedRequest], Explanation | None]] = {
    "missing_credential": partial(explain_missing_key, rules=KEY_RULES),
    "unknown_credential": _explain_unknown_key,
    "bad_request": body.explain_parameter,
    "bad_exchange_credentials": exchange.explain_credentials,
    "not_found": _explain_portfolio,
    "credits_exhausted": _explain_credits,
    "not_synced": _explain_not_synced,
}
