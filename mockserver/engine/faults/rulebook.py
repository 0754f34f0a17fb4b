"""The rules of a sandbox: found by what a request is, counted, drawn.

A request is compared only with the rules that mean its operation and, where a rule names one,
its path, header, parameter or credential: a thousand rules for others cost it nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.rule import Rule, meant
from mockserver.wire.message import Request
from mockserver.wire.provider import Provider
from mockserver.wire.query import parameter

RULES_MAX = 2_000


class Active:
    """A rule in force: since when, in which place, how often it matched and fired."""

    def __init__(self, rule: Rule, since: int, scenario: str, seed: int) -> None:
        self.rule = rule
        self.since = since
        self.scenario = scenario
        self.seed = seed
        self.place = 0
        self.matched = 0
        self.fired = 0
        self.memory: dict[Any, Any] = {}

    def over(self, now: int) -> bool:
        """Tells whether it cannot fire any more."""
        return self.rule.moments.over(now - self.since, self.matched, self.fired)

    def draw(self) -> tuple[Chance, bool]:
        """Counts a match; returns what it draws from, and whether the rule fires."""
        self.matched += 1
        chance = Chance(self.seed, self.rule.name, self.matched)
        fires = self.rule.moments.fires(self.matched, self.fired, chance)
        self.fired += fires
        return chance, fires


class Firing:
    """A rule that matched a request, and whether it fires for it."""

    __slots__ = ("chance", "fires", "memory", "rule")

    def __init__(self, active: Active) -> None:
        self.rule = active.rule
        self.memory = active.memory
        self.chance, self.fires = active.draw()


class Shelf:
    """The rules for one operation, each in the first of the places that can hold it."""

    def __init__(self) -> None:
        self.all: list[Active] = []
        self.paths: dict[str, list[Active]] = {}
        self.headers: dict[bytes, dict[bytes, list[Active]]] = {}
        self.parameters: dict[bytes, dict[bytes, list[Active]]] = {}

    def add(self, active: Active, base_path: str) -> None:
        """Puts a rule where it will be found."""
        match = active.rule.match
        if match.path and not match.path.endswith("*"):
            for path in {match.path, base_path + match.path}:
                self.paths.setdefault(path, []).append(active)
        elif match.header:
            name, value = next(iter(match.header.items()))
            values = self.headers.setdefault(name.lower().encode(), {})
            values.setdefault(value.encode(), []).append(active)
        elif match.query:
            name, value = next(iter(match.query.items()))
            values = self.parameters.setdefault(name.encode(), {})
            values.setdefault(value.encode(), []).append(active)
        else:
            self.all.append(active)

    def near(self, request: Request) -> list[Active]:
        """Returns the rules that a request may match, in their order."""
        found = list(self.all)
        if self.paths:
            found += self.paths.get(request.path.decode("latin-1"), ())
        for name, values in self.headers.items():
            found += values.get(request.header(name), ())
        for name, values in self.parameters.items():
            value = parameter(request, name)
            found += values.get(value, ()) if value is not None else ()
        if len(found) > len(self.all):
            found.sort(key=lambda active: active.place)
        return found


class Rulebook:
    """The rules in force, in the order in which they were set."""

    def __init__(self, providers: Mapping[str, Provider], seed: int) -> None:
        self._providers = providers
        self._seed = seed
        self._index: dict[tuple[str, str], Shelf] = {}
        self._labelled: dict[tuple[str, str], dict[str, Shelf]] = {}
        self.rules: dict[str, Active] = {}

    def put(self, rules: Iterable[Rule], now: int, scenario: str = "") -> None:
        """Sets rules, each in the place of one with its name; raises ValueError for too many."""
        made = {rule.name: Active(rule, now, scenario, self._seed) for rule in rules}
        if len(self.rules.keys() | made.keys()) > RULES_MAX:
            raise ValueError(f"a sandbox has at most {RULES_MAX} rules")
        self.rules = {**self.rules, **made}
        self._arrange(now)

    def drop(self, names: Iterable[str]) -> None:
        """Takes rules away."""
        gone = set(names)
        self.rules = {name: active for name, active in self.rules.items() if name not in gone}
        self._arrange()

    def of_scenario(self, name: str) -> list[str]:
        """Returns the names of a scenario's rules."""
        return [n for n, active in self.rules.items() if active.scenario == name]

    def _arrange(self, now: int | None = None) -> None:
        self._index, self._labelled = {}, {}
        for place, active in enumerate(self.rules.values()):
            active.place = place
            if now is None or not active.over(now):
                self._shelve(active)

    def _shelve(self, active: Active) -> None:
        match = active.rule.match
        for name, operations in meant(match, self._providers).items():
            methods = {route.id: route.method for route in self._providers[name].routes}
            for operation in operations:
                if operation and match.method not in ("", methods[operation]):
                    continue
                shelf = self._index.setdefault((name, operation), Shelf())
                if match.credential:
                    labels = self._labelled.setdefault((name, operation), {})
                    shelf = labels.setdefault(match.credential, Shelf())
                shelf.add(active, self._providers[name].base_path)

    def ask(
        self, provider: Provider, operation: str, request: Request, now: int, label: str | None
    ) -> list[Firing]:
        """Returns the rules that match and fire, or want to see the answer.

        Without a label those that name no credential; with one, those that name this one.
        """
        place = (provider.name, operation)
        shelf = self._index.get(place)
        if label is not None:
            shelf = self._labelled.get(place, {}).get(label)
        if shelf is None:
            return []
        found, finished = [], False
        for active in shelf.near(request):
            if active.over(now):
                finished = True
            elif active.rule.moments.covers(now - active.since) and active.rule.match.request(
                request, provider.base_path
            ):
                firing = Firing(active)
                if firing.fires or firing.rule.watches:
                    found.append(firing)
        if finished:
            self._arrange(now)
        return found
