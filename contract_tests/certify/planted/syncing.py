"""Planted defects: clients that do not wait for CoinStats, or for ever."""

from collections.abc import Callable
from typing import Any

from contract_tests.certify import changes
from contract_tests.certify.planting import ROWS, again_while, changed, plant
from contract_tests.certify.reference import Exchange
from contract_tests.clients.coinstats import CoinStatsClient, CoinStatsError


def coinstats(**methods: Callable[..., Any]) -> Callable[[Exchange], Any]:
    return lambda self: type("Planted", (CoinStatsClient,), methods)


def polls_for_ever(self: Any, portfolio: str) -> None:
    while (
        self._read("GET", "/v1/exchange/status", params={"portfolioId": portfolio})["status"]
        != "synced"
    ):
        self._sleep(1)


def gives_up_at_once(self: Any, portfolio: str) -> None:
    raise CoinStatsError("syncing", portfolio)


plant("polls for ever", ("coinstats",), "syncing-for-ever", kind=coinstats(_wait_for=polls_for_ever))  # fmt: skip
plant("gives up while syncing", ("coinstats",), "syncing-portfolio", ROWS, kind=coinstats(_wait_for=gives_up_at_once))  # fmt: skip
plant("shows a 409 as empty", ("coinstats",), "conflict-once", "conflict-for-ever", http_options=changed(changes.status_as_empty(409)))  # fmt: skip
plant("retries a 409 for ever", ("coinstats",), "conflict-for-ever", balances=again_while(lambda self, e: self.status == 409, 1))  # fmt: skip
