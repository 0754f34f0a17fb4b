"""A rule: which requests it matches, when it fires, and what it then does."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.faults.chance import Chance
from mockserver.model.http import Request, Response
from mockserver.model.provider import Provider
from mockserver.model.query import parameters

BYTES_MAX = 32 * 1024 * 1024  # of the rules that are together in one place
TOO_LARGE = f"rules have at most {BYTES_MAX} bytes in all"

EVERY = "*"
BALANCES = "balances"  # every provider's main read

# What is wanted of a request: a path, what it begins with, a header, a parameter; and which.
PATH, START, HEADER, PARAMETER = "path", "start", "header", "parameter"

Pair = tuple[bytes, bytes]  # name and value; a path has no name
Want = tuple[str, Pair]


class MatchInput:
    """A request as rules see it; its parameters are read once, and only if a rule asks for them."""

    __slots__ = ("_parameters", "paths", "request")

    def __init__(self, request: Request, base_path: bytes) -> None:
        self.request = request
        path = request.path
        self.paths = (path, path.removeprefix(base_path)) if base_path else (path,)
        self._parameters: dict[bytes, bytes] | None = None

    @property
    def parameters(self) -> dict[bytes, bytes]:
        """Returns the first value of each parameter, of the query before the form."""
        if self._parameters is None:
            request = self.request
            media_type = request.header(b"content-type") if request.body else b""
            found = parameters(request.query, media_type, request.body)
            self._parameters = dict(reversed(found))
        return self._parameters

    def has(self, want: Want) -> bool:
        """Tells whether the request has what is wanted; what is empty may be absent."""
        kind, (name, value) = want
        if kind == PATH:
            return value in self.paths
        if kind == START:
            return any(path.startswith(value) for path in self.paths)
        if kind == HEADER:
            return self.request.header(name) == value
        return self.parameters.get(name, b"") == value


class RuleMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a request must have; ``path`` lies below the base URL and may end in ``*``.

    Of a header the value is compared, of a parameter of the query or the form the first.
    """

    provider: str = EVERY
    operation: str = ""
    method: str = ""
    path: str = ""
    credential: str = ""
    header: dict[str, str] = {}
    query: dict[str, str] = {}

    def wants(self) -> tuple[Want, ...]:
        """Returns what it wants beside operation, method and credential, as bytes."""
        path = self.path.encode()
        star = path.endswith(b"*")
        found = [(START, (b"", path[:-1])) if star else (PATH, (b"", path))] if path else []
        found += [(HEADER, (name.lower(), value)) for name, value in _encoded(self.header)]
        found += [(PARAMETER, pair) for pair in _encoded(self.query)]
        return tuple(found)


def _encoded(texts: Mapping[str, str]) -> Iterable[Pair]:
    return ((name.encode(), value.encode()) for name, value in texts.items())


def matching_operations(
    match: RuleMatch, providers: Mapping[str, Provider]
) -> dict[str, list[str]]:
    """Returns the providers and the operations that a match means; all, where it names none."""
    found = {}
    for provider in providers.values():
        if match.provider in (EVERY, provider.name):
            ids = [route.id for route in provider.routes]
            named = provider.main if match.operation == BALANCES else match.operation
            if not named:
                found[provider.name] = ["", *ids]
            elif named in ids:
                found[provider.name] = [named]
    return found


class FiringWindow(Struct, frozen=True):
    """When, as figures: a span of matches, and one of time in nanoseconds."""

    first: int
    last: int | None
    probability: float | None
    every: int
    times: int | None
    begin: int
    end: int | None
    period: int | None

    def covers(self, elapsed: int) -> bool:
        """Tells whether the rule is in force so long after it was set."""
        if self.period is not None:
            elapsed %= self.period
        return self.begin <= elapsed and (self.end is None or elapsed < self.end)

    def over(self, elapsed: int, matched: int, fired: int) -> bool:
        """Tells whether the rule cannot fire any more."""
        return (
            (self.end is not None and self.period is None and elapsed >= self.end)
            or (self.last is not None and matched >= self.last)
            or (self.times is not None and fired >= self.times)
        )

    def fires(self, n: int, fired: int, chance: Chance) -> bool:
        """Tells whether the n-th match is one."""
        return (
            n >= self.first
            and (self.last is None or n <= self.last)
            and (n - self.first) % self.every == self.every - 1
            and (self.times is None or fired < self.times)
            and (self.probability is None or chance.fraction() < self.probability)
        )


class Fault(Struct, frozen=True):
    """One mutation or delivery: its module, and what it was given."""

    kind: str
    name: str
    module: Any
    given: Any
    said: str

    @property
    def late(self) -> int:
        """When it comes, among others of its kind."""
        return int(getattr(self.module, "LATE", getattr(self.module, "BYTES", 0)))


class Rule(Struct, frozen=True):
    """A rule, read; ``said`` is how it was written."""

    name: str
    said: Mapping[str, Any]
    match: RuleMatch
    moments: FiringWindow
    reject: str = ""
    raw: Response | None = None
    mutations: tuple[Fault, ...] = ()
    deliveries: tuple[Fault, ...] = ()
    clock_of_sandbox: bool = False

    @property
    def size(self) -> int:
        """The bytes it counts for: as it is written, and a body once more as it is sent."""
        return len(msgspec.json.encode(self.said)) + (len(self.raw.body) if self.raw else 0)

    @property
    def watches(self) -> bool:
        """Whether it has to see good answers for which it does not fire."""
        return any(hasattr(fault.module, "watch") for fault in self.mutations)
