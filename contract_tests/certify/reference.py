"""The reference clients behind the interface of ``mockserver certify``.

What their users would write: rows as the suite expects them, a time limit, and an error where
rows repeat or the clocks differ. Nothing else is added to the clients.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from contract_tests.clients.cdp import CdpClient, CdpError
from contract_tests.clients.coinapi import CoinApiClient
from contract_tests.clients.coinstats import CoinStatsClient
from contract_tests.clients.coinw import CoinWClient
from contract_tests.clients.cpg import CpgClient, CpgError

Row = dict[str, Any]
CLIENTS: dict[str, Any] = {
    "cdp": CdpClient,
    "coinapi": CoinApiClient,
    "coinstats": CoinStatsClient,
    "coinw": CoinWClient,
    "cpg": CpgClient,
}
SKEW = 60  # seconds between the clocks that an error names
REPLAYED = "already been used"
TIMEOUT = 1.5  # seconds, for one request


class Exchange:
    """One provider's reference client, made by ``client`` on a transport of ``http``.

    A planted defect replaces a method.
    """

    def __init__(self, stage: Mapping[str, Any]) -> None:
        self.stage = stage
        self.dates: list[datetime] = []
        self.asked = 0.0  # seconds, by the last Retry-After
        self.status = 0  # of the last response

    @property
    def provider(self) -> str:
        return self.stage["provider"]

    def http(self) -> httpx.Client:
        return httpx.Client(
            timeout=self.timeout(),
            trust_env=False,
            verify=False,
            event_hooks={"response": [self.seen], "request": [self.sending]},
            **self.http_options(),
        )

    def http_options(self) -> dict[str, Any]:
        return {}

    def timeout(self) -> float | None:
        return min(TIMEOUT, self.stage["time_limit"] / 4)

    def sending(self, request: httpx.Request) -> None:
        """Sees each request before it is sent."""

    def seen(self, response: httpx.Response) -> None:
        self.status = response.status_code
        asked = response.headers.get("retry-after", "")
        self.asked = float(asked) if asked.isdecimal() else 0.0
        if "date" in response.headers:
            self.dates.append(parsedate_to_datetime(response.headers["date"]))

    def kind(self) -> Any:
        return CLIENTS[self.provider]

    def sleep(self, seconds: float) -> None:
        self.stage["sleep"](max(seconds, self.asked))

    def now(self) -> float:
        return time.time()

    def client(self, http: httpx.Client) -> Any:
        kind, stage = self.kind(), self.stage
        if self.provider == "cdp":
            names = ("key_id", "key_secret")
        elif self.provider == "coinapi":
            names = ("api_key",)
        elif self.provider == "coinstats":
            names = ("api_key", "connection_id", "connection_fields")
        else:
            names = ("api_key", "secret_key") if self.provider == "coinw" else ("key_id", "secret")
        credential = [stage["credentials"][name] for name in names]
        more = {"now": self.now} if self.provider in ("cdp", "cpg") else {}
        return kind(http, stage["base_url"], *credential, sleep=self.sleep, **more)

    def balances(self) -> list[Row]:
        with self.http() as http:
            client = self.client(http)
            try:
                return unique(self.rows(client))
            except (CdpError, CpgError) as error:
                if not self.is_skewed():
                    raise
                raise RuntimeError(f"{error}; this clock and the API's differ") from None

    def is_skewed(self) -> bool:
        return any(abs((datetime.now(UTC) - date).total_seconds()) > SKEW for date in self.dates)

    def rows(self, client: Any) -> list[Row]:
        rows = [self.row(balance) for balance in self.read(client)]
        return [row for row in rows if row["total"] is not None]  # CoinAPI guarantees no member

    def read(self, client: Any) -> list[Any]:
        """Returns the client's own rows."""
        if self.provider == "cdp":
            return client.balances(self.stage["account"])
        if self.provider == "coinapi":
            return client.balances(self.stage["exchange"])
        if self.provider == "coinw":
            return list(client.balances().items())
        if self.provider != "cpg":
            return client.balances()
        filters = {"currency": self.stage["currency"]} if self.stage["currency"] else {}
        return self.again(lambda: client.balances(**filters))

    def again(self, read: Callable[[], Any]) -> Any:
        """Reads again when another program has used this second's signature."""
        for seconds in (1, 2, 3):
            try:
                return read()
            except CpgError as error:
                if REPLAYED not in error.message:
                    raise
                time.sleep(seconds)  # two programs part only in real time
        return read()

    def row(self, balance: Any) -> Row:
        """Returns a client's balance as the suite expects it."""
        if self.provider == "cdp":
            row = {"asset": balance.asset, "total": balance.total}
            return row | {"available": balance.available}
        if self.provider == "coinapi":
            row = {"asset": balance.asset, "total": balance.total, "held": balance.locked}
            return row | {"available": balance.available, "exchange": balance.exchange}
        if self.provider == "coinstats":
            return {"asset": balance.coin, "total": balance.amount}
        if self.provider == "coinw":
            return {"asset": balance[0], "total": balance[1]}
        row = {"asset": balance.currency, "total": balance.total, "held": balance.held}
        return row | {"available": balance.available, "network": balance.network}


def unique(rows: list[Row]) -> list[Row]:
    """Returns rows of which none comes twice; raises ValueError."""
    names = [(row["asset"], row.get("network"), row.get("exchange")) for row in rows]
    if len(set(names)) < len(names):
        raise ValueError("a row comes twice: the list has changed, read it again")
    return rows


def balances(**stage: Any) -> list[Row]:
    """Returns the balances of an account: the callable that is certified."""
    return Exchange(stage).balances()
