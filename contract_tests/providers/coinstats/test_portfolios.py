"""CoinStats over a socket: portfolios, and the credits and limits of a key."""

from typing import Any

import pytest

from contract_tests.providers.coinstats.calls import (
    BALANCE,
    HEADER,
    KEY,
    NOTHING,
    PORTFOLIO,
    QUERY,
    STATUS_PATH,
    SUPPORT,
    TOKEN,
    USAGE,
    call,
    is_refused,
    read,
    spent,
)
from contract_tests.support.raw import burst, get
from contract_tests.support.request_rows import CLOCK
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.files import worlds
from mockserver.files.documents import openapi_document

SYNC_PATH = STATUS_PATH.replace("status", "sync")
TOKEN_HEADER = {"X-API-KEY": TOKEN}


def status(server: MockServer, headers: Any = HEADER) -> Any:
    return call(server, "GET", STATUS_PATH, headers).json().get("status")


def portfolio(server: MockServer, *query: Any, **how: Any) -> Any:
    return read(server, *query, **how).json()["portfolio"]


def test_two_polls_say_syncing_and_the_third_synced(still: MockServer) -> None:
    first = {"id": PORTFOLIO, "status": "syncing", "connectionId": "binance"}
    assert [portfolio(still) for _ in range(3)] == [first] * 3, "a read is no poll"
    assert [status(still) for _ in range(4)] == ["syncing", "syncing", "synced", "synced"]
    assert portfolio(still)["status"] == "synced"


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_the_number_of_polls_until_synced_is_a_quirk(still: MockServer, polls: int) -> None:
    still.set_quirks({"coinstats.sync_polls": str(polls), "coinstats.sync_after": "never"})
    assert portfolio(still)["status"] == ("syncing" if polls else "synced")
    still.clock.advance("1h")
    assert [status(still) for _ in range(polls + 2)] == ["syncing"] * polls + ["synced"] * 2


@pytest.mark.parametrize(("after", "seconds"), [(None, 5), ("7s", 7), ("1m", 60)])
def test_a_portfolio_is_synced_when_its_time_has_come(
    still: MockServer, after: str | None, seconds: int
) -> None:
    still.set_quirks({"coinstats.sync_after": after})
    for begin in (lambda: read(still), lambda: call(still, "PATCH", SYNC_PATH)):
        begin()
        CLOCK.advance(f"{seconds * 1000 - 1}ms")
        assert portfolio(still)["status"] == status(still) == "syncing"
        CLOCK.advance("1ms")
        assert portfolio(still)["status"] == status(still) == "synced"


def test_a_sync_starts_anew_with_its_own_polls_and_time(still: MockServer) -> None:
    read(still)
    for begin in ("once", "again"):
        assert [status(still) for _ in range(3)] == ["syncing", "syncing", "synced"], begin
        answer = call(still, "PATCH", SYNC_PATH)
        assert (answer.status_code, answer.text) == (200, '{"success":true}')
        assert portfolio(still)["status"] == "syncing"
    still.clock.advance("5s")
    assert status(still) == "synced"


def test_an_event_ends_the_syncing(still: MockServer) -> None:
    with pytest.raises(ValueError, match=f"no portfolio {PORTFOLIO}"):
        still.coinstats.event("portfolio_synced", id=PORTFOLIO)
    for begin in (lambda: read(still), lambda: call(still, "PATCH", SYNC_PATH)):
        begin()
        assert status(still) == "syncing"
        still.coinstats.event("portfolio_synced", id=PORTFOLIO)
        assert status(still) == "synced"
        with pytest.raises(ValueError, match="synced already"):
            still.coinstats.event("portfolio_synced", id=PORTFOLIO)


def test_the_last_name_sent_counts(server: MockServer) -> None:
    sent = [{}, {"name": "a"}, {}, {"name": "b"}, {"name": ""}, {}]
    portfolios = [portfolio(server, QUERY | members) for members in sent]
    assert [p.get("name") for p in portfolios] == [None, "a", "a", "b", "", ""]
    assert list(portfolios[1]) == ["id", "status", "connectionId", "name"]


PORTFOLIO_IDS = [
    ("none", "", 400, "Invalid parameter: portfolioId"),
    ("an empty one", "portfolioId=", 400, "Invalid parameter: portfolioId"),
    ("the parameter in small letters", f"portfolioid={PORTFOLIO}", 400, "Invalid parameter: portfolioId"),
    ("an unknown one", "portfolioId=no", 404, "Not Found"),
    ("in capitals", f"portfolioId={PORTFOLIO.upper()}", 404, "Not Found"),
    ("bytes that are no UTF-8", "portfolioId=%ff%00", 404, "Not Found"),
    ("an unknown one first", f"portfolioId=no&portfolioId={PORTFOLIO}", 404, "Not Found"),
    ("a known one first", f"portfolioId={PORTFOLIO}&portfolioId=no", 200, ""),
    ("escaped", f"portfolioId=%36{PORTFOLIO[1:]}", 200, ""),
]  # fmt: skip


@each("query, code, message", PORTFOLIO_IDS)
def test_a_portfolio_is_found_by_its_id(
    server: MockServer, query: str, code: int, message: str
) -> None:
    read(server)
    for method, path in ("GET", "/v1/exchange/status"), ("PATCH", "/v1/exchange/sync"):
        answer = call(server, method, f"{path}?{query}")
        if code == 200:
            assert answer.status_code == 200
        else:
            is_refused(answer, code, message, path)


