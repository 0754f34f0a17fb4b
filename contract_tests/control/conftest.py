"""A server on a clock that stands still, and a client of its control API."""

from collections.abc import Iterator

import pytest

from contract_tests.support.control_calls import ControlClient
from mockserver import HandClock, MockServer
from mockserver.model import times


@pytest.fixture(scope="package")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(times.parse_instant("2026-01-01T00:00:00Z"))) as server:
        yield server


@pytest.fixture
def control(server: MockServer) -> Iterator[ControlClient]:
    client = ControlClient(server.url)
    with client.session:
        yield client
