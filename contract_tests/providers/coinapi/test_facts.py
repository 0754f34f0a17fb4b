"""CoinAPI EMS: facts that no other test proves, over a socket."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract_tests.providers.coinapi.calls import HEADER, KEY, PATH, ask, exchanges
from contract_tests.support.fixture_rows import rows
from contract_tests.support.openapi import Document
from contract_tests.support.raw import exchange, get, without_noise
from mockserver import HandClock, MockServer
from mockserver.files import worlds
from mockserver.files.documents import openapi_document
from mockserver.model.http import Response

UNKNOWN_KEY = {"X-CoinAPI-Key": "unknown"}
EMPTY = {"X-CoinAPI-Key": "00000000-EMPTY-KEY"}


def rejecting(server: MockServer) -> dict[str, Any]:
    """Sends a request with each rejecting key; returns the responses by reason."""
    labels = [label for label in server.coinapi.others if label.startswith("reject-")]
    return {
        label.removeprefix("reject-"): ask(server, headers={"X-CoinAPI-Key": label})
        for label in labels
    }


# The key


def test_of_a_key_given_twice_the_first_counts(server: MockServer) -> None:
    assert ask(server, f"apikey={KEY}&apikey=unknown", {}).status_code == 200
    assert ask(server, f"apikey=unknown&apikey={KEY}", {}).status_code == 401


def test_no_key_and_a_bad_one_are_refused_in_the_same_words(server: MockServer) -> None:
    assert ask(server).status_code == 200
    server.coinapi.event("key_revoked", key="main")
    for headers, reason in (
        ({}, "missing_credential"),
        (UNKNOWN_KEY, "unknown_credential"),
        (HEADER, "revoked_credential"),
    ):
        answer = ask(server, headers=headers)
        assert (answer.status_code, answer.text) == (401, '{"error":"Invalid API key"}')
        assert server.journal[-1].reason == reason


def test_without_keys_every_caller_is_main() -> None:
    with MockServer(quirks={"coinapi.auth": "none"}) as server:
        for headers in ({}, UNKNOWN_KEY, EMPTY):
            exchange_ids = [
                element["exchange_id"] for element in ask(server, headers=headers).json()
            ]
            assert exchange_ids == ["KRAKEN", "BINANCE", "BITSTAMP"]
            assert server.journal[-1].credential == "main"


# Balances


def test_every_exchange_is_one_object_however_many_rows_it_has(server: MockServer) -> None:
    answer = ask(server).json()
    assert [list(element) for element in answer] == [["exchange_id", "data"]] * 3
    assert [(element["exchange_id"], len(element["data"])) for element in answer] == [
        ("KRAKEN", 1),
        ("BINANCE", 4),
        ("BITSTAMP", 0),
    ]


BARE: list[tuple[int, str, Any]] = [
    (200, "application/json", []),
    (200, "application/json", [{}]),
    (200, "application/json", [{"more": 1, "data": [{}, {"more": 1}]}]),
    (490, "appliction/json", {}),
    (490, "appliction/json", {"more": 1}),
]


@pytest.mark.parametrize(("status", "media_type", "body"), BARE)
def test_the_document_requires_no_member_and_forbids_none(
    status: int, media_type: str, body: Any
) -> None:
    headers = ((b"content-type", media_type.encode()),)
    response = Response(status, headers, json.dumps(body).encode())
    Document(openapi_document("coinapi")).check("getBalances", response)


def test_an_asset_unknown_to_coinapi_repeats_the_code_of_the_exchange(server: MockServer) -> None:
    (element,) = ask(server, "exchange_id=BINANCE").json()
    codes = {i["asset_id_exchange"]: i["asset_id_coinapi"] for i in element["data"]}
    assert codes["LDUSDT"] == "LDUSDT"


SOURCES = """
coinapi:
  keys:
    main: {api_key: 73034021-THIS-IS-SAMPLE-KEY, account: main}
  accounts:
    main:
      exchanges: [KRAKEN]
      balances:
        - {asset: A, venue: KRAKEN, total: "1"}
        - {asset: B, venue: KRAKEN, total: "1", last_updated_by: INITIALIZATION}
        - {asset: C, venue: KRAKEN, total: "1", last_updated_by: BALANCE_MANAGER}
        - {asset: D, venue: KRAKEN, total: "1", last_updated_by: EXCHANGE}
