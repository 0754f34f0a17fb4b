"""A small client for the balances of CoinAPI EMS on every connected exchange.

Amounts are JSON numbers with more digits than a float has, so every number is read as a decimal.
No member is guaranteed: an absent one is None here, which is not zero.
"""

import json
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8)  # seconds before each retry, if the API does not say
REJECTED = 490  # a requested exchange cannot answer


class Balance(NamedTuple):
    """One asset on one exchange, by the exchange's own code."""

    exchange: str | None
    asset: str | None
    total: Decimal | None
    available: Decimal | None
    locked: Decimal | None


class CoinApiError(Exception):
    """An error response; ``code`` is the reject's reason or the HTTP status.

    ``wait`` is the number of seconds to wait before a retry, 0 if the API does not say, None
    if a retry would not help.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.wait = code, message, wait


class RejectedError(CoinApiError):
    """A MESSAGE_REJECT: it concerns one exchange; others may answer."""


class CoinApiClient:
    """Reads with one API key."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        api_key: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http, self._base_url = http, base_url
        self._headers = {"X-CoinAPI-Key": api_key}
        self._sleep = sleep

    def balances(self, exchange: str = "") -> list[Balance]:
        """Returns the balances on one exchange, or on all reachable ones; raises CoinApiError."""
        query = {"exchange_id": exchange} if exchange else {}
        try:
            return [
                _balance(item.get("exchange_id"), row)
                for item in self._read(query)
                for row in item.get("data", ())
            ]
        except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
            raise CoinApiError("malformed", repr(error)) from error

    def by_exchange(self, exchanges: Iterable[str]) -> dict[str, list[Balance] | RejectedError]:
        """Requests each exchange separately, so that a failing one does not hide the others."""
        results: dict[str, list[Balance] | RejectedError] = {}
        for exchange in exchanges:
            try:
                results[exchange] = self.balances(exchange)
            except RejectedError as error:
                results[exchange] = error
        return results

    def _read(self, query: dict[str, str]) -> Any:
        for pause in PAUSES:
            try:
                return self._send(query)
            except CoinApiError as error:
                if error.wait is None:
                    raise
                self._sleep(error.wait or pause)
        return self._send(query)

    def _send(self, query: dict[str, str]) -> Any:
        url = f"{self._base_url}/v1/balances"
        try:
            response = self._http.get(url, params=query, headers=self._headers)
        except httpx.TransportError as error:
            raise CoinApiError("unreachable", str(error), wait=0) from error
        if response.status_code != httpx.codes.OK:
            raise _error(response)
        return json.loads(
            response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )


def _balance(exchange: str | None, row: dict[str, Any]) -> Balance:
    total, available, locked = (
        _exact(row.get(name)) for name in ("balance", "available", "locked")
    )
    return Balance(exchange, row.get("asset_id_exchange"), total, available, locked)


def _exact(number: Any) -> Decimal | None:
    if number is None:
        return None
    if not isinstance(number, Decimal) or not number.is_finite():
        raise ValueError(f"{number!r} is not an amount")
    return number


def _error(response: httpx.Response) -> CoinApiError:
    """Reads an error of any media type: a reject has ``appliction/json``."""
    status = str(response.status_code)
    try:
        body = json.loads(response.content)
        if response.status_code == REJECTED:
            return RejectedError(str(body["reject_reason"]), str(body["message"]))
        return CoinApiError(status, str(body["error"]), _wait(response))
    except (LookupError, TypeError, ValueError):
        return CoinApiError(status, response.text, _wait(response))


def _wait(response: httpx.Response) -> int | None:
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
        return None
    seconds = response.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() else 0
