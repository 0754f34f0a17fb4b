"""Reference clients, as careful users write them, against the running server.

Its time passes only while a client sleeps.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import pytest

from contract_tests.clients.cdp import CdpCurlClient
from contract_tests.clients.coinapi import CoinApiError, RejectedError
from contract_tests.clients.coinstats import CoinStatsError
from contract_tests.support.client_outcomes import (
    MINUTE,
    balances,
    complete,
    outcome,
    pauses,
    refusal,
    written,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.patient_clients import (
    ACCOUNT,
    CLIENTS,
    CLOCK,
    Patience,
    new_client,
)
from mockserver import MockServer
from mockserver.providers import discover

every_provider = pytest.mark.parametrize("provider", CLIENTS)


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    """A server whose time is wound by hand."""
    with MockServer(real=CLOCK) as server:
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as http:
        yield http


@pytest.fixture
def patience() -> Patience:
    """A client's time, which begins twenty seconds into a minute."""
    CLOCK.now += -CLOCK.now % MINUTE + 20 * 10**9
    return Patience()


def client_of(
    sandbox: Any,
    provider: str,
    http: httpx.Client,
    patience: Patience,
    label: str = "main",
    **more: Any,
) -> Any:
    handle = getattr(sandbox, provider)
    return new_client(provider, http, handle.base_url, handle.credential(label), patience, **more)


D = Decimal

EMPTY = "account_00000000-0000-4000-8000-000000000000"

COINS = [
    ("popcat", D("0.00342"), D("0.25946"), D("0.0000023571544854315866")),
    ("bitcoin", D("0.50000000"), D("101082.16"), D("1")),
    ("ethereum", D("12.345678901234567891"), D("3301.77"), D("0.032664221262941")),
    ("shiba-inu", D("9007199254740993"), D("0.00000023"), D("0.0000000000022753768")),
]
SPOT = [
    ("BTC", D("0.0012")),
    ("CWT", D("400.000")),
    ("SAND", D("108.467")),
    ("ETH", D("0.0330")),
    ("USDT", D("257.518301140000000")),
]
COMPLETE = [
    ("BTC", D("0"), D("0.0012")),
    ("CWT", D("0"), D("400")),
    ("SAND", D("0"), D("108.467")),
    ("ETH", D("0"), D("0.033")),
    ("USDT", D("0"), D("257.51830114")),
]


class Case(NamedTuple):
    """What a client asks of the default world, under which quirks, and what it makes of it."""

    says: str
    provider: str
    call: Callable[[Any], Any]
    expected: Any
    quirks: dict[str, str] = {}
    label: str = "main"


KRAKEN = [("KRAKEN", "XBT", D("0.00134444"), D("0.00134444"), D("0"))]
BINANCE = [
    ("BINANCE", "BTC", D("1.00000001"), D("0.75000001"), D("0.25")),
    ("BINANCE", "ETH", D("123456789.123456789123456789"), D("123456789.123456789123456788"), D("0.000000000000000001")),
    ("BINANCE", "SHIB", D("9007199254740993"), D("9007199254740993"), D("0")),
    ("BINANCE", "LDUSDT", D("12.50"), D("10.00"), D("2.50")),
]  # fmt: skip

USDT = ("USDT", "ETH", D("1500.000000"), D("200.000000"), D("1300.000000"))
GATEWAY = [
    USDT,
    ("USDT", "TRX", D("250.500000"), D("0.000000"), D("250.500000")),
    ("USDC", "BSC", D("0.000000000000000001"), D("0.000000000000000000"), D("0.000000000000000001")),
    ("ETH", "ETH", D("12.345678901234567890"), D("0.100000000000000000"), D("12.245678901234567890")),
    ("BTC", "BTC", D("0.50000000"), D("0.00000000"), D("0.50000000")),
]  # fmt: skip

PRIME = [("btc", D("2.5"), D("3.0")), ("usd", D("90"), D("100")), ("usdc", D("20.5"), D("25.5"))]

BARE_ERRORS = {
    "coinw.error_status": "4xx",
    "coinw.error_envelope": "bare",
    "coinw.error_code_type": "number",
}