"""


def sources(server: MockServer) -> list[str]:
    (element,) = ask(server, "exchange_id=KRAKEN").json()
    return [item["last_updated_by"] for item in element["data"]]


def test_a_row_of_the_world_has_its_own_source_or_the_default(tmp_path: Path) -> None:
    world = tmp_path / "sources.yaml"
    world.write_text(SOURCES)
    with MockServer(str(world)) as server:
        assert sources(server) == [
            "INITIALIZATION",
            "INITIALIZATION",
            "BALANCE_MANAGER",
            "EXCHANGE",
        ]


def test_the_last_change_of_a_row_has_one_of_three_sources(server: MockServer) -> None:
    server.coinapi.set_balances("main", [{"asset": "A", "venue": "KRAKEN", "total": "1"}])
    assert sources(server) == ["BALANCE_MANAGER"]
    at = {"account": "main", "asset": "A", "venue": "KRAKEN"}
    server.coinapi.event("balance_update", total="2", **at)
    assert sources(server) == ["EXCHANGE"]
    server.reset()
    (element,) = ask(server, "exchange_id=BINANCE").json()
    assert element["data"][-1]["last_updated_by"] == "INITIALIZATION"


# The filter

TAGGED = [f"KRAKEN{separator}JOHN" for separator in "~/.,:;!@#$%^&*-_+="]
UNTAGGED = ["KRAKENJOHN", "KRAKEN JOHN", "KRAKEN|JOHN", "KRAKEN'JOHN", "KRAKEN(JOHN", "JOHN/KRAKEN"]


def test_a_tag_stands_behind_a_separator_and_nothing_else(tmp_path: Path) -> None:
    world = tmp_path / "tags.yaml"
    world.write_text(
        f"coinapi:\n  keys:\n    main: {{api_key: {KEY}, account: a}}\n"
        f"  accounts:\n    a: {{exchanges: {json.dumps(TAGGED + UNTAGGED)}}}\n"
    )
    with MockServer(str(world)) as server:
        assert exchanges(server) == TAGGED + UNTAGGED
        assert exchanges(server, "exchange_id=KRAKEN") == TAGGED


# Rejects


def test_an_exchange_that_is_not_connected_can_be_an_empty_list() -> None:
    with MockServer(quirks={"coinapi.unknown_exchange": "empty"}) as server:
        answer = ask(server, "exchange_id=COINBASE")
        assert (answer.status_code, answer.text) == (200, "[]")


def test_a_reject_names_the_exchange_that_was_unreachable(server: MockServer) -> None:
    server.coinapi.event("exchange_unreachable", id="KRAKEN")
    for exchange_id in ("KRAKEN", "BITMEX"):
        assert ask(server, f"exchange_id={exchange_id}").text == (
            '{"type":"MESSAGE_REJECT","reject_reason":"EXCHANGE_UNREACHABLE",'
            f'"exchange_id":"{exchange_id}","message":"Exchange is unreachable."}}'
        )


MEMBERS = {
    "exchange_unreachable": ["type", "reject_reason", "exchange_id", "message"],
    "exchange_response_timeout": ["type", "reject_reason", "exchange_id", "message"],
    "order_id_not_found": ["type", "reject_reason", "exchange_id", "message", "rejected_message"],
    "invalid_type": ["type", "reject_reason", "message"],
    "method_not_supported": ["type", "reject_reason", "message"],
    "json_error": ["type", "reject_reason", "message"],
    "other": ["type", "reject_reason", "message"],
}


def test_a_reject_omits_empty_members(server: MockServer) -> None:
    rejects = {r: a.json() for r, a in rejecting(server).items() if a.status_code == 490}
    assert {reason: list(body) for reason, body in rejects.items()} == MEMBERS
    for body in rejects.values():
        assert body["type"] == "MESSAGE_REJECT"
        assert all(isinstance(value, str) and value for value in body.values())


def test_each_of_seven_reasons_of_a_reject_can_be_provoked(server: MockServer) -> None:
    rejects = {r: a.json() for r, a in rejecting(server).items() if a.status_code == 490}
    assert {reason: body["reject_reason"] for reason, body in rejects.items()} == {
        "other": "OTHER",
        "exchange_unreachable": "EXCHANGE_UNREACHABLE",
        "exchange_response_timeout": "EXCHANGE_RESPONSE_TIMEOUT",
        "order_id_not_found": "ORDER_ID_NOT_FOUND",
        "invalid_type": "INVALID_TYPE",
        "method_not_supported": "METHOD_NOT_SUPPORTED",
        "json_error": "JSON_ERROR",
    }


# Other failures


def test_every_failure_but_490_is_an_object_with_a_text_as_error(server: MockServer) -> None:
    failures = [a for a in rejecting(server).values() if a.status_code != 490]
    assert {a.status_code for a in failures} == {400, 401, 403, 404, 405, 413, 429, 500, 503}
    for answer in failures:
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)


def test_a_limit_counts_the_requests_of_each_key_in_a_whole_minute() -> None:
    clock = HandClock(1_747_444_815 * 10**9)  # 15 s into a minute
    with MockServer(real=clock, limits={"coinapi.reads": "2/60s"}) as server:
        refused = [("exchange_id=BITMEX", HEADER), ("", UNKNOWN_KEY)] * 3
        assert [ask(server, *r).status_code for r in refused] == [490, 401] * 2 + [429, 401]
        server.set_limits({"coinapi.reads": "9/60s"})
        server.set_limits({"coinapi.reads": "2/60s"})  # counts anew
        server.set_quirks({"coinapi.counts": "successful"})
        assert [ask(server, *r).status_code for r in refused] == [490, 401] * 3
        assert [ask(server).status_code for _ in range(4)] == [200, 200, 429, 429]
        assert [ask(server, "", EMPTY).status_code for _ in range(3)] == [200, 200, 429]
        clock.advance("44999ms")
        assert ask(server).status_code == 429
        clock.advance("1ms")
        assert [ask(server).status_code for _ in range(3)] == [200, 200, 429]


CHECKS = [
    ("the key before limit and exchange", "exchange_id=BITMEX", UNKNOWN_KEY, "0/60s", 401),
    ("the limit before the exchange", "exchange_id=BITMEX", HEADER, "0/60s", 429),
    ("the exchange", "exchange_id=BITMEX", HEADER, "1/60s", 490),
]


@pytest.mark.parametrize(
    ("about", "query", "headers", "limit", "status"), CHECKS, ids=[row[0] for row in CHECKS]
)
def test_the_key_comes_first_then_the_limit_then_the_exchange(
    about: str, query: str, headers: dict[str, str], limit: str, status: int
) -> None:
    with MockServer(limits={"coinapi.reads": limit}) as server:
        assert ask(server, query, headers).status_code == status


UNSIGNED = {
    "no_route": get("/v1/balance", UNKNOWN_KEY),
    "bad_method": get(PATH, UNKNOWN_KEY, "POST"),
    "too_large": get(PATH, UNKNOWN_KEY, body=b" " * (1024 * 1024 + 1)),
}


@pytest.mark.parametrize("reason", UNSIGNED)
def test_path_method_and_size_are_judged_before_the_key(server: MockServer, reason: str) -> None:
    expected = rows("coinapi", "errors")[reason].partition("\n")[0]
    answer = without_noise(exchange(server.coinapi.base_url, UNSIGNED[reason]))
    assert answer.partition("\n")[0] == expected
    assert ("\nallow: GET\n" in answer) == (reason == "bad_method")
    assert server.journal[-1].reason == reason
    fits = get(PATH, UNKNOWN_KEY, body=b" " * 1024 * 1024)
    assert exchange(server.coinapi.base_url, fits).startswith(b"HTTP/1.1 401 ")


# What a reject quotes

QUOTED = '{"type":"BALANCES_REQUEST","exchange_id":"KRAKEN"}'


def test_every_reject_can_quote_the_message_that_was_rejected(server: MockServer) -> None:
    reasons = server.coinapi.provider.rejects_quoting
    assert len(reasons) == 7
    for reason in reasons:
        server.coinapi.fail("it", reject=reason)
        quoted = "rejected_message" in ask(server).json()
        assert quoted == (reason == "order_id_not_found"), reason
        server.coinapi.fail("it", reject=reason, rejected_message=QUOTED)
        answer = ask(server)
        assert (answer.status_code, answer.json()["rejected_message"]) == (490, QUOTED)
    server.clear_faults()
    server.coinapi.event("exchange_unreachable", id="KRAKEN", rejected_message=QUOTED)
    body = ask(server, "exchange_id=KRAKEN").json()
    assert (body["exchange_id"], body["rejected_message"]) == ("KRAKEN", QUOTED)
    server.coinapi.event("exchange_reachable", id="KRAKEN")
    assert ask(server, "exchange_id=KRAKEN").status_code == 200
    server.coinapi.event("exchange_unreachable", id="KRAKEN")
    assert "rejected_message" not in ask(server, "exchange_id=KRAKEN").json()


def test_a_key_that_is_always_rejected_can_quote_a_message() -> None:
    key = {"api_key": "k", "account": "a", "rejects": "json_error", "rejected_message": QUOTED}
    world = {"coinapi": {"keys": {"main": key}, "accounts": {"a": {}}}}
    with MockServer(worlds.from_data(world, "quoting")) as server:
        assert ask(server, "", {"X-CoinAPI-Key": "k"}).json() == {
            "type": "MESSAGE_REJECT",
            "reject_reason": "JSON_ERROR",
            "message": "Message is not valid JSON.",
            "rejected_message": QUOTED,
        }


def test_the_member_of_a_failure_is_a_quirk(server: MockServer) -> None:
    server.set_quirks({"coinapi.error_shape": "message"})
    answer = ask(server, "", UNKNOWN_KEY)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})
    assert ask(server, "exchange_id=BITMEX").json()["type"] == "MESSAGE_REJECT"
