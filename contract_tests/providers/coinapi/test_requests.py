"""CoinAPI EMS over a socket."""

import json
from typing import Any

import pytest

from contract_tests.providers.coinapi.calls import HEADER, KEY, PATH, ask, exchanges
from contract_tests.support.openapi import Document
from contract_tests.support.raw import burst, exchange, get, without_noise
from contract_tests.support.request_rows import CLOCK, Row, answered, refusal
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.files import worlds
from mockserver.files.documents import openapi_document
from mockserver.model.http import Response

UNKNOWN_KEY = {"X-CoinAPI-Key": "unknown"}
EMPTY = {"X-CoinAPI-Key": "00000000-EMPTY-KEY"}
MISSING, UNKNOWN = "missing_credential", "unknown_credential"


def read(query: str = "", headers: dict[str, str] = HEADER) -> bytes:
    return get(f"{PATH}?{query}" if query else PATH, headers)


CREDENTIALS = [
    Row("the header", read()),
    Row("the header in any case", read("", {"x-coinapi-KEY": KEY})),
    Row("the query", read(f"apikey={KEY}", {})),
    Row("the query, escaped", read(f"apikey=%37{KEY[1:]}", {})),
    Row("the first in the query", read(f"apikey={KEY}&apikey=unknown", {})),
    Row("the second in the query", read(f"apikey=unknown&apikey={KEY}", {}), UNKNOWN),
    Row("the header before the query", read(f"apikey={KEY}", UNKNOWN_KEY), UNKNOWN),
    Row("an empty header is none", read(f"apikey={KEY}", {"X-CoinAPI-Key": ""})),
    Row("none", read("", {}), MISSING),
    Row("an empty one in the query", read("apikey=", {}), MISSING),
    Row("the parameter in capitals", read(f"APIKEY={KEY}", {}), MISSING),
    Row("Bearer", read("", {"Authorization": f"Bearer {KEY}"}), MISSING),
]  # fmt: skip
test_a_key_comes_in_the_header_or_the_query = answered("coinapi", CREDENTIALS)

FULL = {"coinapi.reads": "0/60s"}
CHECKS = [
    Row("the path before the key", get("/v1/balance", UNKNOWN_KEY), "no_route"),
    Row("the method before the key", get(PATH, UNKNOWN_KEY, "POST"), "bad_method", allow="GET"),
    Row("the key before limit and exchange", read("exchange_id=BITMEX", UNKNOWN_KEY), UNKNOWN, limits=FULL),
    Row("the limit before the exchange", read("exchange_id=BITMEX"), "rate_limited", {}, headers="retry-after: 60", limits=FULL),
    Row("the exchange", read("exchange_id=BITMEX"), "exchange_unreachable"),
]  # fmt: skip
test_checks_come_in_order = answered("coinapi", CHECKS)


def rejecting(server: MockServer) -> dict[str, Any]:
    """Sends a request with each rejecting key; returns the responses by reason."""
    labels = [label for label in server.coinapi.others if label.startswith("reject-")]
    return {
        label.removeprefix("reject-"): ask(server, headers={"X-CoinAPI-Key": label})
        for label in labels
    }


def test_no_key_and_a_bad_one_are_refused_in_the_same_words(server: MockServer) -> None:
    server.coinapi.event("key_revoked", key="main")
    for headers, reason in ({}, MISSING), (UNKNOWN_KEY, UNKNOWN), (HEADER, "revoked_credential"):
        answer = ask(server, headers=headers)
        assert (answer.status_code, answer.text) == (401, '{"error":"Invalid API key"}')
        assert server.journal[-1].reason == reason


def test_without_keys_every_caller_is_main(server: MockServer) -> None:
    server.set_quirks({"coinapi.auth": "none"})
    for headers in ({}, UNKNOWN_KEY, EMPTY):
        ids = [element["exchange_id"] for element in ask(server, headers=headers).json()]
        assert ids == ["KRAKEN", "BINANCE", "BITSTAMP"]
        assert server.journal[-1].credential == "main"


# Balances

ALL = ["KRAKEN", "BINANCE", "BITSTAMP"]
FILTERS = [
    ("none", "", ALL),
    ("empty", "exchange_id=", ALL),
    ("one", "exchange_id=BINANCE", ["BINANCE"]),
    ("one without rows", "exchange_id=BITSTAMP", ["BITSTAMP"]),
    ("twice", "exchange_id=KRAKEN&exchange_id=BINANCE", ["KRAKEN"]),
    ("another parameter", "other=1", ALL),
]


@each("query, expected", FILTERS)
def test_a_filter_chooses_the_exchange(server: MockServer, query: str, expected: list[str]) -> None:
    assert exchanges(server, query) == expected


