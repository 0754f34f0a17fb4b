"""One provider's part of a sandbox's ledger: accounts with rows, records, and an event queue.

Providers define the events; ``ProviderState.run_due_events`` applies them when they are due.

Accounts are shared with the world, and so by its sandboxes, until one is first changed.
A list of changes is applied as a whole or not at all.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.errors import DataError
from mockserver.model.amounts import plus
from mockserver.model.provider import Provider
from mockserver.model.rows import D, RowIndex, RowKey, T
from mockserver.model.signing import seeded
from mockserver.model.suggestions import did_you_mean
from mockserver.model.world import (
    Change,
    DropRow,
    GeneratedAsset,
    Move,
    PutRecord,
    Recipe,
    Row,
    Schedule,
    Section,
    SetRow,
    SetRows,
)

Rows = dict[RowKey, Row]
Sample = Callable[[int, bytes, GeneratedAsset], Row]
StagedRows = dict[RowKey, Row | None]

REBUILD_MIN = 1_000  # changed rows above which indexes are derived anew
# Estimated bytes of what a state has alone: an event, a record, a copied row and one of its own.
EVENT_SIZE, RECORD_SIZE, POINTER_SIZE, ROW_SIZE = 300, 400, 120, 600
LABELS_MAX = 20  # labels that an error message lists
COMPARED_MAX = 1_000  # labels or rows among which an error message looks for the nearest


class LedgerAccount(Struct, gc=False):
    """An account: what the world says of it, its rows by key, and indexes of the rows.

    Sandboxes share it until one of them changes a row. ``make_rows`` makes the rows on first
    access, where ``made_rows`` is None.
    """

    account: Any
    make_rows: Callable[[], Rows]
    made_rows: Rows | None = None
    indexes: dict[type[RowIndex], Any] | None = None

    @property
    def rows(self) -> Rows:
        """The rows by key."""
        if self.made_rows is None:
            self.made_rows = self.make_rows()
        return self.made_rows

    def derive(self, kind: type[D]) -> D:
        """Returns the index of this kind, built once for every sandbox that shares the account."""
        if self.indexes is None:
            self.indexes = {}
        index = self.indexes.get(kind)
        if index is None:
            index = self.indexes[kind] = kind(self.rows)
        return index

    def writable_copy(self) -> "LedgerAccount":
        """Returns a copy whose rows may be changed."""
        # A list first: another sandbox that shares the account may add an index meanwhile.
        indexes = {kind: index.copy() for kind, index in [*(self.indexes or {}).items()]}
        return LedgerAccount(self.account, self.make_rows, dict(self.rows), indexes)

    def with_rows(self, rows: Rows) -> "LedgerAccount":
        """Returns the account with other rows, and the same kinds of indexes built of them."""
        other = LedgerAccount(self.account, self.make_rows, rows)
        for kind in [*(self.indexes or {})]:
            other.derive(kind)
        return other

    def change(self, key: RowKey, new: Row | None) -> None:
        """Puts a row, or removes the row of this key; indexes follow."""
        rows = self.rows
        old = rows.pop(key, None) if new is None else rows.get(key)
        if new is not None:
            rows[key] = new
        if old is not None or new is not None:
            for index in (self.indexes or {}).values():
                index.change(old, new)


class LedgerAccounts(dict[str, LedgerAccount]):
    """Accounts by id. Neither the ids nor what the world says of an account ever change.

    So what depends on these alone is computed once, and shared by the copies.
    """

    def __init__(self, accounts: Mapping[str, LedgerAccount]) -> None:
        super().__init__(accounts)
        self.derived: dict[Any, Any] = (
            accounts.derived if isinstance(accounts, LedgerAccounts) else {}
        )

    def derive(self, compute: Callable[[Mapping[str, LedgerAccount]], T]) -> T:
        """Returns ``compute(accounts)``, computed once: it may depend on no account's rows."""
        if compute not in self.derived:
            self.derived[compute] = compute(self)
        value: T = self.derived[compute]
        return value


