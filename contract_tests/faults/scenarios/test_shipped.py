"""What each shipped scenario does to a client, over real sockets on a clock that stands."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_DOWN, Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from contract_tests.providers.coinw.calls import read as read_coinw
from contract_tests.support.scenario_client import DEADLINE, Caller
from mockserver import Auth, MockServer
from mockserver.faults.pages import ERROR_PAGES
from mockserver.files import scenarios
from mockserver.model.times import SECOND
from mockserver.providers import discover

PROVIDERS = list(discover())
MANY = "/v2/accounts/account_00000000-0000-4000-8000-000000000250/balances"
HTML = "text/html; charset=utf-8"
every_provider = pytest.mark.parametrize("provider", PROVIDERS)


def good(answer: httpx.Response) -> bool:
    """Tells whether an answer went well; CoinW refuses under 200 too."""
    return answer.status_code == 200 and (
        b'"failed":true' not in answer.content and answer.content != LIMITED
    )


LIMITED = b'{"code":29001,"msg":"API access frequently"}'


# Every one of them


def test_every_shipped_scenario_is_played_here() -> None:
    played = [name.removeprefix("test_").replace("_", "-") for name in globals()]
    names = scenarios.shipped()
    played += TIMELINES
    assert len(names) >= 15
    assert [name for name in names if not any(p.startswith(name) for p in played)] == []


@pytest.mark.parametrize("name", scenarios.shipped())
def test_a_scenario_has_its_files_name_and_two_sentences(name: str) -> None:
    scenario = scenarios.load(name)
    assert scenario.name == name
    for text in (scenario.about, scenario.client):
        assert re.fullmatch(r"[A-Z][^\n]{20,240}\.", text)
    assert scenario.rules or scenario.quirks or scenario.limits or scenario.skew


# By the clock

FLAPS = [("0s", 200), ("29999ms", 200), ("1ms", 500), ("29999ms", 500), ("1ms", 200), ("30s", 500), ("1h", 500), ("30s", 200)]  # fmt: skip
MAINTENANCE = [("0s", 200), ("59999ms", 200), ("1ms", 503), ("599999ms", 503), ("1ms", 200), ("1h", 200)]  # fmt: skip

# How far the clock moves before each read, the status of its response, and the state in the end.
TIMELINES: dict[str, tuple[list[tuple[str, int]], str]] = {
    "down-five-minutes": ([("0s", 503), ("299999ms", 503), ("1ms", 200)], "over"),
    "flapping": (FLAPS, "waiting"),
    "maintenance-window": (MAINTENANCE, "over"),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_a_scenario_rejects_requests_to_the_millisecond(
    still: MockServer, session: httpx.Client, name: str
) -> None:
    timeline, state = TIMELINES[name]
    still.play(name)
    caller = Caller(still, "cdp", session)
    for pause, status in timeline:
        still.clock.advance(pause)
        answer = caller.read()
        assert answer.status_code == status
        if name == "maintenance-window" and status == 503:
            assert answer.content == ERROR_PAGES["maintenance"].body
            assert (answer.headers["content-type"], answer.headers["retry-after"]) == (HTML, "600")
    assert still.faults[0]["state"] == state


# bad-connection


def test_bad_connection_is_slow_and_cuts_one_in_ten(
    still: MockServer, session: httpx.Client
) -> None:
    caller = Caller(still, "cdp", session)
    whole = caller.read().content
    still.play("bad-connection")
    reads: dict[int, Any] = {}
    for n in range(1, 13):
        before = time.monotonic()
        try:
            reads[n] = caller.read().content, time.monotonic() - before
        except httpx.RemoteProtocolError as error:
            reads[n] = str(error), time.monotonic() - before
    cut = f"(received {len(whole) * 9 // 10} bytes, expected {len(whole)})"
    pauses = -(-len(whole) // 64) * 0.005
    assert [n for n, (content, _) in reads.items() if content != whole] == [6, 9], "one in ten"
    assert all(reads[n][0].endswith(cut) for n in (6, 9))
    assert [n for n, (_, took) in reads.items() if took < pauses * 0.9] == [], "small pieces"
    assert [n for n in (4, 8, 12) if reads[n][1] < pauses + 0.3] == [], "every fourth head"


# ban-escalation


def test_ban_escalation_halves_then_bans_then_bans_for_long(still: MockServer) -> None:
    still.play("ban-escalation")
    assert read_coinw(still, 62) == "gg" + "l" * 60
    still.clock.advance("11s")
    assert read_coinw(still, 61) == "g" + "l" * 60, "half of two is left, and then a ban"
    still.clock.advance("29999ms")
    assert read_coinw(still) == "l"
    still.clock.advance("1ms")
    for _ in range(9):
        assert read_coinw(still, 61) == "g" + "l" * 60
        still.clock.advance("30s")
    assert read_coinw(still, 62) == "gg" + "l" * 60, "warned anew"
    still.clock.advance("11s")
    assert read_coinw(still, 61) == "g" + "l" * 60, "the eleventh ban"
    still.clock.advance("7h")
    assert read_coinw(still) == "l", "a longer one"
    still.clock.advance("1h")
    assert read_coinw(still, 3) == "ggl"


def test_ban_escalation_never_meets_a_client_that_slows_down(still: MockServer) -> None:
    still.play("ban-escalation")
    for _ in range(70):
        assert read_coinw(still, 3) == "ggl"
        still.clock.advance("1s")


# broken-json


class Unreadable(Exception):
    """The careful client's own error: the answer that it could not read."""


