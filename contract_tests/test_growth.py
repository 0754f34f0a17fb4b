"""A request costs the same when there is much of everything: ratios of CPU, never seconds.

Small and large take turns in this process, and the least of several turns counts. What is flat
measures 1.0 to 1.3 here; what is looked for one by one, or made anew, measures 3 to 1,000.
"""

import sys
import time
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple, replace

sys.path.append(str(Path(__file__).parent.parent))  # where `pytest` alone does not look

from benchmarks import growth
from benchmarks.growth import Case
from mockserver.engine import kept, ledger, limits
from mockserver.engine.kept import Kept
from mockserver.engine.limits import FixedWindow, RollingWindow
from mockserver.engine.penalties import Offenders
from mockserver.engine.world import Vault
from mockserver.providers import discover
from mockserver.providers.cdp.balances import ByValue, Items
from mockserver.providers.cpg.balances import ByCurrency
from mockserver.wire.amount import Amount
from mockserver.wire.duration import SECOND
from mockserver.wire.holdings import ByVenue
from mockserver.wire.message import Response
from mockserver.wire.provider import Limit, Penalty
from mockserver.wire.world import DropRow, Move, SetRow, SetRows

MOST = 2.0
TURNS = 7

CASES = [
    Case("accounts", "coinapi", growth.accounts, 1, 20_000),
    Case("a page of all accounts", "cdp", growth.listed, 21, 20_000),
    Case("a page of all rows", "cdp", growth.rows, 21, 20_000),
    Case("one currency of all", "cpg", growth.chosen, 20, 20_000),
    Case("a page, one row changed", "cdp", growth.rows, 21, 10_000, changes=True, turn=30),
    Case("a currency, one row changed", "cpg", growth.chosen, 20, 10_000, changes=True, turn=30),
    Case("rules for others", "cpg", growth.rules("ping"), 0, 1_000),
    Case("rules for headers", "cpg", growth.rules(""), 0, 1_000),
    Case("callers, coinapi", "coinapi", growth.callers, 1, 2_000),
    Case("callers, coinstats", "coinstats", growth.callers, 1, 1_000),
    Case("callers, cpg", "cpg", growth.callers, 1, 2_000),
    Case("addresses", "coinw", growth.addresses, 1, 5_000),
    Case("a full journal", "coinapi", growth.filled(1), 0, 10_000),
    Case("a large replay memory", "cpg", growth.remembered, 0, 100_000),
    Case("pending events", "coinapi", growth.pending, 0, 20_000),
    Case("withdrawals", "cpg", growth.records, 1, 20_000),
    Case("a window that has passed", "cdp", growth.gone, 0, 100_000, turn=50),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_costs_the_same_when_there_is_much(case: Case) -> None:
    provider = discover()[case.provider]
    few, many = case.build(provider, case.small), case.build(provider, case.large)
    turn = min(case.turn, 200)
    small, large = growth.compare(case._replace(turn=turn), few, many, TURNS)
    assert large < MOST * small


def test_the_first_request_of_each_caller_costs_no_more_when_there_are_many() -> None:
    provider = discover()["coinapi"]

    def first(callers: int) -> float:
        ask = growth.asks(
            growth.box(growth.world(provider, keys=callers)), provider, callers=callers
        )
        return growth.took("coinapi", ask(100))

    few, many = zip(*((first(100), first(2_000)) for _ in range(3)), strict=True)
    assert min(many) < MOST * min(few)


def spending(kind: type[FixedWindow | RollingWindow]) -> Callable[[str], None]:
    window = kind(Limit("reads", 1_000, 60 * SECOND))
    return lambda caller: window.spend(caller, SECOND)


def offending() -> Callable[[str], None]:
    offenders = Offenders(Penalty("ip", 80, SECOND, SECOND, SECOND, 10, SECOND))
    return lambda caller: offenders.offend(caller, SECOND)


@pytest.mark.parametrize(
    "meet",
    [spending(FixedWindow), spending(RollingWindow), offending()],
    ids=["fixed", "rolling", "offenders"],
)
def test_a_new_caller_costs_the_same_when_others_are_forgotten(meet: Callable[[str], None]) -> None:
    new = map(str, count())

    def took(callers: int) -> float:
        """Returns the CPU of meeting so many of them."""
        some = list(islice(new, callers))
        began = time.process_time()
        for caller in some:
            meet(caller)
        return time.process_time() - began

    few = min(took(8_000) for _ in range(limits.CALLERS_MAX // 8_000))
    took(limits.CALLERS_MAX)  # the first ones are forgotten
    assert min(took(8_000) for _ in range(5)) < 3 * few


def test_a_label_is_found_at_once_among_many_keys() -> None:
    provider = discover()["coinapi"]
    desk = growth.box(growth.world(provider, keys=500)).desks["coinapi"]
    vault = Vault(provider, desk.vault.credentials)
    assert vault.labelled("caller-499").account == "caller-499"
    assert vault.labelled("caller-500") is None
    assert vault.labels is vault.labels


# What is found out from rows, and kept up with them


DERIVED = {"cdp": ByValue, "cpg": ByCurrency, "coinapi": ByVenue, "coinstats": ByVenue}


def told(derived: Any) -> Any:
    """Returns all that was found out, as plain values."""
    if isinstance(derived, ByValue):
        return derived.listing.ranks, [astuple(row) for row in derived.listing.items]
    return derived.groups


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_found_out_from_rows_follows_every_change(name: str) -> None:
    kind, book = DERIVED[name], growth.box(growth.world(discover()[name])).desks[name].book
    ((id, before),) = book.accounts.items()
    at_first = told(before.derive(kind))
    rows = list(before.rows.values())
    first, second, third = [(row.asset, row.venue) for row in rows[:3]]
    other = replace(rows[3], asset="other")
    changes = [
        Move(id, *second, total=Amount("5")),
        DropRow(id, *first),
        SetRow(id, other),
        DropRow(id, *third),
        SetRow(id, rows[0]),  # at the end now
        SetRows(id, (rows[4], other, rows[2])),
        SetRow(id, rows[1]),
    ]
    for change in changes:
        book.apply([change])
        held = book.accounts[id]
        assert told(held.derive(kind)) == told(kind(held.rows))
    assert (
        told(held.derive(kind)) != at_first == told(before.derive(kind)) == told(kind(before.rows))
    )


@pytest.mark.parametrize(("rows", "anew"), [(ledger.MANY, False), (ledger.MANY + 1, True)])
def test_where_many_rows_change_what_was_found_out_is_found_out_anew(rows: int, anew: bool) -> None:
    book = growth.box(growth.world(discover()["cdp"], rows=rows)).desks["cdp"].book
    ((id, before),) = book.accounts.items()
    before.derive(ByValue)
    few = tuple(before.rows.values())[:2]
    book.apply([SetRows(id, few)])
    held = book.accounts[id]
    assert (held.derived is None) is anew
    assert told(held.derive(ByValue)) == told(ByValue(held.rows))
    assert len(held.rows) == 2


def test_a_group_without_places_is_gone() -> None:
    book = growth.box(growth.world(discover()["coinstats"])).desks["coinstats"].book
    ((id, held),) = book.accounts.items()
    assert list(held.derive(ByVenue).groups) == ["binance"]
    book.apply([DropRow(id, *place) for place in held.rows])
    assert book.accounts[id].derive(ByVenue).groups == {}


def test_a_row_that_changed_is_written_anew() -> None:
    book = growth.box(growth.world(discover()["cdp"])).desks["cdp"].book
    ((id, before),) = book.accounts.items()
    place, row = next(iter(before.rows.items()))
    assert b"t000000" in bytes(before.derive(Items)[row])
    book.apply([Move(id, *place, total=Amount("5"))])
    held = book.accounts[id]
    assert bytes(held.derive(Items)[held.rows[place]]) != bytes(before.derive(Items)[row])
    assert len(held.derive(Items)) == 1, "the row that was is forgotten"


def test_accounts_are_shared_until_one_changes() -> None:
    world = growth.world(discover()["cdp"], accounts=2)
    first, second = (growth.box(world, id).desks["cdp"].book for id in ("a", "b"))
    assert first.accounts is second.accounts
    changed, other = first.accounts
    place = next(iter(first.accounts[changed].rows))
    was = second.accounts[changed].rows[place].total
    first.apply([Move(changed, *place, total=Amount("1"))])
    assert first.accounts[changed].rows[place].total == was + 1
    assert second.accounts[changed].rows[place].total == was
    assert first.accounts[other] is second.accounts[other]


def test_an_account_is_named_by_its_id_or_by_the_first_label_like_it() -> None:
    book = growth.box(growth.world(discover()["cdp"], accounts=30)).desks["cdp"].book
    ids = list(book.accounts)
    assert [book.named(name) for name in ("main", "more-7", ids[7])] == [ids[0], ids[7], ids[7]]
    with pytest.raises(
        KeyError, match=r"no account nobody: there are main, more-1, .*more-19, \.\.\."
    ):
        book.named("nobody")


def test_rows_that_a_recipe_makes_are_made_when_they_are_looked_at() -> None:
    world = growth.world(discover()["coinw"], rows=7)
    ((_, held),) = world.parts["coinw"].accounts.items()
    assert held.made is None
    assert len(held.rows) == 7
    assert held.rows is held.made


# Answers that are kept


def test_kept_answers_are_bounded_in_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ENTRIES_MAX", 3)
    answers = Kept()
    for n in range(4):
        assert answers.get(n, 1) is None
        answers.put(n, Response(200, (), b"%d" % n))
    assert [n for n in range(4) if answers.get(n, 1)] == [1, 2, 3]
    assert answers.get(3, 2) is None, "the ledger changed"
    assert answers.get(3, 1) is None, "and what held before is gone"


def test_kept_answers_are_bounded_in_bytes_of_answers_and_of_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "BYTES_MAX", 3 * (kept.ENTRY_SIZE + 100))
    small, large = Response(200, (), b""), Response(200, (), 97 * b"-")
    for answer, key in ((large, "k{}"), (small, 97 * "-" + "k{}")):  # 100 with its quotes, less 1
        answers = Kept()
        for n in range(5):
            answers.get(None, 1)
            answers.put(key.format(n), answer)
        assert [n for n in range(5) if answers.get(key.format(n), 1)] == [3, 4]