# fmt: off
CASES = [
    Case("the documented balances", "cdp", balances, PRIME),
    Case("an account without balances", "cdp", lambda c: c.balances(EMPTY), []),
    Case("a last page with an empty token", "cdp", balances, PRIME, {"cdp.last_page_token": "empty"}),
    Case("a key on P-256", "cdp", balances, PRIME, label="es256"),
    Case("another owner's account", "cdp", balances, ("not_found", "Account not found."), label="stranger"),
    Case("a gateway's bare text", "cdp", balances, ("401", "Unauthorized"), {"cdp.auth_failure_body": "plain"}, "reject-expired"),
    Case("one exchange", "coinapi", lambda c: c.balances("KRAKEN"), KRAKEN),
    Case("all exchanges, but one that is down", "coinapi", balances, KRAKEN + BINANCE),
    Case("no exchange", "coinapi", balances, [], label="empty"),
    Case("the one that is down", "coinapi", lambda c: c.balances("BITMEX"), ("EXCHANGE_UNREACHABLE", "Exchange is unreachable.")),
    Case("members that are not there", "coinapi", lambda c: c.balances("BINANCE")[-1:], [("BINANCE/JOHN", "LDUSDT", None, None, D("2.50"))], {"coinapi.row_extras": "quickstart"}),
    Case("a gateway without keys", "coinapi", balances, KRAKEN + BINANCE, {"coinapi.auth": "none"}, "empty"),
    Case("the documented coin, and more", "coinstats", balances, COINS),
    Case("numbers with exponents", "coinstats", balances, COINS, {"coinstats.numbers": "exponent"}),
    Case("the older shape of errors", "coinstats", balances, ("401", "Unauthorized"), {"coinstats.error_shape": "legacy"}, "reject-unknown_credential"),
    Case("the five holdings", "coinw", balances, SPOT),
    Case("the same holdings, complete", "coinw", complete, COMPLETE),
    Case("holdings as numbers", "coinw", balances, SPOT, {"coinw.amounts": "number"}),
    Case("holdings with exponents", "coinw", complete, COMPLETE, {"coinw.amounts": "exponent"}),
    Case("a code that is a number", "coinw", balances, SPOT, {"coinw.success_code_type": "number"}),
    Case("no holdings", "coinw", balances, [], label="empty"),
    Case("no holdings, as null", "coinw", balances, [], {"coinw.empty": "null"}, "empty"),
    Case("no holdings, as no bytes", "coinw", complete, [], {"coinw.empty": "zero-bytes"}, "empty"),
    Case("a bare error", "coinw", balances, ("10007", "Signature error"), BARE_ERRORS, "reject-bad_signature"),
    Case("all rows", "cpg", balances, GATEWAY),
    Case("the row that both filters lead to", "cpg", lambda c: c.balances(currency="usdt", network="ETH"), [USDT]),
    Case("a filter that nothing matches", "cpg", lambda c: c.balances(currency="DOGE"), []),
]
# fmt: on


@pytest.mark.parametrize("case", CASES, ids=[f"{c.provider}: {c.says}" for c in CASES])
def test_a_client_reads_the_default_world(
    server: MockServer, http: httpx.Client, patience: Patience, case: Case
) -> None:
    sandbox = server.sandbox(quirks=case.quirks)
    client = client_of(sandbox, case.provider, http, patience, case.label)
    expected = written(case.expected) if isinstance(case.expected, list) else case.expected
    assert outcome(lambda: case.call(client)) == expected


REJECTS = [(p, reason) for p in CLIENTS for reason in discover()[p].errors]


@pytest.mark.parametrize(("provider", "reason"), REJECTS)
def test_every_refusal_is_an_error_with_its_own_code(
    server: MockServer, http: httpx.Client, patience: Patience, provider: str, reason: str
) -> None:
    head, _, body = rows(provider, "errors")[reason].partition("\n\n")
    expected = refusal(provider, int(head.split()[1]), json.loads(body))
    client = client_of(server, provider, http, patience, f"reject-{reason}")
    assert outcome(lambda: balances(client)) == expected
    tries = pauses(provider, *expected)
    # Only CoinAPI tells here when to come back: after a second, whenever it is asked.
    assert patience.slept == ([1] * len(tries) if "retry-after" in head else tries)
    assert [entry.reason for entry in server.journal] == [reason] * (len(tries) + 1)


# Limits: what is set, under which quirks, and how long a client waits once it is full.
LIMITS = [
    ("cdp", {"cdp.reads": "1/10s"}, {}, [1, 2, 4, 8]),
    ("cdp", {"cdp.reads": "1/10s"}, {"cdp.retry_after": "true"}, [10]),
    ("coinapi", {"coinapi.reads": "1/60s"}, {}, [40]),
    (
        "coinstats",
        {"coinstats.reads": "1/60s"},
        {"coinstats.sync_polls": "0"},
        [1, 2, 4, 8, 16, 32],
    ),
    ("coinw", {"coinw.returnBalances": "1/1s"}, {}, [1]),
    ("coinw", {"coinw.returnBalances": "1/8s"}, {}, [1, 2, 4, 8]),
    ("cpg", {"cpg.key": "1/60s"}, {}, [1, 2, 4, 8, 16, 32]),
    ("cpg", {"cpg.ip": "1/60s"}, {}, [40]),
]


