"""The control API over HTTP: each verb's good answer, each refusal, and nothing changed by one.

Every answer that a test receives through ``steer`` is held against the document.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from contract_tests.support.control_calls import DOCUMENT, JSON, WAIT, Steer
from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer, __version__
from mockserver.control import api
from mockserver.control.endpoint import document
from mockserver.engine import journal
from mockserver.files import scenarios, worlds
from mockserver.model import times
from mockserver.providers import discover
from mockserver.tools.generate import generate

MIB = 1024 * 1024
START = "2026-01-01T00:00:00Z"
D = "/sandboxes/default"
CPG = D + "/ledger/cpg/main"
COINW = D + "/ledger/coinw/main"
USDT = CPG + "/USDT"
BTC = COINW + "/BTC"
CLOCK = D + "/clock"
REQUESTS = D + "/requests"
VERIFY = REQUESTS + "/verify"


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(times.parse_instant(START))) as server:
        yield server


@pytest.fixture
def steer(server: MockServer) -> Iterator[Steer]:
    steer = Steer(server.url)
    with steer.session:
        yield steer


def state(steer: Steer, id: str = "default") -> dict[str, Any]:
    """Everything that a refused call might have changed."""
    told = {
        part: steer.good("GET", f"/sandboxes/{id}/{part}")
        for part in ("ledger", "clock", "quirks", "limits", "requests", "coverage")
    }
    return told | {"sandboxes": steer.good("GET", "/sandboxes")}


def read(server: MockServer, query: str = "", id: str = "default", key: str = "") -> int:
    """Sends CoinAPI's main read; returns the status."""
    handle = server.coinapi
    url = f"{handle.base_url}{'' if id == 'default' else '/~' + id}/v1/balances{query}"
    headers = {"X-CoinAPI-Key": key or handle.credentials["api_key"]}
    return requests.get(url, headers=headers, timeout=WAIT).status_code


def ask(server: MockServer, provider: str, target: str = "", **settings: Any) -> requests.Response:
    """Sends a signed request of ``main``, without a target the main read."""
    handle = getattr(server, provider)
    example = handle.example
    if not target:
        query = f"?{example.query.decode()}" if example.query else ""
        target = example.path.decode() + query
        settings = {"method": example.method, "data": example.body}
    headers = JSON if settings.get("data") else {}
    url = handle.base_url + target
    with requests.Session() as session:
        session.trust_env = False
        return session.request(url=url, auth=handle.auth, headers=headers, timeout=WAIT, **settings)


# The document


def test_the_document_is_valid_and_served(steer: Steer) -> None:
    told = steer.good("GET", "/openapi.json")
    validate(told, cls=OpenAPIV31SpecValidator)
    assert told == document()


def test_the_document_equals_the_rows() -> None:
    rows = {(route.method, route.path): route for route in api.ROUTES}
    documented = {(m, p): op for m, p, op in DOCUMENT.operations().values()}
    assert documented.keys() - rows.keys() == {
        ("GET", "/live"),
        ("GET", "/openapi.json"),
        ("GET", "/sandboxes/{id}/requests/stream"),
    }
    assert rows.keys() <= documented.keys()
    for place, route in rows.items():
        told = documented[place]
        good = {int(status) for status in told["responses"] if status < "400"}
        assert good == {route.status}, place
        assert ("requestBody" in told) == (route.body is not None), place
        assert ("404" in told["responses"]) == (
            "{" in route.path and place != ("PUT", "/sandboxes/{id}")
        ) or place == ("GET", "/trust"), place


def test_the_document_knows_every_query_parameter() -> None:
    for route in api.ROUTES:
        item = document()["paths"][route.path]
        given = [*item.get("parameters", []), *item[route.method.lower()].get("parameters", [])]
        names = [p.get("$ref", "/" + p.get("name", "")).rpartition("/")[2] for p in given]
        in_path = re.findall(r"\{(\w+)\}", route.path)
        assert sorted(names) == sorted([*in_path, *route.query]), route.path


def test_every_operation_has_a_tag_and_a_summary() -> None:
    known = {tag["name"] for tag in document()["tags"]}
    for _, _, told in DOCUMENT.operations().values():
        assert {*told["tags"]} <= known
        assert told["summary"].endswith(".")


def test_the_documented_events_are_those_that_there_are() -> None:
    schemas = document()["components"]["schemas"]
    described = [schemas[one["$ref"].rpartition("/")[2]] for one in schemas["Event"]["oneOf"]]
    events = {e.named(): e for p in discover().values() for e in p.all_events}
    assert sorted(one["properties"]["event"]["const"] for one in described) == sorted(events)
    for one in described:
        fields = msgspec.structs.fields(events[one["properties"]["event"]["const"]])
        assert one["properties"].keys() == {"event", *(field.name for field in fields)}
        assert {*one["required"]} == {"event", *(f.name for f in fields if f.required)}


def test_the_document_s_examples_fit_their_schemas() -> None:
    import jsonschema_rs

    held = 0
    for data in contents(document()):
        schema = {"allOf": [data["schema"]], "components": document()["components"]}
        checker = jsonschema_rs.Draft202012Validator(schema)
        named = [example["value"] for example in data.get("examples", {}).values()]
        for example in [data["example"], *named] if "example" in data else named:
            checker.validate(example)
            held += 1
    assert held > 40


