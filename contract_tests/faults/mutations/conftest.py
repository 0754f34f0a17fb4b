"""A server that is never started, and accounts of amounts with forty digits."""

import pytest

from contract_tests.support.mutation_reads import CLOCK, ROWS, fetch
from mockserver import MockServer


@pytest.fixture(scope="module")
def running() -> MockServer:
    """A server that is never started: these answers need no socket."""
    return MockServer(real=CLOCK)


@pytest.fixture
def rich(server: MockServer) -> MockServer:
    """The server with the amounts that are easily hurt; its CoinStats portfolio is there."""
    for provider, rows in ROWS.items():
        getattr(server, provider).set_balances("main", rows)
    fetch(server, "coinstats")
    return server
