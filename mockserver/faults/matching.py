"""The rules of a sandbox: found by what a request is, counted, drawn.

A request is compared only with the rules that mean its operation and credential and, of the
path, the headers and the parameters that a rule names, what the fewest others name: a thousand
rules for others cost it nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mockserver.faults.chance import Chance
from mockserver.faults.rules import (
    BYTES_MAX,
    HEADER,
    PATH,
    START,
    TOO_LARGE,
    MatchInput,
    Pair,
    Rule,
    Want,
    matching_operations,
)
from mockserver.model.http import Request
from mockserver.model.provider import Provider

RULES_MAX = 2_000


class ActiveRule:
    """A rule in force: since when, in which place, how often it matched and fired."""

    def __init__(self, rule: Rule, since: int, scenario: str, seed: int) -> None:
        self.rule = rule
        self.size = rule.size
        self.wants = rule.match.wants()
        self.since = since
        self.scenario = scenario
        self.seed = seed
        self.place = 0
        self.matched = 0
        self.fired = 0
        self.memory: dict[Any, Any] = {}

    @property
    def begin(self) -> int:
        """The time before which it matches nothing."""
        return self.since + self.rule.moments.begin

    def meets(self, seen: MatchInput) -> bool:
        """Tells whether a request of the right provider and operation is meant."""
        method = self.rule.match.method
        return method in ("", seen.request.method) and all(map(seen.has, self.wants))

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

    def __init__(self, active: ActiveRule) -> None:
        self.rule = active.rule
        self.memory = active.memory
        self.chance, self.fires = active.draw()


class RuleIndex:
    """The rules for one operation, each under one of the things that it wants."""

    def __init__(self, base_path: bytes) -> None:
        self.base_path = base_path
        self.all: list[ActiveRule] = []  # those that want nothing in particular
        self.paths: dict[bytes, list[ActiveRule]] = {}
        self.starts: dict[int, dict[bytes, list[ActiveRule]]] = {}  # of paths, by their length
        self.headers: dict[bytes, dict[bytes, list[ActiveRule]]] = {}
        self.parameters: dict[bytes, dict[bytes, list[ActiveRule]]] = {}

    def add(self, active: ActiveRule, want: Want | None) -> None:
        """Puts a rule where a request that has this will find it."""
        self._lead(want).append(active)

    def _lead(self, want: Want | None) -> list[ActiveRule]:
        """Returns where the rules lie that are found by this."""
        if want is None:
            return self.all
        kind, (name, value) = want
        if kind == PATH:
            return self.paths.setdefault(value, [])
        if kind == START:
            return self.starts.setdefault(len(value), {}).setdefault(value, [])
        named = self.headers if kind == HEADER else self.parameters
        return named.setdefault(name, {}).setdefault(value, [])

    def near(self, seen: MatchInput) -> list[ActiveRule]:
        """Returns the rules that a request may match, in their order."""
        found: list[ActiveRule] = []
        if self.paths or self.starts:
            for path in seen.paths:
                found += self.paths.get(path, ())
                for length, starts in self.starts.items():
                    found += starts.get(path[:length], ())
        if self.headers:
            found += _found(self.headers, seen.request.headers)
        if self.parameters:
            found += _found(self.parameters, seen.parameters.items())
        if not found:
            return self.all
        # A header given twice, or a path below two beginnings, finds a rule twice.
        return sorted({*self.all, *found}, key=lambda active: active.place)


def _found(
    rules: Mapping[bytes, Mapping[bytes, list[ActiveRule]]], pairs: Iterable[Pair]
) -> Iterator[ActiveRule]:
    for name, value in pairs:
        if name in rules:
            yield from rules[name].get(value, ())


class Rulebook:
    """The rules in force, in the order in which they were set."""

    def __init__(self, providers: Mapping[str, Provider], seed: int) -> None:
        self._providers = providers
        self._seed = seed
        self._index: dict[tuple[str, str], RuleIndex] = {}
        self._labelled: dict[tuple[str, str], dict[str, RuleIndex]] = {}
        self._wanted: Counter[Want] = Counter()  # by how many rules
        self._due: int | None = None  # when the next rule begins that lies on no shelf yet
        self.rules: dict[str, ActiveRule] = {}

    def put(self, rules: Iterable[Rule], now: int, scenario: str = "") -> None:
        """Sets rules, each in the place of one with its name; raises ValueError for too many."""
        made = {rule.name: ActiveRule(rule, now, scenario, self._seed) for rule in rules}
        together = {**self.rules, **made}
        self.check_room(len(together), sum(active.size for active in together.values()))
        last, replaced = len(self.rules), self.rules.keys() & made.keys()
        self.rules = together
        if replaced:
            self._arrange(now)
            return
        self._count(made.values())
        for place, active in enumerate(made.values(), last):
            self._place(active, place, now)

    def check_room(self, count: int, size: int = 0) -> None:
        """Raises ValueError when so many rules are too many, or so many bytes of them."""
        if count > RULES_MAX:
            raise ValueError(f"a sandbox has at most {RULES_MAX} rules")
        if size > BYTES_MAX:
            raise ValueError(TOO_LARGE)

    def drop(self, names: Iterable[str]) -> None:
        """Takes rules away."""
        gone = set(names)
        self.rules = {name: active for name, active in self.rules.items() if name not in gone}
        self._arrange()

    def of_scenario(self, name: str) -> list[str]:
        """Returns the names of a scenario's rules."""
        return [n for n, active in self.rules.items() if active.scenario == name]

    def _arrange(self, now: int | None = None) -> None:
        self._index, self._labelled, self._due = {}, {}, None
        self._wanted.clear()
        self._count(self.rules.values())
        for place, active in enumerate(self.rules.values()):
            self._place(active, place, now)

    def _place(self, active: ActiveRule, place: int, now: int | None) -> None:
        """Gives a rule its place, and a shelf unless it is over or waits."""
        active.place = place
        if now is not None and now < active.begin:
            self._due = active.begin if self._due is None else min(self._due, active.begin)
        elif now is None or not active.over(now):
            self._shelve(active)

    def _shelve(self, active: ActiveRule) -> None:
        match, want = active.rule.match, self._rarest(active)
        for name, operations in matching_operations(match, self._providers).items():
            base_path = self._providers[name].base_path.encode()
            methods = {route.id: route.method for route in self._providers[name].routes}
            for operation in operations:
                if operation and match.method not in ("", methods[operation]):
                    continue
                shelf = self._index.setdefault((name, operation), RuleIndex(base_path))
                if match.credential:
                    labels = self._labelled.setdefault((name, operation), {})
                    shelf = labels.setdefault(match.credential, RuleIndex(base_path))
                shelf.add(active, want)

    def _count(self, rules: Iterable[ActiveRule]) -> None:
        for active in rules:
            self._wanted.update(active.wants)

    def _rarest(self, active: ActiveRule) -> Want | None:
        """Returns what the fewest rules want of all that this one wants."""
        # What has to be empty need not be there, so nothing is found by it.
        wants = [want for want in active.wants if want[0] == START or want[1][1]]
        return min(wants, key=self._wanted.__getitem__, default=None)

    def ask(
        self, provider: Provider, operation: str, request: Request, now: int, label: str | None
    ) -> list[Firing]:
        """Returns the rules that match and fire, or want to see the answer.

        Without a label those that name no credential; with one, those that name this one.
        """
        if self._due is not None and now >= self._due:
            self._arrange(now)
        place = (provider.name, operation)
        shelf = self._index.get(place)
        if label is not None:
            shelf = self._labelled.get(place, {}).get(label)
        if shelf is None:
            return []
        found, finished = [], False
        seen = MatchInput(request, shelf.base_path)
        for active in shelf.near(seen):
            if active.over(now):
                finished = True
            elif active.rule.moments.covers(now - active.since) and active.meets(seen):
                firing = Firing(active)
                if firing.fires or firing.rule.watches:
                    found.append(firing)
        if finished:
            self._arrange(now)
        return found
