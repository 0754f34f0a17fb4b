"""Clients of a handle: requests, and httpx with and without a socket, sync and async."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests

from mockserver import MockServer
from mockserver.client.httpx_transport import Transport
from mockserver.client.sandbox import ProviderHandle, Sandbox
from mockserver.providers import discover

DEADLINE = 30  # seconds
Send = Callable[[ProviderHandle, Transport], tuple[int, bytes]]


def pieces(handle: ProviderHandle) -> dict[str, Any]:
    """Returns the provider's example as arguments of a client's ``request``."""
    example = handle.example
    query = f"?{example.query.decode()}" if example.query else ""
    headers = {name.decode(): value.decode() for name, value in example.headers}
    return {"method": example.method, "url": example.path.decode() + query, "headers": headers}


def by_requests(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
    request = pieces(handle) | {"url": handle.base_url + pieces(handle)["url"]}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            **request, data=handle.example.body, auth=handle.auth, timeout=DEADLINE
        )
    return answer.status_code, answer.content


def by_client(**settings: Any) -> Send:
    def send(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
        arguments = dict.fromkeys(settings, transport)
        with handle.client(**arguments) as client:
            answer = client.request(**pieces(handle), content=handle.example.body)
        return answer.status_code, answer.content

    return send


def by_async_client(**settings: Any) -> Send:
    async def send(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
        arguments = dict.fromkeys(settings, transport)
        async with handle.async_client(**arguments) as client:
            answer = await client.request(**pieces(handle), content=handle.example.body)
        return answer.status_code, answer.content

    return lambda handle, transport: asyncio.run(send(handle, transport))


SOCKETS: dict[str, Send] = {
    "requests": by_requests,
    "httpx": by_client(),
    "httpx, async": by_async_client(),
}
NO_SOCKETS: dict[str, Send] = {
    "in process": by_client(transport=True),
    "in process, async": by_async_client(transport=True),
}


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("client", SOCKETS | NO_SOCKETS)
def test_every_client_is_answered_alike_by_every_provider(
    sandbox: Sandbox, mockserver: MockServer, provider: str, client: str
) -> None:
    handle = getattr(sandbox, provider)
    expected = by_requests(handle, mockserver.transport)
    sandbox.reset()
    answer = (SOCKETS | NO_SOCKETS)[client](handle, mockserver.transport)
    assert answer == expected
    assert answer[0] == 200
    entry = sandbox.journal[-1]
    assert (entry.n, entry.provider, entry.credential, entry.reason) == (1, provider, "main", "")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError("a socket was used")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("client", NO_SOCKETS)
@pytest.mark.parametrize("of", ["the default sandbox", "a made one"])
def test_a_server_that_was_not_started_answers_in_process(
    offline: None, provider: str, client: str, of: str
) -> None:
    server = MockServer()
    sandbox = server.default if of == "the default sandbox" else server.sandbox()
    handle = getattr(sandbox, provider)
    inside = "" if sandbox is server.default else f"/~{sandbox.id}"
    base_path = discover()[provider].base_path
    assert handle.base_url == f"http://mockserver/{provider}{inside}{base_path}"
    status, body = NO_SOCKETS[client](handle, server.transport)
    assert status == 200
    assert json.loads(body)
    assert [(e.provider, e.credential) for e in sandbox.journal] == [(provider, "main")]


def test_a_running_server_answers_in_process_without_a_socket(
    offline: None, running: MockServer
) -> None:
    sandbox = running.sandbox()
    for send in NO_SOCKETS.values():
        assert send(sandbox.coinapi, running.transport)[0] == 200


@pytest.mark.parametrize("inside", [True, False], ids=["in process", "over a socket"])
def test_an_escaped_path_reaches_the_provider_as_written(running: MockServer, inside: bool) -> None:
    sandbox = running.sandbox()
    transport = {"transport": running.transport} if inside else {}
    with sandbox.cdp.client(**transport) as client:
        client.get("/v2/accounts/a%2Fb/balances")
    assert sandbox.journal[-1].target.endswith("/v2/accounts/a%2Fb/balances")


def test_the_settings_of_a_client_win(sandbox: Sandbox) -> None:
    with sandbox.cpg.client(auth=None) as client:
        assert client.get("/v1/balances").status_code == 401
    with sandbox.cpg.client(base_url=sandbox.coinapi.base_url) as client:
        assert client.get("/v1/nothing").status_code == 404
    assert sandbox.journal[-1].provider == "coinapi"


def test_in_process_refusals_are_the_providers_own(
    sandbox: Sandbox, mockserver: MockServer
) -> None:
    mebibyte = 1024 * 1024
    with sandbox.cpg.client(transport=mockserver.transport) as client:
        for size, status, reason in (
            (mebibyte, 422, "bad_request"),
            (mebibyte + 1, 413, "too_large"),
        ):
            answer = client.post("/v1/withdrawals", content=b"x" * size)
            assert (answer.status_code, sandbox.journal[-1].reason) == (status, reason)
    url = sandbox.coinapi.base_url + "/v1/balances?exchange_id=BITMEX"
    request = {"url": url, "auth": sandbox.coinapi.auth}
    with httpx.Client(transport=mockserver.transport) as client:
        inside = client.get(**request)
    outside = requests.get(**request, timeout=DEADLINE)
    assert inside.status_code == outside.status_code == 490
    assert inside.json() == outside.json()
    assert inside.headers["content-type"] == outside.headers["content-type"]


@pytest.mark.parametrize("path", ["/cpg/~nope/v1/balances", "/nope", "/__admin/health", "/healthz"])
def test_only_providers_answer_in_process(path: str) -> None:
    server = MockServer()
    with httpx.Client(transport=server.transport, base_url=server.url) as client:
        assert client.get(path).status_code == 404
