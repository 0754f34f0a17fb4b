"""What a CoinW spot account holds, as a careful user would read it.

Every answer is an envelope whose ``code`` tells how it went, under HTTP 200 or not, as text or
as a number. Nothing signed depends on the time, so another try sends the same bytes.
"""

import hashlib
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8)  # seconds before another try; limits look back on one or two

DONE = "200"
PASSING = ("29001", "10001", "500")  # too often; no network there; a failure


class Holding(NamedTuple):
    """One coin: what open orders hold of it, and what can be spent."""

    on_orders: Decimal
    available: Decimal


class CoinWError(Exception):
    """A refusal; ``passing`` tells whether another try may help."""

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.passing = code, message, passing


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
        """Returns what can be spent, by coin; raises CoinWError."""
        try:
            data = self._read("returnBalances")
            return {coin: _exact(amount) for coin, amount in data.items()}
        except (AttributeError, LookupError, ValueError, ArithmeticError) as error:
            raise CoinWError("malformed", repr(error)) from error

    def complete_balances(self) -> dict[str, Holding]:
        """Returns what orders hold and what can be spent, by coin; raises CoinWError."""
        try:
            data = self._read("returnCompleteBalances")
            return {
                coin: Holding(_exact(held["onOrders"]), _exact(held["available"]))
                for coin, held in data.items()
            }
        except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CoinWError("malformed", repr(error)) from error

    def _read(self, command: str) -> Any:
        for pause in PAUSES:
            try:
                return self._once(command)
            except CoinWError as error:
                if not error.passing:
                    raise
                self._sleep(pause)
        return self._once(command)

    def _once(self, command: str) -> Any:
        """Returns the data; an account without holdings may get an empty one, null or no bytes."""
        signed = {"api_key": self._api_key}
        query = {"command": command, **signed, "sign": self._sign(signed)}
        try:
            answer = self._http.post(f"{self._base_url}/api/v1/private", params=query)
        except httpx.TransportError as error:
            raise CoinWError("unreachable", str(error), passing=True) from error
        if answer.is_success and not answer.content:
            return {}
        told = _envelope(answer)
        code = str(told["code"])
        if code != DONE:
            raise CoinWError(code, str(told["msg"]), passing=code in PASSING)
        return told["data"] or {}

    def _sign(self, parameters: dict[str, str]) -> str:
        """Returns the MD5 over all parameters by name, and the secret at the end; no command."""
        pairs = [f"{name}={value}" for name, value in sorted(parameters.items())]
        message = "&".join([*pairs, f"secret_key={self._secret_key}"])
        return hashlib.md5(message.encode(), usedforsecurity=False).hexdigest().upper()


def _envelope(answer: httpx.Response) -> dict[str, Any]:
    """Reads the envelope; what has none, such as the page of a proxy, is told by its status."""
    try:
        told = json.loads(
            answer.content, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
        if {"code", "msg"} <= told.keys():
            return dict(told)
    except (AttributeError, ValueError):
        pass
    code = "malformed" if answer.is_success else str(answer.status_code)
    passing = answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    raise CoinWError(code, answer.text, passing=passing)


def _exact(amount: Any) -> Decimal:
    """Reads text, or a number as older pages have it."""
    if not isinstance(amount, str | Decimal) or not Decimal(amount).is_finite():
        raise ValueError(f"{amount!r} is no amount")
    return Decimal(amount)
