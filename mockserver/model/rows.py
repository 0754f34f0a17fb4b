"""Accounts in a ledger: their rows, and what is found out from them, kept up row by row.

Both are shared by the sandboxes of a world until an account is first changed.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, Self, TypeVar

from msgspec import Raw, Struct

D = TypeVar("D", bound="RowIndex")
T = TypeVar("T")

# Where a row lies in its account: asset and venue.
RowKey = tuple[str, str]


class RowIndex(Protocol):
    """What is found out from an account's rows, and kept up with them row by row."""

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        """Finds it out from all rows."""

    def copy(self) -> Self:
        """Returns one that can go another way."""

    def change(self, old: Any, new: Any) -> None:
        """Follows the change of one row; None where there was none, or is none any more."""


class RowGroups:
    """The places of an account's rows, grouped by what ``group`` tells of each, in order."""

    group: Callable[[RowKey], str]

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        self.groups: dict[str, list[RowKey]] = {}
        for place in rows:
            self.groups.setdefault(self.group(place), []).append(place)

    def copy(self) -> Self:
        """Returns one that can go another way."""
        other = type(self)({})
        other.groups = {group: [*places] for group, places in self.groups.items()}
        return other

    def change(self, old: Any, new: Any) -> None:
        """Follows the change of one row."""
        if old is None:
            place = (new.asset, new.venue)
            self.groups.setdefault(self.group(place), []).append(place)
        elif new is None:
            place = (old.asset, old.venue)
            group = self.group(place)
            self.groups[group].remove(place)
            if not self.groups[group]:
                del self.groups[group]

    def of(self, group: str) -> Sequence[RowKey]:
        """Returns the places of a group."""
        return self.groups.get(group, ())


class ByVenue(RowGroups):
    """The places of an account's rows by their venues."""

    group = staticmethod(itemgetter(1))


class RenderedRows(dict[Any, Raw]):
    """How rows are written in answers: ``write`` is asked once for each row that is shown.

    Rows are told apart by identity.
    """

    write: Callable[[Any], Raw]

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        super().__init__()

    def __missing__(self, row: Any) -> Raw:
        """Writes a row for the first time."""
        written = self[row] = self.write(row)
        return written

    def copy(self) -> Self:
        """Returns one that can go another way."""
        other = type(self)({})
        other.update(self)
        return other

    def change(self, old: Any, new: Any) -> None:
        """Forgets a row that is no more."""
        self.pop(old, None)


class AccountRows(Struct, gc=False):
    """An account in the ledger: what the world says of it, and its rows by place.

    ``make`` makes the rows when they are first looked at.
    """

    account: Any
    make: Callable[[], dict[RowKey, Any]]
    made: dict[RowKey, Any] | None = None
    derived: dict[type[RowIndex], Any] | None = None

    @property
    def rows(self) -> dict[RowKey, Any]:
        """The rows by place."""
        if self.made is None:
            self.made = self.make()
        return self.made

    def derive(self, kind: type[D]) -> D:
        """Returns what is found out from the rows: once, for every sandbox that shares them."""
        if self.derived is None:
            self.derived = {}
        found = self.derived.get(kind)
        if found is None:
            found = self.derived[kind] = kind(self.rows)
        return found

    def own(self) -> "AccountRows":
        """Returns a copy whose rows may be changed."""
        # A list first: another sandbox that shares the account may add to it meanwhile.
        derived = {kind: found.copy() for kind, found in [*(self.derived or {}).items()]}
        return AccountRows(self.account, self.make, dict(self.rows), derived)

    def with_rows(self, rows: dict[RowKey, Any]) -> "AccountRows":
        """Returns the account with other rows, and what was found out from them found out anew."""
        other = AccountRows(self.account, self.make, rows)
        for kind in [*(self.derived or {})]:
            other.derive(kind)
        return other

    def change(self, place: RowKey, new: Any) -> None:
        """Puts a row in a place, or takes away what is there."""
        rows = self.rows
        old = rows.pop(place, None) if new is None else rows.get(place)
        if new is not None:
            rows[place] = new
        if old is not None or new is not None:
            for derived in (self.derived or {}).values():
                derived.change(old, new)


class Accounts(dict[str, AccountRows]):
    """Accounts by id; there are never others, nor does what the world says of them change.

    So what is found out from that is kept for good.
    """

    def __init__(self, accounts: Mapping[str, AccountRows]) -> None:
        super().__init__(accounts)
        self.found: dict[Any, Any] = accounts.found if isinstance(accounts, Accounts) else {}

    def derive(self, find: Callable[[Mapping[str, AccountRows]], T]) -> T:
        """Returns what a function finds out, once."""
        if find not in self.found:
            self.found[find] = find(self)
        found: T = self.found[find]
        return found