def contents(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "schema" in node:
            yield node
        for value in node.values():
            yield from contents(value)
    elif isinstance(node, list):
        for value in node:
            yield from contents(value)


# What is there


def test_the_server_tells_that_it_lives(steer: Steer) -> None:
    told = steer.good("GET", "/health")
    assert told["status"] == "ok"
    assert told["memory"]["budget"] == 256 * MIB
    assert told["sandboxes"] == {"count": 1, "max": 2_000}


def test_every_provider_is_described(steer: Steer) -> None:
    told = steer.good("GET", "/providers")
    assert list(told) == ["cdp", "coinapi", "coinstats", "coinw", "cpg"]
    assert told["coinapi"]["operations"] == [
        {"id": "getBalances", "method": "GET", "path": "/v1/balances"}
    ]
    assert told["coinapi"]["limits"] == {"reads": "off"}
    assert told["coinw"]["quirks"]["empty"]["default"] == "object"
    assert told["coinw"]["quirks"]["empty"]["choices"] == ["object", "null", "zero-bytes"]
    for name, provider in discover().items():
        assert told[name]["reasons"] == sorted(provider.errors)


def test_the_shipped_files_are_listed(steer: Steer) -> None:
    listed = steer.good("GET", "/worlds")["worlds"]
    assert [world["name"] for world in listed] == ["default", "empty", "whale"]
    assert all(world["about"].endswith(".") for world in listed)
    listed = steer.good("GET", "/scenarios")["scenarios"]
    assert [scenario["name"] for scenario in listed] == scenarios.shipped()
    assert all(scenario["about"] and scenario["client"] for scenario in listed)


def test_the_credentials_that_are_refused_are_one_pattern(steer: Steer) -> None:
    for short in (steer.good("POST", "/sandboxes", {}, 201), steer.good("GET", D)):
        full = steer.good("GET", f"/sandboxes/{short['id']}?full=true")
        for name, provider in discover().items():
            pattern = short["providers"][name]["others"].pop("reject-REASON")
            others = full["providers"][name]["others"]
            for reason in provider.errors:
                label = f"reject-{reason}"
                rejecting = {k: label if v == "reject-REASON" else v for k, v in pattern.items()}
                assert others.pop(label) == rejecting
            assert others == short["providers"][name]["others"]


def test_the_gateway_links_to_what_it_has(server: MockServer) -> None:
    found = requests.get(server.url, timeout=WAIT).json()
    assert found["base_urls"]["cdp"] == server.cdp.base_url
    assert all(requests.get(url, timeout=WAIT).ok for url in found["links"].values())


def test_the_default_sandbox_is_listed_and_shown(server: MockServer, steer: Steer) -> None:
    assert steer.good("GET", "/sandboxes") == {"sandboxes": [{"id": "default", "expires": None}]}
    told = steer.good("GET", D)
    assert (told["id"], told["expires"], told["world"], told["seed"]) == (
        "default",
        None,
        "default",
        490,
    )
    assert told["providers"]["coinapi"]["base_url"] == server.coinapi.base_url
    assert told["providers"]["coinapi"]["credentials"] == {"api_key": "73034021-THIS-IS-SAMPLE-KEY"}
    assert told["providers"]["coinapi"]["others"]["empty"] == {"api_key": "00000000-EMPTY-KEY"}
    assert "main" not in told["providers"]["coinapi"]["others"]


# Sandboxes made, replaced, dropped


def test_a_sandbox_gets_an_id_and_keys_of_its_own(server: MockServer, steer: Steer) -> None:
    told = steer.good("POST", "/sandboxes", {}, 201)
    assert re.fullmatch("[0-9a-f]{16}", told["id"])
    assert told["expires"] == "2026-01-01T01:00:00Z"
    assert told["providers"]["coinapi"]["base_url"] == f"{server.coinapi.base_url}/~{told['id']}"
    key = told["providers"]["coinapi"]["credentials"]["api_key"]
    assert read(server, id=told["id"], key=key) == 200
    assert read(server, id=told["id"]) == 401
    assert read(server, key=key) == 401


@pytest.mark.parametrize("id", ["a", "1", "Ab.c_-9", "x" * 64])
def test_a_sandbox_is_made_and_replaced_under_a_chosen_id(steer: Steer, id: str) -> None:
    first = steer.good("PUT", f"/sandboxes/{id}", {"seed": 1}, 201)
    steer.good("PUT", f"/sandboxes/{id}/ledger/coinw/main/BTC", {"total": "9"})
    second = steer.good("PUT", f"/sandboxes/{id}", {"seed": 2}, 201)
    assert (first["id"], second["id"], first["seed"], second["seed"]) == (id, id, 1, 2)
    keys = [s["providers"]["coinapi"]["credentials"]["api_key"] for s in (first, second)]
    assert keys[0] != keys[1]
    rows = steer.good("GET", f"/sandboxes/{id}/ledger/coinw/main")["balances"]
    assert rows[0]["total"] == "0.0012"
    assert len(steer.good("GET", "/sandboxes")["sandboxes"]) == 2


def test_a_dropped_sandbox_is_gone(server: MockServer, steer: Steer) -> None:
    steer.good("PUT", "/sandboxes/mine", {}, 201)
    assert steer.good("DELETE", "/sandboxes/mine", status=204) is None
    assert steer.refused("GET", "/sandboxes/mine")[:2] == (404, "no sandbox mine")
    assert steer.refused("DELETE", "/sandboxes/mine")[:2] == (404, "no sandbox mine")
    assert read(server, id="mine") == 404


def test_a_sandbox_is_as_it_was_wished(steer: Steer) -> None:
    wish = {
        "world": "empty",
        "seed": 10**30,
        "quirks": {"coinw.empty": "null"},
        "limits": {"cpg.key": "1/1h"},
        "ttl": "24h",
    }
    told = steer.good("PUT", "/sandboxes/mine", wish, 201)
    assert (told["world"], told["seed"], told["expires"]) == (
        "empty",
        10**30,
        "2026-01-02T00:00:00Z",
    )
    assert steer.good("GET", "/sandboxes/mine/quirks")["coinw.empty"] == "null"
    limits = steer.good("GET", "/sandboxes/mine/limits")
    assert (limits["cpg.key"], limits["cpg.ip"]) == ("1/3600s", "1200/60s")


@pytest.mark.parametrize("seed", [0, -1, 2**63, -(2**64), 10**300])
def test_any_whole_seed_makes_a_sandbox_that_answers(
    server: MockServer, steer: Steer, seed: int
) -> None:
    told = steer.good("PUT", "/sandboxes/mine", {"seed": seed}, 201)
    assert told["seed"] == seed
    assert read(server, id="mine") == 401
    key = told["providers"]["coinapi"]["credentials"]["api_key"]
    assert read(server, "?exchange_id=BITMEX", "mine", key) == 490


def test_a_world_may_be_inline(server: MockServer, steer: Steer) -> None:
    account = {"exchanges": ["KRAKEN"], "generate": {"rows": 3}}
    key = {"api_key": "a-key", "account": "main"}
    world = {"name": "own", "coinapi": {"keys": {"main": key}, "accounts": {"main": account}}}
    told = steer.good("PUT", "/sandboxes/mine", {"world": world}, 201)
    assert told["world"] == "own"
    assert told["providers"]["cdp"]["credentials"] == {}
    fresh = told["providers"]["coinapi"]["credentials"]["api_key"]
    assert fresh != "a-key"
    assert read(server, id="mine", key=fresh) == 200
    rows = steer.good("GET", "/sandboxes/mine/ledger/coinapi/main")["balances"]
    assert [row["asset"] for row in rows] == ["T000000", "T000001", "T000002"]


def test_a_sandbox_inherits_what_the_server_was_started_with() -> None:
    settings: dict[str, Any] = {"quirks": {"coinw.empty": "null"}, "limits": {"cpg.key": "7/60s"}}
    with MockServer(seed=7, **settings) as server:
        steer = Steer(server.url)
        steer.good("PATCH", D + "/quirks", {"coinw.amounts": "number"})
        told = steer.good("PUT", "/sandboxes/mine", {"limits": {"cpg.ip": "off"}}, 201)
        quirks = steer.good("GET", "/sandboxes/mine/quirks")
        limits = steer.good("GET", "/sandboxes/mine/limits")
        all_off = steer.good("PUT", "/sandboxes/free", {"limits": "off"}, 201)["id"]
        off = steer.good("GET", f"/sandboxes/{all_off}/limits")
        steer.session.close()
    assert told["seed"] == 7
    assert (quirks["coinw.empty"], quirks["coinw.amounts"]) == ("null", "string")
    assert (limits["cpg.key"], limits["cpg.ip"], limits["cdp.reads"]) == ("7/60s", "off", "600/10s")
    assert set(off.values()) == {"off"}


def test_the_number_of_sandboxes_is_bounded(
    running: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.sandboxes, "most", 2)
    steer.good("PUT", "/sandboxes/one", {}, 201)
    refusal = (
        409,
        "there are 2 sandboxes already",
        "$",
        "delete some, or give them a shorter ttl",
    )
    assert steer.refused("PUT", "/sandboxes/two", {}) == refusal
    assert steer.refused("POST", "/sandboxes", {}) == refusal
    assert [s["id"] for s in steer.good("GET", "/sandboxes")["sandboxes"]] == ["default", "one"]
    steer.good("PUT", "/sandboxes/one", {}, 201)
    steer.good("DELETE", "/sandboxes/one", status=204)
    steer.good("PUT", "/sandboxes/two", {}, 201)


def test_a_sandbox_goes_when_nobody_uses_it_for_its_ttl() -> None:
    hand = HandClock(times.parse_instant(START))
    with MockServer(real=hand, max_sandboxes=3) as server:
        steer = Steer(server.url)
        for id in ("idle", "used"):
            steer.good("PUT", f"/sandboxes/{id}", {"ttl": "10s"}, 201)
        hand.advance("10s")
        assert read(server, id="used") == 401
        hand.advance("1ms")
        assert steer.refused("GET", "/sandboxes/idle")[:2] == (404, "no sandbox idle")
        told = steer.good("GET", "/sandboxes/used")
        assert told["expires"] == "2026-01-01T00:00:20.001Z"
        hand.advance("11s")
        assert read(server, id="used") == 404
        for id in ("a", "b"):  # the places are free again
            steer.good("PUT", f"/sandboxes/{id}", {}, 201)
        hand.advance("24h")
        assert steer.good("GET", D)["expires"] is None
        steer.session.close()


# What is refused, and where

MEMBERS = "members are world, seed, quirks, limits, scenario, ttl, fault_headers, snapshot"
WORLDS = "there are default, empty, whale; or give one inline"
CHAPTER = "see docs/reference/worlds.md"
IDS = "letters, digits, . _ -, at most 64"
NAMES = "there are cdp, coinapi, coinstats, coinw, cpg"
MOVES = "members are advance, freeze, set, rate, skew, auth_time"
TABLE = "see docs/guides/time.md"
ROW = "members are asset, venue, total, held, decimals, fee, minimum"
MOVEMENTS = "members are credit, debit, hold, release"
ONE = "give credit, debit, hold or release"
KNOWN = "see /__admin/providers"
LEDGER = "see the ledger and the journal"
HERE = "see /__admin/openapi.json"
MAKE = "create it, or use default"
KEY = "limit cpg.key: write N/DURATION, as in 120/60s, or off; not"
COUNTS = "give exactly, at_least or at_most"
QUOTED = 'an amount is a quoted string: write "1"'
NO_AMOUNT = 'is no amount: digits, one point, as in "0.5"'
EVENTS = "there are withdrawal_confirmed, withdrawal_failed, permission_changed, key_revoked"
LIMITS = "there are cdp.reads, coinapi.reads, coinstats.reads, coinw.returnBalances, coinw.returnCompleteBalances, coinw.user, coinw.ip, cpg.ip, cpg.key"
PERMISSIONS = "there are request_deposit_address, request_withdrawal_funding_address, withdraw, read_balance, read_deposit_status, read_withdrawal_status, list_transactions, list_currencies"


def inline(**sections: Any) -> dict[str, Any]:
    return {"world": sections}


def cpg(**section: Any) -> dict[str, Any]:
    return inline(cpg=section)


def rows(*balances: Any) -> dict[str, Any]:
    return cpg(accounts={"main": {"balances": balances}})


ROUTES = [
    ("GET", "", None, 404, "no such path ", "$", HERE),
    ("GET", "/", None, 404, "no such path /", "$", HERE),
    ("GET", "/health/", None, 404, "no such path /health/", "$", HERE),
    ("GET", "/nothing", None, 404, "no such path /nothing", "$", HERE),
    ("GET", D + "%2Fclock", None, 404, "no sandbox default/clock", "$", MAKE),
    ("GET", D + "/ledger/cpg", None, 404, f"no such path {D}/ledger/cpg", "$", HERE),
    ("GET", "/health?x=1", None, 400, "no parameter x", "?x", "it takes none"),
    ("GET", "/openapi.json?x=1", None, 400, "no parameter x", "?x", "it takes none"),
    ("GET", REQUESTS + "/stream?x=1", None, 400, "no parameter x", "?x", "it takes none"),
    *[("GET", f"{D}/ledger?after={after}", None, 400, f"{after} is not a cursor", "?after", "give the next of a page") for after in ("1", "a.b.c", "1.2.3.4", "-1.0.0")],
    ("GET", D + "/ledger?limit=0", None, 400, "a page holds at least one row", "?limit", "from 1 to 1000"),
    ("GET", D + "/ledger?limit=1001", None, 400, "limit is too large", "?limit", "at most 1000"),
    ("GET", CPG + "?venue=ETH", None, 400, "no parameter venue", "?venue", "it takes none"),
    ("DELETE", USDT + "?vanue=ETH", None, 400, "no parameter vanue", "?vanue", "there are venue; did you mean venue?"),
    ("GET", "/sandboxes/nobody", None, 404, "no sandbox nobody", "$", MAKE),
    ("GET", "/sandboxes/%ff%00", None, 404, "no sandbox \ufffd\0", "$", MAKE),
    ("GET", "/sandboxes/nobody/requests/stream", None, 404, "no sandbox nobody", "$", MAKE),
    ("POST", "/sandboxes/nobody/reset", {}, 400, "this call takes no body", "$", "send none"),
    ("POST", "/sandboxes/nobody/reset", None, 404, "no sandbox nobody", "$", MAKE),
    ("DELETE", D, None, 409, "the sandbox default stays: reset it instead", "$", "POST .../reset"),
    ("DELETE", D, {"x": 1}, 400, "this call takes no body", "$", "send none"),
    ("GET", D + "/ledger/binance/main", None, 404, "no provider binance", "$", NAMES),
    ("GET", D + "/ledger/cpg/a%2Fb", None, 404, "no account a/b: there are main, empty", "$", "an account's id or its label"),
    ("GET", D + "/ledger/cpg/%ff", None, 404, "no account \ufffd: there are main, empty", "$", "an account's id or its label"),
    ("POST", D + "/events/binance", {"event": "x"}, 404, "no provider binance", "$", NAMES),
    ("GET", REQUESTS + "/1", None, 404, "no request 1", "$", "the journal may have dropped it"),
    ("GET", REQUESTS + "/x", None, 404, "no request x", "$", "the journal may have dropped it"),
]  # fmt: skip

MADE = [
    ("PUT", D, {}, 409, "the sandbox default exists already", "id", "choose another id"),
    ("PUT", "/sandboxes/%64efault", {}, 409, "the sandbox default exists already", "id", "choose another id"),
    ("PUT", "/sandboxes/a%2Fb", {}, 400, "'a/b' is not an id", "id", IDS),
    ("PUT", "/sandboxes/a%00", {}, 400, r"'a\x00' is not an id", "id", IDS),
    ("PUT", "/sandboxes/%ff", {}, 400, "'\ufffd' is not an id", "id", IDS),
    ("PUT", "/sandboxes/..%2f..", {}, 400, "'../..' is not an id", "id", IDS),
    ("PUT", "/sandboxes/~a", {}, 400, "'~a' is not an id", "id", IDS),
    ("PUT", "/sandboxes/%D9%A3", {}, 400, "'٣' is not an id", "id", IDS),
    ("PUT", "/sandboxes/a%0A", {}, 400, r"'a\n' is not an id", "id", IDS),
    ("PUT", "/sandboxes/" + "x" * 65, {}, 400, f"'{'x' * 65}' is not an id", "id", IDS),
    ("PUT", "/sandboxes/new", {"sed": 1}, 400, "Object contains unknown field `sed`; did you mean seed?", "$.sed", MEMBERS),
    ("PUT", "/sandboxes/new", [], 400, "Expected `object`, got `array`", "$", MEMBERS),
    ("PUT", "/sandboxes/new", "x", 400, "Expected `object`, got `str`", "$", MEMBERS),
    ("PUT", "/sandboxes/new", b"null", 400, "the body is null", "$", "send a value, or no body"),
    ("PUT", "/sandboxes/new", {"seed": 1.5}, 400, "Expected `int | null`, got `float`", "$.seed", MEMBERS),
    ("PUT", "/sandboxes/new", {"seed": True}, 400, "Expected `int | null`, got `bool`", "$.seed", MEMBERS),
    ("PUT", "/sandboxes/new", {"seed": "1"}, 400, "Expected `int | null`, got `str`", "$.seed", MEMBERS),
    ("PUT", "/sandboxes/new", {"ttl": "0s"}, 400, "ttl must be above zero and at most 24h", "$.ttl", "1h, for example"),
    ("PUT", "/sandboxes/new", {"ttl": "-1s"}, 400, "ttl must be above zero and at most 24h", "$.ttl", "1h, for example"),
    ("PUT", "/sandboxes/new", {"ttl": "86401s"}, 400, "ttl must be above zero and at most 24h", "$.ttl", "1h, for example"),
    ("PUT", "/sandboxes/new", {"ttl": "1d"}, 400, "'1d' is no duration: write 250ms, 61s, 1m30s or 1h", "$.ttl", "1h, for example"),
    ("PUT", "/sandboxes/new", {"ttl": [5]}, 400, "Expected `int | float | str`, got `array`", "$.ttl", MEMBERS),
    ("PUT", "/sandboxes/new", {"quirks": {"cpg.replay": "x"}}, 400, "quirk cpg.replay: 'x' is none of on, off", '$.quirks["cpg.replay"]', KNOWN),
    ("PUT", "/sandboxes/new", {"quirks": {"cpg.replay": 1}}, 400, "quirk cpg.replay: '1' is none of on, off", '$.quirks["cpg.replay"]', KNOWN),
    ("PUT", "/sandboxes/new", {"quirks": {"coinw.bans": "on", "cpg.replay": None}}, 400, "Expected `bool | int | float | str`, got `null`", '$.quirks["cpg.replay"]', MEMBERS),
    ("PUT", "/sandboxes/new", {"limits": "none"}, 400, "limits is default, off, or single limits by name; not 'none'", "$.limits", "default, off, or an object"),
    ("PUT", "/sandboxes/new", {"limits": {"cpg.key": "1"}}, 400, "limit cpg.key: write N/DURATION, as in 1/60s, or off; not '1'", '$.limits["cpg.key"]', KNOWN),
    ("PUT", "/sandboxes/new", {"limits": {"cpg.key": 5}}, 400, "limit cpg.key: write N/DURATION, as in 5/60s, or off; not 5", '$.limits["cpg.key"]', KNOWN),
    ("PUT", "/sandboxes/new", {"limits": []}, 400, "Expected `str | object | null`, got `array`", "$.limits", MEMBERS),
    *[("PUT", "/sandboxes/new", {"world": name}, 400, "no such world", "$.world", f"{WORLDS}; did you mean default?") for name in ("Default", "default.yaml", "./default", "default\0")],
    *[("PUT", "/sandboxes/new", {"world": name}, 400, "no such world", "$.world", WORLDS) for name in ("nope", "", "../worlds/default", "/etc/passwd", "~", "x" * 65, "fixtures/worlds/default.yaml")],
    ("PUT", "/sandboxes/new", {"world": 5}, 400, "Expected `str | object | null`, got `int`", "$.world", MEMBERS),
    ("PUT", "/sandboxes/new", inline(binance={}), 400, "no provider binance: " + NAMES, "$.world.binance", CHAPTER),
    ("PUT", "/sandboxes/new", inline(name=5), 400, "name is text", "$.world.name", CHAPTER),
    ("PUT", "/sandboxes/new", inline(cpg=5), 400, "Expected `object`, got `int`", "$.world.cpg", CHAPTER),
    ("PUT", "/sandboxes/new", cpg(kyes={}), 400, "Object contains unknown field `kyes`; did you mean keys?", "$.world.cpg.kyes", CHAPTER),
    ("PUT", "/sandboxes/new", rows({"asset": "A", "total": 1}), 400, QUOTED, "$.world.cpg.accounts.main.balances[0].total", CHAPTER),
    ("PUT", "/sandboxes/new", rows({"asset": "A", "total": "1", "held": "2"}), 400, "held 2 must lie between 0 and total 1", "$.world.cpg.accounts.main.balances[0]", CHAPTER),
    ("PUT", "/sandboxes/new", rows(*[{"asset": "A", "total": "1"}] * 2), 400, "account main lists A twice at no venue", "$.world.cpg.accounts.main.balances[1]", CHAPTER),
    ("PUT", "/sandboxes/new", cpg(keys={"main": {"key_id": "a", "secret": "b", "account": "c"}}), 400, "key main names account 'c', which is not there", "$.world.cpg.keys.main.account", CHAPTER),
    ("PUT", "/sandboxes/new", inline(cdp={"accounts": {"main": {"owner": "a"}}}), 400, "main is not an account id: account_ and the 36 characters of a UUID", "$.world.cdp", CHAPTER),
    ("PUT", "/sandboxes/new", inline(cdp={"keys": {"main": {"key_id": "a", "key_secret": "b", "owner": "c"}}}), 400, "key_secret is neither base64 nor a PEM", "$.world.cdp.keys.main.key_secret", CHAPTER),
    ("PUT", "/sandboxes/new", cpg(accounts={"a": {"generate": {"rows": 100_001}}}), 400, "too many rows", "$.world", "at most 100000 in all"),
    ("PUT", "/sandboxes/new", cpg(accounts={a: {"generate": {"rows": 50_001}} for a in "ab"}), 400, "too many rows", "$.world", "at most 100000 in all"),
    ("PUT", "/sandboxes/new", cpg(accounts={"a": {"generate": {"rows": 100_001}}, "b": {"generate": {"rows": -1}}}), 400, "too many rows", "$.world", "at most 100000 in all"),
    ("PUT", "/sandboxes/new", cpg(accounts={"a": {"generate": {"rows": -1}}}), 400, "rows must lie between 0 and 1000000", "$.world.cpg.accounts.a.generate", CHAPTER),
]  # fmt: skip

CENTURY = 876_000  # hours
CLOCKS = [
    ("POST", CLOCK, {}, 400, "nothing to do", "$", "give advance, freeze, set, rate, skew or auth_time"),
    ("POST", CLOCK, None, 400, "nothing to do", "$", "give advance, freeze, set, rate, skew or auth_time"),
    ("POST", CLOCK, {"rate": None}, 400, "nothing to do", "$", "give advance, freeze, set, rate, skew or auth_time"),
    ("POST", CLOCK, {"x": 1}, 400, "Object contains unknown field `x`", "$.x", MOVES),
    ("POST", CLOCK, {"advance": "-1ms"}, 400, "advance takes a duration between 0 and 100 years", "$.advance", TABLE),
    ("POST", CLOCK, {"advance": f"{CENTURY + 1}h"}, 400, "advance takes a duration between 0 and 100 years", "$.advance", TABLE),
    ("POST", CLOCK, {"advance": "1"}, 400, "'1' is no duration: write 250ms, 61s, 1m30s or 1h", "$.advance", TABLE),
    ("POST", CLOCK, {"advance": 1e-10}, 400, "1e-10 seconds are less than a nanosecond", "$.advance", TABLE),
    ("POST", CLOCK, {"freeze": 1}, 400, "Expected `bool | null`, got `int`", "$.freeze", MOVES),
    ("POST", CLOCK, {"set": "2025-12-31T23:59:59.999999999Z"}, 400, "the clock is never set backwards, nor 100 years ahead", "$.set", TABLE),
    ("POST", CLOCK, {"set": "9999-12-31T23:59:59Z"}, 400, "the clock is never set backwards, nor 100 years ahead", "$.set", TABLE),
    ("POST", CLOCK, {"set": "2026-02-30T00:00:00Z"}, 400, "'2026-02-30T00:00:00Z' is no time: write 2026-01-01T00:00:00Z", "$.set", TABLE),
    ("POST", CLOCK, {"set": "2026-01-02T00:00:00"}, 400, "'2026-01-02T00:00:00' is no time: write 2026-01-01T00:00:00Z", "$.set", TABLE),
    *[("POST", CLOCK, {"rate": rate}, 400, "rate must lie above 0, up to 1000000", "$.rate", TABLE) for rate in (0, -0.0, -1, 1_000_000.5, 1e308)],
    ("POST", CLOCK, {"rate": True}, 400, "Expected `float | null`, got `bool`", "$.rate", MOVES),
    ("POST", CLOCK, {"rate": "1"}, 400, "Expected `float | null`, got `str`", "$.rate", MOVES),
    ("POST", CLOCK, {"skew": f"{CENTURY + 1}h"}, 400, "skew takes a duration of at most 100 years, either way", "$.skew", TABLE),
    ("POST", CLOCK, {"skew": f"-{CENTURY + 1}h"}, 400, "skew takes a duration of at most 100 years, either way", "$.skew", TABLE),
    ("POST", CLOCK, {"advance": "1s", "rate": 2, "freeze": True, "skew": "soon"}, 400, "'soon' is no duration: write 250ms, 61s, 1m30s or 1h", "$.skew", TABLE),
    ("POST", CLOCK, {"set": "2027-01-01T00:00:00Z", "advance": "1s", "rate": 0}, 400, "rate must lie above 0, up to 1000000", "$.rate", TABLE),
]  # fmt: skip

LEDGERS = [
    ("PUT", USDT, {"total": "1"}, 400, "USDT has rows at ETH, TRX", "?venue", "say which"),
    ("DELETE", USDT, None, 400, "USDT has rows at ETH, TRX", "?venue", "say which"),
    ("POST", USDT + "/moves", {"credit": "1"}, 400, "USDT has rows at ETH, TRX", "?venue", "say which"),
    ("PUT", USDT + "?venue=ETH", {"total": "1", "held": "1.000001"}, 400, "held 1.000001 must lie between 0 and total 1", "$", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": 1}, 400, QUOTED, "$.total", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "-1"}, 400, "held 0 must lie between 0 and total -1", "$", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "1.1234567"}, 400, "1.1234567 needs more than 6 decimals: set decimals=7, too", "$", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "1", "fee": "-1"}, 400, "-1 is negative: total, held, fee and minimum are not", "$", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "1e3"}, 400, f"'1e3' {NO_AMOUNT}", "$.total", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "9" * 81}, 400, "an amount has at most 80 digits, 40 after the point", "$.total", ROW),
    ("PUT", USDT + "?venue=ETH", {"totl": "1"}, 400, "Object contains unknown field `totl`; did you mean total?", "$.totl", ROW),
    ("PUT", USDT + "?venue=ETH", {"total": "1", "asset": "BTC"}, 400, "the path says 'USDT'", "$.asset", "leave it out"),
    ("PUT", USDT + "?venue=ETH", {"total": "1", "venue": "TRX"}, 400, "the path says 'ETH'", "$.venue", "leave it out"),
    ("PUT", CPG + "/NEW", {}, 400, "Object missing required field `total`", "$", ROW),
    ("PUT", D + "/ledger/coinapi/main/A?venue=NOPE", {"total": "1"}, 400, "A is on 'NOPE', which is not connected", "$", "see the account in the world"),
    ("PUT", D + "/ledger/cdp/many/BTC", {"total": "1"}, 400, "asset must be a lower case symbol of 1 to 42 characters", "$", "members are asset, venue, total, held, name, type, decimals, usd"),
    ("DELETE", CPG + "/N%2FW", None, 404, "account main has no row N/W", "$", "see which rows there are"),
    ("DELETE", USDT + "?venue=%2F", None, 404, "account main has no row USDT /; did you mean USDT TRX?", "$", "see which rows there are"),
    ("PUT", CPG, {}, 400, "Object missing required field `balances`", "$", "members are balances"),
    ("PUT", CPG, {"balances": {}}, 400, "Expected `array`, got `object`", "$.balances", "members are balances"),
    ("PUT", CPG, {"balances": [{"asset": "A", "total": "1"}, {"asset": "B"}]}, 400, "Object missing required field `total`", "$.balances[1]", ROW),
    ("PUT", CPG, {"balances": [{"asset": "A", "total": "1"}, {"asset": "B", "total": 1}]}, 400, QUOTED, "$.balances[1].total", ROW),
    ("PUT", CPG, {"balances": [{"asset": "A", "total": "1"}] * 2}, 400, "A is there twice", "$.balances[1]", "give it once"),
    ("PUT", D + "/ledger/coinapi/main", {"balances": [{"asset": "A", "venue": "NOPE", "total": "1"}]}, 400, "A is on 'NOPE', which is not connected", "$", "see the account in the world"),
    ("POST", BTC + "/moves", {"hold": "0.0013"}, 400, "held 0.0013 must lie between 0 and total 0.0012", "$.hold", "see what is available"),
    ("POST", BTC + "/moves", {"debit": "0.0013"}, 400, "held 0 must lie between 0 and total -0.0001", "$.debit", "see what is available"),
    ("POST", BTC + "/moves", {"release": "0.0001"}, 400, "held -0.0001 must lie between 0 and total 0.0012", "$.release", "see what is available"),
    ("POST", BTC + "/moves", {"credit": "0"}, 400, "the amount must be above zero", "$.credit", "use the other movement"),
    ("POST", BTC + "/moves", {"credit": "-1"}, 400, "the amount must be above zero", "$.credit", "use the other movement"),
    ("POST", BTC + "/moves", {"credit": 1}, 400, QUOTED, "$.credit", MOVEMENTS),
    ("POST", BTC + "/moves", {"give": "1"}, 400, "Object contains unknown field `give`", "$.give", MOVEMENTS),
    ("POST", BTC + "/moves", {"credit": "1", "hold": "1"}, 400, "one movement at a time", "$", ONE),
    ("POST", BTC + "/moves", {}, 400, "one movement at a time", "$", ONE),
    ("POST", COINW + "/NOPE/moves", {"credit": "1"}, 404, "account main has no row NOPE", "$", "see which rows there are"),
]  # fmt: skip

SETTINGS = [
    ("PATCH", D + "/quirks", {"coinw.empty": "x"}, 400, "quirk coinw.empty: 'x' is none of object, null, zero-bytes", '$["coinw.empty"]', KNOWN),
    ("PATCH", D + "/quirks", {"coinw.amounts": "number", "coinw.empty": "x"}, 400, "quirk coinw.empty: 'x' is none of object, null, zero-bytes", '$["coinw.empty"]', KNOWN),
    ("PATCH", D + "/quirks", {"cpg.confirm_after": "-1s"}, 400, "quirk cpg.confirm_after: '-1s' lies below zero", '$["cpg.confirm_after"]', KNOWN),
    ("PATCH", D + "/quirks", {"coinstats.credits": "1.5"}, 400, "quirk coinstats.credits: '1.5' is no whole number", '$["coinstats.credits"]', KNOWN),
    ("PATCH", D + "/quirks", {"coinw.bans": None, "coinw.empty": []}, 400, "Expected `bool | int | float | str | null`, got `array`", '$["coinw.empty"]', ""),
    ("PATCH", D + "/quirks", [], 400, "Expected `object`, got `array`", "$", ""),
    ("PATCH", D + "/limits", {"cpg.nope": "off"}, 400, "no limit cpg.nope", '$["cpg.nope"]', f"{LIMITS}; did you mean cpg.ip?"),
    ("PATCH", D + "/limits", {"cpg.nope": None}, 400, "no limit cpg.nope", '$["cpg.nope"]', f"{LIMITS}; did you mean cpg.ip?"),
    ("PATCH", D + "/limits", {"cpg.ip": "off", "cpg.key": "1.5/1s"}, 400, KEY + " '1.5/1s'", '$["cpg.key"]', KNOWN),
    ("PATCH", D + "/limits", {"cpg.key": "1/0s"}, 400, KEY + " '1/0s'", '$["cpg.key"]', KNOWN),
    ("PATCH", D + "/limits", {"cpg.key": "-1/1s"}, 400, KEY + " '-1/1s'", '$["cpg.key"]', KNOWN),
    ("PATCH", D + "/limits", {"cpg.key": "1000000000000/1h"}, 400, KEY + " '1000000000000/1h'", '$["cpg.key"]', KNOWN),
    ("PATCH", D + "/limits", {"cpg.key": 5}, 400, "limit cpg.key: write N/DURATION, as in 5/60s, or off; not 5", '$["cpg.key"]', "see /__admin/providers"),
    ("PATCH", D + "/limits", "none", 400, "limits is default, off, or single limits by name; not 'none'", "$", KNOWN),
]  # fmt: skip

HAPPENINGS = [
    ("POST", D + "/events/cpg", {"event": "nope"}, 400, "no such event", "$.event", EVENTS),
    ("POST", D + "/events/cpg", {"event": []}, 400, "no such event", "$.event", EVENTS),
    ("POST", D + "/events/cpg", {}, 400, "no such event", "$.event", EVENTS),
    ("POST", D + "/events/cpg", {"event": "portfolio_synced", "id": "x"}, 400, "no such event", "$.event", EVENTS),
    ("POST", D + "/events/cpg", {"event": "withdrawal_confirmed", "id": 1}, 400, "no withdrawal 1", "$", LEDGER),
    ("POST", D + "/events/cpg", {"event": "withdrawal_failed", "id": -(10**30)}, 400, f"no withdrawal -{10**30}", "$", LEDGER),
    ("POST", D + "/events/cpg", {"event": "withdrawal_confirmed", "id": "1"}, 400, "Expected `int`, got `str`", "$.id", "members are id"),
    ("POST", D + "/events/cpg", {"event": "withdrawal_confirmed", "id": 1, "x": 1}, 400, "Object contains unknown field `x`", "$.x", "members are id"),
    ("POST", D + "/events/cpg", {"event": "key_revoked"}, 400, "Object missing required field `key`", "$", "members are key"),
    ("POST", D + "/events/cpg", {"event": "permission_changed", "key": "main", "permissions": ["x"]}, 400, f"no permission 'x': {PERMISSIONS}", "$", LEDGER),
    ("POST", D + "/events/coinapi", {"event": "balance_update", "account": "main", "asset": "XBT", "venue": "KRAKEN", "total": "1", "held": "2"}, 400, "held 2 must lie between 0 and total 1", "$", LEDGER),
    ("POST", D + "/events/coinapi", {"event": "balance_update", "account": "main", "asset": "XBT", "venue": "K", "total": "1"}, 400, "no row XBT on K in account main", "$", LEDGER),
    ("POST", D + "/events/coinstats", {"event": "portfolio_synced", "id": "x"}, 400, "no portfolio x: a balance call makes one", "$", LEDGER),
]  # fmt: skip

JOURNALS = [
    ("GET", REQUESTS + "?nope=1", None, 400, "no parameter nope", "?nope", "there are provider, operation, reason, status, after, limit, order, last"),
    ("GET", REQUESTS + "?order=new", None, 400, "order is not 'new'", "?order", "there are oldest, newest; did you mean newest?"),
    ("GET", REQUESTS + "?last=2&after=1", None, 400, "last and after exclude each other", "?after", "give only one"),
    ("GET", D + "?full=yes", None, 400, "full is not 'yes'", "?full", "there are false, true"),
    ("GET", REQUESTS + "?limit=1001", None, 400, "limit is too large", "?limit", "at most 1000"),
    ("GET", REQUESTS + "?limit=10000", None, 400, "limit is too large", "?limit", "at most 1000"),
    ("GET", REQUESTS + "?limit=-1", None, 400, "limit is not a whole number", "?limit", "from 0 to 1000"),
    ("GET", REQUESTS + "?limit=1.0", None, 400, "limit is not a whole number", "?limit", "from 0 to 1000"),
    ("GET", REQUESTS + "?limit=", None, 400, "limit is not a whole number", "?limit", "from 0 to 1000"),
    ("GET", REQUESTS + "?limit=%D9%A3", None, 400, "limit is not a whole number", "?limit", "from 0 to 1000"),
    ("GET", REQUESTS + "?limit=" + "9" * 5000, None, 400, "limit is not a whole number", "?limit", "from 0 to 1000"),
    ("GET", REQUESTS + "?after=1000000000001", None, 400, "after is too large", "?after", "at most 1000000000000"),
    ("GET", REQUESTS + "?status=1000", None, 400, "status is too large", "?status", "at most 999"),
    ("POST", VERIFY, {}, 400, "nothing is expected", "$", COUNTS),
    ("POST", VERIFY, {"match": {}}, 400, "nothing is expected", "$", COUNTS),
    ("POST", VERIFY, {"exactly": "1"}, 400, "Expected `int | null`, got `str`", "$.exactly", "members are match, exactly, at_least, at_most"),
    ("POST", VERIFY, {"match": {"x": 1}, "exactly": 1}, 400, "Object contains unknown field `x`", "$.match.x", "members are provider, operation, method, target, status, reason, credential, header"),
    ("POST", VERIFY, {"match": {"header": {"a": "b", "c": 1}}, "exactly": 1}, 400, "Expected `str`, got `int`", "$.match.header.c", "members are provider, operation, method, target, status, reason, credential, header"),
]  # fmt: skip

REFUSED = [*ROUTES, *MADE, *CLOCKS, *LEDGERS, *SETTINGS, *HAPPENINGS, *JOURNALS]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [(*row[:3], row[3:]) for row in REFUSED],
    ids=[f"{row[0]}-{row[4]}"[:60] for row in REFUSED],
)
def test_a_mistake_is_told_and_nothing_changes(
    steer: Steer, method: str, path: str, body: Any, expected: tuple[Any, ...]
) -> None:
    before = state(steer)
    assert steer.refused(method, path, body) == expected
    assert state(steer) == before


def test_a_call_without_a_body_needs_no_media_type_and_no_page_makes_it(steer: Steer) -> None:
    steer.good("PUT", BTC, {"total": "1"})
    from_a_page = {"Origin": "http://elsewhere.test"}
    assert steer("POST", D + "/reset", None, from_a_page).status_code == 403
    assert steer.good("GET", COINW)["balances"][0]["total"] == "1"
    assert steer("POST", D + "/reset", None, {}).status_code == 200
    assert steer.good("GET", COINW)["balances"][0]["total"] != "1"


BODIES = {
    "no JSON at all": b"world",
    "half of it": b'{"seed":',
    "two values": b"{} {}",
    "NaN": b'{"seed":NaN}',
    "Infinity": b'{"seed":-Infinity}',
    "a number no double holds": b'{"seed":1e400}',
    "an endless whole number": b'{"seed":' + b"1" * 5000 + b"}",
    "half a surrogate pair": b'{"world":"\\ud800"}',
    "no UTF-8": b'{"world":"\xff"}',
    "arrays without end": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["/sandboxes/new", CPG, USDT + "?venue=ETH"])
def test_what_is_no_json_is_refused(steer: Steer, path: str, body: bytes) -> None:
    before = state(steer)
    status, error, at, hint = steer.refused("PUT", path, body)
    assert (status, at, hint) == (400, "$", "send one JSON value")
    assert error.startswith("the body is not JSON: ")
    assert state(steer) == before


def test_a_world_nested_without_end_is_refused(steer: Steer) -> None:
    body = b'{"world":{"cpg":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}"
    told = steer.refused("POST", "/sandboxes", body)
    assert told == (400, "Object contains unknown field `a`", "$.world.cpg.a", CHAPTER)


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [
        ("POST", D + "/events/cpg", "event"),
        ("PATCH", D + "/quirks", "coinw.empty"),
        ("PATCH", D + "/limits", "cpg.key"),
        ("POST", CLOCK, "advance"),
        ("PUT", BTC, "total"),
        ("POST", BTC + "/moves", "credit"),
        ("POST", VERIFY, "match"),
    ],
)
def test_a_member_nested_without_end_is_refused(
    steer: Steer, method: str, path: str, member: str
) -> None:
    before = state(steer)
    body = b'{"%b":' % member.encode() + b"[" * 900 + b"]" * 900 + b"}"
    assert steer.refused(method, path, body)[0] == 400
    assert state(steer) == before


