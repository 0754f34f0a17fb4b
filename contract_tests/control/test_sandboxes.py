"""Sandboxes over the control API: created, replaced, bounded, expired, reset, isolated."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from contract_tests.support.control_calls import WAIT, ControlClient, read_coinapi
from mockserver import HandClock, MockServer
from mockserver.model import times

START = "2026-01-01T00:00:00Z"
D = "/sandboxes/default"
BTC = D + "/ledger/coinw/main/BTC"


def coinapi_key(sandbox: dict[str, Any]) -> str:
    return str(sandbox["providers"]["coinapi"]["credentials"]["api_key"])


@pytest.fixture
def clock() -> HandClock:
    return HandClock(times.parse_instant(START))


@pytest.fixture
def seven(clock: HandClock) -> Iterator[MockServer]:
    """A server of its own: seed 7, one quirk, one limit, at most three sandboxes."""
    quirks, limits = {"coinw.empty": "null"}, {"cpg.key": "7/60s"}
    with MockServer(real=clock, seed=7, quirks=quirks, limits=limits, max_sandboxes=3) as server:
        yield server


def test_the_default_sandbox_is_listed_and_shown(
    server: MockServer, control: ControlClient
) -> None:
    assert control.good("GET", "/sandboxes") == {"sandboxes": [{"id": "default", "expires": None}]}
    sandbox = control.good("GET", D)
    head = [sandbox[name] for name in ("id", "expires", "world", "seed")]
    assert head == ["default", None, "default", 490]
    coinapi = sandbox["providers"]["coinapi"]
    assert coinapi["base_url"] == server.coinapi.base_url
    assert coinapi["credentials"] == {"api_key": "73034021-THIS-IS-SAMPLE-KEY"}
    assert coinapi["others"]["empty"] == {"api_key": "00000000-EMPTY-KEY"}
    assert "main" not in coinapi["others"]


def test_a_sandbox_gets_an_id_and_keys_of_its_own(
    server: MockServer, control: ControlClient
) -> None:
    sandbox = control.good("POST", "/sandboxes", {}, 201)
    id, key = sandbox["id"], coinapi_key(sandbox)
    assert re.fullmatch("[0-9a-f]{16}", id)
    assert sandbox["expires"] == "2026-01-01T01:00:00Z"
    assert sandbox["providers"]["coinapi"]["base_url"] == f"{server.coinapi.base_url}/~{id}"
    assert read_coinapi(server, id=id, key=key) == 200
    assert read_coinapi(server, id=id) == 401
    assert read_coinapi(server, key=key) == 401


@pytest.mark.parametrize("id", ["a", "1", "Ab.c_-9", "x" * 64])
def test_a_sandbox_is_created_and_replaced_under_a_chosen_id(
    control: ControlClient, id: str
) -> None:
    first = control.good("PUT", f"/sandboxes/{id}", {"seed": 1}, 201)
    control.good("PUT", f"/sandboxes/{id}/ledger/coinw/main/BTC", {"total": "9"})
    second = control.good("PUT", f"/sandboxes/{id}", {"seed": 2}, 201)
    assert (first["id"], second["id"], first["seed"], second["seed"]) == (id, id, 1, 2)
    assert coinapi_key(first) != coinapi_key(second)
    assert control.row(f"/sandboxes/{id}/ledger/coinw/main", "BTC")["total"] == "0.0012"
    assert len(control.good("GET", "/sandboxes")["sandboxes"]) == 2


def test_a_deleted_sandbox_is_gone(server: MockServer, control: ControlClient) -> None:
    control.good("PUT", "/sandboxes/mine", {}, 201)
    assert control.good("DELETE", "/sandboxes/mine", status=204) is None
    for method in ("GET", "DELETE"):
        assert control.refused(method, "/sandboxes/mine")[:2] == (404, "no sandbox mine")
    assert read_coinapi(server, id="mine") == 404


def test_a_sandbox_has_the_settings_of_the_call(control: ControlClient) -> None:
    settings = {
        "world": "empty",
        "seed": 10**30,
        "quirks": {"coinw.empty": "null"},
        "limits": {"cpg.key": "1/1h"},
        "ttl": "24h",
    }
    sandbox = control.good("PUT", "/sandboxes/mine", settings, 201)
    expected = {"world": "empty", "seed": 10**30, "expires": "2026-01-02T00:00:00Z"}
    assert sandbox | expected == sandbox
    assert control.good("GET", "/sandboxes/mine/quirks")["coinw.empty"] == "null"
    limits = control.good("GET", "/sandboxes/mine/limits")
    assert (limits["cpg.key"], limits["cpg.ip"]) == ("1/3600s", "1200/60s")


@pytest.mark.parametrize("seed", [0, -1, 2**63, -(2**64), 10**300])
def test_any_whole_number_is_a_seed(server: MockServer, control: ControlClient, seed: int) -> None:
    sandbox = control.good("PUT", "/sandboxes/mine", {"seed": seed}, 201)
    assert sandbox["seed"] == seed
    assert read_coinapi(server, "?exchange_id=BITMEX", "mine", coinapi_key(sandbox)) == 490


def test_a_world_may_be_inline(server: MockServer, control: ControlClient) -> None:
    account = {"exchanges": ["KRAKEN"], "generate": {"rows": 3}}
    key = {"api_key": "a-key", "account": "main"}
    world = {"name": "own", "coinapi": {"keys": {"main": key}, "accounts": {"main": account}}}
    sandbox = control.good("PUT", "/sandboxes/mine", {"world": world}, 201)
    assert sandbox["world"] == "own"
    assert sandbox["providers"]["cdp"]["credentials"] == {}
    assert coinapi_key(sandbox) != "a-key"
    assert read_coinapi(server, id="mine", key=coinapi_key(sandbox)) == 200
    rows = control.good("GET", "/sandboxes/mine/ledger/coinapi/main")["balances"]
    assert [row["asset"] for row in rows] == ["T000000", "T000001", "T000002"]


def test_a_sandbox_inherits_the_settings_of_the_server(seven: MockServer) -> None:
    control = ControlClient(seven.url)
    control.good("PATCH", D + "/quirks", {"coinw.amounts": "number"})
    sandbox = control.good("PUT", "/sandboxes/mine", {"limits": {"cpg.ip": "off"}}, 201)
    quirks = control.good("GET", "/sandboxes/mine/quirks")
    limits = control.good("GET", "/sandboxes/mine/limits")
    control.good("PUT", "/sandboxes/free", {"limits": "off"}, 201)
    assert {*control.good("GET", "/sandboxes/free/limits").values()} == {"off"}
    control.session.close()
    assert sandbox["seed"] == 7
    assert (quirks["coinw.empty"], quirks["coinw.amounts"]) == ("null", "string")
    names = ("cpg.key", "cpg.ip", "cdp.reads")
    assert [limits[name] for name in names] == ["7/60s", "off", "600/10s"]


def test_a_sandbox_starts_without_the_scenario_that_another_one_plays(seven: MockServer) -> None:
    seven.play("bad-connection")
    assert seven.faults
    assert seven.sandbox().faults == []


def test_the_number_of_sandboxes_is_bounded(seven: MockServer) -> None:
    control = ControlClient(seven.url)
    for id in ("one", "two"):
        control.good("PUT", f"/sandboxes/{id}", {}, 201)
    for call in (("PUT", "/sandboxes/three"), ("POST", "/sandboxes")):
        assert control.refused(*call, {})[::2] == (409, "$")
    listed = control.good("GET", "/sandboxes")["sandboxes"]
    assert [sandbox["id"] for sandbox in listed] == ["default", "one", "two"]
    control.good("PUT", "/sandboxes/one", {}, 201)
    control.good("DELETE", "/sandboxes/one", status=204)
    control.good("PUT", "/sandboxes/three", {}, 201)
    control.session.close()


def test_a_sandbox_expires_when_it_is_unused_for_its_ttl(
    seven: MockServer, clock: HandClock
) -> None:
    control = ControlClient(seven.url)
    for id in ("idle", "used"):
        control.good("PUT", f"/sandboxes/{id}", {"ttl": "10s"}, 201)
    clock.advance("10s")
    assert read_coinapi(seven, id="used") == 401
    clock.advance("1ms")
    assert control.refused("GET", "/sandboxes/idle")[0] == 404
    assert control.good("GET", "/sandboxes/used")["expires"] == "2026-01-01T00:00:20.001Z"
    clock.advance("11s")
    assert read_coinapi(seven, id="used") == 404
    for id in ("a", "b"):  # their places are free again
        control.good("PUT", f"/sandboxes/{id}", {}, 201)
    clock.advance("24h")
    assert control.good("GET", D)["expires"] is None
    control.session.close()


def change_everything(server: MockServer, control: ControlClient, id: str, key: str) -> None:
    sandbox = f"/sandboxes/{id}"
    read_coinapi(server, id=id, key=key)
    control.good("PUT", f"{sandbox}/ledger/coinw/main/BTC", {"total": "9"})
    control.good("PATCH", sandbox + "/quirks", {"coinw.empty": "null", "coinw.bans": None})
    control.good("PATCH", sandbox + "/limits", {"cpg.key": "1/1s"})
    clock = {"advance": "1h", "rate": 2, "freeze": True, "skew": "9s"}
    control.good("POST", sandbox + "/clock", clock)
    for event in (
        {"event": "key_revoked", "key": "main"},
        {"event": "exchange_reachable", "id": "BITMEX"},
    ):
        control.good("POST", sandbox + "/events/coinapi", event)


def test_a_reset_restores_the_sandbox_as_created_and_touches_no_other(
    server: MockServer, control: ControlClient
) -> None:
    settings = {"seed": 7, "quirks": {"coinw.bans": "on"}, "limits": {"coinapi.reads": "2/60s"}}
    created = control.good("PUT", "/sandboxes/mine", settings, 201)
    key = coinapi_key(created)
    before, other = control.state("mine"), control.state()
    change_everything(server, control, "mine", key)
    after = control.state("mine")
    assert all(after[part] != before[part] for part in before if part != "sandboxes")
    assert control.state() == other
    assert read_coinapi(server, id="mine", key=key) == 401
    assert control.good("POST", "/sandboxes/mine/reset") == created
    assert control.state("mine") == before
    queries = ("?exchange_id=BITMEX", "", "")
    assert [read_coinapi(server, query, "mine", key) for query in queries] == [490, 200, 429]
    control.good("POST", "/sandboxes/mine/reset")
    assert read_coinapi(server, id="mine", key=key) == 200  # in a new window of its limit


def test_concurrent_calls_lose_nothing(server: MockServer, control: ControlClient) -> None:
    def credit(_: int) -> int:
        url = f"{server.url}/__admin{BTC}/moves"
        return requests.post(url, json={"credit": "0.0001"}, timeout=WAIT).status_code

    def create(n: int) -> int:
        url = f"{server.url}/__admin/sandboxes/same"
        return requests.put(url, json={"seed": n}, timeout=WAIT).status_code

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(credit, range(40))} == {200}
        assert {*pool.map(create, range(20))} == {201}
    assert control.row(D + "/ledger/coinw/main", "BTC")["total"] == "0.0052"
    listed = control.good("GET", "/sandboxes")["sandboxes"]
    assert [sandbox["id"] for sandbox in listed] == ["default", "same"]


def test_threads_create_and_drop_sandboxes_while_they_are_listed() -> None:
    server = MockServer()
    done = threading.Event()

    def churn(_: int) -> int:
        count = 0
        while not done.is_set():
            server.drop(server.sandbox())
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        counts = [pool.submit(churn, n) for n in range(2)]
        for _ in range(300):
            assert next(s.id for s in server.app.sandboxes) == "default"
        done.set()
        assert all(count.result() for count in counts)