@pytest.mark.parametrize("row", LIMITS, ids=str)
def test_a_client_waits_until_a_limit_lets_it_pass(
    server: MockServer, http: httpx.Client, patience: Patience, row: tuple[Any, ...]
) -> None:
    provider, limits, quirks, slept = row
    sandbox = server.sandbox(limits=limits, quirks=quirks)
    client = client_of(sandbox, provider, http, patience)
    first = written(balances(client))
    assert patience.slept == []
    assert written(balances(client)) == first
    assert patience.slept == slept
    reasons = [entry.reason for entry in sandbox.journal]
    assert reasons == ["", *["rate_limited"] * len(slept), ""]


@pytest.mark.parametrize(("page_size", "pages"), [(100, 3), (250, 3), (50, 5), (49, 6)])
def test_a_walk_finds_every_one_of_250_balances(
    server: MockServer, http: httpx.Client, patience: Patience, page_size: int, pages: int
) -> None:
    client = client_of(server, "cdp", http, patience, page_size=page_size)
    rows = client.balances(server.cdp.credentials["accounts"]["many"])
    ledger = [
        (row.asset, Decimal(row.total - row.held), Decimal(row.total))
        for row in server.cdp.balances("many")
    ]
    assert sorted(written(rows)) == sorted(written(ledger))
    assert len(rows) == 250
    assert server.verify(provider="cdp", status=200, exactly=pages) == pages


@pytest.mark.parametrize("label", ["main", "es256"])
def test_a_client_that_signs_as_cdpcurl_reads_what_it_asks_for(
    server: MockServer, http: httpx.Client, patience: Patience, label: str
) -> None:
    credential = server.cdp.credential(label)
    key = credential["key_id"], credential["key_secret"]
    client = CdpCurlClient(http, server.cdp.base_url, *key, page_size=100, now=patience.now)
    listed = client.read("/v2/accounts", {"pageSize": "2"})
    assert client.read(f"/v2/accounts/{ACCOUNT}", {}) == listed["accounts"][0]
    rest = client.read("/v2/accounts", {"pageSize": "2", "pageToken": listed["nextPageToken"]})
    assert len(rest["accounts"]) == 2
    assert written(client.balances(ACCOUNT)) == written(PRIME)
    assert len(client.balances(credential["accounts"]["many"])) == 250
    assert {entry.status for entry in server.journal} == {200}
    assert {entry.note for entry in server.journal} == {""}


