"""A careful client of CoinStats: reads the coins of a connected exchange.

A portfolio has to sync before its balances are right, so the client polls its status first.
Amounts are JSON numbers with more digits than a float has: every number is read as a decimal.
"""

import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8, 16, 32)  # seconds before each retry; no response says how long to wait
POLLS = 20
POLL_EVERY = 3  # seconds

CONFLICT, LIMITED = 409, 429
SPENT = "Insufficient credits"  # a 429 as well, but a retry does not help


class Balance(NamedTuple):
    """One coin, with its price in USD and in BTC."""

    coin: str
    amount: Decimal
    price: Decimal
    price_btc: Decimal


class CoinStatsError(Exception):
    """An error response; ``retriable`` says whether a retry may help.

    ``refused`` is the credential that was refused, ``key`` or ``exchange``, and empty for another
    error. Both may be a 401: the message alone tells them apart.
    """

    def __init__(
        self, code: str, message: str, *, retriable: bool = False, refused: str = ""
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retriable = code, message, retriable
        self.refused = refused


class CoinStatsClient:
    """Reads one connection with a key of CoinStats and the exchange's credentials."""

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
        """Returns the coins once the portfolio is synced; raises CoinStatsError."""
        try:
            response = self._connect()
            if response["portfolio"]["status"] != "synced":
                self._wait_for(response["portfolio"]["id"])
                response = self._connect()
            return [_balance(row) for row in response["balances"]]
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
        """Sends a request, and retries where that may help; the POST is a read as well."""
        for pause in PAUSES:
            try:
                return self._send(method, path, content)
            except CoinStatsError as error:
                if not error.retriable:
                    raise
                self._sleep(pause)
        return self._send(method, path, content)

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        url = self._base_url + path
        try:
            response = self._http.request(method, url, headers=self._headers, **content)
        except httpx.TransportError as error:
            raise CoinStatsError("unreachable", str(error), retriable=True) from error
        if response.status_code != httpx.codes.OK:
            raise _error(response)
        return json.loads(
            response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )


def _balance(row: dict[str, Any]) -> Balance:
    amount, price, price_btc = (_exact(row[name]) for name in ("amount", "price", "priceBtc"))
    return Balance(row["coinId"], amount, price, price_btc)


def _exact(number: Any) -> Decimal:
    if not isinstance(number, Decimal) or not number.is_finite():
        raise ValueError(f"{number!r} is not an amount")
    return number


def _error(response: httpx.Response) -> CoinStatsError:
    """Reads an error; all that its known shapes have in common is the message."""
    try:
        message = str(json.loads(response.content)["message"])
    except (LookupError, TypeError, ValueError):
        message = response.text
    retriable = response.is_server_error or response.status_code in (CONFLICT, LIMITED)
    spent = message.startswith(SPENT)
    return CoinStatsError(
        str(response.status_code),
        message,
        retriable=retriable and not spent,
        refused=_refused(response.status_code, message),
    )


def _refused(status: int, message: str) -> str:
    if "exchange credentials" in message.lower():
        return "exchange"
    return "key" if status == httpx.codes.UNAUTHORIZED else ""
