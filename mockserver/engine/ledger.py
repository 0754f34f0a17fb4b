"""One provider's part of a sandbox's ledger: rows, records, and what is due.

Rows are shared with the world they came from until an account is first changed.
A list of changes is applied whole or not at all.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from mockserver.errors import DataError
from mockserver.model.amounts import plus
from mockserver.model.provider import Provider
from mockserver.model.rows import AccountRows, Accounts, RowKey
from mockserver.model.signing import seeded
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

Listed = dict[RowKey, Row]
Sample = Callable[[int, bytes, GeneratedAsset], Row]
Staged = dict[RowKey, Row | None]

MANY = 1_000  # rows: when more change, what was found out from rows is found out anew
TOLD_MAX = 20  # accounts that a message names


def ledger_accounts(provider: Provider, section: Section) -> Accounts:
    """Builds the accounts of a world's section once; sandboxes share them.

    Rows that a recipe makes are made when they are first looked at. Raises DataError when an
    account lists a row twice.
    """
    return Accounts(
        {name: _holdings(provider, name, account) for name, account in section.accounts.items()}
    )


def _holdings(provider: Provider, name: str, account: Any) -> AccountRows:
    listed: Listed = {}
    for n, row in enumerate(account.balances):
        if listed.setdefault((row.asset, row.venue), row) is not row:
            message = f"account {name} lists {row.asset} twice at {row.venue or 'no venue'}"
            raise DataError(message, ("accounts", name, "balances", n))
    if not account.generate:
        return AccountRows(account, dict, listed)
    if provider.sample is None:
        message = f"account {name}: {provider.name} generates no rows"
        raise DataError(message, ("accounts", name, "generate"))
    make = partial(_made, provider.name, provider.sample, account.generate, listed)
    return AccountRows(account, make)


def _made(name: str, sample: Sample, recipe: Recipe, listed: Listed) -> Listed:
    """Returns an account's rows with those that a provider makes by a recipe."""
    rows = dict(listed)
    for n in range(recipe.rows):
        digest = seeded(recipe.seed, name, n, size=16)
        row = sample(n, digest, GeneratedAsset(f"T{n:06d}", f"Token {n}"))
        rows[row.asset, row.venue] = row
    return rows


class Ledger:
    """The ledger of one provider in one sandbox."""

    def __init__(self, accounts: Accounts, section: Section) -> None:
        self.accounts = accounts
        self.records: dict[str, dict[Any, Any]] = {}
        self._own: set[str] = set()
        self.version = 0  # goes up with every change
        self._due: list[tuple[int, int, Any]] = []
        self._scheduled = 0
        self.apply(tuple(section.records()))

    def apply(self, changes: Sequence[Change], by: str = "exchange") -> None:
        """Applies all changes, or raises ValueError or KeyError and applies none."""
        staged: dict[str, Staged] = {}  # what becomes of rows, by account; None is taken away
        for change in changes:
            if isinstance(change, Move | SetRow | DropRow | SetRows):
                self._stage(staged, change, by)
        self.version += 1
        for account, rows in staged.items():
            self._write(account, rows)
        for change in changes:
            if isinstance(change, PutRecord):
                self.records.setdefault(change.kind, {})[change.id] = change.record
            elif isinstance(change, Schedule):
                self._scheduled += 1
                heapq.heappush(self._due, (change.at, self._scheduled, change.event))

    def _stage(
        self, staged: dict[str, Staged], change: Move | SetRow | DropRow | SetRows, by: str
    ) -> None:
        held = self._account(change.account).rows
        rows = staged.setdefault(change.account, {})
        if isinstance(change, SetRow):
            rows[change.row.asset, change.row.venue] = change.row.touched(by)
        elif isinstance(change, SetRows):
            rows.update(dict.fromkeys((*held, *rows)))
            rows.update({(row.asset, row.venue): row.touched(by) for row in change.rows})
        else:
            place = (change.asset, change.venue)
            row = rows[place] if place in rows else held.get(place)
            if row is None:
                where = f"{change.asset} {change.venue}".rstrip()
                raise KeyError(f"account {change.account} has no row {where}")
            if isinstance(change, Move):
                total, held_ = plus(row.total, change.total), plus(row.held, change.held)
                rows[place] = replace(row, total=total, held=held_).touched(by)
            else:
                rows[place] = None

    def _write(self, account: str, rows: Staged) -> None:
        held = self._writable(account)
        if len(rows) > MANY:
            held.derived = None
        for place, row in rows.items():
            held.change(place, row)

    def put(self, account: str, held: AccountRows) -> None:
        """Puts an account that was made before in the place of the one that is there."""
        if not self._own:
            self.accounts = Accounts(self.accounts)
        self._own.add(account)
        self.accounts[account] = held
        self.version += 1

    def named(self, account: str) -> str:
        """Returns an account's id, given that or its label; raises KeyError."""
        if account in self.accounts:
            return account
        labels = self.accounts.derive(_labels)
        if account in labels:
            return labels[account]
        told = ", ".join(islice(labels, TOLD_MAX)) + (", ..." if len(labels) > TOLD_MAX else "")
        raise KeyError(f"no account {account}: there are {told}")

    def due(self, now: int) -> Iterator[tuple[int, Any]]:
        """Yields the events whose time has come, in order, each with its time."""
        while self._due and self._due[0][0] <= now:
            at, _, event = heapq.heappop(self._due)
            yield at, event

    def _account(self, account: str) -> AccountRows:
        if account not in self.accounts:
            raise KeyError(f"no account {account}")
        return self.accounts[account]

    def _writable(self, account: str) -> AccountRows:
        if not self._own:
            self.accounts = Accounts(self.accounts)
        if account not in self._own:
            self._own.add(account)
            self.accounts[account] = self.accounts[account].own()
        return self.accounts[account]


def _labels(accounts: Mapping[str, AccountRows]) -> dict[str, str]:
    """Returns the accounts' ids by label, or by id where one has no label; the first counts."""
    labels: dict[str, str] = {}
    for id, held in accounts.items():
        labels.setdefault(held.account.label or id, id)
    return labels
