"""What CoinAPI EMS tells of every connected exchange, as a careful user would read it.

Amounts are JSON numbers with more digits than a float has, so every number is read as a decimal.
No member is promised: one that is absent is None here, which is not zero.
"""

import json
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8)  # seconds before another try, where the API does not say how long
REJECTED = 490  # an exchange that was asked for cannot answer


class Balance(NamedTuple):
    """One asset on one exchange, by the exchange's own code."""

    exchange: str | None
    asset: str | None
    total: Decimal | None
    available: Decimal | None
    locked: Decimal | None


class CoinApiError(Exception):
    """A refusal: the reject's reason, or the HTTP status.

    ``wait`` tells for how many seconds the API asks before another try, 0 when it leaves that
    to us, None when another try would not help.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.wait = code, message, wait


class RejectedError(CoinApiError):
    """A MESSAGE_REJECT: it is about one exchange, others may well answer."""


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
        """Returns what lies on one exchange, or on all that can be reached; raises CoinApiError."""
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
        """Asks for each exchange by itself, so that one which fails does not hide the others."""
        found: dict[str, list[Balance] | RejectedError] = {}
        for exchange in exchanges:
            try:
                found[exchange] = self.balances(exchange)
            except RejectedError as error:
                found[exchange] = error
        return found

    def _read(self, query: dict[str, str]) -> Any:
        for pause in PAUSES:
            try:
                return self._once(query)
            except CoinApiError as error:
                if error.wait is None:
                    raise
                self._sleep(error.wait or pause)
        return self._once(query)

    def _once(self, query: dict[str, str]) -> Any:
        url = f"{self._base_url}/v1/balances"
        try:
            answer = self._http.get(url, params=query, headers=self._headers)
        except httpx.TransportError as error:
            raise CoinApiError("unreachable", str(error), wait=0) from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        return json.loads(
            answer.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
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
        raise ValueError(f"{number!r} is no amount")
    return number


def _refusal(answer: httpx.Response) -> CoinApiError:
    """Reads an error whatever its media type says: a reject's is spelled ``appliction/json``."""
    status = str(answer.status_code)
    try:
        told = json.loads(answer.content)
        if answer.status_code == REJECTED:
            return RejectedError(str(told["reject_reason"]), str(told["message"]))
        return CoinApiError(status, str(told["error"]), _wait(answer))
    except (LookupError, TypeError, ValueError):
        return CoinApiError(status, answer.text, _wait(answer))


def _wait(answer: httpx.Response) -> int | None:
    if answer.status_code != httpx.codes.TOO_MANY_REQUESTS and not answer.is_server_error:
        return None
    seconds = answer.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() else 0
