"""CoinStats over a socket: who calls, the body of a balance call, and what is refused."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from contract_tests.providers.coinstats.calls import (
    BALANCE,
    HEADER,
    KEY,
    NOTHING,
    QUERY,
    SECRETS,
    STATUS_PATH,
    SUPPORT,
    TOKEN,
    USAGE,
    call,
    is_refused,
    posted,
    read,
)
from contract_tests.support.raw import get
from contract_tests.support.request_rows import Row, answered
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.errors import DataError
from mockserver.files import worlds
from mockserver.model.world import GeneratedAsset
from mockserver.providers.coinstats.world import sample

STRANGER = {"X-API-KEY": "nobody"}
MISSING, UNKNOWN = "missing_credential", "unknown_credential"


def called(headers: Mapping[str, str]) -> bytes:
    return posted(QUERY, dict(headers))


CREDENTIALS = [
    Row("a key", called(HEADER)),
    Row("a key, the header in small letters", called({"x-api-key": KEY})),
    Row("a key as Bearer", called({"Authorization": f"Bearer {KEY}"})),
    Row("a token as Bearer", called({"Authorization": f"Bearer {TOKEN}"})),
    Row("a token in the key's header", called({"X-API-KEY": TOKEN})),
    Row("Bearer in capitals", called({"AUTHORIZATION": f"BEARER {KEY}"})),
    Row("blanks round the token", called({"Authorization": f"Bearer   {KEY} "})),
    Row("the key's header counts first", called({"X-API-KEY": KEY, "Authorization": "Bearer no"})),
    Row("even when it is wrong", called(STRANGER | {"Authorization": f"Bearer {KEY}"}), UNKNOWN),
    Row("an empty one is none", called({"X-API-KEY": "", "Authorization": f"Bearer {KEY}"})),
    Row("the first of two keys, good", called({"X-API-KEY": KEY, "x-api-key": "no"})),
    Row("the first of two keys, wrong", called({"X-API-KEY": "no", "x-api-key": KEY}), UNKNOWN),
    Row("none", called({}), MISSING),
    Row("an empty one", called({"X-API-KEY": ""}), MISSING),
    Row("in the query", get(f"{SUPPORT}?X-API-KEY={KEY}", {}), MISSING, {"path": SUPPORT}),
    Row("Bearer and nothing", called({"Authorization": "Bearer "}), MISSING),
    Row("a token alone", called({"Authorization": KEY}), MISSING),
    Row("another scheme", called({"Authorization": f"Basic {KEY}"}), MISSING),
    Row("another header", called({"apikey": KEY}), MISSING),
    Row("a tab behind Bearer", called({"Authorization": f"Bearer\t{KEY}"}), MISSING),
    Row("a stranger", called(STRANGER), UNKNOWN),
    Row("a stranger's token", called({"Authorization": "Bearer nobody"}), UNKNOWN),
    Row("in another case", called({"X-API-KEY": KEY.upper()}), UNKNOWN),
    Row("an exchange's key", called({"X-API-KEY": SECRETS["apiKey"]}), UNKNOWN),
    Row("two tokens in one header", called({"Authorization": f"Bearer {KEY}, Bearer {KEY}"}), UNKNOWN),
    Row("60,000 signs", called({"X-API-KEY": "a" * 60_000}), UNKNOWN),
]  # fmt: skip
test_a_key_or_a_token_comes_in_either_header = answered("coinstats", CREDENTIALS)


# The order of the checks, and errors as bytes

WRONG_FIELDS = posted(QUERY | {"connectionFields": SECRETS | {"apiSecret": "wrong"}})
EXPIRED = "bad_exchange_credentials"
NO_READS, CREDITS = {"coinstats.reads": "0/60s"}, {"credits": "9"}
POOR = "Insufficient credits for this request"

CHECKS = [
    Row("the path before the key", get("/v2/exchange/balance", {}, "POST"), "no_route", {"path": "/v2/exchange/balance"}),
    Row("the method before the key", get(BALANCE, {}, "PUT"), "bad_method", allow="POST"),
    Row("the key before the limit", posted(b"[", STRANGER), UNKNOWN, limits=NO_READS),
    Row("the limit before the body", posted(b"["), "rate_limited", limits=NO_READS),
    Row("the body before the credits", posted(b"["), "bad_request", status=400, quirks=CREDITS),
    Row("the exchange before the credits", WRONG_FIELDS, EXPIRED, status=401, quirks=CREDITS),
    Row("the credits", posted(QUERY), "credits_exhausted", status=429, quirks=CREDITS),
    Row("a portfolio", get("/v1/exchange/status?portfolioId=no", HEADER), "not_found", {"path": "/v1/exchange/status"}),
    Row("a path with escapes, without its query", get("/%76%31/caf%C3%A9/%ff?a=b", HEADER), "no_route", {"path": "/%76%31/caf%C3%A9/%ff"}),
    Row("a path below a sandbox", get("/~default/%76%31/caf%C3%A9/%ff?a=b", HEADER), "no_route", {"path": "/%76%31/caf%C3%A9/%ff"}),
]  # fmt: skip
test_checks_come_in_order_and_errors_show_the_path_as_sent = answered("coinstats", CHECKS)


@each(
    "operation, method, target",
    [
        ("balance", "get-exchange-balance", "POST", BALANCE),
        ("exchanges", "get-exchanges", "GET", SUPPORT),
        ("status", "get-exchange-sync-status", "GET", STATUS_PATH),
        ("sync", "exchange-sync-status", "PATCH", STATUS_PATH.replace("status", "sync")),
        ("credits", "get-credit-usage", "GET", USAGE),
    ],
)
def test_every_operation_answers_with_and_without_its_version(
    server: MockServer, operation: str, method: str, target: str
) -> None:
    read(server)
    answers = [call(server, method, path, json=QUERY) for path in (target, target[3:])]
    assert [a.headers["content-type"] for a in answers] == ["application/json"] * 2
    assert answers[0].text == answers[1].text
    entries = server.journal[-2:]
    assert [(entry.status, entry.operation) for entry in entries] == [(200, operation)] * 2


def test_request_ids_differ_and_repeat_after_a_reset(server: MockServer) -> None:
    def ids(server: MockServer) -> list[str]:
        return [read(server, b"").json()["requestId"] for _ in range(3)]

    first = ids(server)
    server.reset()
    assert len(set(first)) == 3
    assert ids(server) == first
    with MockServer(seed=491) as other:
        assert not {*ids(other)} & {*first}


# The body of a balance call


def query(**members: str) -> bytes:
    """Writes a body that would be good, with members replaced by JSON texts."""
    good = {"connectionId": '"binance"', "connectionFields": json.dumps(SECRETS)}
    return ("{" + ",".join(f'"{k}":{v}' for k, v in (good | members).items()) + "}").encode()


FIRST, SECOND = (json.dumps(SECRETS[key]) for key in SECRETS)
NO_MEMBER = ""
BROKEN = [
    ("nothing", b"", NO_MEMBER),
    ("half", query()[:-1], NO_MEMBER),
    ("more behind it", query() + b"}", NO_MEMBER),
    ("a list", b"[" + query() + b"]", NO_MEMBER),
    ("a form", b"connectionId=binance", NO_MEMBER),
    ("no UTF-8", query(name='"\xff"').decode().encode("latin-1"), NO_MEMBER),
    ("a mark before it", b"\xef\xbb\xbf" + query(), NO_MEMBER),
    ("a control character", query(name='"a\nb"'), NO_MEMBER),
    ("no number", query(more="NaN"), NO_MEMBER),
    ("5,000 digits", query(more="1" * 5000), NO_MEMBER),
    ("500,000 lists", query(more="[" * 500_000 + "]" * 500_000), NO_MEMBER),
    ("a member twice, once escaped", query()[:-1] + b',"\\u006eame":"a","name":"a"}', NO_MEMBER),
    ("a field twice", query(connectionFields=f'{{"apiKey":{FIRST},"apiKey":{FIRST},"apiSecret":{SECOND}}}'), NO_MEMBER),
    ("no member", b"{}", "connectionId"),
    ("no connectionFields", b'{"connectionId":"binance"}', "connectionFields"),
    ("connectionId in another case", b'{"connectionid":"binance"}', "connectionId"),
    ("a number", query(connectionId="1e999"), "connectionId"),
    ("half a pair", query(connectionId='"\\ud800"'), "connectionId"),
    ("an empty one", query(connectionId='""'), "connectionId"),
    ("an exchange in capitals", query(connectionId='"Binance"'), "connectionId"),
    ("fields of null", query(connectionFields="null"), "connectionFields"),
    ("fields in a list", query(connectionFields="[]"), "connectionFields"),
    ("no field", query(connectionFields="{}"), "connectionFields.apiKey"),
    ("an empty apiSecret", query(connectionFields=f'{{"apiKey":{FIRST},"apiSecret":""}}'), "connectionFields.apiSecret"),
    ("an apiKey of 7", query(connectionFields='{"apiKey":7}'), "connectionFields.apiKey"),
    ("half a pair in apiKey", query(connectionFields='{"apiKey":"\\udfff"}'), "connectionFields.apiKey"),
    ("a passphrase of null", query(connectionFields='{"passphrase":null}'), "connectionFields.passphrase"),
    ("a stranger of 7", query(connectionFields='{"hush":7}'), "connectionFields"),
    ("no passphrase for okx", query(connectionId='"okx"'), "connectionFields.passphrase"),
    ("a name of 7", query(name="7"), "name"),
    ("a name of null", query(name="null"), "name"),
    ("half a pair in the name", query(name='"\\ud800"'), "name"),
    ("the first of several", query(connectionId="7", connectionFields="7", name="7"), "connectionId"),
    ("the second of several", query(connectionId='"no"', connectionFields="7", name="7"), "connectionFields"),
]  # fmt: skip


@each("body, member", BROKEN)
def test_a_wrong_body_is_a_400_that_names_the_member_and_changes_nothing(
    server: MockServer, body: bytes, member: str
) -> None:
    message = f"Invalid parameter: {member}" if member else "Bad Request"
    is_refused(read(server, body), 400, message)
    assert server.app.sandboxes.default.states["coinstats"].ledger.records == {}


FURTHER = json.dumps(SECRETS | {"passphrase": "x", "more": ""})
GOOD = [
    ("members that nobody knows", query(more='{"connectionId":[1e999,null]}'), None),
    ("a field that the exchange does not need", query(connectionFields=FURTHER), None),
    ("an empty name", query(name='""'), ""),
    ("a name beyond ASCII", query(name='"Bö\\u00f6rse \\ud83d\\ude00"'), "Böörse 😀"),
    ("blanks around", b" \r\n\t" + query() + b"\n", None),
]


@each("body, name", GOOD)
def test_a_body_is_read_whatever_it_is_called(
    server: MockServer, body: bytes, name: str | None
) -> None:
    for media_type in ("application/json", "text/plain", None):
        answer = read(server, body, HEADER | {"Content-Type": media_type})
        assert (answer.status_code, answer.json()["portfolio"].get("name")) == (200, name)
        server.reset()


STRANGERS = [
    Row("not connected", posted(query(connectionId='"bybit"')), EXPIRED),
    Row("those of another exchange", posted(query(connectionId='"coinbase"')), EXPIRED),
    Row("a byte more", posted(query(connectionFields=json.dumps(SECRETS | {"apiSecret": SECRETS["apiSecret"] + "x"}))), EXPIRED),
    Row("the two swapped", posted(query(connectionFields=f'{{"apiKey":{SECOND},"apiSecret":{FIRST}}}')), EXPIRED),
    Row("beside a key that is wrong", posted(query(connectionId='"bybit"'), STRANGER), UNKNOWN),
]  # fmt: skip
test_exchange_credentials_of_no_connection_are_a_401_with_its_own_message = answered(
    "coinstats", STRANGERS
)


# Exchanges


def test_the_list_of_exchanges_says_what_a_balance_call_needs(server: MockServer) -> None:
    listed = call(server, "GET", SUPPORT).json()
    pair = [{"name": "API Key", "key": "apiKey"}, {"name": "API Secret", "key": "apiSecret"}]
    triple = [*pair, {"name": "Passphrase", "key": "passphrase"}]
    assert {e["connectionId"]: e["connectionFields"] for e in listed} == {
        "binance": pair, "coinbase": pair, "bybit": pair, "okx": triple, "kucoin": triple,
        "bitget": triple, "kraken": pair,
    }  # fmt: skip
    assert list(listed[0]) == ["connectionId", "name", "icon", "connectionFields"]
    assert listed[0]["name"] == "Binance"
    for exchange in listed:
        id, keys = exchange["connectionId"], [f["key"] for f in exchange["connectionFields"]]
        folder = "https://static.coinstats.app/portfolio_images"
        assert exchange["icon"] == f"{folder}/{id}_dark.png"
        stranger = dict.fromkeys(keys, "unknown")
        sent = {"connectionId": id, "connectionFields": stranger}
        is_refused(read(server, sent), 401, "Exchange credentials expired")
        for key in keys:
            without = {name: stranger[name] for name in keys if name != key}
            for fields in (without, without | {key: ""}):
                answer = read(server, sent | {"connectionFields": fields})
                is_refused(answer, 400, f"Invalid parameter: connectionFields.{key}")


KRAKEN = {"first": {"apiKey": "k1", "apiSecret": "s1"}, "second": {"apiKey": "k2", "apiSecret": "s2"}}  # fmt: skip
WORLD: dict[str, Any] = {
    "keys": {
        "main": {"api_key": "k", "account": "a"},
        "other": {"api_key": "o", "account": "b"},
    },
    "accounts": {
        "a": {
            "connections": {
                **{name: {"exchange": "kraken", "fields": KRAKEN[name]} for name in KRAKEN},
                "okx": {"fields": {"apiKey": "k", "apiSecret": "s", "passphrase": "p"}},
            },
            "balances": [
                {"asset": "one", "venue": "first", "total": "1", "held": "1"},
                {"asset": "two", "venue": "second", "total": "2", "held": "0.5"},
                {"asset": "one", "venue": "second", "total": "0.00"},
            ],
        },
        "b": {"connections": {"kraken": {"fields": KRAKEN["first"]}}},
    },
}


def test_each_of_two_connections_to_one_exchange_has_its_own_rows_and_portfolio() -> None:
    def coins(key: str, exchange: str, fields: Any) -> tuple[str, dict[str, str]]:
        body = {"connectionId": exchange, "connectionFields": fields}
        balances, portfolio = read(server, body, {"X-API-KEY": key}).text.split(',"portfolio":')
        return balances, json.loads(portfolio[:-1])

    okx = WORLD["accounts"]["a"]["connections"]["okx"]["fields"]
    world = worlds.from_data({"coinstats": WORLD}, "small")
    with MockServer(world) as server:
        assert server.coinstats.credentials["connection_fields"] == KRAKEN["first"]
        reads = [("k", "kraken", KRAKEN["first"]), ("k", "kraken", KRAKEN["second"]), ("o", "kraken", KRAKEN["first"]), ("k", "okx", okx)]  # fmt: skip
        balances, portfolios = zip(*(coins(*each) for each in reads), strict=True)
        assert balances == (
            '{"balances":[{"coinId":"one","amount":1,"price":0,"priceBtc":0}]',
            '{"balances":[{"coinId":"two","amount":2,"price":0,"priceBtc":0},{"coinId":"one","amount":0.00,"price":0,"priceBtc":0}]',
            '{"balances":[]',
            '{"balances":[]',
        )
        assert [p["connectionId"] for p in portfolios] == ["kraken"] * 3 + ["okx"]
        ids = [p["id"] for p in portfolios]
        assert len(set(ids)) == 4
        assert all(len(id) == 64 and set(id) <= set("0123456789abcdef") for id in ids)
        for _ in range(2):
            assert coins(*reads[0])[1]["id"] == ids[0]
            server.reset()
    with MockServer(world, seed=491) as server:
        assert coins(*reads[0])[1]["id"] not in ids


def test_an_account_without_coins_gets_an_empty_list(server: MockServer) -> None:
    answer = read(server, NOTHING)
    assert (answer.status_code, answer.json()["balances"]) == (200, [])
    assert answer.json()["portfolio"]["connectionId"] == "coinbase"


def test_a_row_that_control_sets_is_shown(server: MockServer) -> None:
    server.coinstats.set_balance("main", "popcat", "binance", total="7.50", held="1")
    server.coinstats.set_balance("main", "FiatCoinUSD", "binance", total="12.30")
    server.coinstats.set_balance("main", "new", "binance", total="0")
    text = read(server).text
    for coin in (
        '{"coinId":"popcat","amount":7.50,"price":0.25946,"priceBtc":0.0000023571544854315866}',
        '{"coinId":"FiatCoinUSD","amount":12.30,',
        '{"coinId":"new","amount":0,"price":0,"priceBtc":0}]',
    ):
        assert coin in text


def test_numbers_may_come_with_an_exponent_and_keep_every_digit(server: MockServer) -> None:
    server.set_quirks({"coinstats.numbers": "exponent"})
    server.coinstats.set_balance("main", "nothing", "binance", total="0.00")
    text = read(server).text
    assert text.partition(',"portfolio"')[0] == (
        '{"balances":['
        '{"coinId":"popcat","amount":3.42E-3,"price":2.5946E-1,"priceBtc":2.3571544854315866E-6},'
        '{"coinId":"bitcoin","amount":5.0000000E-1,"price":1.0108216E+5,"priceBtc":1E+0},'
        '{"coinId":"ethereum","amount":1.2345678901234567891E+1,"price":3.30177E+3,"priceBtc":3.2664221262941E-2},'
        '{"coinId":"shiba-inu","amount":9.007199254740993E+15,"price":2.3E-7,"priceBtc":2.2753768E-12},'
        '{"coinId":"nothing","amount":0E-2,"price":0E+0,"priceBtc":0E+0}]'
    )
    json.loads(text)


# Errors under quirks and rules

BAD_FIELDS = posted(QUERY | {"connectionFields": {"apiKey": "a", "apiSecret": "b"}})
OBSERVED = (
    "Your API Key is invalid. "
    "Please login to https://openapi.coinstats.app and generate your API Key."
)
INVALID = "Invalid exchange credentials"

BY_QUIRK = [
    ("exchange credentials, 400", {"bad_exchange_credentials": "400"}, BAD_FIELDS, 400, INVALID),
    ("exchange credentials, 401", {"bad_exchange_credentials": "401"}, BAD_FIELDS, 401, "Exchange credentials expired"),
    ("exchange credentials, 403", {"bad_exchange_credentials": "403"}, BAD_FIELDS, 403, INVALID),
    ("a key that has them, 403", {"bad_exchange_credentials": "403"}, called({"X-API-KEY": "reject-bad_exchange_credentials"}), 403, INVALID),
    ("no key, as observed", {"key_error_text": "observed"}, called({}), 401, OBSERVED),
    ("a wrong key, as observed", {"key_error_text": "observed"}, called(STRANGER), 401, OBSERVED),
    ("the exchange's, beside that", {"key_error_text": "observed"}, BAD_FIELDS, 401, "Exchange credentials expired"),
    ("too few credits, 429", CREDITS | {"credits_exhausted": "429"}, posted(QUERY), 429, POOR),
    ("too few credits, 406", CREDITS | {"credits_exhausted": "406"}, posted(QUERY), 406, POOR),
]  # fmt: skip
test_a_quirk_gives_an_error_another_status_or_text = answered(
    "coinstats",
    [
        Row(about, request, None, {"statusCode": status, "message": message}, quirks=quirks, status=status)
        for about, quirks, request, status, message in BY_QUIRK
    ],
)  # fmt: skip

# A reject and its variant, and the status and message that it has.
BY_RULE = [
    ({"reject": "payment_required"}, 402, "Payment Required"),
    ({"reject": "forbidden"}, 403, "Forbidden"),
    ({"reject": "not_synced"}, 409, "Transactions not synced"),
    ({"reject": "credits_exhausted", "variant": "406"}, 406, POOR),
    ({"reject": "rate_limited"}, 429, "Rate limit exceeded"),
    ({"reject": "internal_error"}, 500, "Internal Server Error"),
    ({"reject": "not_implemented"}, 501, "Not Implemented"),
    ({"reject": "unknown_credential", "variant": "observed"}, 401, OBSERVED),
    ({"reject": "bad_exchange_credentials", "variant": "403"}, 403, INVALID),
]


def test_a_rule_gives_the_statuses_that_the_official_client_knows(server: MockServer) -> None:
    for answer, status, message in BY_RULE:
        server.coinstats.fail("it", **answer)
        is_refused(read(server), status, message)


# By reason: the status, the text under error ("" where there is none) and the message.
LEGACY = {
    "bad_request": (400, "Bad Request", "Bad Request"),
    "bad_exchange_credentials": (401, "Unauthorized", "Exchange credentials expired"),
    "missing_credential": (401, "Unauthorized", "Unauthorized"),
    "unknown_credential": (401, "Unauthorized", "Unauthorized"),
    "revoked_credential": (401, "Unauthorized", "Unauthorized"),
    "payment_required": (402, "Payment Required", "Payment Required"),
    "forbidden": (403, "Forbidden", "Forbidden"),
    "not_found": (404, "Not Found", "Not Found"),
    "no_route": (404, "Not Found", "Not Found"),
    "bad_method": (405, "Method Not Allowed", "Method Not Allowed"),
    "not_synced": (409, "", "Transactions not synced"),
    "too_large": (413, "Payload Too Large", "Payload Too Large"),
    "rate_limited": (429, "Rate limit exceeded", "Rate limit exceeded"),
    "credits_exhausted": (429, "Rate limit exceeded", POOR),
    "internal_error": (500, "Internal Server Error", "Internal Server Error"),
    "not_implemented": (501, "Not Implemented", "Not Implemented"),
    "service_unavailable": (503, "Service Unavailable", "Service Unavailable. Please Contact Support"),
}  # fmt: skip


def test_errors_may_have_the_older_shape(server: MockServer) -> None:
    assert LEGACY.keys() == server.coinstats.provider.errors.keys()
    server.set_quirks({"coinstats.error_shape": "legacy"})
    for reason, (status, error, message) in LEGACY.items():
        answer = read(server, headers={"X-API-KEY": f"reject-{reason}"})
        members = {"error": error, "message": message} if error else {"message": message}
        assert answer.status_code == status
        assert answer.text == json.dumps(members, separators=(",", ":"))
    named = read(server, b"{}")
    assert named.text == '{"error":"Bad Request","message":"Invalid parameter: connectionId"}'


# Worlds

PAIR = {"apiKey": "k", "apiSecret": "s"}
WRONG_ACCOUNTS = [
    ("no such exchange", {"connections": {"mtgox": {"fields": {}}}}, "connection mtgox: no exchange 'mtgox'"),
    ("a field missing", {"connections": {"mine": {"exchange": "okx", "fields": PAIR}}}, "connection mine: okx needs the field passphrase"),
    ("an empty field", {"connections": {"kraken": {"fields": PAIR | {"apiSecret": ""}}}}, "kraken needs the field apiSecret"),
    ("a row elsewhere", {"balances": [{"asset": "x", "venue": "y", "total": "1"}]}, "'y', which is no connection"),
    ("a negative price", {"balances": [{"asset": "x", "total": "1", "price": "-1"}]}, "never negative"),
    ("a negative price in BTC", {"balances": [{"asset": "x", "total": "1", "price_btc": "-1"}]}, "never negative"),
    ("one portfolio twice", {"connections": {id: {"portfolio": "p", "fields": PAIR} for id in ("kraken", "bybit")}}, "the same portfolio"),
]  # fmt: skip


@each("account, message", WRONG_ACCOUNTS)
def test_a_wrong_account_is_refused(account: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        worlds.from_data({"coinstats": {"accounts": {"a": account}}}, "wrong")
    assert error.value.path[:3] == ("coinstats", "accounts", "a")


def test_a_sample_is_exact_and_named_like_a_slug() -> None:
    digest = bytes.fromhex("00000002540be4010203000000000001")
    row = sample(0, digest, GeneratedAsset("SHIB", "Shiba Inu"))
    assert (row.asset, row.venue) == ("shiba-inu", "binance")
    amounts = [f"{amount:f}" for amount in (row.total, row.price, row.price_btc)]
    assert amounts == ["1.0000000001", "2.003", "0.000000000000000001"]
