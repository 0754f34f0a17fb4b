"""The vocabulary in which a provider is described.

A provider is one ``Provider`` value: routes as rows, gates in the order in which
the real API checks, an error table, quirks, limits, and pure functions. It holds
no state and no clock; the engine brings those and calls the functions.

Times are nanoseconds since the epoch; durations are nanoseconds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from mockserver.wire.amount import Amount
from mockserver.wire.duration import MILLISECOND, SECOND, nanoseconds
from mockserver.wire.message import Draft, Request, Response
from mockserver.wire.reject import Reject

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


class Row(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One balance: what is held of an asset at a venue; providers add what they print."""

    asset: str
    venue: str = ""
    total: Amount
    held: Amount = ZERO

    def __post_init__(self) -> None:
        if not 0 <= self.held <= self.total:
            raise ValueError(f"held {self.held} must lie between 0 and total {self.total}")

    def touched(self, by: str) -> "Row":
        """Returns the row as it is after a change by ``exchange`` or ``control``."""
        return self


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows made at load: how many, and the seed they depend on."""

    rows: int
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= 1_000_000:
            raise ValueError("rows must lie between 0 and 1000000")


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account; providers type ``balances`` with their own row."""

    balances: list[Any] = []
    generate: Recipe | None = None


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider's part of a world; providers type the values."""

    keys: Mapping[str, Any] = {}
    accounts: Mapping[str, Any] = {}

    def records(self) -> "Iterable[Put]":
        """Yields the records, other than rows, that a sandbox starts with."""
        return ()


class Holdings(Struct, frozen=True):
    """An account in the ledger: what the world says of it, and its rows by (asset, venue)."""

    account: Any
    rows: dict[tuple[str, str], Any]


# What a handler sees, and what it may ask for


class View(Struct, frozen=True):
    """Everything a handler may see: the caller, the provider's part of the ledger, the times.

    ``now`` is the sandbox clock, ``auth_now`` the clock that judges signatures.
    """

    credential: Any
    accounts: Mapping[str, Holdings]
    records: Mapping[str, Mapping[Any, Any]]
    quirks: Quirks
    now: int
    auth_now: int
    seed: int


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


class Put(Struct, frozen=True):
    """Stores a provider's own record (a withdrawal, an exchange's state)."""

    kind: str
    id: Any
    record: Any


class Schedule(Struct, frozen=True):
    """Lets an event happen when the sandbox clock reaches ``at``."""

    at: int
    event: Any


Change = Move | SetRow | Put | Schedule


class Answer(Struct, frozen=True):
    """A handler's good answer: the body to encode as JSON, and the changes to apply."""

    body: Any
    changes: tuple[Change, ...] = ()
    media_type: bytes = b"application/json"


class Event(Struct, frozen=True, tag_field="event", forbid_unknown_fields=True):
    """Something that happens on the provider's side, driven by control or by the clock."""

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns what changes; raises ValueError when it cannot happen."""
        raise NotImplementedError


# Routes


class Route(Struct, frozen=True):
    """One operation of the provider's document.

    ``parse`` turns the request and the path's parameters into what ``handle`` takes.
    ``steady`` says that the good answer depends on nothing but the caller, what ``parse``
    returned (which is hashable then), the quirks and the ledger: not on the time.
    """

    id: str
    method: str
    path: str
    parse: Callable[[Request, Mapping[str, str]], Any]
    handle: Callable[[View, Any], Answer]
    permission: str = ""
    steady: bool = False


# Gates: what a request must pass, in the provider's own order


class Vault(Protocol):
    """Finds a credential by what the client presented."""

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for an unknown or a revoked one."""

    def labelled(self, label: str) -> Any:
        """Returns the credential with this label, or None."""


class Authenticate(Struct, frozen=True):
    """Establishes who calls: ``by`` returns the credential and a note for the journal."""

    by: Callable[[Request, Vault, int, Quirks], tuple[Any, str]]


class Once(Struct, frozen=True):
    """Refuses what was accepted before: ``of`` names it, ``window`` says for how long."""

    of: Callable[[Request], bytes]
    window: Callable[[Quirks], int]


class Throttle(Struct, frozen=True):
    """Refuses what exceeds a limit; ``per`` names the counter (a key's label, an address)."""

    limit: str
    per: Callable[[Request, Any], str]


class Check(Struct, frozen=True):
    """Refuses by a rule of the provider: ``rule`` raises Reject."""

    rule: Callable[[Request, Route, Any], None]


Gate = Authenticate | Once | Throttle | Check


# Settings


class Limit(Struct, frozen=True):
    """``count`` requests per fixed window of ``window`` (aligned to the epoch); None is off."""

    name: str
    count: int | None
    window: int

    @property
    def text(self) -> str:
        """How it is written in settings: ``120/60s`` or ``off``."""
        if self.count is None:
            return "off"
        unit, size = ("s", SECOND) if self.window % SECOND == 0 else ("ms", MILLISECOND)
        return f"{self.count}/{self.window // size}{unit}"


class Quirk(Struct, frozen=True):
    """A named switch where real behaviour is unknown or varies.

    Its values are ``choices`` and, when ``duration`` is set, durations.
    """

    name: str
    default: str
    about: str
    choices: tuple[str, ...] = ()
    duration: bool = False

    def read(self, text: str) -> str | int:
        """Returns the value for ``text``; raises ValueError for one it does not have."""
        if text in self.choices:
            return text
        if self.duration:
            duration = nanoseconds(text)
            if duration < 0:
                raise ValueError(f"{text!r} lies below zero")
            return duration
        raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")


# Errors


class Error(Struct, frozen=True):
    """A row of an error table; ``message`` stands where the reject brings none."""

    status: int
    message: str


class Secrets(Struct, frozen=True):
    """Where a request carries secrets: header and query parameter names, in lower case."""

    headers: frozenset[bytes] = frozenset()
    query: frozenset[bytes] = frozenset()


class Provider(Struct, frozen=True, kw_only=True):
    """One real API.

    ``port`` is the offset from the gateway's port, ``hosts`` the real host names,
    ``base_path`` what a base URL carries behind the host. ``key`` names the member
    of a credential that the client presents, ``members`` those a client needs.
    ``main`` is the id of the main read, ``example`` a request for it. ``sample`` makes
    the n-th row of a generated account from 16 bytes.
    """

    name: str
    title: str
    port: int
    hosts: tuple[str, ...] = ()
    base_path: str = ""
    main: str
    routes: tuple[Route, ...]
    gates: tuple[Gate, ...]
    limits: tuple[Limit, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    errors: Mapping[str, Any]
    refuse: Callable[[Reject, Quirks], Response]
    section: type[Section]
    row: type[Row]
    key: str
    members: tuple[str, ...]
    secrets: Secrets = Secrets()
    sign: Callable[[Draft, Any, int], Draft]
    example: Draft
    events: tuple[type[Event], ...] = ()
    sample: Callable[[int, bytes], Any] | None = None