def parsed(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise Unreadable(answer.content[:40], str(error)) from None


def broken(whole: bytes, n: int) -> bytes:
    """Breaks the n-th answer: half, twice, or with a byte that is no UTF-8."""
    if n % 2 == 0:
        whole = whole[: int(len(whole) * 0.6)]
    if n % 3 == 0:
        whole += whole
    return whole.replace(b'"', b'"\xff', 1) if n % 5 == 0 else whole


@every_provider
def test_broken_json_is_a_200_that_cannot_be_read(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    caller = Caller(still, provider, session)
    caller.read()
    still.clock.advance("6s")  # CoinStats is done syncing
    whole = caller.read()
    still.play("broken-json")
    readable = []
    for n in range(1, 13):
        still.clock.advance("1s")
        answer = caller.read()
        assert (answer.status_code, answer.content) == (200, broken(whole.content, n))
        assert answer.headers["content-type"] == whole.headers["content-type"]
        try:
            assert parsed(answer) == whole.json()
            readable.append(n)
        except Unreadable:
            assert answer.content != whole.content
    assert readable == [1, 7, 11]


# clock-skew


TIMED = {"cdp": "outside_window", "cpg": "outside_window"}


@every_provider
def test_clock_skew_rejects_fresh_signatures(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    still.play("clock-skew")
    caller = Caller(still, provider, session)
    caller.auth = caller.handle.auth
    status = caller.read().status_code
    assert still.journal[-1].reason == TIMED.get(provider, "")
    assert status == (401 if provider in TIMED else 200)
    handle = caller.handle
    caller.auth = Auth(handle.provider, handle.credentials, lambda: time.time_ns() - 400 * SECOND)
    assert good(caller.read()), "a client that follows the exchange's clock"
    still.stop_scenario()
    caller.auth = handle.auth
    assert good(caller.read())


def test_clock_skew_can_be_seen_in_the_date(still: MockServer, session: httpx.Client) -> None:
    still.play("clock-skew")
    date = Caller(still, "cpg", session).read().headers["date"]
    assert 399 <= time.time() - parsedate_to_datetime(date).timestamp() <= 399 + DEADLINE


# credentials-revoked


@every_provider
def test_credentials_revoked_ends_a_key_after_four_requests(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    still.play("credentials-revoked")
    caller = Caller(still, provider, session)
    for _ in range(4):
        assert good(caller.read())
        still.clock.advance("1s")
    refused = caller.read()
    assert still.journal[-1].reason == "revoked_credential"
    still.stop_scenario()
    label = "reject-revoked_credential"
    caller.auth = caller.handle.auth_as(label)
    own = caller.read()
    assert refused.status_code == own.status_code
    assert {**refused.json(), **ids(own)} == own.json(), "in the provider's own words"


def ids(answer: httpx.Response) -> dict[str, Any]:
    return {k: v for k, v in answer.json().items() if k in ("correlationId", "requestId")}


def test_credentials_revoked_leaves_other_keys_alone(
    still: MockServer, session: httpx.Client
) -> None:
    still.play("credentials-revoked")
    caller = Caller(still, "cdp", session)
    assert [caller.read().status_code for _ in range(6)] == [200] * 4 + [401] * 2
    caller.auth = caller.handle.auth_as("es256")
    assert caller.read().status_code == 200
    assert Caller(still, "cpg", session).read().status_code == 401, "of every provider"


# half-lost


def lost(caller: Caller) -> str:
    """Reads once; returns how the answer was lost, nothing where it came."""
    try:
        caller.read()
    except httpx.ReadError:
        return "reset"
    except httpx.RemoteProtocolError as error:
        return "within" if "received" in str(error) else "closed"
    return ""


def test_half_lost_loses_half_of_the_answers_and_none_of_the_requests(
    still: MockServer, session: httpx.Client
) -> None:
    still.play("half-lost")
    caller = Caller(still, "cdp", session)
    losses = Counter(lost(caller) for _ in range(100))
    assert 40 <= 100 - losses[""] <= 60
    assert min(losses["reset"], losses["closed"]) >= 10
    assert Counter(entry.status for entry in still.journal) == {200: 100}
    assert sum(entry.delivery is not None for entry in still.journal) == 100 - losses[""]


def test_half_lost_costs_nothing_to_a_client_that_repeats_its_reference(
    still: MockServer, session: httpx.Client
) -> None:
    still.play("half-lost")
    caller = Caller(still, "cpg", session)
    for n in range(1, 11):
        withdrawal = insistently(caller, ORDER | {"client_reference": f"order-{n}"})
        assert withdrawal["withdrawal_id"] == n
    assert caller.sent > 10, "some answers were lost"
    still.stop_scenario()
    assert held(still) == 200 + 10 * Decimal("51.5")


ORDER = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50.00"}


def insistently(caller: Caller, order: dict[str, str]) -> dict[str, Any]:
    """Submits a withdrawal again, under the same reference, until it hears of it."""
    for _ in range(10):
        try:
            answer = caller.ask("POST", "/v1/withdrawals", json=order)
        except httpx.TransportError:
            continue
        assert answer.status_code == 200, answer.text
        withdrawal: dict[str, Any] = answer.json()["data"]
        return withdrawal
    raise TimeoutError("never heard of it")


def held(server: MockServer) -> Decimal:
    return Decimal(server.cpg.balances()[0].held)


# lost-withdrawal


def test_lost_withdrawal_is_made_once(still: MockServer, session: httpx.Client) -> None:
    still.play("lost-withdrawal")
    caller = Caller(still, "cpg", session)
    order = ORDER | {"client_reference": "order-1"}
    with pytest.raises(httpx.RemoteProtocolError):
        caller.ask("POST", "/v1/withdrawals", json=order)
    there = caller.ask("GET", "/v1/withdrawals/1").json()["data"]
    assert (there["status"], there["amount"]) == ("broadcasted", "50.000000")
    assert held(still) == Decimal("251.5")
    again = caller.ask("POST", "/v1/withdrawals", json=order).json()["data"]
    assert (again["withdrawal_id"], again["tx_hash"]) == (1, there["tx_hash"])
    assert held(still) == Decimal("251.5"), "not made twice"
    assert caller.ask("GET", "/v1/withdrawals/2").status_code == 404
    careless = caller.ask("POST", "/v1/withdrawals", json=ORDER | {"client_reference": "order-2"})
    assert careless.json()["data"]["withdrawal_id"] == 2
    assert held(still) == Decimal("303.0"), "the mistake that this scenario is for"


# moving-ledger


def pages(caller: Caller, target: str = MANY, size: int = 100) -> Iterator[list[str]]:
    """Walks a list; raises RuntimeError for a token that it followed before."""
    followed: set[str] = set()
    token = ""
    while True:
        query = httpx.QueryParams({"pageSize": size} | ({"pageToken": token} if token else {}))
        body = caller.ask("GET", f"{target}?{query}").json()
        rows = body["balances"] if "balances" in body else body["accounts"]
        yield [row["asset"]["symbol"] if "asset" in row else row["accountId"] for row in rows]
        token = body.get("nextPageToken", "")
        if not token:
            return
        if token in followed:
            raise RuntimeError("the walk leads back to where it was")
        followed.add(token)


def test_moving_ledger_shows_a_row_twice_and_another_never(
    still: MockServer, session: httpx.Client
) -> None:
    caller = Caller(still, "cdp", session)
    whole = [row for page in pages(caller) for row in page]
    assert len(whole) == len(set(whole)) == 250
    still.play("moving-ledger")
    first, second, third = pages(caller)
    assert (first, third) == (whole[:100], whole[201:])
    assert second == [whole[99], *whole[100:200]]
    joined = {row for page in (first, second, third) for row in page}
    assert set(whole) - joined == {whole[200]}
    joined |= {row for page in pages(caller) for row in page}
    assert joined == set(whole), "read again, where a total matters"


# page-token-loop


@pytest.mark.parametrize(("target", "size"), [(MANY, 20), ("/v2/accounts", 1)])
def test_page_token_loop_is_noticed_at_the_second_page(
    still: MockServer, session: httpx.Client, target: str, size: int
) -> None:
    still.play("page-token-loop")
    caller = Caller(still, "cdp", session)
    walk = pages(caller, target, size)
    assert next(walk) != next(walk)
    with pytest.raises(RuntimeError, match="leads back"):
        next(walk)
    assert caller.sent == 2
    token = caller.ask("GET", f"{target}?pageSize={size}").json()["nextPageToken"]
    query = httpx.QueryParams({"pageSize": size, "pageToken": token})
    assert caller.ask("GET", f"{target}?{query}").json()["nextPageToken"] == token


# proxy-in-front


def test_proxy_in_front_answers_one_in_five_itself(
    still: MockServer, session: httpx.Client
) -> None:
    still.play("proxy-in-front")
    caller = Caller(still, "cdp", session)
    counts: Counter[str] = Counter()
    for _ in range(100):
        answer = caller.read()
        entry = still.journal[-1] if answer.status_code != 200 else None
        counts[entry.fault if entry else ""] += 1
        assert answer.headers["content-type"] == (HTML if entry else "application/json")
    assert counts == {"": 76, "gateway": 12, "challenge": 8, "blocked": 4}
    blocked = [e for e in still.journal if e.fault in ("blocked", "challenge")]
    assert {entry.status for entry in blocked} == {403}
    assert {entry.response["headers"]["server"] for entry in blocked} == {"cdn"}


# rate-limit-storm


class Patient(Caller):
    """Advances the sandbox clock where a client would wait."""

    def __init__(self, server: Any, provider: str, session: httpx.Client) -> None:
        super().__init__(server, provider, session)
        self.waited = 0

    def wait(self, seconds: int) -> None:
        self.waited += seconds
        self.clock.advance(f"{seconds}s")


class Limited(Patient):
    """Waits as long as it is told, and reads again what came in half."""

    def __init__(self, server: Any, provider: str, session: httpx.Client) -> None:
        super().__init__(server, provider, session)
        self.halves: list[str] = []

    def read_on(self) -> httpx.Response:
        while True:
            try:
                answer = self.read()
            except httpx.RemoteProtocolError as error:
                self.halves.append(str(error))
                continue
            if good(answer):
                return answer
            assert answer.status_code == (200 if self.handle.provider.name == "coinw" else 429)
            self.wait(int(answer.headers.get("retry-after", "1")))


@every_provider
def test_rate_limit_storm_refuses_three_reads_and_then_cuts_one_in_ten(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    still.play("rate-limit-storm")
    caller = Limited(still, provider, session)
    first = caller.read_on()
    assert [entry.reason for entry in still.journal] == ["rate_limited"] * 3 + [""]
    assert caller.waited == 3 if provider != "coinapi" else 121 <= caller.waited <= 180
    caller.wait(6)  # CoinStats is done syncing
    bodies = []
    for _ in range(30):
        caller.wait(1)
        bodies.append(caller.read_on().content)
    assert {len(body) for body in bodies} == {len(bodies[0])}
    size = len(bodies[0])
    assert len(caller.halves) == 1
    assert caller.halves[0].endswith(f"(received {size // 2} bytes, expected {size})")
    cut = [entry.n for entry in still.journal if entry.delivery]
    assert cut == [29]
    assert first.status_code == 200


# schema-drift


TOTALS: dict[str, Callable[[Any], list[Any]]] = {
    "cdp": lambda body: [r["amount"][r["asset"]["symbol"]]["total"] for r in body["balances"]],
    "coinapi": lambda body: [row["balance"] for item in body for row in item["data"]],
    "coinstats": lambda body: [row["amount"] for row in body["balances"]],
    "coinw": lambda body: list(body["data"].values()),
    "cpg": lambda body: [row["balance"] for row in body["data"]],
}


def totals(provider: str, answer: httpx.Response) -> list[Decimal]:
    """Reads amounts as decimals however they are written, and what it knows by name."""
    body = answer.json(parse_float=Decimal, parse_int=Decimal)
    return [Decimal(amount) for amount in TOTALS[provider](body)]


@every_provider
def test_schema_drift_is_nothing_to_a_client_that_reads_decimals(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    caller = Caller(still, provider, session)
    known = totals(provider, caller.read())
    still.play("schema-drift")
    for n in range(1, 7):
        still.clock.advance("1s")
        answer = caller.read()
        amounts = totals(provider, answer)
        assert '"somethingNew":{' in answer.text
        assert (re.search(r"[0-9]E[+-][0-9]", answer.text) is not None) == (n in (2, 4))
        places = {-int(amount.as_tuple().exponent) for amount in amounts}
        assert (places == {18}) == (n in (3, 6))
        assert [cut(f, k) for f, k in zip(amounts, known, strict=True)] == known
        if n not in (3, 6):
            assert amounts == known


def cut(amount: Decimal, like: Decimal) -> Decimal:
    return amount.quantize(like, ROUND_DOWN)


# slow-brown-out


def test_slow_brown_out_delays_responses_and_loses_some(
    still: MockServer, session: httpx.Client
) -> None:
    still.play("slow-brown-out")
    timeout = httpx.Timeout(connect=DEADLINE, read=4, write=DEADLINE, pool=DEADLINE)
    caller = Caller(still, "cdp", session)

    def took(_: int) -> float | None:
        before = time.monotonic()
        try:
            assert caller.session.get(url, auth=caller.handle.auth, timeout=timeout).is_success
        except httpx.ReadTimeout:
            return None  # unknown: neither answered nor failed
        return time.monotonic() - before

    url = caller.handle.base_url + caller.handle.example.path.decode()
    with ThreadPoolExecutor(32) as pool:
        seconds = list(pool.map(took, range(32)))
    answered = sorted(t for t in seconds if t is not None)
    assert len(answered) == 31, "the nineteenth hangs"
    assert answered[0] >= 0.05
    assert answered[15] >= 0.1
    assert answered[-1] >= 0.6, "a long tail"
    deliveries = [entry.delivery for entry in still.journal]
    assert sum("hang: 10" in delivery for delivery in deliveries) == 1
    assert all("lognormal" in delivery for delivery in deliveries)
    assert {entry.status for entry in still.journal} == {200}, "what was asked for was done"


# stale-cache


NEWS: dict[str, tuple[str, dict[str, str]]] = {
    "cdp": ("btc", {}),
    "coinapi": ("XBT", {"venue": "KRAKEN"}),
    "coinstats": ("popcat", {"venue": "binance"}),
    "coinw": ("BTC", {}),
    "cpg": ("USDT", {"venue": "ETH"}),
}


@every_provider
def test_stale_cache_hides_whatever_has_moved(
    still: MockServer, session: httpx.Client, provider: str
) -> None:
    still.play("stale-cache")
    caller = Caller(still, provider, session)
    first = caller.read().content
    asset, at = NEWS[provider]
    caller.handle.credit("main", asset, "1", **at)
    still.clock.advance("1h")
    assert [caller.read().content for _ in range(2)] == [first] * 2
    still.stop_scenario()
    fresh = caller.read()
    assert fresh.content != first, "the deposit was there all the time"
    held_now = next(row for row in caller.handle.balances() if row.asset == asset)
    assert held_now.total in totals(provider, fresh)


# stuck-in-syncing


def test_stuck_in_syncing_never_ends_by_itself(still: MockServer, session: httpx.Client) -> None:
    still.play("stuck-in-syncing")
    caller = Patient(still, "coinstats", session)
    portfolio = caller.read().json()["portfolio"]
    assert portfolio["status"] == "syncing"
    target = f"/v1/exchange/status?portfolioId={portfolio['id']}"
    for pause in (1, 2, 4, 8, 16, 32, 60, 60, 60, 86_400):
        assert caller.ask("GET", target).json() == {"status": "syncing"}
        caller.wait(pause)
    assert caller.read().json()["portfolio"]["status"] == "syncing"
    still.stop_scenario()
    assert caller.ask("GET", target).json() == {"status": "synced"}
