"""Calls to CoinAPI."""

from typing import Any

import requests

from mockserver import MockServer

KEY = "73034021-THIS-IS-SAMPLE-KEY"
HEADER = {"X-CoinAPI-Key": KEY}


def ask(server: MockServer, query: str = "", headers: dict[str, str] = HEADER) -> Any:
    url = f"{server.coinapi.base_url}/v1/balances" + (f"?{query}" if query else "")
    return requests.get(url, headers=headers, timeout=10)


def exchanges(server: MockServer, query: str = "") -> list[str]:
    return [element["exchange_id"] for element in ask(server, query).json()]


PATH = "/v1/balances"
