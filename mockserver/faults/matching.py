"""The rules of a sandbox, indexed so that a request is compared with few of them.

A rule is indexed by its operation and credential and by its rarest criterion: the path, header
or parameter that the fewest other rules name. A thousand rules for other requests cost nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mockserver.faults.chance import Chance
from mockserver.faults.rules import (
    HEADER,
    PATH,
    PATH_PREFIX,
    RULES_SIZE_MAX,
    TOO_LARGE,
    Criterion,
    MatchInput,
    NameValue,
    Rule,
    matching_operations,
)
from mockserver.model.http import Request
from mockserver.model.provider import Provider

RULES_MAX = 2_000


class RuleState(Struct, frozen=True):
    """A rule in force at one moment; ``since`` is when it was set, in nanoseconds."""

    rule: Rule
    since: int
    scenario: str
    matched: int
    fired: int
    memory: Mapping[Any, Mapping[Any, Any]]


class ActiveRule:
    """A rule in force: when it was set, its position, how often it matched and fired."""

    def __init__(self, rule: Rule, since: int, scenario: str, seed: int) -> None:
        self.rule = rule
        self.size = rule.size
        self.criteria = rule.match.criteria()
        self.since = since
        self.scenario = scenario
        self.seed = seed
        self.position = 0
        self.matched = 0
        self.fired = 0
        self.memory: dict[Any, Any] = {}

    def state(self) -> RuleState:
        """Returns its state; what is in its memory never changes."""
        memory = {kind: dict(values) for kind, values in self.memory.items()}
        return RuleState(self.rule, self.since, self.scenario, self.matched, self.fired, memory)

    def restore(self, state: RuleState) -> None:
        """Returns to a state of the same rule."""
        self.matched, self.fired = state.matched, state.fired
        self.memory = {kind: dict(values) for kind, values in state.memory.items()}

    @property
    def begin(self) -> int:
        """The sandbox time before which it matches nothing."""
        return self.since + self.rule.window.begin

    def matches(self, request_input: MatchInput) -> bool:
        """Returns whether it matches a request of its provider and operation."""
        method = self.rule.match.method
        return method in ("", request_input.request.method) and all(
            map(request_input.meets, self.criteria)
        )

    def is_over(self, now: int) -> bool:
        """Returns whether it can never fire again."""
        return self.rule.window.is_over(now - self.since, self.matched, self.fired)

    def draw(self) -> tuple[Chance, bool]:
        """Counts a match; returns its random draws and whether the rule fires."""
        self.matched += 1
        chance = Chance(self.seed, self.rule.name, self.matched)
        fires = self.rule.window.fires(self.matched, self.fired, chance)
        self.fired += fires
        return chance, fires


class Firing:
    """A rule that matched a request, and whether it fires."""

    __slots__ = ("chance", "fires", "memory", "rule")

    def __init__(self, active: ActiveRule) -> None:
        self.rule = active.rule
        self.memory = active.memory
        self.chance, self.fires = active.draw()


class RuleIndex:
    """The rules for one operation, each indexed by one of its criteria."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.all: list[ActiveRule] = []  # rules without a criterion
        self.paths: dict[bytes, list[ActiveRule]] = {}
        self.prefixes: dict[int, dict[bytes, list[ActiveRule]]] = {}  # path prefixes, by length
        self.headers: dict[bytes, dict[bytes, list[ActiveRule]]] = {}
        self.parameters: dict[bytes, dict[bytes, list[ActiveRule]]] = {}

    def add(self, active: ActiveRule, criterion: Criterion | None) -> None:
        """Adds a rule under a criterion."""
        self._rules_for(criterion).append(active)

    def _rules_for(self, criterion: Criterion | None) -> list[ActiveRule]:
        """Returns the list of the rules under a criterion."""
        if criterion is None:
            return self.all
        kind, (name, value) = criterion
        if kind == PATH:
            return self.paths.setdefault(value, [])
        if kind == PATH_PREFIX:
            return self.prefixes.setdefault(len(value), {}).setdefault(value, [])
        named = self.headers if kind == HEADER else self.parameters
        return named.setdefault(name, {}).setdefault(value, [])

    def candidates(self, request_input: MatchInput) -> Sequence[ActiveRule]:
        """Returns the rules that a request may match, in their order."""
        matching: list[ActiveRule] = []
        if self.paths or self.prefixes:
            for path in request_input.paths:
                matching += self.paths.get(path, ())
                for length, prefixes in self.prefixes.items():
                    matching += prefixes.get(path[:length], ())
        if self.headers:
            _add_by_value(matching, self.headers, request_input.request.headers)
        if self.parameters:
            _add_by_value(matching, self.parameters, request_input.parameters.items())
        if not matching:
            return self.all
        # A repeated header, or a path below two prefixes, finds a rule twice.
        return sorted({*self.all, *matching}, key=lambda active: active.position)


def _add_by_value(
    matching: list[ActiveRule],
    rules: Mapping[bytes, Mapping[bytes, list[ActiveRule]]],
    pairs: Iterable[NameValue],
) -> None:
    for name, value in pairs:
        if name in rules:
            matching += rules[name].get(value, ())


