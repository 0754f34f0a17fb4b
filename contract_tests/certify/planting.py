"""How defects are planted in a reference client, each one careless habit.

Every row names the check that is meant for it, and the other ``must`` checks that the same habit
fails; no other ``must`` may fail.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from contract_tests.certify import changes
from contract_tests.certify.changes import Changed
from contract_tests.certify.reference import Exchange, Row
from mockserver.certify import judges
from mockserver.certify.model import Check, Judge

ALL = ("cdp", "coinapi", "coinstats", "coinw", "cpg")
HTTP = ("cdp", "coinapi", "coinstats", "cpg")  # errors by HTTP status
Methods = dict[str, Callable[..., Any]]


class Defect(NamedTuple):
    """A defect; ``also`` are further ``must`` checks, by id or by the beginning of one and *."""

    name: str
    provider: str
    caught_by: str
    also: tuple[str, ...]
    methods: Methods

    @property
    def id(self) -> str:
        return f"{self.provider}: {self.name}"

    def client(self, **stage: Any) -> list[Row]:
        return type("Planted", (Exchange,), self.methods)(stage).balances()

    def allows(self, check: Check) -> bool:
        patterns = (self.caught_by, *self.also)
        if any(re.fullmatch(p.replace("*", ".*"), check.id) for p in patterns):
            return True
        return any(not MARKS[mark].isdisjoint(check.judges) for mark in self.also if mark in MARKS)


# Marks in ``also``: every check that compares rows, every check that expects an error.
ROWS, ERRORS = "(rows)", "(errors)"
MARKS: dict[str, set[Judge]] = {
    ROWS: {judges.exact, judges.exact_or_error, judges.nothing_invented},
    ERRORS: {
        judges.error,
        judges.exact_or_error,
        judges.nothing_invented,
        judges.reached_last_page,
        judges.no_secret_in_output,
    },
}
DEFECTS: list[Defect] = []


def plant(
    name: str, providers: tuple[str, ...], caught_by: str, *also: str, **methods: Callable[..., Any]
) -> None:
    """Adds a defect for each provider."""
    DEFECTS.extend(Defect(name, each, caught_by, also, methods) for each in providers)


def changed(change: changes.Change, **options: bool) -> Callable[[Exchange], dict[str, Any]]:
    """Returns the method that puts a change between the network and the client."""
    return lambda self: {"transport": Changed(self.provider, change, **options)}


def on_rows(change: Callable[[Row], Row]) -> Callable[..., Any]:
    """Returns the method that changes each row."""
    return lambda self, client: [change(row) for row in Exchange.rows(self, client)]


def on_list(change: Callable[[list[Row]], list[Row]]) -> Callable[..., Any]:
    """Returns the method that changes the list of rows."""
    return lambda self, client: change(Exchange.rows(self, client))


def on_error(handle: Callable[[Exchange, Exception], Any]) -> Callable[..., Any]:
    """Returns the method that handles the client's error."""

    def balances(self: Exchange) -> Any:
        try:
            return Exchange.balances(self)
        except Exception as error:
            return handle(self, error)

    return balances


def again_while(condition: Callable[[Exchange, Exception], bool], pause: float) -> Any:
    """Returns the method that repeats for ever while an error meets a condition."""

    def balances(self: Exchange) -> Any:
        while True:
            try:
                return Exchange.balances(self)
            except Exception as error:
                if not condition(self, error):
                    raise
                self.sleep(pause)

    return balances


def fails(error: Exception) -> Any:
    raise error
