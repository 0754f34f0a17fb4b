"""CoinW spot: what is special to it, over a socket, signed apart from the package."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from contract_tests.providers.coinw.calls import (
    AUTH,
    COMPLETE,
    FORM,
    HELD,
    LIMITED,
    PRIVATE,
    READ,
    SIGN,
    answered,
    failure,
    md5,
    post,
    read,
    response_body,
    success,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import exchange, get, without_noise
from mockserver import Auth, HandClock, MockServer
from mockserver.errors import DataError
from mockserver.files import worlds
from mockserver.model.provider import GeneratedUser
from mockserver.providers.coinw.provider import PROVIDER

NOW = 1_747_444_800
TYPED_JSON = {"Content-Type": "application/json"}

EMPTY_SIGN = "1ADBBA8C67D247A126E52EEC0EE74B91"
EMPTY_AUTH = f"api_key=empty-key&sign={EMPTY_SIGN}"


# What clients send

ACCEPTED = [
    ("the official sample", f"{READ}&sign={SIGN}&api_key=test-key", TYPED_JSON | {"Content-Length": "0"}, ""),
    ("the .NET client", f"{READ}&{AUTH}", {}, ""),
    ("the StockSharp connector", f"{READ}&sign={SIGN}&api_key=test-key", {"Content-Type": "application/json; charset=utf-8", "Content-Length": "0"}, ""),
    ("the skill's curl", f"{READ}&{AUTH}", {"User-Agent": "curl/8.5.0", "Accept": "*/*"}, ""),
    ("the ccxt work", READ, FORM, AUTH),
    ("the command last", f"{PRIVATE}?{AUTH}&command=returnBalances", {}, ""),
    ("everything in the form", PRIVATE, FORM, f"{AUTH}&command=returnBalances"),
    ("the key in the query, the signature in the form", f"{READ}&api_key=test-key", FORM, f"sign={SIGN}"),
    ("the key in both", f"{READ}&{AUTH}", FORM, "api_key=test-key"),
    ("everything twice, equal", f"{READ}&{AUTH}", FORM, f"command=returnBalances&{AUTH}"),
    ("a form with a charset, in capitals", READ, {"Content-Type": "Application/X-WWW-Form-URLencoded; Charset=UTF-8"}, AUTH),
    ("an empty form", f"{READ}&{AUTH}", FORM | {"Content-Length": "0"}, ""),
    ("a JSON body, not read", f"{READ}&{AUTH}", TYPED_JSON, '{"api_key":"nobody"}'),
    ("a body that is no JSON, not read", f"{READ}&{AUTH}", TYPED_JSON, "[" * 1000),
    ("a form that is not told, not read", f"{READ}&{AUTH}", {}, "api_key=nobody"),
    ("names that are escaped", f"{READ}&%61pi_key=test%2Dkey&s%69gn={SIGN}", {}, ""),
    ("empty parts", f"{PRIVATE}?&command=returnBalances&&{AUTH}&", {}, ""),
    ("a path that is escaped", f"/api/v1/%70rivate?%63ommand=return%42alances&{AUTH}", {}, ""),
    ("a body with a mark, not read", f"{READ}&{AUTH}", TYPED_JSON, "\ufeff{}"),
    ("a MiB, not read", f"{READ}&{AUTH}", {}, "a" * 1024 * 1024),
    ("headers of the futures API beside it", f"{READ}&{AUTH}", {"api_key": "nobody", "sign": "x", "timestamp": "1"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "target", "headers", "body"), ACCEPTED, ids=[row[0] for row in ACCEPTED]
)
def test_what_real_clients_send_is_accepted(
    server: MockServer, about: str, target: str, headers: dict[str, str], body: str
) -> None:
    answered(server, "", post(server, target, headers, body))
    assert server.journal[-1].credential == "main"


HMAC = "88cd2108b5347d973cf39cdf9053d7dd42704876d8c9a9bd8e2d168259d3ddf7"
COMMAND_SIGN = "CD21163FB92879670C419FF876C0CAEF"  # md5sum, with command=returnBalances
NO_KEY, NOBODY, WRONG, TWICE = (
    "missing_credential", "unknown_credential", "bad_signature", "bad_request",
)  # fmt: skip
REFUSED = [
    ("the Python package, which sends no key", READ, FORM, f"sign={SIGN}", NO_KEY),
    ("nothing", READ, {}, "", NO_KEY),
    ("an empty key", f"{READ}&api_key=&sign={SIGN}", {}, "", NO_KEY),
    ("a header of another scheme", READ, {"X-COINW-APIKEY": "test-key"}, "", NO_KEY),
    ("the futures scheme", READ, {"X-COINW-APIKEY": "test-key", **TYPED_JSON}, f'{{"timestamp":1747444800000,"signature":"{HMAC}"}}', NO_KEY),
    ("headers of the futures API", READ, {"api_key": "test-key", "sign": SIGN}, "", NO_KEY),
    ("JSON for a form", READ, TYPED_JSON, f'{{"api_key":"test-key","sign":"{SIGN}"}}', NO_KEY),
    ("a form told to be JSON", READ, TYPED_JSON, AUTH, NO_KEY),
    ("a form told to be nothing", READ, {}, AUTH, NO_KEY),
    ("another spelling of the name", f"{READ}&API_KEY=test-key&sign={SIGN}", {}, "", NO_KEY),
    ("an unknown key", f"{READ}&api_key=nobody&sign={SIGN}", {}, "", NOBODY),
    ("a key in capitals", f"{READ}&api_key=TEST-KEY&sign={SIGN}", {}, "", NOBODY),
    ("a key that is no UTF-8", f"{READ}&api_key=%ff&sign={SIGN}", {}, "", NOBODY),
    ("the secret as key", f"{READ}&api_key=test-secret&sign={SIGN}", {}, "", NOBODY),
    ("no signature", f"{READ}&api_key=test-key", {}, "", WRONG),
    ("an empty signature", f"{READ}&api_key=test-key&sign=", {}, "", WRONG),
    ("a signature in lower case", f"{READ}&api_key=test-key&sign={SIGN.lower()}", {}, "", WRONG),
    ("a signature cut short", f"{READ}&api_key=test-key&sign={SIGN[:-1]}", {}, "", WRONG),
    ("a signature too long", f"{READ}&api_key=test-key&sign={SIGN}0", {}, "", WRONG),
    ("a signature that is no ASCII", f"{READ}&api_key=test-key&sign=%C3%A9", {}, "", WRONG),
    ("an HMAC", f"{READ}&api_key=test-key&sign={HMAC}", {}, "", WRONG),
    ("another key's signature", f"{READ}&api_key=test-key&sign={EMPTY_SIGN}", {}, "", WRONG),
    ("the command signed", f"{READ}&api_key=test-key&sign={COMMAND_SIGN}", {}, "", WRONG),
    ("a parameter that is not signed", f"{READ}&{AUTH}&note=1", {}, "", WRONG),
    ("a parameter of the form that is not signed", READ, FORM, f"{AUTH}&note=1", WRONG),
    ("an empty parameter that is not signed", f"{READ}&{AUTH}&note", {}, "", WRONG),
    ("two keys", f"{READ}&{AUTH}", FORM, "api_key=empty-key", TWICE),
    ("two keys, the first unknown", f"{READ}&api_key=nobody&{AUTH}", {}, "", TWICE),
    ("a key and an empty one", f"{READ}&{AUTH}&api_key=", {}, "", TWICE),
    ("two signatures", f"{READ}&{AUTH}&sign={EMPTY_SIGN}", {}, "", TWICE),
    ("two spellings of the signature", f"{READ}&{AUTH}&sign={SIGN.lower()}", {}, "", TWICE),
    ("a signature in both cases", f"{READ}&api_key=test-key&sign={SIGN[:16]}{SIGN[16:].lower()}", {}, "", WRONG),
    ("a blank behind the signature", f"{READ}&{AUTH}%20", {}, "", WRONG),
    ("a line end behind the form", READ, FORM, f"{AUTH}\r\n", WRONG),
    ("a signature of 60,000 signs", f"{READ}&api_key=test-key&sign={'A' * 60_000}", {}, "", WRONG),
    ("20,000 parameters", READ, FORM, AUTH + "".join(f"&a{n}=1" for n in range(20_000)), WRONG),
    ("bytes that are no UTF-8", f"{READ}&{AUTH}&note=%ff%fe", {}, "", WRONG),
    ("the secret sent", f"{READ}&{AUTH}&secret_key=test-secret", {}, "", WRONG),
    ("a NUL behind the key", f"{READ}&api_key=test-key%00&sign={SIGN}", {}, "", NOBODY),
    ("an ampersand in the key", f"{READ}&api_key=test-key%26a=1&sign={SIGN}", {}, "", NOBODY),
    ("a list of keys", f"{READ}&api_key[]=test-key&sign={SIGN}", {}, "", NO_KEY),
    ("a mark before the form", READ, FORM, f"\ufeff{AUTH}", NO_KEY),
    ("a form of several parts", READ, {"Content-Type": "multipart/form-data; boundary=a"}, '--a\r\nContent-Disposition: form-data; name="api_key"\r\n\r\ntest-key\r\n--a--\r\n', NO_KEY),
    ("two Content-Types, the form second", READ, {"Content-Type": "text/plain", "content-type": FORM["Content-Type"]}, AUTH, NO_KEY),
    ("semicolons", f"{READ};{AUTH.replace('&', ';')}", {}, "", "no_route"),
    ("a backslash, as some samples print it", f"{PRIVATE}?command\\=returnBalances&{AUTH}", {}, "", "no_route"),
    ("two values of anything", f"{READ}&{AUTH}&note=1&note=2", {}, "", TWICE),
    ("two commands that are known", f"{READ}&{AUTH}", FORM, "command=returnCompleteBalances", TWICE),
    ("two commands, the second unknown", f"{READ}&{AUTH}&command=doTrade", {}, "", TWICE),
    ("two commands, the first unknown", f"{PRIVATE}?command=doTrade&{AUTH}&command=returnBalances", {}, "", "no_route"),
    ("an unknown command", f"{PRIVATE}?command=doTrade&{AUTH}", {}, "", "no_route"),
    ("a command in capitals", f"{PRIVATE}?command=RETURNBALANCES&{AUTH}", {}, "", "no_route"),
    ("an empty command", f"{PRIVATE}?command=&{AUTH}", {}, "", "no_route"),
    ("no command", f"{PRIVATE}?{AUTH}", {}, "", "no_route"),
    ("a command in JSON", f"{PRIVATE}?{AUTH}", TYPED_JSON, '{"command":"returnBalances"}', "no_route"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "target", "headers", "body", "reason"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_what_is_wrong_is_refused_under_http_200(
    server: MockServer, about: str, target: str, headers: dict[str, str], body: str, reason: str
) -> None:
    answered(server, reason, post(server, target, headers, body))


SIGNED = [
    ("sorted by name", "zone=1&note=2", "api_key=test-key&note=2&zone=1", ""),
    ("sorted as sent", "zone=1&note=2", "zone=1&note=2&api_key=test-key", WRONG),
    ("the key first", "about=1", "api_key=test-key&about=1", WRONG),
    ("the secret behind every name", "zone=1", "api_key=test-key&zone=1", ""),
    ("a value raw", "note=1%2C2", "api_key=test-key&note=1,2", ""),
    ("a value that was not encoded", "note=1,2", "api_key=test-key&note=1,2", ""),
    ("a value encoded", "note=1%2C2", "api_key=test-key&note=1%2C2", WRONG),
    ("a value in its other encoding", "note=1,2", "api_key=test-key&note=1%2C2", WRONG),
    ("a name raw", "n%20te=1", "api_key=test-key&n te=1", ""),
    ("a value twice, equal", "note=1&note=1", "api_key=test-key&note=1", ""),
    ("a value twice, signed twice", "note=1&note=1", "api_key=test-key&note=1&note=1", WRONG),
    ("an empty value", "note=", "api_key=test-key&note=", ""),
    ("a name alone", "note", "api_key=test-key&note=", ""),
    ("a name alone, signed so", "note", "api_key=test-key&note", WRONG),
    ("a parameter called secret_key", "secret_key=x", "api_key=test-key&secret_key=x", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "query", "canonical", "reason"), SIGNED, ids=[row[0] for row in SIGNED]
)
def test_further_parameters_are_signed_as_documented(
    server: MockServer, about: str, query: str, canonical: str, reason: str
) -> None:
    sign = md5(f"{canonical}&secret_key=test-secret")
    answered(server, reason, post(server, f"{READ}&{query}&api_key=test-key&sign={sign}"))
    server.reset()
    answered(server, reason, post(server, READ, FORM, f"{query}&api_key=test-key&sign={sign}"))


def test_a_secret_sorted_in_is_refused(server: MockServer) -> None:
    sign = md5("api_key=test-key&secret_key=test-secret&zone=1")
    answered(server, WRONG, post(server, f"{READ}&zone=1&api_key=test-key&sign={sign}"))


VECTORS = rows("coinw", "vectors")


@pytest.mark.parametrize("row", VECTORS, ids=[row["about"] for row in VECTORS])
def test_a_vector_is_signed_as_stated_and_accepted_as_stated(
    tmp_path: Path, row: dict[str, str]
) -> None:
    key = {name: row[name] for name in ("api_key", "secret_key")}
    signed = Auth("coinw", key).sign("POST", f"{PRIVATE}?{row['query']}")
    stated = f"{PRIVATE}?{row['query']}&api_key={row['api_key']}&sign={row['sign']}"
    assert signed.target.decode() == stated
    assert (signed.headers, signed.body) == ((), b"")
    world = tmp_path / "vectors.yaml"
    world.write_text(json.dumps({"coinw": {"keys": {"main": key | {"account": "a"}}, "accounts": {"a": {}}}}))  # fmt: skip
    with MockServer(str(world)) as server:
        stated = re.sub("command=[A-Za-z]+", "command=returnBalances", stated)
        assert response_body(post(server, stated)) == success("{}")


def test_auth_signs_what_a_form_says(server: MockServer) -> None:
    form = {"note": "1,2 +é", "zone": ""}
    answer = requests.post(
        server.coinw.base_url + READ, data=form, auth=server.coinw.auth, timeout=10
    )
    assert answer.text == success(HELD)
    signed = server.coinw.auth.sign(
        "POST", READ, b"note=1", headers={"content-TYPE": FORM["Content-Type"]}
    )
    assert signed.query.decode().endswith(md5("api_key=test-key&note=1&secret_key=test-secret"))
    signed = server.coinw.auth.sign("POST", READ, b"note=1", headers=TYPED_JSON)
    assert signed.query.decode() == f"command=returnBalances&{AUTH}"
    assert server.coinw.auth.sign("POST", PRIVATE).query.decode() == AUTH


def test_the_same_bytes_are_good_again_and_whatever_the_clock_says() -> None:
    with MockServer(limits="off") as server:
        for skew in ("0s", "-400s", "90000h", "0s"):
            server.clock.skew(skew)
            answered(server, "", post(server, f"{READ}&{AUTH}"))


# Refusals

CAUSED = {
    "no_route": (get("/api/v1/privat", {}, "POST"), ""),
    "bad_method": (get(f"{READ}&{AUTH}", {}), "allow: POST\n"),
    "too_large": (get(f"{READ}&{AUTH}", {}, "POST", b" " * (1024 * 1024 + 1)), ""),
    "bad_request": (get(f"{READ}&{AUTH}&a=1&a=2", {}, "POST"), ""),
    "missing_credential": (get(READ, {}, "POST"), ""),
    "unknown_credential": (get(f"{READ}&api_key=x", {}, "POST"), ""),
    "bad_signature": (get(f"{READ}&api_key=test-key", {}, "POST"), ""),
}


@pytest.mark.parametrize("reason", CAUSED)
def test_what_a_client_can_cause_is_answered_byte_for_byte(server: MockServer, reason: str) -> None:
    request, more = CAUSED[reason]
    expected = rows("coinw", "errors")[reason].replace("content-length", more + "content-length")
    if reason == "too_large":
        expected = expected.replace("\n\n", "\nconnection: close\n\n")
    assert without_noise(exchange(server.coinw.base_url, request)) == expected
    assert server.journal[-1].reason == reason


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("target", [f"{READ}&{AUTH}", PRIVATE, f"{PRIVATE}?command=x"])
def test_only_post_is_taken_whatever_the_command(
    server: MockServer, method: str, target: str
) -> None:
    answer = without_noise(exchange(server.coinw.base_url, get(target, {}, method)))
    assert answer.startswith("HTTP/1.1 405\ncontent-type: application/json\nallow: POST\n")
    assert response_body(answer) == failure(405, "Method Not Allowed")


def test_a_head_has_the_headers_of_the_405_and_no_body(server: MockServer) -> None:
    size = len(failure(405, "Method Not Allowed"))
    request = get(f"{READ}&{AUTH}", {"Connection": "close"}, "HEAD")
    assert without_noise(exchange(server.coinw.base_url, request)) == (
        f"HTTP/1.1 405\ncontent-type: application/json\nallow: POST\ncontent-length: {size}\n"
        "connection: close\n\n"
    )


WRONG_PATHS = [
    "/v1/private",
    "/api/v1/private/",
    "//api/v1/private",
    "/API/v1/private",
    "/api/v1/Private",
    "/api/v1/public",
    "/api/v1",
    "/",
]


@pytest.mark.parametrize("path", WRONG_PATHS)
def test_a_path_that_is_not_quite_one_is_a_404(server: MockServer, path: str) -> None:
    answer = post(server, f"{path}?command=returnBalances&{AUTH}")
    assert answer.startswith("HTTP/1.1 404\ncontent-type: application/json\n")
    assert response_body(answer) == '{"code":404,"msg":"Requested address does not exist"}'


def chunks(target: str, headers: Mapping[str, str], body: str) -> bytes:
    head = get(target, dict(headers) | {"Transfer-Encoding": "chunked"}, "POST")
    return head + "".join(f"1\r\n{sign}\r\n" for sign in body).encode() + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "headers", "body", "reason"),
    [
        (READ, FORM, AUTH, ""),
        (f"{READ}&{AUTH}", TYPED_JSON, "", ""),
        (READ, FORM, AUTH[:-1], WRONG),
    ],
)
def test_a_body_may_come_in_chunks(
    server: MockServer, target: str, headers: dict[str, str], body: str, reason: str
) -> None:
    answer = exchange(server.coinw.base_url, chunks(target, headers, body))
    answered(server, reason, without_noise(answer))


def test_a_revoked_key_is_refused_like_an_unknown_one(tmp_path: Path) -> None:
    world = tmp_path / "revoked.yaml"
    world.write_text(
        "coinw:\n  accounts: {a: {}}\n  keys:\n"
        "    main: {api_key: test-key, secret_key: test-secret, account: a, revoked: true}\n"
    )
    with MockServer(str(world)) as server:
        answer = post(server, f"{READ}&{AUTH}")
        assert answer == rows("coinw", "errors")["revoked_credential"]
        assert server.journal[-1].reason == "revoked_credential"


def test_a_refusing_key_needs_no_signature(server: MockServer) -> None:
    for reason, expected in rows("coinw", "errors").items():
        for more in ("", "&sign=wrong"):
            assert post(server, f"{READ}&api_key=reject-{reason}{more}") == expected
            assert server.journal[-1].reason == reason
    assert response_body(post(server, READ, FORM, "api_key=reject-forbidden")) == failure(10004, "No trading permission")  # fmt: skip


OFF = {"coinw.returnBalances": "0/1s"}
ORDER_OF_CHECKS = [
    ("the address before the path", {"coinw.ip": "0/1s"}, "/nothing", "rate_limited"),
    ("the address before the command", {"coinw.ip": "0/1s"}, PRIVATE, "rate_limited"),
    ("the command before a parameter twice", {}, f"{PRIVATE}?command=x&a=1&a=2", "no_route"),
    ("the command before the key", {}, f"{PRIVATE}?command=x&api_key=x", "no_route"),
    ("a parameter twice before no key", {}, f"{READ}&a=1&a=2", TWICE),
    ("a parameter twice before the key", {}, f"{READ}&api_key=x&a=1&a=2", TWICE),
    ("the key before the signature", {}, f"{READ}&api_key=x&sign=x", NOBODY),
    ("the key before the limits", OFF, f"{READ}&api_key=x", NOBODY),
    ("the signature before the operation's limit", OFF, f"{READ}&api_key=test-key", WRONG),
    ("the signature before the user's limit", {"coinw.user": "0/1s"}, f"{READ}&api_key=test-key", WRONG),
    ("the operation's limit", OFF, f"{READ}&{AUTH}", "rate_limited"),
    ("the user's limit", {"coinw.user": "0/1s"}, f"{READ}&{AUTH}", "rate_limited"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "limits", "target", "reason"), ORDER_OF_CHECKS, ids=[row[0] for row in ORDER_OF_CHECKS]
)  # fmt: skip
def test_checks_come_in_order(about: str, limits: dict[str, str], target: str, reason: str) -> None:
    with MockServer(limits=limits) as server:
        answered(server, reason, post(server, target))


@pytest.mark.parametrize("place", ["api_key=test-key&sign={}", "%61pi_key=test%2dkey&si%67n={}"])
@pytest.mark.parametrize("path", [PRIVATE, "/nothing"])
def test_no_key_and_no_signature_is_kept(server: MockServer, path: str, place: str) -> None:
    post(server, f"{path}?command=returnBalances&{place.format(SIGN)}")
    target = server.journal[-1].target
    assert target.count("redacted:") == 2
    assert target.startswith(f"{path}?command=returnBalances&")
    assert not re.search(f"test.{{0,3}}key|{SIGN}", target)


def test_nothing_of_a_form_is_kept(server: MockServer) -> None:
    answered(server, "", post(server, READ, FORM, AUTH))
    entry = repr(server.journal[-1])
    assert server.journal[-1].target == READ
    assert "test-key" not in entry
    assert SIGN not in entry


# Balances


def test_what_orders_hold_is_not_available(server: MockServer) -> None:
    server.coinw.set_balance("main", "CWT", total="400.000", held="0.5")
    server.coinw.set_balance("main", "SAND", total="108.467", held="108.467")
    server.coinw.set_balance("main", "ETH", total="0.0000")
    server.coinw.set_balance("main", "BTC", total="0.0012", held="0.00000000")
    server.coinw.set_balance("main", "NEW", total="7", held="0.010")
    assert response_body(post(server, f"{READ}&{AUTH}")) == success(
        '{"BTC":"0.0012","CWT":"399.500","SAND":"0.000","USDT":"257.518301140000000","NEW":"6.990"}'
    )
    assert response_body(post(server, f"{COMPLETE}&{AUTH}")) == success(
        '{"BTC":{"onOrders":"0","available":"0.0012"},'
        '"CWT":{"onOrders":"0.5","available":"399.5"},'
        '"SAND":{"onOrders":"108.467","available":"0"},'
        '"ETH":{"onOrders":"0","available":"0"},'
        '"USDT":{"onOrders":"0","available":"257.51830114"},'
        '"NEW":{"onOrders":"0.01","available":"6.99"}}'
    )


def test_an_account_of_zeros_has_no_holdings_and_is_complete(server: MockServer) -> None:
    server.coinw.set_balance("empty", "BTC", total="0.00")
    assert response_body(post(server, f"{READ}&{EMPTY_AUTH}")) == success("{}")
    zeros = '{"BTC":{"onOrders":"0","available":"0"}}'
    assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == success(zeros)


WRITTEN = [
    # amount, string, number, exponent
    ("400.000", '"400.000"', "400.000", '"400.000"'),
    ("12000", '"12000"', "12000", '"12000"'),
    ("0.000001", '"0.000001"', "0.000001", '"0.000001"'),
    ("0.0000010", '"0.0000010"', "0.0000010", '"0.0000010"'),
    ("0.0000001", '"0.0000001"', "0.0000001", '"1E-7"'),
    ("0.000000123", '"0.000000123"', "0.000000123", '"1.23E-7"'),
    ("0.00000012300", '"0.00000012300"', "0.00000012300", '"1.2300E-7"'),
    ("123456789.123456789123456789", '"123456789.123456789123456789"', "123456789.123456789123456789", '"123456789.123456789123456789"'),
    ("9007199254740993", '"9007199254740993"', "9007199254740993", '"9007199254740993"'),
]  # fmt: skip


@pytest.mark.parametrize(("column", "form"), [(1, "string"), (2, "number"), (3, "exponent")])
def test_amounts_are_written_in_three_ways(column: int, form: str) -> None:
    with MockServer(quirks={"coinw.amounts": form}) as server:
        for n, row in enumerate(WRITTEN):
            server.coinw.set_balance("empty", f"X{n}", total=row[0])
        shown = ",".join(f'"X{n}":{row[column]}' for n, row in enumerate(WRITTEN))
        assert response_body(post(server, f"{READ}&{EMPTY_AUTH}")) == success(f"{{{shown}}}")


ZEROS = [
    ("string", '"0.000000000000000000"', '{"onOrders":"1","available":"0"}'),
    ("number", "0.000000000000000000", '{"onOrders":1,"available":0}'),
    ("exponent", '"0E-18"', '{"onOrders":"1","available":"0"}'),
]


@pytest.mark.parametrize(("form", "short", "complete"), ZEROS)
def test_a_zero_of_scale_18_and_its_sibling(form: str, short: str, complete: str) -> None:
    with MockServer(quirks={"coinw.amounts": form}) as server:
        server.coinw.set_balance("empty", "X", total="1." + "0" * 18, held="1")
        assert response_body(post(server, f"{READ}&{EMPTY_AUTH}")) == success(f'{{"X":{short}}}')
        assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == success(
            f'{{"X":{complete}}}'
        )


def test_the_sibling_writes_small_amounts_with_an_exponent_too() -> None:
    with MockServer(quirks={"coinw.amounts": "exponent"}) as server:
        server.coinw.set_balance("empty", "X", total="400.00000001000", held="400.0")
        complete = success('{"X":{"onOrders":"400","available":"1E-8"}}')
        assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == complete


# Quirks

EMPTY = [("object", success("{}")), ("null", success("null")), ("zero-bytes", "")]


@pytest.mark.parametrize("target", [READ, COMPLETE])
@pytest.mark.parametrize(("value", "body"), EMPTY)
def test_an_empty_account_is_shown_in_three_ways(target: str, value: str, body: str) -> None:
    with MockServer(quirks={"coinw.empty": value}) as server:
        assert post(server, f"{target}&{EMPTY_AUTH}") == (
            f"HTTP/1.1 200\ncontent-type: application/json\ncontent-length: {len(body)}\n\n{body}"
        )
        assert '"BTC"' in post(server, f"{target}&{AUTH}"), "an account with rows shows them"


ACCEPTANCE = [
    ("signature_case", "upper", SIGN.lower(), WRONG),
    ("signature_case", "any", SIGN.lower(), ""),
    ("signature_case", "any", SIGN.capitalize(), ""),
    ("signature_case", "any", SIGN, ""),
    ("signature_case", "any", EMPTY_SIGN.lower(), WRONG),
    ("sign_covers_command", "false", COMMAND_SIGN, WRONG),
    ("sign_covers_command", "true", COMMAND_SIGN, ""),
    ("sign_covers_command", "true", SIGN, WRONG),
]


@pytest.mark.parametrize(("quirk", "value", "sign", "reason"), ACCEPTANCE)
def test_a_quirk_decides_which_signature_is_good(
    quirk: str, value: str, sign: str, reason: str
) -> None:
    with MockServer(quirks={f"coinw.{quirk}": value}) as server:
        answered(server, reason, post(server, f"{READ}&api_key=test-key&sign={sign}"))


def test_the_code_of_a_success_can_be_a_number() -> None:
    with MockServer(quirks={"coinw.success_code_type": "number"}) as server:
        assert response_body(post(server, f"{READ}&{AUTH}")) == success(HELD, code="200")
        assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == success("{}", code="200")
        assert response_body(post(server, READ)) == failure(10006, "api_key error")


BARE = '{"code":10007,"msg":"Signature error"}'
WRONG_SIGN, WRONG_SIGN_TEXT = (failure(code, "Signature error") for code in (10007, "10007"))
FULL_LIMIT = failure("29001", "API access frequently")
FORMS = [
    ({}, WRONG_SIGN, LIMITED),
    ({"error_code_type": "documented"}, WRONG_SIGN_TEXT, LIMITED),
    ({"error_code_type": "string"}, WRONG_SIGN_TEXT, LIMITED.replace("29001", '"29001"')),
    ({"error_code_type": "number"}, WRONG_SIGN, LIMITED),
    ({"error_envelope": "documented"}, WRONG_SIGN, LIMITED),
    ({"error_envelope": "bare"}, BARE, LIMITED),
    ({"error_envelope": "full"}, WRONG_SIGN, FULL_LIMIT.replace('"29001"', "29001")),
    ({"error_envelope": "full", "error_code_type": "string"}, WRONG_SIGN_TEXT, FULL_LIMIT),
    ({"error_envelope": "bare", "error_code_type": "documented"}, BARE.replace("10007", '"10007"'), LIMITED),
]  # fmt: skip


@pytest.mark.parametrize(("quirks", "wrong", "limited"), FORMS)
def test_quirks_decide_what_an_error_looks_like(
    quirks: dict[str, str], wrong: str, limited: str
) -> None:
    with MockServer(quirks={f"coinw.{k}": v for k, v in quirks.items()}) as server:
        assert response_body(post(server, f"{READ}&api_key=test-key")) == wrong
        assert response_body(post(server, f"{READ}&api_key=reject-rate_limited")) == limited
        assert response_body(post(server, f"{READ}&{AUTH}")) == success(HELD)


MEASURED = [
    # request, the status and the code with error_codes: measured
    ("/nothing", 404, 404),
    (f"{PRIVATE}?command=x", 200, -103),
    (PRIVATE, 200, -103),
    (f"{READ}&a=1&a=2", 200, -3),
    (READ, 400, 904),
    (f"{READ}&api_key=test-key", 400, 904),
    (f"{READ}&api_key=test-key&sign=x", 200, 6000),
    (f"{READ}&api_key=x", 200, 1003),
    (f"{READ}&api_key=reject-revoked_credential", 200, 1003),
    (f"{READ}&api_key=reject-rate_limited", 200, 29001),
]


@pytest.mark.parametrize("full", [False, True])
def test_the_codes_of_a_newer_client_are_a_quirk(full: bool) -> None:
    envelope = {"coinw.error_envelope": "full"} if full else {}
    with MockServer(quirks={"coinw.error_codes": "measured", **envelope}) as server:
        for target, status, code in MEASURED:
            answer = post(server, target)
            body = json.loads(response_body(answer))
            assert (int(answer.split()[1]), body["code"], len(body)) == (
                status,
                code,
                5 if full else 2,
            )
        assert response_body(post(server, f"{READ}&{AUTH}")) == success(HELD)


STATUSES = [
    # request, by default, with error_status: 4xx
    (f"{READ}&{AUTH}", 200, 200),
    ("/nothing", 404, 404),
    (f"{PRIVATE}?command=x", 200, 404),
    (PRIVATE, 200, 404),
    (f"{READ}&a=1&a=2", 200, 400),
    (READ, 200, 401),
    (f"{READ}&api_key=x", 200, 401),
    (f"{READ}&api_key=reject-revoked_credential", 200, 401),
    (f"{READ}&api_key=test-key", 200, 401),
    (f"{READ}&api_key=reject-forbidden", 200, 403),
    (f"{READ}&api_key=reject-rate_limited", 200, 429),
    (f"{READ}&api_key=reject-no_route", 404, 404),
    (f"{READ}&api_key=reject-bad_method", 405, 405),
    (f"{READ}&api_key=reject-too_large", 413, 413),
    (f"{READ}&api_key=reject-internal_error", 500, 500),
    (f"{READ}&api_key=reject-service_unavailable", 503, 503),
]


@pytest.mark.parametrize("value", ["200", "4xx"])
def test_a_quirk_gives_errors_a_status_of_their_own(value: str) -> None:
    bodies = []
    with MockServer() as plain, MockServer(quirks={"coinw.error_status": value}) as server:
        for target, *statuses in STATUSES:
            answer = post(server, target)
            status = statuses[value == "4xx"]
            assert answer.startswith(f"HTTP/1.1 {status}\ncontent-type: application/json\n"), target
            assert server.journal[-1].status == status
            bodies.append((response_body(answer), response_body(post(plain, target))))
    assert [answer for answer, _ in bodies] == [expected for _, expected in bodies]


# Limits


def test_the_fourth_read_of_any_second_is_refused() -> None:
    clock = HandClock(NOW * 10**9 + 700_000_000)
    with MockServer(real=clock) as server:
        assert read(server, 2) == "gg"
        clock.advance("400ms")
        assert read(server, 2) == "gl", "the second looks back from the request"
        answered(server, "rate_limited", post(server, f"{READ}&{AUTH}"))
        clock.advance("599ms")
        assert read(server) == "l"
        clock.advance("1ms")
        assert read(server, 3) == "ggl"


def test_the_sixth_complete_read_of_any_two_seconds_is_refused() -> None:
    clock = HandClock(NOW * 10**9)
    complete = f"{COMPLETE}&{AUTH}"
    with MockServer(real=clock) as server:
        assert read(server, 6, complete) == "gggggl"
        assert read(server, 4) == "gggl", "each operation has a limit of its own"
        clock.advance("1999ms")
        assert read(server, 1, complete) == "l"
        clock.advance("1ms")
        assert read(server, 6, complete) == "gggggl"


def test_in_a_burst_of_140_keyless_requests_the_limit_per_address_is_met() -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        assert read(server, 140, READ) == "o" * 100 + "l" * 40
        assert read(server, 1) == "l", "a key of the same address"
        assert read(server, 1, source="127.0.0.2") == "g"


def test_refused_calls_use_up_no_limit_that_counts_successes() -> None:
    with MockServer(real=HandClock(NOW * 10**9), quirks={"coinw.counts": "successful"}) as server:
        wrong = (f"{READ}&api_key=test-key", f"{READ}&{AUTH}&a=1&a=2", f"{READ}&api_key=x", PRIVATE)
        for target in wrong:
            assert read(server, 30, target) == "o" * 30
        assert read(server, 4) == "gggl"


WORLD = """
coinw:
  keys:
    main: {api_key: test-key, secret_key: test-secret, account: a, user: alice}
    second: {api_key: empty-key, secret_key: test-secret, account: b, user: alice}
    third: {api_key: XXX, secret_key: XXX, account: alice}
    bob: {api_key: bob, secret_key: XXX, account: a}
  accounts: {a: {}, b: {}, alice: {}}