def ledger_accounts(provider: Provider, section: Section) -> LedgerAccounts:
    """Builds the accounts of a world's section, which sandboxes share.

    Generated rows are created on first access. Raises ValueError when an account lists a row
    twice.
    """
    return LedgerAccounts(
        {id: _ledger_account(provider, id, account) for id, account in section.accounts.items()}
    )


def _ledger_account(provider: Provider, id: str, account: Any) -> LedgerAccount:
    rows: Rows = {}
    for n, row in enumerate(account.balances):
        if rows.setdefault((row.asset, row.venue), row) is not row:
            message = f"account {id} lists {row.asset} twice at {row.venue or 'no venue'}"
            raise DataError(message, ("accounts", id, "balances", n))
    if not account.generate:
        return LedgerAccount(account, dict, rows)
    if provider.sample is None:
        message = f"account {id}: {provider.name} generates no rows"
        raise DataError(message, ("accounts", id, "generate"))
    make = partial(_with_generated, provider.name, provider.sample, account.generate, rows)
    return LedgerAccount(account, make)


def _with_generated(name: str, sample: Sample, recipe: Recipe, listed: Rows) -> Rows:
    """Returns the listed rows and those that ``sample`` makes by the recipe."""
    rows = dict(listed)
    for n in range(recipe.rows):
        digest = seeded(recipe.seed, name, n, size=16)
        row = sample(n, digest, GeneratedAsset(f"T{n:06d}", f"Token {n}"))
        rows[row.asset, row.venue] = row
    return rows


class LedgerState(Struct, frozen=True):
    """A ledger at one moment: nothing in it changes any more."""

    accounts: LedgerAccounts
    records: Mapping[str, Mapping[Any, Any]]
    schedule: tuple[tuple[int, int, Any], ...]
    scheduled: int
    size: int = 0  # bytes that it has alone once the ledger changes, estimated