TWICE = [
    ("PUT", "/sandboxes/new", b'{"seed":1,"seed":2}', "$.seed"),
    ("PUT", "/sandboxes/new", b'{"seed":1,"\\u0073eed":1}', "$.seed"),
    ("PUT", "/sandboxes/new", b'{"quirks":{"cpg.replay":"on","cpg.replay":"on"}}', '$.quirks["cpg.replay"]'),
    ("POST", D + "/faults", b'{"name":"a","match":{"header":{"x y":"1","x y":"2"}}}', '$.match.header["x y"]'),
    ("PUT", CPG, b'{"balances":[{"asset":"A","total":"1"},{"asset":"A","total":"1","total":"2"}]}', "$.balances[1].total"),
    ("PUT", CPG, b'{"x":"' + b"x" * 100_000 + b'","y":1,"y":1}', "$.y"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "at"), TWICE, ids=[row[3] for row in TWICE])
def test_a_member_given_twice_is_refused_with_its_path(
    steer: Steer, method: str, path: str, body: bytes, at: str
) -> None:
    hint = "give each member once"
    assert steer.refused(method, path, body) == (400, "the member is given twice", at, hint)


SETTINGS = [
    ({"coinstats.credits": 25}, "coinstats.credits", "25"),
    ({"cpg.replay": False}, "cpg.replay", "off"),
    ({"cdp.strict_claims": True}, "cdp.strict_claims", "true"),
    ({"coinstats.bad_exchange_credentials": 403}, "coinstats.bad_exchange_credentials", "403"),
    ({"cpg.timestamp_window": 90}, "cpg.timestamp_window", "90s"),
    ({"cpg.timestamp_window": 1.5}, "cpg.timestamp_window", "1500ms"),
    ({"cpg.timestamp_window": "1m30s"}, "cpg.timestamp_window", "1m30s"),
]


