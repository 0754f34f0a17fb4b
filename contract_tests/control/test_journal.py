"""The journal over the control API: filtered, paged, verified, exported, streamed."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from contract_tests.support import raw
from contract_tests.support.control_calls import WAIT, ControlClient, read_coinapi, send_signed
from mockserver import MockServer, __version__
from mockserver.engine import journal
from mockserver.files import worlds
from mockserver.providers import discover
from mockserver.tools.generate import generate

START = "2026-01-01T00:00:00Z"
D = "/sandboxes/default"
REQUESTS = D + "/requests"
VERIFY = REQUESTS + "/verify"
STREAM = "mockserver.control.stream"


@pytest.fixture
def five(server: MockServer, control: ControlClient) -> ControlClient:
    """Five requests: two accepted, one unknown key, one unreachable exchange, one unknown path."""
    read_coinapi(server)
    read_coinapi(server, key="unknown")
    read_coinapi(server, "?exchange_id=BITMEX")
    send_signed(server, "cpg", "/v1/balances?currency=USDT", method="GET")
    send_signed(server, "cpg", "/v1/nothing", method="GET")
    return control


FILTERS: list[tuple[str, list[int]]] = [
    ("", [1, 2, 3, 4, 5]),
    ("?provider=coinapi", [1, 2, 3]),
    ("?operation=balances", [1, 2, 3, 4]),
    ("?operation=getBalances", [1, 2, 3]),
    ("?operation=balances&provider=cpg", [4]),
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
PAGES: list[tuple[int, str, list[list[int]]]] = [
    (1, "", [[1], [2], [3], [4], [5]]),
    (2, "", [[1, 2], [3, 4], [5]]),
    (5, "", [[1, 2, 3, 4, 5]]),
    (1, "&status=200", [[1], [4]]),
    (2, "&order=newest", [[5, 4], [3, 2], [1]]),
    (1, "&order=newest&status=200", [[4], [1]]),
]


def test_the_journal_is_filtered_and_paged(five: ControlClient) -> None:
    for query, numbers in FILTERS:
        answer = five.good("GET", REQUESTS + query)
        assert ([entry["n"] for entry in answer["requests"]], answer["next"]) == (numbers, None)
    for limit, filters, expected in PAGES:
        pages, after = [], 0
        while after is not None:
            answer = five.good("GET", f"{REQUESTS}?after={after}&limit={limit}{filters}")
            pages.append([entry["n"] for entry in answer["requests"]])
            after = answer["next"]
        assert pages == expected


def test_an_entry_has_every_member(server: MockServer, five: ControlClient) -> None:
    entry = five.good("GET", REQUESTS + "/2")
    assert five.good("GET", REQUESTS)["requests"][1] == entry
    assert five.good("GET", REQUESTS + "/1")["credential"] == "main"
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
    assert request["headers"]["host"] == urlsplit(server.coinapi.base_url).netloc
    assert request["headers"]["x-coinapi-key"].startswith("redacted:")
    assert request["body"] == ""
    assert response["headers"]["content-type"].startswith("application/json")
    assert json.loads(response["body"])


def test_the_values_of_a_repeated_header_are_joined(
    server: MockServer, control: ControlClient
) -> None:
    repeated = b"GET /v1/balances HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
    raw.exchange(server.cpg.base_url, repeated)
    [entry] = control.good("GET", REQUESTS)["requests"]
    assert entry["request"]["headers"]["x-a"] == "1, 2"


def test_the_journal_is_cleared(five: ControlClient) -> None:
    assert five.good("DELETE", REQUESTS, status=204) is None
    assert five.good("GET", REQUESTS) == {"requests": [], "next": None}
    assert five.refused("GET", REQUESTS + "/1")[0] == 404


def test_coverage_counts_operations_and_reasons(server: MockServer, control: ControlClient) -> None:
    before = control.good("GET", D + "/coverage")
    for name, provider in discover().items():
        assert before[name]["operations"] == dict.fromkeys((r.id for r in provider.routes), 0)
        assert before[name]["reasons"] == dict.fromkeys(sorted(provider.errors), 0)
        assert {*before[name]["missing"]} == {*before[name]["operations"], *provider.errors}
    for key in ("", "", "unknown"):
        read_coinapi(server, key=key)
    after = control.good("GET", D + "/coverage")
    expected = before["coinapi"]
    expected["operations"] = {"getBalances": 3}
    expected["reasons"]["unknown_credential"] = 1
    for name in ("getBalances", "unknown_credential"):
        expected["missing"].remove(name)
    assert after == before | {"coinapi": expected}


# Verify

MATCHES: list[tuple[dict[str, Any], int]] = [
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
EXPECTED: list[tuple[dict[str, int], int]] = [
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


def test_matching_requests_are_counted_and_compared(five: ControlClient) -> None:
    for match, count in MATCHES:
        body = {"match": match, "exactly": count}
        assert five.good("POST", VERIFY, body) == {"count": count}
        answer = five("POST", VERIFY, body | {"exactly": count + 1})
        assert (answer.status_code, answer.json()["count"]) == (409, count)
        candidates = {"cpg": 2, "coinapi": 3}.get(match.get("provider", ""), 5)
        assert len(answer.json()["nearest"]) == min(3, candidates - count)
    for expected, status in EXPECTED:
        answer = five("POST", VERIFY, {"match": {"status": 200}, **expected})
        assert (answer.status_code, answer.json()["count"]) == (status, 2)


# What is asked for; the numbers of the nearest misses.
NEAREST: list[tuple[dict[str, Any], list[int]]] = [
    ({"provider": "cpg", "operation": "listBalances", "status": 201}, [4, 5]),
    ({"provider": "coinapi", "status": 201, "method": "PUT", "reason": "rate_limited"}, [1, 2, 3]),
    ({"operation": "listBalances", "status": 404}, [4, 5, 1]),
]


@pytest.mark.parametrize(("match", "numbers"), NEAREST)
def test_the_nearest_misses_are_of_the_provider_and_operation_asked_for(
    five: ControlClient, match: dict[str, Any], numbers: list[int]
) -> None:
    nearest = five("POST", VERIFY, {"match": match, "exactly": 1}).json()["nearest"]
    assert [miss["n"] for miss in nearest] == numbers


def test_the_nearest_misses_come_first(five: ControlClient) -> None:
    match = {"provider": "coinapi", "status": 490, "reason": "other", "header": {"X-A": "b"}}
    nearest = five("POST", VERIFY, {"match": match, "at_least": 1}).json()["nearest"]
    assert [miss["n"] for miss in nearest] == [3, 1, 2]
    assert nearest[0]["differs"] == {
        "reason": {"wanted": "other", "found": "exchange_unreachable"},
        "header X-A": {"wanted": "b", "found": None},
    }
    assert nearest[0]["request"] == five.good("GET", REQUESTS + "/3")


def verified(control: ControlClient, match: dict[str, Any], **expected: int) -> tuple[int, int]:
    answer = control("POST", VERIFY, {"match": match, **expected})
    return answer.status_code, answer.json()["count"]


def test_dropped_entries_are_counted_too(
    server: MockServer, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("wrong", "wrong", ""):
        read_coinapi(server, key=key)
    monkeypatch.setattr(journal, "ENTRIES_MAX", 2)
    for _ in range(4):
        read_coinapi(server)
    assert [e["n"] for e in control.good("GET", REQUESTS)["requests"]] == [6, 7]
    unknown = {"reason": "unknown_credential"}
    assert verified(control, unknown, exactly=0) == (409, 2)
    assert verified(control, unknown | {"credential": ""}, exactly=2) == (200, 2)
    assert verified(control, {"status": 200, "operation": "balances"}, exactly=5) == (200, 5)
    assert verified(control, {}, at_most=2) == (409, 7)
    assert verified(control, {"provider": "cpg"}, exactly=0) == (200, 0)
    # Of members that only entries have, a dropped request may match: no upper limit holds.
    assert verified(control, {"method": "GET"}, at_least=2) == (200, 2)
    assert verified(control, {"method": "GET"}, exactly=2) == (409, 2)
    assert verified(control, {"method": "POST"}, at_most=0) == (409, 0)
    assert verified(control, {"method": "GET", "provider": "cpg"}, exactly=0) == (200, 0)
    error = control("POST", VERIFY, {"match": {"target": "/x"}, "exactly": 0}).json()
    assert "the journal has dropped 5 others that may match" in error["error"]
    assert "clear the journal" in error["hint"]
    control.good("DELETE", REQUESTS, status=204)
    assert verified(control, {"method": "POST"}, exactly=0) == (200, 0)
    assert verified(control, {}, exactly=0) == (200, 0)


def test_dropped_entries_of_too_many_kinds_are_counted_by_fewer_members(
    server: MockServer, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KEYS_MAX", 1)
    monkeypatch.setattr(journal, "ENTRIES_MAX", 1)
    for key in ("", "wrong", "wrong"):
        read_coinapi(server, key=key)
    assert verified(control, {"reason": "unknown_credential"}, exactly=2)[0] == 200
    assert verified(control, {"status": 401}, at_least=1)[0] == 200
    answer = control("POST", VERIFY, {"match": {"status": 401}, "exactly": 1})
    assert answer.status_code == 409
    assert "too many different requests" in answer.json()["hint"]
    assert control.good("GET", D + "/coverage")["coinapi"]["reasons"]["unknown_credential"] == 2


# The archive


def test_the_journal_is_exported_as_an_archive(server: MockServer, control: ControlClient) -> None:
    order = b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'
    send_signed(server, "cpg", "/v1/withdrawals", method="POST", data=order)
    url = f"{server.url}/coinapi/v1/balances?apikey=unknown&a=%C3%A9&b="
    requests.get(url, timeout=WAIT)
    log = control.good("GET", REQUESTS + ".har")["log"]
    assert log["version"] == "1.2"
    assert log["creator"] == {"name": "exchange-mockserver", "version": __version__}
    post, read = log["entries"]
    request, response = post["request"], post["response"]
    assert (post["startedDateTime"], post["comment"]) == (START, "")
    assert request["url"] == server.cpg.base_url + "/v1/withdrawals"
    assert (request["method"], request["bodySize"]) == ("POST", len(order))
    assert request["postData"] == {"mimeType": "application/json", "text": order.decode()}
    assert response["status"] == 200
    assert response["content"]["mimeType"] == "application/json"
    assert json.loads(response["content"]["text"])["success"] is True
    key, *others = read["request"]["queryString"]
    assert key["value"].startswith("redacted:")
    assert others == [{"name": "a", "value": "é"}, {"name": "b", "value": ""}]
    assert read["request"]["url"].startswith(f"{server.url}/coinapi/v1/balances?apikey=redacted:")
    assert "postData" not in read["request"]
    assert read["comment"] == "unknown_credential"
    assert control.good("GET", REQUESTS + ".har?n=2")["log"]["entries"] == [read]


def test_a_caller_s_secrets_are_redacted_in_a_world_of_many_keys() -> None:
    server = MockServer(worlds.read(generate(accounts=30, assets=0, seed=1), "many"))
    labels = [*server.app.sandboxes.default.world.parts["coinw"].keys]
    for label in ("main", labels[-1]):
        secret = server.coinw.credential(label)["secret_key"]
        with server.coinw.client(label, transport=server.transport) as client:
            client.post(f"/api/v1/private?command=returnBalances&note={secret}")
        assert server.journal[-1].status == 200
        assert secret not in repr(server.journal[-1])


def test_a_secret_written_with_escapes_is_redacted() -> None:
    server = MockServer()
    secret = server.cpg.credentials["secret"]
    escaped = "".join(f"%{ord(c):02x}" for c in secret)
    with server.cpg.client(transport=server.transport) as client:
        client.get(f"/v1/balances?note={escaped}")
    assert server.journal[-1].status == 200
    assert unquote(server.journal[-1].target).count(secret) == 0


# The stream


def follow(control: ControlClient, id: str = "default") -> requests.Response:
    url = f"{control.url}/__admin/sandboxes/{id}/requests/stream"
    return requests.get(url, stream=True, timeout=WAIT)


def next_entry(lines: Iterator[bytes]) -> dict[str, Any]:
    """Returns the next event's entry; the event's id is the entry's number."""
    number = next(line for line in lines if line.startswith(b"id: "))
    entry = json.loads(next(lines).removeprefix(b"data: "))
    assert number == b"id: %d" % entry["n"]
    assert next(lines) == b""
    return dict(entry)


