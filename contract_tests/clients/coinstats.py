"""The coins of an exchange connected to CoinStats, as a careful user would read them.

A portfolio syncs before it tells the truth: its status is polled first. Amounts are JSON numbers
with more digits than a float has, so every number is read as a decimal.
"""

import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8, 16, 32)  # seconds before another try; no answer tells how long
POLLS = 20
POLL_EVERY = 3  # seconds

CONFLICT, LIMITED = 409, 429
SPENT = "Insufficient credits"  # a 429 as well, but no patience mends it


class Balance(NamedTuple):
    """One coin, with its price in USD and in BTC."""

    coin: str
    amount: Decimal
    price: Decimal
    price_btc: Decimal


class CoinStatsError(Exception):
    """A refusal; ``passing`` tells whether another try may help."""

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.passing = code, message, passing


class CoinStatsClient:
    """Reads one connection, with the API's key and the exchange's own credentials."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        api_key: str,
        connection_id: str,
        connection_fields: Mapping[str, str],
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http, self._base_url = http, base_url
        self._headers = {"X-API-KEY": api_key}
        self._connection = {
            "connectionId": connection_id,
            "connectionFields": dict(connection_fields),
        }
        self._sleep = sleep

    def balances(self) -> list[Balance]:
        """Returns the coins as of when the portfolio was synced; raises CoinStatsError."""
        try:
            answer = self._connect()
            if answer["portfolio"]["status"] != "synced":
                self._wait_for(answer["portfolio"]["id"])
                answer = self._connect()
            return [_balance(row) for row in answer["balances"]]
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CoinStatsError("malformed", repr(error)) from error

    def _connect(self) -> Any:
        return self._read("POST", "/v1/exchange/balance", json=self._connection)

    def _wait_for(self, portfolio: str) -> None:
        """Polls until the portfolio is synced."""
        query = {"portfolioId": portfolio}
        for _ in range(POLLS):
            if self._read("GET", "/v1/exchange/status", params=query)["status"] == "synced":
                return
            self._sleep(POLL_EVERY)
        raise CoinStatsError("syncing", f"portfolio {portfolio} is not synced yet")

    def _read(self, method: str, path: str, **content: Any) -> Any:
        """Asks, again where that may help: the POST changes nothing and is a read as well."""
        for pause in PAUSES:
            try:
                return self._once(method, path, content)
            except CoinStatsError as error:
                if not error.passing:
                    raise
                self._sleep(pause)
        return self._once(method, path, content)

    def _once(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        url = self._base_url + path
        try:
            answer = self._http.request(method, url, headers=self._headers, **content)
        except httpx.TransportError as error:
            raise CoinStatsError("unreachable", str(error), passing=True) from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        return json.loads(
            answer.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )


def _balance(row: dict[str, Any]) -> Balance:
    amount, price, price_btc = (_exact(row[name]) for name in ("amount", "price", "priceBtc"))
    return Balance(row["coinId"], amount, price, price_btc)


def _exact(number: Any) -> Decimal:
    if not isinstance(number, Decimal) or not number.is_finite():
        raise ValueError(f"{number!r} is no amount")
    return number


def _refusal(answer: httpx.Response) -> CoinStatsError:
    """Reads an error; the shapes that are known have a message in common, and no more."""
    try:
        message = str(json.loads(answer.content)["message"])
    except (LookupError, TypeError, ValueError):
        message = answer.text
    passing = answer.is_server_error or answer.status_code in (CONFLICT, LIMITED)
    spent = message.startswith(SPENT)
    return CoinStatsError(str(answer.status_code), message, passing=passing and not spent)
