"""A server whose sandbox clock stands, and an HTTP session."""

from collections.abc import Iterator

import httpx
import pytest

from contract_tests.support.scenario_client import DEADLINE
from mockserver import MockServer


@pytest.fixture(scope="module")
def session() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
        yield client


@pytest.fixture
def still(server: MockServer) -> MockServer:
    """The server as new, its sandbox clock standing."""
    server.clock.freeze()
    return server
