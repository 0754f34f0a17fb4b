"""What the facts about the X-CPG gateway say and no other test proves whole."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract_tests.providers.cpg.calls import (
    BALANCES,
    CAUSED,
    NOW,
    ORDER,
    ask,
    posted,
    shouted,
    shown,
    submit,
    usdt,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import exchange, get, without_noise
from contract_tests.support.signer import sign
from mockserver import HandClock, MockServer
from mockserver.engine import pipeline
from mockserver.http.exchange import create_exchange
from mockserver.model.http import Request

MIB = 1024 * 1024
WITHDRAWALS = "/v1/withdrawals"

Outcome = tuple[int, str]

OK = (200, "OK")
MISSING = (401, "Missing authentication headers")
NO_KEY = (401, "Invalid API key")
SIGNATURE = (401, "Invalid signature")
OUTSIDE = (401, "Request timestamp is outside the allowed window")
USED = (401, "Request signature has already been used")


def outcome(answer: bytes) -> Outcome:
    """Returns an answer's status and message."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), json.loads(body)["message"]


def send(server: MockServer, target: str, headers: dict[str, str]) -> Outcome:
    return outcome(exchange(server.cpg.base_url, get(target, headers)))


def listed(server: MockServer, query: str = "") -> dict[str, Any]:
    return json.loads(ask(server, query=query).partition(b"\r\n\r\n")[2])


# Who calls


@pytest.mark.parametrize("name", ["X-CPG-Key", "X-CPG-Timestamp", "X-CPG-Signature"])
def test_a_missing_header_is_told_before_all_else(server: MockServer, name: str) -> None:
    headers = sign("GET", BALANCES, key_id="nobody", secret="wrong", timestamp="1")
    del headers[name]
    assert send(server, BALANCES, headers) == MISSING


# What is signed, and what is sent.
QUERIES = {
    "another order": ("currency=USDT&network=ETH", "network=ETH&currency=USDT"),
    "another spelling": ("currency=USDT", "currency=%55SDT"),
    "a plus for a blank": ("note=a%20b", "note=a+b"),
    "the mark before it": ("?currency=USDT", "currency=USDT"),
    "nothing": ("", "currency=USDT"),
}


@pytest.mark.parametrize(("signed", "sent"), QUERIES.values(), ids=QUERIES)
def test_a_query_is_signed_as_sent_or_not_at_all(
    server: MockServer, signed: str, sent: str
) -> None:
    target = f"{BALANCES}?{sent}"
    assert send(server, target, sign("GET", BALANCES, signed)) == SIGNATURE
    assert send(server, target, sign("GET", BALANCES, sent)) == OK


def test_a_currency_is_found_in_any_case_but_signed_in_its_own(server: MockServer) -> None:
    assert listed(server, "currency=usdT")["data"] == listed(server, "currency=USDT")["data"]
    assert listed(server, "currency=Usdt")["data_count"] == 2
    headers = sign("GET", BALANCES, "currency=USDT")
    assert send(server, f"{BALANCES}?currency=usdt", headers) == SIGNATURE


def test_a_signature_in_capitals_is_wrong_until_the_quirk_takes_it(server: MockServer) -> None:
    assert outcome(shouted(server)) == SIGNATURE
    server.set_quirks({"cpg.signature_case": "any"})
    assert outcome(shouted(server)) == OK


def test_a_secret_is_the_utf_8_of_its_text_whatever_it_looks_like(tmp_path: Path) -> None:
    secrets = {"hex": "00ff", "base64": "c2VjcmV0", "words": "schl\u00fcssel \u20ac"}
    keys = {n: {"key_id": n, "secret": secret, "account": "a"} for n, secret in secrets.items()}
    world = tmp_path / "secrets.yaml"
    world.write_text(json.dumps({"cpg": {"accounts": {"a": {}}, "keys": keys}}))
    with MockServer(str(world)) as server:
        results = [outcome(ask(server, key_id=n, secret=secret)) for n, secret in secrets.items()]
    assert results == [OK, OK, OK]