"""


def signed(api_key: str, secret: str = "XXX", target: str = READ) -> str:
    sign = md5(f"api_key={api_key}&secret_key={secret}")
    return f"{target}&api_key={api_key}&sign={sign}"


def test_limits_count_by_user_not_by_key(tmp_path: Path) -> None:
    world = tmp_path / "users.yaml"
    world.write_text(WORLD)
    with MockServer(str(world), real=HandClock(NOW * 10**9)) as server:
        assert read(server, 2) == "gg"
        assert read(server, 2, f"{READ}&{EMPTY_AUTH}") == "gl", "another key, the same user"
        assert read(server, 1, signed("XXX")) == "l", "a key's user is its account by default"
        assert read(server, 4, signed("bob")) == "gggl", "the same account, another user"


def test_a_user_may_ask_300_times_a_second_over_all_operations() -> None:
    clock = HandClock(NOW * 10**9)
    limits = {
        "coinw.returnBalances": "off",
        "coinw.returnCompleteBalances": "off",
        "coinw.ip": "off",
    }
    with MockServer(real=clock, limits=limits) as server:
        assert read(server, 150) + read(server, 151, f"{COMPLETE}&{AUTH}") == "g" * 300 + "l"
        assert read(server, 1) == "l"
        assert read(server, 1, f"{READ}&{EMPTY_AUTH}") == "g"
        clock.advance("999ms")
        assert read(server) == "l"
        clock.advance("1ms")
        assert read(server, 301) == "g" * 300 + "l"


def test_an_address_may_ask_100_times_a_second_over_all_users() -> None:
    clock = HandClock(NOW * 10**9)
    limits = {"coinw.returnBalances": "off", "coinw.returnCompleteBalances": "off"}
    with MockServer(real=clock, limits=limits) as server:
        assert read(server, 50) + read(server, 51, f"{COMPLETE}&{EMPTY_AUTH}") == "g" * 100 + "l"
        assert read(server, 1) == "l"
        assert read(server, 1, source="127.0.0.2") == "g"
        clock.advance("999ms")
        assert read(server) == "l"
        clock.advance("1ms")
        assert read(server, 101) == "g" * 100 + "l"


def test_the_limit_of_an_operation_can_count_a_user_at_each_address() -> None:
    quirks = {"coinw.interface_limit": "address_and_user"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        assert read(server, 4) == "gggl"
        assert read(server, 4, source="127.0.0.2") == "gggl", "the same user elsewhere"
        assert read(server, 4, f"{READ}&{EMPTY_AUTH}") == "gggl", "another user here"
        server.set_quirks({"coinw.interface_limit": None})
        assert read(server, 4, source="127.0.0.3") == "gggl", "a user everywhere"
        assert read(server, 1) == "l"


# Bans: 60 refusals of a user or 80 of an address within 10 s

BANS = {"coinw.bans": "on"}
OTHER = f"{READ}&{EMPTY_AUTH}"


def test_without_the_quirk_nobody_is_punished() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        assert read(server, 203) == "ggg" + "l" * 200
        clock.advance("1s")
        assert read(server, 4) == "gggl"


def test_bans_can_count_requests() -> None:
    quirks = {"coinw.bans": "requests"}
    with MockServer(real=(clock := HandClock(NOW * 10**9)), quirks=quirks) as server:
        for _ in range(30):
            assert read(server, 2) == "gg"
            clock.advance("1s")
        assert read(server, 3) == "ggg", "20 in any ten seconds are normal"
        server.set_limits("off")
        assert read(server, 42) == "g" * 42, "62 of the last ten seconds, of which 60 are normal"
        server.set_limits({"coinw.user": "6/1s"})
        assert read(server, 4) == "gggl", "warned, so that each limit is halved"
        clock.advance("10s")
        assert read(server, 61) == "ggg" + "l" * 58, "and then banned"
        explanation = server.journal[-1].explanation
        assert explanation["rule"] == "ban coinw.uid"
        assert explanation["expected"] == "at most 60 requests within 10 s"
        assert read(server, 1, OTHER) == "g", "another user"


def test_a_user_refused_60_times_is_warned_and_has_half_of_every_limit() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock, quirks=BANS) as server:
        assert read(server, 62) == "ggg" + "l" * 59
        clock.advance("1s")
        assert read(server, 4) == "gggl", "the 60th refusal is the last one at full limits"
        clock.advance("1s")
        assert read(server, 2) == "gl"
        assert read(server, 3, f"{COMPLETE}&{AUTH}") == "ggl"
        assert read(server, 4, OTHER) == "gggl", "another user has its own record"
        clock.advance("297s")
        assert read(server, 2) == "gl"
        clock.advance("1999ms")
        assert read(server, 2) == "gl"
        clock.advance("1s")
        assert read(server, 4) == "gggl", "five minutes after the warning it is over"


@pytest.mark.parametrize(("pause", "after"), [("10s", "gl"), ("10001ms", "gg")])
def test_refusals_count_for_ten_seconds(pause: str, after: str) -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock, quirks=BANS) as server:
        assert read(server, 4) == "gggl"
        clock.advance(pause)
        assert read(server, 62) == "ggg" + "l" * 59
        clock.advance("1s")
        assert read(server, 2) == after


def warned(clock: HandClock, server: MockServer) -> None:
    assert read(server, 63) == "ggg" + "l" * 60
    clock.advance("11s")  # the address forgets, so that the user alone is punished


def test_as_many_refusals_while_warned_are_a_ban_of_30_seconds() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock, quirks=BANS) as server:
        warned(clock, server)
        assert read(server, 60) == "g" + "l" * 59
        clock.advance("1s")
        assert read(server, 2) == "gl", "the 60th refusal while warned"
        assert read(server, 1, f"{COMPLETE}&{AUTH}") == "l", "a ban is of everything"
        assert read(server, 1, OTHER) == "g"
        assert read(server, 1, f"{READ}&api_key=test-key") == "o", "the signature comes first"
        clock.advance("29999ms")
        answered(server, "rate_limited", post(server, f"{READ}&{AUTH}"))
        clock.advance("1ms")
        assert read(server, 2) == "gl", "still warned"


def test_the_eleventh_ban_in_eight_hours_lasts_eight_hours() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock, quirks=BANS) as server:
        warned(clock, server)
        for _ in range(10):
            assert read(server, 61) == "g" + "l" * 60
            clock.advance("30s")
        warned(clock, server)
        assert read(server, 61) == "g" + "l" * 60
        clock.advance("30s")
        assert read(server) == "l"
        clock.advance("7h")
        clock.advance("3569999ms")
        assert read(server) == "l"
        clock.advance("1ms")
        assert read(server, 4) == "gggl"


def test_an_address_refused_80_times_is_warned_and_banned_with_all_its_users() -> None:
    clock = HandClock(NOW * 10**9)
    limits = {"coinw.returnBalances": "off", "coinw.user": "off", "coinw.ip": "4/1s"}
    with MockServer(real=clock, quirks=BANS, limits=limits) as server:
        assert read(server, 83) == "gggg" + "l" * 79
        clock.advance("1s")
        assert read(server, 5) == "ggggl", "the 80th refusal"
        clock.advance("1s")
        assert read(server, 2) + read(server, 1, OTHER) == "ggl"
        assert read(server, 5, source="127.0.0.2") == "ggggl"
        clock.advance("11s")
        assert read(server, 82) == "gg" + "l" * 80
        clock.advance("29999ms")
        assert read(server) + read(server, 1, OTHER) + read(server, 1, "/nothing") == "lll"
        assert read(server, 1, source="127.0.0.2") == "g"
        clock.advance("1ms")
        assert read(server, 3) == "ggl", "still warned"


# Worlds

MISTAKES = [
    ("{keys: {main: {api_key: a, secret_key: b, account: c}}}", "key main names account 'c', which is not there"),
    ('{accounts: {a: {balances: [{asset: BTC, venue: X, total: "1"}]}}}', "a spot account has no venues: BTC lies at 'X'"),
    ('{accounts: {a: {balances: [{asset: BTC, total: "1", name: x}]}}}', "unknown field `name`"),
    ("{keys: {main: {api_key: a, account: c}}}", "missing required field `secret_key`"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "what"), MISTAKES)
def test_a_mistake_in_a_world_is_told(section: str, what: str) -> None:
    with pytest.raises(DataError, match=re.escape(what)):
        worlds.read(f"coinw: {section}", "wrong")


def test_generated_rows_differ_in_scale_and_hold_together() -> None:
    world = worlds.read("coinw: {accounts: {a: {generate: {rows: 200}}}}", "generated")
    generated: list[Any] = list(world.parts["coinw"].accounts["a"].rows.values())
    assert {-row.total.as_tuple().exponent for row in generated} == set(range(16))
    assert all(0 <= row.held <= row.total and row.venue == "" for row in generated)
    assert sum(row.held > 0 for row in generated) > 190


def test_keys_that_are_made_differ_in_every_part() -> None:
    entropy = [bytes(range(n, n + 64)) for n in (0, 100)]
    world = worlds.read(WORLD, "users")
    second = world.parts["coinw"].section.keys["second"]
    keys = [second.regenerate(some) for some in entropy]
    assert len({k.api_key for k in keys} | {k.secret_key for k in keys}) == 4
    assert {(k.account, k.user) for k in keys} == {("b", "alice")}
    people = [PROVIDER.holder(GeneratedUser("eve", "Eve", some)) for some in entropy]
    assert len({key[name] for key, _, _ in people for name in PROVIDER.members}) == 4
    for key, id, account in people:
        section = {"coinw": {"keys": {"main": key}, "accounts": {id: account}}}
        assert worlds.read(json.dumps(section), "made").parts["coinw"].accounts[id].rows == {}
