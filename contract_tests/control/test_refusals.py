"""Wrong calls of the control API: each is located, explained in one line, and changes nothing."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from contract_tests.support.control_calls import WAIT, ControlClient
from mockserver import MockServer

MIB = 1024 * 1024
D = "/sandboxes/default"
CPG, COINW, COINAPI = (f"{D}/ledger/{name}/main" for name in ("cpg", "coinw", "coinapi"))
USDT, BTC = CPG + "/USDT", COINW + "/BTC"
REQUESTS = D + "/requests"
CENTURY = 876_000  # hours


def world(**sections: Any) -> dict[str, Any]:
    return {"world": sections}


def cpg(**section: Any) -> dict[str, Any]:
    return world(cpg=section)


def balances(*rows: Any) -> dict[str, Any]:
    return cpg(accounts={"main": {"balances": rows}})


def generated(**rows: int) -> dict[str, Any]:
    return cpg(accounts={account: {"generate": {"rows": count}} for account, count in rows.items()})


# For each call: its wrong bodies; the place and, where it matters, words of the message.
BODIES: dict[str, list[tuple[Any, ...]]] = {
    "PUT /sandboxes/new": [
        ({"sed": 1}, "$.sed", "did you mean seed? (at $.sed): members are world, seed, quirks"),
        ([], "$"),
        ("x", "$"),
        (b"null", "$"),
        ({"seed": 1.5}, "$.seed"),
        ({"seed": True}, "$.seed"),
        ({"ttl": "0s"}, "$.ttl"),
        ({"ttl": "-1s"}, "$.ttl"),
        ({"ttl": "86401s"}, "$.ttl"),
        ({"ttl": "1d"}, "$.ttl"),
        ({"ttl": [5]}, "$.ttl"),
        ({"quirks": {"cpg.replay": "x"}}, '$.quirks["cpg.replay"]', "none of on, off"),
        ({"quirks": {"cpg.replay": 1}}, '$.quirks["cpg.replay"]'),
        ({"quirks": {"coinw.bans": "on", "cpg.replay": None}}, '$.quirks["cpg.replay"]'),
        ({"limits": "none"}, "$.limits"),
        ({"limits": {"cpg.key": "1"}}, '$.limits["cpg.key"]', "as in 1/60s"),
        ({"limits": {"cpg.key": 5}}, '$.limits["cpg.key"]', "as in 5/60s"),
        ({"limits": []}, "$.limits"),
        *(({"world": name}, "$.world", "did you mean default?") for name in ("Default", "default.yaml", "./default", "default\0")),
        *(({"world": name}, "$.world", "no such world") for name in ("nope", "", "../worlds/default", "/etc/passwd", "~", "fixtures/worlds/default.yaml")),
        ({"world": 5}, "$.world"),
        ({"world": "whales"}, "$.world", "did you mean whale?"),
        ({"quirks": {"cpg.reply": "off"}}, '$.quirks["cpg.reply"]', "did you mean cpg.replay?"),
        (world(binance={}), "$.world.binance", "there are cdp, coinapi"),
        (world(name=5), "$.world.name"),
        (world(cpg=5), "$.world.cpg"),
        (cpg(kyes={}), "$.world.cpg.kyes", "did you mean keys?"),
        (balances({"asset": "A", "total": 1}), "$.world.cpg.accounts.main.balances[0].total", 'write "1"'),
        (balances({"asset": "A", "total": "1", "held": "2"}), "$.world.cpg.accounts.main.balances[0]"),
        (balances(*[{"asset": "A", "total": "1"}] * 2), "$.world.cpg.accounts.main.balances[1]"),
        (cpg(keys={"main": {"key_id": "a", "secret": "b", "account": "c"}}), "$.world.cpg.keys.main.account"),
        (world(cdp={"accounts": {"main": {"owner": "a"}}}), "$.world.cdp"),
        (world(cdp={"keys": {"main": {"key_id": "a", "key_secret": "b", "owner": "c"}}}), "$.world.cdp.keys.main.key_secret"),
        (generated(a=100_001), "$.world", "at most 100000 in all"),
        (generated(a=50_001, b=50_001), "$.world", "at most 100000 in all"),
        (generated(a=100_001, b=-1), "$.world", "at most 100000 in all"),
        (generated(a=-1), "$.world.cpg.accounts.a.generate"),
        (b'{"world":{"cpg":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}", "$.world.cpg.a"),
        (b'{"seed":1,"seed":2}', "$.seed", "given twice"),
        (b'{"seed":1,"\\u0073eed":1}', "$.seed", "given twice"),
        (b'{"quirks":{"cpg.replay":"on","cpg.replay":"on"}}', '$.quirks["cpg.replay"]', "given twice"),
    ],
    f"POST {D}/clock": [
        ({}, "$"),
        (None, "$"),
        ({"rate": None}, "$"),
        ({"x": 1}, "$.x", "members are advance, freeze"),
        ({"advnce": "1s"}, "$.advnce", "did you mean advance?"),
        ({"advance": "-1ms"}, "$.advance"),
        ({"advance": f"{CENTURY + 1}h"}, "$.advance"),
        ({"advance": "1"}, "$.advance"),
        ({"advance": 1e-10}, "$.advance"),
        ({"freeze": 1}, "$.freeze"),
        ({"set": "2025-12-31T23:59:59.999999999Z"}, "$.set"),
        ({"set": "9999-12-31T23:59:59Z"}, "$.set"),
        ({"set": "2026-02-30T00:00:00Z"}, "$.set"),
        ({"set": "2026-01-02T00:00:00"}, "$.set"),
        *(({"rate": rate}, "$.rate") for rate in (0, -0.0, -1, 1_000_000.5, True, "1")),
        ({"skew": f"{CENTURY + 1}h"}, "$.skew"),
        ({"skew": f"-{CENTURY + 1}h"}, "$.skew"),
        ({"advance": "1s", "rate": 2, "freeze": True, "skew": "soon"}, "$.skew"),
        ({"set": "2027-01-01T00:00:00Z", "advance": "1s", "rate": 0}, "$.rate"),
    ],
    f"PUT {USDT}": [({"total": "1"}, "?venue", "ETH, TRX")],
    f"DELETE {USDT}": [(None, "?venue", "ETH, TRX")],
    f"POST {USDT}/moves": [({"credit": "1"}, "?venue", "ETH, TRX")],
    f"PUT {USDT}?venue=ETH": [
        ({"total": "1", "held": "1.000001"}, "$"),
        ({"total": 1}, "$.total", 'write "1"'),
        ({"total": "-1"}, "$"),
        ({"total": "1.1234567"}, "$", "set decimals=7"),
        ({"total": "1", "fee": "-1"}, "$"),
        ({"total": "1e3"}, "$.total"),
        ({"total": "9" * 81}, "$.total"),
        ({"totl": "1"}, "$.totl", "did you mean total?"),
        ({"total": "1", "asset": "BTC"}, "$.asset"),
        ({"total": "1", "venue": "TRX"}, "$.venue"),
    ],
    f"PUT {CPG}/NEW": [({}, "$", "missing required field `total`")],
    f"PUT {COINAPI}/A?venue=NOPE": [({"total": "1"}, "$")],
    f"PUT {D}/ledger/cdp/many/BTC": [({"total": "1"}, "$")],
    f"PUT {CPG}": [
        ({}, "$"),
        ({"balances": {}}, "$.balances"),
        ({"balances": [{"asset": "A", "total": "1"}, {"asset": "B"}]}, "$.balances[1]"),
        ({"balances": [{"asset": "A", "total": "1"}, {"asset": "B", "total": 1}]}, "$.balances[1].total"),
        ({"balances": [{"asset": "A", "total": "1"}] * 2}, "$.balances[1]", "there twice"),
        (b'{"balances":[{"asset":"A","total":"1"},{"asset":"A","total":"1","total":"2"}]}', "$.balances[1].total", "given twice"),
        (b'{"x":"' + b"x" * 100_000 + b'","y":1,"y":1}', "$.y", "given twice"),
    ],
    f"PUT {COINAPI}": [({"balances": [{"asset": "A", "venue": "NOPE", "total": "1"}]}, "$")],
    f"POST {BTC}/moves": [
        ({"hold": "0.0013"}, "$.hold"),
        ({"debit": "0.0013"}, "$.debit"),
        ({"release": "0.0001"}, "$.release"),
        ({"credit": "0"}, "$.credit"),
        ({"credit": "-1"}, "$.credit"),
        ({"credit": 1}, "$.credit", 'write "1"'),
        ({"give": "1"}, "$.give", "members are credit, debit, hold, release"),
        ({"credit": "1", "hold": "1"}, "$"),
        ({}, "$"),
    ],
    f"PATCH {D}/quirks": [
        ({"coinw.empty": "x"}, '$["coinw.empty"]', "none of object, null, zero-bytes"),
        ({"coinw.amounts": "number", "coinw.empty": "x"}, '$["coinw.empty"]'),
        ({"cpg.confirm_after": "-1s"}, '$["cpg.confirm_after"]'),
        ({"coinstats.credits": "1.5"}, '$["coinstats.credits"]'),
        ({"coinw.bans": None, "coinw.empty": []}, '$["coinw.empty"]'),
        ([], "$"),
    ],
    f"PATCH {D}/limits": [
        ({"cpg.nope": "off"}, '$["cpg.nope"]', "did you mean cpg.ip?"),
        ({"cpg.nope": None}, '$["cpg.nope"]', "did you mean cpg.ip?"),
        ({"cpg.kee": "5/60s"}, '$["cpg.kee"]', "did you mean cpg.key?"),
        ({"cpg.ip": "off", "cpg.key": "1.5/1s"}, '$["cpg.key"]'),
        *(({"cpg.key": limit}, '$["cpg.key"]') for limit in ("1/0s", "-1/1s", "1000000000000/1h", 5)),
        ("none", "$"),
    ],
    f"POST {D}/events/cpg": [
        *((body, "$.event", "there are withdrawal_confirmed, ") for body in ({"event": "nope"}, {"event": []}, {}, {"event": "portfolio_synced", "id": "x"})),
        ({"event": "withdrawal_confirmed", "id": 1}, "$", "no withdrawal 1"),
        ({"event": "withdrawal_failed", "id": -(10**30)}, "$", "no withdrawal -1"),
        ({"event": "withdrawal_confirmed", "id": "1"}, "$.id"),
        ({"event": "withdrawal_confirmed", "id": 1, "x": 1}, "$.x", "members are id"),
        ({"event": "key_revoked"}, "$"),
        ({"event": "key_revokd", "key": "main"}, "$.event", "did you mean key_revoked?"),
        ({"event": "key_revoked", "key": "mian"}, "$", "did you mean main?"),
        ({"event": "permission_changed", "key": "main", "permissions": ["x"]}, "$", "no permission 'x'"),
    ],
    f"POST {D}/events/coinapi": [
        ({"event": "balance_update", "account": "main", "asset": "XBT", "venue": "KRAKEN", "total": "1", "held": "2"}, "$"),
        ({"event": "balance_update", "account": "main", "asset": "XBT", "venue": "K", "total": "1"}, "$"),
    ],
    f"POST {D}/events/coinstats": [({"event": "portfolio_synced", "id": "x"}, "$", "no portfolio x")],
    f"POST {REQUESTS}/verify": [
        ({}, "$", "give exactly, at_least or at_most"),
        ({"match": {}}, "$", "give exactly, at_least or at_most"),
        ({"exactly": "1"}, "$.exactly"),
        ({"match": {"x": 1}, "exactly": 1}, "$.match.x"),
        ({"match": {"operaton": "x"}, "exactly": 1}, "$.match.operaton", "did you mean operation?"),
        ({"match": {"header": {"a": "b", "c": 1}}, "exactly": 1}, "$.match.header.c"),
    ],
    f"POST {D}/faults": [
        (b'{"name":"a","match":{"header":{"x y":"1","x y":"2"}}}', '$.match.header["x y"]', "given twice"),
        ({"answer": {"reject": "rate_limitd"}}, "$.answer", "did you mean rate_limited?"),
        ({"deliver": {"rest": "before"}}, "$.deliver.rest", "did you mean reset?"),
        ({"match": {"provider": "cpq"}, "deliver": {"cut": 0.5}}, "$.match", "did you mean cpg?"),
    ],
    f"PUT {D}/scenario": [
        ({"name": "half-lots"}, "$.name", "did you mean half-lost?"),
    ],
    f"POST {D}/sign": [
        ({}, "$.provider"),
        ({"provider": "cgp"}, "$.provider", "did you mean cpg?"),
        ({"provider": "cpg", "credential": "mian"}, "$.credential"),
        ({"provider": "cpg", "as": "crul"}, "$.as"),
        ({"provider": "cpg", "to": "moon"}, "$.to"),
        ({"provider": "cpg", "as": "pytest"}, "$.entry"),
        ({"provider": "cpg", "path": "v1"}, "$.path"),
        ({"provider": "cpg", "path": "/v 1"}, "$.path"),
        ({"provider": "cpg", "method": "GET\r\nX: 1"}, "$.method"),
        ({"provider": "cpg", "quary": ""}, "$.quary"),
    ],
    f"POST {D}/judge": [
        ({}, "$"),
        ({"text": "x", "entry": 1}, "$"),
        ({"text": "curl"}, "$.text"),
        ({"text": "curl http://127.0.0.1/nowhere"}, "$.text"),
        ({"text": "curl http://127.0.0.1/cpg", "provider": "cgp"}, "$.provider"),
    ],
}  # fmt: skip

# Wrong paths, ids and queries: status, place, and words of the message.
TARGETS: list[tuple[Any, ...]] = [
    *(("GET", path, None, 404, "$", "see /__admin/openapi.json") for path in ("", "/", "/health/", "/nothing", D + "/ledger/cpg")),
    ("GET", D + "%2Fclock", None, 404, "$", "no sandbox default/clock"),
    *(("GET", f"{path}?x=1", None, 400, "?x", "it takes none") for path in ("/health", "/openapi.json", REQUESTS + "/stream", CPG)),
    ("DELETE", USDT + "?vanue=ETH", None, 400, "?vanue", "did you mean venue?"),
    *(("GET", f"{D}/ledger?after={after}", None, 400, "?after") for after in ("1", "a.b.c", "1.2.3.4", "-1.0.0")),
    ("GET", D + "/ledger?limit=0", None, 400, "?limit"),
    ("GET", D + "/ledger?limit=1001", None, 400, "?limit", "at most 1000"),
    ("GET", D + "?full=yes", None, 400, "?full", "there are false, true"),
    ("GET", REQUESTS + "?nope=1", None, 400, "?nope", "there are provider, operation"),
    ("GET", REQUESTS + "?provder=cpg", None, 400, "?provder", "did you mean provider?"),
    ("GET", REQUESTS + "?credential=main", None, 400, "?credential"),
    ("GET", REQUESTS + "?order=new", None, 400, "?order", "did you mean newest?"),
    ("GET", REQUESTS + "?last=2&after=1", None, 400, "?after"),
    *(("GET", f"{REQUESTS}?limit={limit}", None, 400, "?limit") for limit in ("1001", "-1", "1.0", "", "%D9%A3", "9" * 5000)),
    ("GET", REQUESTS + "?after=1000000000001", None, 400, "?after"),
    ("GET", REQUESTS + "?status=1000", None, 400, "?status"),
    *(("GET", path, None, 404, "$", "create it, or use default") for path in ("/sandboxes/other", "/sandboxes/%ff%00", "/sandboxes/other/requests/stream")),
    ("POST", "/sandboxes/other/reset", None, 404, "$", "create it, or use default"),
    ("POST", "/sandboxes/other/reset", {}, 400, "$", "send none"),
    ("DELETE", D, None, 409, "$", "reset it instead"),
    ("DELETE", D, {"x": 1}, 400, "$", "send none"),
    ("PUT", D, {}, 409, "id", "choose another id"),
    ("PUT", "/sandboxes/%64efault", {}, 409, "id", "choose another id"),
    *(("PUT", f"/sandboxes/{id}", {}, 400, "id", "is not an id") for id in ("a%2Fb", "a%00", "%ff", "..%2f..", "~a", "%D9%A3", "a%0A", "x" * 65)),
    ("GET", D + "/ledger/binance/main", None, 404, "$", "there are cdp, coinapi"),
    ("GET", D + "/ledger/cpg/mian", None, 404, "$", "did you mean main?"),
    ("POST", D + "/events/binance", {"event": "x"}, 404, "$", "there are cdp, coinapi"),
    ("GET", "/providers/cgp/openapi.json", None, 404, "$", "did you mean cpg?"),
    *(("GET", f"{D}/ledger/cpg/{account}", None, 404, "$", "there are main, empty") for account in ("a%2Fb", "%ff")),
    ("DELETE", CPG + "/N%2FW", None, 404, "$", "no row N/W"),
    ("DELETE", USDT + "?venue=%2F", None, 404, "$", "did you mean USDT TRX?"),
    ("POST", COINW + "/NOPE/moves", {"credit": "1"}, 404, "$", "no row NOPE"),
    *(("GET", f"{REQUESTS}/{n}", None, 404, "$", "the journal may have dropped it") for n in ("1", "x")),
    ("GET", REQUESTS + ".har?n=9", None, 404, "$"),
    ("POST", D + "/sign", {"entry": 99}, 404, "$"),
    ("POST", D + "/judge", {"entry": 99}, 404, "$"),
    *(("GET", f"/live?follow={places}", None, 400, "?follow") for places in ("default:1", "default:x.0:y", ",".join(["default"] * 17))),
    ("GET", "/live?folow=default", None, 400, "?folow", "did you mean follow?"),
]  # fmt: skip


def differences(control: ControlClient, rows: list[tuple[Any, ...]]) -> list[Any]:
    """Sends each call; returns those whose refusal is not as its row says, with the refusal."""
    wrong = []
    for method, path, body, expected, at, *words in rows:
        status, error, where, hint = control.refused(method, path, body)
        line = f"{error} (at {where}): {hint}"
        as_expected = (status, where) == (expected, at) and all(word in line for word in words)
        if not as_expected or not error or "\n" in line:
            wrong.append((method, path, body, status, line))
    return wrong


@pytest.mark.parametrize("call", BODIES)
def test_a_wrong_body_is_located_and_changes_nothing(control: ControlClient, call: str) -> None:
    before = control.state()
    method, path = call.split()
    rows = [(method, path, body, 400, *expected) for body, *expected in BODIES[call]]
    assert differences(control, rows) == []
    assert control.state() == before


def test_a_wrong_path_or_query_is_located_and_changes_nothing(control: ControlClient) -> None:
    before = control.state()
    assert differences(control, TARGETS) == []
    assert control.state() == before


NO_JSON = {
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


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_a_body_that_is_not_json_is_refused(control: ControlClient, body: bytes) -> None:
    rows = [
        ("PUT", path, body, 400, "$", "send one JSON value") for path in ("/sandboxes/new", CPG)
    ]
    assert differences(control, rows) == []


NESTED = [
    ("POST", D + "/events/cpg", "event"),
    ("PATCH", D + "/quirks", "coinw.empty"),
    ("PATCH", D + "/limits", "cpg.key"),
    ("POST", D + "/clock", "advance"),
    ("PUT", BTC, "total"),
    ("POST", BTC + "/moves", "credit"),
    ("POST", REQUESTS + "/verify", "match"),
]


def test_a_member_that_is_nested_too_deeply_is_refused(control: ControlClient) -> None:
    before = control.state()
    for method, path, member in NESTED:
        body = b'{"%b":' % member.encode() + b"[" * 900 + b"]" * 900 + b"}"
        assert control.refused(method, path, body)[0] == 400
    assert control.state() == before


@pytest.mark.parametrize(("size", "status"), [(4 * MIB, 201), (4 * MIB + 1, 413), (40 * MIB, 413)])
def test_a_body_has_at_most_four_mebibytes(control: ControlClient, size: int, status: int) -> None:
    body = b"{" + b" " * (size - 2) + b"}"
    assert control("PUT", "/sandboxes/new", body).status_code == status
    count = 1 if status == 413 else 2
    assert len(control.good("GET", "/sandboxes")["sandboxes"]) == count


def test_a_client_that_leaves_within_a_body_is_not_an_error(
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


# Names that a match may have; the member and the words of a refusal.
UNKNOWN_NAMES = [
    ({"provider": "binance"}, "provider", "there are cdp, coinapi, coinstats, coinw, cpg"),
    ({"provider": "coinapy"}, "provider", "did you mean coinapi?"),
    ({"provider": ""}, "provider", "there are cdp, "),
    ({"operation": "nope"}, "operation", "there are balances, "),
    ({"operation": "listbalance"}, "operation", "did you mean listBalances?"),
    ({"provider": "coinapi", "operation": "listBalances"}, "operation", "there are balances, getB"),
    ({"reason": "rate_limit"}, "reason", "did you mean rate_limited?"),
    ({"provider": "cpg", "reason": "exchange_unreachable"}, "reason", "there are "),
]


def test_a_name_that_does_not_exist_is_refused_rather_than_matching_nothing(
    control: ControlClient,
) -> None:
    for match, member, words in UNKNOWN_NAMES:
        query = "&".join(f"{name}={value}" for name, value in match.items())
        body = {"match": match, "exactly": 0}
        rows = [
            ("POST", REQUESTS + "/verify", body, 400, f"$.match.{member}", words),
            ("GET", f"{REQUESTS}?{query}", None, 400, f"?{member}", words),
        ]
        assert differences(control, rows) == []


LABELS = [("main", 200), ("reject-unknown_credential", 200), ("mian", 400), ("ip_locked", 400)]


@pytest.mark.parametrize(("label", "status"), LABELS)
def test_a_match_by_credential_takes_a_label_that_exists(
    control: ControlClient, label: str, status: int
) -> None:
    match = {"provider": "coinapi", "credential": label}
    rule = {"name": "one", "match": match, "answer": {"status": 500}}
    scenario = {"name": "s", "rules": [rule | {"name": "two"}]}
    verified = control("POST", REQUESTS + "/verify", {"match": match, "exactly": 0})
    put = control("POST", D + "/faults", rule)
    played = control("PUT", D + "/scenario", scenario)
    assert [answer.status_code for answer in (verified, put, played)] == [status] * 3
    if status == 400:
        assert verified.json()["error"] == put.json()["error"] == f"no credential {label}"
        assert put.json()["at"] == "$.match.credential"
        assert ("did you mean main?" in put.json()["hint"]) is (label == "mian")


METHODS = [
    ("HEAD", "/health", "GET"),
    ("OPTIONS", "/health", "GET"),
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
def test_a_wrong_method_is_answered_with_the_right_ones(
    control: ControlClient, method: str, path: str, allow: str
) -> None:
    answer = control(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert answer.json()["hint"] == f"it has {allow}"
