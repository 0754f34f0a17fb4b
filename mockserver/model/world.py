"""What a provider keeps: keys, accounts and rows; who sees them; how they change.

The first part is what a world file holds; every provider adds its own members. The
second is what handlers and events see of it, and the changes they may ask for.

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


# What a world file holds


class Credential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential; providers add their own members.

    ``rejects`` names a reason with which every request of this key is refused.
    """

    label: str = ""
    revoked: bool = False
    rejects: str = ""

    def regenerate(self, entropy: bytes) -> Self | None:
        """Returns the credential with a new key and secret, made from 64 bytes.

        None, unless a provider says otherwise: then its key and secrets become random text in
        the shape of the old one (``Provider.renewed``).
        """
        return None


class Row(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One balance: what is held of an asset at a venue; providers add what they print."""

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
        """Returns the row as it is after a change by ``exchange`` or ``control``."""
        return self


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows made at load: how many, and the seed they depend on."""

    rows: int
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= 1_000_000:
            raise ValueError("rows must lie between 0 and 1000000")


class GeneratedAsset(Struct, frozen=True):
    """What a made row is about: ``BTC``, ``Bitcoin``."""

    symbol: str
    name: str


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account; providers type ``balances`` with their own row.

    ``label`` is what people may write instead of the account's id.
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
        """Returns the keys by label, with what a client needs beside what the file says."""
        return self.keys

    def records(self) -> "Iterable[PutRecord]":
        """Yields the records, other than rows, that a sandbox starts with."""
        return ()


# What handlers and events see, and what they may ask for


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
    """Adds to a row's total and held; either may be negative."""

    account: str
    asset: str
    venue: str
    total: Amount = ZERO
    held: Amount = ZERO


class SetRow(Struct, frozen=True):
    """Puts a row in an account, in the place of one with the same asset and venue."""

    account: str
    row: Any


class DropRow(Struct, frozen=True):
    """Takes a row away."""

    account: str
    asset: str
    venue: str


class SetRows(Struct, frozen=True):
    """Puts rows in the place of all that an account has."""

    account: str
    rows: tuple[Any, ...]


class SetKey(Struct, frozen=True):
    """Puts a credential in the place of the one with its label."""

    credential: Any


class PutRecord(Struct, frozen=True):
    """Stores a provider's own record (a withdrawal, an exchange's state)."""

    kind: str
    id: Any
    record: Any


class Schedule(Struct, frozen=True):
    """Lets an event happen when the sandbox clock reaches ``at``."""

    at: int
    event: Any


Change = Move | SetRow | DropRow | SetRows | SetKey | PutRecord | Schedule


class Event(Struct, frozen=True, tag_field="event", forbid_unknown_fields=True):
    """Something that happens on the provider's side, driven by control or by the clock."""

    @classmethod
    def named(cls) -> str:
        """Returns the name by which it is asked for."""
        return str(cls.__struct_config__.tag)

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns what changes; raises ValueError when it cannot happen."""
        raise NotImplementedError


class KeyRevoked(Event, frozen=True, tag="key_revoked"):
    """A credential, named by its label, does not work any more; every provider has this."""

    key: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Revokes it."""
        return (SetKey(replace(key_with_label(view, self.key), revoked=True)),)


def key_with_label(view: View, label: str) -> Any:
    """Returns the credential with a label; raises ValueError."""
    if label not in view.keys:
        raise ValueError(unknown("credential", label, view.keys))
    return view.keys[label]
