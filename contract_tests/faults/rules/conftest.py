"""A sandbox without a socket, both kinds of servers, and the control API."""

from collections.abc import Iterator
from typing import Any

import pytest

from contract_tests.support.control_calls import ControlClient
from contract_tests.support.rule_bench import Bench
from mockserver import MockServer
from mockserver.client.remote import RemoteServer


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=["in process", "remote"])
def face(request: pytest.FixtureRequest, server: MockServer) -> Any:
    return server if request.param == "in process" else RemoteServer(server.url)


@pytest.fixture
def api(server: MockServer) -> Iterator[ControlClient]:
    api = ControlClient(server.url)
    with api.session:
        yield api
