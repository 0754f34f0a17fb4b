# ruff: noqa: T201 - a client that prints
"""Planted defects: secrets in the wrong place, and state shared by two runs."""

import threading
from typing import Any

import httpx

from contract_tests.certify.planting import ALL, fails, on_error, plant
from contract_tests.certify.reference import Exchange, Row

SECRET = {
    "cdp": "key_secret",
    "coinapi": "api_key",
    "coinstats": "api_key",
    "coinw": "secret_key",
    "cpg": "secret",
}


def secret(self: Exchange) -> str:
    return str(self.stage["credentials"][SECRET[self.provider]])


def printed(self: Exchange) -> list[Row]:
    print("settings:", self.stage["credentials"][SECRET[self.provider]])
    return Exchange.balances(self)


def network_error_with_secret(self: Exchange, error: Exception) -> Any:
    if isinstance(error.__cause__, httpx.TransportError):
        raise RuntimeError(f"{error} with {secret(self)}") from None
    raise error


def in_query(self: Exchange, request: httpx.Request) -> None:
    request.url = request.url.copy_merge_params({"key": secret(self)})


plant("has the secret in its errors", ALL, "no-secret-in-a-refusal", "no-secret-*", balances=on_error(lambda self, e: fails(RuntimeError(f"{e} with {secret(self)}"))))  # fmt: skip
plant("prints its settings", ALL, "no-secret-in-output", "no-secret-*", balances=printed)
plant("has the secret in its network errors", ALL, "no-secret-in-a-network-error", balances=on_error(network_error_with_secret))  # fmt: skip
plant("has the key in the URL", ("coinstats",), "no-secret-in-the-url", sending=in_query)


STARTED: set[str] = set()
LOCK = threading.Lock()


def shared(self: Exchange) -> list[Row]:
    """Leaves the reading to the first run, and returns what that has not stored yet."""
    with LOCK:
        if self.stage["base_url"] in STARTED:
            return []
        STARTED.add(self.stage["base_url"])
    return Exchange.balances(self)


plant("shares a cache between runs", ALL, "two-runs-at-once", balances=shared)