# How a timestamp may be written, at the server's own time.
TIMESTAMPS = {
    "{}": OK,
    "{:015}": OK,
    "{:016}": OUTSIDE,
    "+{}": OUTSIDE,
    "{}.0": OUTSIDE,
    "{}e0": OUTSIDE,
    "{:_}": OUTSIDE,
    "{:#x}": OUTSIDE,
}


@pytest.mark.parametrize(("form", "expected"), TIMESTAMPS.items(), ids=TIMESTAMPS)
def test_a_timestamp_is_1_to_15_plain_digits(form: str, expected: Outcome) -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        assert outcome(ask(server, timestamp=form.format(NOW))) == expected


def test_a_key_has_some_of_eight_permissions(server: MockServer) -> None:
    eight = [
        "request_deposit_address",
        "request_withdrawal_funding_address",
        "withdraw",
        "read_balance",
        "read_deposit_status",
        "read_withdrawal_status",
        "list_transactions",
        "list_currencies",
    ]
    server.cpg.event("permission_changed", key="main", permissions=eight)
    known = re.escape(f"no permission 'read_all': there are {', '.join(eight)}")
    with pytest.raises(ValueError, match=f"^{known}"):
        server.cpg.event("permission_changed", key="main", permissions=[*eight, "read_all"])


# What was accepted before


def test_a_signature_that_did_not_verify_is_still_good_where_it_does(server: MockServer) -> None:
    headers = sign("GET", BALANCES)
    targets = (f"{BALANCES}?n=1", BALANCES, BALANCES)
    assert [send(server, target, headers) for target in targets] == [SIGNATURE, OK, USED]


def test_two_keys_of_one_secret_use_up_each_their_own_signature(server: MockServer) -> None:
    mine = sign("GET", BALANCES)
    other = mine | {"X-CPG-Key": "cpg_empty"}
    results = [send(server, BALANCES, headers) for headers in (mine, other, mine, other)]
    assert results == [OK, OK, USED, USED]


POOR = json.dumps(ORDER | {"amount": "9999.00"}).encode()

# Who asks, the body, the limit of each key, and how that is refused.
LATE = {
    "a foreign address": ("cpg_ip_locked", b"", "120/60s", 403),
    "a full limit": ("cpg_test_key", b"", "0/60s", 429),
    "a missing permission": ("cpg_no_permission", b"", "120/60s", 403),
    "a broken body": ("cpg_test_key", b"{", "120/60s", 422),
    "a business rule": ("cpg_test_key", POOR, "120/60s", 400),
}


@pytest.mark.parametrize(("key_id", "body", "limit", "status"), LATE.values(), ids=LATE)
def test_a_signature_is_spent_though_what_comes_later_refuses(
    server: MockServer, key_id: str, body: bytes, limit: str, status: int
) -> None:
    server.set_limits({"cpg.key": limit})
    method, path = ("POST", WITHDRAWALS) if body else ("GET", BALANCES)
    request = get(path, sign(method, path, body=body, key_id=key_id), method, body)
    first, again = (outcome(exchange(server.cpg.base_url, request)) for _ in range(2))
    assert (first[0], again) == (status, USED)


# In which order


