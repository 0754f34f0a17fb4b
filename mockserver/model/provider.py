"""The types that describe a provider.

A provider is one ``Provider`` value: routes, gates (checks, in the order of the real API), an error
table, quirks, limits, and pure functions. It has no state and no clock: the engine has these and
calls the functions.

Times are nanoseconds since the epoch; durations are nanoseconds.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from mockserver.errors import SettingError
from mockserver.model.http import Request, Response, UnsignedRequest
from mockserver.model.redaction import Secrets
from mockserver.model.reject import Reject
from mockserver.model.times import SECOND, duration_text, parse_duration
from mockserver.model.world import (
    Change,
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
    """A handler's answer: the body to encode as JSON, and the changes to apply.

    ``time_dependent`` says that this answer of a cacheable route depends on the time, so it is not
    cached.
    """

    body: Any
    changes: tuple[Change, ...] = ()
    media_type: bytes = b"application/json"
    time_dependent: bool = False


class ResponsePaths(Struct, frozen=True):
    """JSON paths of the parts of a good response that faults change.

    ``rows`` is the path of each row, ``amounts`` the paths of each amount, ``token`` the path of
    the next page's token, which a request has in the parameter ``page``.
    """

    rows: str = ""
    amounts: tuple[str, ...] = ()
    token: str = ""
    page: str = ""


class Route(Struct, frozen=True):
    """One operation of the provider's document.

    ``path`` is below the provider's ``base_path`` and may end in ``?name=value``: then this
    parameter, of the query or of a form, selects one of several operations of a path. ``aliases``
    are further paths of the same operation. ``limit`` names the route's own rate limit.
    ``parse(request, path_parameters)`` returns the second argument of ``handle``. ``cacheable``
    says that the answer depends only on the caller, the result of ``parse`` (which is then
    hashable), the quirks and the ledger. ``shape`` has the paths of rows, amounts and page tokens.
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


# Gates: checks, in the provider's order


class Keyring(Protocol):
    """Finds a credential by the text that a client presents."""

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for an unknown or a revoked one."""

    def with_label(self, label: str) -> Any:
        """Returns the credential with this label, or None."""


class Authenticate(Struct, frozen=True):
    """Authenticates. ``by(request, keys, auth_now, quirks)``: the credential and a journal note.

    ``extra_reasons`` are reject reasons of ``by`` beside those about credentials.
    """

    by: Callable[[Request, Keyring, int, Quirks], tuple[Any, str]]
    extra_reasons: tuple[str, ...] = ()


class ReplayCheck(Struct, frozen=True):
    """Rejects a replay. ``of(request)``: digest; ``window(quirks)``: nanoseconds, 0 is off."""

    of: Callable[[Request], bytes]
    window: Callable[[Quirks], int]


class RateLimit(Struct, frozen=True):
    """Rejects a request beyond a limit. ``per(request, credential)``: a label or an address.

    Without a name it is the limit of the route. ``only`` is a quirk and its value with which the
    limit is checked.
    """

    limit: str
    per: Callable[[Request, Any], str]
    only: tuple[str, str] | None = None


class BanCheck(Struct, frozen=True):
    """Bans callers that go on when a limit has rejected them, unless the quirk is ``off``.

    With its value ``requests`` it counts every request that reaches it, not rejects.
    """

    penalty: "BanPolicy"
    per: Callable[[Request, Any], str]
    quirk: str


class Check(Struct, frozen=True):
    """A check of the provider: ``rule`` raises Reject, for this ``reason`` only."""

    rule: Callable[[Request, Route, Any], None]
    reason: str


Gate = Authenticate | ReplayCheck | RateLimit | BanCheck | Check


# Functions that several providers use


def by_key(request: Request, key: Any) -> str:
    """Returns the key's label, for a limit per key."""
    label: str = key.label
    return label


def by_address(request: Request, key: object) -> str:
    """Returns the client's address, for a limit per address."""
    return request.peer


def parse_nothing(request: Request, path: Mapping[str, str]) -> None:
    """Returns None, for a route without parameters."""


# Settings

COUNT_DIGITS = 12


class Limit(Struct, frozen=True):
    """``count`` requests in a ``window``; None is off.

    A fixed window is aligned to the epoch; a rolling one ends with the request.
    """

    name: str
    count: int | None
    window: int
    rolling: bool = False

    def read(self, text: Any) -> "Limit":
        """Returns the limit with the values of ``120/60s`` or ``off``; raises SettingError."""
        if text == "off":
            return replace(self, count=None)
        count, slash, window = text.partition("/") if isinstance(text, str) else ("", "", "")
        if slash and count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS:
            span = parse_duration(window)
            if span > 0:
                return replace(self, count=int(count), window=span)
        raise SettingError(f"write N/DURATION, as in {self._example(text)}, or off; not {text!r}")

    def _example(self, text: object) -> str:
        """Returns an example for the error message: a count alone gets the current window."""
        count = str(text)
        if count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS:
            return f"{count}/{duration_text(self.window or 60 * SECOND)}"
        return "120/60s"

    @property
    def text(self) -> str:
        """The limit as in settings: ``120/60s`` or ``off``."""
        if self.count is None:
            return "off"
        return f"{self.count}/{duration_text(self.window)}"