def test_every_exchange_is_one_object_however_many_rows_it_has(server: MockServer) -> None:
    answer = ask(server).json()
    assert [list(element) for element in answer] == [["exchange_id", "data"]] * 3
    assert [len(element["data"]) for element in answer] == [1, 4, 0]
    assert answer[2] == {"exchange_id": "BITSTAMP", "data": []}
    assert ask(server, headers=EMPTY).text == "[]"


def test_every_digit_of_a_number_is_kept(server: MockServer) -> None:
    text = ask(server, "exchange_id=BINANCE").text
    for digits in (
        '"balance":123456789.123456789123456789',
        '"available":123456789.123456789123456788,"locked":0.000000000000000001',
        '"balance":9007199254740993',
        '"rate_usd":0.00000023,"traded":0.00000000000000000001',
        '"locked":0,',
    ):
        assert digits in text


def test_an_asset_unknown_to_coinapi_repeats_the_code_of_the_exchange(server: MockServer) -> None:
    (element,) = ask(server, "exchange_id=BINANCE").json()
    codes = {i["asset_id_exchange"]: i["asset_id_coinapi"] for i in element["data"]}
    assert codes["LDUSDT"] == "LDUSDT"


BARE: list[tuple[int, str, Any]] = [
    (200, "application/json", []),
    (200, "application/json", [{}]),
    (200, "application/json", [{"more": 1, "data": [{}, {"more": 1}]}]),
    (490, "appliction/json", {}),
    (490, "appliction/json", {"more": 1}),
]


def test_the_document_requires_no_member_and_forbids_none() -> None:
    for status, media_type, body in BARE:
        headers = ((b"content-type", media_type.encode()),)
        response = Response(status, headers, json.dumps(body).encode())
        Document(openapi_document("coinapi")).check("getBalances", response)


def world(**account: Any) -> MockServer:
    section = {"keys": {"main": {"api_key": KEY, "account": "a"}}, "accounts": {"a": account}}
    return MockServer(worlds.from_data({"coinapi": section}, "small"))


SOURCES = ("INITIALIZATION", "BALANCE_MANAGER", "EXCHANGE")


def sources(server: MockServer) -> list[str]:
    (element,) = ask(server, "exchange_id=KRAKEN").json()
    return [item["last_updated_by"] for item in element["data"]]


def test_a_row_of_the_world_has_its_own_source_or_the_default() -> None:
    row = {"asset": "A", "venue": "KRAKEN", "total": "1"}
    own = [row | {"asset": source, "last_updated_by": source} for source in SOURCES]
    with world(exchanges=["KRAKEN"], balances=[row, *own]) as server:
        assert sources(server) == ["INITIALIZATION", *SOURCES]


def test_the_last_change_of_a_row_has_one_of_three_sources(server: MockServer) -> None:
    server.coinapi.set_balances("main", [{"asset": "A", "venue": "KRAKEN", "total": "1"}])
    assert sources(server) == ["BALANCE_MANAGER"]
    at = {"account": "main", "venue": "KRAKEN"}
    server.coinapi.event("balance_update", asset="A", total="7", held="1", **at)
    assert sources(server) == ["EXCHANGE"]
    assert '"balance":7,"available":6,"locked":1,' in ask(server).text
    with pytest.raises(ValueError, match="no row NOPE on KRAKEN"):
        server.coinapi.event("balance_update", asset="NOPE", total="7", **at)
    server.reset()
    (element,) = ask(server, "exchange_id=BINANCE").json()
    assert element["data"][-1]["last_updated_by"] == "INITIALIZATION"


TAGGED = [f"KRAKEN{separator}JOHN" for separator in "~/.,:;!@#$%^&*-_+="]
UNTAGGED = ["KRAKENJOHN", "KRAKEN JOHN", "KRAKEN|JOHN", "KRAKEN'JOHN", "KRAKEN(JOHN", "JOHN/KRAKEN"]


def test_a_tag_stands_behind_a_separator_and_nothing_else() -> None:
    with world(exchanges=[*TAGGED, *UNTAGGED, "KRAKEN"]) as server:
        assert exchanges(server) == [*TAGGED, *UNTAGGED, "KRAKEN"]
        assert exchanges(server, "exchange_id=KRAKEN") == [*TAGGED, "KRAKEN"]
        assert exchanges(server, "exchange_id=KRAKEN.JOHN") == ["KRAKEN.JOHN"]