def test_of_all_mistakes_at_once_each_is_told_in_its_turn(tmp_path: Path) -> None:
    world = tmp_path / "strict.yaml"
    world.write_text(
        "cpg:\n  accounts: {a: {}}\n  keys:\n"
        "    locked: {key_id: locked, secret: s, account: a, permissions: [], ip_whitelist: [10.0.0.1]}\n"
        "    free: {key_id: free, secret: s, account: a, permissions: []}\n"
    )
    path, wrong = f"{WITHDRAWALS}/one", {"timestamp": "1", "secret": "wrong"}
    none_left = {"cpg.ip": "0/60s", "cpg.key": "0/60s"}
    with MockServer(str(world), real=HandClock(NOW * 10**9), limits=none_left) as server:
        ask(server, path, key_id="", **wrong)
        server.set_limits({"cpg.ip": "off"})
        ask(server, path, key_id="", **wrong)
        ask(server, path, key_id="nobody", **wrong)
        ask(server, path, key_id="locked", **wrong)
        ask(server, path, key_id="locked", secret="wrong")
        ask(server, path, key_id="locked", secret="s")
        spent = sign("GET", path, key_id="locked", secret="s", timestamp=str(NOW))
        send(server, f"{path}?n=1", spent)
        send(server, path, spent)
        ask(server, path, key_id="free", secret="s")
        server.set_limits({"cpg.key": "off"})
        ask(server, path, "n=2", key_id="free", secret="s")
        server.cpg.event("permission_changed", key="free", permissions=["read_withdrawal_status"])
        ask(server, path, "n=3", key_id="free", secret="s")
        assert [entry.reason for entry in server.journal] == [
            "rate_limited",
            "missing_credential",
            "unknown_credential",
            "outside_window",
            "bad_signature",
            "ip_not_allowed",
            "bad_signature",
            "replayed",
            "rate_limited",
            "forbidden",
            "bad_request",
        ]


NO_SUCH = {
    "path": ("GET", "/v1/balance", "no_route", ""),
    "method": ("POST", BALANCES, "bad_method", "allow: GET\n"),
}


@pytest.mark.parametrize(("method", "path", "row", "more"), NO_SUCH.values(), ids=NO_SUCH)
def test_what_is_not_there_is_told_before_any_check(
    server: MockServer, method: str, path: str, row: str, more: str
) -> None:
    server.set_limits({"cpg.ip": "0/60s"})
    answer = without_noise(exchange(server.cpg.base_url, get(path, {}, method)))
    assert answer == rows("cpg", "errors")[row].replace("content-length", more + "content-length")


SIZES = {"a MiB": (MIB, MISSING), "a byte more": (MIB + 1, (413, "Request body too large"))}


@pytest.mark.parametrize(("size", "expected"), SIZES.values(), ids=SIZES)
def test_a_body_is_measured_before_it_is_known_who_calls(
    server: MockServer, size: int, expected: Outcome
) -> None:
    request = get(WITHDRAWALS, {}, "POST", b" " * size)
    assert outcome(exchange(server.cpg.base_url, request)) == expected


# How answers look


def test_every_answer_is_json_without_a_charset(server: MockServer) -> None:
    good: list[Callable[[MockServer], bytes]] = [
        ask,
        lambda s: ask(s, "/v1/_ping"),
        lambda s: posted(s, json.dumps(ORDER).encode()),
        lambda s: ask(s, f"{WITHDRAWALS}/1"),
    ]
    heads = [cause(server).partition(b"\r\n\r\n")[0].lower() for cause in [*good, *CAUSED.values()]]
    assert [head[9:12] for head in heads[: len(good)]] == [b"200"] * len(good)
    results = {re.search(rb"\r\n(content-type: [^\r]*)", head)[1] for head in heads}
    assert results == {b"content-type: application/json"}


ALIKE = {
    "an unknown and a revoked key": (
        lambda s: ask(s, key_id="cpg_unknown"),
        lambda s: ask(s, key_id="cpg_revoked"),
        NO_KEY,
    ),
    "a foreign and an unknown withdrawal": (
        lambda s: ask(s, f"{WITHDRAWALS}/1", key_id="cpg_empty"),
        lambda s: ask(s, f"{WITHDRAWALS}/2", key_id="cpg_empty"),
        (404, "Withdrawal not found"),
    ),
}


@pytest.mark.parametrize(("one", "other", "expected"), ALIKE.values(), ids=ALIKE)
def test_these_refusals_are_told_apart_by_nothing(
    server: MockServer,
    one: Callable[[MockServer], bytes],
    other: Callable[[MockServer], bytes],
    expected: Outcome,
) -> None:
    assert submit(server).json()["data"]["withdrawal_id"] == 1
    first, second = one(server), other(server)
    assert outcome(first) == expected
    assert without_noise(first) == without_noise(second)


