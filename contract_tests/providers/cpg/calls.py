"""Calls to the X-CPG gateway, signed apart from the package."""

import itertools
import json
from decimal import Decimal
from typing import Any

import requests

from contract_tests.support.raw import exchange, get
from contract_tests.support.request_rows import NOW
from contract_tests.support.signer import sign
from mockserver import MockServer

BALANCES, WITHDRAWALS = "/v1/balances", "/v1/withdrawals"
ORDER = {
    "currency": "USDT",
    "network": "ETH",
    "to_address": "0xrecipient0",
    "amount": "50.00",
}
NUMBER = itertools.count()  # keeps equal requests of one second apart


def signed(path: str = BALANCES, **how: Any) -> bytes:
    """Writes a GET, signed at NOW."""
    return get(path, sign("GET", path, **{"timestamp": str(NOW), **how}))


def posted(body: bytes, **how: Any) -> bytes:
    """Writes a withdrawal with a body, signed at NOW; with ``timestamp=None`` at the real time."""
    headers = sign("POST", WITHDRAWALS, body=body, **{"timestamp": str(NOW), **how})
    return get(WITHDRAWALS, headers, "POST", body)


def ask(server: MockServer, path: str = BALANCES, query: str = "", **how: Any) -> bytes:
    """Sends a GET as a client would that signs by itself, at the server's own time."""
    how.setdefault("timestamp", str(server.app.sandboxes.default.clock.read()[1] // 10**9))
    target = path + (f"?{query}" if query else "")
    return exchange(server.cpg.base_url, get(target, sign("GET", path, query, **how)))


def ping(server: MockServer) -> bytes:
    return ask(server, "/v1/_ping")


def message_of(answer: bytes) -> tuple[int, str]:
    """Returns an answer's status and message."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), json.loads(body)["message"]


def submit(server: MockServer, **order: Any) -> requests.Response:
    """Submits a withdrawal."""
    return requests.post(
        f"{server.cpg.base_url}{WITHDRAWALS}?n={next(NUMBER)}",
        json={**ORDER, **order},
        auth=server.cpg.auth,
        timeout=30,
    )


def read(server: MockServer, target: str) -> Any:
    url = f"{server.cpg.base_url}{target}n={next(NUMBER)}"
    return requests.get(url, auth=server.cpg.auth, timeout=30).json()["data"]


def usdt(server: MockServer) -> tuple[Decimal, Decimal]:
    """Returns balance and held of the documented row, read over the wire."""
    (row,) = read(server, f"{BALANCES}?currency=USDT&network=ETH&")
    balance, held, available = (Decimal(row[name]) for name in ("balance", "held", "available"))
    assert available == balance - held
    return balance, held


def shown(server: MockServer, id: int = 1) -> dict[str, Any]:
    withdrawal: dict[str, Any] = read(server, f"{WITHDRAWALS}/{id}?")
    return withdrawal