def test_a_tagged_exchange_that_is_unreachable_is_named_with_its_tag() -> None:
    section = {"accounts": {"a": {"exchanges": ["KRAKEN/JOHN"]}}, "unreachable": ["KRAKEN/JOHN"]}
    section |= {"keys": {"main": {"api_key": KEY, "account": "a"}}}
    with MockServer(worlds.from_data({"coinapi": section}, "tagged")) as server:
        refused = ask(server, "exchange_id=KRAKEN")
        assert (refused.status_code, refused.json()["exchange_id"]) == (490, "KRAKEN/JOHN")


# Rejects


@pytest.mark.parametrize("exchange_id", ["BITMEX", "COINBASE", "kraken", "KRAK"])
def test_a_filtered_exchange_that_cannot_answer_is_a_490(
    server: MockServer, exchange_id: str
) -> None:
    answer = ask(server, f"exchange_id={exchange_id}")
    assert (answer.status_code, answer.reason) == (490, "")
    assert answer.headers["content-type"] == "appliction/json"
    assert answer.text == (
        '{"type":"MESSAGE_REJECT","reject_reason":"EXCHANGE_UNREACHABLE",'
        f'"exchange_id":"{exchange_id}","message":"Exchange is unreachable."}}'
    )


def test_an_exchange_comes_and_goes_by_events(server: MockServer) -> None:
    server.coinapi.event("exchange_unreachable", id="KRAKEN")
    assert exchanges(server) == ["BINANCE", "BITSTAMP"]
    refused = ask(server, "exchange_id=KRAKEN")
    assert (refused.status_code, refused.json()["exchange_id"]) == (490, "KRAKEN")
    server.coinapi.event("exchange_reachable", id="KRAKEN")
    assert exchanges(server, "exchange_id=KRAKEN") == ["KRAKEN"]


# By reason: what stands under reject_reason, and the further members.
REJECTS = {
    "exchange_unreachable": ("EXCHANGE_UNREACHABLE", ["exchange_id"]),
    "exchange_response_timeout": ("EXCHANGE_RESPONSE_TIMEOUT", ["exchange_id"]),
    "order_id_not_found": ("ORDER_ID_NOT_FOUND", ["exchange_id", "rejected_message"]),
    "invalid_type": ("INVALID_TYPE", []),
    "method_not_supported": ("METHOD_NOT_SUPPORTED", []),
    "json_error": ("JSON_ERROR", []),
    "other": ("OTHER", []),
}


def test_each_of_seven_rejects_has_its_reason_and_no_empty_member(server: MockServer) -> None:
    rejects = {r: a.json() for r, a in rejecting(server).items() if a.status_code == 490}
    assert rejects.keys() == REJECTS.keys()
    for reason, (code, more) in REJECTS.items():
        body = rejects[reason]
        assert (body["type"], body["reject_reason"]) == ("MESSAGE_REJECT", code)
        assert {*body} == {"type", "reject_reason", "message", *more}
        assert all(isinstance(value, str) and value for value in body.values())


@pytest.mark.parametrize(
    ("reason", "exchange_id"),
    [("exchange_response_timeout", "KRAKEN"), ("order_id_not_found", "BINANCE"), ("other", None)],
)
def test_a_rejecting_key_names_the_exchange_of_the_request(
    server: MockServer, reason: str, exchange_id: str | None
) -> None:
    answer = ask(server, "exchange_id=KRAKEN", {"X-CoinAPI-Key": f"reject-{reason}"})
    assert answer.json().get("exchange_id") == exchange_id


QUOTED = '{"type":"BALANCES_REQUEST","exchange_id":"KRAKEN"}'


def test_every_reject_can_quote_the_message_that_was_rejected(server: MockServer) -> None:
    reasons = server.coinapi.provider.rejects_quoting
    assert {*reasons} == REJECTS.keys()
    for reason in reasons:
        server.coinapi.fail("it", reject=reason)
        assert ("rejected_message" in ask(server).json()) == (reason == "order_id_not_found")
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
    section = {"keys": {"main": key}, "accounts": {"a": {}}}
    with MockServer(worlds.from_data({"coinapi": section}, "quoting")) as server:
        assert ask(server, "", {"X-CoinAPI-Key": "k"}).json() == {
            "type": "MESSAGE_REJECT",
            "reject_reason": "JSON_ERROR",
            "message": "Message is not valid JSON.",
            "rejected_message": QUOTED,
        }


# Other failures


def test_every_failure_but_490_is_an_object_with_a_text_as_error(server: MockServer) -> None:
    failures = [a for a in rejecting(server).values() if a.status_code != 490]
    assert {a.status_code for a in failures} == {400, 401, 403, 404, 405, 413, 429, 500, 503}
    for answer in failures:
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)