def test_a_ping_needs_no_permission_and_brings_a_pong(server: MockServer) -> None:
    server.cpg.event("permission_changed", key="main", permissions=[])
    answer = ask(server, "/v1/_ping")
    assert answer.endswith(b'\r\n\r\n{"success":true,"message":"OK","data":{"pong":true}}')


# How often


# The limit that is counted, the one that is out of the way, and how much a minute lets through.
FIGURES = {"key": ("cpg.ip", 120), "address": ("cpg.key", 1200)}


@pytest.mark.parametrize(("other", "count"), FIGURES.values(), ids=FIGURES)
def test_a_minute_lets_so_many_through_where_nothing_is_set(other: str, count: int) -> None:
    app = create_exchange(
        quirks={"cpg.replay": "off"}, limits={other: "off"}, real=HandClock(NOW * 10**9)
    )
    signed = sign("GET", BALANCES, timestamp=str(NOW))
    headers = [(name.lower().encode(), value.encode()) for name, value in signed.items()]
    path = BALANCES.encode()
    request = Request("GET", path, b"", headers, b"", "127.0.0.1", path)
    results = [
        pipeline.respond(app.sandboxes.default, "cpg", request).response.status
        for _ in range(count + 1)
    ]
    assert results == [200] * count + [429]


# Balances


def test_every_record_is_a_row_padded_to_its_own_precision(server: MockServer) -> None:
    records = [
        ("USDT", "ETH", 6, "1500", "200", ("1500.000000", "200.000000", "1300.000000")),
        ("USDT", "TRX", 6, "0", "0", ("0.000000", "0.000000", "0.000000")),
        ("ETH", "ETH", 18, "0.5", "0", ("0.5" + "0" * 17, "0." + "0" * 18, "0.5" + "0" * 17)),
        ("YEN", "BSC", 0, "7", "2", ("7", "2", "5")),
    ]
    members = ("asset", "venue", "decimals", "total", "held")
    server.cpg.set_balances("main", [dict(zip(members, r, strict=False)) for r in records])
    assert listed(server)["data"] == [
        {"currency": asset, "network": venue, "balance": balance, "held": held, "available": free}
        for asset, venue, _, _, _, (balance, held, free) in records
    ]


def test_250_rows_come_at_once_without_a_sign_of_paging(server: MockServer) -> None:
    many = [{"asset": f"T{n}", "venue": "ETH", "total": "1"} for n in range(250)]
    server.cpg.set_balances("main", many)
    body = listed(server)
    assert list(body) == ["success", "message", "data", "data_count"]
    assert [row["currency"] for row in body["data"]] == [row["asset"] for row in many]
    assert body["data_count"] == 250


# Withdrawals: what a body may hold


# A text of so many characters is answered with this status.
LENGTHS = {
    "currency": {0: 422, 1: 400, 32: 400, 33: 422},
    "network": {0: 422, 1: 400, 32: 400, 33: 422},
    "to_address": {9: 422, 10: 200, 256: 200, 257: 422},
    "client_reference": {0: 200, 128: 200, 129: 422},
}


@pytest.mark.parametrize(("name", "lengths"), LENGTHS.items(), ids=LENGTHS)
def test_a_member_of_an_order_is_as_long_as_it_may_be(
    server: MockServer, name: str, lengths: dict[int, int]
) -> None:
    results = {n: submit(server, **{name: "x" * n}).status_code for n in lengths}
    assert results == lengths


BELOW = (400, "Amount is below the minimum")
NOT_ABOVE_0 = (422, "amount: Input should be greater than 0")

AMOUNTS = [
    ("50.00", (200, "50.000000")),
    (50, (200, "50.000000")),
    (50.5, (200, "50.500000")),
    ("0.000001", BELOW),
    (0.5, BELOW),
    ("0", NOT_ABOVE_0),
    (0, NOT_ABOVE_0),
    (-0.5, NOT_ABOVE_0),
]


