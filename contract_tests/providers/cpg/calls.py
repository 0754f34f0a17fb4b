"""Calls to the X-CPG gateway, signed apart from the package."""

import time
from decimal import Decimal
from typing import Any

import requests

from contract_tests.support.raw import exchange, get
from contract_tests.support.signer import sign
from mockserver import MockServer

NOW = 1_747_444_800
BALANCES = "/v1/balances"
ORDER = {
    "currency": "USDT",
    "network": "ETH",
    "to_address": "0xrecipient0",
    "amount": "50.00",
}


def ask(server: MockServer, path: str = BALANCES, query: str = "", **how: Any) -> bytes:
    """Asks as a client would that signs by itself, at the server's own time."""
    how.setdefault("timestamp", str(server.app.sandboxes.default.clock.read()[1] // 10**9))
    target = path + (f"?{query}" if query else "")
    return exchange(server.cpg.base_url, get(target, sign("GET", path, query, **how)))


def submit(server: MockServer, **order: Any) -> requests.Response:
    """Submits a withdrawal; the number keeps equal orders of one second apart."""
    return requests.post(
        f"{server.cpg.base_url}/v1/withdrawals?n={time.monotonic_ns()}",
        json={**ORDER, **order},
        auth=server.cpg.auth,
        timeout=10,
    )


def usdt(server: MockServer) -> tuple[Decimal, Decimal]:
    """Returns balance and held of the documented row, read over the wire, unsigned limits off."""
    query = f"currency=USDT&network=ETH&n={time.monotonic_ns()}"
    url = f"{server.cpg.base_url}{BALANCES}?{query}"
    row = requests.get(url, auth=server.cpg.auth, timeout=10).json()["data"][0]
    balance, held, available = (Decimal(row[k]) for k in ("balance", "held", "available"))
    assert available == balance - held
    return balance, held


def missing(server: MockServer) -> bytes:
    headers = sign("GET", BALANCES)
    del headers["X-CPG-Timestamp"]
    return exchange(server.cpg.base_url, get(BALANCES, headers))


def replayed(server: MockServer) -> bytes:
    timestamp = str(int(time.time()))
    ask(server, timestamp=timestamp)
    return ask(server, timestamp=timestamp)


def posted(server: MockServer, body: bytes) -> bytes:
    headers = sign("POST", "/v1/withdrawals", body=body)
    return exchange(server.cpg.base_url, get("/v1/withdrawals", headers, "POST", body))


CAUSED = {
    "no_route": lambda s: ask(s, "/v1/balance"),
    "missing_credential": missing,
    "unknown_credential": lambda s: ask(s, key_id="cpg_unknown"),
    "revoked_credential": lambda s: ask(s, key_id="cpg_revoked"),
    "bad_signature": lambda s: ask(s, secret="another secret"),
    "outside_window": lambda s: ask(s, timestamp=str(int(time.time()) - 310)),
    "replayed": replayed,
    "forbidden": lambda s: ask(s, key_id="cpg_no_permission"),
    "ip_not_allowed": lambda s: ask(s, key_id="cpg_ip_locked"),
    "not_found": lambda s: ask(s, "/v1/withdrawals/7"),
    "too_large": lambda s: posted(s, b" " * (1024 * 1024 + 1)),
    "bad_request": lambda s: posted(s, b"[]"),
    "business_rule": lambda s: posted(s, b'{"currency":"USDT","network":"ETH",'
                                      b'"to_address":"0xrecipient0","amount":"1300.00"}'),
}  # fmt: skip


def shouted(server: MockServer) -> bytes:
    headers = sign("GET", BALANCES)
    headers["X-CPG-Signature"] = headers["X-CPG-Signature"].upper()
    return exchange(server.cpg.base_url, get(BALANCES, headers))


def shown(server: MockServer, id: int = 1) -> dict[str, Any]:
    url = f"{server.cpg.base_url}/v1/withdrawals/{id}?n={time.monotonic_ns()}"
    return requests.get(url, auth=server.cpg.auth, timeout=10).json()["data"]
