"""Explains why CoinAPI rejected a request: a misplaced or altered key, an exchange."""

from collections.abc import Mapping

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    explanation_for,
    fingerprinted,
    match_altered_key,
    nearest,
    printable,
    sent_values,
)
from mockserver.model.query import first

HEADER = "X-CoinAPI-Key"
PARAMETER = "apikey"
EXPECTED_KEY = f"a key in the header {HEADER} or the parameter {PARAMETER}"

# A key in the wrong place, by SentValue.where.
MISPLACED = {
    "header": Mistake("key in another header", f"Send the key in the header {HEADER}."),
    "parameter": Mistake("key in another parameter", f"Rename the parameter to {PARAMETER}."),
    "member": Mistake("key in the body", f"Send the key in the header {HEADER}."),
}


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Returns the explanation, or None for reasons that are not specific to CoinAPI."""
    explainer = EXPLAINERS.get(rejected.reason)
    return None if explainer is None else explainer(rejected)


def _labels_by_key(rejected: RejectedRequest) -> Mapping[bytes, str]:
    return {key.api_key.encode(): key.label for key in rejected.keys}


def _explain_missing_key(rejected: RejectedRequest) -> Explanation | None:
    keys = _labels_by_key(rejected)
    for value in sent_values(rejected.request):
        match = match_altered_key(value.value, keys, whole=True)
        if match is not None:
            alterations, label = match
            received = f"the key {label} in {value.place}"
            mistakes = (MISPLACED[value.where], *alterations)
            return explanation_for(mistakes, EXPECTED_KEY, received)
    return _explain_empty_key(rejected)


def _explain_empty_key(rejected: RejectedRequest) -> Explanation | None:
    """Explains an empty header or parameter; returns None if neither was sent."""
    places = {("header", HEADER.lower()), ("parameter", PARAMETER)}
    sent = (value for value in sent_values(rejected.request) if (value.where, value.name) in places)
    empty = next(sent, None)
    if empty is None:
        return None
    fix = "Check that the variable that holds the key is set."
    return Explanation("empty key", EXPECTED_KEY, f"nothing in {empty.place}", fix)


def _explain_unknown_key(rejected: RejectedRequest) -> Explanation | None:
    request, keys = rejected.request, _labels_by_key(rejected)
    header = request.header(HEADER.lower().encode())
    parameter = first(request.query, PARAMETER).encode()
    if header and parameter in keys:
        in_header = f"{fingerprinted(header)} in the header"
        received = f"{in_header}, the key {keys[parameter]} in the parameter"
        fix = f"Omit the header {HEADER}, or send the right key in it."
        return Explanation("header before parameter", EXPECTED_KEY, received, fix)
    presented = header or parameter
    match = match_altered_key(presented, keys)
    if match is not None:
        alterations, label = match
        received = f"{fingerprinted(presented)}, which is similar to it"
        return explanation_for(alterations, f"the key {label}", received)
    label = presented.decode("latin-1")
    if label in keys.values():
        fix = f"Send the key itself: {label} is only its label in this mock."
        return Explanation("label for the key", f"the key {label}", f"its label {label}", fix)
    return None


def _explain_unreachable(rejected: RejectedRequest) -> Explanation:
    exchange, connected = rejected.facts["exchange_id"], rejected.facts["connected"]
    received = printable(exchange.encode())
    if exchange in connected:
        return Explanation(
            "exchange unreachable",
            "a connected exchange that is reachable",
            received,
            "Omit exchange_id to get the reachable ones; the request itself is correct.",
        )
    suggestion = nearest(exchange, connected)
    other_case = suggestion.lower() == exchange.lower()
    return Explanation(
        "exchange id in another case" if other_case else "exchange not connected",
        f"one of {', '.join(connected)}" if connected else "no exchange: none is connected",
        received,
        f"Did you mean {suggestion}?" if suggestion else "Request a connected one, or all.",
    )


EXPLAINERS = {
    "missing_credential": _explain_missing_key,
    "unknown_credential": _explain_unknown_key,
    "exchange_unreachable": _explain_unreachable,
}