class Ledger:
    """The ledger of one provider in one sandbox; ``version`` grows with every change."""

    def __init__(self, accounts: LedgerAccounts, section: Section) -> None:
        self.accounts = accounts
        self.records: Mapping[str, Mapping[Any, Any]] = {}
        self._own_records: dict[
            str, dict[Any, Any]
        ] = {}  # those of ``records`` that are no state's
        self.version = 0
        self._copied: dict[str, None] = {}  # ids of accounts that are this ledger's own
        self._replaced: dict[str, None] = {}  # ids of those that were put since the last state
        self.schedule: list[tuple[int, int, Any]] = []  # a heap: time, sequence number, event
        self._scheduled = 0
        self.apply(tuple(section.records()))

    def apply(self, changes: Sequence[Change], by: str = "exchange") -> None:
        """Applies all changes, or raises ValueError or KeyError and applies none."""
        staged: dict[str, StagedRows] = {}  # by account; None is a removed row
        for change in changes:
            if isinstance(change, Move | SetRow | DropRow | SetRows):
                self._stage(staged, change, by)
        self.version += 1
        for account, rows in staged.items():
            self._write(account, rows)
        for change in changes:
            if isinstance(change, PutRecord):
                records = self._own_records.get(change.kind)
                if records is None:
                    records = self._copy_records(change.kind)
                records[change.id] = change.record
            elif isinstance(change, Schedule):
                self._scheduled += 1
                heapq.heappush(self.schedule, (change.at, self._scheduled, change.event))

    def _stage(
        self, staged: dict[str, StagedRows], change: Move | SetRow | DropRow | SetRows, by: str
    ) -> None:
        current = self._account(change.account).rows
        rows = staged.setdefault(change.account, {})
        if isinstance(change, SetRow):
            rows[change.row.asset, change.row.venue] = change.row.touched(by)
        elif isinstance(change, SetRows):
            rows.update(dict.fromkeys((*current, *rows)))
            rows.update({(row.asset, row.venue): row.touched(by) for row in change.rows})
        else:
            key = (change.asset, change.venue)
            row = rows[key] if key in rows else current.get(key)
            if row is None:
                raise KeyError(_no_row(change, current))
            rows[key] = _moved(row, change, by) if isinstance(change, Move) else None

    def _write(self, account: str, rows: StagedRows) -> None:
        target = self._writable(account)
        if len(rows) > REBUILD_MIN:
            target.indexes = None
        for key, row in rows.items():
            target.change(key, row)

    def put(self, id: str, account: LedgerAccount) -> None:
        """Replaces an account by one that was built before, which is not changed."""
        self.accounts = LedgerAccounts(self.accounts)
        self._copied.pop(id, None)
        self._replaced[id] = None
        self.accounts[id] = account
        self.version += 1

    def state(self) -> LedgerState:
        """Returns the state; accounts and records are copied when they are changed next."""
        schedule = tuple(self.schedule)
        size = len(schedule) * EVENT_SIZE + sum(map(len, self._own_records.values())) * RECORD_SIZE
        size += sum(len(self.accounts[id].rows) for id in self._copied) * POINTER_SIZE
        size += sum(len(self.accounts[id].rows) for id in self._replaced) * ROW_SIZE
        self._copied, self._replaced, self._own_records = {}, {}, {}
        return LedgerState(self.accounts, self.records, schedule, self._scheduled, size)

    def restore(self, state: LedgerState) -> None:
        """Returns to a state; copies nothing."""
        self.accounts, self.records = state.accounts, state.records
        self._copied, self._replaced, self._own_records = {}, {}, {}
        self.schedule, self._scheduled = list(state.schedule), state.scheduled
        self.version += 1

    def account_id(self, name: str) -> str:
        """Returns the id of an account by its id or label; raises KeyError."""
        if name in self.accounts:
            return name
        labels = self.accounts.derive(_ids_by_label)
        if name in labels:
            return labels[name]
        listed = ", ".join(islice(labels, LABELS_MAX)) + (
            ", ..." if len(labels) > LABELS_MAX else ""
        )
        listed += did_you_mean(name, islice(labels, COMPARED_MAX))
        raise KeyError(f"no account {name}: there are {listed}")

    def due(self, now: int) -> Iterator[tuple[int, Any]]:
        """Yields the events scheduled up to ``now``, in order, each with its time."""
        while self.schedule and self.schedule[0][0] <= now:
            at, _, event = heapq.heappop(self.schedule)
            yield at, event

    def _account(self, id: str) -> LedgerAccount:
        if id not in self.accounts:
            raise KeyError(f"no account {id}")
        return self.accounts[id]

    def _writable(self, id: str) -> LedgerAccount:
        self._copy_accounts()
        if id not in self._copied:
            self._copied[id] = None
            self.accounts[id] = self.accounts[id].writable_copy()
        return self.accounts[id]

    def _copy_records(self, kind: str) -> dict[Any, Any]:
        """Copies the records of a kind before the first change."""
        records = self._own_records[kind] = dict(self.records.get(kind, {}))
        self.records = {**self.records, kind: records}
        return records

    def _copy_accounts(self) -> None:
        """Copies the mapping of the accounts before the first change."""
        if not self._copied:
            self.accounts = LedgerAccounts(self.accounts)


def _no_row(change: Move | DropRow, rows: Mapping[RowKey, Row]) -> str:
    written, *names = (
        f"{asset} {venue}".rstrip()
        for asset, venue in ((change.asset, change.venue), *islice(rows, COMPARED_MAX))
    )
    suggestion = did_you_mean(written, names)
    return f"account {change.account} has no row {written}{suggestion}"


def _moved(row: Row, move: Move, by: str) -> Row:
    total, held = plus(row.total, move.total), plus(row.held, move.held)
    return replace(row, total=total, held=held).touched(by)


def _ids_by_label(accounts: Mapping[str, LedgerAccount]) -> dict[str, str]:
    """Returns ids by label, or by id for an account without one; of equal labels the first."""
    ids: dict[str, str] = {}
    for id, account in accounts.items():
        ids.setdefault(account.account.label or id, id)
    return ids
