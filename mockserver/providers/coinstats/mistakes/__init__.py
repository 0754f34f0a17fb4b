"""Why CoinStats refused: a key that came in another way, a portfolio, credits.

What is wrong with a body, ``body`` tells, and ``exchange`` with credentials.
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
from mockserver.providers.coinstats.exchanges import EXCHANGES
from mockserver.providers.coinstats.mistakes import body, exchange
from mockserver.providers.coinstats.usage import BALANCE, STATUS, SUPPORT, SYNC

HEADER = "X-API-KEY"
BEARER = "Authorization: Bearer"
WANTED = f"a key as {HEADER} or behind {BEARER}"

# By where a key came that is looked for elsewhere.
PLACES = {
    "header": Mistake("key in another header", f"Send the key in the header {HEADER}."),
    "parameter": Mistake("key in the query", f"Send the key in the header {HEADER}."),
    "member": Mistake("key in the body", f"Send the key in the header {HEADER}."),
}
NO_BEARER = Mistake("no Bearer", "Put the word Bearer and one space before the key.")
BEFORE = "a scheme such as Bearer before the key"

COSTS = {"balance": BALANCE, "support": SUPPORT, "status": STATUS, "sync": SYNC}


def explain(refused: RejectedRequest) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of CoinStats."""
    why = WHY.get(refused.reason)
    return None if why is None else why(refused)


def _keys(refused: RejectedRequest) -> Mapping[bytes, str]:
    return {key.api_key.encode(): key.label for key in refused.keys}


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


# Who calls


def _missing(refused: RejectedRequest) -> Explanation | None:
    keys = _keys(refused)
    for value in sent_values(refused.request):
        found = match_altered_key(value.value, keys, whole=True)
        if found is not None:
            done, label = found
            told = f"the key {label} in {value.place}"
            return explanation_for(_placed(value, done), WANTED, told)
    return _empty(refused)


def _placed(value: SentValue, done: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    """Returns what is wrong with where a key came, and how."""
    if (value.where, value.name) != ("header", "authorization"):
        return (PLACES[value.where], *done)
    return (NO_BEARER, *(mistake for mistake in done if mistake.name != BEFORE))


def _empty(refused: RejectedRequest) -> Explanation | None:
    """Explains a key that was meant to come; None where none was."""
    for name in (HEADER, "Authorization"):
        for given, value in refused.request.headers:
            if given == name.lower().encode() and value.strip().lower() in (b"", b"bearer"):
                fix = "Look whether the variable is set from which the key is taken."
                return Explanation("empty key", WANTED, f"no key in the header {name}", fix)
    return None


def _unknown(refused: RejectedRequest) -> Explanation | None:
    request, keys = refused.request, _keys(refused)
    header = request.header(HEADER.lower().encode())
    token = _bearer(request.header(b"authorization"))
    if header and token in keys:
        told = f"{fingerprinted(header)} in {HEADER}, the key {keys[token]} behind Bearer"
        fix = f"Leave {HEADER} out, or send the right key in it."
        return Explanation("X-API-KEY before Authorization", WANTED, told, fix)
    presented = header or token
    found = match_altered_key(presented, keys)
    if found is not None:
        done, label = found
        return explanation_for(
            done, f"the key {label}", f"{fingerprinted(presented)}, which is not quite it"
        )
    return _mixed_up(refused, presented.decode("latin-1"))


def _mixed_up(refused: RejectedRequest, presented: str) -> Explanation | None:
    """Explains something else that was sent in the key's place."""
    for key in refused.keys:
        if presented == key.label:
            fix = f"Send the key itself: {presented} is only what it is called here."
            told = f"its label {presented}"
            return Explanation("label for the key", f"the key {presented}", told, fix)
    theirs = {v: name for k in refused.keys for name, v in k.connection_fields.items()}
    theirs |= body.texts(refused.request.body)
    if presented not in theirs:
        return None
    told = f"{fingerprinted(presented)}, the {theirs[presented]} of an exchange"
    fix = "Send CoinStats' own key here; those of an exchange belong in connectionFields."
    return Explanation("exchange's key for the key", "a key of CoinStats", told, fix)


# What is asked for


def _portfolio(refused: RejectedRequest) -> Explanation:
    id = first(refused.request.query, "portfolioId")
    if id in EXCHANGES:
        rule, fix = "connectionId for the portfolioId", "Send portfolio.id of the balance call."
    else:
        rule = "unknown portfolio"
        fix = "Call POST /v1/exchange/balance with this key first: it makes the portfolio."
    expected = "portfolio.id as a balance call of this key answered it"
    return Explanation(rule, expected, printable(id.encode()), fix)


def _credits(refused: RejectedRequest) -> Explanation:
    cost = COSTS[refused.request.path.decode("latin-1").rpartition("/")[2]]
    return Explanation(
        "credits exhausted",
        f"{cost} credits for this call",
        f"{refused.facts['left']} left of {refused.quirks['credits']}",
        "Reset the sandbox, use another key, or raise the quirk coinstats.credits.",
    )


def _not_synced(refused: RejectedRequest) -> Explanation:
    return Explanation(
        "not synced",
        "a portfolio whose status is synced",
        "one that is still syncing",
        "Poll GET /v1/exchange/status until it says synced, then ask again.",
    )


WHY = {
    "missing_credential": _missing,
    "unknown_credential": _unknown,
    "bad_request": body.parameter,
    "bad_exchange_credentials": exchange.credentials,
    "not_found": _portfolio,
    "credits_exhausted": _credits,
    "not_synced": _not_synced,
}
