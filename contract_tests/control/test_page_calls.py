"""The calls of the page and of scripts: sign, judge, upcoming, usage, kinds, facts, live."""

import contextlib
import json
import socket
import subprocess
import sys
from typing import Any, Self
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import requests

from contract_tests.support import raw
from contract_tests.support.control_calls import JSON, WAIT, ControlClient, read_coinapi
from mockserver import Auth, MockServer
from mockserver.client.fault_keywords import sections
from mockserver.control import live
from mockserver.faults.parsing import RuleParser
from mockserver.providers import discover

D = "/sandboxes/default"
NAMES = [*discover()]
ORDER = {"currency": "USDT", "network": "ETH", "amount": "100", "to_address": "0x" + "0" * 40}


def sign(control: ControlClient, id: str = "default", **body: Any) -> Any:
    return control.good("POST", f"/sandboxes/{id}/sign", body)


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
    server: MockServer, control: ControlClient, name: str, to: str, id: str
) -> None:
    if id != "default":
        control.good("PUT", f"/sandboxes/{id}", {}, 201)
    signed = sign(control, id, provider=name, **{"as": "request", "to": to})
    assert send(signed).status_code == 200
    assert (f"{server.url}/" in signed["request"]["url"]) == (to == "gateway")


COMMANDS = {
    "curl": ["sh", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("form", COMMANDS)
@pytest.mark.parametrize("name", ["coinstats", "cpg"])
def test_the_text_of_a_signed_request_runs(control: ControlClient, form: str, name: str) -> None:
    text = sign(control, provider=name, **{"as": form})["text"]
    done = subprocess.run(
        [*COMMANDS[form], text], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    (entry,) = control.good("GET", D + "/requests")["requests"]
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
def test_the_members_of_a_request_to_sign(
    control: ControlClient, members: dict[str, Any], status: int, label: str
) -> None:
    assert send(sign(control, **members, **{"as": "request"})).status_code == status
    (entry,) = control.good("GET", D + "/requests")["requests"]
    assert label in (entry["credential"], "")


# The request of an entry


def refused_request(server: MockServer, name: str) -> None:
    """Sends a main read with a wrong secret, or a wrong key where there is no secret."""
    handle = getattr(server, name)
    key = dict(handle.credentials)
    if name == "cdp":
        key["key_secret"] = server.sandbox().cdp.credentials["key_secret"]
    key |= {k: v[:-1] + "x" for k, v in key.items() if k in ("secret", "secret_key")}
    key["api_key"] = key.get("api_key", "") + ("x" if name in ("coinapi", "coinstats") else "")
    send_main_read(handle, Auth(name, key, now=server.app.sandboxes.default.clock.real))


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
    server: MockServer, control: ControlClient, name: str
) -> None:
    refused_request(server, name)
    received = control.good("POST", D + "/judge", {"entry": 1})
    assert (received["accepted"], received["signed_again"]) == (False, False)
    assert received["explanation"] == control.good("GET", D + "/requests/1")["explanation"]
    judged = control.good("POST", D + "/judge", {"entry": 1, "sign": True})
    assert (judged["accepted"], judged["signed_again"], judged["status"]) == (True, True, 200)
    assert len(control.good("GET", D + "/requests")["requests"]) == 1
    assert send(sign(control, entry=1, **{"as": "request"})).status_code == 200


def test_what_is_wrong_beside_the_signature_stays_wrong(
    server: MockServer, control: ControlClient
) -> None:
    requests.get(server.cpg.base_url + "/v1/balancs", timeout=WAIT)
    judged = control.good("POST", D + "/judge", {"entry": 1})
    assert (judged["accepted"], judged["reason"]) == (False, "no_route")


def test_a_pasted_request_is_judged_by_the_sandbox_as_it_is_now(
    server: MockServer, control: ControlClient
) -> None:
    line = sign(control, provider="cpg")["text"]
    assert control.good("POST", D + "/judge", {"text": line})["accepted"]
    control.good("POST", D + "/clock", {"skew": "10m"})
    judged = control.good("POST", D + "/judge", {"text": line})
    assert (judged["reason"], judged["explanation"]["rule"]) == (
        "outside_window",
        "clock drift",
    )
    control.good("POST", D + "/clock", {"skew": "0s"})
    control.good("POST", D + "/events/cpg", {"event": "key_revoked", "key": "main"})
    assert control.good("POST", D + "/judge", {"text": line})["reason"] == "revoked_credential"
    assert control.good("GET", D + "/requests")["requests"] == []


def test_an_entry_whose_request_was_dropped_is_signed_again(
    server: MockServer, control: ControlClient
) -> None:
    refused_request(server, "cpg")
    server.app.sandboxes.default.history.clear()
    assert control.good("POST", D + "/judge", {"entry": 1})["signed_again"]
    assert control.refused("POST", D + "/judge", {"entry": 1, "sign": False})[2] == "$.entry"


def test_judging_leaves_no_trace(server: MockServer, control: ControlClient) -> None:
    body = json.dumps(ORDER)
    line = sign(control, provider="cpg", path="/v1/withdrawals", method="POST", body=body)["text"]
    before = control.good("GET", D + "/ledger")
    assert control.good("POST", D + "/judge", {"text": line})["operation"]
    assert control.good("GET", D + "/ledger") == before


def test_the_test_of_an_entry_sets_every_rule_that_had_an_effect(
    server: MockServer, control: ControlClient
) -> None:
    server.coinapi.fail("late", delay="1ms")
    server.coinapi.fail("marked", mutate={"bom": True})
    send(sign(control, provider="coinapi", **{"as": "request"}))
    text = sign(control, entry=1, **{"as": "pytest"})["text"]
    assert [name in text for name in ("late", "marked")] == [True, True]


def test_an_entry_becomes_a_test_that_repeats_it(
    server: MockServer, control: ControlClient
) -> None:
    rule = {"name": "half", "match": {"provider": "coinapi"}, "when": {"requests": "1"}}
    control.good("POST", D + "/faults", rule | {"deliver": {"delay": "1ms"}})
    for _ in range(2):
        send(sign(control, provider="coinapi", **{"as": "request"}))
    refused_request(server, "cpg")
    outcomes = []
    for entry in control.good("GET", D + "/requests")["requests"]:
        names: dict[str, Any] = {}
        exec(sign(control, entry=entry["n"], **{"as": "pytest"})["text"], names)
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


# Limits and what comes next


def test_usage_shows_how_full_a_limit_is_and_when_it_frees(
    server: MockServer, control: ControlClient
) -> None:
    control.good("PATCH", D + "/limits", {"cpg.key": "3/60s", "coinapi.reads": "5/1s"})
    control.good("POST", D + "/clock", {"freeze": True})
    control.good("POST", D + "/clock", {"set": "2026-01-01T00:00:10Z"})
    for name in ("cpg", "coinapi"):
        send(sign(control, provider=name, **{"as": "request"}))
    usage = {row["limit"]: row for row in control.good("GET", D + "/limits/usage")["limits"]}
    caller = {"caller": "main", "used": 1, "frees": "2026-01-01T00:01:00Z"}
    assert usage["cpg.key"]["callers"] == [caller]
    assert usage["coinapi.reads"]["callers"][0]["caller"] == "main"
    assert usage["cdp.reads"]["callers"] == []
    control.good("POST", D + "/clock", {"advance": "61s"})
    usage = {row["limit"]: row for row in control.good("GET", D + "/limits/usage")["limits"]}
    assert all(row["callers"] == [] for row in usage.values())


def test_bans_are_shown_until_they_end(server: MockServer, control: ControlClient) -> None:
    control.good("PATCH", D + "/quirks", {"coinw.bans": "on"})
    control.good("PATCH", D + "/limits", {"coinw.returnBalances": "1/1h"})
    for _ in range(200):
        send(sign(control, provider="coinw", **{"as": "request"}))
        bans = control.good("GET", D + "/limits/usage")["bans"]
        if bans:
            break
    assert bans[0]["state"] == "warned"
    assert "ban" in {row["kind"] for row in control.good("GET", D + "/upcoming")["upcoming"]}


def test_of_many_upcoming_events_the_soonest_are_listed(
    server: MockServer, control: ControlClient
) -> None:
    control.good("POST", D + "/clock", {"freeze": True})
    for n in range(210):
        server.cpg.fail(f"in-{1_000 - n}-s", status=503, from_=f"{1_000 - n}s")
    upcoming = control.good("GET", D + "/upcoming")["upcoming"]
    assert (len(upcoming), upcoming[0]["about"]) == (200, "the rule in-791-s begins")


def test_upcoming_events_are_listed_in_order_and_occur(
    server: MockServer, control: ControlClient
) -> None:
    control.good("PATCH", D + "/quirks", {"cpg.confirm_after": "30s"})
    control.good("POST", D + "/clock", {"freeze": True})
    withdrawal = {"path": "/v1/withdrawals", "body": json.dumps(ORDER), "as": "request"}
    assert send(sign(control, provider="cpg", **withdrawal)).status_code == 200
    send(sign(control, provider="coinstats", **{"as": "request"}))
    rule = {
        "name": "down",
        "when": {"from": "10s", "for": "20s"},
        "answer": {"reject": "internal_error"},
    }
    control.good("POST", D + "/faults", rule)
    upcoming = control.good("GET", D + "/upcoming")["upcoming"]
    kinds = [(row["kind"], row["provider"]) for row in upcoming]
    assert kinds == [
        ("state", "coinstats"),
        ("rule", "*"),
        ("event", "cpg"),
        ("rule", "*"),
        ("limit", "cpg"),
        ("limit", "cpg"),
    ]
    for row in upcoming:
        control.good("POST", D + "/clock", {"set": row["at"]})
    assert control.good("GET", D + "/upcoming")["upcoming"] == []


# After how long of a rule of 2 of every 10 seconds; when it begins and ends next.
PERIODS = [("1s", [2]), ("2s", [10, 12]), ("25s", [30, 32]), ("31s", [32])]


@pytest.mark.parametrize(("after", "seconds"), PERIODS)
def test_a_periodic_rule_is_listed_with_its_next_period(
    control: ControlClient, after: str, seconds: list[int]
) -> None:
    control.good("POST", D + "/clock", {"freeze": True})
    rule = {"name": "at-times", "when": {"for": "2s", "period": "10s"}, "deliver": {"close": True}}
    control.good("POST", D + "/faults", rule)
    control.good("POST", D + "/clock", {"advance": after})
    upcoming = control.good("GET", D + "/upcoming")["upcoming"]
    assert [row["at"] for row in upcoming] == [f"2026-01-01T00:00:{n:02}Z" for n in seconds]


# Tables

# What the example of a member needs beside it.
COMPANIONS: dict[str, dict[str, dict[str, Any]]] = {
    **{name: {"answer": {"status": 200}} for name in ("headers", "body", "body_base64")},
    "period": {"when": {"for": "1s"}},
    "variant": {"answer": {"reject": "forbidden"}, "match": {"provider": "cdp"}},
    "rejected_message": {
        "answer": {"reject": "exchange_unreachable"},
        "match": {"provider": "coinapi"},
    },
    "method": {"match": {"provider": "cpg"}},
}


def test_the_fault_tables_describe_every_kind_with_an_example_that_parses(
    control: ControlClient,
) -> None:
    parser = RuleParser(discover())
    tables = control.good("GET", "/faults/kinds")
    for part, rows in tables.items():
        if part in ("match", "when", "answer"):
            assert [row["name"] for row in rows] == [*sections()[part]]
        for row in rows:
            assert row["about"].endswith(".") or ":" in row["about"]
            for example in row["value"]["examples"]:
                assert jsonschema_rs.is_valid(row["value"], example), row
                rule: dict[str, Any] = {"name": "x", part: {row["name"]: example}}
                if part in ("match", "when"):
                    rule["answer"] = {"reject": "internal_error"}
                for section, members in COMPANIONS.get(row["name"], {}).items():
                    rule[section] = rule.get(section, {}) | members
                parser.parse(rule)


def test_facts_and_documents_are_served(control: ControlClient, server: MockServer) -> None:
    facts = control.good("GET", "/facts")["facts"]
    assert {row["provider"] for row in facts} == set(NAMES)
    for name in NAMES:
        document = control.good("GET", f"/providers/{name}/openapi.json")
        assert document["servers"][0]["url"].startswith(f"{server.url}/{name}")


# Live


class Listener:
    """Reads the events of a live stream."""

    def __init__(self, server: MockServer, follow: str = "default") -> None:
        self.answer = requests.get(
            f"{server.url}/__admin/live?follow={follow}", stream=True, timeout=WAIT, headers=JSON
        )
        self.lines = self.answer.iter_lines()

    def next(self, event: str) -> dict[str, Any]:
        """The data of the next event with this name."""
        name = ""
        for line in self.lines:
            if line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: ") and name == event:
                return json.loads(line[6:])
        raise AssertionError(f"the stream ended before {event}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()


def test_the_stream_resumes_after_an_entry_and_notices_a_reset(
    server: MockServer, control: ControlClient
) -> None:
    for _ in range(3):
        read_coinapi(server, key="wrong")
    with Listener(server) as listener:
        begin = listener.next("begin")
        assert (begin["after"], begin["last"]) == (0, 3)
        rows = listener.next("rows")
        assert [row["n"] for row in rows["rows"]] == [1, 2, 3]
        assert rows["rows"][0]["explanation"]
        read_coinapi(server)
        assert [row["n"] for row in listener.next("rows")["rows"]] == [4]
    with Listener(server, f"default:{begin['epoch']}:3") as listener:
        assert listener.next("begin")["epoch"] == begin["epoch"]
        assert [row["n"] for row in listener.next("rows")["rows"]] == [4]
        control.good("DELETE", D + "/requests", status=204)
        listener.next("cleared")
        control.good("POST", D + "/reset")
        assert listener.next("begin")["epoch"] != begin["epoch"]
    with Listener(server, f"default:{begin['epoch']}:3") as listener:
        assert listener.next("begin")["after"] == 0


def test_the_stream_says_why_a_request_could_not_be_read(server: MockServer) -> None:
    with Listener(server) as listener:
        listener.next("begin")
        raw.exchange(server.url, b"\x16\x03\x01 https:// at a plain port")
        assert (
            "A TLS hello (https://) came to a port that speaks plain HTTP"
            in listener.next("unread")["why"]
        )


CHANGES = [
    ("POST", "/clock", {"freeze": True}, "clock"),
    ("POST", "/faults", {"name": "x", "deliver": {"close": True}}, "faults"),
    ("PATCH", "/quirks", {"cpg.replay": False}, "settings"),
    ("PUT", "/ledger/cpg/main/USDT?venue=ETH", {"total": "1"}, "ledger"),
]


def test_the_stream_names_what_has_changed(server: MockServer, control: ControlClient) -> None:
    with Listener(server) as listener:
        listener.next("begin")
        for method, path, body, part in CHANGES:
            control.good(method, D + path, body)
            assert part in listener.next("changed")["parts"]


def test_one_stream_follows_several_sandboxes_and_sees_one_go(
    server: MockServer, control: ControlClient
) -> None:
    control.good("PUT", "/sandboxes/own", {}, 201)
    with Listener(server, "default,own") as listener:
        read_coinapi(server, id="own")
        assert listener.next("rows")["sandbox"] == "own"
        control.good("PUT", "/sandboxes/own", {}, 201)
        assert listener.next("begin")["sandbox"] == "own"
        control.good("DELETE", "/sandboxes/own", status=204)
        assert listener.next("gone") == {"sandbox": "own"}


def test_a_sandbox_that_is_not_there_is_gone_until_it_is(
    server: MockServer, control: ControlClient
) -> None:
    with Listener(server, "later") as listener:
        listener.next("gone")
        control.good("PUT", "/sandboxes/later", {}, 201)
        assert listener.next("begin")["sandbox"] == "later"


def test_a_reader_learns_how_many_entries_it_has_missed(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REPLAYED_MAX", 2)
    for _ in range(5):
        read_coinapi(server)
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


def test_live_streams_are_bounded(
    server: MockServer, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    with Listener(server) as listener:
        listener.next("begin")
        assert control("GET", "/live").status_code == 409