def test_exchanges_that_fail_hide_no_others(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    client = client_of(server, "coinapi", http, patience)
    results = client.by_exchange(["KRAKEN", "BITMEX", "BITSTAMP", "GEMINI"])
    kinds = {id: type(result) for id, result in results.items()}
    assert kinds == {
        "KRAKEN": list,
        "BITMEX": RejectedError,
        "BITSTAMP": list,
        "GEMINI": RejectedError,
    }
    assert (len(results["KRAKEN"]), results["BITSTAMP"]) == (1, [])
    assert results["BITMEX"].code == "EXCHANGE_UNREACHABLE"
    with pytest.raises(CoinApiError, match="403: Forbidden"):
        client_of(server, "coinapi", http, patience, "reject-forbidden").by_exchange(["KRAKEN"])


BALANCE, STATUS = "get-exchange-balance", "get-exchange-sync-status"


def test_a_client_reads_again_when_the_portfolio_is_synced(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    client = client_of(server, "coinstats", http, patience)
    assert written(client.balances()) == written(COINS)
    # Two polls say that it syncs, the next comes six seconds after the first call.
    assert patience.slept == [3, 3]
    assert [entry.operation for entry in server.journal] == [
        BALANCE,
        STATUS,
        STATUS,
        STATUS,
        BALANCE,
    ]
    assert written(client.balances()) == written(COINS)
    assert server.verify(provider="coinstats", operation=STATUS, exactly=3) == 3


def test_a_portfolio_that_never_syncs_is_an_error(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    server.set_quirks({"coinstats.sync_after": "never", "coinstats.sync_polls": "100"})
    code, _ = outcome(client_of(server, "coinstats", http, patience).balances)
    assert (code, sum(patience.slept)) == ("syncing", 60)


REFUSED_BY = [
    {},
    {"coinstats.bad_exchange_credentials": "400"},
    {"coinstats.bad_exchange_credentials": "403"},
    {"coinstats.key_error_text": "observed"},
    {"coinstats.error_shape": "legacy"},
]


@pytest.mark.parametrize("quirks", REFUSED_BY, ids=str)
def test_a_client_knows_which_of_its_two_credentials_was_refused(
    server: MockServer, http: httpx.Client, patience: Patience, quirks: dict[str, str]
) -> None:
    server.set_quirks(quirks)
    refused = {}
    for reason in ("unknown_credential", "bad_exchange_credentials", "forbidden", "bad_request"):
        with pytest.raises(CoinStatsError) as caught:
            client_of(server, "coinstats", http, patience, f"reject-{reason}").balances()
        refused[reason] = caught.value.refused
    assert refused == {
        "unknown_credential": "key",
        "bad_exchange_credentials": "exchange",
        "forbidden": "",
        "bad_request": "",
    }
    assert patience.slept == []


def test_no_patience_brings_credits_back(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    server.set_quirks({"coinstats.credits": "12"})
    expected = ("429", "Insufficient credits for this request")
    assert outcome(client_of(server, "coinstats", http, patience).balances) == expected
    assert patience.slept == []


# Answers that are lost on the way back


class Lossy(httpx.HTTPTransport):
    """Delivers every request, and loses the answers to the first ones."""

    def __init__(self, lost: int) -> None:
        super().__init__(trust_env=False)
        self.lost = lost
        self.sent: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.sent.append(request)
        if len(self.sent) > self.lost:
            return answer
        answer.read()
        answer.close()
        raise httpx.ReadError("the answer is lost")


@every_provider
def test_a_read_whose_answer_is_lost_is_signed_anew(
    server: MockServer, patience: Patience, provider: str
) -> None:
    sandbox = server.sandbox(quirks={"coinstats.sync_polls": "0"})
    lossy = Lossy(2)
    with httpx.Client(transport=lossy) as http:
        rows = balances(client_of(sandbox, provider, http, patience))
    with httpx.Client(trust_env=False) as http:
        patience.sleep(1)  # an equal request within the second would be a replay
        assert written(rows) == written(balances(client_of(sandbox, provider, http, patience)))
    assert patience.slept == [1, 2, 1]
    assert [(e.status, e.reason) for e in sandbox.journal] == [(200, "")] * 4
    if provider in ("cdp", "cpg"):
        signed = {
            r.headers.get("X-CPG-Signature", r.headers.get("Authorization")) for r in lossy.sent
        }
        assert len(signed) == 3


def usdt(server: MockServer) -> tuple[str, str]:
    row = next(row for row in server.cpg.balances() if (row.asset, row.venue) == ("USDT", "ETH"))
    return str(row.total), str(row.held)


def test_a_withdrawal_whose_answer_is_lost_is_made_once(
    server: MockServer, patience: Patience
) -> None:
    order = ("USDT", "ETH", "0xrecipient0", D("50.00"))
    with httpx.Client(transport=Lossy(2)) as http:
        client = client_of(server, "cpg", http, patience)
        first = client.withdraw(*order, "first")
        assert usdt(server) == ("1500.000000", "251.500000")
        assert client.withdraw(*order, "first") == first
        assert usdt(server) == ("1500.000000", "251.500000")
        other = client.withdraw(*order, "second")
        assert usdt(server) == ("1500.000000", "303.000000")
    assert (first.id, first.status, other.id) == (1, "broadcasted", 2)
    assert (str(first.amount), str(first.fee)) == ("50.000000", "1.500000")
    assert [e.status for e in server.journal] == [200] * 5


def test_a_withdrawal_that_breaks_a_rule_is_tried_once(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    client = client_of(server, "cpg", http, patience)
    order = ("USDT", "ETH", "0xrecipient0")
    assert outcome(lambda: client.withdraw(*order, D("1E+4"), "much")) == (
        "400",
        "Insufficient balance",
    )
    code, message = outcome(lambda: client.withdraw(*order, D("0"), "none"))
    assert (code, message) == ("422", "amount: Input should be greater than 0")
    assert (patience.slept, usdt(server)) == ([], ("1500.000000", "200.000000"))
    assert server.verify(provider="cpg", exactly=2) == 2


def test_equal_reads_within_a_second_are_no_replay(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    client = client_of(server, "cpg", http, patience)
    assert client.balances() == client.balances() == client.balances()
    assert [(e.status, e.reason) for e in server.journal] == [(200, "")] * 3
