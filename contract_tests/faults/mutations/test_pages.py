"""Mutations that remember: page tokens, repeated rows and stale responses."""

from codecs import BOM_UTF8
from typing import Any, NamedTuple

import httpx
import pytest

from contract_tests.support.mutation_reads import (
    ACCOUNT,
    BINANCE,
    MIB,
    PRIVATE,
    READS,
    ask,
    swap,
    total,
)
from mockserver import MockServer
from mockserver.faults import kinds, mutations
from mockserver.faults.mutations import FIRST_BODIES_MAX
from mockserver.faults.response_body import MutableResponse
from mockserver.model.http import Response
from mockserver.model.provider import ResponsePaths

MANY = "/v2/accounts/account_00000000-0000-4000-8000-000000000250/balances"


# Pages


class Page(NamedTuple):
    body: bytes
    assets: list[str]
    token: str


def page(server: MockServer, token: str = "", target: str = MANY, size: int = 100) -> Page:
    query = httpx.QueryParams({"pageSize": size} | ({"pageToken": token} if token else {}))
    answer = ask(server, "cdp", "GET", f"{target}?{query}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assets = [row["asset"]["symbol"] for row in body["balances"]]
    return Page(answer.content, assets, body.get("nextPageToken", ""))


@pytest.fixture
def walked(server: MockServer) -> list[Page]:
    """The three good pages of a list; the clock stands, so that tokens come out the same."""
    server.clock.freeze()
    pages = [page(server)]
    while pages[-1].token:
        pages.append(page(server, pages[-1].token))
    assert [len(p.assets) for p in pages] == [100, 100, 50]
    return pages


def last_row(body: bytes) -> bytes:
    return b'{"asset"' + body.rpartition(b'{"asset"')[2].partition(b"]")[0]


def test_a_repeated_token_leads_to_its_own_page_for_ever(
    server: MockServer, walked: list[Page]
) -> None:
    first, second, last = walked
    server.cdp.fail(mutate={"repeat_token": True})
    assert page(server) == first
    looped = second.body.replace(second.token.encode(), first.token.encode())
    assert [page(server, first.token).body for _ in range(3)] == [looped] * 3
    assert page(server, second.token) == last, "a last page has no token to repeat"


def test_an_empty_page_keeps_its_token(server: MockServer, walked: list[Page]) -> None:
    first, second, last = walked
    server.cdp.fail("empty", requests=2, mutate={"empty_page": True})
    assert page(server) == first
    mutate = page(server, first.token)
    assert mutate.body == b'{"balances":[],"nextPageToken":"%b"}' % second.token.encode()
    assert page(server, mutate.token) == last


def test_an_expired_token_is_refused_in_the_providers_words(
    server: MockServer, walked: list[Page]
) -> None:
    first = walked[0]
    server.cdp.fail(mutate={"expire_token": True})
    mutate = page(server)
    assert mutate.body == first.body.replace(first.token.encode(), mutate.token.encode())
    assert (mutate.token[0], mutate.token[1:]) == ("A", first.token[1:])
    answer = ask(server, "cdp", "GET", f"{MANY}?pageSize=100&pageToken={mutate.token}")
    assert (answer.status_code, server.journal[-1].reason) == (400, "bad_page_token")
    assert answer.json()["errorMessage"] == "Invalid account ID or query parameters."


def test_a_token_that_is_no_text_any_more_cannot_expire(server: MockServer) -> None:
    server.cdp.fail(mutate={"retype": "$.nextPageToken", "expire_token": True})
    token = ask(server, "cdp", "GET", f"{MANY}?pageSize=1").json()["nextPageToken"]
    assert isinstance(token, list)
    assert token[0].startswith("e")


def with_row_before(before: bytes, body: bytes) -> bytes:
    return body.replace(b'{"balances":[', b'{"balances":[' + last_row(before) + b",", 1)


def test_a_page_begins_with_the_last_row_of_the_page_before(
    server: MockServer, walked: list[Page]
) -> None:
    first, second, last = walked
    server.cdp.fail(mutate={"repeat_row": True})
    assert page(server) == first
    mutate = page(server, first.token)
    assert mutate.body == with_row_before(first.body, second.body)
    assert mutate.assets == [first.assets[-1], *second.assets]
    assert page(server, second.token).body == with_row_before(second.body, last.body)
    assert page(server, second.token).body == with_row_before(second.body, last.body), "once more"
    assert page(server) == first, "a new walk begins at the beginning"


def test_a_row_is_repeated_in_its_own_list_alone(server: MockServer, walked: list[Page]) -> None:
    first, second, _ = walked
    server.cdp.fail(mutate={"repeat_row": True})
    assert page(server) == first
    short = page(server, target=ACCOUNT, size=1)
    assert short.assets == ["btc"]
    ask(server, "cdp", "GET", "/v2/accounts?pageSize=1")
    ask(server, "cdp", "GET", "/v2/accounts?pageSize=1", "es256")
    assert page(server, first.token).body == with_row_before(first.body, second.body)
    assert page(server, short.token, ACCOUNT, 1).assets == ["btc", "usd"]


def test_a_rule_sees_the_page_before_the_one_that_it_mutates(
    server: MockServer, walked: list[Page]
) -> None:
    first, second, last = walked
    server.cdp.fail("third", requests=3, mutate={"repeat_row": True})
    assert [page(server), page(server, first.token)] == [first, second]
    assert server.journal[-1].fault is None
    assert page(server, second.token).body == with_row_before(second.body, last.body)


def test_a_row_that_was_not_seen_is_not_repeated(server: MockServer, walked: list[Page]) -> None:
    server.cdp.fail(mutate={"repeat_row": True})
    assert page(server, walked[0].token) == walked[1]


def listed(n: int, of: str = "") -> MutableResponse:
    """A page of one row, which brings a token and hands out the next."""
    body = b'{"rows":["%d"],"next":"t%d"}' % (n, n + 1)
    shape = ResponsePaths(rows="$.rows[*]", token="$.next", page="page")
    return MutableResponse(Response(200, (), body), shape, "main", b"/?", of or f"t{n}")


def test_the_rows_that_a_rule_remembers_are_bounded() -> None:
    memory: dict[Any, Any] = {}
    for n in range(100):
        kinds.find(kinds.MUTATIONS, "repeat_row").watch(listed(n), memory)
    mutate = {n: listed(n) for n in (1, 36, 37, 100)}
    for response in mutate.values():
        mutations.repeat_row(response, True, None, memory)
    assert {n: response.tree["rows"] for n, response in mutate.items()} == {
        1: ["1"],
        36: ["36"],
        37: ["36", "37"],
        100: ["99", "100"],
    }


# What is stale


NEW = swap(
    *('"available":"2.5","total":"3.0"', '"available":"7","total":"7"'),
    *('"available":"252705.4","total":"303246.48"', '"available":"707575.12","total":"707575.12"'),
)


def test_the_first_answer_comes_back_to_the_same_caller_and_target(server: MockServer) -> None:
    old = {target: total(server, target) for target in ("", "/btc")}
    assert b'"2.5"' in old[""]
    server.cdp.fail(mutate={"stale": True})
    assert total(server) == old[""]
    server.cdp.set_balance("main", "btc", total="7")
    assert total(server) == old[""]
    assert total(server, label="es256") == NEW(old[""])
    assert b'"7"' in total(server, "/btc"), "first asked for when it had moved"
    server.cdp.set_balance("main", "btc", total="8")
    assert total(server) == old[""]
    assert b'"7"' in total(server, label="es256")
    assert b'"7"' in total(server, "/btc")
    server.clear_faults()
    assert b'"8"' in total(server)


def test_a_rule_remembers_what_it_saw_before_it_fires(server: MockServer) -> None:
    server.cdp.fail("third", requests="3-", mutate={"stale": True, "bom": True})
    first = total(server)
    server.cdp.set_balance("main", "btc", total="7")
    second = total(server)
    assert first != second
    assert [total(server), total(server)] == [BOM_UTF8 + first] * 2


def test_a_refusal_is_neither_remembered_nor_replaced(server: MockServer) -> None:
    server.cdp.fail("stale", mutate={"stale": True})
    server.cdp.fail("down", requests=1, reject="service_unavailable")
    assert b"service_unavailable" in total(server)
    old = total(server)
    server.cdp.set_balance("main", "btc", total="7")
    server.cdp.fail("down", requests=1, reject="service_unavailable")
    assert b"service_unavailable" in total(server)
    assert total(server) == old


def test_the_answers_that_a_rule_remembers_are_bounded(server: MockServer) -> None:
    server.cdp.fail(mutate={"stale": True})
    targets = [f"/btc?n={n}" for n in range(FIRST_BODIES_MAX + 1)]
    for target in targets:
        total(server, target)
    server.cdp.set_balance("main", "btc", total="7")
    assert [b'"7"' in total(server, target) for target in targets] == [False] * 64 + [True]


def large(target: str, size: int) -> MutableResponse:
    return MutableResponse(
        Response(200, (), b"x" * size), ResponsePaths(), "main", target.encode(), ""
    )


def test_the_bytes_that_a_rule_remembers_are_bounded() -> None:
    sizes = {"a": 3 * MIB, "b": MIB + 1, "c": MIB, "d": 1, "e": 0}
    memory: dict[Any, Any] = {}
    for target, size in sizes.items():
        kinds.find(kinds.MUTATIONS, "stale").watch(large(target, size), memory)
    again = {target: large(target, 7) for target in sizes}
    for response in again.values():
        mutations.stale(response, True, None, memory)
    assert {target: len(response.body) for target, response in again.items()} == {
        "a": 3 * MIB,
        "b": 7,
        "c": MIB,
        "d": 7,
        "e": 0,
    }


COINBASE = {
    "connectionId": "coinbase",
    "connectionFields": {"apiKey": "empty-key", "apiSecret": "empty-secret"},
}

FORMS = [
    ("coinstats", READS["coinstats"].target, {"json": BINANCE}, {"json": COINBASE}),
    ("coinw", PRIVATE, {"data": {"command": "returnBalances"}}, {"data": {"command": "returnCompleteBalances"}}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "target", "one", "other"), FORMS, ids=[f[0] for f in FORMS])
def test_requests_that_differ_in_their_bodies_have_answers_of_their_own(
    server: MockServer, provider: str, target: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    server.set_quirks({"coinstats.sync_after": "never", "coinstats.sync_polls": "1000"})
    plain = [ask(server, provider, "POST", target, **body).content for body in (one, other)]
    getattr(server, provider).fail(mutate={"stale": True})
    assert [ask(server, provider, "POST", target, **body).content for body in (one, other)] == plain
