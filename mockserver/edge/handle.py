"""A sandbox from Python: the control API's calls as methods.

The same handle serves a server in this process and one elsewhere: ``call`` carries a
call out, directly or over HTTP.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from mockserver.edge import worlds
from mockserver.edge.auth import Auth
from mockserver.engine.sandboxes import DEFAULT
from mockserver.providers import discover
from mockserver.wire import moment
from mockserver.wire.amount import decode_hook
from mockserver.wire.message import Draft
from mockserver.wire.provider import Provider

PAGE = 1_000  # entries of the journal that are asked for at once

Caller = Callable[..., Any]


class Seen(Struct, frozen=True):
    """One request of the journal; times are RFC 3339, secrets are redacted."""

    n: int
    time: str
    auth_time: str
    provider: str
    operation: str
    method: str
    target: str
    credential: str
    status: int
    reason: str
    note: str
    fault: str | None
    delivery: str | None
    duration_us: int
    request: dict[str, Any]
    response: dict[str, Any]
    explanation: dict[str, str] | None


class Time:
    """A sandbox's clocks, with durations as people write them: ``250ms``, ``61s``, ``5m``."""

    def __init__(self, call: Caller) -> None:
        self._call = call

    def advance(self, duration: str) -> None:
        """Moves the sandbox clock forward."""
        self._call("POST", "/clock", {"advance": duration})

    def freeze(self, frozen: bool = True) -> None:
        """Stops the sandbox clock, or lets it run on."""
        self._call("POST", "/clock", {"freeze": frozen})

    def set(self, time: str) -> None:
        """Puts the sandbox clock at a time such as ``2026-01-01T00:00:00Z``, never backwards."""
        self._call("POST", "/clock", {"set": time})

    def rate(self, rate: float) -> None:
        """Lets the sandbox clock run so many times as fast as real time."""
        self._call("POST", "/clock", {"rate": rate})

    def skew(self, duration: str) -> None:
        """Sets the auth clock off real time."""
        self._call("POST", "/clock", {"skew": duration})

    @property
    def now(self) -> int:
        """The sandbox time, in nanoseconds since the epoch."""
        return moment.parse(self._call("GET", "/clock")["now"])


