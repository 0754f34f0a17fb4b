"""Why CoinW spot refused: the key, the signature, a parameter that contradicts itself."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    SentValue,
    explain_unknown_key,
    explanation_for,
    fingerprinted,
    match_altered_key,
    printable,
    redact_secrets,
    sent_values,
)
from mockserver.model.query import FORM, parameter, raw_pairs
from mockserver.model.redaction import PUBLIC_HEADERS, is_secret_name
from mockserver.providers.coinw.auth import Key
from mockserver.providers.coinw.mistakes.signature import signature_explained
from mockserver.providers.coinw.mistakes.table import FUTURES
from mockserver.providers.coinw.mistakes.way import form_of, secrets_of, too_long

WANTED = "api_key and sign, each once, in the query or in a form"
VALUES_MAX = 64  # headers, parameters and members among which something is looked for
NAMED_MAX = 12  # parameters that are named
SHOWN = 80  # bytes of a value


def explain(refused: RejectedRequest) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of CoinW."""
    why = WHY.get(refused.reason)
    if why is None or too_long(refused.request):
        return None
    return why(refused)


def _keys(refused: RejectedRequest) -> Mapping[bytes, str]:
    return {key.api_key.encode(): key.label for key in refused.keys}


def _parameters(refused: RejectedRequest) -> list[tuple[bytes, bytes]]:
    return [*raw_pairs(refused.request.query), *raw_pairs(form_of(refused.request))]


def _others(refused: RejectedRequest) -> list[SentValue]:
    """Returns the values that may stand for a parameter that is not there."""
    return [
        value
        for value in islice(sent_values(refused.request), VALUES_MAX)
        if value.value
        and not (value.where == "header" and value.name.encode("latin-1") in PUBLIC_HEADERS)
    ]


# The key

ELSEWHERE = {
    "header": Mistake("api_key in a header", "Send api_key as a parameter, not as a header."),
    "parameter": Mistake("api_key under another name", "Call the parameter api_key."),
    "member": Mistake(
        "api_key in a body that is no form",
        f"Send a form with Content-Type: {FORM.decode()}, or use the query; JSON is not read.",
    ),
}
FUTURES_SCHEME = Mistake("the futures' scheme", FUTURES)
UNSET = "Look whether the variable is set from which {} is made."


def _missing(refused: RejectedRequest) -> Explanation | None:
    names = [name for name, _ in _parameters(refused)]
    if b"api_key" in names:
        return Explanation("empty api_key", WANTED, "api_key is empty", UNSET.format("api_key"))
    others, keys = _others(refused), _keys(refused)
    for value in others:
        found = match_altered_key(value.value, keys, whole=True)
        if found is not None:
            mistake = FUTURES_SCHEME if _is_futures(others, value) else _elsewhere(refused, value)
            told = f"the key {found[1]} in {value.place}"
            return explanation_for((mistake, *found[0]), WANTED, told)
    if b"sign" not in names and any(_is_key(value.name) for value in others):
        return None  # it may be another exchange's key
    return Explanation("missing api_key", WANTED, _named(refused, names), "Send api_key.")


def _is_key(name: str) -> bool:
    return is_secret_name(name.encode()) or "key" in name.lower()


def _is_futures(others: Sequence[SentValue], key: SentValue) -> bool:
    """Tells whether a key has the company that it has for the futures."""
    near = {value.name.lower() for value in others if value.where in ("header", "member")}
    return key.where == "header" and any("time" in name for name in near)


def _elsewhere(refused: RejectedRequest, value: SentValue) -> Mistake:
    of_form = value.where == "member" and form_of(refused.request)
    return ELSEWHERE["parameter" if of_form else value.where]


def _named(refused: RejectedRequest, names: Sequence[bytes]) -> str:
    """Returns the names of parameters, a few of them."""
    secrets = secrets_of(refused)
    few = islice(dict.fromkeys(names), NAMED_MAX + 1)
    told = [printable(redact_secrets(name, secrets), SHOWN) for name in few]
    more = ["..."] if len(told) > NAMED_MAX else []
    return ", ".join([*told[:NAMED_MAX], *more]) or "no parameter"


def _unknown(refused: RejectedRequest) -> Explanation | None:
    presented = parameter(refused.request, b"api_key")
    secrets = {key.secret_key.encode(): key.label for key in refused.keys}
    return explain_unknown_key(
        presented, _keys(refused), secrets, ("api_key", "secret_key"), SECRET_SENT
    )


SECRET_SENT = Mistake(
    "secret for the api_key", "Send the api_key; never send the secret, only sign with it."
)


def _revoked(refused: RejectedRequest) -> Explanation:
    label = refused.facts.get("credential", "")
    return Explanation(
        "revoked key",
        "a key that is in force",
        f"the key {label}, which is revoked",
        "Use another key: a revoked one does not come back.",
    )


# The signature


def _signature(refused: RejectedRequest) -> Explanation:
    text = parameter(refused.request, b"sign")
    if not text:
        return _unsigned(refused)
    key: Key = refused.keyring.find(parameter(refused.request, b"api_key"))
    return signature_explained(refused, key, text)


SIGNS = ("sign", "signature", "sig")


def _unsigned(refused: RejectedRequest) -> Explanation:
    names = [name for name, _ in _parameters(refused)]
    if b"sign" in names:
        return Explanation("empty sign", WANTED, "sign is empty", UNSET.format("sign"))
    found = next((v for v in _others(refused) if v.name.lower() in SIGNS), None)
    if found is None:
        return Explanation("missing sign", WANTED, _named(refused, names), "Send sign.")
    fix = f"Send the signature as the parameter sign, not as {found.place}."
    return Explanation("missing sign", WANTED, f"{found.place} instead", fix)


# A parameter that contradicts itself


def _twice(refused: RejectedRequest) -> Explanation | None:
    name = refused.facts.get("parameter", "")
    request = refused.request
    places = {"query": raw_pairs(request.query), "form": raw_pairs(form_of(request))}
    secrets = secrets_of(refused)
    told = []
    for place, pairs in places.items():
        values = [value for n, value in pairs if n.decode("utf-8", "replace") == name]
        veil = is_secret_name(name.encode())
        texts = [
            fingerprinted(v) if veil else printable(redact_secrets(v, secrets), SHOWN)
            for v in values[:3]
        ]
        if texts:
            told.append(f"{' and '.join(texts)} in the {place}")
    plain = printable(redact_secrets(name.encode(), secrets), SHOWN)
    return Explanation(
        f"{plain} given twice",
        f"one value of {plain}",
        ", ".join(told),
        f"Send {plain} once, in the query or in the form: two values contradict each other.",
    )


WHY: Mapping[str, Callable[[RejectedRequest], Explanation | None]] = {
    "missing_credential": _missing,
    "unknown_credential": _unknown,
    "revoked_credential": _revoked,
    "bad_signature": _signature,
    "bad_request": _twice,
}
