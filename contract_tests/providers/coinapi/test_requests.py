"""CoinAPI EMS over a socket."""

import json
from decimal import Decimal
from typing import Any

import pytest
import requests

from contract_tests.providers.coinapi.calls import HEADER, KEY, PATH, ask, exchanges
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import exchange, get, without_noise
from mockserver import HandClock, MockServer

CREDENTIALS = [
    ("the header", "", HEADER, 200),
    ("the header in any case", "", {"x-coinapi-KEY": KEY}, 200),
    ("the query", f"apikey={KEY}", {}, 200),
    ("the header before the query", f"apikey={KEY}", {"X-CoinAPI-Key": "wrong"}, 401),
    ("an empty header is none", f"apikey={KEY}", {"X-CoinAPI-Key": ""}, 200),
    ("none", "", {}, 401),
    ("an empty one in the query", "apikey=", {}, 401),
    ("Bearer is not how", "", {"Authorization": f"Bearer {KEY}"}, 401),
]


@pytest.mark.parametrize(("about", "query", "headers", "status"), CREDENTIALS)
def test_a_key_comes_in_the_header_or_the_query(
    server: MockServer, about: str, query: str, headers: dict[str, str], status: int
) -> None:
    answer = ask(server, query, headers)
    assert answer.status_code == status, about
    if status == requests.codes.unauthorized:
        assert answer.text == '{"error":"Invalid API key"}'


CAUSED = {
    "no_route": (get("/v1/balance", HEADER), ""),
    "bad_method": (get(PATH, HEADER, "DELETE"), "allow: GET\n"),
    "too_large": (get(PATH, HEADER, body=b" " * (1024 * 1024 + 1)), ""),
    "missing_credential": (get(PATH, {}), ""),
    "unknown_credential": (get(PATH, {"X-CoinAPI-Key": "nobody"}), ""),
    "exchange_unreachable": (get(PATH + "?exchange_id=BITMEX", HEADER), ""),
}


@pytest.mark.parametrize("reason", CAUSED)
def test_what_a_client_can_cause_is_answered_byte_for_byte(server: MockServer, reason: str) -> None:
    request, more = CAUSED[reason]
    expected = rows("coinapi", "errors")[reason].replace("content-length", more + "content-length")
    if reason == "too_large":
        expected = expected.replace("\n\n", "\nconnection: close\n\n")
    assert without_noise(exchange(server.coinapi.base_url, request)) == expected
    assert server.journal[-1].reason == reason


def test_a_full_window_is_answered_byte_for_byte() -> None:
    clock = HandClock(1_747_444_800 * 10**9 + 59 * 10**9)
    with MockServer(real=clock, limits={"coinapi.reads": "1/60s"}) as server:
        ask(server)
        refused = exchange(server.coinapi.base_url, get(PATH, HEADER))
        assert without_noise(refused) == rows("coinapi", "errors")["rate_limited"]


def test_the_key_in_the_query_is_redacted_before_it_is_kept(server: MockServer) -> None:
    query = f"exchange_id=KRAKEN&api%6Bey={KEY}"
    assert b" 200 " in exchange(server.coinapi.base_url, get(f"/v1/balances?{query}", {}))
    target = server.journal[-1].target
    assert target == "/v1/balances?exchange_id=KRAKEN&api%6Bey=redacted:22cfb5b9"