class ProviderHandle:
    """One provider in a sandbox: where it is, who may call, what it holds, what can happen."""

    def __init__(
        self, provider: Provider, told: Mapping[str, Any], call: Caller, real: Callable[[], int]
    ) -> None:
        self.provider = provider
        self.base_url: str = told["base_url"]
        self.credentials: dict[str, Any] = told["credentials"]
        self.others: dict[str, dict[str, Any]] = told["others"]
        self._call = call
        self._real = real

    def credential(self, label: str) -> dict[str, Any]:
        """Returns a credential by its label; raises KeyError."""
        if label == "main" and self.credentials:
            return self.credentials
        if label not in self.others:
            known = ", ".join(["main", *self.others] if self.credentials else self.others)
            raise KeyError(f"no credential {label}: there are {known}")
        return self.others[label]

    @property
    def auth(self) -> Auth:
        """Signs with ``main``; for requests and httpx."""
        return self.auth_as("main")

    def auth_as(self, label: str) -> Auth:
        """Signs with the credential of this label."""
        return Auth(self.provider, self.credential(label), now=self._real)

    @property
    def example(self) -> Draft:
        """The main read for ``main``, unsigned; its path lies below the base URL."""
        return self.provider.example(SimpleNamespace(**self.credentials))

    def balances(self, account: str = "main") -> list[Any]:
        """Returns an account's rows as they stand in the ledger, amounts as decimals."""
        told = self._call("GET", self._account(account))["balances"]
        rows = [{k: v for k, v in row.items() if k != "available"} for row in told]
        kind = self.provider.row
        return [msgspec.convert(row, kind, dec_hook=decode_hook) for row in rows]

    def set_balances(self, account: str, balances: list[dict[str, Any]]) -> None:
        """Puts rows, as a world file writes them, in the place of all that an account has."""
        self._call("PUT", self._account(account), {"balances": balances})

    def set_balance(
        self, account: str, asset: str, venue: str | None = None, **members: Any
    ) -> None:
        """Puts a row: ``total=`` and ``held=`` (else nothing) as text, and what is printed.

        What the provider prints of a row that is there stays where it is not given. A venue
        may be left out where the asset has only one. Raises ValueError, and then nothing has
        changed; so do the others below.
        """
        told = {name: _text(value) for name, value in members.items()}
        self._call("PUT", self._row(account, asset), told, _at(venue))

    def drop_balance(self, account: str, asset: str, venue: str | None = None) -> None:
        """Takes a row away."""
        self._call("DELETE", self._row(account, asset), None, _at(venue))

    def credit(self, account: str, asset: str, amount: str, venue: str | None = None) -> None:
        """Adds to a row's total."""
        self._move("credit", account, asset, amount, venue)

    def debit(self, account: str, asset: str, amount: str, venue: str | None = None) -> None:
        """Takes from a row's total what is available."""
        self._move("debit", account, asset, amount, venue)

    def hold(self, account: str, asset: str, amount: str, venue: str | None = None) -> None:
        """Holds a part of what is available."""
        self._move("hold", account, asset, amount, venue)

    def release(self, account: str, asset: str, amount: str, venue: str | None = None) -> None:
        """Releases a part of what is held."""
        self._move("release", account, asset, amount, venue)

    def event(self, event: str, **members: Any) -> None:
        """Lets an event happen, ``event("withdrawal_confirmed", id=1)``; raises ValueError."""
        told = {"event": event} | members
        self._call("POST", f"/events/{self.provider.name}", told)

    def client(self, label: str = "main", **settings: Any) -> Any:
        """Returns an ``httpx.Client`` with the base URL, signing; settings are httpx's."""
        import httpx

        auth = self.auth_as(label)
        return httpx.Client(base_url=self.base_url, auth=auth, trust_env=False, **settings)

    def async_client(self, label: str = "main", **settings: Any) -> Any:
        """Returns an ``httpx.AsyncClient`` with the base URL, signing."""
        import httpx

        auth = self.auth_as(label)
        return httpx.AsyncClient(base_url=self.base_url, auth=auth, trust_env=False, **settings)

    def _move(
        self, movement: str, account: str, asset: str, amount: str, venue: str | None
    ) -> None:
        path = self._row(account, asset) + "/moves"
        self._call("POST", path, {movement: _text(amount)}, _at(venue))

    def _account(self, account: str) -> str:
        return f"/ledger/{self.provider.name}/{_quoted(account)}"

    def _row(self, account: str, asset: str) -> str:
        return f"{self._account(account)}/{_quoted(asset)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _text(value: Any) -> Any:
    """Writes a decimal as the text that amounts are."""
    return format(value, "f") if isinstance(value, Decimal) else value


def _at(venue: str | None) -> dict[str, str]:
    return {} if venue is None else {"venue": venue}