class BanPolicy(Struct, frozen=True):
    """The consequences of ``offences`` rejects by limits within ``within`` nanoseconds.

    First a warning: for ``warned`` nanoseconds every limit of the caller is halved. As many again
    during the warning are a ban, which rejects every request for ``banned`` nanoseconds. More than
    ``bans`` bans within ``blacklisted`` nanoseconds are one that lasts as long.
    """

    name: str
    offences: int
    within: int
    warned: int
    banned: int
    bans: int
    blacklisted: int


class Quirk(Struct, frozen=True):
    """A named switch for behaviour that is unknown or varies.

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
        """Returns text for text, a number, a boolean or a timedelta; raises SettingError."""
        if isinstance(value, bool):
            words = ("true", "on") if value else ("false", "off")
            return next((word for word in words if word in self.choices), words[0])
        if isinstance(value, timedelta) or (self.duration and isinstance(value, int | float)):
            return duration_text(parse_duration(value))
        if not isinstance(value, str | int | float):
            raise SettingError(f"{value!r} is no text, number or boolean")
        return str(value)

    def read(self, text: str) -> str | int:
        """Returns the value of ``text``; raises SettingError for one the quirk does not have."""
        if text in self.choices:
            return text
        if self.duration:
            duration = parse_duration(text)
            if duration < 0:
                raise SettingError(f"{text!r} lies below zero")
            return duration
        if self.number:
            if text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS:
                return int(text)
            raise SettingError(f"{text!r} is no whole number")
        raise SettingError(f"{text!r} is none of {', '.join(self.choices)}")


CORS = Quirk(
    "cors",
    "off",
    "Whether web pages of any origin may call; off refuses bodies with a foreign Origin.",
    choices=("off", "on"),
)
COUNTS = Quirk(
    "counts",
    "reached",
    "Which requests a limit counts: all that reach its check, or those that succeed.",
    choices=("reached", "successful"),
)
GZIP = Quirk(
    "gzip",
    "off",
    "Whether a response is in gzip where the request accepts that.",
    choices=("off", "on"),
)


# Errors


class Error(Struct, frozen=True):
    """A row of an error table; ``message`` is the default for a reject without one."""

    status: int
    message: str


class ErrorContext(Struct, frozen=True):
    """What an error response may depend on beside the reject.

    ``path`` (with the base path) and ``query`` are raw, as the provider sees them. ``seed`` and
    ``number`` make ids; ``number`` counts the requests to the provider in a sandbox since its
    start or reset. ``operation`` is the id of the route, "" where the request was refused before.
    """

    quirks: Quirks
    path: bytes = b""
    query: bytes = b""
    seed: int = 0
    number: int = 0
    operation: str = ""


class GeneratedUser(Struct, frozen=True):
    """A user of a generated world; ``entropy`` is 64 bytes."""

    label: str
    name: str
    entropy: bytes


class Provider(Struct, frozen=True, kw_only=True):
    """One real API.

    ``port`` is the offset from the gateway's port, ``hosts`` the real host names, ``base_path`` the
    path of a base URL. ``main`` is the id of the main read; ``example`` returns an unsigned request
    for it, with a path below ``base_path``. The gates in ``outer`` come before the route is known,
    those in ``gates`` after it. ``variants`` are further forms of an error, by reason: the fact
    ``variant`` of a reject names one. ``rejects_quoting`` are the reasons of rejects that may have
    the fact ``rejected_message``. ``key`` names the member of a credential that clients
    present, ``members`` those that they need. ``sample`` makes the n-th row of a generated account
    from 16 bytes; ``holder`` makes a key, an account id and an account as in a world file.
    ``records`` has the type, ``dict[key, value]``, of each kind of record that changes put;
    ``section_now(section, records)`` returns the section of a world that starts with such records.
    ``mistakes`` names the module, imported at the first reject, whose ``explain`` returns the
    Explanation of a RejectedRequest (both in ``explain``), or None for the general one.
    ``upcoming`` returns what will change by time alone, beside scheduled events: times on the
    sandbox clock, and texts.
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
    variants: Mapping[str, tuple[str, ...]] = {}
    rejects_quoting: tuple[str, ...] = ()
    section: type[Section]
    row: type[Row]
    key: str
    members: tuple[str, ...]
    secrets: Secrets = Secrets()
    sign: Callable[[UnsignedRequest, Any, int], UnsignedRequest]
    example: Callable[[Any], UnsignedRequest]
    events: tuple[type[Event], ...] = ()
    records: Mapping[str, Any] = {}
    section_now: Callable[[Any, Mapping[str, Mapping[Any, Any]]], Section] | None = None
    mistakes: str = ""
    sample: Callable[[int, bytes, GeneratedAsset], Any] | None = None
    holder: Callable[[GeneratedUser], tuple[dict[str, Any], str, dict[str, Any]]] | None = None
    upcoming: Callable[[View], Iterable[tuple[int, str]]] | None = None

    def full_path(self, path: str = "") -> str:
        """Returns a path below the base URL as it stands behind the host."""
        return self.base_path + path

    @property
    def all_events(self) -> tuple[type[Event], ...]:
        """The provider's own events, and those of every provider."""
        return (*self.events, KeyRevoked)
