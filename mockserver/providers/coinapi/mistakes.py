"""Explains why CoinAPI rejected a request: a misplaced or altered key, an exchange."""

from collections.abc import Mapping
from functools import partial

from mockserver.explain import (
    Explainer,
    Explanation,
    RejectedRequest,
    by_reason,
    printable,
)
from mockserver.explain.plain_keys import explain_missing_key, explain_unknown_key
from mockserver.model.rule_table import KeyRules
from mockserver.model.suggestions import nearest
from mockserver.providers.coinapi.auth import PLACES

IN_HEADER = "Send the key in the header X-CoinAPI-Key."
KEY_RULES = KeyRules(
    places=PLACES,
    expected="a key in the header X-CoinAPI-Key or the parameter apikey",
    misplaced={
        "header": ("key in another header", IN_HEADER),
        "parameter": ("key in another parameter", "Rename the parameter to apikey."),
        "member": ("key in the body", IN_HEADER),
    },
)


def _explain_unreachable(rejected: RejectedRequest) -> Explanation:
    exchange, connected = rejected.facts["exchange_id"], rejected.facts["connected"]
    received = printable(exchange.encode())
    if exchange in connected:
        return Explanation(
            "exchange unreachable",
            "a connected exchange that is reachable",
            received,
            "Ask for one exchange at a time, by exchange_id; the request itself is correct."
            if rejected.facts.get("unfiltered")
            else "Omit exchange_id to get the reachable ones; the request itself is correct.",
        )
    suggestion = nearest(exchange, connected)
    other_case = suggestion.lower() == exchange.lower()
    return Explanation(
        "exchange id in another case" if other_case else "exchange not connected",
        f"one of {', '.join(connected)}" if connected else "no exchange: none is connected",
        received,
        f"Did you mean {suggestion}?" if suggestion else "Request a connected one, or all.",
    )


EXPLAINERS: Mapping[str, Explainer] = {
    "missing_credential": partial(explain_missing_key, rules=KEY_RULES),
    "unknown_credential": partial(explain_unknown_key, rules=KEY_RULES),
    "exchange_unreachable": _explain_unreachable,
}
explain = by_reason(EXPLAINERS)
