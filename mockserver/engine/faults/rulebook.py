"""The rules of a sandbox: found by what a request is, counted, drawn.

A request is compared only with the rules that mean its operation and, where a rule names one,
its path, header, parameter or credential: a thousand rules for others cost it nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.rule import Rule, meant
from mockserver.wire.message import Request
from mockserver.wire.provider import Provider
from mockserver.wire.query import parameters

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

    @property
    def begin(self) -> int:
        """The time before which it matches nothing."""
        return self.since + self.rule.moments.begin

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
        self.starts: dict[int, dict[str, list[Active]]] = {}  # of paths, by their length
        self.headers: dict[bytes, dict[bytes, list[Active]]] = {}
        self.parameters: dict[bytes, dict[bytes, list[Active]]] = {}

    def add(self, active: Active, base_path: str) -> None:
        """Puts a rule where it will be found."""
        match = active.rule.match
        header, query = _said(match.header), _said(match.query)
        if match.path:
            for path in {match.path, base_path + match.path}:
                self._lead(path).append(active)
        elif header:
            values = self.headers.setdefault(header[0].lower().encode(), {})
            values.setdefault(header[1].encode(), []).append(active)
        elif query:
            values = self.parameters.setdefault(query[0].encode(), {})
            values.setdefault(query[1].encode(), []).append(active)
        else:
            self.all.append(active)

    def _lead(self, path: str) -> list[Active]:
        """Returns where the rules for a path lie, or for all that begin as it does."""
        if not path.endswith("*"):
            return self.paths.setdefault(path, [])
        return self.starts.setdefault(len(path) - 1, {}).setdefault(path[:-1], [])

    def near(self, request: Request) -> list[Active]:
        """Returns the rules that a request may match, in their order."""
        found: list[Active] = []
        if self.paths or self.starts:
            path = request.path.decode("latin-1")
            found += self.paths.get(path, ())
            for length, starts in self.starts.items():
                found += starts.get(path[:length], ())
        if self.headers:
            found += _found(self.headers, request.headers)
        if self.parameters:
            media_type = request.header(b"content-type")
            found += _found(self.parameters, parameters(request.query, media_type, request.body))
        if not found:
            return self.all
        # A header given twice, or a path below two beginnings, finds a rule twice.
        return sorted({*self.all, *found}, key=lambda active: active.place)


def _said(texts: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns the first that is there; what has to be empty need not be."""
    return next(((name, value) for name, value in texts.items() if value), None)


def _found(
    rules: Mapping[bytes, Mapping[bytes, list[Active]]], pairs: Iterable[tuple[bytes, bytes]]
) -> Iterator[Active]:
    for name, value in pairs:
        if name in rules:
            yield from rules[name].get(value, ())


class Rulebook:
    """The rules in force, in the order in which they were set."""

    def __init__(self, providers: Mapping[str, Provider], seed: int) -> None:
        self._providers = providers
        self._seed = seed
        self._index: dict[tuple[str, str], Shelf] = {}
        self._labelled: dict[tuple[str, str], dict[str, Shelf]] = {}
        self._due: int | None = None  # when the next rule begins that lies on no shelf yet
        self.rules: dict[str, Active] = {}

    def put(self, rules: Iterable[Rule], now: int, scenario: str = "") -> None:
        """Sets rules, each in the place of one with its name; raises ValueError for too many."""
        made = {rule.name: Active(rule, now, scenario, self._seed) for rule in rules}
        self.check_room(len(self.rules.keys() | made.keys()))
        last, replaced = len(self.rules), self.rules.keys() & made.keys()
        self.rules = {**self.rules, **made}
        if replaced:
            self._arrange(now)
            return
        for place, active in enumerate(made.values(), last):
            self._place(active, place, now)

    def check_room(self, count: int) -> None:
        """Raises ValueError when so many rules are too many."""
        if count > RULES_MAX:
            raise ValueError(f"a sandbox has at most {RULES_MAX} rules")

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
        for place, active in enumerate(self.rules.values()):
            self._place(active, place, now)

    def _place(self, active: Active, place: int, now: int | None) -> None:
        """Gives a rule its place, and a shelf unless it is over or waits."""
        active.place = place
        if now is not None and now < active.begin:
            self._due = active.begin if self._due is None else min(self._due, active.begin)
        elif now is None or not active.over(now):
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
        if self._due is not None and now >= self._due:
            self._arrange(now)
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