def test_every_key_has_its_own_portfolio(still: MockServer) -> None:
    id = portfolio(still, NOTHING)["id"]
    path = "/v1/exchange/status"
    is_refused(call(still, "GET", f"{path}?portfolioId={id}", TOKEN_HEADER), 404, "Not Found", path)
    assert portfolio(still, NOTHING, TOKEN_HEADER)["id"] != id
    read(still, QUERY | {"name": "mine"})
    is_refused(call(still, "PATCH", SYNC_PATH, TOKEN_HEADER), 404, "Not Found", "/v1/exchange/sync")
    own = {"id": PORTFOLIO, "status": "syncing", "connectionId": "binance"}
    assert portfolio(still, headers=TOKEN_HEADER) == own
    assert [status(still) for _ in range(3)] == ["syncing", "syncing", "synced"]
    assert status(still, TOKEN_HEADER) == "syncing"
    still.coinstats.event("portfolio_synced", id=PORTFOLIO)
    assert status(still, TOKEN_HEADER) == "synced", "an event is about every key's"


# Credits

COSTS = [
    ("balance", "POST", BALANCE, 10),
    ("exchanges", "GET", SUPPORT, 1),
    ("status", "GET", STATUS_PATH, 3),
    ("sync", "PATCH", SYNC_PATH, 20),
    ("credits", "GET", USAGE, 0),
]


@each("method, target, cost", COSTS)
def test_a_call_costs_what_is_documented_while_there_is_enough(
    server: MockServer, method: str, target: str, cost: int
) -> None:
    before = 10 * (target != BALANCE)
    for total, code in ((before + cost, 200), (before + cost - 1, 429))[: 1 + bool(cost)]:
        server.reset()
        server.set_quirks({"coinstats.credits": str(total)})
        if before:
            read(server)
        answer = call(server, method, target, json=QUERY)
        assert answer.status_code == code
        left = 0 if code == 200 else cost - 1
        assert call(server, "GET", USAGE).json() == {
            "totalCredits": total,
            "usedCredits": total - left,
            "remainingCredits": left,
            "subscription": "PRO",
        }
        if code == 429:
            path = target.partition("?")[0]
            is_refused(answer, 429, "Insufficient credits for this request", path)
            assert server.journal[-2].reason == "credits_exhausted"


def test_credits_are_spent_by_each_key_and_by_good_calls_alone(server: MockServer) -> None:
    refused = [
        read(server, b"{}"),
        read(server, QUERY | {"connectionFields": {"apiKey": "a", "apiSecret": "b"}}),
        call(server, "GET", "/v1/exchange/status?portfolioId=no"),
        read(server, headers={"X-API-KEY": "reject-forbidden"}),
    ]
    assert [answer.status_code for answer in refused] == [400, 401, 404, 403]
    read(server)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    call(server, "GET", SUPPORT, bearer)
    status(server)
    server.clock.advance("9000h")
    assert (spent(server), spent(server, bearer)) == (13, 1), "no time brings them back"
    server.reset()
    assert (spent(server), spent(server, bearer)) == (0, 0)


def test_a_poll_without_credits_is_no_poll(still: MockServer) -> None:
    still.set_quirks({"coinstats.credits": "12"})
    read(still)
    assert [status(still) for _ in range(3)] == [None] * 3
    records = still.app.sandboxes.default.states["coinstats"].ledger.records["portfolio"]
    assert [record.polls for record in records.values()] == [0]


@pytest.mark.parametrize("rows", [0, 1000])
def test_all_coins_come_in_one_answer_that_costs_the_same(server: MockServer, rows: int) -> None:
    connected = {"connections": {"binance": {"fields": QUERY["connectionFields"]}}}
    section = {
        "keys": {"main": {"api_key": KEY, "account": "a"}},
        "accounts": {"a": connected | {"generate": {"rows": rows}}},
    }
    with MockServer(worlds.from_data({"coinstats": section}, "many")) as many:
        coins = [balance["coinId"] for balance in read(many).json()["balances"]]
        assert (len(coins), len(set(coins)), spent(many)) == (rows, rows, 10)


def test_the_document_shows_the_published_credits() -> None:
    operation = openapi_document("coinstats")["paths"]["/v1/usage/credits"]["get"]
    assert operation["responses"]["200"]["content"]["application/json"]["example"] == {
        "totalCredits": 100000,
        "usedCredits": 45000,
        "remainingCredits": 55000,
        "subscription": "PRO",
    }


# Limits


def test_no_limit_holds_unless_one_is_set(server: MockServer) -> None:
    assert burst(server.coinstats.base_url, get(USAGE, HEADER), 200) == [200] * 200


@pytest.mark.parametrize(("counts", "good"), [("reached", 1), ("successful", 4)])
def test_what_a_limit_counts_is_a_quirk(still: MockServer, counts: str, good: int) -> None:
    still.set_limits({"coinstats.reads": "4/60s"})
    still.set_quirks({"coinstats.counts": counts})
    wrong = QUERY | {"connectionFields": {"apiKey": "a", "apiSecret": "b"}}
    assert [read(still, wrong).status_code for _ in range(3)] == [401] * 3
    assert [read(still).status_code for _ in range(good + 1)] == [200] * good + [429]


def test_a_limit_counts_calls_of_a_key_in_the_span_that_ends_now(still: MockServer) -> None:
    CLOCK.advance("59s")
    still.set_limits({"coinstats.reads": "2/60s"})
    answers = [read(still)]
    CLOCK.advance("30s")
    answers.append(call(still, "GET", SUPPORT))  # all operations count together
    refused = read(still)
    is_refused(refused, 429, "Rate limit exceeded")
    assert read(still, headers=TOKEN_HEADER).status_code == 200, "another key"
    CLOCK.advance("29s")
    answers.append(read(still))
    CLOCK.advance("1s")
    answers += [read(still), read(still)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 429]
    names = {"content-type", "content-length", "date"}
    assert [{*map(str.lower, a.headers)} for a in (refused, *answers)] == [names] * 6