class SandboxHandle:
    """One sandbox: each provider is an attribute, ``clock`` moves time."""

    def __init__(self, id: str, call: Caller, real: Callable[[], int]) -> None:
        self.id = id
        self._whole = call
        self._real = real
        self._handles: dict[str, ProviderHandle] = {}
        self.clock = Time(self._call)

    def _call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return self._whole(method, f"/sandboxes/{self.id}{path}", body, query)

    def reset(self) -> None:
        """Puts everything back to how the sandbox was made; the credentials stay."""
        self._call("POST", "/reset")

    @property
    def journal(self) -> list[Seen]:
        """What was asked, oldest first."""
        found: list[Seen] = []
        after: int | None = 0
        while after is not None:
            told = self._call("GET", "/requests", None, {"after": str(after), "limit": str(PAGE)})
            found += msgspec.convert(told["requests"], list[Seen])
            after = told["next"]
        return found

    def clear_journal(self) -> None:
        """Forgets what was asked."""
        self._call("DELETE", "/requests")

    def verify(
        self,
        *,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        **match: Any,
    ) -> int:
        """Counts the requests that match; raises AssertionError when it is not the right number.

        ``match`` takes provider, operation, method, target, status, reason, credential, header.
        Without a number at least one is expected.
        """
        __tracebackhide__ = True  # for pytest: the mistake is not in here
        numbers = {"exactly": exactly, "at_least": at_least, "at_most": at_most}
        given = {k: v for k, v in numbers.items() if v is not None} or {"at_least": 1}
        try:
            answer = self._call("POST", "/requests/verify", {"match": match, **given})
        except Exception as error:
            if getattr(error, "status", None) != 409:
                raise
            raise AssertionError(_missed(match, given, error)) from None
        return int(answer["count"])

    def coverage(self) -> dict[str, Any]:
        """Tells which operations and reasons were met, and which not."""
        return self._call("GET", "/coverage")  # type: ignore[no-any-return]

    @property
    def quirks(self) -> dict[str, str]:
        """Every quirk in force, by ``provider.name``."""
        return self._call("GET", "/quirks")  # type: ignore[no-any-return]

    def set_quirks(self, quirks: Mapping[str, str | None]) -> None:
        """Changes quirks; None is the default."""
        self._call("PATCH", "/quirks", dict(quirks))

    @property
    def limits(self) -> dict[str, str]:
        """Every limit in force, by ``provider.name``."""
        return self._call("GET", "/limits")  # type: ignore[no-any-return]

    def set_limits(self, limits: Mapping[str, str | None] | str) -> None:
        """Changes limits, None is the default; ``default`` or ``off`` changes all."""
        self._call("PATCH", "/limits", limits if isinstance(limits, str) else dict(limits))

    def __getattr__(self, name: str) -> ProviderHandle:
        """Returns a provider by its name."""
        providers = discover()
        if name.startswith("_") or name not in providers:
            known = ", ".join(providers)
            raise AttributeError(f"a sandbox has no {name}: providers are {known}")
        if not self._handles:
            told = self._call("GET", "")["providers"]
            self._handles = {
                n: ProviderHandle(p, told[n], self._call, self._real) for n, p in providers.items()
            }
        return self._handles[name]


class ServerHandle:
    """A server that runs: the sandbox ``default`` as attributes, and more sandboxes."""

    def __init__(self, call: Caller, real: Callable[[], int]) -> None:
        self._call = call
        self._real = real
        self.default = SandboxHandle(DEFAULT, call, real)

    def sandbox(self, id: str | None = None, **wish: Any) -> SandboxHandle:
        """Makes a sandbox: ``world``, ``seed``, ``quirks``, ``limits``, ``ttl`` as over HTTP.

        A world may be a shipped one's name, a file's path or the plain data of one; without
        one it is the server's. Raises ValueError.
        """
        world = wish.get("world")
        if isinstance(world, str | Path) and str(world) not in worlds.shipped():
            wish["world"] = worlds.data(worlds.find(str(world)))
        path = "/sandboxes" if id is None else f"/sandboxes/{_quoted(id)}"
        told = self._call("POST" if id is None else "PUT", path, wish)
        return SandboxHandle(told["id"], self._call, self._real)

    def drop(self, sandbox: SandboxHandle) -> None:
        """Forgets a sandbox."""
        self._call("DELETE", f"/sandboxes/{sandbox.id}")

    def __getattr__(self, name: str) -> Any:
        """Returns what the sandbox ``default`` has: a provider, ``clock``, ``journal``, ..."""
        if name.startswith("_") or "default" not in self.__dict__:
            raise AttributeError(f"a server has no {name}")
        return getattr(self.default, name)


def _missed(match: Mapping[str, Any], given: Mapping[str, int], error: Any) -> str:
    lines = [f"{error.body['error']}, expected {given} of {dict(match)}"]
    for miss in error.body.get("nearest", []):
        request = miss["request"]
        lines.append(
            f"  n={miss['n']} {request['method']} {request['target']} -> {request['status']}"
            f" {request['reason']}: differs in {miss['differs']}"
        )
    return "\n".join(lines)
