"""The ASGI door: a Starlette application, mounted, under another server, in process."""

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import mockserver
from contract_tests.support.raw import exchange as talk
from contract_tests.support.raw import get, wire
from contract_tests.support.sockets import converse
from mockserver import HandClock, MockServer, control, create_app
from mockserver.client.provider import ProviderHandle
from mockserver.client.sandbox import ServerHandle
from mockserver.engine.pipeline import NO_SOCKET
from mockserver.model.http import UnsignedRequest, path_below
from mockserver.providers import discover

PROVIDERS = list(discover())
GATEWAY = "http://127.0.0.1"


def handle_of(app: Starlette, real: Callable[[], int]) -> ServerHandle:
    """Returns a handle on the exchange behind an application."""
    exchange = app.state.exchange

    def call(method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return control.call(exchange, method, path, body, query, GATEWAY)[1]

    return ServerHandle(call, real)


@pytest.fixture
def real() -> HandClock:
    return HandClock()


@pytest.fixture
def app(real: HandClock) -> Starlette:
    return create_app(real=real)


def sent(client: TestClient, draft: UnsignedRequest, before: str = "") -> Any:
    """Sends a signed draft below a path."""
    return client.request(
        draft.method,
        before + draft.target.decode(),
        headers=[(name.decode(), value.decode()) for name, value in draft.headers],
        content=draft.body,
    )


def test_the_application_is_a_starlette_whose_routes_show_what_there_is(app: Starlette) -> None:
    assert type(app) is Starlette
    assert isinstance(mockserver.app, Starlette)
    paths = [route.path for route in app.routes if isinstance(route, Route | Mount)]
    expected = ["/healthz", "/openapi.json", "/__admin", *(f"/{name}" for name in PROVIDERS)]
    assert set(expected) <= set(paths)


# The same at both doors


def compared(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Returns status line, headers in their order but for Date, and body of a raw response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    return line, [h for h in headers if not h.lower().startswith((b"date:", b"server:"))], body


def in_process(answer: Any) -> tuple[bytes, list[bytes], bytes]:
    """Returns the same of what the test client received; reason phrases are the server's."""
    headers = [b"%b: %b" % (name.lower(), value) for name, value in answer.headers.raw]
    return b"%d" % answer.status_code, headers, answer.content


def below(provider: str, draft: UnsignedRequest) -> bytes:
    """Writes a draft for the gateway."""
    path = f"/{provider}".encode() + draft.path
    return wire(replace(draft, host="127.0.0.1", path=path))


def unsigned(draft: UnsignedRequest) -> UnsignedRequest:
    return replace(draft, headers=())


def asked(handle: ProviderHandle) -> list[UnsignedRequest]:
    """Returns requests of many kinds for a provider, each of them once."""
    good = handle.auth.example(handle.base_url)
    base = handle.provider.base_path.encode()
    return [
        good,
        unsigned(good),
        UnsignedRequest("GET", good.host, base + b"/nowhere"),
        UnsignedRequest("GET", good.host, b"/"),
        UnsignedRequest("DELETE", good.host, good.path, good.query, good.headers),
        UnsignedRequest("POST", good.host, good.path, good.query, good.headers, b"{"),
        UnsignedRequest(
            "POST", good.host, good.path, good.query, good.headers, b" " * (1024 * 1024 + 1)
        ),
        UnsignedRequest("GET", good.host, b"/~none" + good.path, good.query, good.headers),
        UnsignedRequest("GET", good.host, b"/%2e%2e//a%20b", b"a=%zz&&=", good.headers),
        UnsignedRequest("HEAD", good.host, good.path, good.query, good.headers),
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_asgi_application_sends_the_same_bytes_as_the_server(
    app: Starlette, real: HandClock, provider: str
) -> None:
    client = TestClient(app, base_url=GATEWAY)
    with MockServer(real=real) as server:
        drafts = asked(getattr(server, provider))
        for draft in drafts:
            raw = below(provider, draft)
            first = compared(converse(server.url, raw))
            second = in_process(sent(client, draft, f"/{provider}"))
            assert (first[0].split()[1], *first[1:]) == second, draft.target
        journals = [
            list(s.journal.entries)
            for s in (server.app.sandboxes.default, app.state.exchange.sandboxes.default)
        ]
    assert [e.status for e in journals[0]] == [e.status for e in journals[1]]
    assert [(e.reason, e.credential, e.note) for e in journals[0]] == [
        (e.reason, e.credential, e.note) for e in journals[1]
    ]


# Mounted


def fastapi_around(app: Starlette) -> Any:
    if "CI" in os.environ:
        import fastapi
    else:
        fastapi = pytest.importorskip("fastapi", reason="FastAPI is not installed")
    outer = fastapi.FastAPI()
    outer.mount("/mock", app)
    return outer


AROUND: dict[str, Callable[[Starlette], Any]] = {
    "Starlette": lambda app: Starlette(routes=[Mount("/mock", app)]),
    "Starlette twice": lambda app: Starlette(
        routes=[Mount("/mock", Starlette(routes=[Mount("/", app)]))]
    ),
    "FastAPI": fastapi_around,
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_mounted_it_serves_below_the_path_of_its_mount(
    app: Starlette, real: HandClock, around: Callable[[Starlette], Any], provider: str
) -> None:
    client = TestClient(around(app), base_url=GATEWAY)
    handle: ProviderHandle = getattr(handle_of(app, real), provider)
    draft = handle.auth.example(f"{GATEWAY}{handle.provider.base_path}")
    for before in (f"/mock/{provider}", f"/mock/{provider}/~default"):
        real.advance("1s")
        draft = handle.auth.example(f"{GATEWAY}{handle.provider.base_path}")
        answer = sent(client, draft, before)
        assert answer.status_code == 200, answer.text
    assert (
        client.get(f"/mock/{provider}").status_code
        == client.get(f"/mock/{provider}/").status_code
        == 404
    )
    assert client.get("/mock/healthz").text == "ok\n"
    assert client.get("/mock/__admin/health").json()["status"] == "ok"
    assert "No provider here" in client.get("/mock/elsewhere").text
    response = client.put("/mock/__admin/sandboxes/x", json={})
    if response.status_code == 201:
        url = response.json()["providers"][provider]["base_url"]
        assert url.startswith(f"{GATEWAY}/mock/{provider}/~x")


def test_the_outer_application_keeps_its_own_routes(app: Starlette) -> None:
    routes = [Route("/own", lambda request: PlainTextResponse("own")), Mount("/mock", app)]
    client = TestClient(Starlette(routes=routes), base_url=GATEWAY)
    assert client.get("/own").text == "own"
    assert client.get("/healthz").status_code == 404


PATHS = [
    (b"/mock/cpg/v1", "/mock", b"/cpg/v1"),
    (b"/mock", "/mock", b"/"),
    (b"/mocking/v1", "/mock", b"/mocking/v1"),
    (b"/v1", "/mock", b"/v1"),
    (b"/a%20b/v1%2F", "/a b", b"/v1%2F"),
    (b"/v1", "", b"/v1"),
]


@pytest.mark.parametrize(("raw", "root", "below"), PATHS)
def test_a_root_path_is_cut_off_and_nothing_else(raw: bytes, root: str, below: bytes) -> None:
    assert path_below(raw, root) == below


# Deliveries

REFUSED = [{"cut": 0.5}, {"reset": "before"}, {"close": True}, {"hang": "1h"}, {"garbage": 9}, {"dribble": {"bytes": 9, "every": "1ms"}}, {"delay": "1ms", "cut": 0.5}]  # fmt: skip


@pytest.mark.parametrize("delivery", REFUSED, ids=json.dumps)
def test_a_delivery_that_needs_a_socket_is_a_501_that_the_journal_notes(
    app: Starlette, real: HandClock, delivery: dict[str, Any]
) -> None:
    handle = handle_of(app, real)
    handle.cpg.fail("it", deliver=delivery)
    answer = sent(TestClient(app, base_url=GATEWAY), handle.cpg.auth.example(GATEWAY), "/cpg")
    assert (answer.status_code, answer.text) == (501, NO_SOCKET + "\n")
    entry = handle.journal[-1]
    assert (entry.status, entry.fault, entry.note) == (501, "it", NO_SOCKET)
    assert entry.delivery


def test_a_delay_is_waited_for_in_process_too() -> None:
    app = create_app()
    handle = handle_of(app, time.time_ns)
    handle.cpg.fail(deliver={"delay": "50ms"})
    began = time.monotonic()
    answer = sent(TestClient(app, base_url=GATEWAY), handle.cpg.auth.example(GATEWAY), "/cpg")
    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.05


# Under another server


@contextlib.contextmanager
def stock(app: Starlette, protocol: str, root_path: str = "") -> Iterator[str]:
    """Serves the application as anybody may: by uvicorn and a protocol of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = "asyncio" if protocol == "h11" else "auto"
        config = uvicorn.Config(app, http=protocol, loop=loop, log_config=None, root_path=root_path)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize("protocol", ["httptools", "h11"])
def test_plain_uvicorn_serves_every_provider(
    app: Starlette, real: HandClock, protocol: str
) -> None:
    handle = handle_of(app, real)
    with stock(app, protocol) as url:
        for name in PROVIDERS:
            provider: ProviderHandle = getattr(handle, name)
            draft = provider.auth.example(f"{GATEWAY}{provider.provider.base_path}")
            data = below(name, draft)
            assert talk(url, data).startswith(b"HTTP/1.1 200"), name
        assert talk(url, get("/healthz", {})).startswith(b"HTTP/1.1 200")
        handle.cpg.fail(deliver={"cut": 0.5})
        assert talk(url, get("/cpg/v1/balances", {})).startswith(b"HTTP/1.1 501")


def test_a_root_path_of_the_server_is_respected(app: Starlette) -> None:
    with stock(app, "httptools", "/behind/a/proxy") as url:
        answer = talk(url, get("/coinapi/v1/balances", {"X-CoinAPI-Key": "00000000-EMPTY-KEY"}))
    assert re.match(rb"HTTP/1.1 200 ", answer), answer
