"""The vocabulary in which a provider is described.

A provider is one ``Provider`` value: routes as rows, gates in the order in which
the real API checks, an error table, quirks, limits, and pure functions. It holds
no state and no clock; the engine brings those and calls the functions.

Times are nanoseconds since the epoch; durations are nanoseconds.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.durations import SECOND, duration_text, parse_duration
from mockserver.model.fresh_credentials import renewed
from mockserver.model.http import Request, Response, UnsignedRequest
from mockserver.model.reject import Reject
from mockserver.model.world import (
    Change,
    Credential,
    Event,
    GeneratedAsset,
    KeyRevoked,
    Quirks,
    Row,
    Section,
    View,
)

# Routes


class Answer(Struct, frozen=True):
    """A handler's good answer: the body to encode as JSON, and the changes to apply.

    ``time_dependent`` says that this answer of a steady route depends on the time all the same.
    """

    body: Any
    changes: tuple[Change, ...] = ()
    media_type: bytes = b"application/json"
    time_dependent: bool = False


class ResponsePaths(Struct, frozen=True):
    """Where a good answer holds what faults look for, as JSON paths.

    ``rows`` lead to each row, ``amounts`` to each amount; ``token`` leads to the token of the
    next page, which a request brings in the parameter ``page``.
    """

    rows: str = ""
    amounts: tuple[str, ...] = ()
    token: str = ""
    page: str = ""


class Route(Struct, frozen=True):
    """One operation of the provider's document.

    ``path`` lies below the provider's ``base_path`` and may end in ``?name=value``: then that
    parameter, of the query or of a form, tells the operations of one path apart. ``aliases``
    are further paths of the same operation. ``limit`` names the route's own rate limit.
    ``parse`` turns the request and the path's parameters into what ``handle`` takes.
    ``cacheable`` says that the good answer depends on nothing but the caller, what ``parse``
    returned (which is hashable then), the quirks and the ledger: not on the time, unless the
    answer says so. ``shape`` tells faults where rows, amounts and page tokens are.
    """

    id: str
    method: str
    path: str
    parse: Callable[[Request, Mapping[str, str]], Any]
    handle: Callable[[View, Any], Answer]
    aliases: tuple[str, ...] = ()
    permission: str = ""
    limit: str = ""
    cacheable: bool = False
    shape: ResponsePaths = ResponsePaths()


# Gates: what a request must pass, in the provider's own order


class Keyring(Protocol):
    """Finds a credential by what the client presented."""

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for an unknown or a revoked one."""

    def with_label(self, label: str) -> Any:
        """Returns the credential with this label, or None."""


class Authenticate(Struct, frozen=True):
    """Establishes who calls: ``by`` returns the credential and a note for the journal.

    ``extra_reasons`` are reasons for which it refuses beside those about credentials.
    """

    by: Callable[[Request, Keyring, int, Quirks], tuple[Any, str]]
    extra_reasons: tuple[str, ...] = ()


class ReplayCheck(Struct, frozen=True):
    """Refuses what was accepted before: ``of`` names it, ``window`` says for how long."""

    of: Callable[[Request], bytes]
    window: Callable[[Quirks], int]


class RateLimit(Struct, frozen=True):
    """Refuses what exceeds a limit; ``per`` names the counter (a key's label, an address).

    Without a name it is the limit of the route.
    """

    limit: str
    per: Callable[[Request, Any], str]


class BanCheck(Struct, frozen=True):
    """Punishes callers that go on when a limit has refused them, while the quirk is ``on``."""

    penalty: "BanPolicy"
    per: Callable[[Request, Any], str]
    quirk: str


class Check(Struct, frozen=True):
    """Refuses by a rule of the provider: ``rule`` raises Reject, for this ``reason`` alone."""

    rule: Callable[[Request, Route, Any], None]
    reason: str


Gate = Authenticate | ReplayCheck | RateLimit | BanCheck | Check


# What rows of many providers name


