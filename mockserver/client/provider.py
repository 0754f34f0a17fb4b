"""One provider in a sandbox: its addresses, credentials, ledger, events and faults."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote

import msgspec

from mockserver.client.auth import Auth
from mockserver.client.credential import Credential, credentials_by_label
from mockserver.client.fault_keywords import fail
from mockserver.client.keywords import Rule
from mockserver.client.tracebacks import hides_frames
from mockserver.errors import SettingError
from mockserver.model.amounts import decode_hook
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.suggestions import unknown
from mockserver.model.times import Duration, spelled
from mockserver.model.world import Row, own_labels

if TYPE_CHECKING:
    import httpx

__tracebackhide__ = hides_frames

Caller = Callable[..., Any]
Amount = str | int | Decimal


class ProviderHandle:
    """One provider in a sandbox; ``server.cpg`` and ``sandbox.cpg`` are such handles.

    sandbox.cpg.credit("main", "USDT", "10", venue="ETH")
    with sandbox.cpg.client() as client:
        client.get("/v1/balances")
    sandbox.cpg.fail(status=503, times=2)

    ``base_url`` replaces the real provider's base URL, ``direct_url`` leads past any balancer; a
    rule of ``fail`` makes it the ``base_url``. ``credentials`` are those of the key
    ``main``, ``others`` those of the other keys by label; their members are also attributes.
    Amounts are text such as ``"0.5"``, or decimals. Calls that change something raise ValueError
    for a mistake, and then nothing has changed.
    """

    credential_kind: type[Credential] = Credential

    def __init__(
        self,
        provider: Provider,
        description: Mapping[str, Any],
        call: Caller,
        real: Callable[[], int],
        call_server: Caller,
    ) -> None:
        self.provider = provider
        self.base_url: str = description["base_url"]
        self._https_url: str = description.get("https_url", "")
        self.direct_url: str = description.get("direct_url", self.base_url)
        self.credentials = self.credential_kind(description["credentials"])
        self.others: Mapping[str, Credential] = credentials_by_label(
            self.credential_kind, description["others"]
        )
        self._call = call
        self._call_server = call_server
        self._real = real

    def __repr__(self) -> str:
        """Returns the provider's name and its base URL."""
        return f"<{type(self).__name__} {self.provider.name} at {self.base_url}>"

    @property
    def https_url(self) -> str:
        """The base URL on the HTTPS port; raises SettingError where there is none."""
        if not self._https_url:
            raise SettingError("the server has no HTTPS port: start it with tls=True, or --tls")
        return self._https_url

    def credential(self, label: str) -> Credential:
        """Returns a credential by its label; raises SettingError."""
        if label == "main" and self.credentials:
            return self.credentials
        if label not in self.others:
            known = ["main", *self.others] if self.credentials else self.others
            raise SettingError(unknown("credential", label, own_labels(label, known)))
        return self.others[label]

    @property
    def auth(self) -> Auth:
        """The ``auth=`` of requests and httpx that signs with the key ``main``."""
        return self.auth_as("main")

    def auth_as(self, label: str) -> Auth:
        """Returns the ``auth=`` that signs with the key of this label."""
        return Auth(self.provider, self.credential(label), now=self._real)

    @property
    def example(self) -> UnsignedRequest:
        """The main read with the key ``main``, unsigned; its path is relative to the base URL."""
        return self.provider.example(SimpleNamespace(**self.credentials))

    def balances(self, account: str = "main") -> Sequence[Row]:
        """Returns an account's rows in the ledger, amounts as decimals."""
        body = self._call("GET", self._account(account))
        rows = [{k: v for k, v in row.items() if k != "available"} for row in body["balances"]]
        return [msgspec.convert(row, self.provider.row, dec_hook=decode_hook) for row in rows]

    def set_balances(self, account: str, balances: Sequence[Mapping[str, Any]]) -> None:
        """Replaces all rows of an account; each is a dictionary as in a world file."""
        rows = [{name: _text(value) for name, value in row.items()} for row in balances]
        self._call("PUT", self._account(account), {"balances": rows})

    def set_balance(
        self, account: str, asset: str, venue: str | None = None, **members: Any
    ) -> None:
        """Creates or changes a row by its members, e.g. ``total="2", held="0.5"``.

        ``held`` is 0 if it is left out, other members then keep their values. ``venue`` may be
        left out if the asset has only one row; the same is true for the methods below.
        """
        row = {name: _text(value) for name, value in members.items()}
        self._call("PUT", self._row(account, asset), row, _venue_query(venue))

    def drop_balance(self, account: str, asset: str, venue: str | None = None) -> None:
        """Removes a row."""
        self._call("DELETE", self._row(account, asset), None, _venue_query(venue))

    def credit(self, account: str, asset: str, amount: Amount, venue: str | None = None) -> None:
        """Adds to a row's total."""
        self._move("credit", account, asset, amount, venue)

    def debit(self, account: str, asset: str, amount: Amount, venue: str | None = None) -> None:
        """Subtracts from a row's total, at most the available amount."""
        self._move("debit", account, asset, amount, venue)

    def hold(self, account: str, asset: str, amount: Amount, venue: str | None = None) -> None:
        """Holds a part of the available amount."""
        self._move("hold", account, asset, amount, venue)

    def release(self, account: str, asset: str, amount: Amount, venue: str | None = None) -> None:
        """Releases a part of the held amount."""
        self._move("release", account, asset, amount, venue)

    def event(self, event: str, **members: Any) -> None:
        """Applies an event, e.g. ``event("withdrawal_confirmed", id=1)``; raises ValueError."""
        body = {"event": event} | {name: _text(value) for name, value in members.items()}
        self._call("POST", f"/events/{self.provider.name}", body)

    def fail(self, name: str | None = None, **rule: Unpack[Rule]) -> str:
        """Sets a fault rule for this provider and returns its name; raises ValueError.

        sandbox.cpg.fail(credential="main", requests="2-3", reject="rate_limited")

        The keywords are the members of a rule in a scenario file. To match: ``operation``,
        ``method``, ``path``, ``credential``, ``header``, ``query``. To fire: ``requests``,
        ``probability``, ``every``, ``times``, ``from_``, ``until``, ``for_``, ``period``. To
        answer: ``reject``, ``page``, or ``status`` with ``headers`` and ``body``. To change
        or disturb the response: ``mutate={...}``, ``deliver={...}``, or their members. The
        sections of a file work too: ``answer={"reject": "rate_limited"}``.
        """
        name = fail(self._call, {"provider": self.provider.name}, name, rule)
        self.base_url = self.direct_url  # a balancer does not pass every delivery on
        return name

    def refuse(self, duration: Duration) -> None:
        """Lets the provider's port refuse connections for a time, at most an hour; 0 ends that.

        The port is the server's: every sandbox is refused. The time is real time.
        """
        path = f"/providers/{self.provider.name}/refuse"
        self._call_server("POST", path, {"for": spelled(duration)})

    def client(self, label: str = "main", **settings: Any) -> "httpx.Client":
        """Returns an ``httpx.Client`` with the base URL that signs; settings are httpx's."""
        client: httpx.Client = _httpx().Client(**self._client_settings(label, settings))
        return client

    def async_client(self, label: str = "main", **settings: Any) -> "httpx.AsyncClient":
        """Returns an ``httpx.AsyncClient`` with the base URL that signs; settings are httpx's."""
        client: httpx.AsyncClient = _httpx().AsyncClient(**self._client_settings(label, settings))
        return client

    def _client_settings(self, label: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        own = {"base_url": self.base_url, "auth": self.auth_as(label), "trust_env": False}
        return own | dict(settings)

    def _move(
        self, movement: str, account: str, asset: str, amount: Amount, venue: str | None
    ) -> None:
        path = self._row(account, asset) + "/moves"
        self._call(
            "POST",
            path,
            {movement: str(amount) if type(amount) is int else _text(amount)},
            _venue_query(venue),
        )

    def _account(self, account: str) -> str:
        return f"/ledger/{self.provider.name}/{quoted(account)}"

    def _row(self, account: str, asset: str) -> str:
        return f"{self._account(account)}/{quoted(asset)}"


def quoted(text: str) -> str:
    """Returns text, percent-encoded as one segment of a path."""
    return quote(text, safe="")


def _httpx() -> Any:
    """Imports httpx; raises ModuleNotFoundError with the line that installs it."""
    try:
        import httpx
    except ModuleNotFoundError:
        install = "pip install 'exchange-mockserver[client]'"
        raise ModuleNotFoundError(f"client() needs httpx: {install}") from None
    return httpx


def _text(value: Any) -> Any:
    """Returns an exact amount as text, all else as it is."""
    return format(value, "f") if isinstance(value, Decimal) else value


def _venue_query(venue: str | None) -> dict[str, str]:
    return {} if venue is None else {"venue": venue}
