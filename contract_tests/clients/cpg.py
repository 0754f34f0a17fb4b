"""A careful client of the Crypto Payment Gateway: reads balances and submits withdrawals.

The gateway rejects a reused signature, and equal requests of one second have the same one. So no
two attempts share a timestamp, not even failed ones: the gateway may have accepted them.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

PAUSES = (1, 2, 4, 8, 16, 32)  # seconds before each retry; the limits count by the minute
LEAD = 60  # seconds that timestamps may run ahead of the clock; the gateway allows 300


class Balance(NamedTuple):
    """One currency on one network; ``available`` is ``total`` less ``held``."""

    currency: str
    network: str
    total: Decimal
    held: Decimal
    available: Decimal


class Withdrawal(NamedTuple):
    """An accepted withdrawal; both amounts are held until it is settled."""

    id: int
    status: str
    amount: Decimal
    fee: Decimal


class CpgError(Exception):
    """An error response with its HTTP status: the gateway has no codes of its own.

    ``wait`` is the number of seconds before a retry that the gateway asks for, 0 where it names
    none, None where a retry does not help.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.wait = code, message, wait


class CpgClient:
    """Reads and withdraws with one API key."""

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

    def balances(self, **filters: str) -> list[Balance]:
        """Returns all rows, or those of a ``currency`` or ``network``; raises CpgError."""
        try:
            return [_balance(row) for row in self._request("GET", "/v1/balances", params=filters)]
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CpgError("malformed", repr(error)) from error

    def withdraw(
        self, currency: str, network: str, to_address: str, amount: Decimal, reference: str
    ) -> Withdrawal:
        """Submits a withdrawal once, whatever the number of retries; raises CpgError.

        An error does not mean that nothing was withdrawn: call again with the same reference.
        """
        order = {
            "currency": currency,
            "network": network,
            "to_address": to_address,
            "amount": f"{amount:f}",
            "client_reference": reference,
        }
        try:
            return _withdrawal(self._request("POST", "/v1/withdrawals", json=order))
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CpgError("malformed", repr(error)) from error

    def _request(self, method: str, path: str, **content: Any) -> Any:
        """Sends a request, and retries where that may help: reads, and orders with a reference."""
        for pause in PAUSES:
            try:
                return self._send(method, path, content)
            except CpgError as error:
                if error.wait is None:
                    raise
                self._sleep(error.wait or pause)
        return self._send(method, path, content)

    def _send(self, method: str, path: str, content: dict[str, Any]) -> Any:
        url = self._base_url + path
        try:
            response = self._http.request(method, url, auth=self._sign, **content)
        except httpx.TransportError as error:
            raise CpgError("unreachable", str(error), wait=0) from error
        if response.status_code != httpx.codes.OK:
            raise _error(response)
        return json.loads(response.content)["data"]

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Signs the bytes that will be sent, query and body included."""
        path, _, query = request.url.raw_path.partition(b"?")
        timestamp = str(self._timestamp())
        body_hash = hashlib.sha256(request.content).hexdigest()
        fields = [timestamp, request.method, path.decode(), query.decode(), body_hash]
        signature = hmac.new(self._secret.encode(), "\n".join(fields).encode(), hashlib.sha256)
        request.headers["X-CPG-Key"] = self._key_id
        request.headers["X-CPG-Timestamp"] = timestamp
        request.headers["X-CPG-Signature"] = signature.hexdigest()
        return request

    def _timestamp(self) -> int:
        """Returns Unix seconds, each only once: ahead of the clock by at most LEAD, else waits."""
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
        raise ValueError(f"{text!r} is not an amount")
    return Decimal(text)


def _error(response: httpx.Response) -> CpgError:
    status = response.status_code
    try:
        message = str(json.loads(response.content)["message"])
    except (LookupError, TypeError, ValueError):
        message = response.text
    if status != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
        return CpgError(str(status), message)
    seconds = response.headers.get("Retry-After", "")
    return CpgError(str(status), message, wait=int(seconds) if seconds.isdecimal() else 0)
