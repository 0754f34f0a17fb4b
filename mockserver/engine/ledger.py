"""One provider's part of a sandbox's ledger: rows, records, and what is due.

Rows are shared with the world they came from until an account is first changed.
A list of changes is applied whole or not at all.
"""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from mockserver.wire.amount import plus
from mockserver.wire.provider import Provider
from mockserver.wire.signing import seeded
from mockserver.wire.world import (
    Change,
    Coin,
    DropRow,
    Holdings,
    Move,
    Put,
    Row,
    Schedule,
    Section,
    SetRow,
    SetRows,
)

Rows = dict[tuple[str, str], Row | None]


def holdings(provider: Provider, section: Section) -> dict[str, Holdings]:
    """Builds the accounts of a world's section once; sandboxes share them.

    Raises ValueError when an account lists a row twice.
    """
    return {
        name: Holdings(account, _rows(provider, name, account))
        for name, account in section.accounts.items()
    }


def _rows(provider: Provider, name: str, account: Any) -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = {}
    for row in account.balances:
        if rows.setdefault((row.asset, row.venue), row) is not row:
            raise ValueError(f"account {name} lists {row.asset} twice at {row.venue or 'no venue'}")
    if account.generate:
        if provider.sample is None:
            raise ValueError(f"account {name}: {provider.name} generates no rows")
        for n in range(account.generate.rows):
            digest = seeded(account.generate.seed, provider.name, n, size=16)
            row = provider.sample(n, digest, Coin(f"T{n:06d}", f"Token {n}"))
            rows[row.asset, row.venue] = row
    return rows


class Book:
    """The ledger of one provider in one sandbox."""

    def __init__(self, accounts: dict[str, Holdings], section: Section) -> None:
        self.accounts = dict(accounts)
        self.records: dict[str, dict[Any, Any]] = {}
        self._own: set[str] = set()
        self.version = 0  # goes up with every change
        self._due: list[tuple[int, int, Any]] = []
        self._scheduled = 0
        self.apply(tuple(section.records()))

    def apply(self, changes: Sequence[Change], by: str = "exchange") -> None:
        """Applies all changes, or raises ValueError or KeyError and applies none."""
        staged: dict[str, Rows] = {}  # what becomes of rows, by account; None is taken away
        for change in changes:
            if isinstance(change, Move | SetRow | DropRow | SetRows):
                self._stage(staged, change, by)
        self.version += 1
        for account, rows in staged.items():
            self._write(account, rows)
        for change in changes:
            if isinstance(change, Put):
                self.records.setdefault(change.kind, {})[change.id] = change.record
            elif isinstance(change, Schedule):
                self._scheduled += 1
                heapq.heappush(self._due, (change.at, self._scheduled, change.event))

    def _stage(
        self, staged: dict[str, Rows], change: Move | SetRow | DropRow | SetRows, by: str
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

    def _write(self, account: str, rows: Rows) -> None:
        writable = self._writable(account)
        for place, row in rows.items():
            if row is None:
                writable.pop(place, None)
            else:
                writable[place] = row

    def named(self, account: str) -> str:
        """Returns an account's id, given that or its label; raises KeyError."""
        if account in self.accounts:
            return account
        for id, held in self.accounts.items():
            if held.account.label == account:
                return id
        labels = (held.account.label or id for id, held in self.accounts.items())
        raise KeyError(f"no account {account}: there are {', '.join(labels)}")

    def due(self, now: int) -> Iterator[tuple[int, Any]]:
        """Yields the events whose time has come, in order, each with its time."""
        while self._due and self._due[0][0] <= now:
            at, _, event = heapq.heappop(self._due)
            yield at, event

    def _account(self, account: str) -> Holdings:
        if account not in self.accounts:
            raise KeyError(f"no account {account}")
        return self.accounts[account]

    def _writable(self, account: str) -> dict[tuple[str, str], Any]:
        held = self.accounts[account]
        if account not in self._own:
            held = self.accounts[account] = Holdings(held.account, dict(held.rows))
            self._own.add(account)
        return held.rows