def test_no_limit_holds_unless_one_is_set(server: MockServer) -> None:
    assert burst(server.coinapi.base_url, read(), 200) == [200] * 200


def test_a_limit_that_is_set_answers_429_with_its_headers(still: MockServer) -> None:
    still.set_quirks({"coinapi.rate_limit_headers": "on"})
    still.set_limits({"coinapi.reads": "2/60s"})
    CLOCK.advance("15500ms")
    assert [ask(still).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(still)
    assert refused.text == '{"error":"Too Many Requests"}'
    headers = {"used": "2", "limit": "2", "remaining": "0", "request-cost": "1", "reset": "2025-05-17T01:21:00.0000000Z"}  # fmt: skip
    assert {name: refused.headers[f"x-ratelimit-{name}"] for name in headers} == headers
    assert refused.headers["retry-after"] == "45"
    CLOCK.advance("43500ms")
    still.set_quirks({"coinapi.rate_limit_headers": "off"})
    answer = without_noise(exchange(still.coinapi.base_url, read()))
    assert answer == refusal("coinapi", "rate_limited", headers="retry-after: 1")


def test_a_limit_counts_the_requests_of_each_key_in_a_whole_minute(still: MockServer) -> None:
    CLOCK.advance("15s")
    still.set_limits({"coinapi.reads": "2/60s"})
    refused = [("exchange_id=BITMEX", HEADER), ("", UNKNOWN_KEY)] * 3
    assert [ask(still, *r).status_code for r in refused] == [490, 401] * 2 + [429, 401]
    still.set_limits({"coinapi.reads": "9/60s"})
    still.set_limits({"coinapi.reads": "2/60s"})  # counts anew
    still.set_quirks({"coinapi.counts": "successful"})
    assert [ask(still, *r).status_code for r in refused] == [490, 401] * 3
    assert [ask(still).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert [ask(still, "", EMPTY).status_code for _ in range(3)] == [200, 200, 429]
    CLOCK.advance("44999ms")
    assert ask(still).status_code == 429
    CLOCK.advance("1ms")
    assert [ask(still).status_code for _ in range(3)] == [200, 200, 429]


# Quirks

QUIRKS = [
    ("no keys", {"auth": "none"}, "", {}, 200, "application/json"),
    ("a charset", {"success_media_type": "application/json; charset=utf-8"}, "", HEADER, 200, "application/json; charset=utf-8"),
    ("the right media type", {"reject_media_type": "application/json"}, "exchange_id=NO", HEADER, 490, "application/json"),
    ("unreachable exchanges reject every read", {"unfiltered_unreachable": "reject"}, "", HEADER, 490, "appliction/json"),
    ("an unknown exchange is empty", {"unknown_exchange": "empty"}, "exchange_id=NO", HEADER, 200, "application/json"),
    ("an unreachable one is not", {"unknown_exchange": "empty"}, "exchange_id=BITMEX", HEADER, 490, "appliction/json"),
]  # fmt: skip


@each("quirks, query, headers, status, media_type", QUIRKS)
def test_a_quirk_changes_the_answer(
    server: MockServer,
    quirks: dict[str, str],
    query: str,
    headers: dict[str, str],
    status: int,
    media_type: str,
) -> None:
    server.set_quirks({f"coinapi.{name}": value for name, value in quirks.items()})
    answer = ask(server, query, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)
    assert query != "exchange_id=NO" or status == 490 or answer.text == "[]"


def test_the_member_of_a_failure_is_a_quirk(server: MockServer) -> None:
    server.set_quirks({"coinapi.error_shape": "message"})
    answer = ask(server, "", UNKNOWN_KEY)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})
    assert ask(server, "exchange_id=BITMEX").json()["type"] == "MESSAGE_REJECT"


def test_the_quickstart_quirk_shows_rows_as_the_quickstart_does(server: MockServer) -> None:
    server.set_quirks({"coinapi.row_extras": "quickstart"})
    kraken, binance, _ = ask(server).json()
    assert (kraken["type"], kraken["exchange_id"]) == ("BALANCE_SNAPSHOT", "KRAKEN/JOHN")
    assert kraken["data"][0]["id"] == kraken["data"][0]["asset_id_exchange"] == "XBT"
    assert binance["data"][-1] == {
        "id": "LDUSDT",
        "asset_id_exchange": "LDUSDT",
        "locked": 2.5,
        "last_updated_by": "INITIALIZATION",
        "rate_usd": None,
        "traded": 0,
    }
    for tagged in ("KRAKEN/JOHN", "KRAKEN"):
        assert exchanges(server, f"exchange_id={tagged}") == ["KRAKEN/JOHN"]
