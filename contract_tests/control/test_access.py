"""Who may call the control API: media types, origins, hosts, tokens and addresses."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from contract_tests.support.control_calls import JSON, WAIT, ControlClient
from contract_tests.support.raw import exchange, get
from mockserver import MockServer
from mockserver.providers import discover

D = "/sandboxes/default"
COINW = D + "/ledger/coinw/main"
BTC = COINW + "/BTC"
CLOCK = D + "/clock"


def error(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert body["at"] == "$"
    assert body["hint"]
    return answer.status_code, body["error"]


WRITES = [
    ("POST", "/sandboxes", b"{}"),
    ("PUT", "/sandboxes/new", b"{}"),
    ("PATCH", D + "/quirks", b'{"coinw.empty":"null"}'),
    ("PATCH", D + "/limits", b'"off"'),
    ("POST", CLOCK, b'{"advance":"1h"}'),
    ("PUT", BTC, b'{"total":"1"}'),
]
MEDIA_TYPES = ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]


def test_a_body_must_be_declared_as_json(control: ControlClient) -> None:
    before = control.state()
    for media_type in MEDIA_TYPES:
        headers = {"Content-Type": media_type} if media_type else {}
        for call in WRITES:
            assert error(control(*call, headers)) == (415, "not JSON")
    assert control.state() == before
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert control("POST", CLOCK, b'{"advance":"1s"}', headers).status_code == 200


def test_a_call_without_a_body_needs_no_media_type_and_no_page_makes_it(
    control: ControlClient,
) -> None:
    control.good("PUT", BTC, {"total": "1"})
    from_a_page = {"Origin": "http://elsewhere.test"}
    assert control("POST", D + "/reset", None, from_a_page).status_code == 403
    assert control.row(COINW, "BTC")["total"] == "1"
    assert control("POST", D + "/reset", None, {}).status_code == 200
    assert control.row(COINW, "BTC")["total"] != "1"


CALLS = [("GET", "/health", None), ("GET", D, None), ("POST", CLOCK, b'{"advance":"1h"}')]
ORIGINS = ["http://evil.test", "null", "http://128.0.0.1", "http://localhost.evil.test", "https://"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_origin_is_refused_on_reads_too(control: ControlClient, origin: str) -> None:
    for call in CALLS:
        assert error(control(*call, JSON | {"Origin": origin})) == (403, "foreign origin")
    assert control.good("GET", CLOCK)["now"] == "2026-01-01T00:00:00Z"


def test_the_same_origin_is_allowed(server: MockServer, control: ControlClient) -> None:
    for origin in (server.url, "http://127.0.0.2:3000"):
        assert control("GET", "/health", None, {"Origin": origin}).status_code == 200
    answer = control("POST", CLOCK, b'{"advance":"1h"}', JSON | {"Origin": server.url})
    assert answer.json()["now"] == "2026-01-01T01:00:00Z"


HOSTS = [
    ("127.0.0.1", 200),
    ("127.0.0.1:1", 200),
    ("LocalHost:8490", 200),
    ("[::1]:8490", 200),
    ("127.255.255.254:8490", 200),
    ("128.0.0.1", 403),
    ("[::2]", 403),
    ("localhost.evil.test", 403),
    ("localhost:1@evil.test", 403),
    ("127.0.0.1:x", 403),
    ("api.coinw.com", 403),
    ("cpg.localhost", 403),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_without_a_token_only_loopback_hosts_are_served(
    control: ControlClient, host: str, status: int
) -> None:
    answer = control("GET", D, None, {"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert error(answer) == (403, "foreign host")


BEARER = {"Authorization": "Bearer open"}
TOKENS: list[tuple[dict[str, str], int]] = [
    ({}, 401),
    ({"Authorization": "Bearer Open"}, 401),
    ({"Authorization": "bearer open"}, 200),
    ({"Authorization": "BEARER  open"}, 200),
    ({"Authorization": "Basic open"}, 401),
    ({"Authorization": "open"}, 401),
    ({"Authorization": "Bearer ope"}, 401),
    ({"Authorization": "Bearer \xff"}, 401),
    (BEARER | {"Host": "mock.internal"}, 200),
    (BEARER | {"Origin": "http://evil.test"}, 403),
    (BEARER | {"Host": "mock.internal", "Origin": "http://mock.internal"}, 200),
    (BEARER | {"Host": "api.coinw.com"}, 403),
    (BEARER | {"Host": "cpg.localhost:8490"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), TOKENS)
def test_with_a_token_every_call_carries_it(
    server: MockServer,
    control: ControlClient,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    status: int,
) -> None:
    monkeypatch.setattr(server.app, "admin_token", "open")
    for path in ("/health", "/openapi.json", D):
        answer = control("GET", path, None, headers)
        assert answer.status_code == status
        if status == 401:
            assert error(answer) == (401, "no admin token")
            assert answer.headers["www-authenticate"] == "Bearer"
    stream = f"{control.url}/__admin{D}/requests/stream"
    with control.session.get(stream, headers=headers, stream=True, timeout=WAIT) as answer:
        assert answer.status_code == status


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "127.evil.invalid", "localhost.evil.invalid", "192.0.2.1"]
)
def test_a_server_beyond_loopback_needs_a_token(host: str) -> None:
    with pytest.raises(ValueError, match="is not loopback: set MOCKSERVER_ADMIN_TOKEN"):
        MockServer(host=host)
    MockServer(host=host, admin_token="t0ken")


def test_a_token_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        MockServer(admin_token="tök")


@pytest.mark.parametrize("provider", discover())
def test_no_provider_s_address_leads_to_the_control_api(
    server: MockServer, control: ControlClient, provider: str
) -> None:
    port = urlsplit(getattr(server, provider).base_url)._replace(path="").geturl()
    for url in (port, f"{server.url}/{provider}"):
        for sandbox in ("", "/~default"):
            answer = control.session.get(f"{url}{sandbox}/__admin/health", timeout=WAIT)
            assert answer.json() != {"status": "ok"}
            assert server.journal[-1].provider == provider
            assert server.journal[-1].reason != ""


ODD_REQUESTS: list[tuple[str, dict[str, str], int]] = [
    ("/__admin/sandboxes/%zz", {}, 404),
    ("/__admin/sandboxes/default/ledger/cpg/%2e%2e", {}, 404),
    ("/__admin/../__admin/health", {}, 404),
    ("/__admin%2Fhealth", {}, 404),
    ("/%5F_admin/health", {}, 404),
    ("//__admin/health", {}, 404),
    ("/__administrator/health", {}, 404),
    ("/__admin/health?%ff=%ff", {}, 400),
    ("/__admin/health?&&=", {}, 400),
    ("/__admin/health", {"Origin": "x" * 5000}, 403),
    ("/__admin/health", {"Host": ""}, 403),
]


@pytest.mark.parametrize(("target", "headers", "status"), ODD_REQUESTS)
def test_an_odd_target_or_header_is_refused(
    server: MockServer, target: str, headers: dict[str, str], status: int
) -> None:
    answer = exchange(server.url, get(target, headers))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"Traceback" not in answer