@pytest.mark.parametrize(("amount", "expected"), AMOUNTS)
def test_an_amount_is_a_text_or_a_number_above_zero(
    server: MockServer, amount: str | float, expected: Outcome
) -> None:
    answer = submit(server, amount=amount)
    body = answer.json()
    result = body["data"]["amount_decimal"] if answer.ok else body["message"]
    assert (answer.status_code, result) == expected


def test_a_reference_of_null_is_none_and_other_members_are_nothing(server: MockServer) -> None:
    answers = [submit(server, client_reference=None, memo=[1]).json() for _ in range(2)]
    assert [answer["data"]["withdrawal_id"] for answer in answers] == [1, 2]


def test_an_order_names_its_currency_in_any_case_and_its_network_exactly(
    server: MockServer,
) -> None:
    assert submit(server, currency="usDt").json()["data"]["currency"] == "USDT"
    refused = submit(server, network="eth")
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "Unsupported currency or network",
    )


def test_of_all_broken_rules_at_once_each_is_told_in_its_turn(server: MockServer) -> None:
    server.cpg.set_balance("main", "USDT", "ETH", total="200", held="200")
    orders = [
        {"network": "TON", "amount": "1.0000001"},
        {"amount": "1.0000001"},
        {"amount": "1.000000"},
        {"amount": "10.000000"},
    ]
    answers = [submit(server, **order) for order in orders]
    assert [(answer.status_code, answer.json()["message"]) for answer in answers] == [
        (400, "Unsupported currency or network"),
        (400, "Amount has too many decimal places"),
        BELOW,
        (400, "Insufficient balance"),
    ]


# Withdrawals: what becomes of them


def test_withdrawals_in_a_row_spend_what_is_available_and_no_more(server: MockServer) -> None:
    amounts = ("50", "1247.000001", "1247", "10")  # of 1300, and each costs 1.5
    answers = [submit(server, amount=amount) for amount in amounts]
    poor = (400, "Insufficient balance")
    assert [(a.status_code, a.json()["message"]) for a in answers] == [OK, poor, OK, poor]
    assert usdt(server) == (1500, 1500)


def test_a_known_reference_brings_the_first_withdrawal_as_it_stands(server: MockServer) -> None:
    first = submit(server, client_reference="invoice 7").json()["data"]
    server.cpg.event("withdrawal_confirmed", id=1)
    again = submit(server, client_reference="invoice 7", currency="DOGE", amount="1")
    assert again.json()["data"] == first | {"status": "confirmed"}


IDS = [
    ("9" * 18, (404, "Withdrawal not found")),
    ("9" * 19, (422, "id: Input should be a valid integer")),
    ("1x", (422, "id: Input should be a valid integer")),
]


@pytest.mark.parametrize(("id", "expected"), IDS)
def test_an_id_is_1_to_18_digits(server: MockServer, id: str, expected: Outcome) -> None:
    assert outcome(ask(server, f"{WITHDRAWALS}/{id}")) == expected


def test_ids_count_up_and_hashes_hang_on_seed_and_id(server: MockServer) -> None:
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


# What the quirk says, and what a withdrawal is after 4,999 ms, 5 s and a day.
ENDS = {
    "5s": ["broadcasted", "confirmed", "confirmed"],
    "off": ["broadcasted", "broadcasted", "broadcasted"],
}


@pytest.mark.parametrize(("after", "expected"), ENDS.items(), ids=ENDS)
def test_a_withdrawal_confirms_when_the_quirk_says(
    server: MockServer, after: str, expected: list[str]
) -> None:
    server.set_quirks({"cpg.confirm_after": after})
    server.clock.freeze()
    submit(server)
    results = []
    for duration in ("4999ms", "1ms", "24h"):
        server.clock.advance(duration)
        results.append(shown(server)["status"])
    assert results == expected
