"""Why a request was refused: what holds for every provider.

A rule's doing, a wrong address, a full limit, a credential that belongs elsewhere; what only
a provider can know, its own ``mistakes`` tell.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from mockserver.wire import moment
from mockserver.wire.duration import SECOND
from mockserver.wire.explain import Explanation, Refused, shown, veiled
from mockserver.wire.provider import Provider, Route
from mockserver.wire.query import raw_pairs
from mockserver.wire.redaction import hide

SHARE = 10  # of so many parts of real time one may go into explanations
RESERVE = SECOND // 20  # what may be saved up
SHED = Explanation("shed", "", "", "Too many refusals at once to explain them all: ask again.")
NEAR = 0.6  # from which likeness on a path is told as the one that was meant

Whose = Callable[[bytes], str]


class Allowance:
    """Bounds the share of time that goes into explanations; ``real`` gives real time."""

    def __init__(self, real: Callable[[], int]) -> None:
        self._real = real
        self._since = real()
        self._left = RESERVE

    def spend(self, explain: Callable[[], Explanation]) -> Explanation:
        """Returns an explanation, or SHED when the share is used up."""
        begun = self._real()
        self._left = min(self._left + (begun - self._since) // SHARE, RESERVE)
        self._since = begun
        if self._left <= 0:
            return SHED
        found = explain()
        self._left -= self._real() - begun
        return found


def explain(
    refused: Refused, provider: Provider, providers: Mapping[str, Provider], whose: Whose
) -> Explanation:
    """Returns the first broken rule of a refused request; ``whose`` names a foreign credential."""
    told = GENERAL.get(refused.reason, _nothing)(refused, provider, providers)
    if told is None and provider.explain is not None:
        told = provider.explain(refused)
    if told is None and refused.reason in ("missing_credential", "unknown_credential"):
        told = _foreign(refused, whose)
    return told or _plain(refused)


def by_rule(names: str) -> Explanation:
    """Explains a refusal that a rule asked for."""
    return Explanation(
        "fault", "", f"rule {names}", f"Nothing is wrong with the request: the rule {names} fired."
    )


def by_key(label: str) -> Explanation:
    """Explains a refusal for which a key was made."""
    reason = label.removeprefix("reject-")
    return Explanation(
        "refusing key",
        "a key that is not made to be refused",
        f"the key {label}",
        f"This key is always refused with {reason}: use another one.",
    )


def _nothing(*_: object) -> None:
    return None


# Wrong addresses


def _no_route(
    refused: Refused, provider: Provider, providers: Mapping[str, Provider]
) -> Explanation | None:
    request = refused.request
    path = request.path.decode("latin-1")
    received = f"{request.method} {shown(request.path)}"
    if "parameter" in refused.facts:
        name = refused.facts["parameter"]
        known = ", ".join(r.path.rpartition("=")[2] for r in provider.routes if "?" in r.path)
        fix = f"Send the parameter {name} with one of: {known}."
        return Explanation("unknown operation", f"{name}={known}", received, fix)
    if "//" in path:
        expected = path.replace("//", "/")
        fix = "Drop the slash at the end of the base URL: the path begins with one."
        return Explanation("double slash", expected, received, fix)
    if provider.base_path and not path.startswith(provider.base_path + "/"):
        if _routes(provider, provider.base_path + path):
            expected = provider.base_path + path
            fix = f"The base URL ends in {provider.base_path}: it is missing."
            return Explanation("base path missing", expected, received, fix)
    for other in providers.values():
        if other is not provider and (
            _routes(other, path) or _routes(other, other.base_path + path)
        ):
            fix = f"This is an operation of {other.name}: use its base URL."
            return Explanation(
                "another provider's path", f"a path of {provider.name}", received, fix
            )
    nearest = _nearest(provider, path)
    if nearest is None:
        known = ", ".join(f"{r.method} {provider.base_path}{r.path}" for r in provider.routes)
        return Explanation("unknown path", known, received, "Use one of the documented paths.")
    expected = f"{nearest.method} {provider.base_path}{nearest.path}"
    return Explanation("unknown path", expected, received, f"Did you mean {expected}?")


def _bad_method(
    refused: Refused, provider: Provider, providers: Mapping[str, Provider]
) -> Explanation:
    allowed = ", ".join(refused.facts.get("allow", ()))
    path = shown(refused.request.path)
    method = shown(refused.request.method.encode())
    return Explanation("wrong method", f"{allowed} {path}", f"{method} {path}", f"Use {allowed}.")


def _paths(provider: Provider) -> Iterator[tuple[str, Route]]:
    for route in provider.routes:
        for path in (route.path, *route.aliases):
            yield provider.base_path + path.partition("?")[0], route


def _routes(provider: Provider, path: str) -> bool:
    """Tells whether a path is one of a provider's."""
    parts = path.split("/")
    for known, _ in _paths(provider):
        wanted = known.split("/")
        if len(wanted) == len(parts) and all(
            w == p or (w.startswith("{") and p) for w, p in zip(wanted, parts, strict=True)
        ):
            return True
    return False