def by_key(request: Request, key: Any) -> str:
    """Counts every key on its own."""
    label: str = key.label
    return label


def by_address(request: Request, key: object) -> str:
    """Counts every source address on its own."""
    return request.peer


def parse_nothing(request: Request, path: Mapping[str, str]) -> None:
    """Reads no parameter."""


# Settings

COUNT_DIGITS = 12


class Limit(Struct, frozen=True):
    """``count`` requests in a ``window``; None is off.

    A fixed window is aligned to the epoch; a rolling one ends with the request that is judged.
    """

    name: str
    count: int | None
    window: int
    rolling: bool = False

    def read(self, text: Any) -> "Limit":
        """Returns the limit with ``120/60s`` or ``off`` in its place; raises ValueError."""
        if text == "off":
            return replace(self, count=None)
        count, slash, window = text.partition("/") if isinstance(text, str) else ("", "", "")
        if slash and count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS:
            span = parse_duration(window)
            if span > 0:
                return replace(self, count=int(count), window=span)
        raise ValueError(f"write N/DURATION, as in {self._example(text)}, or off; not {text!r}")

    def _example(self, text: object) -> str:
        """Returns a limit that may be meant: of a count alone, with the window there is."""
        count = str(text)
        if count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS:
            return f"{count}/{duration_text(self.window or 60 * SECOND)}"
        return "120/60s"

    @property
    def text(self) -> str:
        """How it is written in settings: ``120/60s`` or ``off``."""
        if self.count is None:
            return "off"
        return f"{self.count}/{duration_text(self.window)}"


class BanPolicy(Struct, frozen=True):
    """What follows on ``offences`` refusals for a full limit within ``within``.

    First a warning: for ``warned`` every limit of the caller is halved. As many once more
    while it lasts are a ban, in which nothing is answered well for ``banned``. More than
    ``bans`` bans within ``blacklisted`` turn into one that lasts as long.
    """

    name: str
    offences: int
    within: int
    warned: int
    banned: int
    bans: int
    blacklisted: int


class Quirk(Struct, frozen=True):
    """A named switch where real behaviour is unknown or varies.

    Its values are ``choices`` and, when ``duration`` or ``number`` is set, durations or
    whole numbers.
    """

    name: str
    default: str
    about: str
    choices: tuple[str, ...] = ()
    duration: bool = False
    number: bool = False

    def spell(self, value: Any) -> str:
        """Returns text for text, a number, a boolean or a timedelta; raises ValueError."""
        if isinstance(value, bool):
            words = ("true", "on") if value else ("false", "off")
            return next((word for word in words if word in self.choices), words[0])
        if isinstance(value, timedelta) or (self.duration and isinstance(value, int | float)):
            return duration_text(parse_duration(value))
        if not isinstance(value, str | int | float):
            raise ValueError(f"{value!r} is no text, number or boolean")
        return str(value)

    def read(self, text: str) -> str | int:
        """Returns the value for ``text``; raises ValueError for one it does not have."""
        if text in self.choices:
            return text
        if self.duration:
            duration = parse_duration(text)
            if duration < 0:
                raise ValueError(f"{text!r} lies below zero")
            return duration
        if self.number:
            if text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS:
                return int(text)
            raise ValueError(f"{text!r} is no whole number")
        raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")


CORS = Quirk(
    "cors",
    "off",
    "Whether web pages of any origin may call; off refuses bodies with a foreign Origin.",
    choices=("off", "on"),
)


# Errors


class Error(Struct, frozen=True):
    """A row of an error table; ``message`` stands where the reject brings none."""

    status: int
    message: str


class ErrorContext(Struct, frozen=True):
    """What a refusal may tell of the request it answers.

    ``path`` (with the base path) and ``query`` are raw, as the provider sees them. Ids are made
    from ``seed`` and ``number``, which counts the requests to the provider in a sandbox since its
    start or reset.
    """

    quirks: Quirks
    path: bytes = b""
    query: bytes = b""
    seed: int = 0
    number: int = 0


