"""What stays cheap when there is much of it; ``system/test_growth_cost.py`` counts instructions."""

from typing import Any

import pytest
from msgspec.structs import astuple, replace

from benchmarks import growth
from benchmarks.growth.counted import Counted, complaints
from mockserver.engine import answer_cache as kept
from mockserver.engine import ledger
from mockserver.engine.answer_cache import AnswerCache
from mockserver.engine.world import CredentialStore
from mockserver.model.amounts import Amount
from mockserver.model.http import Response
from mockserver.model.rows import ByVenue
from mockserver.model.world import DropRow, Move, SetRow, SetRows
from mockserver.providers import discover
from mockserver.providers.cdp.balances import RenderedBalances, RowsByValue
from mockserver.providers.cpg.balances import ByCurrency

# What a request costs


def test_a_count_that_grows_is_a_complaint() -> None:
    counts = [Counted("flat", 1.15, 1000, 1150), Counted("grown", 1.15, 1000, 1160)]
    assert complaints(counts) == [
        "grown: 1.16 times, 1,000 to 1,160 instructions, at most 1.15 is allowed"
    ]


def test_a_label_is_found_at_once_among_many_keys() -> None:
    provider = discover()["coinapi"]
    state = growth.box(growth.world(provider, keys=500)).states["coinapi"]
    keyring = CredentialStore(provider, state.keyring.credentials)
    assert keyring.with_label("caller-499").account == "caller-499"
    assert keyring.with_label("caller-500") is None
    assert keyring.labels is keyring.labels


# What is found out from rows, and kept up with them


DERIVED = {"cdp": RowsByValue, "cpg": ByCurrency, "coinapi": ByVenue, "coinstats": ByVenue}


def told(derived: Any) -> Any:
    """Returns all that was found out, as plain values."""
    if isinstance(derived, RowsByValue):
        return derived.sorted_rows.ranks, [astuple(row) for row in derived.sorted_rows.items]
    return derived.groups


@pytest.mark.parametrize("name", DERIVED)
def test_indexes_of_rows_follow_every_change(name: str) -> None:
    kind, book = DERIVED[name], growth.box(growth.world(discover()[name])).states[name].ledger
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


@pytest.mark.parametrize(
    ("rows", "anew"), [(ledger.REBUILD_MIN, False), (ledger.REBUILD_MIN + 1, True)]
)
def test_indexes_are_rebuilt_where_many_rows_change(rows: int, anew: bool) -> None:
    book = growth.box(growth.world(discover()["cdp"], rows=rows)).states["cdp"].ledger
    ((id, before),) = book.accounts.items()
    before.derive(RowsByValue)
    few = tuple(before.rows.values())[:2]
    book.apply([SetRows(id, few)])
    held = book.accounts[id]
    assert (held.indexes is None) is anew
    assert told(held.derive(RowsByValue)) == told(RowsByValue(held.rows))
    assert len(held.rows) == 2


def test_a_group_without_places_is_gone() -> None:
    book = growth.box(growth.world(discover()["coinstats"])).states["coinstats"].ledger
    ((id, held),) = book.accounts.items()
    assert list(held.derive(ByVenue).groups) == ["binance"]
    book.apply([DropRow(id, *place) for place in held.rows])
    assert book.accounts[id].derive(ByVenue).groups == {}


def test_a_row_that_changed_is_written_anew() -> None:
    book = growth.box(growth.world(discover()["cdp"])).states["cdp"].ledger
    ((id, before),) = book.accounts.items()
    place, row = next(iter(before.rows.items()))
    assert b"t000000" in bytes(before.derive(RenderedBalances)[row])
    book.apply([Move(id, *place, total=Amount("5"))])
    held = book.accounts[id]
    assert bytes(held.derive(RenderedBalances)[held.rows[place]]) != bytes(
        before.derive(RenderedBalances)[row]
    )
    assert len(held.derive(RenderedBalances)) == 1, "the row that was is forgotten"


def test_accounts_are_shared_until_one_changes() -> None:
    world = growth.world(discover()["cdp"], accounts=2)
    first, second = (growth.box(world, id).states["cdp"].ledger for id in ("a", "b"))
    assert first.accounts is second.accounts
    changed, other = first.accounts
    place = next(iter(first.accounts[changed].rows))
    was = second.accounts[changed].rows[place].total
    first.apply([Move(changed, *place, total=Amount("1"))])
    assert first.accounts[changed].rows[place].total == was + 1
    assert second.accounts[changed].rows[place].total == was
    assert first.accounts[other] is second.accounts[other]


def test_an_account_is_named_by_its_id_or_by_the_first_label_like_it() -> None:
    book = growth.box(growth.world(discover()["cdp"], accounts=30)).states["cdp"].ledger
    ids = list(book.accounts)
    assert [book.account_id(name) for name in ("main", "more-7", ids[7])] == [
        ids[0],
        ids[7],
        ids[7],
    ]
    with pytest.raises(
        KeyError, match=r"no account nobody: there are main, more-1, .*more-19, \.\.\."
    ):
        book.account_id("nobody")


def test_generated_rows_are_made_on_first_access() -> None:
    world = growth.world(discover()["coinw"], rows=7)
    ((_, held),) = world.parts["coinw"].accounts.items()
    assert held.made_rows is None
    assert len(held.rows) == 7
    assert held.rows is held.made_rows


# Answers that are kept


def test_kept_answers_are_bounded_in_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ENTRIES_MAX", 3)
    answers = AnswerCache()
    for n in range(4):
        assert answers.get(n, 1) is None
        answers.put(n, Response(200, (), b"%d" % n))
    assert [n for n in range(4) if answers.get(n, 1)] == [1, 2, 3]
    assert answers.get(3, 2) is None, "the ledger changed"
    assert answers.get(3, 1) is None, "and what held before is gone"


def test_answers_of_ten_thousand_callers_are_kept() -> None:
    """Else callers who take turns would each find the answer of the oldest one dropped."""
    answers, body = AnswerCache(), bytes(4_500)  # coinapi's, of 20 rows
    for n in range(10_000):
        answers.get(n, 1)
        answers.put(n, Response(200, (), body))
    assert all(answers.get(n, 1) for n in range(10_000))


def test_kept_answers_are_bounded_in_bytes_of_answers_and_of_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "BYTES_MAX", 3 * (kept.ENTRY_SIZE + 100))
    small, large = Response(200, (), b""), Response(200, (), 97 * b"-")
    for answer, key in ((large, "k{}"), (small, 97 * "-" + "k{}")):  # 100 with its quotes, less 1
        answers = AnswerCache()
        for n in range(5):
            answers.get(None, 1)
            answers.put(key.format(n), answer)
        assert [n for n in range(5) if answers.get(key.format(n), 1)] == [3, 4]
