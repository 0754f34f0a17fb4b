"""Calls to CoinStats."""

import json
import uuid
from typing import Any

import requests

from contract_tests.support.raw import get
from mockserver import MockServer

KEY, TOKEN = "coinstats-test-key", "coinstats-test-oauth-token"
HEADER = {"X-API-KEY": KEY}
SECRETS = {"apiKey": "your_binance_api_key_here", "apiSecret": "your_binance_api_secret_here"}
QUERY = {"connectionId": "binance", "connectionFields": SECRETS}
NOTHING = {
    "connectionId": "coinbase",
    "connectionFields": {"apiKey": "empty-key", "apiSecret": "empty-secret"},
}
PORTFOLIO = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"
STATUS_PATH = f"/v1/exchange/status?portfolioId={PORTFOLIO}"
BALANCE, SUPPORT, USAGE = "/v1/exchange/balance", "/v1/exchange/support", "/v1/usage/credits"


def call(server: MockServer, method: str, target: str, headers: Any = HEADER, **how: Any) -> Any:
    return requests.request(
        method, server.coinstats.base_url + target, headers=headers, timeout=10, **how
    )


def read(server: MockServer, query: Any = QUERY, headers: Any = HEADER) -> Any:
    how = {"json": query} if isinstance(query, dict) else {"data": query}
    return call(server, "POST", BALANCE, headers, **how)


def spent(server: MockServer, headers: Any = HEADER) -> int:
    return int(call(server, "GET", USAGE, headers).json()["usedCredits"])


def is_refused(answer: Any, code: int, message: str, path: str = BALANCE) -> None:
    """Holds that an answer is this error, member for member."""
    body = answer.json()
    assert (answer.status_code, list(body)) == (
        code,
        ["statusCode", "message", "requestId", "path"],
    )
    assert (body["statusCode"], body["message"], body["path"]) == (code, message, path)
    assert uuid.UUID(body["requestId"]).version == 4
    assert {h.lower() for h in answer.headers} <= {
        "content-type",
        "content-length",
        "date",
        "allow",
    }


def posted(body: Any, headers: dict[str, str] = HEADER) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return get(BALANCE, headers, "POST", raw)
