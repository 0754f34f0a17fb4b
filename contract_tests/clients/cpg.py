"""What an account of the Crypto Payment Gateway holds, and withdrawals from it, carefully.

A signature is good once. Equal requests of one second have the same signature, so no two tries
share a timestamp here, not even those that failed: the gateway may have taken them.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8, 16, 32)  # seconds before another try; the limits count by the minute
LEAD = 60  # seconds that timestamps may run ahead of the clock; the gateway allows 300


class Balance(NamedTuple):
    """One currency on one network; ``available`` is ``total`` less ``held``."""

    currency: str
    network: str
    total: Decimal
    held: Decimal
    available: Decimal


class Withdrawal(NamedTuple):
    """A withdrawal that the gateway has taken; both amounts are held until it is settled."""

    id: int
    status: str
    amount: Decimal
    fee: Decimal


class CpgError(Exception):
    """A refusal, by its HTTP status: the gateway has no codes of its own.

    ``wait`` tells for how many seconds the gateway asks before another try, 0 when it leaves
    that to us, None when another try would not help.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.wait = code, message, wait


class CpgClient:
    """Asks with one API key."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        key_id: str,
        secret: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http, self._base_url = http, base_url
        self._key_id, self._secret = key_id, secret
        self._sleep, self._now = sleep, now
        self._last = 0

    def balances(self, **wanted: str) -> list[Balance]:
        """Returns all rows, or those of a ``currency`` or ``network``; raises CpgError."""
        try:
            return [_balance(row) for row in self._ask("GET", "/v1/balances", params=wanted)]
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CpgError("malformed", repr(error)) from error

    def withdraw(
        self, currency: str, network: str, to_address: str, amount: Decimal, reference: str
    ) -> Withdrawal:
        """Submits a withdrawal once, however often it is tried; raises CpgError.

        An error does not tell that nothing was withdrawn: call again with the same reference.
        """
        order = {
            "currency": currency,
            "network": network,
            "to_address": to_address,
            "amount": f"{amount:f}",
            "client_reference": reference,
        }
        try:
            return _withdrawal(self._ask("POST", "/v1/withdrawals", json=order))
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CpgError("malformed", repr(error)) from error

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        """Asks, again where that may help: a read, or an order that bears a reference."""
        for pause in PAUSES:
            try:
                return self._once(method, path, content)
            except CpgError as error:
                if error.wait is None:
                    raise
                self._sleep(error.wait or pause)
        return self._once(method, path, content)

    def _once(self, method: str, path: str, content: dict[str, Any]) -> Any:
        url = self._base_url + path
        try:
            answer = self._http.request(method, url, auth=self._sign, **content)
        except httpx.TransportError as error:
            raise CpgError("unreachable", str(error), wait=0) from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        return json.loads(answer.content)["data"]

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Signs the bytes that will be sent, query and body included."""
        path, _, query = request.url.raw_path.partition(b"?")
        timestamp = str(self._timestamp())
        digest = hashlib.sha256(request.content).hexdigest()
        fields = [timestamp, request.method, path.decode(), query.decode(), digest]
        signed = hmac.new(self._secret.encode(), "\n".join(fields).encode(), hashlib.sha256)
        request.headers["X-CPG-Key"] = self._key_id
        request.headers["X-CPG-Timestamp"] = timestamp
        request.headers["X-CPG-Signature"] = signed.hexdigest()
        return request

    def _timestamp(self) -> int:
        """Returns Unix seconds, each of them once: they run ahead, and wait when far ahead."""
        now = self._now()
        self._last = max(int(now), self._last + 1)
        ahead = self._last - now
        if ahead > LEAD:
            self._sleep(ahead - LEAD)
        return self._last


def _balance(row: dict[str, Any]) -> Balance:
    total, held, available = (_exact(row[name]) for name in ("balance", "held", "available"))
    return Balance(row["currency"], row["network"], total, held, available)


def _withdrawal(data: dict[str, Any]) -> Withdrawal:
    amount, fee = _exact(data["amount_decimal"]), _exact(data["fee_decimal"])
    return Withdrawal(data["withdrawal_id"], data["status"], amount, fee)


def _exact(text: str) -> Decimal:
    if not isinstance(text, str) or not Decimal(text).is_finite():
        raise ValueError(f"{text!r} is no amount")
    return Decimal(text)


def _refusal(answer: httpx.Response) -> CpgError:
    status = answer.status_code
    try:
        message = str(json.loads(answer.content)["message"])
    except (LookupError, TypeError, ValueError):
        message = answer.text
    if status != httpx.codes.TOO_MANY_REQUESTS and not answer.is_server_error:
        return CpgError(str(status), message)
    seconds = answer.headers.get("Retry-After", "")
    return CpgError(str(status), message, wait=int(seconds) if seconds.isdecimal() else 0)
