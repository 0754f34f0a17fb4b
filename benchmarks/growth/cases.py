"""What is measured: of what there is little and much, and how much."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.growth.ledgers import accounts, chosen, listed, middle, pending, records, rows
from benchmarks.growth.requests import Asks
from benchmarks.growth.rules import KINDS, ruled
from benchmarks.growth.traffic import (
    addresses,
    callers,
    filled,
    gone,
    refused,
    remembered,
    rules,
    sandboxes,
)
from mockserver.engine import journal, replay
from mockserver.model.provider import Provider
from mockserver.providers import discover

PER_TURN = 500
# Both sides of a pair leave a rest: a page that has a next one names it, which costs more.
FIRST_OF = 21
MIDDLE_OF = 40
THREE = ("cdp", "coinapi", "cpg")
GROWING = [name for name, provider in discover().items() if provider.holder]


class Case(NamedTuple):
    """What grows: ``build`` makes a sandbox with so many, and what asks it.

    Memory is told for each ``unit``; before every request one row ``changes``, if it says so.
    """

    name: str
    provider: str
    build: Callable[[Provider, int], Asks]
    small: int
    large: int
    unit: str = ""
    changes: bool = False
    turn: int = PER_TURN


CASES = (
    *(Case("accounts", name, accounts, 1, 1_000, "account") for name in ("cdp", "cpg")),
    *(Case("accounts", name, accounts, 1, 100_000, "account") for name in THREE),
    Case("accounts, a page of them", "cdp", listed, FIRST_OF, 100_000, "account"),
    Case("rows, the first 20", "cdp", rows, FIRST_OF, 100_000, "row"),
    Case("rows, 10 of the middle", "cdp", middle, MIDDLE_OF, 100_000),
    Case("rows, one currency", "cpg", chosen, 20, 100_000, "row"),
    Case("rows, one changed: the first 20", "cdp", rows, FIRST_OF, 100_000, changes=True, turn=50),
    Case("rows, one changed: a currency", "cpg", chosen, 20, 100_000, changes=True, turn=50),
    *(Case("sandboxes", name, sandboxes, 1, 1_000, "sandbox") for name in THREE),
    Case("rules for another operation", "cpg", rules("ping"), 0, 1_000, "rule"),
    *(Case("rules for headers", name, rules(""), 0, 1_000, "rule") for name in ("cpg", "coinapi")),
    *(Case("rules of 12 kinds", name, ruled([*KINDS][2:]), 0, 1_000, "rule") for name in GROWING),
    *(Case("callers", name, callers, 1, 10_000, "caller") for name in GROWING),
    *(Case("addresses", name, addresses, 1, 10_000, "address") for name in ("coinw", "cpg")),
    Case("addresses, more than are counted", "cpg", addresses, 1, 70_000, turn=5_000),
    Case("journal, full of entries", "coinapi", filled(1), 0, journal.ENTRIES_MAX, "entry"),
    Case("journal, full of bytes", "coinapi", filled(60), 0, 4_000, "entry"),
    Case("replay memory", "cpg", remembered, 0, 2 * replay.GENERATION_MAX - 50_000, "digest"),
    Case("pending events", "coinapi", pending, 0, 100_000, "event"),
    Case("withdrawals", "cpg", records, 1, 100_000, "withdrawal"),
    Case("a refusal among 50 requests", "cpg", refused, 0, 1),
    Case("a window that has passed", "cdp", gone, 0, 200_000, turn=100),
)
