"""The reference clients of every provider, with patience, and what is drawn for them."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from inspect import signature
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contract_tests.clients.cdp import CdpClient
from contract_tests.clients.coinapi import CoinApiClient
from contract_tests.clients.coinstats import CoinStatsClient
from contract_tests.clients.coinw import CoinWClient
from contract_tests.clients.cpg import CpgClient
from mockserver import HandClock

CLIENTS: dict[str, Any] = {
    "cdp": CdpClient,
    "coinapi": CoinApiClient,
    "coinstats": CoinStatsClient,
    "coinw": CoinWClient,
    "cpg": CpgClient,
}
ACCOUNT = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
# Twenty seconds into a minute.
CLOCK = HandClock(1_747_444_820 * 10**9)


class Patience:
    """What a client takes for time: it passes for the server as well, and only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        CLOCK.now += round(seconds * 10**9)

    def now(self) -> float:
        return CLOCK() / 10**9


def new_client(
    provider: str,
    http: httpx.Client,
    base_url: str,
    credential: Mapping[str, Any],
    patience: Patience,
    **more: Any,
) -> Any:
    """Makes a client: the members of a credential are called as its parameters are."""
    kind = CLIENTS[provider]
    arguments = {**credential, "sleep": patience.sleep, "now": patience.now, **more}
    known = [name for name in signature(kind).parameters if name in arguments]
    return kind(http, base_url, **{name: arguments[name] for name in known})


def for_all(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], number: int) -> None:
    """Checks a number of drawn examples, always the same; to shrink one takes minutes."""
    fixed = settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    fixed(given(strategy)(check))()


def beyond_float(amount: Decimal) -> bool:
    """Tells whether a client that reads floats would show another amount."""
    return Decimal(repr(float(amount))) != amount
