"""Why CoinAPI refused: a key that came in another way, an exchange that cannot answer."""

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
WANTED = f"a key in the header {HEADER} or the parameter {PARAMETER}"

# By where a key came that is looked for elsewhere.
PLACES = {
    "header": Mistake("key in another header", f"Send the key in the header {HEADER}."),
    "parameter": Mistake("key in another parameter", f"Call the parameter {PARAMETER}."),
    "member": Mistake("key in the body", f"Send the key in the header {HEADER}."),
}


def explain(refused: RejectedRequest) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of CoinAPI."""
    why = WHY.get(refused.reason)
    return None if why is None else why(refused)


def _keys(refused: RejectedRequest) -> Mapping[bytes, str]:
    return {key.api_key.encode(): key.label for key in refused.keys}


def _missing(refused: RejectedRequest) -> Explanation | None:
    keys = _keys(refused)
    for value in sent_values(refused.request):
        found = match_altered_key(value.value, keys, whole=True)
        if found is not None:
            done, label = found
            told = f"the key {label} in {value.place}"
            return explanation_for((PLACES[value.where], *done), WANTED, told)
    return _empty(refused)


def _empty(refused: RejectedRequest) -> Explanation | None:
    """Explains a key that was meant to come; None where none was."""
    meant = {("header", HEADER.lower()), ("parameter", PARAMETER)}
    found = [value for value in sent_values(refused.request) if (value.where, value.name) in meant]
    if not found:
        return None
    fix = "Look whether the variable is set from which the key is taken."
    return Explanation("empty key", WANTED, f"nothing in {found[0].place}", fix)


def _unknown(refused: RejectedRequest) -> Explanation | None:
    request, keys = refused.request, _keys(refused)
    header = request.header(HEADER.lower().encode())
    parameter = first(request.query, PARAMETER).encode()
    if header and parameter in keys:
        told = f"{fingerprinted(header)} in the header, the key {keys[parameter]} in the parameter"
        fix = f"Leave the header {HEADER} out, or send the right key in it."
        return Explanation("header before parameter", WANTED, told, fix)
    presented = header or parameter
    found = match_altered_key(presented, keys)
    if found is not None:
        done, label = found
        return explanation_for(
            done, f"the key {label}", f"{fingerprinted(presented)}, which is not quite it"
        )
    label = presented.decode("latin-1")
    if label in keys.values():
        fix = f"Send the key itself: {label} is only what it is called here."
        return Explanation("label for the key", f"the key {label}", f"its label {label}", fix)
    return None


def _unreachable(refused: RejectedRequest) -> Explanation:
    wanted, connected = refused.facts["exchange_id"], refused.facts["connected"]
    told = printable(wanted.encode())
    if wanted in connected:
        return Explanation(
            "exchange unreachable",
            "an exchange that is connected and can be reached",
            told,
            "Ask without exchange_id to see those that are; this is no fault of the request.",
        )
    near = nearest(wanted, connected)
    other_case = near.lower() == wanted.lower()
    return Explanation(
        "exchange id in another case" if other_case else "exchange not connected",
        f"one of {', '.join(connected)}" if connected else "no exchange: none is connected",
        told,
        f"Did you mean {near}?" if near else "Ask for one that is connected, or for all.",
    )


WHY = {
    "missing_credential": _missing,
    "unknown_credential": _unknown,
    "exchange_unreachable": _unreachable,
}
