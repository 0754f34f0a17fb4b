"""A rule: which requests it matches, when it fires, and what it then does."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mockserver.engine.faults.chance import Chance
from mockserver.wire.message import Request, Response
from mockserver.wire.provider import Provider
from mockserver.wire.query import parameter

EVERY = "*"
BALANCES = "balances"  # every provider's main read


class Match(Struct, frozen=True, forbid_unknown_fields=True):
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

    def request(self, request: Request, base_path: str) -> bool:
        """Tells whether a request of the right provider and operation is meant."""
        return (
            (not self.method or self.method == request.method)
            and (not self.path or self._leads(request.path.decode("latin-1"), base_path))
            and all(
                request.header(name.lower().encode()) == value.encode()
                for name, value in self.header.items()
            )
            and all(
                parameter(request, name.encode()) == value.encode()
                for name, value in self.query.items()
            )
        )

    def _leads(self, path: str, base_path: str) -> bool:
        wanted = (self.path, base_path + self.path)
        if self.path.endswith("*"):
            return any(path.startswith(start[:-1]) for start in wanted)
        return path in wanted


def meant(match: Match, providers: Mapping[str, Provider]) -> dict[str, list[str]]:
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


class Moments(Struct, frozen=True):
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
    match: Match
    moments: Moments
    reject: str = ""
    raw: Response | None = None
    mutations: tuple[Fault, ...] = ()
    deliveries: tuple[Fault, ...] = ()
    clock_of_sandbox: bool = False

    @property
    def watches(self) -> bool:
        """Whether it has to see good answers for which it does not fire."""
        return any(hasattr(fault.module, "watch") for fault in self.mutations)