FILTERS = [
    ("", ["KRAKEN", "BINANCE", "BITSTAMP"]),
    ("exchange_id=", ["KRAKEN", "BINANCE", "BITSTAMP"]),
    ("exchange_id=BINANCE", ["BINANCE"]),
    ("exchange_id=BITSTAMP", ["BITSTAMP"]),
    ("exchange_id=KRAKEN&exchange_id=BINANCE", ["KRAKEN"]),
    ("other=1", ["KRAKEN", "BINANCE", "BITSTAMP"]),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_a_filter_chooses_the_exchange(server: MockServer, query: str, expected: list[str]) -> None:
    assert exchanges(server, query) == expected


def test_a_connected_exchange_without_rows_has_empty_data(server: MockServer) -> None:
    assert ask(server, "exchange_id=BITSTAMP").json() == [{"exchange_id": "BITSTAMP", "data": []}]


def test_an_account_without_exchanges_gets_an_empty_list(server: MockServer) -> None:
    assert ask(server, headers={"X-CoinAPI-Key": "00000000-EMPTY-KEY"}).text == "[]"


@pytest.mark.parametrize("exchange", ["BITMEX", "COINBASE", "kraken", "KRAK"])
def test_a_filtered_exchange_that_cannot_answer_is_a_490(server: MockServer, exchange: str) -> None:
    answer = ask(server, f"exchange_id={exchange}")
    assert (answer.status_code, answer.reason) == (490, "")
    assert answer.headers["content-type"] == "appliction/json"
    assert answer.json() == {
        "type": "MESSAGE_REJECT",
        "reject_reason": "EXCHANGE_UNREACHABLE",
        "exchange_id": exchange,
        "message": "Exchange is unreachable.",
    }


ASKED = [
    ("exchange_unreachable", "KRAKEN"),
    ("exchange_response_timeout", "KRAKEN"),
    ("order_id_not_found", "BINANCE"),
    ("other", None),
]


@pytest.mark.parametrize(("reason", "exchange"), ASKED)
def test_a_rejecting_key_names_the_exchange_that_was_asked_for(
    server: MockServer, reason: str, exchange: str | None
) -> None:
    answer = ask(server, "exchange_id=KRAKEN", {"X-CoinAPI-Key": f"reject-{reason}"})
    assert answer.json().get("exchange_id") == exchange


def test_an_exchange_comes_and_goes_by_events(server: MockServer) -> None:
    server.coinapi.event("exchange_unreachable", id="KRAKEN")
    assert exchanges(server) == ["BINANCE", "BITSTAMP"]
    assert ask(server, "exchange_id=KRAKEN").status_code == 490
    server.coinapi.event("exchange_reachable", id="KRAKEN")
    assert exchanges(server, "exchange_id=KRAKEN") == ["KRAKEN"]


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


def test_a_row_has_the_source_of_its_last_change(server: MockServer) -> None:
    def source(asset: str) -> str:
        data = ask(server, "exchange_id=BINANCE").json()[0]["data"]
        item = next(i for i in data if i["asset_id_exchange"] == asset)
        assert Decimal(str(item["balance"])) == Decimal("7")
        return str(item["last_updated_by"])

    at = {"account": "main", "venue": "BINANCE"}
    server.coinapi.event("balance_update", asset="ETH", total="7", held="1", **at)
    assert source("ETH") == "EXCHANGE"
    server.coinapi.set_balance("main", "ETH", "BINANCE", total="7")
    assert source("ETH") == "BALANCE_MANAGER"
    with pytest.raises(ValueError, match="no row NOPE on BINANCE"):
        server.coinapi.event("balance_update", asset="NOPE", total="7", **at)


QUIRKS = [
    ({"auth": "none"}, "", {}, 200, "application/json"),
    (
        {"success_media_type": "application/json; charset=utf-8"},
        "",
        HEADER,
        200,
        "application/json; charset=utf-8",
    ),
    ({"reject_media_type": "application/json"}, "exchange_id=NO", HEADER, 490, "application/json"),
    ({"unfiltered_unreachable": "reject"}, "", HEADER, 490, "appliction/json"),
    ({"unknown_exchange": "empty"}, "exchange_id=NO", HEADER, 200, "application/json"),
    ({"unknown_exchange": "empty"}, "exchange_id=BITMEX", HEADER, 490, "appliction/json"),
]


@pytest.mark.parametrize(("quirks", "query", "headers", "status", "media_type"), QUIRKS)
def test_a_quirk_changes_the_answer(
    quirks: dict[str, str], query: str, headers: dict[str, str], status: int, media_type: str
) -> None:
    with MockServer(quirks={f"coinapi.{k}": v for k, v in quirks.items()}) as server:
        answer = ask(server, query, headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)


def test_the_quickstart_quirk_shows_rows_as_the_quickstart_does() -> None:
    with MockServer(quirks={"coinapi.row_extras": "quickstart"}) as server:
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
        assert exchanges(server, "exchange_id=KRAKEN/JOHN") == ["KRAKEN/JOHN"]
        assert exchanges(server, "exchange_id=KRAKEN") == ["KRAKEN/JOHN"]


SEPARATORS = "~/.,:;!@#$%^&*-_+="


def test_each_separator_may_stand_before_a_tag(tmp_path: Any) -> None:
    ids = json.dumps([f"KRAKEN{separator}JOHN" for separator in SEPARATORS])
    world = tmp_path / "tags.yaml"
    world.write_text(
        "coinapi:\n  keys:\n    main: {api_key: k, account: a}\n"
        f"  accounts:\n    a: {{exchanges: {ids}}}\n  unreachable: [KRAKEN/JOHN]\n"
    )
    with MockServer(str(world), quirks={"coinapi.auth": "none"}) as server:
        assert len(exchanges(server)) == len(SEPARATORS) - 1
        assert exchanges(server, "exchange_id=KRAKEN.JOHN") == ["KRAKEN.JOHN"]
        refused = ask(server, "exchange_id=KRAKEN")
        assert (refused.status_code, refused.json()["exchange_id"]) == (490, "KRAKEN/JOHN")


def test_a_filter_finds_a_tagged_exchange(tmp_path: Any) -> None:
    world = tmp_path / "tagged.yaml"
    world.write_text(
        "coinapi:\n  keys:\n    main: {api_key: k, account: a}\n"
        "  accounts:\n    a: {exchanges: [KRAKEN/JOHN, KRAKENFTS, KRAKEN]}\n"
    )
    with MockServer(str(world)) as server:
        answer = ask(server, "exchange_id=KRAKEN", {"X-CoinAPI-Key": "k"})
        assert [e["exchange_id"] for e in answer.json()] == ["KRAKEN/JOHN", "KRAKEN"]
        answer = ask(server, "exchange_id=KRAKEN/JOHN", {"X-CoinAPI-Key": "k"})
        assert [e["exchange_id"] for e in answer.json()] == ["KRAKEN/JOHN"]


def test_no_limit_holds_unless_one_is_set(server: MockServer) -> None:
    with requests.Session() as session:
        url = server.coinapi.base_url + "/v1/balances"
        assert {session.get(url, headers=HEADER).status_code for _ in range(200)} == {200}


def test_a_limit_that_is_set_answers_429_with_retry_after() -> None:
    clock = HandClock(1_747_444_815 * 10**9 + 500_000_000)
    quirks = {"coinapi.rate_limit_headers": "on"}
    with MockServer(real=clock, limits={"coinapi.reads": "2/60s"}, quirks=quirks) as server:
        assert [ask(server).status_code for _ in range(3)] == [200, 200, 429]
        refused = ask(server)
        assert refused.text == '{"error":"Too Many Requests"}'
        assert refused.headers["retry-after"] == "45"
        for name, value in (
            ("used", "2"),
            ("limit", "2"),
            ("remaining", "0"),
            ("request-cost", "1"),
        ):
            assert refused.headers[f"x-ratelimit-{name}"] == value
        assert refused.headers["x-ratelimit-reset"] == "2025-05-17T01:21:00.0000000Z"
        assert ask(server, headers={"X-CoinAPI-Key": "00000000-EMPTY-KEY"}).status_code == 200
        clock.advance("45s")
        assert ask(server).status_code == 200
