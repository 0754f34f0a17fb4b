"""What the package promises: its names, its way of starting, its cost of being imported."""

import asyncio
import re
import socket
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from starlette.testclient import TestClient

import mockserver
from contract_tests.support.raw import taken
from mockserver import HandClock, MockServer, create_app
from mockserver.errors import PortInUse
from mockserver.http.server import bind
from mockserver.providers import discover


def test_the_public_names_are_sorted_and_there() -> None:
    assert mockserver.__all__ == sorted(mockserver.__all__)
    assert set(mockserver.__all__) == {
        *("Auth", "Balance", "Clock", "HandClock", "JournalEntry", "MockServer", "ProviderHandle"),
        *("Sandbox", "app", "create_app", "errors"),
    }
    for name in mockserver.__all__:
        assert getattr(mockserver, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = mockserver.nope


def test_app_serves_under_any_asgi_server_as_a_gateway() -> None:
    with TestClient(mockserver.app, base_url="http://127.0.0.1") as client:
        assert client.get("/healthz").text == "ok\n"
        answer = client.get("/coinapi/v1/balances", headers={"X-CoinAPI-Key": "00000000-EMPTY-KEY"})
        assert answer.json() == []
        lost = client.get("/nope")
        assert (lost.status_code, "/cdp, /coinapi, /coinstats, /coinw, /cpg" in lost.text) == (
            404,
            True,
        )


HOSTS = [
    ("coinapi.localhost", "", 200),
    ("COINAPI.localhost:80", "", 200),
    ("global.ems.coinapi.net", "", 200),
    ("global.ems.coinapi.net", "/~default", 200),
    ("elsewhere.test", "/coinapi", 200),
    ("cpg.localhost", "/coinapi", 404),
    ("elsewhere.test", "/coinapi/~default", 200),
    ("elsewhere.test", "/coinapi/~nope", 404),
    ("elsewhere.test", "", 404),
    ("elsewhere.test", "/coinapix", 404),
]


@pytest.fixture(scope="module")
def app() -> Any:
    return create_app()


@pytest.mark.parametrize(("host", "prefix", "status"), HOSTS)
def test_a_request_goes_by_host_then_prefix_then_sandbox(
    app: Any, host: str, prefix: str, status: int
) -> None:
    client = TestClient(app, base_url=f"http://{host}")
    headers = {"X-CoinAPI-Key": "00000000-EMPTY-KEY"}
    assert client.get(prefix + "/v1/balances", headers=headers).status_code == status


def test_an_unknown_sandbox_is_a_404_in_plain_text(server: MockServer) -> None:
    answer = requests.get(f"{server.cpg.base_url}/~nope/v1/balances", timeout=10)
    assert (answer.status_code, answer.text) == (404, "There is no sandbox nope.\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_prefix_and_sandbox_are_not_part_of_what_is_signed_but_may_be(server: MockServer) -> None:
    for path in ("/cpg", "/cpg/~default"):
        url = f"{server.url}{path}/v1/balances"
        answer = requests.get(url, auth=server.cpg.auth, timeout=10)
        assert answer.status_code == 200
        assert server.journal[-1].note == "signed the path exactly as requested"
        headers = server.cpg.auth.headers("GET", "/v1/balances?" + path)
        assert requests.get(f"{url}?{path}", headers=headers, timeout=10).status_code == 200
        assert server.journal[-1].note == ""


def test_a_client_cannot_choose_its_address_by_a_header(server: MockServer) -> None:
    headers = server.cpg.auth_as("ip_locked").headers("GET", "/v1/balances")
    headers["X-Forwarded-For"] = "203.0.113.7"
    answer = requests.get(server.cpg.base_url + "/v1/balances", headers=headers, timeout=10)
    assert answer.json()["message"] == "IP address not allowed"


def test_a_server_works_inside_an_event_loop_too() -> None:
    async def inside() -> int:
        async with MockServer() as server:
            url = server.coinapi.base_url + "/healthz"
            return (await asyncio.to_thread(requests.get, url, timeout=10)).status_code

    assert asyncio.run(inside()) == 200


def test_two_servers_at_once_know_nothing_of_each_other() -> None:
    with MockServer() as one, MockServer() as other:
        one.cpg.set_balance("main", "USDT", "ETH", total="1")
        assert one.url != other.url
        assert str(other.cpg.balances()[0].total) == "1500.000000"


def test_the_clock_runs_on_when_it_is_thawed() -> None:
    real = HandClock(1000 * 10**9)
    with MockServer(real=real) as server:
        server.clock.freeze()
        real.advance("1h")
        server.clock.freeze(frozen=False)
        real.advance("1s")
        assert server.clock.now_ns == 1001 * 10**9


def test_times_are_given_and_read_as_python_has_them() -> None:
    real = HandClock(1_000 * 10**9)
    with MockServer(real=real, quirks={"cpg.timestamp_window": timedelta(minutes=5)}) as server:
        assert server.quirks["cpg.timestamp_window"] == "300s"
        server.clock.advance(timedelta(seconds=1.5))
        server.clock.advance(1.5)
        server.clock.advance("1m30s")
        assert server.clock.now == datetime.fromtimestamp(1_093, UTC)
        assert server.clock.now_ns == 1_093 * 10**9
        server.clock.skew(timedelta(seconds=-400))
        assert server.clock.auth_now == datetime.fromtimestamp(600, UTC)
        server.clock.set(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
        assert server.clock.now == datetime(2026, 1, 1, tzinfo=UTC)
        real.advance(timedelta(seconds=1))
        assert server.clock.now == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
        with pytest.raises(ValueError, match="has no offset"):
            server.clock.set(datetime(2027, 1, 1))  # noqa: DTZ001 - the mistake
        sandbox = server.sandbox(ttl=timedelta(hours=2), quirks={"coinstats.credits": 25})
        assert sandbox.quirks["coinstats.credits"] == "25"
        sandbox.set_quirks({"coinstats.sync_after": timedelta(seconds=1), "cpg.replay": False})
        assert sandbox.quirks["coinstats.sync_after"] == "1s"
        sandbox.cpg.fail("late", for_=timedelta(minutes=1), deliver={"delay": timedelta(0, 0, 1)})
        assert sandbox.faults[0]["rule"]["when"] == {"for": "60s"}


UNDER_GEVENT = """
{patch}
from mockserver import MockServer
try:
    MockServer().start()
except RuntimeError as error:
    print(error)
"""
PATCHES = {
    "simulated": "import _thread; _thread.start_new_thread = lambda *a: None",
    "gevent": "from gevent import monkey; monkey.patch_all()",
}


@pytest.mark.parametrize("patch", PATCHES)
def test_without_real_threads_a_server_says_so_in_one_line(patch: str) -> None:
    if patch == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    code = UNDER_GEVENT.format(patch=PATCHES[patch])
    stderr = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=30)
    assert "has replaced this process's threads" in stderr
    assert "mockserver serve" in stderr
    assert stderr.count("\n") == 1


CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_nothing_is_installed_without_a_hash(name: str) -> None:
    text = (CHECKOUT / name).read_text().replace("\\\n", " ").replace("$(PIP)", "pip")
    commands = re.findall(r"\bpip (?:install|wheel)\b[^&\n]*", text)
    assert commands
    for command in commands:
        ours = "--no-deps" in command and {"--no-build-isolation", "--no-index"} & {
            *command.split()
        }
        assert "--require-hashes" in command or ours, command
    for image in re.findall(r"(?m)^FROM (\S+)", text):
        assert re.search(r":[0-9]+\.[0-9]+\.[0-9]+-", image), "a tag of one version"


def test_what_builds_the_package_is_pinned_by_hash() -> None:
    lock = (CHECKOUT / "requirements-build.lock").read_text().replace("\\\n", " ")
    pinned = [line for line in lock.splitlines() if line.strip()]
    assert all(re.match(r"[a-z-]+==\S+ .*--hash=sha256:", line) for line in pinned)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    written = (CHECKOUT / "requirements-build.in").read_text().splitlines()
    assert {*project["build-system"]["requires"]} <= {*written}
    names = {line.partition("==")[0] for line in pinned}
    assert {re.split(r"[<>=]", line)[0] for line in written if line[0] != "#"} <= names


def test_auth_as_signs_with_that_credential(server: MockServer) -> None:
    for label in ("main", "empty"):
        url = server.coinapi.base_url + "/v1/balances"
        requests.get(url, auth=server.coinapi.auth_as(label), timeout=10)
        assert server.journal[-1].credential == label


def test_auth_signs_a_body_given_as_text(server: MockServer) -> None:
    url = server.cpg.base_url + "/v1/withdrawals"
    body = '{"currency":"USDT","network":"ETH","to_address":"0xr\u00e9cipient","amount":"50"}'
    assert requests.post(url, data=body, auth=server.cpg.auth, timeout=10).status_code == 200
    assert httpx.post(url + "?n", content=body, auth=server.cpg.auth).status_code == 200
    with pytest.raises(TypeError, match="str or bytes"):
        requests.post(url, data=iter([b"{}"]), auth=server.cpg.auth, timeout=10)


def test_a_stopped_server_frees_its_ports() -> None:
    with MockServer() as server:
        port = int(server.url.rpartition(":")[2])
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_failed_bind_leaves_no_port_bound() -> None:
    with taken(offset=5) as port:
        with pytest.raises(PortInUse, match=f"port {port + 5} is in use"):
            bind("127.0.0.1", port, discover())
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))


def test_a_servers_own_auth_signs_at_the_time_the_server_was_given() -> None:
    with MockServer(real=HandClock(1_747_444_800 * 10**9)) as server:
        url = server.cpg.base_url + "/v1/balances"
        assert requests.get(url, auth=server.cpg.auth, timeout=10).status_code == 200


def test_an_auth_that_lacks_a_member_says_which() -> None:
    with pytest.raises(ValueError, match="a cpg credential needs secret"):
        mockserver.Auth("cpg", {"key_id": "x"})
    with pytest.raises(ValueError, match="no provider cp: there are"):
        mockserver.Auth("cp", {})