PUBLIC = frozenset({*Credential.__struct_fields__, "account"})  # never secret by default


class Secrets(Struct, frozen=True):
    """Where a request carries secrets.

    ``headers`` are names in lower case, ``query`` parameters of a query or a form, ``members``
    names in a JSON body, whose text or every text below is secret; ``values`` are the members
    of a credential that are: None is every text but its label and the account that it names.
    """

    headers: frozenset[bytes] = frozenset()
    query: frozenset[bytes] = frozenset()
    members: frozenset[str] = frozenset()
    values: tuple[str, ...] | None = None

    def names(self, credential: Any) -> tuple[str, ...]:
        """Returns the members of a credential that are secret."""
        if self.values is not None:
            return self.values
        return tuple(name for name in credential.__struct_fields__ if name not in PUBLIC)

    def of(self, credential: Any) -> "list[str]":
        """Returns what is secret of a credential."""
        found = [getattr(credential, name) for name in self.names(credential)]
        texts = [t for v in found for t in (v.values() if isinstance(v, Mapping) else (v,))]
        return [text for text in texts if isinstance(text, str)]


class GeneratedUser(Struct, frozen=True):
    """Somebody who is made up for a generated world; ``entropy`` are 64 bytes."""

    label: str
    name: str
    entropy: bytes


class Provider(Struct, frozen=True, kw_only=True):
    """One real API.

    ``port`` is the offset from the gateway's port, ``hosts`` the real host names,
    ``base_path`` what a base URL carries behind the host. ``main`` is the id of the main
    read, ``example`` a request for it, unsigned, with a path below ``base_path``. Gates in
    ``outer`` come before the route is known, ``gates`` after it. ``key`` names the member of
    a credential that the client presents, ``members`` those a client needs. ``sample`` makes
    the n-th row of a generated account from 16 bytes, ``holder`` a key, an account id and an
    account as a world file writes them. ``mistakes`` names the module, imported when
    somebody is refused, whose ``explain`` returns the Explanation of a Refused (both in
    ``explain``), or None where the provider knows no more than everybody.
    """

    name: str
    title: str
    port: int
    hosts: tuple[str, ...] = ()
    base_path: str = ""
    main: str
    routes: tuple[Route, ...]
    outer: tuple[Gate, ...] = ()
    gates: tuple[Gate, ...]
    limits: tuple[Limit, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    errors: Mapping[str, Any]
    refuse: Callable[[Reject, ErrorContext], Response]
    section: type[Section]
    row: type[Row]
    key: str
    members: tuple[str, ...]
    secrets: Secrets = Secrets()
    sign: Callable[[UnsignedRequest, Any, int], UnsignedRequest]
    example: Callable[[Any], UnsignedRequest]
    events: tuple[type[Event], ...] = ()
    mistakes: str = ""
    sample: Callable[[int, bytes, GeneratedAsset], Any] | None = None
    holder: Callable[[GeneratedUser], tuple[dict[str, Any], str, dict[str, Any]]] | None = None

    def full_path(self, path: str = "") -> str:
        """Returns a path below the base URL as it stands behind the host."""
        return self.base_path + path

    @property
    def all_events(self) -> tuple[type[Event], ...]:
        """The provider's own events, and those that every one has."""
        return (*self.events, KeyRevoked)

    def with_fresh_keys(self, credential: Any, entropy: bytes) -> Any:
        """Returns a credential as a new sandbox has it, made from 64 bytes.

        Where the credential has no ``regenerate`` of its own, the key is new text, and so is every
        secret text that a client is given. Raises ValueError when the credential refuses that.
        """
        fresh = credential.regenerate(entropy)
        if fresh is not None:
            return fresh
        handed = {*self.members} & {*self.secrets.names(credential)} | {self.key}
        fields = [name for name in credential.__struct_fields__ if name in handed]
        texts = [name for name in fields if isinstance(getattr(credential, name), str)]
        return renewed(credential, texts, entropy)