@pytest.mark.parametrize(("quirks", "name", "shown"), SETTINGS, ids=str)
def test_a_quirk_is_given_as_the_value_it_is(
    steer: Steer, quirks: dict[str, Any], name: str, shown: str
) -> None:
    assert steer.good("PATCH", D + "/quirks", quirks)[name] == shown
    steer.good("PUT", "/sandboxes/new", {"quirks": quirks}, 201)
    assert steer.good("GET", "/sandboxes/new/quirks")[name] == shown
    steer.good("PUT", "/sandboxes/new", {"scenario": {"quirks": quirks}}, 201)
    assert steer.good("GET", "/sandboxes/new/quirks")[name] == shown
    with MockServer(quirks=quirks) as server:
        assert server.quirks[name] == shown


def test_durations_are_numbers_of_seconds_too(steer: Steer) -> None:
    moved = steer.good("POST", CLOCK, {"advance": 61.5, "skew": -400})
    assert (moved["now"], moved["skew"]) == ("2026-01-01T00:01:01.5Z", "-400s")
    told = steer.good("PUT", "/sandboxes/new", {"ttl": 90}, 201)
    assert told["expires"] == "2026-01-01T00:01:30Z"
    rule = {"name": "late", "when": {"from": 1, "for": 1.5}, "deliver": {"hang": "1m0.5s"}}
    steer.good("POST", D + "/faults", rule)


