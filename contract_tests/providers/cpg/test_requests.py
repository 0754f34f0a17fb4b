"""The X-CPG gateway over a socket, signed apart from the package: who may read what, and when."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from contract_tests.providers.cpg.calls import (
    BALANCES,
    ORDER,
    WITHDRAWALS,
    ask,
    message_of,
    ping,
    posted,
    signed,
    submit,
)
from contract_tests.support.raw import burst, exchange, get, without_noise
from contract_tests.support.request_rows import CLOCK, NOW, Row, answered, refusal
from contract_tests.support.rows import each
from contract_tests.support.signer import sign
from mockserver import MockServer
from mockserver.files import worlds
from mockserver.providers.cpg.auth import PERMISSIONS

OUTSIDE, USED, WRONG = "outside_window", "replayed", "bad_signature"
MISSING, NOBODY = "missing_credential", "unknown_credential"


def changed(about: str, reason: str, signed_query: str, sent: str) -> Row:
    """A row whose query differs from the one that was signed."""
    headers = sign("GET", BALANCES, signed_query, timestamp=str(NOW))
    return Row(about, get(f"{BALANCES}?{sent}", headers), reason)


def shouted(**row: Any) -> Row:
    headers = sign("GET", BALANCES, timestamp=str(NOW))
    headers["X-CPG-Signature"] = headers["X-CPG-Signature"].upper()
    return Row("a signature in capitals", get(BALANCES, headers), **row)


def without(name: str) -> Row:
    headers = sign("GET", BALANCES, key_id="nobody", secret="wrong", timestamp="1")
    del headers[name]
    return Row(f"no {name}", get(BALANCES, headers), MISSING)


def stamped(form: str, reason: str = "") -> Row:
    return Row(f"{form} as a timestamp", signed(timestamp=form.format(NOW)), reason)


SIGNATURES = [
    Row("good", signed()),
    Row("an unknown key", signed(key_id="cpg_unknown"), NOBODY),
    Row("a revoked key", signed(key_id="cpg_revoked"), "revoked_credential"),
    Row("another secret", signed(secret="another secret"), WRONG),
    *map(without, ("X-CPG-Key", "X-CPG-Timestamp", "X-CPG-Signature")),
    Row("an empty key", signed(key_id=""), MISSING),
    shouted(reason=WRONG),
    changed("another order", WRONG, "currency=USDT&network=ETH", "network=ETH&currency=USDT"),
    changed("another spelling", WRONG, "currency=USDT", "currency=%55SDT"),
    changed("another case", WRONG, "currency=USDT", "currency=usdt"),
    changed("a plus for a blank", WRONG, "note=a%20b", "note=a+b"),
    changed("the mark before it", WRONG, "?currency=USDT", "currency=USDT"),
    changed("nothing of the query", WRONG, "", "currency=USDT"),
    changed("the query as sent", "", "note=a+b&currency=%55SDT", "note=a+b&currency=%55SDT"),
    Row("301 seconds late", signed(timestamp=str(NOW - 301)), OUTSIDE),
    Row("300 seconds late", signed(timestamp=str(NOW - 300))),
    Row("300 seconds early", signed(timestamp=str(NOW + 300))),
    Row("301 seconds early", signed(timestamp=str(NOW + 301)), OUTSIDE),
    stamped("{:015}"),
    *(stamped(form, OUTSIDE) for form in ("{:016}", "+{}", "{}.0", "{}e0", "{:_}", "{:#x}", "9" * 15)),
]  # fmt: skip
test_a_signature_is_accepted_or_refused_with_the_documented_bytes = answered("cpg", SIGNATURES)

ANY_CASE, HOUR = {"signature_case": "any"}, {"timestamp_window": "1h"}
test_a_quirk_accepts_what_is_refused_by_default = answered(
    "cpg",
    [
        shouted(quirks=ANY_CASE),
        Row("an older timestamp", signed(timestamp=str(NOW - 3000)), quirks=HOUR),
    ],
)


def test_a_secret_is_the_utf_8_of_its_text() -> None:
    secrets = {"hex": "00ff", "base64": "c2VjcmV0", "words": "schl\u00fcssel \u20ac"}
    keys = {n: {"key_id": n, "secret": secret, "account": "a"} for n, secret in secrets.items()}
    section = {"accounts": {"a": {}}, "keys": keys}
    with MockServer(worlds.from_data({"cpg": section}, "secrets")) as server:
        for key_id, secret in secrets.items():
            assert b" 200 " in ask(server, key_id=key_id, secret=secret)


# The order of the checks

POOR = json.dumps(ORDER | {"amount": "9999.00"}).encode()
NO_KEYS, NO_IPS = {"cpg.key": "0/60s"}, {"cpg.ip": "0/60s"}
LOCKED, POWERLESS = "cpg_ip_locked", "cpg_no_permission"
RETRY = "retry-after: 60"
IP_HEADERS = f"{RETRY}\nx-ratelimit-limit: 0\nx-ratelimit-remaining: 0\nx-ratelimit-reset: {NOW + 60}"  # fmt: skip

CHECKS = [
    Row("the path before all", get("/v1/balance", {}), "no_route", limits=NO_IPS),
    Row("the method before all", get(BALANCES, {}, "POST"), "bad_method", allow="GET", limits=NO_IPS),
    Row("the limit by address before the key", get(BALANCES, {}), "rate_limited", headers=IP_HEADERS, limits=NO_IPS),
    Row("headers before the key", signed(key_id="", secret="wrong"), MISSING),
    Row("the key before the timestamp", signed(key_id="nobody", timestamp="1"), NOBODY),
    Row("the timestamp before the signature", signed(secret="x", timestamp="1"), OUTSIDE),
    Row("the signature before the address", signed(key_id=LOCKED, secret="x"), WRONG),
    Row("the signature before the permission", signed(key_id=POWERLESS, secret="x"), WRONG),
    Row("the address before the rate", signed(key_id=LOCKED), "ip_not_allowed", limits=NO_KEYS),
    Row("the rate before the permission", signed(key_id=POWERLESS), "rate_limited", limits=NO_KEYS),
    Row("the permission", signed(key_id=POWERLESS), "forbidden"),
    Row("the permission before the parameters", signed(f"{WITHDRAWALS}/one", key_id=POWERLESS), "forbidden"),
    Row("a body that is no order", posted(b"[]"), "bad_request"),
    Row("an order beyond the balance", posted(POOR), "business_rule", {"message": "Insufficient balance"}),
    Row("an unknown withdrawal", signed(f"{WITHDRAWALS}/7"), "not_found"),
]  # fmt: skip
test_checks_come_in_the_documented_order = answered("cpg", CHECKS)


SPENT = [
    ("by a foreign address", LOCKED, b"", {}, 403),
    ("by a full limit", "cpg_test_key", b"", NO_KEYS, 429),
    ("by a missing permission", POWERLESS, b"", {}, 403),
    ("by a broken body", "cpg_test_key", b"{", {}, 422),
    ("by a business rule", "cpg_test_key", POOR, {}, 400),
    ("by success", "cpg_test_key", b"", {}, 200),
]


@each("key_id, body, limits, status", SPENT)
def test_a_signature_is_spent_though_a_later_check_refuses(
    still: MockServer, key_id: str, body: bytes, limits: dict[str, str], status: int
) -> None:
    still.set_limits(limits)
    before = still.cpg.balances()
    request = posted(body, key_id=key_id) if body else signed(key_id=key_id)
    assert burst(still.cpg.base_url, request, 2) == [status, 401]
    assert still.journal[-1].reason == USED
    assert still.cpg.balances() == before
    still.set_quirks({"cpg.replay": "off"})
    assert burst(still.cpg.base_url, request, 1) == [status]


def test_a_signature_that_did_not_verify_is_still_good_where_it_does(still: MockServer) -> None:
    headers = sign("GET", BALANCES, timestamp=str(NOW))
    answers = [
        without_noise(exchange(still.cpg.base_url, get(target, headers)))
        for target in (f"{BALANCES}?n=1", BALANCES, BALANCES)
    ]
    assert answers[0] == refusal("cpg", WRONG)
    assert answers[1].startswith("HTTP/1.1 200")
    assert answers[2] == refusal("cpg", USED)


def test_two_keys_of_one_secret_use_up_each_their_own_signature(still: MockServer) -> None:
    mine, other = signed(), signed().replace(b"cpg_test_key", b"cpg_empty")
    statuses = [burst(still.cpg.base_url, request, 1)[0] for request in (mine, other, mine, other)]
    assert statuses == [200, 200, 401, 401]


def test_a_signature_in_upper_case_is_spent_for_lower_case_too(still: MockServer) -> None:
    still.set_quirks({"cpg.signature_case": "any"})
    requests = [shouted().request, signed()]
    assert [burst(still.cpg.base_url, r, 1)[0] for r in requests] == [200, 401]


# What each wait and request comes to; requests are by timestamp, relative to NOW.
COURSES = {
    "the whole window": (
        "300s",
        0,
        [("0s", 300, "")] + [("60s", 300, USED)] * 10 + [("1s", 300, OUTSIDE)],
    ),
    "a window of nothing": ("0s", 0, [("0s", 0, ""), ("0s", 0, USED)]),
    "a refused one": ("300s", 0, [("0s", 301, OUTSIDE), ("1s", 301, "")]),
    "the last second of the window": (
        "300s",
        200_000_000,
        [("0s", 0, ""), ("599900ms", 900, ""), ("100ms", 600, ""), ("600100ms", 1200, ""), ("0s", 900, USED)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("window", "fraction", "steps"), COURSES.values(), ids=COURSES)
def test_a_signature_is_remembered_for_as_long_as_it_could_be_good(
    still: MockServer, window: str, fraction: int, steps: list[tuple[str, int, str]]
) -> None:
    CLOCK.now += fraction
    still.reset()
    still.set_quirks({"cpg.timestamp_window": window})
    for n, (wait, stamp, reason) in enumerate(steps):
        CLOCK.advance(wait)
        exchange(still.cpg.base_url, signed(timestamp=str(NOW + stamp)))
        assert still.journal[-1].reason == reason, n


def test_moving_the_sandbox_clock_never_breaks_a_client_with_real_time(server: MockServer) -> None:
    server.set_limits({"cpg.key": "1/60s"})
    server.clock.freeze()
    for n in range(5):
        assert b" 200 " in ask(server, query=f"n={n}")
        assert b" 429 " in ask(server, query=f"again={n}")
        server.clock.advance("61s")
    server.clock.skew("-400s")
    assert b" 401 " in ask(server, timestamp=str(NOW))
    assert b" 200 " in ask(server, query="last=1")


# Limits


def test_the_backstop_by_address_comes_before_everything(still: MockServer) -> None:
    CLOCK.advance("15500ms")
    url = still.cpg.base_url
    assert burst(url, get(BALANCES, {}), 1201) == [401] * 1200 + [429]
    headers = f"retry-after: 45\nx-ratelimit-limit: 1200\nx-ratelimit-remaining: 0\nx-ratelimit-reset: {NOW + 60}"  # fmt: skip
    expected = refusal("cpg", "rate_limited", headers=headers)
    assert without_noise(exchange(url, get(BALANCES, {}))) == expected
    assert without_noise(ask(still)) == expected, "a key of the same address"
    assert burst(url, get(BALANCES, {}), 1, "127.0.0.2") == [401], "another address"
    assert burst(still.coinapi.base_url, get(BALANCES, {}), 1) == [401], "another provider"
    CLOCK.advance("45s")
    assert b" 200 " in ask(still)


def test_the_121st_read_of_a_minute_is_refused_and_the_next_minutes_first_is_good(
    still: MockServer,
) -> None:
    still.set_quirks({"cpg.replay": "off"})
    assert burst(still.cpg.base_url, signed(), 121) == [200] * 120 + [429]
    assert without_noise(ask(still)) == refusal("cpg", "rate_limited")
    assert b" 200 " in ask(still, key_id="cpg_empty"), "two keys never share a window"
    CLOCK.advance("59s")
    assert b" 429 " in ask(still)
    CLOCK.advance("1s")
    assert b" 200 " in ask(still)


@pytest.mark.parametrize(("counts", "then"), [("reached", b" 429 "), ("successful", b" 200 ")])
def test_a_refused_call_counts_where_it_was_refused_behind_the_limit(
    still: MockServer, counts: str, then: bytes
) -> None:
    still.set_limits({"cpg.key": "3/60s"})
    still.set_quirks({"cpg.counts": counts})
    for n in range(3):
        assert b" 403 " in ask(still, key_id=POWERLESS, query=f"n={n}")
        assert b" 404 " in ask(still, f"{WITHDRAWALS}/9", query=f"n={n}")
        assert b" 401 " in ask(still, secret="wrong", query=f"m={n}")
    assert b" 401 " in ask(still, key_id=POWERLESS, query="n=0"), "spent"
    assert then in ask(still, query="n=1")


# Permissions and addresses


def key(**members: Any) -> MockServer:
    """A server whose key ``k`` has these members, and whose key ``all`` has every permission."""
    own = {"secret": "s", "account": "a"}
    keys = {"main": own | {"key_id": "k"} | members, "all": own | {"key_id": "all", "permissions": PERMISSIONS}}  # fmt: skip
    section = {"accounts": {"a": {}}, "keys": keys}
    return MockServer(worlds.from_data({"cpg": section}, "keys"))


NEEDED = [
    ("read_balance", BALANCES, b"", 200),
    ("read_withdrawal_status", f"{WITHDRAWALS}/1", b"", 404),
    ("withdraw", WITHDRAWALS, b"{}", 422),
    ("", "/v1/_ping", b"", 200),
]


@pytest.mark.parametrize(("permission", "path", "body", "status"), NEEDED, ids=[r[0] for r in NEEDED])  # fmt: skip
def test_each_operation_needs_its_own_permission(
    permission: str, path: str, body: bytes, status: int
) -> None:
    others = [p for p in PERMISSIONS if p != permission]
    with key(permissions=others) as server:
        for key_id, expected in (("all", status), ("k", 403 if permission else status)):
            method = "POST" if body else "GET"
            headers = sign(method, path, body=body, key_id=key_id, secret="s")
            answer = exchange(server.cpg.base_url, get(path, headers, method, body))
            assert b" %d " % expected in answer


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
    server.cpg.event("permission_changed", key="main", permissions=[])
    assert ping(server).endswith(b'\r\n\r\n{"success":true,"message":"OK","data":{"pong":true}}'), (
        "a ping needs none"
    )


WHITELISTS = [
    (["127.0.0.1"], 200),
    (["127.0.0.0/8"], 200),
    (["10.0.0.0/8"], 403),
    (["::1"], 403),
    (["10.0.0.0/8", "127.0.0.0/8"], 200),
]


@pytest.mark.parametrize(("networks", "status"), WHITELISTS)
def test_a_whitelist_lets_its_own_addresses_in(networks: list[str], status: int) -> None:
    with key(ip_whitelist=networks) as server:
        assert b" %d " % status in ask(server, key_id="k", secret="s")


Cause = Callable[[MockServer], bytes]
ALIKE: dict[str, tuple[Cause, Cause, tuple[int, str]]] = {
    "an unknown and a revoked key": (
        lambda s: ask(s, key_id="cpg_unknown"),
        lambda s: ask(s, key_id="cpg_revoked"),
        (401, "Invalid API key"),
    ),
    "a foreign and an unknown withdrawal": (
        lambda s: ask(s, f"{WITHDRAWALS}/1", key_id="cpg_empty"),
        lambda s: ask(s, f"{WITHDRAWALS}/2", key_id="cpg_empty"),
        (404, "Withdrawal not found"),
    ),
}


@pytest.mark.parametrize(("one", "other", "expected"), ALIKE.values(), ids=ALIKE)
def test_nothing_distinguishes_these_refusals(
    server: MockServer, one: Cause, other: Cause, expected: tuple[int, str]
) -> None:
    assert submit(server).json()["data"]["withdrawal_id"] == 1
    first, second = one(server), other(server)
    assert message_of(first) == expected
    assert without_noise(first) == without_noise(second)


# Balances

FILTERS = [
    ("", 5),
    ("currency=usdT", 2),
    ("currency=USDT&network=TRX", 1),
    ("network=ETH", 2),
    ("network=eth", 0),
    ("currency=", 0),
    ("unknown=1", 5),
    ("currency=BTC&currency=USDT", 2),
    ("currency=%55SDT", 2),
]


def listed(server: MockServer, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ask(server, query=query).partition(b"\r\n\r\n")[2])
    return body


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_filters_choose_rows(server: MockServer, query: str, count: int) -> None:
    body = listed(server, query)
    assert (len(body["data"]), body["data_count"]) == (count, count)


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


def test_every_answer_is_json_without_a_charset(still: MockServer) -> None:
    requests = [signed(), signed("/v1/_ping"), posted(json.dumps(ORDER).encode())]
    requests += [signed(f"{WITHDRAWALS}/1")]
    requests += [row.request for row in (*SIGNATURES[1:], *CHECKS) if row.reason]
    heads = [exchange(still.cpg.base_url, r).partition(b"\r\n\r\n")[0].lower() for r in requests]
    assert [head[9:12] for head in heads[:4]] == [b"200"] * 4
    assert {re.search(rb"\r\n(content-type: [^\r]*)", head)[1] for head in heads} == {b"content-type: application/json"}  # fmt: skip
