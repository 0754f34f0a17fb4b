"""Explanations that hold for every provider, and the way to those that only one can give.

Fault rules, reject keys, wrong addresses, rate limits and foreign credentials are explained here
or in the modules beside this one; everything else by the provider's own ``mistakes``.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice

from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.explain.foreign_keys import OwnerOf, foreign_key
from mockserver.explain.foreign_origin import foreign_origin
from mockserver.explain.keys import candidates, is_named_like_key
from mockserver.explain.limits import rate_limited
from mockserver.explain.text import SHOWN_MAX, printable
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Limit, Provider
from mockserver.model.query import pairs
from mockserver.model.secret_index import SecretIndex

PLACES_MAX = 5  # headers and parameters that are named
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
    explanation = _common(rejected, context)
    if explanation is None and context.provider.mistakes:
        explanation = import_module(context.provider.mistakes).explain(rejected)
    return explanation or _default(rejected, context.provider)


def _common(rejected: RejectedRequest, context: RejectContext) -> Explanation | None:
    """Explains what needs no knowledge of the provider; None for everything else."""
    match rejected.reason:
        case "no_route":
            from mockserver.explain.addresses import no_route

            return no_route(rejected, context.provider, context.providers)
        case "bad_method":
            from mockserver.explain.addresses import bad_method

            return bad_method(rejected, context.provider, context.providers)
        case "foreign_origin":
            return foreign_origin(rejected.request, context.provider.name)
        case "rate_limited":
            return rate_limited(rejected, context.provider, context.limits, context.share)
        case "missing_credential" | "unknown_credential":
            return foreign_key(rejected, context.provider, context.owner_of)
    return None


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


# Everything else

# Expected value and fix by reason.
DEFAULTS: Mapping[str, tuple[str, str]] = {
    "unknown_credential": ("a key that exists", "Use a key of this sandbox's world."),
    "revoked_credential": ("a key that is not revoked", "The key is revoked: use another key."),
    "bad_signature": ("the signature of exactly this request", "Sign exactly what is sent."),
    "outside_window": ("a time within the window", "Sign with the current time."),
    "expired": ("a token that has not expired", "Create a new token for each request."),
    "replayed": (
        "a signature that was not accepted before",
        "Sign each attempt anew; two equal requests need different seconds.",
    ),
    "forbidden": (
        "a key with the permission",
        "Give the key the permission, or use another key.",
    ),
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
        return _missing_credential(rejected, provider)
    expected, fix = DEFAULTS.get(rejected.reason, ("", "See the message in the response."))
    received = ", ".join(
        f"{name} {printable(str(value).encode('utf-8', 'replace'))}"
        for name, value in rejected.facts.items()
        if name in SHOWN_FACTS and isinstance(value, str | int)
    )
    return Explanation(rejected.reason, expected, received, fix)


def _missing_credential(rejected: RejectedRequest, provider: Provider) -> Explanation:
    """Names the headers and parameters that a signed request has, and what may stand for them."""
    places = _credential_places(rejected, provider)
    sent = filter(is_named_like_key, candidates(rejected.request))
    received = ", ".join(value.place for value in islice(sent, PLACES_MAX)) or "none of them"
    return Explanation(rejected.reason, f"a credential in {places}", received, f"Send {places}.")


def _credential_places(rejected: RejectedRequest, provider: Provider) -> str:
    headers = sorted(name.decode() for name in provider.secrets.headers)
    parameters = sorted(name.decode() for name in provider.secrets.query)
    if rejected.keys:
        bare = UnsignedRequest("GET", "", b"/")
        signed = provider.sign(bare, rejected.keys[0], rejected.auth_now)
        headers = [name.decode() for name, _ in signed.headers]
        parameters = [name for name, _ in pairs(signed.query)]
    kinds = (("header", headers), ("parameter", parameters))
    texts = [
        f"the {kind}{'s' * (len(names) > 1)} {_listed(names)}" for kind, names in kinds if names
    ]
    return " or ".join(texts) or "the request"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


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
    return SecretIndex(code for secret in secrets for code in _coded(secret))


def _coded(secret: bytes) -> Iterator[bytes]:
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield b64encode(secret).rstrip(b"=")
    yield urlsafe_b64encode(secret).rstrip(b"=")
