"""A careful client of CoinW spot: reads what an account holds.

Every response is an envelope with a ``code``, a string or a number, under HTTP 200 or not.
Nothing that is signed depends on the time, so a retry sends the same bytes.
"""

import hashlib
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8)  # seconds before each retry; limits have windows of one or two

DONE = "200"
RETRIABLE = ("29001", "10001", "500")  # rate limit, network error of CoinW, failure


class Holding(NamedTuple):
    """The amounts of one coin: in open orders, and available."""

    on_orders: Decimal
    available: Decimal


class CoinWError(Exception):
    """An error response; ``retriable`` says whether a retry may help."""

    def __init__(self, code: str, message: str, *, retriable: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retriable = code, message, retriable


class CoinWClient:
    """Reads with one API key."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        api_key: str,
        secret_key: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http, self._base_url = http, base_url
        self._api_key, self._secret_key = api_key, secret_key
        self._sleep = sleep

    def balances(self) -> dict[str, Decimal]:
        """Returns the available amounts by coin; raises CoinWError."""
        try:
            data = self._read("returnBalances")
            return {coin: _exact(amount) for coin, amount in data.items()}
        except (AttributeError, LookupError, ValueError, ArithmeticError) as error:
            raise CoinWError("malformed", repr(error)) from error

    def complete_balances(self) -> dict[str, Holding]:
        """Returns the amounts in open orders and available, by coin; raises CoinWError."""
        try:
            data = self._read("returnCompleteBalances")
            return {
                coin: Holding(_exact(amounts["onOrders"]), _exact(amounts["available"]))
                for coin, amounts in data.items()
            }
        except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CoinWError("malformed", repr(error)) from error

    def _read(self, command: str) -> Any:
        for pause in PAUSES:
            try:
                return self._send(command)
            except CoinWError as error:
                if not error.retriable:
                    raise
                self._sleep(pause)
        return self._send(command)

    def _send(self, command: str) -> Any:
        """Returns the data; without holdings that is an empty object, null or an empty body."""
        params = {"api_key": self._api_key}
        query = {"command": command, **params, "sign": self._sign(params)}
        try:
            response = self._http.post(f"{self._base_url}/api/v1/private", params=query)
        except httpx.TransportError as error:
            raise CoinWError("unreachable", str(error), retriable=True) from error
        if response.is_success and not response.content:
            return {}
        envelope = _envelope(response)
        code = str(envelope["code"])
        if code != DONE:
            raise CoinWError(code, str(envelope["msg"]), retriable=code in RETRIABLE)
        return envelope["data"] or {}

    def _sign(self, params: dict[str, str]) -> str:
        """Returns the MD5 over the sorted parameters, without ``command``, and the secret."""
        pairs = [f"{name}={value}" for name, value in sorted(params.items())]
        message = "&".join([*pairs, f"secret_key={self._secret_key}"])
        return hashlib.md5(message.encode(), usedforsecurity=False).hexdigest().upper()


def _envelope(response: httpx.Response) -> dict[str, Any]:
    """Reads the envelope; raises CoinWError for a body without one, such as a proxy page."""
    try:
        envelope = json.loads(
            response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
        if {"code", "msg"} <= envelope.keys():
            return dict(envelope)
    except (AttributeError, ValueError):
        pass
    code = "malformed" if response.is_success else str(response.status_code)
    retriable = response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS
    raise CoinWError(code, response.text, retriable=retriable)


def _exact(amount: Any) -> Decimal:
    """Reads a string, or a number as on older pages."""
    if not isinstance(amount, str | Decimal) or not Decimal(amount).is_finite():
        raise ValueError(f"{amount!r} is not an amount")
    return Decimal(amount)
