"""One provider in a sandbox, from Python: the ledger and the events as methods."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import msgspec

from mockserver.client.auth import Auth
from mockserver.client.fault_keywords import fail
from mockserver.model.amounts import decode_hook
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.suggestions import unknown

Caller = Callable[..., Any]


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
            known = ["main", *self.others] if self.credentials else self.others
            raise KeyError(unknown("credential", label, known))
        return self.others[label]

    @property
    def auth(self) -> Auth:
        """Signs with ``main``; for requests and httpx."""
        return self.auth_as("main")

    def auth_as(self, label: str) -> Auth:
        """Signs with the credential of this label."""
        return Auth(self.provider, self.credential(label), now=self._real)

    @property
    def example(self) -> UnsignedRequest:
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

    def fail(self, name: str | None = None, **rule: Any) -> str:
        """Sets a rule for this provider and returns its name; raises ValueError.

        What it matches: ``operation``, ``method``, ``path``, ``credential``, ``header``, ``query``.
        When it fires: ``requests``, ``probability``, ``every``, ``times``, ``from_``, ``until``,
        ``for_``, ``period``. What it does: ``reject``, ``page``, or ``status`` with ``headers``
        and ``body``; ``mutate={...}``; ``deliver={...}``. All as in a scenario file.
        """
        return fail(self._call, {"provider": self.provider.name}, name, rule)

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
        return f"/ledger/{self.provider.name}/{quoted(account)}"

    def _row(self, account: str, asset: str) -> str:
        return f"{self._account(account)}/{quoted(asset)}"


def quoted(text: str) -> str:
    """Writes a text as one segment of a path."""
    return quote(text, safe="")


def _text(value: Any) -> Any:
    """Writes a decimal as the text that amounts are."""
    return format(value, "f") if isinstance(value, Decimal) else value


def _at(venue: str | None) -> dict[str, str]:
    return {} if venue is None else {"venue": venue}
