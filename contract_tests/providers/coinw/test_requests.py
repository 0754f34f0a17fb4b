"""CoinW spot over a socket, signed apart from the package: what is sent, and what comes back."""

import json
import re
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest
import requests

from contract_tests.providers.coinw.calls import (
    AUTH,
    COMMAND_SIGN,
    COMPLETE,
    EMPTY_AUTH,
    EMPTY_SIGN,
    FORM,
    HELD,
    HMAC,
    LIMITED,
    PRIVATE,
    READ,
    SIGN,
    failure,
    md5,
    post,
    response_body,
    success,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import get
from contract_tests.support.request_rows import Row, answered
from contract_tests.support.rows import each
from mockserver import Auth, MockServer
from mockserver.errors import DataError
from mockserver.files import worlds
from mockserver.providers.coinw.provider import PROVIDER

TYPED_JSON = {"Content-Type": "application/json"}
PLAIN: Mapping[str, str] = {}

NO_KEY, NOBODY, WRONG, TWICE = (
    "missing_credential", "unknown_credential", "bad_signature", "bad_request",
)  # fmt: skip


# The fixture has the 404 of an unknown path; for an unknown command it is this.
NO_COMMAND = failure(10002, "API not exist")


def posted(
    about: str,
    target: str,
    headers: Mapping[str, str] = PLAIN,
    body: str = "",
    reason: str = "",
    **more: Any,
) -> Row:
    """A row for a POST; a good one has the holdings of the default world."""
    text = more.pop("answer", "" if reason else success(HELD))
    if reason == "no_route" and target.startswith(PRIVATE):
        more["status"], text = 200, NO_COMMAND
    request = get(target, dict(headers), "POST", body.encode())
    return Row(about, request, reason, text, **more)


# What clients send

SPOT, SIGNED = f"{READ}&{AUTH}", f"{READ}&sign={SIGN}&api_key=test-key"

ACCEPTED = [
    posted("the official sample", SIGNED, TYPED_JSON | {"Content-Length": "0"}),
    posted("the .NET client", SPOT),
    posted("the StockSharp connector", SIGNED, {"Content-Type": "application/json; charset=utf-8", "Content-Length": "0"}),
    posted("the skill's curl", SPOT, {"User-Agent": "curl/8.5.0", "Accept": "*/*"}),
    posted("the ccxt work", READ, FORM, AUTH),
    posted("everything in the form", PRIVATE, FORM, f"{AUTH}&command=returnBalances"),
    posted("the key in the query, the signature in the form", f"{READ}&api_key=test-key", FORM, f"sign={SIGN}"),
    posted("everything twice, equal", SPOT, FORM, f"command=returnBalances&{AUTH}"),
    posted("a form with a charset, in capitals", READ, {"Content-Type": "Application/X-WWW-Form-URLencoded; Charset=UTF-8"}, AUTH),
    posted("an empty form", SPOT, FORM | {"Content-Length": "0"}),
    posted("an empty body of any type", SPOT, {"Content-Type": "nonsense", "Content-Length": "0"}),
    posted("a JSON body, not read", SPOT, TYPED_JSON, '{"api_key":"nobody"}'),
    posted("a body that is no JSON, not read", SPOT, TYPED_JSON, "[" * 1000),
    posted("a form without its media type, not read", SPOT, {}, "api_key=nobody"),
    posted("a MiB, not read", SPOT, {}, "a" * 1024 * 1024),
    posted("names that are escaped", f"{READ}&%61pi_key=test%2Dkey&s%69gn={SIGN}"),
    posted("empty parts", f"{PRIVATE}?&command=returnBalances&&{AUTH}&"),
    posted("a path that is escaped", f"/api/v1/%70rivate?%63ommand=return%42alances&{AUTH}"),
    posted("headers of the futures API beside it", SPOT, {"api_key": "nobody", "sign": "x", "timestamp": "1"}),
]  # fmt: skip
test_requests_of_real_clients_are_accepted = answered("coinw", ACCEPTED)


PARTS = '--a\r\nContent-Disposition: form-data; name="api_key"\r\n\r\ntest-key\r\n--a--\r\n'
KEY_AND = f"{READ}&api_key=test-key&sign="
FUTURES = f'{{"timestamp":1747444800000,"signature":"{HMAC}"}}'
REFUSED = [
    posted("the Python package, which sends no key", READ, FORM, f"sign={SIGN}", NO_KEY),
    posted("nothing", READ, {}, "", NO_KEY),
    posted("an empty key", f"{READ}&api_key=&sign={SIGN}", {}, "", NO_KEY),
    posted("the futures scheme", READ, {"X-COINW-APIKEY": "test-key", **TYPED_JSON}, FUTURES, NO_KEY),
    posted("headers of the futures API", READ, {"api_key": "test-key", "sign": SIGN}, "", NO_KEY),
    posted("JSON for a form", READ, TYPED_JSON, f'{{"api_key":"test-key","sign":"{SIGN}"}}', NO_KEY),
    posted("a form with the media type of JSON", READ, TYPED_JSON, AUTH, NO_KEY),
    posted("a form without a media type", READ, {}, AUTH, NO_KEY),
    posted("a mark before the form", READ, FORM, f"\ufeff{AUTH}", NO_KEY),
    posted("a form of several parts", READ, {"Content-Type": "multipart/form-data; boundary=a"}, PARTS, NO_KEY),
    posted("two Content-Types, the form second", READ, {"Content-Type": "text/plain", "content-type": FORM["Content-Type"]}, AUTH, NO_KEY),
    posted("another spelling of the name", f"{READ}&API_KEY=test-key&sign={SIGN}", {}, "", NO_KEY),
    posted("a list of keys", f"{READ}&api_key[]=test-key&sign={SIGN}", {}, "", NO_KEY),
    posted("an unknown key", f"{READ}&api_key=nobody&sign={SIGN}", {}, "", NOBODY),
    posted("a key in capitals", f"{READ}&api_key=TEST-KEY&sign={SIGN}", {}, "", NOBODY),
    posted("a key that is no UTF-8", f"{READ}&api_key=%ff&sign={SIGN}", {}, "", NOBODY),
    posted("a NUL behind the key", f"{READ}&api_key=test-key%00&sign={SIGN}", {}, "", NOBODY),
    posted("an ampersand in the key", f"{READ}&api_key=test-key%26a=1&sign={SIGN}", {}, "", NOBODY),
    posted("no signature", f"{READ}&api_key=test-key", {}, "", WRONG),
    posted("an empty signature", KEY_AND, {}, "", WRONG),
    posted("a signature in lower case", KEY_AND + SIGN.lower(), {}, "", WRONG),
    posted("a signature cut short", KEY_AND + SIGN[:-1], {}, "", WRONG),
    posted("a signature too long", f"{KEY_AND}{SIGN}0", {}, "", WRONG),
    posted("a signature that is no ASCII", f"{KEY_AND}%C3%A9", {}, "", WRONG),
    posted("a signature of 60,000 signs", KEY_AND + "A" * 60_000, {}, "", WRONG),
    posted("a blank behind the signature", f"{SPOT}%20", {}, "", WRONG),
    posted("a line end behind the form", READ, FORM, f"{AUTH}\r\n", WRONG),
    posted("an HMAC", KEY_AND + HMAC, {}, "", WRONG),
    posted("another key's signature", KEY_AND + EMPTY_SIGN, {}, "", WRONG),
    posted("the command signed", KEY_AND + COMMAND_SIGN, {}, "", WRONG),
    posted("a parameter that is not signed", f"{SPOT}&note=1", {}, "", WRONG),
    posted("a parameter of the form that is not signed", READ, FORM, f"{AUTH}&note=1", WRONG),
    posted("an empty parameter that is not signed", f"{SPOT}&note", {}, "", WRONG),
    posted("bytes that are no UTF-8", f"{SPOT}&note=%ff%fe", {}, "", WRONG),
    posted("the secret sent", f"{SPOT}&secret_key=test-secret", {}, "", WRONG),
    posted("20,000 parameters", READ, FORM, AUTH + "".join(f"&a{n}=1" for n in range(20_000)), WRONG),
    posted("two keys", SPOT, FORM, "api_key=empty-key", TWICE),
    posted("two keys, the first unknown", f"{READ}&api_key=nobody&{AUTH}", {}, "", TWICE),
    posted("a key and an empty one", f"{SPOT}&api_key=", {}, "", TWICE),
    posted("two spellings of the signature", f"{SPOT}&sign={SIGN.lower()}", {}, "", TWICE),
    posted("two values of anything", f"{SPOT}&note=1&note=2", {}, "", TWICE),
    posted("two commands that are known", SPOT, FORM, "command=returnCompleteBalances", TWICE),
    posted("two commands, the second unknown", SPOT, FORM, "command=doTrade", TWICE),
    posted("two commands, the first unknown", f"{PRIVATE}?command=doTrade&{AUTH}&command=returnBalances", {}, "", "no_route"),
    posted("an unknown command", f"{PRIVATE}?command=doTrade&{AUTH}", {}, "", "no_route"),
    posted("a command in capitals", f"{PRIVATE}?command=RETURNBALANCES&{AUTH}", {}, "", "no_route"),
    posted("an empty command", f"{PRIVATE}?command=&{AUTH}", {}, "", "no_route"),
    posted("no command", f"{PRIVATE}?{AUTH}", {}, "", "no_route"),
    posted("a command in JSON", f"{PRIVATE}?{AUTH}", TYPED_JSON, '{"command":"returnBalances"}', "no_route"),
    posted("semicolons", f"{READ};{AUTH.replace('&', ';')}", {}, "", "no_route"),
    posted("a backslash, as some samples print it", f"{PRIVATE}?command\\=returnBalances&{AUTH}", {}, "", "no_route"),
]  # fmt: skip
test_a_wrong_request_is_refused_under_http_200 = answered("coinw", REFUSED)


def further(query: str, canonical: str, reason: str = "") -> tuple[str, str, str]:
    sign = md5(f"{canonical}&secret_key=test-secret")
    return f"{query}&api_key=test-key&sign={sign}", canonical, reason


FURTHER = [
    ("sorted by name", *further("zone=1&note=2", "api_key=test-key&note=2&zone=1")),
    ("sorted as sent", *further("zone=1&note=2", "zone=1&note=2&api_key=test-key", WRONG)),
    ("the key first", *further("about=1", "api_key=test-key&about=1", WRONG)),
    ("the secret behind every name", *further("zone=1", "api_key=test-key&zone=1")),
    ("a value raw", *further("note=1%2C2", "api_key=test-key&note=1,2")),
    ("a value that was not encoded", *further("note=1,2", "api_key=test-key&note=1,2")),
    ("a value encoded", *further("note=1%2C2", "api_key=test-key&note=1%2C2", WRONG)),
    ("a name raw", *further("n%20te=1", "api_key=test-key&n te=1")),
    ("a plus", *further("note=x+y", "api_key=test-key&note=x y")),
    ("a plus, escaped", *further("note=x%2By", "api_key=test-key&note=x y", WRONG)),
    ("a value twice, equal", *further("note=1&note=1", "api_key=test-key&note=1")),
    ("a value twice, signed twice", *further("note=1&note=1", "api_key=test-key&note=1&note=1", WRONG)),
    ("a name alone", *further("note", "api_key=test-key&note=")),
    ("a name alone, signed so", *further("note", "api_key=test-key&note", WRONG)),
    ("a parameter called secret_key", *further("secret_key=x", "api_key=test-key&secret_key=x")),
    ("the secret sorted in", f"zone=1&api_key=test-key&sign={md5('api_key=test-key&secret_key=test-secret&zone=1')}", "", WRONG),
]  # fmt: skip
test_further_parameters_are_signed_as_documented = answered(
    "coinw",
    [posted(about, f"{READ}&{query}", {}, "", reason) for about, query, _, reason in FURTHER],
    [posted(f"{about}, in a form", READ, FORM, query, reason) for about, query, _, reason in FURTHER],
)  # fmt: skip

test_parameters_come_in_every_order = answered(
    "coinw",
    [
        posted(" ".join(order), f"{PRIVATE}?{'&'.join(order)}")
        for order in permutations(["command=returnBalances", "api_key=test-key", f"sign={SIGN}"])
    ],
)


VECTORS = [(row["about"], row) for row in rows("coinw", "vectors")]


@each("row", VECTORS)
def test_a_vector_is_signed_and_accepted_as_stated(row: dict[str, str]) -> None:
    key = {name: row[name] for name in ("api_key", "secret_key")}
    signed = Auth("coinw", key).sign("POST", f"{PRIVATE}?{row['query']}")
    stated = f"{PRIVATE}?{row['query']}&api_key={row['api_key']}&sign={row['sign']}"
    assert (signed.target.decode(), signed.headers, signed.body) == (stated, (), b"")
    section = {"keys": {"main": key | {"account": "a"}}, "accounts": {"a": {}}}
    with MockServer(worlds.from_data({"coinw": section}, "vectors")) as server:
        stated = re.sub("command=[A-Za-z]+", "command=returnBalances", stated)
        assert response_body(post(server, stated)) == success("{}")


def test_auth_signs_the_parameters_of_a_form(server: MockServer) -> None:
    form = {"note": "1,2 +é", "zone": ""}
    url, auth = server.coinw.base_url + READ, server.coinw.auth
    assert requests.post(url, data=form, auth=auth, timeout=30).text == success(HELD)
    for headers, target, query in (
        ({"content-TYPE": FORM["Content-Type"]}, READ, md5("api_key=test-key&note=1&secret_key=test-secret")),
        (TYPED_JSON, READ, f"command=returnBalances&{AUTH}"),
        (TYPED_JSON, PRIVATE, AUTH),
    ):  # fmt: skip
        signed = auth.sign("POST", target, b"note=1", headers=headers)
        assert signed.query.decode().endswith(query)


def test_the_same_bytes_are_good_again_and_whatever_the_clock_says(server: MockServer) -> None:
    for skew in ("0s", "-400s", "90000h"):
        server.clock.skew(skew)
        assert response_body(post(server, SPOT)) == success(HELD)


# Refusals

CHECKS = [
    posted("the address before the path", "/nothing", reason="rate_limited", limits={"coinw.ip": "0/1s"}),
    posted("the address before the command", PRIVATE, reason="rate_limited", limits={"coinw.ip": "0/1s"}),
    posted("the command before a parameter twice", f"{PRIVATE}?command=x&a=1&a=2", reason="no_route"),
    posted("the command before the key", f"{PRIVATE}?command=x&api_key=x", reason="no_route"),
    posted("a parameter twice before no key", f"{READ}&a=1&a=2", reason=TWICE),
    posted("a parameter twice before the key", f"{READ}&api_key=x&a=1&a=2", reason=TWICE),
    posted("the key before the signature", f"{READ}&api_key=x&sign=x", reason=NOBODY),
    posted("the key before the limits", f"{READ}&api_key=x", reason=NOBODY, limits={"coinw.returnBalances": "0/1s"}),
    posted("the signature before the operation's limit", KEY_AND, reason=WRONG, limits={"coinw.returnBalances": "0/1s"}),
    posted("the signature before the user's limit", KEY_AND, reason=WRONG, limits={"coinw.user": "0/1s"}),
    posted("the operation's limit", SPOT, reason="rate_limited", limits={"coinw.returnBalances": "0/1s"}),
    posted("the user's limit", SPOT, reason="rate_limited", limits={"coinw.user": "0/1s"}),
    Row("a method before the command", get(f"{PRIVATE}?command=x", {}), "bad_method", allow="POST"),
    posted("an unknown path", "/api/v1/privat", reason="no_route"),
]  # fmt: skip
test_checks_come_in_order = answered("coinw", CHECKS)


def test_a_refusing_key_needs_no_signature(server: MockServer) -> None:
    codes = set()
    for reason, expected in rows("coinw", "errors").items():
        for target in (READ, f"{READ}&sign=wrong", COMPLETE):
            answer = post(server, f"{target}&api_key=reject-{reason}")
            assert answer == expected
            assert server.journal[-1].reason == reason
            codes.add(json.loads(response_body(answer))["code"])
    assert codes == {404, 405, 413, 500, 10001, 10003, 10004, 10006, 10007, 29001}
    answer = post(server, READ, FORM, "api_key=reject-forbidden")
    assert response_body(answer) == failure(10004, "No trading permission")


@pytest.mark.parametrize("target", [READ, COMPLETE])
def test_a_key_that_is_not_good_is_10006_whatever_is_wrong_with_it(
    server: MockServer, target: str
) -> None:
    server.coinw.event("key_revoked", key="main")
    for key, reason in ("", NO_KEY), ("nobody", NOBODY), ("test-key", "revoked_credential"):
        answer = post(server, f"{target}&api_key={key}&sign={SIGN}")
        assert response_body(answer) == failure(10006, "api_key error")
        assert server.journal[-1].reason == reason


# Balances


def set_rows(server: MockServer, label: str, *balances: tuple[str, str, str]) -> None:
    for asset, total, held in balances:
        server.coinw.set_balance(label, asset, total=total, held=held)


def test_an_amount_held_by_orders_is_not_available(server: MockServer) -> None:
    set_rows(
        server,
        "main",
        ("CWT", "400.000", "0.5"),
        ("SAND", "108.467", "108.467"),
        ("ETH", "0.0000", "0"),
        ("BTC", "0.0012", "0.00000000"),
        ("NEW", "7", "0.010"),
    )
    assert response_body(post(server, SPOT)) == success(
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
    set_rows(server, "empty", ("BTC", "0.00", "0"))
    assert response_body(post(server, f"{READ}&{EMPTY_AUTH}")) == success("{}")
    zeros = '{"BTC":{"onOrders":"0","available":"0"}}'
    assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == success(zeros)


# Amounts that are written alike as a string and as a number, and those in exponent form.
DIGITS = ["400.000", "12000", "0.000001", "0.0000010", "123456789.123456789123456789", "9007199254740993"]  # fmt: skip
SMALL = {"0.0000001": "1E-7", "0.000000123": "1.23E-7", "0.00000012300": "1.2300E-7"}


@pytest.mark.parametrize("form", ["string", "number", "exponent"])
def test_amounts_are_written_in_three_ways(server: MockServer, form: str) -> None:
    server.set_quirks({"coinw.amounts": form})
    amounts = [*DIGITS, *SMALL]
    set_rows(server, "empty", *((f"X{n}", amount, "0") for n, amount in enumerate(amounts)))
    set_rows(server, "empty", ("ALL", "1." + "0" * 18, "1"), ("NO", "400.00000001000", "400.0"))
    quote = "" if form == "number" else '"'
    written = [SMALL.get(amount, amount) if form == "exponent" else amount for amount in amounts]
    members = [f'"X{n}":{quote}{amount}{quote}' for n, amount in enumerate(written)]
    zero, small = {"exponent": ("0E-18", "1.000E-8")}.get(form, ("0." + "0" * 18, "0.00000001000"))
    members += [f'"ALL":{quote}{zero}{quote}', f'"NO":{quote}{small}{quote}']
    read = response_body(post(server, f"{READ}&{EMPTY_AUTH}"))
    assert read == success(f"{{{','.join(members)}}}")
    complete = response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}"))
    small = "1E-8" if form == "exponent" else "0.00000001"
    for name, orders, available in ("ALL", "1", "0"), ("NO", "400", small):
        row = (
            f'"{name}":{{"onOrders":{quote}{orders}{quote},"available":{quote}{available}{quote}}}'
        )
        assert row in complete


# Quirks

EMPTY_FORMS = [("object", success("{}")), ("null", success("null")), ("zero-bytes", "")]


@each("body", EMPTY_FORMS)
def test_an_empty_account_is_shown_in_three_ways(
    server: MockServer, body: str, request: pytest.FixtureRequest
) -> None:
    server.set_quirks({"coinw.empty": request.node.callspec.id})
    for target in (READ, COMPLETE):
        assert post(server, f"{target}&{EMPTY_AUTH}") == (
            f"HTTP/1.1 200\ncontent-type: application/json\ncontent-length: {len(body)}\n\n{body}"
        )
        assert '"BTC"' in post(server, f"{target}&{AUTH}"), "an account with rows shows them"


WRONG_SIGN, WRONG_SIGN_TEXT = (failure(code, "Signature error") for code in (10007, "10007"))
ACCEPTANCE = [
    ("upper case", {"signature_case": "upper"}, SIGN.lower(), WRONG),
    ("any case", {"signature_case": "any"}, SIGN.capitalize(), ""),
    ("any case, upper", {"signature_case": "any"}, SIGN, ""),
    ("any case, another", {"signature_case": "any"}, EMPTY_SIGN.lower(), WRONG),
    ("without the command", {"sign_covers_command": "false"}, COMMAND_SIGN, WRONG),
    ("with the command", {"sign_covers_command": "true"}, COMMAND_SIGN, ""),
    ("with the command, which is not signed", {"sign_covers_command": "true"}, SIGN, WRONG),
]
test_a_quirk_decides_which_signature_is_good = answered(
    "coinw",
    [
        posted(about, KEY_AND + sign, reason=reason, quirks=quirks, answer=WRONG_SIGN if reason else success(HELD))
        for about, quirks, sign, reason in ACCEPTANCE
    ],
)  # fmt: skip


def test_the_code_of_a_success_can_be_a_number(server: MockServer) -> None:
    server.set_quirks({"coinw.success_code_type": "number"})
    assert response_body(post(server, SPOT)) == success(HELD, code="200")
    assert response_body(post(server, f"{COMPLETE}&{EMPTY_AUTH}")) == success("{}", code="200")
    assert response_body(post(server, READ)) == failure(10006, "api_key error")


BARE = '{"code":10007,"msg":"Signature error"}'
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
def test_quirks_decide_the_form_of_an_error(
    server: MockServer, quirks: dict[str, str], wrong: str, limited: str
) -> None:
    server.set_quirks({f"coinw.{name}": value for name, value in quirks.items()})
    assert response_body(post(server, f"{READ}&api_key=test-key")) == wrong
    assert response_body(post(server, f"{READ}&api_key=reject-rate_limited")) == limited
    assert response_body(post(server, SPOT)) == success(HELD)


# Requests: the status by default and under error_status 4xx, and status and code under
# error_codes measured.
STATUSES = [
    ("/nothing", 404, 404, 404, 404),
    (f"{PRIVATE}?command=x", 200, 404, 200, -103),
    (PRIVATE, 200, 404, 200, -103),
    (f"{READ}&a=1&a=2", 200, 400, 200, -3),
    (READ, 200, 401, 400, 904),
    (f"{READ}&api_key=test-key", 200, 401, 400, 904),
    (f"{READ}&api_key=test-key&sign=x", 200, 401, 200, 6000),
    (f"{READ}&api_key=x", 200, 401, 200, 1003),
    (f"{READ}&api_key=reject-revoked_credential", 200, 401, 200, 1003),
    (f"{READ}&api_key=reject-rate_limited", 200, 429, 200, 29001),
    (f"{READ}&api_key=reject-forbidden", 200, 403, 0, 0),
    (f"{READ}&api_key=reject-no_route", 404, 404, 0, 0),
    (f"{READ}&api_key=reject-bad_method", 405, 405, 0, 0),
    (f"{READ}&api_key=reject-too_large", 413, 413, 0, 0),
    (f"{READ}&api_key=reject-internal_error", 500, 500, 0, 0),
    (f"{READ}&api_key=reject-service_unavailable", 503, 503, 0, 0),
]


def test_a_quirk_gives_errors_a_status_of_their_own(server: MockServer) -> None:
    for target, default, own, *_ in STATUSES:
        bodies = set()
        for value, status in ("200", default), ("4xx", own):
            server.set_quirks({"coinw.error_status": value})
            answer = post(server, target)
            assert answer.startswith(f"HTTP/1.1 {status}\ncontent-type: application/json\n"), target
            assert server.journal[-1].status == status
            bodies.add(response_body(answer))
        assert len(bodies) == 1


@pytest.mark.parametrize("envelope", ["full", "documented"])
def test_the_codes_of_a_newer_client_are_a_quirk(server: MockServer, envelope: str) -> None:
    server.set_quirks({"coinw.error_codes": "measured", "coinw.error_envelope": envelope})
    for target, _, _, status, code in STATUSES[:10]:
        answer = post(server, target)
        body = json.loads(response_body(answer))
        assert (int(answer.split()[1]), body["code"]) == (status, code)
        assert len(body) == (5 if envelope == "full" else 2)
    assert response_body(post(server, SPOT)) == success(HELD)


# Worlds

WRONG_SECTIONS = [
    ("a venue", {"accounts": {"a": {"balances": [{"asset": "BTC", "venue": "X", "total": "1"}]}}}, "a spot account has no venues"),
    ("an unknown member", {"accounts": {"a": {"balances": [{"asset": "BTC", "total": "1", "name": "x"}]}}}, "unknown field `name`"),
    ("no secret", {"keys": {"main": {"api_key": "a", "account": "c"}}}, "missing required field `secret_key`"),
]  # fmt: skip


@each("section, message", WRONG_SECTIONS)
def test_a_wrong_section_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        worlds.from_data({"coinw": section}, "wrong")


def test_generated_rows_differ_in_scale_and_hold_together() -> None:
    section = {"accounts": {"a": {"generate": {"rows": 200}}}}
    world = worlds.from_data({PROVIDER.name: section}, "generated")
    generated: list[Any] = list(world.parts["coinw"].accounts["a"].rows.values())
    assert {-row.total.as_tuple().exponent for row in generated} == set(range(16))
    assert all(0 <= row.held <= row.total and row.venue == "" for row in generated)
    assert sum(row.held > 0 for row in generated) > 190