def test_a_client_that_leaves_within_a_body_is_no_error(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(server.url)
    half = b"POST /__admin/sandboxes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\nContent-Type: application/json\r\n\r\n{"
    with socket.create_connection((address.hostname, address.port), WAIT) as sock:
        sock.sendall(half)
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(WAIT)
        while sock.recv(65536):
            pass
    assert requests.get(server.url + "/__admin/health", timeout=WAIT).status_code == 200
    assert caplog.messages == []


@pytest.mark.parametrize(("size", "status"), [(4 * MIB, 201), (4 * MIB + 1, 413), (40 * MIB, 413)])
def test_a_body_has_at_most_four_mebibytes(steer: Steer, size: int, status: int) -> None:
    body = b"{" + b" " * (size - 2) + b"}"
    answer = steer("PUT", "/sandboxes/new", body)
    assert answer.status_code == status
    made = 1 if status == 413 else 2
    assert len(steer.good("GET", "/sandboxes")["sandboxes"]) == made


# Who may call


WRITES = [
    ("POST", "/sandboxes", b"{}"),
    ("PUT", "/sandboxes/new", b"{}"),
    ("PATCH", D + "/quirks", b'{"coinw.empty":"null"}'),
    ("PATCH", D + "/limits", b'"off"'),
    ("POST", CLOCK, b'{"advance":"1h"}'),
    ("PUT", BTC, b'{"total":"1"}'),
]


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_must_say_that_it_is_json(
    steer: Steer, method: str, path: str, body: bytes | None, media_type: str | None
) -> None:
    before = state(steer)
    headers = {"Content-Type": media_type} if media_type else {}
    answer = steer(method, path, body, headers)
    assert answer.status_code == 415
    assert answer.json() == {
        "error": "not JSON",
        "at": "$",
        "hint": "send Content-Type: application/json",
    }
    assert state(steer) == before


def test_the_media_type_may_have_a_charset_and_capitals(steer: Steer) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert steer("POST", CLOCK, b'{"advance":"1s"}', headers).status_code == 200


CALLS = [("GET", "/health", None), ("GET", D, None), ("POST", CLOCK, b'{"advance":"1h"}')]
ORIGINS = ["http://evil.test", "null", "http://128.0.0.1", "http://localhost.evil.test", "https://"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_foreign_origin_is_refused_on_reads_too(
    steer: Steer, method: str, path: str, body: bytes | None, origin: str
) -> None:
    answer = steer(method, path, body, JSON | {"Origin": origin})
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign origin")
    assert steer.good("GET", CLOCK)["now"] == START


def test_the_same_origin_is_allowed(server: MockServer, steer: Steer) -> None:
    assert steer("GET", "/health", None, {"Origin": server.url}).status_code == 200
    assert steer("GET", "/health", None, {"Origin": "http://127.0.0.2:3000"}).status_code == 200
    answer = steer("POST", CLOCK, b'{"advance":"1h"}', JSON | {"Origin": server.url})
    assert answer.json()["now"] == "2026-01-01T01:00:00Z"


HOSTS = [
    ("127.0.0.1", 200),
    ("127.0.0.1:1", 200),
    ("LocalHost:8490", 200),
    ("[::1]:8490", 200),
    ("127.0.0.2", 200),
    ("127.255.255.254:8490", 200),
    ("128.0.0.1", 403),
    ("[::2]", 403),
    ("localhost.evil.test", 403),
    ("evil.test", 403),
    ("127.0.0.1:x", 403),
    ("api.coinw.com", 403),
    ("cpg.localhost", 403),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_without_a_token_only_loopback_hosts_are_served(
    steer: Steer, host: str, status: int
) -> None:
    answer = steer("GET", D, None, {"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {
            "error": "foreign host",
            "at": "$",
            "hint": "call 127.0.0.1, or set an admin token",
        }


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
    (BEARER, 200),
    (BEARER | {"Host": "mock.internal"}, 200),
    (BEARER | {"Origin": "http://evil.test"}, 403),
    (BEARER | {"Host": "mock.internal", "Origin": "http://mock.internal"}, 200),
    (BEARER | {"Host": "api.coinw.com"}, 403),
    (BEARER | {"Host": "cpg.localhost:8490"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), TOKENS)
@pytest.mark.parametrize("path", ["/health", "/openapi.json", D])
def test_with_a_token_every_call_carries_it(
    server: MockServer,
    steer: Steer,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    headers: dict[str, str],
    status: int,
) -> None:
    monkeypatch.setattr(server.app, "admin_token", "open")
    answer = steer("GET", path, None, headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json() == {
            "error": "no admin token",
            "at": "$",
            "hint": "send Authorization: Bearer TOKEN",
        }
        assert answer.headers["www-authenticate"] == "Bearer"
    stream = f"{steer.url}/__admin{REQUESTS}/stream"
    with steer.session.get(stream, headers=headers, stream=True, timeout=WAIT) as followed:
        assert followed.status_code == status


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("sandbox", ["", "/~default"])
def test_no_provider_leads_to_the_control_api(
    server: MockServer, steer: Steer, provider: str, sandbox: str
) -> None:
    port = urlsplit(getattr(server, provider).base_url)._replace(path="").geturl()
    for url in (port, f"{server.url}/{provider}"):
        answer = steer.session.get(f"{url}{sandbox}/__admin/health", timeout=WAIT)
        assert answer.json() != {"status": "ok"}
        assert server.journal[-1].provider == provider
        assert server.journal[-1].reason != ""


METHODS = [
    ("HEAD", "/health", "GET"),
    ("OPTIONS", "/health", "GET"),
    ("TRACE", "/health", "GET"),
    ("PROPFIND", "/health", "GET"),
    ("POST", "/openapi.json", "GET"),
    ("POST", REQUESTS + "/stream", "GET"),
    ("HEAD", REQUESTS + "/stream", "GET"),
    ("PUT", "/sandboxes", "GET, POST"),
    ("PATCH", D, "PUT, GET, DELETE"),
    ("GET", D + "/reset", "POST"),
    ("POST", D + "/quirks", "GET, PATCH"),
    ("DELETE", CPG, "GET, PUT"),
    ("GET", BTC, "PUT, DELETE"),
    ("GET", BTC + "/moves", "POST"),
    ("POST", REQUESTS, "GET, DELETE"),
]


@pytest.mark.parametrize(("method", "path", "allow"), METHODS)
def test_a_method_that_is_not_there_is_told_which_are(
    steer: Steer, method: str, path: str, allow: str
) -> None:
    answer = steer(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert answer.json() == {
            "error": f"{path} has no {method}",
            "at": "$",
            "hint": f"it has {allow}",
        }


# Time


MOTIONS = [
    ({"advance": "0s"}, {}),
    ({"advance": "61s"}, {"now": "2026-01-01T00:01:01Z"}),
    ({"advance": f"{CENTURY}h"}, {"now": "2125-12-08T00:00:00Z"}),
    ({"set": START}, {}),
    ({"set": "2026-01-01T01:00:00+01:00"}, {}),
    ({"set": "2026-02-01T00:00:00.25Z"}, {"now": "2026-02-01T00:00:00.25Z"}),
    ({"freeze": True}, {"frozen": True}),
    ({"rate": 60}, {"rate": 60.0}),
    ({"rate": 1_000_000}, {"rate": 1e6}),
    ({"rate": 0.000001}, {"rate": 1e-6}),
    ({"skew": "-400s"}, {"skew": "-400s", "auth_now": "2025-12-31T23:53:20Z"}),
    ({"skew": "250ms"}, {"skew": "250ms", "auth_now": "2026-01-01T00:00:00.25Z"}),
    ({"skew": f"{CENTURY}h"}, {"skew": "3153600000s", "auth_now": "2125-12-08T00:00:00Z"}),
    ({"skew": f"-{CENTURY}h"}, {"skew": "-3153600000s", "auth_now": "1926-01-26T00:00:00Z"}),
    (
        {"advance": "1s", "set": "2027-01-01T00:00:00Z", "rate": 2, "freeze": True, "skew": "1s"},
        {
            "now": "2027-01-01T00:00:01Z",
            "rate": 2.0,
            "frozen": True,
            "skew": "1s",
            "auth_now": "2026-01-01T00:00:01Z",
        },
    ),
]


@pytest.mark.parametrize(("motion", "changed"), MOTIONS)
def test_the_clock_is_shown_and_moved(
    steer: Steer, motion: dict[str, Any], changed: dict[str, Any]
) -> None:
    still = {"now": START, "frozen": False, "rate": 1.0, "auth_now": START, "skew": "0s"}
    assert steer.good("GET", CLOCK) == still
    assert steer.good("POST", CLOCK, motion) == still | changed
    assert steer.good("GET", CLOCK) == still | changed


def test_the_clock_ends_with_the_year_9999(server: MockServer, steer: Steer) -> None:
    for _ in range(79):
        steer.good("POST", CLOCK, {"advance": f"{CENTURY}h"})
    end = {"set": "9999-12-31T23:59:58Z", "advance": "1s"}
    assert steer.good("POST", CLOCK, end)["now"] == "9999-12-31T23:59:59Z"
    told = steer.refused("POST", CLOCK, {"advance": "1ms"})
    assert told == (400, "the clock ends with the year 9999", "$.advance", TABLE)
    assert steer.good("GET", CLOCK)["now"] == "9999-12-31T23:59:59Z"
    assert ask(server, "cpg", **SUBMIT).status_code == 200
    assert ask(server, "cpg", "/v1/withdrawals/1", method="GET").status_code == 200


# The ledger


def row(steer: Steer, path: str, asset: str, venue: str = "") -> dict[str, Any] | None:
    rows = steer.good("GET", path)["balances"]
    return next((r for r in rows if (r["asset"], r["venue"]) == (asset, venue)), None)


def test_a_row_is_put_and_what_it_prints_stays(steer: Steer) -> None:
    printed = {"decimals": 6, "fee": "1.500000", "minimum": "10.000000"}
    put = {"asset": "USDT", "venue": "ETH", "total": "3.50", "held": "0", "available": "3.50"}
    assert steer.good("PUT", USDT + "?venue=ETH", {"total": "3.50"}) == put | printed
    assert row(steer, CPG, "USDT", "ETH") == put | printed
    assert row(steer, CPG, "USDT", "TRX") is not None
    again = steer.good("PUT", USDT + "?venue=ETH", put | printed)  # as it was shown
    assert again == put | printed


def test_a_row_is_new_or_replaced_where_its_only_venue_is(steer: Steer) -> None:
    steer.good("PUT", CPG + "/N%2FW?venue=%2F%C3%A9", {"total": "1"})
    told = steer.good("PUT", CPG + "/N%2FW", {"total": "2", "held": "2"})
    assert (told["asset"], told["venue"], told["available"]) == ("N/W", "/é", "0")
    assert steer.good("DELETE", CPG + "/N%2FW", status=204) is None
    assert row(steer, CPG, "N/W", "/é") is None


def test_the_rows_of_an_account_are_replaced(server: MockServer, steer: Steer) -> None:
    rows = [{"asset": "A", "total": "1.0"}, {"asset": "B", "total": "2", "held": "0.5"}]
    told = steer.good("PUT", COINW, {"balances": rows})
    assert told == {
        "account": "main",
        "label": "main",
        "balances": [
            {"asset": "A", "venue": "", "total": "1.0", "held": "0", "available": "1.0"},
            {"asset": "B", "venue": "", "total": "2", "held": "0.5", "available": "1.5"},
        ],
    }
    assert steer.good("GET", COINW) == told
    assert steer.good("PUT", COINW, {"balances": told["balances"]}) == told
    assert list(ask(server, "coinw").json()["data"]) == ["A", "B"]
    assert steer.good("PUT", COINW, {"balances": []})["balances"] == []


TINY = "0." + "0" * 39 + "1"
BIG = "9" * 40
MOVED = [
    ({"credit": "1.5"}, "3.5", "0.50", "3.00"),
    ({"debit": "1.50"}, "0.50", "0.50", "0.00"),
    ({"hold": "1.5"}, "2.0", "2.00", "0.00"),
    ({"release": "0.5"}, "2.0", "0.00", "2.00"),
    ({"credit": TINY}, "2." + "0" * 39 + "1", "0.50", "1.5" + "0" * 38 + "1"),
    ({"credit": BIG}, "1" + "0" * 39 + "1.0", "0.50", "1" + "0" * 40 + ".50"),
]


@pytest.mark.parametrize(("movement", "total", "held", "available"), MOVED)
def test_an_amount_is_moved_exactly(
    steer: Steer, movement: dict[str, str], total: str, held: str, available: str
) -> None:
    steer.good("PUT", BTC, {"total": "2.0", "held": "0.50"})
    told = steer.good("POST", BTC + "/moves", movement)
    assert (told["total"], told["held"], told["available"]) == (total, held, available)
    assert row(steer, COINW, "BTC") == told


def test_an_account_may_be_named_by_its_label(steer: Steer) -> None:
    told = steer.good("PUT", D + "/ledger/cdp/many/btc", {"total": "1"})
    by_id = D + "/ledger/cdp/account_00000000-0000-4000-8000-000000000250"
    assert row(steer, by_id, "btc") == told
    assert steer.good("GET", by_id) == steer.good("GET", D + "/ledger/cdp/many")
    assert steer.good("GET", by_id)["label"] == "many"
    assert len(steer.good("GET", by_id)["balances"]) == 251


def test_the_whole_ledger_is_told(steer: Steer) -> None:
    told = steer.good("GET", D + "/ledger")
    assert told.pop("next") is None
    assert {name: len(accounts) for name, accounts in told.items()} == {
        "cdp": 5,
        "coinapi": 2,
        "coinstats": 1,
        "coinw": 2,
        "cpg": 2,
    }
    assert told["cpg"]["main"] == steer.good("GET", CPG)


def whole(told: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns every row of a page: provider, account, asset, venue."""
    return [
        (name, id, row["asset"], row["venue"])
        for name, accounts in told.items()
        if name != "next"
        for id, account in accounts.items()
        for row in account["balances"]
    ]


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_the_ledger_is_paged_and_streamed_whole(steer: Steer, limit: int) -> None:
    everything = whole(steer.good("GET", D + "/ledger"))
    paged, after = [], "0.0.0"
    while after is not None:
        told = steer.good("GET", f"{D}/ledger?after={after}&limit={limit}")
        rows = whole(told)
        assert len(rows) <= limit
        paged += rows
        after = told["next"]
    assert paged == everything
    assert len(set(paged)) == len(paged)
    answer = steer.session.get(
        f"{steer.url}/__admin{D}/ledger", headers={"Accept": "application/x-ndjson"}, timeout=WAIT
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    rows = [(li["provider"], li["account"], li["balance"]) for li in lines]
    assert [(name, id, row["asset"], row["venue"]) for name, id, row in rows] == everything
    assert all(line["label"] for line in lines)


# Events

PORTFOLIO = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"
SUBMIT: dict[str, Any] = {
    "method": "POST",
    "target": "/v1/withdrawals",
    "data": b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}',
}
STATUS: dict[str, Any] = {
    "method": "GET",
    "target": f"/v1/portfolio/status?portfolioId={PORTFOLIO}",
}


def happen(steer: Steer, provider: str, event: str, **members: Any) -> None:
    body = {"event": event, **members}
    assert steer.good("POST", f"{D}/events/{provider}", body) == {"event": event}


@pytest.mark.parametrize(
    ("event", "total", "held"),
    [
        ("withdrawal_confirmed", "1448.500000", "200.000000"),
        ("withdrawal_failed", "1500.000000", "200.000000"),
    ],
)
def test_a_withdrawal_is_settled_once(
    server: MockServer, steer: Steer, event: str, total: str, held: str
) -> None:
    assert ask(server, "cpg", **SUBMIT).status_code == 200
    waiting = row(steer, CPG, "USDT", "ETH")
    assert waiting is not None
    assert (waiting["total"], waiting["held"]) == ("1500.000000", "251.500000")
    happen(steer, "cpg", event, id=1)
    settled = row(steer, CPG, "USDT", "ETH")
    assert settled is not None
    assert (settled["total"], settled["held"]) == (total, held)
    status = event.removeprefix("withdrawal_")
    told = steer.refused("POST", D + "/events/cpg", {"event": event, "id": 1})
    assert told == (400, f"withdrawal 1 is {status} already", "$", LEDGER)
    assert row(steer, CPG, "USDT", "ETH") == settled


def test_moving_the_clock_lets_happen_what_is_due(server: MockServer, steer: Steer) -> None:
    ask(server, "cpg", **SUBMIT)
    steer.good("POST", CLOCK, {"advance": "59s"})
    waiting = row(steer, CPG, "USDT", "ETH")
    steer.good("POST", CLOCK, {"advance": "1s"})
    settled = row(steer, CPG, "USDT", "ETH")
    assert waiting is not None
    assert settled is not None
    assert (waiting["total"], settled["total"]) == ("1500.000000", "1448.500000")


@pytest.mark.parametrize("provider", discover())
def test_a_key_is_revoked_at_every_provider(
    server: MockServer, steer: Steer, provider: str
) -> None:
    ask(server, provider)
    happen(steer, provider, "key_revoked", key="main")
    steer.good("POST", CLOCK, {"skew": "1s"})
    ask(server, provider)
    entries = steer.good("GET", REQUESTS)["requests"]
    assert [entry["reason"] for entry in entries] == ["", "revoked_credential"]
    told = steer.refused("POST", f"{D}/events/{provider}", {"event": "key_revoked", "key": "x"})
    assert (told[0], told[1].partition(":")[0], told[2]) == (400, "no credential x", "$")


def test_permissions_are_changed(server: MockServer, steer: Steer) -> None:
    seen = []
    for n, permissions in enumerate(([], ["read_balance"], ["withdraw"])):
        happen(steer, "cpg", "permission_changed", key="main", permissions=permissions)
        seen.append(ask(server, "cpg", f"/v1/balances?n={n}", method="GET").status_code)
    assert seen == [403, 200, 403]


def test_an_exchange_comes_and_goes(server: MockServer, steer: Steer) -> None:
    seen = []
    for event in ("exchange_unreachable", "exchange_reachable"):
        happen(steer, "coinapi", event, id="KRAKEN")
        seen.append(read(server, "?exchange_id=KRAKEN"))
    assert seen == [490, 200]


def test_an_exchange_reports_new_figures(server: MockServer, steer: Steer) -> None:
    report = {"account": "main", "asset": "XBT", "venue": "KRAKEN", "total": "7", "held": "7"}
    happen(steer, "coinapi", "balance_update", **report)
    told = row(steer, D + "/ledger/coinapi/main", "XBT", "KRAKEN")
    assert told is not None
    assert (told["total"], told["held"], told["last_updated_by"]) == ("7", "7", "EXCHANGE")
    assert told["rate_usd"] == "1355.12"


def test_a_portfolio_is_synced(server: MockServer, steer: Steer) -> None:
    ask(server, "coinstats")
    happen(steer, "coinstats", "portfolio_synced", id=PORTFOLIO)
    told = steer.refused(
        "POST", D + "/events/coinstats", {"event": "portfolio_synced", "id": PORTFOLIO}
    )
    assert told == (400, f"portfolio {PORTFOLIO} is synced already", "$", LEDGER)


def test_no_event_is_left_untested(steer: Steer) -> None:
    told = {name: p["events"] for name, p in steer.good("GET", "/providers").items()}
    assert told == {
        "cdp": ["key_revoked"],
        "coinapi": ["exchange_unreachable", "exchange_reachable", "balance_update", "key_revoked"],
        "coinstats": ["portfolio_synced", "key_revoked"],
        "coinw": ["key_revoked"],
        "cpg": ["withdrawal_confirmed", "withdrawal_failed", "permission_changed", "key_revoked"],
    }


# Settings


def test_quirks_are_changed_by_name_and_null_is_the_default(steer: Steer) -> None:
    before = steer.good("GET", D + "/quirks")
    assert before["coinw.empty"] == "object"
    changed = {"coinw.empty": "null", "cpg.timestamp_window": "5m"}
    assert steer.good("PATCH", D + "/quirks", changed) == before | changed
    assert steer.good("GET", D + "/quirks") == before | changed
    one = steer.good("PATCH", D + "/quirks", {"coinw.empty": None})
    assert one == before | {"cpg.timestamp_window": "5m"}
    assert steer.good("PATCH", D + "/quirks", {}) == one


def test_a_quirk_is_in_force_at_once(server: MockServer, steer: Steer) -> None:
    steer.good("PUT", COINW, {"balances": []})
    assert ask(server, "coinw").json()["data"] == {}
    steer.good("PATCH", D + "/quirks", {"coinw.empty": "null"})
    assert ask(server, "coinw").json()["data"] is None


def test_limits_are_changed_by_name_or_by_a_word(server: MockServer, steer: Steer) -> None:
    before = steer.good("GET", D + "/limits")
    changed = {"coinapi.reads": "1/60s", "cpg.key": "999999999999/3600s", "cpg.ip": "0/1s"}
    assert steer.good("PATCH", D + "/limits", changed) == before | changed
    assert [read(server), read(server)] == [200, 429]
    assert ask(server, "cpg").status_code == 429
    off = steer.good("PATCH", D + "/limits", "off")
    assert off == dict.fromkeys(before, "off")
    assert read(server) == 200
    assert steer.good("PATCH", D + "/limits", {"cpg.ip": "5/1s"}) == off | {"cpg.ip": "5/1s"}
    assert steer.good("PATCH", D + "/limits", "default") == before
    changed = {"cdp.reads": "1/500ms"}
    assert steer.good("PATCH", D + "/limits", changed) == before | changed
    assert steer.good("PATCH", D + "/limits", {"cdp.reads": None}) == before


# The journal


@pytest.fixture
def met(server: MockServer, steer: Steer) -> Steer:
    """Five requests: good, limited by nothing, unknown, unreachable, no route."""
    read(server)
    read(server, key="nobody")
    read(server, "?exchange_id=BITMEX")
    ask(server, "cpg", "/v1/balances?currency=USDT", method="GET")
    ask(server, "cpg", "/v1/nothing", method="GET")
    return steer


FILTERS = [
    ("", [1, 2, 3, 4, 5]),
    ("?provider=coinapi", [1, 2, 3]),
    ("?operation=balances", [1, 2, 3, 4]),
    ("?operation=getBalances", [1, 2, 3]),
    ("?operation=balances&provider=cpg", [4]),
    ("?status=200", [1, 4]),
    ("?status=490", [3]),
    ("?reason=unknown_credential", [2]),
    ("?reason=", [1, 4]),
    ("?status=401&reason=unknown_credential", [2]),
    ("?status=200&reason=unknown_credential", []),
    ("?after=3", [4, 5]),
    ("?after=5", []),
    ("?after=1&status=200", [4]),
    ("?last=2", [4, 5]),
    ("?last=9", [1, 2, 3, 4, 5]),
    ("?last=1&provider=coinapi", [3]),
    ("?order=newest", [5, 4, 3, 2, 1]),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_the_journal_is_filtered(met: Steer, query: str, expected: list[int]) -> None:
    told = met.good("GET", REQUESTS + query)
    assert [entry["n"] for entry in told["requests"]] == expected
    assert told["next"] is None


PAGES = [
    (1, "", [[1], [2], [3], [4], [5]]),
    (2, "", [[1, 2], [3, 4], [5]]),
    (5, "", [[1, 2, 3, 4, 5]]),
    (1000, "", [[1, 2, 3, 4, 5]]),
    (1, "&status=200", [[1], [4]]),
    (2, "&order=newest", [[5, 4], [3, 2], [1]]),
    (1, "&order=newest&status=200", [[4], [1]]),
]


@pytest.mark.parametrize(("limit", "filters", "expected"), PAGES)
def test_the_journal_is_paged(
    met: Steer, limit: int, filters: str, expected: list[list[int]]
) -> None:
    pages, after = [], 0
    while after is not None:
        told = met.good("GET", f"{REQUESTS}?after={after}&limit={limit}{filters}")
        pages.append([entry["n"] for entry in told["requests"]])
        after = told["next"]
    assert pages == expected


def test_an_entry_has_every_member(server: MockServer, met: Steer) -> None:
    entry = met.good("GET", REQUESTS + "/2")
    host = urlsplit(server.coinapi.base_url).netloc
    request, response = entry.pop("request"), entry.pop("response")
    assert entry == {
        "n": 2,
        "time": START,
        "auth_time": START,
        "provider": "coinapi",
        "operation": "getBalances",
        "method": "GET",
        "target": "/v1/balances",
        "credential": "",
        "status": 401,
        "reason": "unknown_credential",
        "note": "",
        "fault": None,
        "delivery": None,
        "duration_us": 0,
        "explanation": {
            "rule": "unknown_credential",
            "expected": "a key that exists",
            "received": "",
            "fix": "Use a key of this sandbox's world.",
        },
    }
    assert request["headers"]["host"] == host
    assert request["headers"]["x-coinapi-key"].startswith("redacted:")
    assert request["body"] == ""
    assert response["headers"]["content-type"].startswith("application/json")
    assert json.loads(response["body"])
    assert met.good("GET", REQUESTS)["requests"][1] == entry | {
        "request": request,
        "response": response,
    }
    assert met.good("GET", REQUESTS + "/1")["credential"] == "main"


def test_the_journal_is_forgotten(met: Steer) -> None:
    assert met.good("DELETE", REQUESTS, status=204) is None
    assert met.good("GET", REQUESTS) == {"requests": [], "next": None}
    assert met.refused("GET", REQUESTS + "/1")[0] == 404


MATCHES = [
    ({}, 5),
    ({"provider": "cpg"}, 2),
    ({"operation": "balances"}, 4),
    ({"operation": "listBalances"}, 1),
    ({"operation": ""}, 1),
    ({"method": "GET"}, 5),
    ({"method": "POST"}, 0),
    ({"target": "/v1/balances"}, 4),
    ({"target": "/v1/balances?currency=USDT"}, 1),
    ({"target": "/v1/balance"}, 0),
    ({"status": 401}, 1),
    ({"reason": "exchange_unreachable"}, 1),
    ({"reason": ""}, 2),
    ({"credential": "main"}, 3),
    ({"credential": ""}, 2),
    ({"header": {"X-CoinAPI-KEY": "x"}}, 0),
    ({"header": {"ACCEPT": "*/*"}}, 5),
    ({"provider": "coinapi", "operation": "balances", "status": 200, "credential": "main"}, 1),
]


@pytest.mark.parametrize(("match", "count"), MATCHES)
def test_requests_are_counted(met: Steer, match: dict[str, Any], count: int) -> None:
    told = met.good("POST", VERIFY, {"match": match, "exactly": count})
    assert told == {"count": count}
    wrong = met("POST", VERIFY, {"match": match, "exactly": count + 1})
    assert wrong.status_code == 409
    assert wrong.json()["count"] == count
    assert wrong.json()["error"] == f"{count} requests match"
    of_it = {"cpg": 2, "coinapi": 3}.get(match.get("provider", ""), 5)  # of others none
    assert len(wrong.json()["nearest"]) == min(3, of_it - count)


EXPECTED = [
    ({"exactly": 2}, 200),
    ({"exactly": 1}, 409),
    ({"exactly": 3}, 409),
    ({"at_least": 2}, 200),
    ({"at_least": 3}, 409),
    ({"at_most": 2}, 200),
    ({"at_most": 1}, 409),
    ({"at_least": 1, "at_most": 2}, 200),
    ({"at_least": 3, "at_most": 9}, 409),
    ({"exactly": 2, "at_most": 1}, 409),
    ({"exactly": 0}, 409),
    ({"exactly": -1}, 409),
]


@pytest.mark.parametrize(("expected", "status"), EXPECTED)
def test_a_number_of_requests_is_expected(
    met: Steer, expected: dict[str, int], status: int
) -> None:
    answer = met("POST", VERIFY, {"match": {"status": 200}, **expected})
    assert (answer.status_code, answer.json()["count"]) == (status, 2)


def test_what_the_journal_has_dropped_is_counted_all_the_same(
    server: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("wrong", "wrong", ""):
        read(server, key=key)
    monkeypatch.setattr(journal, "ENTRIES_MAX", 2)
    for _ in range(4):
        read(server)
    assert [e["n"] for e in steer.good("GET", REQUESTS)["requests"]] == [6, 7]

    def count(match: dict[str, Any], **expected: int) -> tuple[int, int]:
        answer = steer("POST", VERIFY, {"match": match, **expected})
        return answer.status_code, answer.json()["count"]

    assert count({"reason": "unknown_credential"}, exactly=0) == (409, 2)
    assert count({"reason": "unknown_credential", "credential": ""}, exactly=2) == (200, 2)
    assert count({"status": 200, "operation": "balances"}, exactly=5) == (200, 5)
    assert count({}, at_most=2) == (409, 7)
    assert count({"provider": "cpg"}, exactly=0) == (200, 0)
    # What entries alone tell: none is counted that might be one.
    assert count({"method": "GET"}, at_least=2) == (200, 2)
    assert count({"method": "GET"}, exactly=2) == (409, 2)
    assert count({"method": "POST"}, at_most=0) == (409, 0)
    assert count({"method": "GET", "provider": "cpg"}, exactly=0) == (200, 0)
    told = steer("POST", VERIFY, {"match": {"target": "/x"}, "exactly": 0}).json()
    assert "the journal has dropped 5 others that may match" in told["error"]
    assert "clear the journal" in told["hint"]
    steer.good("DELETE", REQUESTS, status=204)
    assert count({"method": "POST"}, exactly=0) == (200, 0)
    assert count({}, exactly=0) == (200, 0)


def test_requests_of_too_many_kinds_are_counted_by_fewer_members(
    server: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KEYS_MAX", 1)
    monkeypatch.setattr(journal, "ENTRIES_MAX", 1)
    for key in ("", "wrong", "wrong"):
        read(server, key=key)
    assert steer.good("POST", VERIFY, {"match": {"reason": "unknown_credential"}, "exactly": 2})
    assert steer.good("POST", VERIFY, {"match": {"status": 401}, "at_least": 1})
    wrong = steer("POST", VERIFY, {"match": {"status": 401}, "exactly": 1})
    assert wrong.status_code == 409
    assert "too many different requests" in wrong.json()["hint"]
    assert steer.good("GET", D + "/coverage")["coinapi"]["reasons"]["unknown_credential"] == 2


UNKNOWN = [
    ({"provider": "binance"}, "provider", "there are cdp, coinapi, coinstats, coinw, cpg"),
    ({"provider": "coinapy"}, "provider", "did you mean coinapi?"),
    ({"provider": ""}, "provider", "there are cdp, "),
    ({"operation": "nope"}, "operation", "there are balances, "),
    ({"operation": "listbalance"}, "operation", "did you mean listBalances?"),
    (
        {"provider": "coinapi", "operation": "listBalances"},
        "operation",
        "there are balances, getB",
    ),
    ({"reason": "rate_limit"}, "reason", "did you mean rate_limited?"),
    ({"provider": "cpg", "reason": "exchange_unreachable"}, "reason", "there are "),
]


@pytest.mark.parametrize(("match", "member", "hint"), UNKNOWN)
def test_a_name_that_does_not_exist_is_no_count_of_none(
    steer: Steer, match: dict[str, str], member: str, hint: str
) -> None:
    query = "&".join(f"{name}={value}" for name, value in match.items())
    for refused in (
        steer.refused("POST", VERIFY, {"match": match, "exactly": 0}),
        steer.refused("GET", f"{REQUESTS}?{query}"),
    ):
        status, error, at, told = refused
        assert (status, error) == (400, f"no {member} {match[member]}")
        assert at in (f"$.match.{member}", f"?{member}")
        assert hint in told


LABELS = [("main", 200), ("reject-unknown_credential", 200), ("mian", 400), ("reject-x", 400)]


@pytest.mark.parametrize(("label", "status"), LABELS)
def test_a_credential_is_counted_by_a_label_that_exists(
    steer: Steer, label: str, status: int
) -> None:
    match = {"provider": "coinapi", "credential": label}
    answer = steer("POST", VERIFY, {"match": match, "exactly": 0})
    assert answer.status_code == status
    rule = {"name": "one", "match": match, "answer": {"status": 500}}
    put = steer("POST", D + "/faults", rule)
    assert put.status_code == status
    assert (
        steer("PUT", D + "/scenario", {"name": "s", "rules": [rule | {"name": "two"}]}).status_code
        == status
    )
    if status == 400:
        assert answer.json()["error"] == put.json()["error"] == f"no credential {label}"
        assert put.json()["at"] == "$.match.credential"
        assert ("did you mean main?" in put.json()["hint"]) is (label == "mian")


def test_the_nearest_misses_are_of_what_was_asked_for(met: Steer) -> None:
    match = {"provider": "cpg", "operation": "listBalances", "status": 201}
    told = met("POST", VERIFY, {"match": match, "exactly": 1}).json()
    assert [miss["n"] for miss in told["nearest"]] == [4, 5]
    match = {"provider": "coinapi", "status": 201, "method": "PUT", "reason": "rate_limited"}
    told = met("POST", VERIFY, {"match": match, "exactly": 1}).json()
    assert {miss["request"]["provider"] for miss in told["nearest"]} == {"coinapi"}
    told = met(
        "POST", VERIFY, {"match": {"operation": "listBalances", "status": 404}, "exactly": 1}
    )
    assert told.json()["nearest"][0]["n"] == 4, "its operation, though another has the status"


def test_the_nearest_misses_come_first(met: Steer) -> None:
    match = {"provider": "coinapi", "status": 490, "reason": "other", "header": {"X-A": "b"}}
    told = met("POST", VERIFY, {"match": match, "at_least": 1}).json()
    assert [miss["n"] for miss in told["nearest"]] == [3, 1, 2]
    assert told["nearest"][0]["differs"] == {
        "reason": {"wanted": "other", "found": "exchange_unreachable"},
        "header X-A": {"wanted": "b", "found": None},
    }
    assert told["nearest"][0]["request"] == met.good("GET", REQUESTS + "/3")


def test_coverage_tells_what_was_met(server: MockServer, steer: Steer) -> None:
    before = steer.good("GET", D + "/coverage")
    for name, provider in discover().items():
        assert before[name]["operations"] == dict.fromkeys((r.id for r in provider.routes), 0)
        assert before[name]["reasons"] == dict.fromkeys(sorted(provider.errors), 0)
        known = {*before[name]["operations"], *provider.errors}
        assert set(before[name]["missing"]) == known
    for key in ("", "", "nobody"):
        read(server, key=key)
    after = steer.good("GET", D + "/coverage")
    assert after["coinapi"]["operations"] == {"getBalances": 3}
    assert after["coinapi"]["reasons"] == before["coinapi"]["reasons"] | {"unknown_credential": 1}
    gone = {"getBalances", "unknown_credential"}
    assert set(before["coinapi"]["missing"]) - set(after["coinapi"]["missing"]) == gone
    assert {n: c for n, c in after.items() if n != "coinapi"} == {
        n: c for n, c in before.items() if n != "coinapi"
    }


def test_the_journal_is_exported_as_an_archive(server: MockServer, steer: Steer) -> None:
    ask(server, "cpg", **SUBMIT)
    url = f"{server.url}/coinapi/v1/balances?apikey=nobody&a=%C3%A9&b="
    requests.get(url, timeout=WAIT)
    log = steer.good("GET", REQUESTS + ".har")["log"]
    assert log["version"] == "1.2"
    assert log["creator"] == {"name": "exchange-mockserver", "version": __version__}
    posted, asked = log["entries"]
    assert posted["startedDateTime"] == START
    assert posted["request"]["url"] == server.cpg.base_url + "/v1/withdrawals"
    assert posted["request"]["method"] == "POST"
    assert posted["request"]["postData"] == {
        "mimeType": "application/json",
        "text": SUBMIT["data"].decode(),
    }
    assert posted["request"]["bodySize"] == len(SUBMIT["data"])
    assert posted["response"]["status"] == 200
    assert posted["response"]["content"]["mimeType"] == "application/json"
    assert json.loads(posted["response"]["content"]["text"])["success"] is True
    assert posted["comment"] == ""
    redacted, *others = asked["request"]["queryString"]
    assert redacted["value"].startswith("redacted:")
    assert others == [{"name": "a", "value": "é"}, {"name": "b", "value": ""}]
    assert asked["request"]["url"].startswith(f"{server.url}/coinapi/v1/balances?apikey=redacted:")
    assert "postData" not in asked["request"]
    assert asked["comment"] == "unknown_credential"


# The stream


def follow(steer: Steer, id: str = "default") -> requests.Response:
    url = f"{steer.url}/__admin/sandboxes/{id}/requests/stream"
    return requests.get(url, stream=True, timeout=WAIT)


def event(lines: Iterator[bytes]) -> dict[str, Any]:
    """Returns the next event's entry; its id is the entry's number."""
    number = next(line for line in lines if line.startswith(b"id: "))
    entry = json.loads(next(lines).removeprefix(b"data: "))
    assert number == b"id: %d" % entry["n"]
    assert next(lines) == b""
    return dict(entry)


def test_every_follower_sees_every_request(server: MockServer, steer: Steer) -> None:
    with follow(steer) as one, follow(steer, "%64efault") as other:
        assert one.status_code == other.status_code == 200
        assert one.headers["content-type"].startswith("text/event-stream")
        streams = [answer.iter_lines() for answer in (one, other)]
        assert [next(lines) for lines in streams] == [b": following"] * 2
        read(server)
        read(server, key="nobody")
        seen = [[event(lines), event(lines)] for lines in streams]
    assert seen[0] == seen[1] == steer.good("GET", REQUESTS)["requests"]
    assert [entry["reason"] for entry in seen[0]] == ["", "unknown_credential"]


def followers(server: MockServer, id: str) -> int:
    return server.app.sandboxes.get(id).journal.streams


def forgotten(server: MockServer, steer: Steer, id: str, left: int) -> bool:
    """Waits, for so many calls, until a closed stream is noticed."""
    return any(steer("GET", "/health") and followers(server, id) == left for _ in range(2000))


def test_streams_are_bounded_and_a_closed_one_makes_room(
    server: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockserver.control.stream.STREAMS_MAX", 2)
    steer.good("PUT", "/sandboxes/mine", {}, 201)
    with follow(steer, "mine") as one:
        with follow(steer, "mine") as other:
            assert (one.status_code, other.status_code) == (200, 200)
            told = steer.refused("GET", "/sandboxes/mine/requests/stream")
            assert told == (409, "too many streams", "$", "close one of the 2 that are open")
        assert forgotten(server, steer, "mine", 1)
        with follow(steer, "mine") as third:
            assert third.status_code == 200
    assert forgotten(server, steer, "mine", 0)


def test_a_stream_ends_with_its_sandbox(steer: Steer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.control.stream.KEEP_ALIVE", 0.01)
    steer.good("PUT", "/sandboxes/mine", {}, 201)
    with follow(steer, "mine") as followed:
        lines = followed.iter_lines()
        assert [next(lines), next(lines), next(lines)] == [b": following", b"", b": still here"]
        steer.good("DELETE", "/sandboxes/mine", status=204)
        assert set(lines) <= {b"", b": still here"}  # it comes to an end


def test_a_reader_that_falls_behind_is_cut_off(
    server: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockserver.control.stream.QUEUE_MAX", 0)
    with follow(steer) as followed:
        lines = followed.iter_lines()
        assert next(lines) == b": following"
        read(server)
        assert list(lines) == [b""]


# Reset


def changed(server: MockServer, steer: Steer, id: str, key: str) -> None:
    """Changes everything that a sandbox has."""
    at = f"/sandboxes/{id}"
    read(server, id=id, key=key)
    steer.good("PUT", f"{at}/ledger/coinw/main/BTC", {"total": "9"})
    steer.good("PATCH", at + "/quirks", {"coinw.empty": "null", "coinw.bans": None})
    steer.good("PATCH", at + "/limits", {"cpg.key": "1/1s"})
    steer.good("POST", at + "/clock", {"advance": "1h", "rate": 2, "freeze": True, "skew": "9s"})
    steer.good("POST", at + "/events/coinapi", {"event": "key_revoked", "key": "main"})
    steer.good("POST", at + "/events/coinapi", {"event": "exchange_reachable", "id": "BITMEX"})


def test_a_reset_returns_to_how_the_sandbox_was_made(server: MockServer, steer: Steer) -> None:
    wish = {"seed": 7, "quirks": {"coinw.bans": "on"}, "limits": {"coinapi.reads": "2/60s"}}
    made = steer.good("PUT", "/sandboxes/mine", wish, 201)
    key = made["providers"]["coinapi"]["credentials"]["api_key"]
    before = state(steer, "mine")
    changed(server, steer, "mine", key)
    after = state(steer, "mine")
    assert all(after[part] != before[part] for part in before if part != "sandboxes")
    assert read(server, id="mine", key=key) == 401
    assert steer.good("POST", "/sandboxes/mine/reset") == made
    assert state(steer, "mine") == before
    assert [read(server, query, "mine", key) for query in ("?exchange_id=BITMEX", "", "")] == [
        490,
        200,
        429,
    ]
    steer.good("POST", "/sandboxes/mine/reset")
    assert read(server, id="mine", key=key) == 200  # its window is new


def test_one_sandbox_does_not_see_another(server: MockServer, steer: Steer) -> None:
    made = steer.good("PUT", "/sandboxes/mine", {}, 201)
    before = state(steer)
    changed(server, steer, "mine", made["providers"]["coinapi"]["credentials"]["api_key"])
    assert state(steer) == before


# Many at once


def test_calls_at_once_lose_nothing(server: MockServer) -> None:
    def credit(_: int) -> int:
        url = f"{server.url}/__admin{BTC}/moves"
        return requests.post(url, json={"credit": "0.0001"}, timeout=WAIT).status_code

    def make(n: int) -> int:
        url = f"{server.url}/__admin/sandboxes/same"
        return requests.put(url, json={"seed": n}, timeout=WAIT).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(credit, range(40))) == {200}
        assert set(pool.map(make, range(20))) == {201}
    steer = Steer(server.url)
    told = row(steer, COINW, "BTC")
    assert told is not None
    assert told["total"] == "0.0052"
    assert [s["id"] for s in steer.good("GET", "/sandboxes")["sandboxes"]] == ["default", "same"]
    steer.session.close()


RAW = [
    (b"GET /__admin/sandboxes/%zz HTTP/1.1", {}, 404),
    (b"GET /__admin/sandboxes/default/ledger/cpg/%2e%2e HTTP/1.1", {}, 404),
    (b"GET /__admin/../__admin/health HTTP/1.1", {}, 404),
    (b"GET /__admin%2Fhealth HTTP/1.1", {}, 404),
    (b"GET /%5F_admin/health HTTP/1.1", {}, 404),
    (b"GET //__admin/health HTTP/1.1", {}, 404),
    (b"GET /__administrator/health HTTP/1.1", {}, 404),
    (b"GET /__admin/health?%ff=%ff HTTP/1.1", {}, 400),
    (b"GET /__admin/health?&&= HTTP/1.1", {}, 400),
    (b"GET /__admin/health HTTP/1.1", {"Origin": "x" * 5000}, 403),
    (b"GET /__admin/health HTTP/1.1", {"Host": ""}, 403),
]


@pytest.mark.parametrize(("line", "headers", "status"), RAW)
def test_odd_bytes_are_refused_calmly(
    server: MockServer, line: bytes, headers: dict[str, str], status: int
) -> None:
    target = line.split()[1].decode()
    answer = exchange(server.url, get(target, headers))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"Traceback" not in answer


# What a review found


def test_what_is_due_and_cannot_happen_any_more_is_told_and_harms_nobody(
    server: MockServer, steer: Steer, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(server, "cpg", **SUBMIT).status_code == 200
    steer.good("DELETE", USDT + "?venue=ETH", status=204)
    assert steer.good("POST", CLOCK, {"advance": "61s"})
    assert ask(server, "cpg").status_code == 200
    (told,) = [r.getMessage() for r in caplog.records if "was not applied" in r.getMessage()]
    assert told.startswith("cpg: withdrawal_confirmed was not applied: ")


def test_a_movement_never_makes_an_amount_too_long_to_be_told(steer: Steer) -> None:
    nines = "9" * 80
    steer.good("PUT", USDT + "?venue=ETH", {"total": nines})
    told = steer.refused("POST", USDT + "/moves?venue=ETH", {"credit": nines})
    assert told[0] == 400
    assert "at most 80 digits" in told[1]
    assert row(steer, CPG, "USDT", "ETH")["total"] == nines


def test_a_default_limit_comes_back_where_all_are_off(steer: Steer) -> None:
    steer.good("PATCH", D + "/limits", "off")
    told = steer.good("PATCH", D + "/limits", {"cpg.key": None})
    assert (told["cpg.key"], told["cpg.ip"]) == ("120/60s", "off")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "127.evil.invalid", "localhost.evil.invalid", "192.0.2.1"]
)
def test_a_server_is_open_to_others_with_a_token_only(host: str) -> None:
    with pytest.raises(ValueError, match="is not loopback: set MOCKSERVER_ADMIN_TOKEN"):
        MockServer(host=host)
    MockServer(host=host, admin_token="t0ken")


def test_a_token_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        MockServer(admin_token="tök")


def test_a_server_that_starts_again_tells_its_new_addresses() -> None:
    server = MockServer()
    assert server.cpg.base_url == "http://mockserver/cpg"
    with server:
        first = server.cpg.base_url
        assert (
            requests.get(first + "/v1/balances", auth=server.cpg.auth, timeout=10).status_code
            == 200
        )
    with server:
        assert server.cpg.base_url != first
        url = server.cpg.base_url + "/v1/balances?again"
        assert requests.get(url, auth=server.cpg.auth, timeout=10).status_code == 200


def test_sandboxes_are_made_and_dropped_from_many_threads_while_they_are_listed() -> None:
    server = MockServer()
    done = threading.Event()

    def churn(_: int) -> int:
        made = 0
        while not done.is_set():
            server.drop(server.sandbox())
            made += 1
        return made

    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(churn, n) for n in range(2)]
        for _ in range(300):
            assert next(s.id for s in server.app.sandboxes) == "default"
        done.set()
        assert all(churned.result() for churned in made)


def test_with_many_keys_those_of_the_caller_are_hidden_all_the_same() -> None:
    server = MockServer(worlds.read(generate(accounts=30, assets=0, seed=1), "many"))
    labels = [*server.app.sandboxes.default.world.parts["coinw"].keys]
    for label in ("main", labels[-1]):
        key = server.coinw.credential(label)
        with server.coinw.client(label, transport=server.transport) as client:
            client.post(f"/api/v1/private?command=returnBalances&note={key['secret_key']}")
        assert server.journal[-1].status == 200
        assert key["secret_key"] not in repr(server.journal[-1])


def test_a_secret_behind_an_escape_is_hidden() -> None:
    server = MockServer()
    secret = server.cpg.credentials["secret"]
    escaped = "".join(f"%{ord(c):02x}" for c in secret)
    with server.cpg.client(transport=server.transport) as client:
        client.get(f"/v1/balances?note={escaped}")
    assert server.journal[-1].status == 200
    assert unquote(server.journal[-1].target).count(secret) == 0


def test_a_sandbox_is_made_of_a_file_from_python_only(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        'coinw: {keys: {main: {api_key: a, secret_key: b, account: m}}, accounts: {m: {balances: [{asset: BTC, total: "7.50"}]}}}'
    )
    server = MockServer()
    for world in (file, str(file)):
        assert str(server.sandbox(world=world).coinw.balances("m")[0].total) == "7.50"
    with pytest.raises(ValueError, match="no such world"):
        server.sandbox(world=tmp_path / "nope.yaml")
    file.write_text("coinw: {keys: 7")
    with pytest.raises(ValueError, match=r"mine\.yaml:2: "):
        server.sandbox(world=file)


def test_amounts_may_be_decimals_from_python() -> None:
    server = MockServer()
    server.coinw.set_balance("main", "BTC", total=Decimal("1.50"), held=Decimal("1E-9"))
    server.coinw.credit("main", "BTC", Decimal("0.5"))
    row = server.coinw.balances()[0]
    assert (str(row.total), f"{row.held:f}") == ("2.00", "0.000000001")
