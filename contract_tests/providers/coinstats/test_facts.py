"""CoinStats: the facts that no other test proves on its own."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contract_tests.providers.coinstats.calls import (
    BALANCE,
    HEADER,
    KEY,
    QUERY,
    SUPPORT,
    call,
    is_refused,
    posted,
    read,
    spent,
)
from contract_tests.support.raw import exchange, get
from mockserver import MockServer, create_app
from mockserver.files.documents import openapi_document

NOBODY: dict[str, str] = {}  # the headers of a client without a key


def test_the_real_host_leads_to_the_provider() -> None:
    client = TestClient(create_app(), base_url="https://openapiv1.coinstats.app")
    assert client.get(SUPPORT, headers=HEADER).status_code == 200


REFUSED_FIRST = [
    ("an unknown path", get("/v1/exchange", NOBODY), 404, ""),
    ("a wrong method", get(BALANCE, NOBODY), 405, "POST"),
    ("a byte above a MiB", posted(b" " * (1024 * 1024 + 1), NOBODY), 413, ""),
    ("a MiB", posted(b" " * 1024 * 1024, NOBODY), 401, ""),
]


@pytest.mark.parametrize(
    ("about", "sent", "code", "allow"), REFUSED_FIRST, ids=[r[0] for r in REFUSED_FIRST]
)
def test_path_method_and_size_count_before_the_key(
    server: MockServer, about: str, sent: bytes, code: int, allow: str
) -> None:
    head = exchange(server.coinstats.base_url, sent).partition(b"\r\n\r\n")[0].decode()
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    assert (first.split(" ")[1], headers.get("allow", "")) == (str(code), allow)


# What the reference page writes, where the page about errors has other words for three of them.
ERRORS = {
    "bad_request": (400, "Bad Request"),
    "unknown_credential": (401, "Unauthorized"),
    "forbidden": (403, "Forbidden"),
    "not_found": (404, "Not Found"),
    "not_synced": (409, "Transactions not synced"),
    "rate_limited": (429, "Rate limit exceeded"),
}


def test_an_error_has_the_words_of_the_reference_page(server: MockServer) -> None:
    for reason, (code, message) in ERRORS.items():
        is_refused(read(server, headers={"X-API-KEY": f"reject-{reason}"}), code, message)


def test_no_header_tells_limits_or_credits() -> None:
    with MockServer(limits={"coinstats.reads": "1/60s"}) as server:
        answers = [read(server), read(server)]
    assert [answer.status_code for answer in answers] == [200, 429]
    for answer in answers:
        assert {name.lower() for name in answer.headers} == {
            "content-type",
            "content-length",
            "date",
        }


# Exchanges


def read_with(server: MockServer, id: str, fields: dict[str, str]) -> Any:
    return read(server, {"connectionId": id, "connectionFields": fields})


def test_what_the_list_of_exchanges_tells_is_what_a_balance_call_asks_for(
    server: MockServer,
) -> None:
    listed = call(server, "GET", SUPPORT).json()
    assert len(listed) == 7
    for entry in listed:
        id, keys = entry["connectionId"], [field["key"] for field in entry["connectionFields"]]
        stranger = dict.fromkeys(keys, "nobodys")
        is_refused(read_with(server, id, stranger), 401, "Exchange credentials expired")
        for key in keys:
            message = f"Invalid parameter: connectionFields.{key}"
            without = {name: stranger[name] for name in keys if name != key}
            is_refused(read_with(server, id, without), 400, message)
            is_refused(read_with(server, id, without | {key: ""}), 400, message)


def test_the_icons_of_all_exchanges_are_named_alike(server: MockServer) -> None:
    listed = call(server, "GET", SUPPORT).json()
    icons = {entry["connectionId"]: entry["icon"] for entry in listed}
    folder = "https://static.coinstats.app/portfolio_images"
    assert icons == {id: f"{folder}/{id}_dark.png" for id in icons}


# Coins and credits


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_all_coins_come_in_one_answer_that_costs_the_same(tmp_path: Path, rows: int) -> None:
    connected = {"connections": {"binance": {"fields": QUERY["connectionFields"]}}}
    section = {
        "keys": {"main": {"api_key": KEY, "account": "a"}},
        "accounts": {"a": connected | {"generate": {"rows": rows}}},
    }
    file = tmp_path / "many.yaml"
    file.write_text(json.dumps({"coinstats": section}))
    with MockServer(str(file)) as server:
        coins = [balance["coinId"] for balance in read(server).json()["balances"]]
        assert (len(coins), len(set(coins)), spent(server)) == (rows, rows, 10)


def test_money_of_a_state_keeps_its_id(server: MockServer) -> None:
    server.coinstats.set_balance("main", "FiatCoinUSD", "binance", total="12.30")
    assert '{"coinId":"FiatCoinUSD","amount":12.30,' in read(server).text


def test_no_time_brings_credits_back(server: MockServer) -> None:
    read(server)
    server.clock.advance("9000h")
    assert spent(server) == 10


def test_the_document_shows_the_published_credits() -> None:
    operation = openapi_document("coinstats")["paths"]["/v1/usage/credits"]["get"]
    assert operation["responses"]["200"]["content"]["application/json"]["example"] == {
        "totalCredits": 100000,
        "usedCredits": 45000,
        "remainingCredits": 55000,
        "subscription": "PRO",
    }