def test_every_follower_receives_every_request(server: MockServer, control: ControlClient) -> None:
    with follow(control) as one, follow(control, "%64efault") as other:
        assert one.status_code == other.status_code == 200
        assert one.headers["content-type"].startswith("text/event-stream")
        streams = [answer.iter_lines() for answer in (one, other)]
        assert [next(lines) for lines in streams] == [b": following"] * 2
        read_coinapi(server)
        read_coinapi(server, key="unknown")
        received = [[next_entry(lines), next_entry(lines)] for lines in streams]
    assert received[0] == received[1] == control.good("GET", REQUESTS)["requests"]
    assert [entry["reason"] for entry in received[0]] == ["", "unknown_credential"]


def test_streams_are_bounded_and_a_closed_one_makes_room(
    server: MockServer, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls_to(count: int) -> bool:
        """Whether closed streams are noticed within 2000 calls."""
        streams = server.app.sandboxes.get("mine").journal
        return any(control("GET", "/health") and streams.streams == count for _ in range(2000))

    monkeypatch.setattr(f"{STREAM}.STREAMS_MAX", 2)
    control.good("PUT", "/sandboxes/mine", {}, 201)
    with follow(control, "mine") as one:
        with follow(control, "mine") as other:
            assert (one.status_code, other.status_code) == (200, 200)
            refused = control.refused("GET", "/sandboxes/mine/requests/stream")
            assert refused[:3] == (409, "too many streams", "$")
        assert falls_to(1)
        with follow(control, "mine") as third:
            assert third.status_code == 200
    assert falls_to(0)


def test_a_stream_ends_with_its_sandbox(
    control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{STREAM}.KEEP_ALIVE", 0.01)
    control.good("PUT", "/sandboxes/mine", {}, 201)
    with follow(control, "mine") as answer:
        lines = answer.iter_lines()
        assert [next(lines), next(lines), next(lines)] == [b": following", b"", b": still here"]
        control.good("DELETE", "/sandboxes/mine", status=204)
        assert {*lines} <= {b"", b": still here"}


def test_a_reader_that_falls_behind_is_disconnected(
    server: MockServer, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{STREAM}.QUEUE_MAX", 0)
    with follow(control) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b": following"
        read_coinapi(server)
        assert list(lines) == [b""]
