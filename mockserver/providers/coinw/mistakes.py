"""Explains what CoinW spot rejects: the key, the signature, contradicting parameters."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice

from msgspec.structs import replace

from mockserver.explain import (
    Explainer,
    Explanation,
    Mistake,
    RejectedRequest,
    SentValue,
    explain_revoked_key,
    explain_unknown_key,
    explanation_for,
    fingerprinted,
    match_altered_key,
    printable,
    redact_secrets,
)
from mockserver.explain.attempts import Attempt, form_of
from mockserver.explain.keys import candidates, is_named_like_key, uncompressed
from mockserver.explain.signature import explain_signature, secret_labels
from mockserver.model.query import FORM, parameter, raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.providers.coinw.auth import RECIPE, Key, recipe_in_force

EXPLAINED_MAX = 16 * 1024  # bytes of query and form that are parsed for an explanation
EXPECTED = "api_key and sign, each once, in the query or in a form"
NAMES_MAX = 12  # names of parameters that are shown
SHOWN_MAX = 80  # bytes of a value that are shown


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Explains a rejected request; returns None where the general explanation is enough."""
    explainer = EXPLAINERS.get(rejected.reason)
    request = rejected.request
    if explainer is None or len(request.query) + len(form_of(request)) > EXPLAINED_MAX:
        return None
    return explainer(rejected)


def _params(rejected: RejectedRequest) -> list[tuple[bytes, bytes]]:
    return [*raw_pairs(rejected.request.query), *raw_pairs(form_of(rejected.request))]


# The key

MISPLACED = {
    "header": Mistake("api_key in a header", "Send api_key as a parameter, not as a header."),
    "parameter": Mistake("api_key under another name", "Call the parameter api_key."),
    "member": Mistake(
        "api_key in a body that is not a form",
        f"Send a form with Content-Type: {FORM.decode()}, or use the query; JSON is not read.",
    ),
}
FUTURES_SCHEME = Mistake(
    "the futures' scheme",
    "This is the scheme of the futures API: spot takes api_key and sign as parameters.",
)
UNCOMPRESSED = "Send the form without compressing it: only a plain form has parameters."
UNSET = "Check that the variable that holds {} is set."


def _explain_missing_key(rejected: RejectedRequest) -> Explanation | None:
    names = [name for name, _ in _params(rejected)]
    if b"api_key" in names:
        return Explanation("empty api_key", EXPECTED, "api_key is empty", UNSET.format("api_key"))
    values = candidates(rejected.request)
    labels = {key.api_key.encode(): key.label for key in rejected.keys}
    if uncompressed(rejected.request.body):
        return Explanation("compressed body", EXPECTED, "a body in gzip", UNCOMPRESSED)
    for value in values:
        match = match_altered_key(value.value, labels, whole=True)
        if match is not None:
            is_futures = _is_futures(values, value)
            mistake = FUTURES_SCHEME if is_futures else _misplaced(rejected, value)
            received = f"the key {match[1]} in {value.place}"
            return explanation_for((mistake, *match[0]), EXPECTED, received)
    if b"sign" not in names and any(map(is_named_like_key, values)):
        return None  # it may be another exchange's key
    return Explanation("missing api_key", EXPECTED, _names_text(rejected, names), "Send api_key.")


def _is_futures(values: Sequence[SentValue], key: SentValue) -> bool:
    """Returns whether a key comes in a header, with a timestamp, as the futures API wants it."""
    names = {value.name.lower() for value in values if value.where in ("header", "member")}
    return key.where == "header" and any("time" in name for name in names)


def _misplaced(rejected: RejectedRequest, value: SentValue) -> Mistake:
    in_form = value.where == "member" and form_of(rejected.request)
    return MISPLACED["parameter" if in_form else value.where]


def _names_text(rejected: RejectedRequest, names: Sequence[bytes]) -> str:
    """Writes the first names of parameters, without secrets."""
    secrets = secret_labels(rejected, RECIPE)
    few = islice(dict.fromkeys(names), NAMES_MAX + 1)
    shown = [printable(redact_secrets(name, secrets), SHOWN_MAX) for name in few]
    more = ["..."] if len(shown) > NAMES_MAX else []
    return ", ".join([*shown[:NAMES_MAX], *more]) or "no parameter"


# The signature


def _futures_scheme(attempt: Attempt) -> list[Attempt]:
    """Signs as for the futures API: an HMAC of timestamp, method, path and parameters."""
    request = attempt.of.request
    time = request.header(b"timestamp") or parameter(request, b"timestamp")
    if attempt.algorithm != "sha256" or not time:
        return []
    start = time + request.method.encode() + request.full_path
    query = [part for part in request.query.split(b"&") if not part.startswith(b"sign=")]
    bare = [part for part in query if not part.startswith(b"api_key=")]
    body = b"" if request.header(b"content-type").startswith(FORM) else request.body
    tails = {b"", *(b"?" + b"&".join(parts) for parts in (query, sorted(query), bare) if parts)}
    texts = [start + tail + more for tail in sorted(tails) for more in dict.fromkeys((b"", body))]
    return [replace(attempt, text=t, is_foreign=True, construction="HMAC") for t in texts]


OWN = (replace(FUTURES_SCHEME, change=_futures_scheme, no_pairs=True),)


def _explain_signature(rejected: RejectedRequest) -> Explanation:
    signature = parameter(rejected.request, b"sign")
    if not signature:
        return _explain_missing_sign(rejected)
    key: Key = rejected.keyring.find(parameter(rejected.request, b"api_key"))
    return explain_signature(rejected, recipe_in_force(rejected.quirks), key, signature, OWN)


SIGN_NAMES = ("sign", "signature", "sig")


def _explain_missing_sign(rejected: RejectedRequest) -> Explanation:
    names = [name for name, _ in _params(rejected)]
    if b"sign" in names:
        return Explanation("empty sign", EXPECTED, "sign is empty", UNSET.format("sign"))
    sent = next((v for v in candidates(rejected.request) if v.name.lower() in SIGN_NAMES), None)
    if sent is None:
        return Explanation("missing sign", EXPECTED, _names_text(rejected, names), "Send sign.")
    fix = f"Send the signature as the parameter sign, not as {sent.place}."
    return Explanation("missing sign", EXPECTED, f"{sent.place} instead", fix)


# A parameter with two values


def _explain_contradiction(rejected: RejectedRequest) -> Explanation | None:
    name = rejected.facts.get("parameter", "")
    request = rejected.request
    places = {"query": raw_pairs(request.query), "form": raw_pairs(form_of(request))}
    secrets = secret_labels(rejected, RECIPE)
    received = []
    for place, pairs in places.items():
        values = [value for n, value in pairs if n.decode("utf-8", "replace") == name]
        is_secret = is_secret_name(name.encode())
        texts = [
            fingerprinted(v) if is_secret else printable(redact_secrets(v, secrets), SHOWN_MAX)
            for v in values[:3]
        ]
        if texts:
            received.append(f"{' and '.join(texts)} in the {place}")
    shown_name = printable(redact_secrets(name.encode(), secrets), SHOWN_MAX)
    return Explanation(
        f"{shown_name} sent twice",
        f"one value of {shown_name}",
        ", ".join(received),
        f"Send {shown_name} once, in the query or in the form: two values contradict each other.",
    )


EXPLAINERS: Mapping[str, Explainer] = {
    "missing_credential": _explain_missing_key,
    "unknown_credential": partial(explain_unknown_key, recipe=RECIPE),
    "revoked_credential": explain_revoked_key,
    "bad_signature": _explain_signature,
    "bad_request": _explain_contradiction,
}
