"""Explanations that hold for every provider, and the way to those that only one can give.

Fault rules, reject keys, wrong addresses, rate limits and foreign credentials are explained here
or in the modules beside this one; everything else by the provider's own ``mistakes``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module

from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.explain.limits import rate_limited
from mockserver.explain.missing import explain_missing
from mockserver.explain.plain_keys import OwnerOf, foreign_key
from mockserver.explain.text import SHOWN_MAX, codes, printable
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.http import Request
from mockserver.model.provider import Limit, Provider
from mockserver.model.secret_index import SecretIndex

ORIGIN_MAX = 200  # bytes of an Origin that are shown
TEXT_MAX = 4 * SHOWN_MAX  # bytes of one text of an explanation


class RejectContext(Struct, frozen=True):
    """What surrounds a rejected request.

    ``limits`` are those in force; a caller with a warning has 1/``share`` of each. ``owner_of``
    names the owner of a credential, "" for an unknown one.
    """

    provider: Provider
    providers: Mapping[str, Provider]
    limits: Sequence[Limit]
    share: int
    owner_of: OwnerOf


def explain(rejected: RejectedRequest, context: RejectContext) -> Explanation:
    """Returns the first rule that a rejected request breaks."""
    common = COMMON.get(rejected.reason)
    explanation = common and common(rejected, context)
    if explanation is None and context.provider.mistakes:
        explanation = import_module(context.provider.mistakes).explain(rejected)
    return explanation or _default(rejected, context.provider)


def by_rule(name: str) -> Explanation:
    """Explains a reject that a fault rule made."""
    fix = f"Nothing is wrong with the request: the rule {name} fired."
    return Explanation("fault", "", f"rule {name}", fix)


def by_key(label: str, reason: str) -> Explanation:
    """Explains a reject that the credential ``reject-REASON`` made."""
    return Explanation(
        "refusing key",
        "a key that the server does not always refuse",
        f"the key {label}",
        f"This key is always refused with {reason}: use another key.",
    )


def origin_of(request: Request) -> str:
    """Returns the Origin of a request, printable."""
    return printable(request.header(b"origin"), ORIGIN_MAX)


def how_to_allow(provider: Provider) -> str:
    """Returns the sentence that says how to allow web pages, or that nothing does."""
    if not any(quirk.name == "cors" for quirk in provider.quirks):
        return f"A web page sent this; {provider.name} has no quirk cors: call it from a server."
    return (
        f"A web page sent this; set the quirk {provider.name}.cors=on, or --cors, to allow pages."
    )


# What needs no knowledge of the provider


def _address(rejected: RejectedRequest, context: RejectContext) -> Explanation:
    from mockserver.explain.addresses import explain_address

    return explain_address(rejected, context.provider, context.providers)


def _foreign_origin(rejected: RejectedRequest, context: RejectContext) -> Explanation:
    expected, fix = (
        "no Origin, a loopback one, or the server's own",
        how_to_allow(context.provider),
    )
    return Explanation("foreign origin", expected, origin_of(rejected.request), fix)


def _foreign_key(rejected: RejectedRequest, context: RejectContext) -> Explanation | None:
    return foreign_key(rejected, context.provider, context.owner_of)


def _revoked(rejected: RejectedRequest, context: RejectContext) -> Explanation:
    received = f"the key {rejected.facts.get('credential', '')}, which is revoked"
    fix = "Use another key: a revoked key stays revoked."
    return Explanation("revoked key", "a key that is not revoked", received, fix)


COMMON: Mapping[str, Callable[[RejectedRequest, RejectContext], Explanation | None]] = {
    "no_route": _address,
    "bad_method": _address,
    "foreign_origin": _foreign_origin,
    "rate_limited": lambda r, c: rate_limited(r, c.provider, c.limits, c.share),
    "missing_credential": _foreign_key,
    "unknown_credential": _foreign_key,
    "revoked_credential": _revoked,
    "bad_signature": lambda r, c: explain_missing(r, c.provider) if "missing" in r.facts else None,
}

# Expected value and fix by reason, for everything else.
DEFAULTS: Mapping[str, tuple[str, str]] = {
    "unknown_credential": ("a key that exists", "Use a key of this sandbox's world."),
    "bad_signature": ("the signature of exactly this request", "Sign exactly what is sent."),
    "outside_window": ("a time within the window", "Sign with the current time."),
    "expired": ("a token that has not expired", "Create a new token for each request."),
    "replayed": (
        "a signature that was not accepted before",
        "Sign each attempt anew; two equal requests need different seconds.",
    ),
    "forbidden": ("a key with the permission", "Give the key the permission, or use another key."),
    "ip_not_allowed": (
        "an address on the key's whitelist",
        "Send the request from an address on the list.",
    ),
    "too_large": ("a body of at most 1 MiB", "Send a smaller body."),
    "bad_page_token": (
        "the token of the previous page, unchanged",
        "Start again at the first page, and send each token unchanged, percent-encoded once.",
    ),
    "credits_exhausted": ("enough credits", "Wait for new credits, or use another key."),
    "not_found": (
        "a resource that the caller may see",
        "Request one that the list operations return.",
    ),
    "internal_error": ("", "The server failed, not the request: retry."),
    "service_unavailable": ("", "The server failed, not the request: retry later."),
}

# Facts that an explanation may show.
SHOWN_FACTS = ("parameter", "message", "permission", "exchange_id", "claim", "drift")


def _default(rejected: RejectedRequest, provider: Provider) -> Explanation:
    if rejected.reason == "missing_credential":
        return explain_missing(rejected, provider)
    expected, fix = DEFAULTS.get(rejected.reason, ("", "See the message in the response."))
    received = ", ".join(
        f"{name} {printable(str(value).encode('utf-8', 'replace'))}"
        for name, value in rejected.facts.items()
        if name in SHOWN_FACTS and isinstance(value, str | int)
    )
    return Explanation(rejected.reason, expected, received, fix)


# Redaction


def redact(explanation: Explanation, index: SecretIndex, coded: Iterable[bytes]) -> Explanation:
    """Returns an explanation without secrets: of those in ``coded`` neither hex nor base64.

    Texts are cut after they are redacted.
    """
    codes = _codes(frozenset(coded))
    texts = (getattr(explanation, name).encode("utf-8", "replace") for name in FIELDS)
    cleaned = (codes.redact(index.redact(text), TEXT_MAX) for text in texts)
    return Explanation(*(text.decode("utf-8", "ignore") for text in cleaned))


FIELDS = Explanation.__struct_fields__


def _codes_size(secrets: frozenset[bytes]) -> int:
    return 600 * len(secrets) + 16 * sum(map(len, secrets))


@cached("explanations: hex and base64", size=_codes_size, room=4 * MIB, at_once=True, keys_min=8)
def _codes(secrets: frozenset[bytes]) -> SecretIndex:
    """Returns an index of secrets as hex and as base64 of either alphabet."""
    return SecretIndex(code for secret in secrets for code in codes(secret))
