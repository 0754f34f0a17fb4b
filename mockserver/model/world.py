"""Keys, accounts and rows: as a world file has them, as handlers see them, and their changes.

The first part has the types of a world file (the seed data), to which every provider adds members.
The second has what handlers and events see, and the changes that they return.

Times are nanoseconds since the epoch; durations are nanoseconds.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from mockserver.errors import DataError
from mockserver.model.amounts import Amount, check_size
from mockserver.model.rows import Accounts
from mockserver.model.suggestions import unknown

ZERO = Amount("0")

Quirks = Mapping[str, Any]


# Types of a world file


class Credential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential; providers add their own members.

    ``rejects`` is a reason for which every request of this key is rejected.
    """

    label: str = ""
    revoked: bool = False
    rejects: str = ""

    def regenerate(self, entropy: bytes) -> Self | None:
        """Returns the credential with a new key and secret, made from 64 random bytes.

        With None, the default, its key and secrets become random text in the form of the old
        (``fresh_key`` in the engine).
        """
        return None

    def reject_facts(self) -> Mapping[str, str]:
        """Returns further facts of the reject that every request of this key meets."""
        return {}


class Row(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One balance: the amount of an asset at a venue; providers add the members they print."""

    asset: str
    venue: str = ""
    total: Amount
    held: Amount = ZERO

    def __post_init__(self) -> None:
        if not 0 <= self.held <= self.total:
            raise ValueError(f"held {self.held:f} must lie between 0 and total {self.total:f}")
        check_size(self.total)
        check_size(self.held)

    def touched(self, by: str) -> Self:
        """Returns the row after a change by ``exchange`` or ``control``."""
        return self


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Generated rows: how many, and the seed that they depend on."""

    rows: int
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= 1_000_000:
            raise ValueError("rows must lie between 0 and 1000000")


class GeneratedAsset(Struct, frozen=True):
    """The asset of a generated row: ``BTC``, ``Bitcoin``."""

    symbol: str
    name: str


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account; providers type ``balances`` with their own row.

    ``label`` may be written instead of the account's id.
    """

    label: str = ""
    balances: list[Any] = []
    generate: Recipe | None = None


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's part of a world; providers type the values."""

    keys: Mapping[str, Any] = {}
    accounts: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        for label, key in self.keys.items():
            account = getattr(key, "account", None)
            if account is not None and account not in self.accounts:
                message = f"key {label} names account {account!r}, which is not there"
                raise DataError(message, ("keys", label, "account"))

    def credentials(self) -> Mapping[str, Any]:
        """Returns the keys by label, with the members that a client needs beside the file's."""
        return self.keys

    def records(self) -> "Iterable[PutRecord]":
        """Yields the records with which a sandbox starts."""
        return ()


# What handlers and events see, and the changes that they return


class View(Struct, frozen=True):
    """Everything a handler may see: the caller, the provider's part of the ledger, the times.

    ``now`` is the sandbox clock, ``auth_now`` the clock that judges signatures.
    ``keys`` are the credentials by label.
    """

    credential: Any
    keys: Mapping[str, Any]
    accounts: Accounts
    records: Mapping[str, Mapping[Any, Any]]
    quirks: Quirks
    now: int
    auth_now: int
    seed: int
    sandbox: str


class Move(Struct, frozen=True):
    """Changes a row's total and held by these differences, negative to lower them."""

    account: str
    asset: str
    venue: str
    total: Amount = ZERO
    held: Amount = ZERO


class SetRow(Struct, frozen=True):
    """Puts a row in an account, and replaces the one with the same asset and venue."""

    account: str
    row: Any


class DropRow(Struct, frozen=True):
    """Removes a row."""

    account: str
    asset: str
    venue: str


class SetRows(Struct, frozen=True):
    """Replaces all rows of an account."""

    account: str
    rows: tuple[Any, ...]


class SetKey(Struct, frozen=True):
    """Replaces the credential with the same label."""

    credential: Any


class PutRecord(Struct, frozen=True):
    """Stores a provider's own record (a withdrawal, an exchange's state)."""

    kind: str
    id: Any
    record: Any


class Schedule(Struct, frozen=True):
    """Applies an event when the sandbox clock reaches ``at``."""

    at: int
    event: Any


Change = Move | SetRow | DropRow | SetRows | SetKey | PutRecord | Schedule


class Event(Struct, frozen=True, tag_field="event", forbid_unknown_fields=True):
    """A change on the provider's side, caused by a control call or by the clock."""

    @classmethod
    def named(cls) -> str:
        """Returns the event's name."""
        return str(cls.__struct_config__.tag)

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns the changes; raises ValueError when the event is impossible."""
        raise NotImplementedError


class KeyRevoked(Event, frozen=True, tag="key_revoked"):
    """A credential, given by its label, is revoked; every provider has this event."""

    key: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns the change that revokes it."""
        return (SetKey(replace(key_with_label(view, self.key), revoked=True)),)


def key_with_label(view: View, label: str) -> Any:
    """Returns the credential with a label; raises ValueError."""
    if label not in view.keys:
        raise ValueError(unknown("credential", label, own_labels(label, view.keys)))
    return view.keys[label]


def own_labels(label: str, labels: Iterable[str]) -> list[str]:
    """Returns the labels to list for an unknown one: ``reject-REASON`` only for one like it."""
    return [known for known in labels if label.startswith("reject") or known[:7] != "reject-"]
