"""Coinbase CDP over a socket: balances, their pages, and the rate of reads."""

from collections.abc import Callable
from decimal import Decimal
from itertools import chain

import pytest
import requests

from contract_tests.providers.cdp.calls import (
    BALANCES,
    EMPTY,
    MAIN,
    MANY,
    NO_ACCOUNT,
    OWNER,
    good,
    outcome,
    paged,
    read,
    symbols,
)
from contract_tests.support.fixture_rows import masked, rows
from contract_tests.support.raw import burst, exchange, without_noise
from contract_tests.support.request_rows import CLOCK, refusal
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.files import worlds
from mockserver.model.amounts import Amount
from mockserver.model.world import SetRow
from mockserver.providers.cdp.balances import RowsByValue

BAD_TOKEN = (400, "bad_page_token", "")


def quoted(token: str) -> str:
    return requests.utils.quote(token, safe="")


def next_token(answer: requests.Response) -> str:
    return answer.json().get("nextPageToken", "")


def walk(
    server: MockServer, size: int | None, account: str = MANY, token: str = ""
) -> list[list[str]]:
    """The symbols of each page, from the first or from a token on."""
    pages = []
    while True:
        answer = paged(server, account, size, token)
        assert answer.status_code == 200, answer.text
        pages.append(symbols(answer))
        token = next_token(answer)
        if not token:
            return pages


# Balances


def test_the_documented_page_is_that_of_two(server: MockServer) -> None:
    answer = paged(server, MAIN, 2)
    body, sealed = answer.text.rsplit(',"nextPageToken":', 1)
    assert rows("cdp", "examples")[2]["body"].startswith(body.removesuffix("]"))
    assert symbols(answer) == ["btc", "usd"]
    assert sealed.startswith('"eyJsYXN0X2lkIjoidXNkIiwidGltZXN0YW1wIjox')
    rest = paged(server, MAIN, token=next_token(answer))
    assert rest.json().keys() == {"balances"}
    assert symbols(rest) == ["usdc"]


VALUED = [
    ("zec", "1", "25.50"),
    ("ape", "25.5", "1"),
    ("dust", "9007199254740993.000000000000000001", "0"),
    ("note", "5", None),
    ("item", "7", None),
    ("huge", "123456789.123456789123456789", "0.000000000123456789"),
]


def test_the_highest_worth_comes_first_and_what_has_none_last(server: MockServer) -> None:
    ledger = server.app.sandboxes.default.states["cdp"].ledger
    for asset, total, price in VALUED:
        usd = None if price is None else Amount.parse(price)
        row = server.cdp.provider.row(asset=asset, total=Amount.parse(total), usd=usd)
        ledger.apply([SetRow(MAIN, row)])
    answer = paged(server, MAIN)
    order = ["btc", "usd", "ape", "usdc", "zec", "huge", "dust", "item", "note"]
    assert symbols(answer) == order
    assert list(chain(*walk(server, 1, MAIN))) == order
    balances = {b["asset"]["symbol"]: b for b in answer.json()["balances"]}
    value, worth = VALUED[-1][1], "0.015241578765432099765432099750190521"
    assert balances["huge"]["amount"] == {
        "huge": {"available": value, "total": value},
        "usd": {"available": worth, "total": worth},
    }
    assert balances["dust"]["amount"]["usd"] == {"available": "0", "total": "0"}
    assert balances["note"]["amount"] == {"note": {"available": "5", "total": "5"}}
    asset = {"symbol": "note", "type": "crypto", "name": "NOTE", "decimals": 18}
    assert balances["note"]["asset"] == asset


def test_a_balance_that_is_set_is_shown_with_its_own_scale(server: MockServer) -> None:
    before = read(server, f"/v2/accounts/{MAIN}").text
    server.clock.advance("1h")
    server.cdp.set_balance("main", "btc", total="2.00", held="0.5")
    assert read(server, f"/v2/accounts/{MAIN}/balances/btc").json()["amount"] == {
        "btc": {"available": "1.50", "total": "2.00"},
        "usd": {"available": "151623.24", "total": "202164.32"},
    }
    assert read(server, f"/v2/accounts/{MAIN}").text == before, "the account is as it was"


