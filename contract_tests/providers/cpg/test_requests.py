"""The X-CPG gateway: what is special to it, over a socket, signed apart from the package."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from contract_tests.providers.cpg.calls import (
    BALANCES,
    CAUSED,
    NOW,
    ORDER,
    ask,
    posted,
    replayed,
    shouted,
    shown,
    submit,
    usdt,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import burst, exchange, get, without_noise
from contract_tests.support.signer import sign
from mockserver import HandClock, MockServer
from mockserver.providers.cpg.auth import PERMISSIONS


def method_not_allowed(server: MockServer) -> bytes:
    return exchange(server.cpg.base_url, get(BALANCES, sign("PUT", BALANCES), "PUT"))


@pytest.mark.parametrize("reason", CAUSED)
def test_what_a_client_can_cause_is_answered_byte_for_byte(server: MockServer, reason: str) -> None:
    before = server.cpg.balances()
    answer = without_noise(CAUSED[reason](server))
    expected = rows("cpg", "errors")[reason]
    if reason == "too_large":  # the rest of that body is not read: the connection ends
        expected = expected.replace("\n\n", "\nconnection: close\n\n")
    assert answer == expected
    assert server.journal[-1].reason == reason
    assert server.cpg.balances() == before


def test_a_method_that_no_row_has_tells_the_ones_that_are(server: MockServer) -> None:
    answer = without_noise(method_not_allowed(server))
    assert answer.startswith("HTTP/1.1 405\ncontent-type: application/json\nallow: GET\n")
    assert answer.endswith('{"success":false,"message":"Method Not Allowed"}')


ORDER_OF_CHECKS = [
    ("headers before the key", {"key_id": "", "secret": "wrong"}, "missing_credential"),
    ("the key before the timestamp", {"key_id": "nobody", "timestamp": "1"}, "unknown_credential"),
    ("the timestamp before the signature", {"timestamp": "1", "secret": "x"}, "outside_window"),
    ("signature, then address", {"key_id": "cpg_ip_locked", "secret": "x"}, "bad_signature"),
    ("signature, then permission", {"key_id": "cpg_no_permission", "secret": "x"}, "bad_signature"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "how", "reason"), ORDER_OF_CHECKS)
def test_checks_come_in_the_documented_order(
    server: MockServer, about: str, how: dict[str, str], reason: str
) -> None:
    ask(server, **how)
    assert server.journal[-1].reason == reason, about


def test_the_backstop_by_address_comes_before_everything() -> None:
    clock = HandClock(NOW * 10**9 + 15 * 10**9 + 500_000_000)
    with MockServer(real=clock, limits={"cpg.ip": "2/60s"}) as server:
        assert b" 200 " in ask(server, query="n=1")
        assert b" 200 " in ask(server, query="n=2")
        answer = without_noise(exchange(server.cpg.base_url, get(BALANCES, {})))
        assert answer == (
            "HTTP/1.1 429\ncontent-type: application/json\nretry-after: 45\n"
            f"x-ratelimit-limit: 2\nx-ratelimit-remaining: 0\nx-ratelimit-reset: {NOW + 60}\n"
            'content-length: 49\n\n{"success":false,"message":"Rate limit exceeded"}'
        )
        clock.advance("45s")
        assert b" 200 " in ask(server, query="n=3")


def test_the_121st_read_of_a_minute_is_refused_and_the_next_minutes_first_is_good() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        for n in range(120):
            assert b" 200 " in ask(server, query=f"n={n}")
        refused = ask(server, query="n=120")
        assert without_noise(refused) == rows("cpg", "errors")["rate_limited"]
        assert b" 200 " in ask(server, key_id="cpg_empty"), "two keys never share a window"
        clock.advance("59s")
        assert b" 429 " in ask(server)
        clock.advance("1s")
        assert b" 200 " in ask(server)


def test_the_rate_of_a_key_comes_before_its_permission() -> None:
    with MockServer(limits={"cpg.key": "0/60s"}) as server:
        assert b" 429 " in ask(server, key_id="cpg_no_permission")
        assert b" 403 " in ask(server, key_id="cpg_ip_locked"), "the address before the rate"


NEEDED = [
    ("read_balance", "GET", BALANCES, 200),
    ("read_withdrawal_status", "GET", "/v1/withdrawals/1", 404),
    ("withdraw", "POST", "/v1/withdrawals", 422),
    (None, "GET", "/v1/_ping", 200),
]


@pytest.mark.parametrize(("permission", "method", "path", "status"), NEEDED)
def test_each_operation_asks_for_its_own_permission(
    tmp_path: Path, permission: str | None, method: str, path: str, status: int
) -> None:
    others = [p for p in PERMISSIONS if p != permission]
    world = tmp_path / "keys.yaml"
    world.write_text(
        "cpg:\n  accounts: {a: {}}\n  keys:\n"
        f"    all: {{key_id: all, secret: s, account: a, permissions: {json.dumps(PERMISSIONS)}}}\n"
        f"    most: {{key_id: most, secret: s, account: a, permissions: {json.dumps(others)}}}\n"
    )
    body = b"{}" if method == "POST" else b""
    with MockServer(str(world)) as server:
        for key_id, expected in (("all", status), ("most", 403 if permission else status)):
            headers = sign(method, path, body=body, key_id=key_id, secret="s")
            answer = exchange(server.cpg.base_url, get(path, headers, method, body))
            assert b" %d " % expected in answer


WHITELISTS = [
    ("127.0.0.1", 200),
    ("127.0.0.0/8", 200),
    ("10.0.0.0/8", 403),
    ("::1", 403),
    ("10.0.0.0/8', '127.0.0.0/8", 200),
    ("127.0.0.0/8', '10.0.0.0/8", 200),
]


@pytest.mark.parametrize(("network", "status"), WHITELISTS)
def test_a_whitelist_lets_its_own_addresses_in(tmp_path: Path, network: str, status: int) -> None:
    world = tmp_path / "listed.yaml"
    world.write_text(
        "cpg:\n  accounts: {a: {}}\n  keys:\n"
        f"    main: {{key_id: k, secret: s, account: a, ip_whitelist: ['{network}']}}\n"
    )
    with MockServer(str(world)) as server:
        assert b" %d " % status in ask(server, key_id="k", secret="s")


def test_the_1201st_keyless_request_of_a_minute_meets_the_limit_per_address() -> None:
    with MockServer(real=HandClock(NOW * 10**9 + 15 * 10**9)) as server:
        url, keyless = server.cpg.base_url, get(BALANCES, {})
        assert burst(url, keyless, 1201) == [401] * 1200 + [429]
        assert without_noise(exchange(url, keyless)).split("\n") == [
            "HTTP/1.1 429",
            "content-type: application/json",
            "retry-after: 45",
            "x-ratelimit-limit: 1200",
            "x-ratelimit-remaining: 0",
            "x-ratelimit-reset: 1747444860",
            "content-length: 49",
            "",
            '{"success":false,"message":"Rate limit exceeded"}',
        ]
        assert b" 429 " in ask(server), "a key of the same address"
        assert burst(url, keyless, 1, "127.0.0.2") == [401], "another address"
        assert burst(server.coinapi.base_url, get(BALANCES, {}), 1) == [401], "another provider"


@pytest.mark.parametrize(("counts", "then"), [("reached", b" 429 "), ("successful", b" 200 ")])
def test_a_refused_call_counts_where_it_was_refused_behind_the_limit(
    counts: str, then: bytes
) -> None:
    settings: Any = {"limits": {"cpg.key": "3/60s"}, "quirks": {"cpg.counts": counts}}
    with MockServer(real=HandClock(NOW * 10**9), **settings) as server:
        for n in range(3):
            assert b" 403 " in ask(server, key_id="cpg_no_permission", query=f"n={n}")
            assert b" 404 " in ask(server, "/v1/withdrawals/9", query=f"n={n}")
            assert b" 401 " in ask(server, secret="wrong", query=f"m={n}")
        assert b" 401 " in ask(server, key_id="cpg_no_permission", query="n=0"), "spent"
        assert then in ask(server, query="n=1")


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


def test_an_address_whose_form_is_impossible_can_be_refused() -> None:
    with MockServer(limits="off") as server:
        rows: list[dict[str, Any]] = [
            {"asset": asset, "venue": network, "decimals": 6, "total": "1000"}
            for asset, network, *_ in ADDRESSES
        ]
        server.cpg.set_balances("main", rows)
        for check, status in (("off", 200), ("on", 400)):
            server.set_quirks({"cpg.address_check": check})
            for currency, network, good, bad in ADDRESSES:
                pair: dict[str, Any] = {"currency": currency, "network": network, "amount": "1"}
                for address in good:
                    assert submit(server, **pair, to_address=address).status_code == 200, address
                for address in bad:
                    answer = submit(server, **pair, to_address=address)
                    assert answer.status_code == status, address
        assert answer.json() == {"success": False, "message": "Invalid destination address"}
        assert server.journal[-1].reason == "business_rule"
        nobody = submit(server, currency="DOGE", network="ETH", to_address="0xrecipient0")
        assert nobody.json()["message"] == "Unsupported currency or network"


def test_twenty_advances_of_61_s_never_break_a_client_with_real_time() -> None:
    with MockServer(limits={"cpg.key": "1/60s"}) as server:
        server.clock.freeze()
        for n in range(20):
            assert b" 200 " in ask(server, query=f"n={n}")
            assert b" 429 " in ask(server, query=f"again={n}")
            server.clock.advance("61s")
        assert b" 200 " in ask(server, query="last")


WINDOW = [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401)]


@pytest.mark.parametrize(("drift", "status"), WINDOW)
def test_a_timestamp_may_be_off_by_300_seconds_either_way(drift: int, status: int) -> None:
    with MockServer(real=HandClock(NOW * 10**9 + 999_999_999)) as server:
        assert b" %d " % status in ask(server, timestamp=str(NOW + drift))


def test_the_auth_clock_has_its_own_skew() -> None:
    with MockServer() as server:
        server.clock.skew("-400s")
        assert b" 401 " in ask(server, timestamp=str(int(time.time())))
        server.clock.skew("0s")
        assert b" 200 " in ask(server)


def test_a_signature_is_refused_for_as_long_as_it_could_be_sent_again() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        early = {"timestamp": str(NOW + 300)}
        assert b" 200 " in ask(server, **early)
        for _ in range(10):
            clock.advance("60s")
            assert b"already been used" in ask(server, **early)
        clock.advance("1s")
        assert b"outside the allowed window" in ask(server, **early)


def test_a_signature_works_once_however_narrow_the_window() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock, quirks={"cpg.timestamp_window": "0s"}) as server:
        assert b" 200 " in ask(server)
        assert b"already been used" in ask(server, timestamp=str(NOW))


def test_the_last_second_of_the_window_counts_as_a_whole() -> None:
    clock = HandClock(NOW * 10**9 + 200_000_000)
    with MockServer(real=clock) as server:
        assert b" 200 " in ask(server, query="opens=1")
        clock.advance("599s")
        clock.advance("900ms")
        stamp = {"timestamp": str(NOW + 900), "query": "late=1"}
        assert b" 200 " in ask(server, **stamp)
        clock.advance("100ms")
        assert b" 200 " in ask(server, query="turns=1")
        clock.advance("600s")
        clock.advance("100ms")
        assert b" 200 " in ask(server, query="turns=2")
        assert b"already been used" in ask(server, **stamp)


def test_a_refused_signature_is_not_remembered() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        late = str(NOW + 301)
        assert b" 401 " in ask(server, timestamp=late)
        clock.advance("1s")
        assert b" 200 " in ask(server, timestamp=late)


def test_of_eight_equal_requests_at_once_one_is_good(server: MockServer) -> None:
    request = get(BALANCES, sign("GET", BALANCES))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exchange(server.cpg.base_url, request), range(8)))
    assert sorted(a[9:12] for a in answers) == [b"200"] + [b"401"] * 7


QUIRKS = [
    ("cpg.signature_case", "any", shouted),
    ("cpg.replay", "off", replayed),
    ("cpg.timestamp_window", "1h", lambda s: ask(s, timestamp=str(int(time.time()) - 3000))),
]


@pytest.mark.parametrize(("quirk", "value", "act"), QUIRKS)
def test_a_quirk_lets_pass_what_is_refused_by_default(quirk: str, value: str, act: Any) -> None:
    with MockServer() as server:
        assert b" 401 " in act(server)
    with MockServer(quirks={quirk: value}) as server:
        assert b" 200 " in act(server)


def test_a_signature_in_upper_case_is_spent_for_lower_case_too() -> None:
    with MockServer(quirks={"cpg.signature_case": "any"}) as server:
        headers = sign("GET", BALANCES)
        loud = headers | {"X-CPG-Signature": headers["X-CPG-Signature"].upper()}
        assert b" 200 " in exchange(server.cpg.base_url, get(BALANCES, loud))
        assert b" 401 " in exchange(server.cpg.base_url, get(BALANCES, headers))


FILTERS = [
    ("", 5),
    ("currency=usdt", 2),
    ("currency=USDT&network=TRX", 1),
    ("network=ETH", 2),
    ("network=eth", 0),
    ("currency=", 0),
    ("unknown=1", 5),
    ("currency=BTC&currency=USDT", 2),
    ("currency=%55SDT", 2),
]


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_filters_choose_rows(server: MockServer, query: str, count: int) -> None:
    url = f"{server.cpg.base_url}{BALANCES}" + (f"?{query}" if query else "")
    body = requests.get(url, auth=server.cpg.auth, timeout=10).json()
    assert (len(body["data"]), body["data_count"]) == (count, count)


def test_a_withdrawal_holds_amount_and_fee_and_its_end_settles_them(server: MockServer) -> None:
    assert usdt(server) == (Decimal("1500"), Decimal("200"))
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
    shown = [
        requests.get(f"{server.cpg.base_url}/v1/withdrawals/{n}", auth=server.cpg.auth, timeout=10)
        .json()["data"]
        for n in (1, 2)
    ]  # fmt: skip
    assert [(w["status"], w["error_message"]) for w in shown] == [
        ("confirmed", None),
        ("failed", "no gas"),
    ]
    assert shown[0]["confirmed_at"] is not None
    with pytest.raises(ValueError, match="confirmed already"):
        server.cpg.event("withdrawal_failed", id=1)


def test_the_sandbox_clock_confirms_a_withdrawal() -> None:
    with MockServer() as server:
        server.clock.freeze()
        submit(server)
        server.clock.advance("59s")
        assert usdt(server) == (Decimal("1500"), Decimal("251.5"))
        server.clock.advance("1s")
        assert usdt(server) == (Decimal("1448.5"), Decimal("200"))
    with MockServer(quirks={"cpg.confirm_after": "off"}) as server:
        server.clock.freeze()
        submit(server)
        server.clock.advance("24h")
        assert usdt(server) == (Decimal("1500"), Decimal("251.5"))


def test_a_client_reference_is_idempotent(server: MockServer) -> None:
    answers = [submit(server, client_reference="invoice 7") for _ in range(2)]
    answers.append(submit(server, client_reference="invoice 7", amount="60"))
    assert len({a.text for a in answers}) == 1
    assert usdt(server)[1] == Decimal("251.5")
    assert submit(server, client_reference="invoice 8").json()["data"]["withdrawal_id"] == 2


def test_a_reference_is_the_accounts_own_and_may_be_empty(tmp_path: Path) -> None:
    rows = 'balances: [{asset: USDT, venue: ETH, decimals: 6, total: "100"}]'
    world = tmp_path / "two.yaml"
    world.write_text(
        f"cpg:\n  accounts:\n    a: {{{rows}}}\n    b: {{{rows}}}\n  keys:\n"
        "    main: {key_id: a, secret: s, account: a}\n    other: {key_id: b, secret: s, account: b}\n"
    )
    body = json.dumps({**ORDER, "client_reference": ""}).encode()

    def withdrawal(server: MockServer, key_id: str, query: str) -> int:
        headers = sign("POST", "/v1/withdrawals", query, body, key_id=key_id, secret="s")
        target = f"/v1/withdrawals?{query}"
        answer = exchange(server.cpg.base_url, get(target, headers, "POST", body))
        return int(json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["withdrawal_id"])

    with MockServer(str(world)) as server:
        assert [withdrawal(server, key, f"n={key}") for key in "ab"] == [1, 2]
        assert [withdrawal(server, key, f"again={key}") for key in "ab"] == [1, 2]


def test_the_times_of_a_withdrawal_are_those_of_the_sandbox_clock() -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        server.clock.advance("1h")
        submit(server)
        server.clock.advance("5m")
        assert shown(server) == {
            "id": 1,
            "currency": "USDT",
            "network": "ETH",
            "to_address": "0xrecipient0",
            "amount": "50.000000",
            "fee": "1.500000",
            "status": "confirmed",
            "tx_hash": shown(server)["tx_hash"],
            "error_message": None,
            "requested_at": "2025-05-17T02:20:00Z",
            "broadcast_at": "2025-05-17T02:20:00Z",
            "confirmed_at": "2025-05-17T02:21:00Z",
        }


def test_what_is_due_happens_before_what_control_asks_for() -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        submit(server)
        server.clock.advance("61s")
        with pytest.raises(ValueError, match="confirmed already"):
            server.cpg.event("withdrawal_failed", id=1)
        server.cpg.set_balance("main", "USDT", "ETH", total="1", held="1")
        assert shown(server)["status"] == "confirmed"


def test_a_withdrawal_settled_early_holds_up_no_other() -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        submit(server)
        submit(server, amount="60")
        server.cpg.event("withdrawal_failed", id=1)
        server.clock.advance("61s")
        assert [shown(server, id)["status"] for id in (1, 2)] == ["failed", "confirmed"]


def test_ids_depend_on_the_seed_alone() -> None:
    hashes = []
    for seed in (1, 1, 2):
        with MockServer(seed=seed) as server:
            hashes.append(submit(server).json()["data"]["tx_hash"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_currency_is_known_in_any_case_wherever_it_is_named(tmp_path: Path) -> None:
    world = tmp_path / "mixed.yaml"
    world.write_text(
        "cpg:\n  keys: {main: {key_id: cpg_test_key, secret: test_secret_do_not_use, account: a}}\n"
        "  accounts:\n    a:\n      balances:\n"
        '        - {asset: USDt, venue: ETH, decimals: 6, total: "100"}\n'
    )
    with MockServer(str(world)) as server:
        assert submit(server, currency="usdT").json()["data"]["currency"] == "USDt"


def test_somebody_elses_withdrawal_is_not_there(server: MockServer) -> None:
    submit(server)
    assert b" 404 " in ask(server, "/v1/withdrawals/1", key_id="cpg_empty")


def test_available_is_balance_less_held_at_every_moment(server: MockServer) -> None:
    with ThreadPoolExecutor(4) as pool:
        submitted = [pool.submit(submit, server, client_reference=f"{n}") for n in range(20)]
        for _ in range(20):
            usdt(server)
    ok = sum(s.result().status_code == requests.codes.ok for s in submitted)
    assert usdt(server) == (Decimal("1500"), Decimal("200") + ok * Decimal("51.5"))
    assert ok == 20


BIG = "1234567890123456789012345678901234.567890"


def test_amounts_of_40_digits_stay_exact(server: MockServer) -> None:
    server.cpg.set_balance("main", "USDT", "ETH", total=BIG)
    amount = "1234567890123456789012345678901233.067889"
    assert submit(server, amount=amount).json()["data"]["amount_decimal"] == amount
    url = f"{server.cpg.base_url}{BALANCES}?currency=USDT&network=ETH"
    row = requests.get(url, auth=server.cpg.auth, timeout=10).json()["data"][0]
    assert row["balance"] == BIG
    assert row["held"] == "1234567890123456789012345678901234.567889"
    assert row["available"] == "0.000001"
    numbers = f'{{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":{BIG}}}'
    assert b"Insufficient balance" in posted(server, numbers.encode())


BROKEN_ORDERS = [
    ({"amount": "0"}, "amount: Input should be greater than 0"),
    ({"amount": -1}, "amount: Input should be greater than 0"),
    ({"amount": "ten"}, "amount: Input should be a valid decimal"),
    ({"amount": "\u0661\u0662"}, "amount: Input should be a valid decimal"),
    ({"amount": True}, "amount: Input should be a valid decimal"),
    ({"currency": ""}, "currency: String should have at least 1 character"),
    ({"currency": "U" * 33}, "currency: String should have at most 32 characters"),
    (
        {"client_reference": "r" * 129},
        "client_reference: String should have at most 128 characters",
    ),
    (
        {"to_address": "x" * 257},
        "to_address: String should have at most 256 characters",
    ),
    ({"to_address": "short"}, "to_address: String should have at least 10 characters"),
    (
        {"amount": None, "network": 7},
        "network: Input should be a valid string; amount: Input should be a valid decimal",
    ),
]


@pytest.mark.parametrize(("members", "message"), BROKEN_ORDERS)
def test_a_broken_order_is_told_field_by_field(
    server: MockServer, members: dict[str, Any], message: str
) -> None:
    answer = submit(server, **members)
    assert (answer.status_code, answer.json()) == (422, {"success": False, "message": message})
    assert usdt(server) == (Decimal("1500"), Decimal("200"))


BROKEN_RULES = [
    ({"currency": "DOGE"}, "Unsupported currency or network"),
    ({"network": "BSC"}, "Unsupported currency or network"),
    ({"amount": "9.999999"}, "Amount is below the minimum"),
    ({"amount": "10.0000001"}, "Amount has too many decimal places"),
    ({"amount": "1298.500001"}, "Insufficient balance"),
]


@pytest.mark.parametrize(("members", "message"), BROKEN_RULES)
def test_a_broken_rule_is_a_400(server: MockServer, members: dict[str, Any], message: str) -> None:
    answer = submit(server, **members)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert usdt(server) == (Decimal("1500"), Decimal("200"))


def test_everything_available_can_be_spent(server: MockServer) -> None:
    assert submit(server, amount="1298.5").status_code == 200
    assert usdt(server) == (Decimal("1500"), Decimal("1500"))
