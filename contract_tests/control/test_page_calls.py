"""The calls that the page and scripts share: sign, judge, upcoming, usage, kinds, facts, live."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import requests

from contract_tests.support.control_calls import JSON, WAIT, Steer
from mockserver import Auth, HandClock, MockServer
from mockserver.control import live
from mockserver.faults.parsing import RuleParser
from mockserver.model import times
from mockserver.providers import discover

REAL = HandClock(times.parse_instant("2026-01-01T00:00:00Z"))
D = "/sandboxes/default"
NAMES = [*discover()]


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=REAL) as server:
        yield server


@pytest.fixture
def steer(server: MockServer) -> Iterator[Steer]:
    steer = Steer(server.url)
    with steer.session:
        yield steer


def sign(steer: Steer, id: str = "default", **body: Any) -> Any:
    return steer.good("POST", f"/sandboxes/{id}/sign", body)


def send(signed: dict[str, Any]) -> requests.Response:
    request = signed["request"]
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            request["method"],
            request["url"],
            headers=request["headers"],
            data=request["body"],
            timeout=WAIT,
        )


# Sign


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("to", ["port", "gateway"])
@pytest.mark.parametrize("id", ["default", "own"])
def test_a_signed_request_is_accepted(
    server: MockServer, steer: Steer, name: str, to: str, id: str
) -> None:
    if id != "default":
        steer.good("PUT", f"/sandboxes/{id}", {}, 201)
    signed = sign(steer, id, provider=name, **{"as": "request", "to": to})
    assert send(signed).status_code == 200
    assert (f"{server.url}/" in signed["request"]["url"]) == (to == "gateway")


COMMANDS = {
    "curl": ["sh", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("form", COMMANDS)
@pytest.mark.parametrize("name", ["coinstats", "cpg"])
def test_the_text_of_a_signed_request_runs(steer: Steer, form: str, name: str) -> None:
    text = sign(steer, provider=name, **{"as": form})["text"]
    done = subprocess.run(
        [*COMMANDS[form], text], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    (entry,) = steer.good("GET", D + "/requests")["requests"]
    assert (entry["provider"], entry["status"]) == (name, 200)


MEMBERS = [
    ({"provider": "coinapi", "credential": "empty"}, 200, "empty"),
    ({"provider": "coinapi", "path": "/v1/balances", "query": "?exchange_id=KRAKEN"}, 200, "main"),
    ({"provider": "coinapi", "path": "/v1/balances", "method": "PATCH"}, 405, ""),
    ({"provider": "cpg", "credential": "reject-replayed"}, 401, "reject-replayed"),
    ({"provider": "cpg", "path": "/v1/nowhere"}, 404, ""),
    ({"provider": "cpg", "path": "/v1/withdrawals", "body": "{}"}, 422, "main"),
]


@pytest.mark.parametrize(("members", "status", "label"), MEMBERS)
def test_a_request_is_signed_as_wanted(
    steer: Steer, members: dict[str, Any], status: int, label: str
) -> None:
    assert send(sign(steer, **members, **{"as": "request"})).status_code == status
    (entry,) = steer.good("GET", D + "/requests")["requests"]
    assert label in (entry["credential"], "")


REFUSED = [
    ("sign", {}, "$.provider"),
    ("sign", {"provider": "cgp"}, "$.provider"),
    ("sign", {"provider": "cpg", "credential": "mian"}, "$.credential"),
    ("sign", {"provider": "cpg", "as": "crul"}, "$.as"),
    ("sign", {"provider": "cpg", "to": "moon"}, "$.to"),
    ("sign", {"provider": "cpg", "as": "pytest"}, "$.entry"),
    ("sign", {"provider": "cpg", "path": "v1"}, "$.path"),
    ("sign", {"provider": "cpg", "path": "/v 1"}, "$.path"),
    ("sign", {"provider": "cpg", "method": "GET\r\nX: 1"}, "$.method"),
    ("sign", {"provider": "cpg", "quary": ""}, "$.quary"),
    ("judge", {}, "$"),
    ("judge", {"text": "x", "entry": 1}, "$"),
    ("judge", {"text": "curl"}, "$.text"),
    ("judge", {"text": "curl http://127.0.0.1/nowhere"}, "$.text"),
    ("judge", {"text": "curl http://127.0.0.1/cpg", "provider": "cgp"}, "$.provider"),
]


@pytest.mark.parametrize(("verb", "body", "at"), REFUSED)
def test_a_mistake_is_located(steer: Steer, verb: str, body: dict[str, Any], at: str) -> None:
    status, _, where, _ = steer.refused("POST", f"{D}/{verb}", body)
    assert (status, where) == (400, at)


@pytest.mark.parametrize("verb", ["sign", "judge"])
def test_an_entry_that_is_not_there_is_a_404(steer: Steer, verb: str) -> None:
    assert steer.refused("POST", f"{D}/{verb}", {"entry": 99})[0] == 404


# The request of an entry


def refused_request(server: MockServer, name: str) -> None:
    """Sends a main read with a wrong secret, or a wrong key where there is no secret."""
    handle = getattr(server, name)
    key = dict(handle.credentials)
    if name == "cdp":
        key["key_secret"] = server.sandbox().cdp.credentials["key_secret"]
    key |= {k: v[:-1] + "x" for k, v in key.items() if k in ("secret", "secret_key")}
    key["api_key"] = key.get("api_key", "") + ("x" if name in ("coinapi", "coinstats") else "")
    send_main_read(handle, Auth(name, key, now=REAL))


def send_main_read(handle: Any, auth: Auth) -> None:
    signed = auth.example(handle.base_url)
    parts = urlsplit(handle.base_url)
    url = f"{parts.scheme}://{parts.netloc}{signed.target.decode()}"
    headers = {k.decode(): v.decode() for k, v in signed.headers}
    with requests.Session() as session:
        session.trust_env = False
        session.request(signed.method, url, headers=headers, data=signed.body, timeout=WAIT)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_signed_anew_and_judged_again(
    server: MockServer, steer: Steer, name: str
) -> None:
    refused_request(server, name)
    received = steer.good("POST", D + "/judge", {"entry": 1})
    assert (received["accepted"], received["signed_again"]) == (False, False)
    assert received["explanation"] == steer.good("GET", D + "/requests/1")["explanation"]
    judged = steer.good("POST", D + "/judge", {"entry": 1, "sign": True})
    assert (judged["accepted"], judged["signed_again"], judged["status"]) == (True, True, 200)
    assert len(steer.good("GET", D + "/requests")["requests"]) == 1
    assert send(sign(steer, entry=1, **{"as": "request"})).status_code == 200


def test_what_is_wrong_beside_the_signature_stays_wrong(server: MockServer, steer: Steer) -> None:
    requests.get(server.cpg.base_url + "/v1/balancs", timeout=WAIT)
    judged = steer.good("POST", D + "/judge", {"entry": 1})
    assert (judged["accepted"], judged["reason"]) == (False, "no_route")


def test_a_pasted_request_is_judged_by_the_sandbox_as_it_is_now(
    server: MockServer, steer: Steer
) -> None:
    line = sign(steer, provider="cpg")["text"]
    assert steer.good("POST", D + "/judge", {"text": line})["accepted"]
    steer.good("POST", D + "/clock", {"skew": "10m"})
    judged = steer.good("POST", D + "/judge", {"text": line})
    assert (judged["reason"], judged["explanation"]["rule"]) == (
        "outside_window",
        "clock drift",
    )
    steer.good("POST", D + "/clock", {"skew": "0s"})
    steer.good("POST", D + "/events/cpg", {"event": "key_revoked", "key": "main"})
    assert steer.good("POST", D + "/judge", {"text": line})["reason"] == "revoked_credential"
    assert steer.good("GET", D + "/requests")["requests"] == []


def test_an_entry_whose_request_was_dropped_is_signed_again(
    server: MockServer, steer: Steer
) -> None:
    refused_request(server, "cpg")
    server.app.sandboxes.default.history.clear()
    assert steer.good("POST", D + "/judge", {"entry": 1})["signed_again"]
    assert steer.refused("POST", D + "/judge", {"entry": 1, "sign": False})[2] == "$.entry"


def test_judging_leaves_no_trace(server: MockServer, steer: Steer) -> None:
    body = json.dumps(
        {"currency": "USDT", "network": "ETH", "amount": "100", "to_address": "0x" + "0" * 40}
    )
    line = sign(steer, provider="cpg", path="/v1/withdrawals", method="POST", body=body)["text"]
    before = steer.good("GET", D + "/ledger")
    assert steer.good("POST", D + "/judge", {"text": line})["operation"]
    assert steer.good("GET", D + "/ledger") == before


def test_an_entry_becomes_a_test_that_repeats_it(server: MockServer, steer: Steer) -> None:
    steer.good(
        "POST",
        D + "/faults",
        {
            "name": "half",
            "match": {"provider": "coinapi"},
            "when": {"requests": "1"},
            "deliver": {"delay": "1ms"},
        },
    )
    for _ in range(2):
        send(sign(steer, provider="coinapi", **{"as": "request"}))
    refused_request(server, "cpg")
    outcomes = []
    for entry in steer.good("GET", D + "/requests")["requests"]:
        names: dict[str, Any] = {}
        exec(sign(steer, entry=entry["n"], **{"as": "pytest"})["text"], names)
        sandbox = server.sandbox()
        test = next(v for k, v in names.items() if k.startswith("test_"))
        verify = sandbox.verify

        def read_and_verify(
            provider: str, box: Any = sandbox, check: Any = verify, **rest: Any
        ) -> None:
            handle = getattr(box, provider)
            send_main_read(handle, handle.auth)
            check(provider=provider, **rest)

        sandbox.verify = read_and_verify
        test(sandbox)
        outcomes.append([(e.status, e.fault) for e in sandbox.journal])
    assert outcomes == [[(200, "half")], [(200, None)], [(401, "repeated")]]


def test_one_entry_is_exported_alone(server: MockServer, steer: Steer) -> None:
    for _ in range(2):
        send(sign(steer, provider="coinapi", **{"as": "request"}))
    assert len(steer.good("GET", D + "/requests.har?n=2")["log"]["entries"]) == 1
    assert steer.refused("GET", D + "/requests.har?n=9")[0] == 404


# Limits and what comes next


def test_a_limit_says_how_full_it_is_and_when_it_frees(server: MockServer, steer: Steer) -> None:
    steer.good("PATCH", D + "/limits", {"cpg.key": "3/60s", "coinapi.reads": "5/1s"})
    steer.good("POST", D + "/clock", {"freeze": True})
    steer.good("POST", D + "/clock", {"set": "2026-01-01T00:00:10Z"})
    for name in ("cpg", "coinapi"):
        send(sign(steer, provider=name, **{"as": "request"}))
    told = {row["limit"]: row for row in steer.good("GET", D + "/limits/usage")["limits"]}
    assert (
        told["cpg.key"]["callers"]
        == [{"caller": "main", "used": 1, "frees": "2026-01-01T00:01:10Z"}]
        or told["cpg.key"]["callers"][0]["used"] == 1
    )
    assert told["coinapi.reads"]["callers"][0]["caller"] == "main"
    assert told["cdp.reads"]["callers"] == []
    steer.good("POST", D + "/clock", {"advance": "61s"})
    told = {row["limit"]: row for row in steer.good("GET", D + "/limits/usage")["limits"]}
    assert all(row["callers"] == [] for row in told.values())


def test_bans_are_shown_until_they_end(server: MockServer, steer: Steer) -> None:
    steer.good("PATCH", D + "/quirks", {"coinw.bans": "on"})
    steer.good("PATCH", D + "/limits", {"coinw.returnBalances": "1/1h"})
    for _ in range(200):
        send(sign(steer, provider="coinw", **{"as": "request"}))
        bans = steer.good("GET", D + "/limits/usage")["bans"]
        if bans:
            break
    assert bans[0]["state"] == "warned"
    assert "ban" in {row["kind"] for row in steer.good("GET", D + "/upcoming")["upcoming"]}


def test_what_comes_next_is_in_order_and_happens(server: MockServer, steer: Steer) -> None:
    steer.good("PATCH", D + "/quirks", {"cpg.confirm_after": "30s"})
    steer.good("POST", D + "/clock", {"freeze": True})
    body = json.dumps(
        {"currency": "USDT", "network": "ETH", "amount": "100", "to_address": "0x" + "1" * 40}
    )
    assert (
        send(
            sign(steer, provider="cpg", path="/v1/withdrawals", body=body, **{"as": "request"})
        ).status_code
        == 200
    )
    send(sign(steer, provider="coinstats", **{"as": "request"}))
    rule = {
        "name": "down",
        "when": {"from": "10s", "for": "20s"},
        "answer": {"reject": "internal_error"},
    }
    steer.good("POST", D + "/faults", rule)
    told = steer.good("GET", D + "/upcoming")
    kinds = [(row["kind"], row["provider"]) for row in told["upcoming"]]
    assert kinds == [
        ("state", "coinstats"),
        ("rule", "*"),
        ("event", "cpg"),
        ("rule", "*"),
        ("limit", "cpg"),
        ("limit", "cpg"),
    ]
    for row in told["upcoming"]:
        steer.good("POST", D + "/clock", {"set": row["at"]})
    assert steer.good("GET", D + "/upcoming")["upcoming"] == []


# Tables


def test_the_fault_tables_describe_every_kind_with_an_example_that_parses(steer: Steer) -> None:
    told = steer.good("GET", "/faults/kinds")
    parser = RuleParser(discover())
    for part, rows in told.items():
        for row in rows:
            assert row["about"].endswith(".") or ":" in row["about"]
            for example in row["value"]["examples"]:
                assert jsonschema_rs.is_valid(row["value"], example), row
                rule: dict[str, Any] = {"name": "x", part: {row["name"]: example}}
                if part == "answer" and row["name"] in ("headers", "body", "body_base64"):
                    rule["answer"]["status"] = 200
                if part in ("match", "when"):
                    rule["answer"] = {"reject": "internal_error"}
                if row["name"] == "period":
                    rule["when"]["for"] = "1s"
                if row["name"] == "variant":
                    rule["answer"]["reject"] = "forbidden"
                    rule["match"] = {"provider": "cdp"}
                if row["name"] == "rejected_message":
                    rule["answer"]["reject"] = "exchange_unreachable"
                    rule["match"] = {"provider": "coinapi"}
                if row["name"] == "method":
                    rule["match"]["provider"] = "cpg"
                parser.parse(rule)


def test_the_fault_tables_have_the_members_that_rules_have(steer: Steer) -> None:
    from mockserver.client.fault_keywords import sections

    told = steer.good("GET", "/faults/kinds")
    for part in ("match", "when", "answer"):
        assert [row["name"] for row in told[part]] == list(sections()[part])


def test_facts_and_documents_are_served(steer: Steer, server: MockServer) -> None:
    facts = steer.good("GET", "/facts")["facts"]
    assert {row["provider"] for row in facts} == set(NAMES)
    for name in NAMES:
        document = steer.good("GET", f"/providers/{name}/openapi.json")
        assert document["servers"][0]["url"].startswith(f"{server.url}/{name}")
    assert steer.refused("GET", "/providers/cgp/openapi.json")[0] == 404


# Live


class Listener:
    """Reads the events of a live stream."""

    def __init__(self, server: MockServer, follow: str = "default") -> None:
        self.answer = requests.get(
            f"{server.url}/__admin/live?follow={follow}", stream=True, timeout=WAIT, headers=JSON
        )
        self.lines = self.answer.iter_lines()

    def next(self, wanted: str) -> dict[str, Any]:
        """The data of the next event with this name."""
        name = ""
        for line in self.lines:
            if line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: ") and name == wanted:
                return json.loads(line[6:])
        raise AssertionError(f"the stream ended before {wanted}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()


def read(server: MockServer, times: int = 1, id: str = "default") -> None:
    base = server.coinapi.base_url + ("" if id == "default" else f"/~{id}")
    for _ in range(times):
        requests.get(f"{base}/v1/balances", headers={"X-CoinAPI-Key": "wrong"}, timeout=WAIT)


def test_the_stream_goes_on_from_a_place_and_notices_a_reset(
    server: MockServer, steer: Steer
) -> None:
    read(server, 3)
    with Listener(server) as listener:
        begin = listener.next("begin")
        assert (begin["after"], begin["last"]) == (0, 3)
        rows = listener.next("rows")
        assert [row["n"] for row in rows["rows"]] == [1, 2, 3]
        assert rows["rows"][0]["explanation"]
        read(server)
        assert [row["n"] for row in listener.next("rows")["rows"]] == [4]
    with Listener(server, f"default:{begin['epoch']}:3") as listener:
        assert listener.next("begin")["epoch"] == begin["epoch"]
        assert [row["n"] for row in listener.next("rows")["rows"]] == [4]
        steer.good("DELETE", D + "/requests", status=204)
        listener.next("cleared")
        steer.good("POST", D + "/reset")
        assert listener.next("begin")["epoch"] != begin["epoch"]
    with Listener(server, f"default:{begin['epoch']}:3") as listener:
        assert listener.next("begin")["after"] == 0


CHANGES = [
    ("POST", "/clock", {"freeze": True}, "clock"),
    ("POST", "/faults", {"name": "x", "deliver": {"close": True}}, "faults"),
    ("PATCH", "/quirks", {"cpg.replay": False}, "settings"),
    ("PUT", "/ledger/cpg/main/USDT?venue=ETH", {"total": "1"}, "ledger"),
]


def test_the_stream_names_what_has_changed(server: MockServer, steer: Steer) -> None:
    with Listener(server) as listener:
        listener.next("begin")
        for method, path, body, part in CHANGES:
            steer.good(method, D + path, body)
            assert part in listener.next("changed")["parts"]


def test_one_stream_follows_several_sandboxes_and_sees_one_go(
    server: MockServer, steer: Steer
) -> None:
    steer.good("PUT", "/sandboxes/own", {}, 201)
    with Listener(server, "default,own") as listener:
        read(server, id="own")
        assert listener.next("rows")["sandbox"] == "own"
        steer.good("PUT", "/sandboxes/own", {}, 201)
        assert listener.next("begin")["sandbox"] == "own"
        steer.good("DELETE", "/sandboxes/own", status=204)
        assert listener.next("gone") == {"sandbox": "own"}


def test_a_sandbox_that_is_not_there_is_gone_until_it_is(server: MockServer, steer: Steer) -> None:
    with Listener(server, "later") as listener:
        listener.next("gone")
        steer.good("PUT", "/sandboxes/later", {}, 201)
        assert listener.next("begin")["sandbox"] == "later"


def test_a_reader_misses_what_is_beyond_the_bounds_and_learns_how_many(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REPLAYED_MAX", 2)
    read(server, 5)
    with Listener(server) as listener:
        rows = listener.next("rows")
        assert ([row["n"] for row in rows["rows"]], rows["missed"]) == ([4, 5], 3)


@pytest.mark.parametrize("path", ["live", "sandboxes/default/requests/stream"])
def test_a_client_that_leaves_before_a_stream_begins_is_not_followed(
    server: MockServer, path: str
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), WAIT) as client:
        client.sendall(f"GET /__admin/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass


LIVE_REFUSED = [
    ("follow=default:1", 400),
    ("follow=default:x.0:y", 400),
    ("follow=" + ",".join(["default"] * 17), 400),
    ("folow=default", 400),
]


@pytest.mark.parametrize(("query", "status"), LIVE_REFUSED)
def test_a_wrong_place_to_follow_is_refused(steer: Steer, query: str, status: int) -> None:
    assert steer("GET", "/live?" + query).status_code == status


def test_live_streams_are_bounded(
    server: MockServer, steer: Steer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    with Listener(server) as listener:
        listener.next("begin")
        assert steer("GET", "/live").status_code == 409
