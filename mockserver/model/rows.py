"""Accounts and their rows as handlers see them, and indexes that are derived from the rows.

The engine's ledger holds the accounts and the instances of the indexes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, Self, TypeVar

from msgspec import Raw

D = TypeVar("D", bound="RowIndex")
T = TypeVar("T")

# The key of a row in its account: asset and venue.
RowKey = tuple[str, str]


class AccountRows(Protocol):
    """An account: what the world file says of it, and its rows by key."""

    @property
    def account(self) -> Any:
        """The account as the world file has it."""

    @property
    def rows(self) -> Mapping[RowKey, Any]:
        """The rows by key."""

    def derive(self, kind: type[D]) -> D:
        """Returns the account's index of this kind; it is built once and follows the rows."""


class Accounts(Collection[str], Protocol):
    """The accounts of a provider by id."""

    def __getitem__(self, id: str, /) -> AccountRows:
        """Returns an account; raises KeyError."""

    def __iter__(self) -> Iterator[str]:
        """Iterates over the ids."""

    def get(self, id: str, /) -> AccountRows | None:
        """Returns an account, or None."""

    def values(self) -> Collection[AccountRows]:
        """Returns the accounts."""

    def derive(self, compute: Callable[[Mapping[str, Any]], T]) -> T:
        """Returns ``compute(accounts)``, computed once: it may depend on no account's rows."""


class RowIndex(Protocol):
    """A value that is derived from an account's rows and follows each change of one."""

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        """Derives it from all rows."""

    def copy(self) -> Self:
        """Returns an independent copy."""

    def change(self, old: Any, new: Any) -> None:
        """Follows the change of a row: ``old`` is None for a new one, ``new`` for a removed one."""


class RowGroups:
    """The keys of an account's rows in order, grouped by the result of ``group``."""

    group: Callable[[RowKey], str]

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        self.groups: dict[str, list[RowKey]] = {}
        for key in rows:
            self.groups.setdefault(self.group(key), []).append(key)

    def copy(self) -> Self:
        """Returns an independent copy."""
        other = type(self)({})
        other.groups = {group: [*keys] for group, keys in self.groups.items()}
        return other

    def change(self, old: Any, new: Any) -> None:
        """Follows the change of one row."""
        if old is None:
            key = (new.asset, new.venue)
            self.groups.setdefault(self.group(key), []).append(key)
        elif new is None:
            key = (old.asset, old.venue)
            group = self.group(key)
            self.groups[group].remove(key)
            if not self.groups[group]:
                del self.groups[group]

    def of(self, group: str) -> Sequence[RowKey]:
        """Returns the keys of a group."""
        return self.groups.get(group, ())


class ByVenue(RowGroups):
    """The keys of an account's rows by venue."""

    group = staticmethod(itemgetter(1))


class RenderedRows(dict[Any, Raw]):
    """The JSON of rows, by row: ``write`` is called once for each row that a response has.

    Rows are compared by identity.
    """

    write: Callable[[Any], Raw]

    def __init__(self, rows: Mapping[RowKey, Any]) -> None:
        super().__init__()

    def __missing__(self, row: Any) -> Raw:
        """Renders a row."""
        rendered = self[row] = self.write(row)
        return rendered

    def copy(self) -> Self:
        """Returns an independent copy."""
        other = type(self)({})
        other.update(self)
        return other

    def change(self, old: Any, new: Any) -> None:
        """Drops a row that was replaced or removed."""
        self.pop(old, None)