def _nearest(provider: Provider, path: str) -> Route | None:
    path = path[:256].lower()
    found = max(_paths(provider), key=lambda pair: _likeness(pair[0], path))
    return found[1] if _likeness(found[0], path) >= NEAR else None


def _likeness(known: str, path: str) -> float:
    return SequenceMatcher(None, known.lower(), path).ratio()


# Limits


def _rate_limited(
    refused: Refused, provider: Provider, providers: Mapping[str, Provider]
) -> Explanation | None:
    facts = refused.facts
    if "reset" not in facts:
        return None
    limit = next((li for li in provider.limits if li.name == facts["limit"]), None)
    rolling = "in any" if limit is not None and limit.rolling else "in each"
    span = limit.text.partition("/")[2] if limit is not None else ""
    begun = f", since {moment.show(facts['reset'] - limit.window)}" if limit is not None else ""
    wait = -(-facts["wait"] // SECOND)
    return Explanation(
        f"limit {provider.name}.{facts['limit']}",
        f"at most {facts['count']} {rolling} {span}".strip(),
        f"one more than {facts['count']}{begun}",
        f"Wait {wait} s, until {moment.show(facts['reset'])} on the sandbox clock,"
        " and spread the calls out.",
    )


GENERAL: Mapping[str, Callable[..., Explanation | None]] = {
    "no_route": _no_route,
    "bad_method": _bad_method,
    "rate_limited": _rate_limited,
}


# Credentials that belong elsewhere


def presented(refused: Refused) -> Iterator[bytes]:
    """Yields what a request carries that might be a credential."""
    for _, value in refused.request.headers:
        yield value
        _, space, rest = value.partition(b" ")
        if space:
            yield rest.strip()
    for _, value in raw_pairs(refused.request.query):
        yield value


def _foreign(refused: Refused, whose: Whose) -> Explanation | None:
    for value in presented(refused):
        owner = whose(value) if value else ""
        if owner:
            return Explanation(
                "foreign credential",
                "a key of this provider in this sandbox",
                f"{veiled(value)}, which is {owner}",
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


def _plain(refused: Refused) -> Explanation:
    expected, fix = PLAIN.get(refused.reason, ("", "See the answer's own message."))
    told = ", ".join(
        f"{name} {value}"
        for name, value in refused.facts.items()
        if name in TELLING and isinstance(value, str | int)
    )
    return Explanation(refused.reason, expected, told, fix)


# Facts that may be told as they are.
TELLING = ("parameter", "message", "permission", "exchange_id", "claim", "drift")


def without(explanation: Explanation, secrets: Any) -> Explanation:
    """Returns an explanation in which no secret stands."""
    texts = (getattr(explanation, name) for name in explanation.__struct_fields__)
    return Explanation(*(hide(text.encode(), secrets).decode() for text in texts))
