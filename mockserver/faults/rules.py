"""A rule: which requests it matches, when it fires, and what it does then."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.faults.chance import Chance
from mockserver.faults.kinds import FaultKind
from mockserver.model.http import Request, Response
from mockserver.model.provider import Provider
from mockserver.model.query import parameters

RULES_SIZE_MAX = 32 * 1024 * 1024  # bytes of all rules of a sandbox, or of a scenario
TOO_LARGE = f"all rules together take at most {RULES_SIZE_MAX} bytes"

ANY_PROVIDER = "*"
BALANCES = "balances"  # every provider's main read

# The parts of a request that a rule may test.
PATH, PATH_PREFIX, HEADER, PARAMETER = "path", "path prefix", "header", "parameter"

NameValue = tuple[bytes, bytes]  # name and value; a path has no name
Criterion = tuple[str, NameValue]


class MatchInput:
    """A request as rules match it; each part is read once, when a rule first needs it."""

    __slots__ = ("_parameters", "_paths", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._paths: tuple[bytes, ...] = ()
        self._parameters: dict[bytes, bytes] | None = None

    @property
    def paths(self) -> tuple[bytes, ...]:
        """Returns the raw path, and the one below the base URL where that is another."""
        if not self._paths:
            self._paths = self.request.paths
        return self._paths

    @property
    def parameters(self) -> dict[bytes, bytes]:
        """Returns the first value of each parameter, of the query before the form."""
        if self._parameters is None:
            request = self.request
            media_type = request.header(b"content-type") if request.body else b""
            pairs = parameters(request.query, media_type, request.body)
            self._parameters = dict(reversed(pairs))
        return self._parameters

    def meets(self, criterion: Criterion) -> bool:
        """Returns whether the request meets a criterion; an empty value may be absent."""
        kind, (name, value) = criterion
        if kind == PATH:
            return value in self.paths
        if kind == PATH_PREFIX:
            return any(path.startswith(value) for path in self.paths)
        if kind == HEADER:
            return self.request.header(name) == value
        return self.parameters.get(name, b"") == value


class RuleMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests a rule matches; ``path`` is below the base URL and may end in ``*``.

    All members must match. A parameter is looked for in the query, then in the form.
    """

    provider: str = ANY_PROVIDER
    operation: str = ""
    method: str = ""
    path: str = ""
    credential: str = ""
    header: dict[str, str] = {}
    query: dict[str, str] = {}

    def criteria(self) -> tuple[Criterion, ...]:
        """Returns the criteria beside operation, method and credential, as bytes."""
        path = self.path.encode()
        star = path.endswith(b"*")
        prefix = (PATH_PREFIX, (b"", path[:-1]))
        criteria = [prefix if star else (PATH, (b"", path))] if path else []
        criteria += [(HEADER, (name.lower(), value)) for name, value in _encoded(self.header)]
        criteria += [(PARAMETER, pair) for pair in _encoded(self.query)]
        return tuple(criteria)


def _encoded(texts: Mapping[str, str]) -> Iterable[NameValue]:
    return ((name.encode(), value.encode()) for name, value in texts.items())


def matching_operations(
    match: RuleMatch, providers: Mapping[str, Provider]
) -> dict[str, list[str]]:
    """Returns the operations that a rule applies to, by provider; all if it names none."""
    operations = {}
    for provider in providers.values():
        if match.provider in (ANY_PROVIDER, provider.name):
            ids = [route.id for route in provider.routes]
            named = provider.main if match.operation == BALANCES else match.operation
            if not named:
                operations[provider.name] = ["", *ids]
            elif named in ids:
                operations[provider.name] = [named]
    return operations


class FiringWindow(Struct, frozen=True):
    """When a rule fires: a range of matches, and a time range in nanoseconds since it was set."""

    first: int
    last: int | None
    probability: float | None
    every: int
    times: int | None
    begin: int
    end: int | None
    period: int | None

    def covers(self, elapsed: int) -> bool:
        """Returns whether the rule is active at this time after it was set."""
        if self.period is not None:
            elapsed %= self.period
        return self.begin <= elapsed and (self.end is None or elapsed < self.end)

    def is_over(self, elapsed: int, matched: int, fired: int) -> bool:
        """Returns whether the rule can never fire again."""
        return (
            (self.end is not None and self.period is None and elapsed >= self.end)
            or (self.last is not None and matched >= self.last)
            or (self.times is not None and fired >= self.times)
        )

    def fires(self, n: int, fired: int, chance: Chance) -> bool:
        """Returns whether the rule fires at its n-th match."""
        return (
            n >= self.first
            and (self.last is None or n <= self.last)
            and (n - self.first) % self.every == self.every - 1
            and (self.times is None or fired < self.times)
            and (self.probability is None or chance.fraction() < self.probability)
        )


class Fault(Struct, frozen=True):
    """One mutation or delivery of a rule: its kind, its parsed value, its source text."""

    kind: FaultKind
    value: Any
    source: str

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.kind.name


class Rule(Struct, frozen=True):
    """A parsed rule; ``source`` is the data it was parsed from.

    ``reject_facts`` are the facts of its reject.
    """

    name: str
    source: Mapping[str, Any]
    match: RuleMatch
    window: FiringWindow
    reject: str = ""
    raw: Response | None = None
    mutations: tuple[Fault, ...] = ()
    deliveries: tuple[Fault, ...] = ()
    sandbox_clock: bool = False
    reject_facts: Mapping[str, str] = {}

    @property
    def size(self) -> int:
        """The bytes it counts for: its source, and a raw body once more as it is sent."""
        return len(msgspec.json.encode(self.source)) + (len(self.raw.body) if self.raw else 0)

    @property
    def watches(self) -> bool:
        """Whether it must see successful responses for which it does not fire."""
        return any(fault.kind.watch is not None for fault in self.mutations)