# Pages

WALKS = [
    ("of single items", 1, 250, 1, 1),
    ("of 7", 7, 36, 7, 5),
    ("of the default size", None, 13, 20, 10),
    ("of the greatest size", 100, 3, 100, 50),
    ("of a greater size", 101, 3, 100, 50),
    ("of an enormous size", 10**17, 3, 100, 50),
]


@each("size, count, full, last", WALKS)
def test_a_walk_is_complete_and_disjoint(
    server: MockServer, size: int | None, count: int, full: int, last: int
) -> None:
    pages = walk(server, size)
    assert [len(page) for page in pages] == [full] * (count - 1) + [last]
    ledger = sorted(
        server.cdp.balances("many"),
        key=lambda r: (r.usd is None, -(r.usd or Decimal(0)) * r.total, r.asset),
    )
    assert list(chain(*pages)) == [row.asset for row in ledger]
    assert any(row.usd is None for row in ledger)


def test_a_page_that_ends_the_list_has_no_token_or_an_empty_one(server: MockServer) -> None:
    assert next_token(paged(server, MAIN, 2))
    assert "nextPageToken" not in paged(server, MAIN, 3).json()
    assert paged(server, EMPTY).text == '{"balances":[]}'
    server.set_quirks({"cdp.last_page_token": "empty"})
    assert paged(server, EMPTY).text == '{"balances":[],"nextPageToken":""}'
    assert paged(server, MAIN).json()["nextPageToken"] == ""
    assert paged(server, MAIN, 2).json()["nextPageToken"]
    assert read(server, "/v2/accounts").json()["nextPageToken"] == ""


# A query, and the number of balances; 0 for one that is refused.
SIZES = {
    "pageSize=1": 1,
    "pageSize=002": 2,
    "pageSize=100": 100,
    "pageSize=101": 100,
    "pageSize=999999999999999999": 100,
    "pageSize=1000000000000000000": 100,
    "pageSize=2&pageSize=0": 2,
    "pageSize=2&more=1": 2,
    "&&pageSize=2&": 2,
    "%70ageSize=%32": 2,
    "pageToken=": 20,
    "pagesize=2": 20,
    "pageSize=2;pageToken=a": 0,
    "pageSize=0&pageSize=2": 0,
    "pageSize=0": 0,
    "pageSize=00": 0,
    "pageSize=": 0,
    "pageSize": 0,
    "pageSize=-1": 0,
    "pageSize=%2B1": 0,
    "pageSize=1.0": 0,
    "pageSize=2_0": 0,
    "pageSize=%202": 0,
    "pageSize=2%00": 0,
    "pageSize=%D9%A5": 0,
    "pageSize=%C2%B2": 0,
}


@pytest.mark.parametrize("query", SIZES)
def test_a_page_size_is_a_number_above_zero(server: MockServer, query: str) -> None:
    answer = read(server, f"/v2/accounts/{MANY}/balances?{query}")
    assert answer.status_code == (200 if SIZES[query] else 400)
    assert len(answer.json().get("balances", [])) == SIZES[query]


def test_a_page_size_over_the_most_may_be_refused(server: MockServer) -> None:
    server.set_quirks({"cdp.page_size_over_max": "reject"})
    assert len(symbols(paged(server, MANY, 100))) == 100
    assert outcome(server, paged(server, MANY, 101)) == (400, "bad_request", "")
    assert outcome(server, read(server, "/v2/accounts?pageSize=101"))[0] == 400


def of_another_server(token: str) -> str:
    with MockServer(seed=7) as other:
        return next_token(paged(other, MANY))


FORGED: list[tuple[str, Callable[[str], str]]] = [
    ("one letter changed at its start", lambda t: "f" + t[1:]),
    ("one letter changed inside", lambda t: t[:50] + ("A" if t[50] != "A" else "B") + t[51:]),
    ("one letter changed at its end", lambda t: t.rstrip("=")[:-1] + "=" * t.count("=")),
    ("cut", lambda t: t[:-4]),
    ("without its padding, or with some", lambda t: t.rstrip("=") if "=" in t else t + "===="),
    ("with more padding", lambda t: t + "="),
    ("with a space", lambda t: t + " "),
    ("twice", lambda t: t + t),
    ("the documented one", lambda t: "eyJsYXN0X2lkIjogImFiYzEyMyIsICJ0aW1lc3RhbXAiOiAxNzA3ODIzNzAxfQ=="),
    ("no base64", lambda t: "\u00e4*"),
    ("60,000 signs", lambda t: "A" * 60_000),
    ("escaped twice", quoted),
    ("in the other case", lambda t: t.swapcase()),
    ("another server's", of_another_server),
]  # fmt: skip


