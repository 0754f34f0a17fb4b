"""Why a request was refused: what holds for every provider.

A rule's doing, a wrong address, a full limit, a credential that belongs elsewhere; what only
a provider can know, its own ``mistakes`` tell.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import islice
from typing import Any

from msgspec import Struct

from mockserver.explain import (
    KEY_MAX,
    SHOWN_MAX,
    Explanation,
    RejectedRequest,
    fingerprinted,
    printable,
    sent_values,
)
from mockserver.model import instants as moment
from mockserver.model import jwt
from mockserver.model.durations import SECOND
from mockserver.model.provider import BanCheck, BanPolicy, Limit, Provider
from mockserver.model.redaction import PUBLIC_HEADERS as EVERYBODYS
from mockserver.model.secret_index import SecretIndex

SHARE = 10  # of so many parts of real time one may go into explanations
RESERVE = SECOND  # what may be saved up: more than a run of tests needs at once
SHED = Explanation("shed", "", "", "Too many refusals at once to explain them all: ask again.")
TEXT_MAX = 4 * SHOWN_MAX  # characters of one text of an explanation
VALUES_MAX = 32  # values of a request that are looked up as somebody's keys

Whose = Callable[[bytes], str]


class TimeBudget:
    """Bounds the share of time that goes into explanations; ``real`` gives real time."""

    def __init__(self, real: Callable[[], int]) -> None:
        self._real = real
        self._since = real()
        self._left = RESERVE

    def spend(self, explain: Callable[[], Explanation]) -> Explanation:
        """Returns an explanation, or SHED when the share is used up."""
        begun = self._real()
        passed = max(0, begun - self._since)  # real time may be set back
        self._left = min(self._left + passed // SHARE, RESERVE)
        self._since = begun
        if self._left <= 0:
            return SHED
        try:
            return explain()
        finally:
            self._left -= max(0, self._real() - begun)


class RejectContext(Struct, frozen=True):
    """What is known round a refused request.

    ``limits`` are those in force, of which the caller has one part in ``share``; ``owner_of``
    names the owner of a credential.
    """

    provider: Provider
    providers: Mapping[str, Provider]
    limits: Sequence[Limit]
    share: int
    owner_of: Whose


def explain(refused: RejectedRequest, around: RejectContext) -> Explanation:
    """Returns the first broken rule of a refused request."""
    told = _general(refused, around)
    if told is None and around.provider.mistakes:
        told = import_module(around.provider.mistakes).explain(refused)
    return told or _plain(refused)


def _general(refused: RejectedRequest, around: RejectContext) -> Explanation | None:
    match refused.reason:
        case "no_route":
            from mockserver.explain.addresses import no_route

            return no_route(refused, around.provider, around.providers)
        case "bad_method":
            from mockserver.explain.addresses import bad_method

            return bad_method(refused, around.provider, around.providers)
        case "foreign_origin":
            from mockserver.engine import cors

            return cors.explain(refused, around.provider.name)
        case "rate_limited":
            return _rate_limited(refused, around)
        case "missing_credential" | "unknown_credential":
            return _foreign(refused, around)
    return None


def by_rule(names: str) -> Explanation:
    """Explains a refusal that a rule asked for."""
    return Explanation(
        "fault", "", f"rule {names}", f"Nothing is wrong with the request: the rule {names} fired."
    )


def by_key(label: str, reason: str) -> Explanation:
    """Explains a refusal for which a key was made."""
    return Explanation(
        "refusing key",
        "a key that is not made to be refused",
        f"the key {label}",
        f"This key is always refused with {reason}: use another one.",
    )


# Limits


def _rate_limited(refused: RejectedRequest, around: RejectContext) -> Explanation | None:
    facts = refused.facts
    if "reset" not in facts:
        return None
    penalty = _penalty(around.provider, facts["limit"]) if "count" not in facts else None
    if penalty is not None:
        return _banned(refused, around.provider, penalty)
    limit = next((li for li in around.limits if li.name == facts["limit"]), None)
    if limit is None or limit.count is None:
        return None
    allowed = limit.count // around.share
    expected = f"at most {allowed} {'in any' if limit.rolling else 'in each'} {_span(limit)}"
    if around.share > 1:
        expected += f", 1/{around.share} of {limit.count} while the caller is warned"
    since = moment.instant_text(facts["reset"] - limit.window)
    return Explanation(
        f"limit {around.provider.name}.{limit.name}",
        expected,
        f"one more than {allowed} since {since}",
        _wait(facts) if allowed else "Raise the limit: it lets no request through.",
    )


def _span(limit: Limit) -> str:
    return limit.text.partition("/")[2]


def _wait(facts: Mapping[str, Any]) -> str:
    seconds = -(-facts["wait"] // SECOND)
    until = moment.instant_text(facts["reset"])
    return f"Wait {seconds} s, until {until} on the sandbox clock, and spread the calls out."


def _penalty(provider: Provider, name: str) -> BanPolicy | None:
    gates = (*provider.outer, *provider.gates)
    found = (gate.penalty for gate in gates if isinstance(gate, BanCheck))
    return next((penalty for penalty in found if penalty.name == name), None)


def _banned(refused: RejectedRequest, provider: Provider, penalty: BanPolicy) -> Explanation:
    within = penalty.within // SECOND
    return Explanation(
        f"ban {provider.name}.{penalty.name}",
        f"fewer than {penalty.offences} refusals for a full limit within {within} s",
        f"a caller who went on after being refused, banned until"
        f" {moment.instant_text(refused.facts['reset'])}",
        _wait(refused.facts),
    )


# Credentials that belong elsewhere


def presented_key(refused: RejectedRequest) -> Iterator[tuple[str, bytes]]:
    """Yields what a request carries that might be a credential, each with where it stands."""
    for found in sent_values(refused.request):
        if found.where == "header" and found.name.encode("latin-1") in EVERYBODYS:
            continue
        yield found.place, found.value
        _, space, rest = found.value.partition(b" ")
        token = rest.strip() if space else found.value
        if space:
            yield found.place, token
        kid = _kid(token)
        if kid:
            yield f"the kid of the token in {found.place}", kid


def _kid(token: bytes) -> bytes:
    """Returns the key id of a JWT; nothing where it is none."""
    if token.count(b".") != 2:
        return b""
    try:
        kid = jwt.read(token).header.get("kid")
        return kid.encode() if isinstance(kid, str) else b""
    except ValueError:
        return b""


def _foreign(refused: RejectedRequest, around: RejectContext) -> Explanation | None:
    """Explains a credential that somebody else has: where it is one of our own, it is not."""
    name = around.provider.key
    own = {getattr(key, name).encode() for key in refused.keyring.labels.values()}
    carried = (row for row in presented_key(refused) if 0 < len(row[1]) <= KEY_MAX)
    values = {value: place for place, value in islice(carried, VALUES_MAX)}
    if not own.isdisjoint(values):
        return None
    for value, place in values.items():
        owner = around.owner_of(value)
        if owner:
            return Explanation(
                "foreign credential",
                "a key of this provider in this sandbox",
                f"{fingerprinted(value)} in {place}, which is {owner}",
                f"Send a key of this sandbox: this one is {owner}.",
            )
    return None


# Everything else

PLAIN: Mapping[str, tuple[str, str]] = {
    "missing_credential": ("a credential", "Send the headers or parameters that authenticate."),
    "unknown_credential": ("a key that exists", "Use a key of this sandbox's world."),
    "revoked_credential": ("a key that is in force", "The key is revoked: use another one."),
    "bad_signature": ("the signature of this very request", "Sign exactly what is sent."),
    "outside_window": ("a time within the window", "Sign with the current time."),
    "expired": ("a token that is still good", "Make a new token for each request."),
    "replayed": (
        "a signature that was not accepted before",
        "Sign anew for each try; two equal requests need different seconds.",
    ),
    "forbidden": ("a key with the permission", "Give the key the permission, or use another."),
    "ip_not_allowed": ("an address on the key's whitelist", "Call from an address that is listed."),
    "too_large": ("a body of at most 1 MiB", "Send less."),
    "bad_page_token": (
        "the token of the page before, as it was given",
        "Start the walk again at the first page, and send the token as it is, escaped once.",
    ),
    "credits_exhausted": ("credits that are left", "Wait for new credits, or use another key."),
    "not_found": ("something that the caller may see", "Ask for what the lists show."),
    "internal_error": ("", "This is the server's doing: try again."),
    "service_unavailable": ("", "This is the server's doing: try again later."),
}


# Facts that may be told as they are.
TELLING = ("parameter", "message", "permission", "exchange_id", "claim", "drift")


def _plain(refused: RejectedRequest) -> Explanation:
    expected, fix = PLAIN.get(refused.reason, ("", "See the answer's own message."))
    told = ", ".join(
        f"{name} {printable(str(value).encode('utf-8', 'replace'))}"
        for name, value in refused.facts.items()
        if name in TELLING and isinstance(value, str | int)
    )
    return Explanation(refused.reason, expected, told, fix)


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


@lru_cache(64)
def _codes(secrets: frozenset[bytes]) -> SecretIndex:
    """Returns an index of secrets as hex and as base64 of either alphabet."""
    index = SecretIndex()
    index.put("codes", (code for secret in secrets for code in _coded(secret)))
    return index


def _coded(secret: bytes) -> Iterator[bytes]:
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield b64encode(secret).rstrip(b"=")
    yield urlsafe_b64encode(secret).rstrip(b"=")
