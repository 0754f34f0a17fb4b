"""The X-CPG gateway over a socket: what an order may hold, and what becomes of a withdrawal."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import requests

from contract_tests.providers.cpg.calls import (
    ORDER,
    WITHDRAWALS,
    ask,
    message_of,
    posted,
    shown,
    submit,
    usdt,
)
from contract_tests.support.raw import exchange, get
from contract_tests.support.rows import each
from contract_tests.support.signer import sign
from mockserver import MockServer
from mockserver.files import worlds

# The documented row: balance and held.
BEFORE = (Decimal("1500"), Decimal("200"))
Outcome = tuple[int, str]


def outcome(answer: requests.Response) -> Outcome:
    """The status, and the amount of a withdrawal or the message of a refusal."""
    body = answer.json()
    return answer.status_code, body["data"]["amount_decimal"] if answer.ok else body["message"]


# Orders

NOT_ABOVE_0 = (422, "amount: Input should be greater than 0")
NO_DECIMAL = (422, "amount: Input should be a valid decimal")
BELOW, POOR = (400, "Amount is below the minimum"), (400, "Insufficient balance")
DECIMALS = (400, "Amount has too many decimal places")
UNSUPPORTED = (400, "Unsupported currency or network")

ORDERS = [
    ("a text", {"amount": "50.00"}, (200, "50.000000")),
    ("a whole number", {"amount": 50}, (200, "50.000000")),
    ("a number", {"amount": 50.5}, (200, "50.500000")),
    ("all that is available", {"amount": "1298.5"}, (200, "1298.500000")),
    ("another case of the currency", {"currency": "usDt"}, (200, "50.000000")),
    ("a member that is unknown", {"memo": [1]}, (200, "50.000000")),
    ("nothing", {"amount": "0"}, NOT_ABOVE_0),
    ("a number below zero", {"amount": -0.5}, NOT_ABOVE_0),
    ("words", {"amount": "ten"}, NO_DECIMAL),
    ("other digits", {"amount": "\u0661\u0662"}, NO_DECIMAL),
    ("true", {"amount": True}, NO_DECIMAL),
    ("two members", {"amount": None, "network": 7}, (422, "network: Input should be a valid string; amount: Input should be a valid decimal")),
    ("no currency", {"currency": ""}, (422, "currency: String should have at least 1 character")),
    ("a long currency", {"currency": "U" * 33}, (422, "currency: String should have at most 32 characters")),
    ("a long network", {"network": "N" * 33}, (422, "network: String should have at most 32 characters")),
    ("a long reference", {"client_reference": "r" * 129}, (422, "client_reference: String should have at most 128 characters")),
    ("a short address", {"to_address": "x" * 9}, (422, "to_address: String should have at least 10 characters")),
    ("a long address", {"to_address": "x" * 257}, (422, "to_address: String should have at most 256 characters")),
    ("the longest currency", {"currency": "U" * 32}, UNSUPPORTED),
    ("the longest reference", {"client_reference": "r" * 128}, (200, "50.000000")),
    ("the shortest address", {"to_address": "x" * 10}, (200, "50.000000")),
    ("the longest address", {"to_address": "x" * 256}, (200, "50.000000")),
    ("an unknown network", {"network": "BSC"}, UNSUPPORTED),
    ("another case of the network", {"network": "eth"}, UNSUPPORTED),
    ("less than the minimum", {"amount": "9.999999"}, BELOW),
    ("a small number", {"amount": 0.5}, BELOW),
    ("too many decimals", {"amount": "10.0000001"}, DECIMALS),
    ("more than is available", {"amount": "1298.500001"}, POOR),
]  # fmt: skip


@each("members, expected", ORDERS)
def test_an_order_is_carried_out_or_refused_with_its_message(
    server: MockServer, members: dict[str, Any], expected: Outcome
) -> None:
    answer = submit(server, **members)
    assert outcome(answer) == expected
    if expected[0] == 200:
        assert answer.json()["data"]["currency"] == "USDT"
    else:
        assert answer.json() == {"success": False, "message": expected[1]}
        assert usdt(server) == BEFORE


def test_broken_rules_are_reported_in_their_order(server: MockServer) -> None:
    server.cpg.set_balance("main", "USDT", "ETH", total="200", held="200")
    orders = [
        ({"network": "TON", "amount": "1.0000001"}, UNSUPPORTED),
        ({"amount": "1.0000001"}, DECIMALS),
        ({"amount": "1.000000"}, BELOW),
        ({"amount": "10.000000"}, POOR),
    ]
    for members, expected in orders:
        assert outcome(submit(server, **members)) == expected


ADDRESSES = [
    # currency, network, destinations that are possible, those that are not
    ("USDT", "ETH", ["0x" + "aB" * 20], ["0x" + "a" * 39, "0x" + "g" * 40, "T" + "a" * 33, "0xrecipient0"]),
    ("USDC", "BSC", ["0x" + "0" * 40], ["0X" + "0" * 40, "0x" + "0" * 41]),
    ("USDT", "TRX", ["T" + "a" * 33], ["T" + "a" * 32, "T0" + "a" * 32, "t" + "a" * 33, "0x" + "a" * 40]),
    (
        "BTC", "BTC",
        ["1" + "a" * 25, "3" + "B" * 33, "bc1q" + "0" * 38, "BC1P" + "Z" * 58],
        ["2" + "a" * 33, "1" + "0" * 33, "bc1q" + "b" * 38, "bc1Q" + "z" * 38, "tb1q" + "0" * 38],
    ),
]  # fmt: skip


def test_an_address_whose_form_is_impossible_can_be_refused(server: MockServer) -> None:
    server.set_limits("off")
    rows: list[dict[str, Any]] = [
        {"asset": asset, "venue": network, "decimals": 6, "total": "1000"}
        for asset, network, *_ in ADDRESSES
    ]
    server.cpg.set_balances("main", rows)
    for check, status in (("off", 200), ("on", 400)):
        server.set_quirks({"cpg.address_check": check})
        for currency, network, good, bad in ADDRESSES:
            pair: dict[str, Any] = {"currency": currency, "network": network, "amount": "1"}
            for address in [*good, *bad]:
                answer = submit(server, **pair, to_address=address)
                assert answer.status_code == (200 if address in good else status), address
    assert answer.json() == {"success": False, "message": "Invalid destination address"}
    assert server.journal[-1].reason == "business_rule"
    unknown = submit(server, currency="DOGE", network="ETH", to_address="0xrecipient0")
    assert outcome(unknown) == UNSUPPORTED


# The ledger


def test_a_withdrawal_holds_amount_and_fee_and_its_end_settles_them(server: MockServer) -> None:
    assert usdt(server) == BEFORE
    first, second = submit(server), submit(server, amount="10.000001")
    assert first.json()["data"] | {"tx_hash": ""} == {
        "withdrawal_id": 1,
        "status": "broadcasted",
        "tx_hash": "",
        "network": "ETH",
        "currency": "USDT",
        "to_address": "0xrecipient0",
        "amount_decimal": "50.000000",
        "fee_decimal": "1.500000",
    }
    assert second.json()["data"]["withdrawal_id"] == 2
    assert usdt(server) == (Decimal("1500"), Decimal("263.000001"))
    server.cpg.event("withdrawal_confirmed", id=1)
    assert usdt(server) == (Decimal("1448.5"), Decimal("211.500001"))
    server.cpg.event("withdrawal_failed", id=2, error_message="no gas")
    assert usdt(server) == (Decimal("1448.5"), Decimal("200"))
    ended = [shown(server, id) for id in (1, 2)]
    assert [(w["status"], w["error_message"]) for w in ended] == [
        ("confirmed", None),
        ("failed", "no gas"),
    ]
    assert ended[0]["confirmed_at"] is not None
    with pytest.raises(ValueError, match="confirmed already"):
        server.cpg.event("withdrawal_failed", id=1)


def test_withdrawals_in_a_row_spend_what_is_available_and_no_more(server: MockServer) -> None:
    amounts = ("50", "1247.000001", "1247", "10")  # of 1300, and each costs 1.5
    statuses = [submit(server, amount=amount).status_code for amount in amounts]
    assert statuses == [200, 400, 200, 400]
    assert usdt(server) == (1500, 1500)


def test_available_is_balance_less_held_at_every_moment(server: MockServer) -> None:
    with ThreadPoolExecutor(4) as pool:
        submitted = [pool.submit(submit, server, client_reference=f"{n}") for n in range(20)]
        for _ in range(20):
            usdt(server)
    assert [each.result().status_code for each in submitted] == [200] * 20
    assert usdt(server) == (Decimal("1500"), Decimal("200") + 20 * Decimal("51.5"))


BIG = "1234567890123456789012345678901234.567890"


def test_amounts_of_40_digits_stay_exact(server: MockServer) -> None:
    server.cpg.set_balance("main", "USDT", "ETH", total=BIG)
    amount = "1234567890123456789012345678901233.067889"
    assert outcome(submit(server, amount=amount)) == (200, amount)
    answer = ask(server, query="currency=USDT&network=ETH").partition(b"\r\n\r\n")[2]
    row = json.loads(answer)["data"][0]
    held = "1234567890123456789012345678901234.567889"
    assert (row["balance"], row["held"], row["available"]) == (BIG, held, "0.000001")
    number = json.dumps(ORDER).replace('"50.00"', BIG).encode()
    answer = exchange(server.cpg.base_url, posted(number, timestamp=None))
    assert message_of(answer) == POOR


def test_a_currency_is_known_in_any_case_wherever_it_is_named() -> None:
    row = {"asset": "USDt", "venue": "ETH", "decimals": 6, "total": "100"}
    with two_accounts(row) as server:
        assert withdraw(server, "a", "n=1", currency="usdT")["currency"] == "USDt"


# References


def two_accounts(row: dict[str, Any]) -> MockServer:
    accounts = {name: {"balances": [row]} for name in "ab"}
    keys = {f"{n}": {"key_id": n, "secret": "s", "account": n} for n in "ab"}
    keys["main"] = keys.pop("a")
    section = {"accounts": accounts, "keys": keys}
    return MockServer(worlds.from_data({"cpg": section}, "two"))


def withdraw(server: MockServer, key_id: str, query: str, **order: Any) -> dict[str, Any]:
    body = json.dumps(ORDER | order).encode()
    headers = sign("POST", WITHDRAWALS, query, body, key_id=key_id, secret="s")
    answer = exchange(server.cpg.base_url, get(f"{WITHDRAWALS}?{query}", headers, "POST", body))
    data: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])["data"]
    return data


def test_a_client_reference_is_idempotent(server: MockServer) -> None:
    answers = [submit(server, client_reference="invoice 7") for _ in range(2)]
    answers.append(submit(server, client_reference="invoice 7", currency="DOGE", amount="1"))
    assert len({a.text for a in answers}) == 1
    assert usdt(server)[1] == Decimal("251.5")
    assert submit(server, client_reference="invoice 8").json()["data"]["withdrawal_id"] == 2
    server.cpg.event("withdrawal_confirmed", id=1)
    again = submit(server, client_reference="invoice 7").json()["data"]
    assert again == answers[0].json()["data"] | {"status": "confirmed"}
    other = [submit(server, client_reference=None).json()["data"] for _ in range(2)]
    assert [data["withdrawal_id"] for data in other] == [3, 4], "null is no reference"


def test_a_reference_is_the_accounts_own_and_may_be_empty() -> None:
    with two_accounts({"asset": "USDT", "venue": "ETH", "decimals": 6, "total": "100"}) as server:
        for query in ("n", "again"):
            ids = [withdraw(server, k, f"{query}={k}", client_reference="")["withdrawal_id"] for k in "ab"]  # fmt: skip
            assert ids == [1, 2]


IDS = [
    ("9" * 18, (404, "Withdrawal not found")),
    ("9" * 19, (422, "id: Input should be a valid integer")),
    ("1x", (422, "id: Input should be a valid integer")),
]


def test_an_id_is_1_to_18_digits(server: MockServer) -> None:
    for id, expected in IDS:
        assert message_of(ask(server, f"{WITHDRAWALS}/{id}")) == expected


def test_ids_count_up_and_hashes_depend_on_seed_and_id(server: MockServer) -> None:
    def submitted(server: MockServer) -> list[tuple[int, str]]:
        withdrawals = [submit(server).json()["data"] for _ in range(2)]
        return [(data["withdrawal_id"], data["tx_hash"]) for data in withdrawals]

    first = submitted(server)
    server.reset()
    assert submitted(server) == first
    with MockServer(seed=491) as other:
        results = first + submitted(other)
    assert [id for id, _ in results] == [1, 2, 1, 2]
    assert len({tx_hash for _, tx_hash in results}) == 4
    assert all(re.fullmatch("0x[0-9a-f]{64}", tx_hash) for _, tx_hash in results)


# Time


def test_the_times_of_a_withdrawal_are_those_of_the_sandbox_clock(still: MockServer) -> None:
    still.clock.advance("1h")
    submit(still)
    still.clock.advance("59s")
    assert usdt(still) == (Decimal("1500"), Decimal("251.5"))
    still.clock.advance("1s")
    assert usdt(still) == (Decimal("1448.5"), Decimal("200"))
    still.clock.advance("4m")
    assert shown(still) == {
        "id": 1,
        "currency": "USDT",
        "network": "ETH",
        "to_address": "0xrecipient0",
        "amount": "50.000000",
        "fee": "1.500000",
        "status": "confirmed",
        "tx_hash": shown(still)["tx_hash"],
        "error_message": None,
        "requested_at": "2025-05-17T02:20:00Z",
        "broadcast_at": "2025-05-17T02:20:00Z",
        "confirmed_at": "2025-05-17T02:21:00Z",
    }


# The quirk, and what a withdrawal is after 4,999 ms, 5 s and a day.
ENDS = {
    "5s": ["broadcasted", "confirmed", "confirmed"],
    "off": ["broadcasted", "broadcasted", "broadcasted"],
}


@pytest.mark.parametrize("after", ENDS)
def test_a_withdrawal_confirms_when_the_quirk_says(still: MockServer, after: str) -> None:
    still.set_quirks({"cpg.confirm_after": after})
    submit(still)
    statuses = []
    for duration in ("4999ms", "1ms", "24h"):
        still.clock.advance(duration)
        statuses.append(shown(still)["status"])
    assert statuses == ENDS[after]


def test_an_event_that_is_due_happens_before_a_call_of_control(still: MockServer) -> None:
    submit(still)
    submit(still, amount="60")
    still.cpg.event("withdrawal_failed", id=1)
    still.clock.advance("61s")
    with pytest.raises(ValueError, match="confirmed already"):
        still.cpg.event("withdrawal_failed", id=2)
    still.cpg.set_balance("main", "USDT", "ETH", total="1", held="1")
    assert [shown(still, id)["status"] for id in (1, 2)] == ["failed", "confirmed"]