@each("edit", FORGED)
def test_a_page_token_that_this_list_did_not_give_is_a_400(
    server: MockServer, edit: Callable[[str], str]
) -> None:
    token = next_token(paged(server, MANY))
    assert paged(server, MANY, token=token).status_code == 200
    assert outcome(server, paged(server, MANY, token=edit(token))) == BAD_TOKEN


def test_a_page_token_is_good_for_its_own_list_only(server: MockServer) -> None:
    token = quoted(next_token(paged(server, MANY)))
    accounts = quoted(next_token(read(server, "/v2/accounts?pageSize=1")))
    for target in (
        f"/v2/accounts/{MAIN}/balances?pageToken={token}",
        f"/v2/accounts?pageToken={token}",
        f"/v2/accounts/{MANY}/balances?pageToken={accounts}",
        f"/v2/accounts?type=cdp&pageToken={accounts}",
        f"/v2/accounts?owner={OWNER}&pageToken={accounts}",
    ):
        assert outcome(server, read(server, target)) == BAD_TOKEN
    assert read(server, f"/v2/accounts?pageToken={accounts}").status_code == 200
    target = f"/v2/accounts/{MANY}/balances?pageToken={token}"
    assert read(server, target, "es256").status_code == 200, "another key of the owner"


@pytest.mark.parametrize(("quirks", "span"), [({}, "15m"), ({"cdp.page_token_ttl": "2s"}, "2s")])
def test_a_page_token_expires_on_the_sandbox_clock(
    still: MockServer, quirks: dict[str, str], span: str
) -> None:
    still.set_quirks(quirks)
    token = next_token(paged(still, MANY))
    still.clock.advance(span)
    assert paged(still, MANY, token=token).status_code == 200
    still.clock.advance("1ms")
    assert outcome(still, paged(still, MANY, token=token)) == BAD_TOKEN


def test_the_size_may_change_in_a_walk_unless_tokens_bind_it(server: MockServer) -> None:
    token = next_token(paged(server, MANY, 7))
    assert symbols(paged(server, MANY, 3, token)) == symbols(paged(server, MANY, 10))[7:]
    server.set_quirks({"cdp.page_token_binds_size": "true"})
    token = next_token(paged(server, MANY, 7))
    assert paged(server, MANY, 7, token).status_code == 200
    for size in (8, None):
        assert outcome(server, paged(server, MANY, size, token)) == BAD_TOKEN
    token = next_token(paged(server, MANY, 100))
    assert paged(server, MANY, 101, token).status_code == 200, "both are 100"


@pytest.mark.parametrize(("at", "total"), [(0, "0"), (19, "0"), (0, None), (20, None), (249, None)])
def test_a_change_during_a_walk_neither_repeats_nor_drops_what_did_not_change(
    server: MockServer, at: int, total: str | None
) -> None:
    before = list(chain(*walk(server, 100)))
    first, changed = paged(server, MANY, 20), before[at]
    server.cdp.set_balance("many", changed, total=total or "99999999")
    rest = symbols(first) + list(chain(*walk(server, 20, token=next_token(first))))
    assert [s for s in rest if s != changed] == [s for s in before if s != changed]


def test_a_page_token_may_be_used_again_with_its_padding_escaped_or_not(
    still: MockServer,
) -> None:
    # Which page's token needs padding depends on the length of its last symbol.
    firsts = (paged(still, MANY, size) for size in range(1, 20))
    first = next(answer for answer in firsts if next_token(answer).endswith("="))
    url = f"/v2/accounts/{MANY}/balances?pageToken="
    after = [read(still, url + form(next_token(first))) for form in (str, quoted)]
    assert [answer.status_code for answer in after] == [200, 200]
    assert after[0].text == after[1].text
    assert after[1].request.url.endswith("%3D")
    assert not {*symbols(first)} & {*symbols(after[0])}