class Rulebook:
    """The rules in force, in the order in which they were set."""

    def __init__(self, providers: Mapping[str, Provider], seed: int) -> None:
        self._providers = providers
        self._seed = seed
        self._index: dict[tuple[str, str], RuleIndex] = {}
        self._index_by_label: dict[tuple[str, str], dict[str, RuleIndex]] = {}
        self._criterion_counts: Counter[Criterion] = Counter()  # rules with each criterion
        self._next_begin: int | None = None  # when the next rule begins that is not indexed yet
        self.rules: dict[str, ActiveRule] = {}

    @property
    def has_labels(self) -> bool:
        """Whether a rule names a credential."""
        return bool(self._index_by_label) or self._next_begin is not None

    def put(self, rules: Iterable[Rule], now: int, scenario: str = "") -> None:
        """Adds rules, replacing those of the same names; raises ValueError for too many."""
        added = {rule.name: ActiveRule(rule, now, scenario, self._seed) for rule in rules}
        merged = {**self.rules, **added}
        self.check_room(len(merged), sum(active.size for active in merged.values()))
        last, replaced = len(self.rules), self.rules.keys() & added.keys()
        self.rules = merged
        if replaced:
            self._rebuild(now)
            return
        self._count(added.values())
        for position, active in enumerate(added.values(), last):
            self._add(active, position, now)

    def state(self) -> tuple[RuleState, ...]:
        """Returns the rules and their counters."""
        return tuple([active.state() for active in self.rules.values()])

    def restore(self, state: Iterable[RuleState], now: int) -> None:
        """Puts the rules of a state in place of its own."""
        self.rules = {}
        for known in state:
            active = ActiveRule(known.rule, known.since, known.scenario, self._seed)
            active.restore(known)
            self.rules[known.rule.name] = active
        self._rebuild(now)

    def check_room(self, count: int, size: int = 0) -> None:
        """Raises ValueError for too many rules, or too many bytes of rules."""
        if count > RULES_MAX:
            raise ValueError(f"a sandbox has at most {RULES_MAX} rules")
        if size > RULES_SIZE_MAX:
            raise ValueError(TOO_LARGE)

    def drop(self, names: Iterable[str]) -> None:
        """Removes rules."""
        gone = set(names)
        self.rules = {name: active for name, active in self.rules.items() if name not in gone}
        self._rebuild()

    def of_scenario(self, name: str) -> list[str]:
        """Returns the names of a scenario's rules."""
        return [n for n, active in self.rules.items() if active.scenario == name]

    def _rebuild(self, now: int | None = None) -> None:
        self._index, self._index_by_label, self._next_begin = {}, {}, None
        self._criterion_counts.clear()
        self._count(self.rules.values())
        for position, active in enumerate(self.rules.values()):
            self._add(active, position, now)

    def _add(self, active: ActiveRule, position: int, now: int | None) -> None:
        """Gives a rule its position, and indexes it unless it is over or begins later."""
        active.position = position
        if now is not None and now < active.begin:
            self._next_begin = min(self._next_begin or active.begin, active.begin)
        elif now is None or not active.is_over(now):
            self._add_to_index(active)

    def _add_to_index(self, active: ActiveRule) -> None:
        match, criterion = active.rule.match, self._rarest_criterion(active)
        for name, operations in matching_operations(match, self._providers).items():
            provider = self._providers[name]
            methods = {route.id: route.method for route in provider.routes}
            for operation in operations:
                if operation and match.method not in ("", methods[operation]):
                    continue
                index = self._index.setdefault((name, operation), RuleIndex(provider))
                if match.credential:
                    labels = self._index_by_label.setdefault((name, operation), {})
                    index = labels.setdefault(match.credential, RuleIndex(provider))
                index.add(active, criterion)

    def _count(self, rules: Iterable[ActiveRule]) -> None:
        for active in rules:
            self._criterion_counts.update(active.criteria)

    def _rarest_criterion(self, active: ActiveRule) -> Criterion | None:
        """Returns the criterion of a rule that the fewest rules share."""
        # A request may lack an empty parameter, so the index cannot find rules by it.
        criteria = [c for c in active.criteria if c[0] == PATH_PREFIX or c[1][1]]
        return min(criteria, key=self._criterion_counts.__getitem__, default=None)

    def ask(
        self, provider: Provider, operation: str, request: Request, now: int, label: str | None
    ) -> list[Firing]:
        """Counts the rules that match; returns those that fire or watch responses.

        ``label`` None asks the rules without a credential, a label those for this credential.
        """
        if self._next_begin is not None and now >= self._next_begin:
            self._rebuild(now)
        key = (provider.name, operation)
        if label is None:
            index = self._index.get(key)
        else:
            labels = self._index_by_label.get(key)
            index = labels.get(label) if labels else None
        if index is None:
            return []
        matching, finished = [], False
        request_input = MatchInput(request)
        for active in index.candidates(request_input):
            if active.is_over(now):
                finished = True
            elif active.rule.window.covers(now - active.since) and active.matches(request_input):
                firing = Firing(active)
                if firing.fires or firing.rule.watches:
                    matching.append(firing)
        if finished:
            self._rebuild(now)
        return matching
