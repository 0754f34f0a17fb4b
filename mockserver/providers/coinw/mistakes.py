"""Explains what CoinW spot rejects: the key, the signature, contradicting parameters."""

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from mockserver.explain import (
    Explainer,
    Explanation,
    Mistake,
    RejectedRequest,
    fingerprinted,
    printable,
    redact_secrets,
)
from mockserver.explain.attempts import Attempt, form_of
from mockserver.explain.plain_keys import explain_missing_key, explain_unknown_key
from mockserver.explain.sent_values import candidates, uncompressed
from mockserver.explain.signature import explain_signature, secret_labels
from mockserver.model.query import FORM, parameter, raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.model.rule_table import KeyRules
from mockserver.providers.coinw.auth import RECIPE, recipe_in_force

EXPLAINED_MAX = 16 * 1024  # bytes of query and form that are parsed for an explanation
SHOWN_MAX = 80  # bytes of a value that are shown


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Explains a rejected request; returns None where the general explanation is enough."""
    explainer = EXPLAINERS.get(rejected.reason)
    request = rejected.request
    if explainer is None or len(request.query) + len(form_of(request)) > EXPLAINED_MAX:
        return None
    return explainer(rejected)


# The key

FUTURES = (
    "the futures' scheme",
    "This is the scheme of the futures API: spot takes api_key and sign as parameters.",
)
KEY_RULES = KeyRules(
    places=(RECIPE.key_at,),
    secret="secret_key",  # noqa: S106 a member's name
    name="api_key",
    expected="api_key and sign, each once, in the query or in a form",
    misplaced={
        "header": ("api_key in a header", "Send api_key as a parameter, not as a header."),
        "parameter": ("api_key under another name", "Call the parameter api_key."),
        "member": (
            "api_key in a body that is not a form",
            f"Send a form with Content-Type: {FORM.decode()}, or use the query; JSON is not read.",
        ),
    },
)


def _explain_missing_key(rejected: RejectedRequest) -> Explanation | None:
    request, misplaced = rejected.request, dict(KEY_RULES.misplaced)
    if uncompressed(request.body):
        fix = "Send the form without compressing it: only a plain form has parameters."
        return Explanation("compressed body", KEY_RULES.expected, "a body in gzip", fix)
    if form_of(request):
        misplaced["member"] = misplaced["parameter"]
    sent = (value for value in candidates(request) if value.where in {"header", "member"})
    if any("time" in value.name.lower() for value in sent):
        misplaced["header"] = FUTURES
    return explain_missing_key(rejected, replace(KEY_RULES, misplaced=misplaced))


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


OWN = (Mistake(*FUTURES, _futures_scheme, no_pairs=True),)


def _explain_signature(rejected: RejectedRequest) -> Explanation:
    return explain_signature(rejected, recipe_in_force(rejected.quirks), OWN)


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
    "unknown_credential": partial(explain_unknown_key, rules=KEY_RULES),
    "bad_signature": _explain_signature,
    "bad_request": _explain_contradiction,
}