def test_a_large_account_is_sorted_once() -> None:
    data = worlds.data(worlds.find("default"))
    data["cdp"]["accounts"][MANY]["generate"]["rows"] = 5000
    with MockServer(worlds.from_data(data, "large")) as server:
        first = paged(server, MANY, 100)
        second = paged(server, MANY, 100, next_token(first))
        account = server.app.sandboxes.default.states["cdp"].ledger.accounts[MANY]
        assert account.indexes is not None
        assert account.derive(RowsByValue) is account.indexes[RowsByValue], "sorted once"
        items = account.indexes[RowsByValue].sorted_rows.items
        assert len(items) == 5000
        assert [row.asset for row in items[:200]] == symbols(first) + symbols(second)


# The rate

READ = f"{BALANCES}/btc"


def rated(server: MockServer, target: str = READ, label: str = "main") -> str:
    """Reads with a token of the moment at which time stands still."""
    return masked(without_noise(exchange(server.cdp.base_url, good(target, label))))


def statuses(server: MockServer, *targets: str) -> list[str]:
    return [rated(server, target)[9:12] for target in targets]


def test_the_601st_read_in_ten_seconds_is_refused_and_time_alone_mends_it(
    still: MockServer,
) -> None:
    url, request = still.cdp.base_url, good(READ)
    assert burst(url, request, 1) == [200]
    CLOCK.advance("1ms")
    assert burst(url, request, 600) == [200] * 599 + [429]
    assert rated(still) == refusal("cdp", "rate_limited")
    assert still.journal[-1].reason == "rate_limited"
    assert rated(still, label="es256").startswith("HTTP/1.1 200"), "each key has its own"
    CLOCK.advance("9998ms")
    assert burst(url, request, 1) == [429]
    CLOCK.advance("1ms")
    assert burst(url, request, 2) == [200, 429], "the first has left the window, no other"


@pytest.mark.parametrize(("counts", "count"), [("reached", 1), ("successful", 4)])
def test_a_read_counts_when_it_reaches_the_limit_or_when_it_succeeds(
    still: MockServer, counts: str, count: int
) -> None:
    still.set_limits({"cdp.reads": "4/10s"})
    still.set_quirks({"cdp.counts": counts})
    path = "/platform/v2/accounts"
    wrong = [f"{path}/x", f"{path}/{NO_ACCOUNT}", f"{path}?pageToken=a"]
    assert statuses(still, *wrong) == ["400", "404", "400"]
    assert statuses(still, *[READ] * (count + 1)) == ["200"] * count + ["429"]
    assert statuses(still, wrong[0]) == ["429"], "before parameters"
    post = good(path).replace(b"GET", b"POST", 1)
    assert burst(still.cdp.base_url, post, 1) == [405], "a write is no read"


def test_reads_are_counted_per_key_on_the_sandbox_clock(still: MockServer) -> None:
    still.set_limits({"cdp.reads": "1/10s"})
    path = "/platform/v2/accounts"
    for wait, method, label, status in (
        ("0s", "POST", "main", 405),
        ("0s", "GET", "main", 200),
        ("9999ms", "GET", "main", 429),
        ("0s", "GET", "es256", 200),
        ("1ms", "GET", "main", 200),
    ):
        still.clock.advance(wait)
        request = good(path, label).replace(b"GET", method.encode(), 1)
        assert burst(still.cdp.base_url, request, 1) == [status]


def test_a_429_may_say_when_to_come_back(still: MockServer) -> None:
    still.set_limits({"cdp.reads": "1/10s"})
    still.set_quirks({"cdp.retry_after": "true"})
    rated(still)
    for wait, seconds in (("1ms", 10), ("8999ms", 1), ("999ms", 1)):
        CLOCK.advance(wait)
        assert rated(still) == refusal("cdp", "rate_limited", headers=f"retry-after: {seconds}")
    CLOCK.advance("1ms")
    assert statuses(still, READ) == ["200"]
