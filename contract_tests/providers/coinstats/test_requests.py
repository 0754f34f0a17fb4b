"""CoinStats: what is special to it, over a socket."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contract_tests.providers.coinstats.calls import (
    BALANCE,
    HEADER,
    KEY,
    QUERY,
    SECRETS,
    SUPPORT,
    TOKEN,
    USAGE,
    call,
    is_refused,
    posted,
    read,
    spent,
)
from contract_tests.support.fixture_rows import masked, rows
from contract_tests.support.raw import exchange, get, without_noise
from mockserver import HandClock, MockServer
from mockserver.files import lookup as files
from mockserver.files import worlds
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import GeneratedAsset
from mockserver.providers.coinstats.world import holder, sample

NOTHING = {
    "connectionId": "coinbase",
    "connectionFields": {"apiKey": "empty-key", "apiSecret": "empty-secret"},
}
STATUS, SYNC = "/v1/exchange/status?portfolioId={}", "/v1/exchange/sync?portfolioId={}"
ID = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"


@pytest.fixture
def frozen(server: MockServer) -> Iterator[MockServer]:
    """The same, while its clock stands still."""
    server.clock.freeze()
    yield server
    server.clock.freeze(frozen=False)


def status(server: MockServer, id: str = ID, headers: Any = HEADER) -> Any:
    return call(server, "GET", STATUS.format(id), headers).json().get("status")


# Who calls

CREDENTIALS = [
    ("a key", {"X-API-KEY": KEY}, ""),
    ("a key, the header in small letters", {"x-api-key": KEY}, ""),
    ("a key as Bearer", {"Authorization": f"Bearer {KEY}"}, ""),
    ("a token as Bearer", {"Authorization": f"Bearer {TOKEN}"}, ""),
    ("a token in the key's header", {"X-API-KEY": TOKEN}, ""),
    ("bearer in small letters", {"Authorization": f"bearer {KEY}"}, ""),
    ("blanks round the token", {"Authorization": f"Bearer   {KEY}"}, ""),
    ("the key's header counts first", {"X-API-KEY": KEY, "Authorization": "Bearer no"}, ""),
    ("even when it is wrong", {"X-API-KEY": "no", "Authorization": f"Bearer {KEY}"}, "unknown_credential"),
    ("an empty one is none", {"X-API-KEY": "", "Authorization": f"Bearer {KEY}"}, ""),
    ("none", {}, "missing_credential"),
    ("an empty one", {"X-API-KEY": ""}, "missing_credential"),
    ("Bearer and nothing", {"Authorization": "Bearer "}, "missing_credential"),
    ("a token alone", {"Authorization": KEY}, "missing_credential"),
    ("another scheme", {"Authorization": f"Basic {KEY}"}, "missing_credential"),
    ("another header", {"apikey": KEY}, "missing_credential"),
    ("a stranger", {"X-API-KEY": "nobody"}, "unknown_credential"),
    ("a stranger's token", {"Authorization": "Bearer nobody"}, "unknown_credential"),
    ("in another case", {"X-API-KEY": KEY.upper()}, "unknown_credential"),
    ("a byte more", {"X-API-KEY": KEY + "x"}, "unknown_credential"),
    ("an exchange's key", {"X-API-KEY": SECRETS["apiKey"]}, "unknown_credential"),
    ("Bearer in capitals", {"AUTHORIZATION": f"BEARER {KEY}"}, ""),
    ("a tab behind Bearer", {"Authorization": f"Bearer\t{KEY}"}, "missing_credential"),
    ("two tokens in one header", {"Authorization": f"Bearer {KEY}, Bearer {KEY}"}, "unknown_credential"),
    ("60,000 signs", {"X-API-KEY": "a" * 60_000}, "unknown_credential"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "headers", "reason"), CREDENTIALS, ids=[c[0] for c in CREDENTIALS]
)
def test_a_key_or_a_token_comes_in_either_header(
    server: MockServer, about: str, headers: dict[str, str], reason: str
) -> None:
    answer = read(server, headers=headers)
    assert server.journal[-1].reason == reason
    if reason:
        is_refused(answer, 401, "Unauthorized")
    else:
        assert answer.status_code == 200


def test_a_key_in_the_query_is_none(server: MockServer) -> None:
    is_refused(call(server, "GET", f"{SUPPORT}?X-API-KEY={KEY}", {}), 401, "Unauthorized", SUPPORT)


WORLD = """
coinstats:
  keys:
    main: {api_key: k, account: a}
    old: {api_key: old, account: a, revoked: true}
    other: {api_key: o, account: b}
  accounts:
    a:
      connections:
        first: {exchange: kraken, fields: {apiKey: k1, apiSecret: s1}}
        second: {exchange: kraken, fields: {apiKey: k2, apiSecret: s2}}
        okx: {fields: {apiKey: k, apiSecret: s, passphrase: p}}
      balances:
        - {asset: one, venue: first, total: "1", held: "1"}
        - {asset: two, venue: second, total: "2", held: "0.5"}
        - {asset: one, venue: second, total: "0.00"}
    b: {connections: {kraken: {fields: {apiKey: k1, apiSecret: s1}}}}
"""


@pytest.fixture
def world(tmp_path: Path) -> str:
    file = tmp_path / "world.yaml"
    file.write_text(WORLD)
    return str(file)


def test_a_revoked_key_is_answered_as_a_wrong_one(world: str) -> None:
    with MockServer(world) as server:
        is_refused(read(server, headers={"X-API-KEY": "old"}), 401, "Unauthorized")
        entry = server.journal[-1]
        assert (entry.credential, entry.status, entry.reason) == ("old", 401, "revoked_credential")


# Where, and in which order

OPERATIONS = [
    ("get-exchange-balance", "POST", BALANCE, "POST"),
    ("get-exchanges", "GET", SUPPORT, "GET"),
    ("get-exchange-sync-status", "GET", STATUS.format(ID), "GET"),
    ("exchange-sync-status", "PATCH", SYNC.format(ID), "PATCH"),
    ("get-credit-usage", "GET", USAGE, "GET"),
]


@pytest.mark.parametrize(("operation", "method", "target", "allow"), OPERATIONS)
def test_every_operation_answers_with_and_without_its_version(
    server: MockServer, operation: str, method: str, target: str, allow: str
) -> None:
    read(server)
    bodies = set()
    for path in (target, target.removeprefix("/v1")):
        answer = call(server, method, path, json=QUERY)
        entry = server.journal[-1]
        assert (answer.status_code, entry.operation) == (200, operation)
        assert answer.headers["content-type"] == "application/json"
        bodies.add(answer.text)
        refused = call(server, "DELETE", path)
        is_refused(refused, 405, "Method Not Allowed", path.partition("?")[0])
        assert refused.headers["allow"] == allow
    assert len(bodies) == 1


CAUSED = {
    "no_route": get("/v2/exchange/balance", HEADER, "POST"),
    "too_large": posted(b" " * (1024 * 1024 + 1)),
    "bad_request": posted(b"[]"),
    "bad_exchange_credentials": posted(QUERY | {"connectionFields": SECRETS | {"apiKey": "other"}}),
    "missing_credential": posted(QUERY, {}),
    "unknown_credential": posted(QUERY, {"X-API-KEY": "nobody"}),
    "not_found": get("/v1/exchange/status?portfolioId=no", HEADER),
    "bad_method": get(BALANCE, HEADER, "PUT"),
}
PATHS = {"no_route": "/v2/exchange/balance", "not_found": "/v1/exchange/status"}


@pytest.mark.parametrize("reason", CAUSED)
def test_what_a_client_can_cause_is_answered_byte_for_byte(server: MockServer, reason: str) -> None:
    head, _, body = rows("coinstats", "errors")[reason].partition("\n\n")
    body = body.replace(BALANCE, PATHS.get(reason, BALANCE))
    *lines, _ = head.split("\n")
    lines += ["allow: POST"] * (reason == "bad_method") + [f"content-length: {len(body)}"]
    lines += ["connection: close"] * (reason == "too_large")
    answer = exchange(server.coinstats.base_url, CAUSED[reason])
    assert masked(without_noise(answer)) == "\n".join([*lines, "", body])
    assert server.journal[-1].reason == reason


def test_an_error_tells_the_path_as_it_was_sent_without_the_query(server: MockServer) -> None:
    path = "/%76%31/caf%C3%A9/%ff"
    for front in ("", "/~default"):
        answer = exchange(server.coinstats.base_url, get(f"{front}{path}?a=b", HEADER))
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["path"] == path


WRONG_PATHS = [
    "/v1/exchange/balance/",
    "//v1/exchange/balance",
    "/v1//exchange/balance",
    "/v2/exchange/balance",
    "/V1/exchange/balance",
    "/v1/v1/exchange/balance",
    "/v1/exchange/Balance",
    "/v1/exchange/balance%20",
    "/v1/exchange/balance%3Fa",
    "/v1/exchange",
    "/v1",
    "/",
]


@pytest.mark.parametrize("path", WRONG_PATHS)
def test_a_path_that_is_not_quite_one_is_a_404(server: MockServer, path: str) -> None:
    answer = exchange(server.coinstats.base_url, get(path, HEADER, "POST", query()))
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert (body["statusCode"], body["message"], body["path"]) == (404, "Not Found", path)


@pytest.mark.parametrize(
    ("first", "second", "reason"), [(KEY, "no", ""), ("no", KEY, "unknown_credential")]
)
def test_of_two_keys_the_first_counts(
    server: MockServer, first: str, second: str, reason: str
) -> None:
    exchange(server.coinstats.base_url, posted(QUERY, {"X-API-KEY": first, "x-api-key": second}))
    assert server.journal[-1].reason == reason


def test_a_body_may_come_in_chunks(server: MockServer) -> None:
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in query(name='"a"'))
    head = get(BALANCE, HEADER | {"Transfer-Encoding": "chunked"}, "POST")
    answer = exchange(server.coinstats.base_url, head + parts + b"0\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["portfolio"] == {
        "id": ID, "status": "syncing", "connectionId": "binance", "name": "a",
    }  # fmt: skip


def test_request_ids_differ_and_repeat_after_a_reset(server: MockServer) -> None:
    def ids() -> list[str]:
        return [read(server, b"").json()["requestId"] for _ in range(3)]

    first = ids()
    server.reset()
    assert len(set(first)) == 3
    assert ids() == first
    with MockServer(seed=491) as other:
        assert read(other, b"").json()["requestId"] not in first


def test_checks_come_in_their_order() -> None:
    quirks = {"coinstats.credits": "9"}
    wrong = QUERY | {"connectionFields": SECRETS | {"apiSecret": "wrong"}}
    with MockServer(quirks=quirks, limits={"coinstats.reads": "0/60s"}) as server:
        assert read(server, b"[", {"X-API-KEY": "nobody"}).status_code == 401, "the key first"
        is_refused(read(server, b"["), 429, "Rate limit exceeded")
    with MockServer(quirks=quirks) as server:
        is_refused(read(server, b"["), 400, "Bad Request")
        is_refused(read(server, wrong), 401, "Exchange credentials expired")
        is_refused(read(server), 429, "Insufficient credits for this request")


# The body


def query(**members: str) -> bytes:
    """Writes a body that would be good, with members replaced by JSON texts."""
    good = {"connectionId": '"binance"', "connectionFields": json.dumps(SECRETS)}
    return ("{" + ",".join(f'"{k}":{v}' for k, v in (good | members).items()) + "}").encode()


FIRST, SECOND = (json.dumps(SECRETS[key]) for key in SECRETS)
INVALID = "Invalid parameter: "
BROKEN = [
    ("nothing", b"", "Bad Request"),
    ("blanks", b"  ", "Bad Request"),
    ("half", query()[:-1], "Bad Request"),
    ("more behind it", query() + b"}", "Bad Request"),
    ("a list", b"[" + query() + b"]", "Bad Request"),
    ("null", b"null", "Bad Request"),
    ("a text", b'"binance"', "Bad Request"),
    ("a form", b"connectionId=binance", "Bad Request"),
    ("no UTF-8", query(name='"\xff"').decode().encode("latin-1"), "Bad Request"),
    ("UTF-16", query().decode().encode("utf-16"), "Bad Request"),
    ("a mark before it", b"\xef\xbb\xbf" + query(), "Bad Request"),
    ("a control character", query(name='"a\nb"'), "Bad Request"),
    ("no number", query(more="NaN"), "Bad Request"),
    ("infinity", query(more="-Infinity"), "Bad Request"),
    ("5,000 digits", query(more="1" * 5000), "Bad Request"),
    ("500,000 lists", query(more="[" * 500_000 + "]" * 500_000), "Bad Request"),
    ("100,000 objects", query(more='{"a":' * 100_000 + "1" + "}" * 100_000), "Bad Request"),
    ("a member twice", query()[:-1] + b',"connectionId":"binance"}', "Bad Request"),
    ("a member twice, once escaped", query()[:-1] + b',"\\u006eame":"a","name":"a"}', "Bad Request"),
    ("a field twice", query(connectionFields=f'{{"apiKey":{FIRST},"apiKey":{FIRST},"apiSecret":{SECOND}}}'), "Bad Request"),
    ("no member", b"{}", INVALID + "connectionId"),
    ("no connectionId", b'{"connectionFields":{}}', INVALID + "connectionId"),
    ("no connectionFields", b'{"connectionId":"binance"}', INVALID + "connectionFields"),
    ("connectionId in another case", b'{"connectionid":"binance"}', INVALID + "connectionId"),
    ("a number", query(connectionId="7"), INVALID + "connectionId"),
    ("a large number", query(connectionId="1e999"), INVALID + "connectionId"),
    ("a null", query(connectionId="null"), INVALID + "connectionId"),
    ("half a pair", query(connectionId='"\\ud800"'), INVALID + "connectionId"),
    ("an empty one", query(connectionId='""'), INVALID + "connectionId"),
    ("no such exchange", query(connectionId='"mtgox"'), INVALID + "connectionId"),
    ("an exchange in capitals", query(connectionId='"Binance"'), INVALID + "connectionId"),
    ("fields of null", query(connectionFields="null"), INVALID + "connectionFields"),
    ("fields in a list", query(connectionFields="[]"), INVALID + "connectionFields"),
    ("fields as text", query(connectionFields='"apiKey"'), INVALID + "connectionFields"),
    ("no field", query(connectionFields="{}"), INVALID + "connectionFields.apiKey"),
    ("no apiSecret", query(connectionFields=f'{{"apiKey":{FIRST}}}'), INVALID + "connectionFields.apiSecret"),
    ("an empty apiSecret", query(connectionFields=f'{{"apiKey":{FIRST},"apiSecret":""}}'), INVALID + "connectionFields.apiSecret"),
    ("an apiKey of 7", query(connectionFields='{"apiKey":7}'), INVALID + "connectionFields.apiKey"),
    ("half a pair in apiKey", query(connectionFields='{"apiKey":"\\udfff"}'), INVALID + "connectionFields.apiKey"),
    ("a passphrase of null", query(connectionFields='{"passphrase":null}'), INVALID + "connectionFields.passphrase"),
    ("a stranger of 7", query(connectionFields='{"hush":7}'), INVALID + "connectionFields"),
    ("no passphrase for okx", query(connectionId='"okx"'), INVALID + "connectionFields.passphrase"),
    ("no passphrase for kucoin", query(connectionId='"kucoin"'), INVALID + "connectionFields.passphrase"),
    ("no passphrase for bitget", query(connectionId='"bitget"'), INVALID + "connectionFields.passphrase"),
    ("a name of 7", query(name="7"), INVALID + "name"),
    ("a name of null", query(name="null"), INVALID + "name"),
    ("half a pair in the name", query(name='"\\ud800"'), INVALID + "name"),
    ("the first of several", query(connectionId="7", connectionFields="7", name="7"), INVALID + "connectionId"),
    ("the second of several", query(connectionId='"no"', connectionFields="7", name="7"), INVALID + "connectionFields"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "body", "message"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_wrong_body_is_a_400_that_names_the_member_and_changes_nothing(
    server: MockServer, about: str, body: bytes, message: str
) -> None:
    is_refused(read(server, body), 400, message)
    assert server.app.sandboxes.default.states["coinstats"].ledger.records == {}


GOOD = [
    ("another order", query(name='"a"')[:-1] + b"}", "a"),
    ("members that nobody knows", query(more='{"connectionId":[1e999,null]}'), None),
    ("a field that the exchange does not need", query(connectionFields=json.dumps(SECRETS | {"passphrase": "x", "more": ""})), None),
    ("an empty name", query(name='""'), ""),
    ("a name beyond ASCII", query(name='"Bö\\u00f6rse \\ud83d\\ude00"'), "Böörse 😀"),
    ("blanks around", b" \r\n\t" + query() + b"\n", None),
]  # fmt: skip


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", None])
@pytest.mark.parametrize(("about", "body", "name"), GOOD, ids=[g[0] for g in GOOD])
def test_a_body_is_read_whatever_it_is_called(
    server: MockServer, about: str, body: bytes, name: str | None, media_type: str | None
) -> None:
    answer = read(server, body, HEADER | {"Content-Type": media_type})
    assert (answer.status_code, answer.json()["portfolio"].get("name")) == (200, name)


def test_each_of_two_connections_to_one_exchange_has_its_own_rows_and_portfolio(world: str) -> None:
    def coins(key: str, exchange: str = "kraken", **fields: str) -> tuple[str, dict[str, str]]:
        body = {"connectionId": exchange, "connectionFields": fields}
        answer = read(server, body, {"X-API-KEY": key})
        balances, portfolio = answer.text.split(',"portfolio":')
        return balances, json.loads(portfolio[:-1])

    with MockServer(world) as server:
        first, one = coins("k", apiKey="k1", apiSecret="s1")
        second, two = coins("k", apiKey="k2", apiSecret="s2")
        third, other = coins("o", apiKey="k1", apiSecret="s1")
        fourth, okx = coins("k", "okx", apiKey="k", apiSecret="s", passphrase="p")
        assert first == '{"balances":[{"coinId":"one","amount":1,"price":0,"priceBtc":0}]'
        assert second == (
            '{"balances":[{"coinId":"two","amount":2,"price":0,"priceBtc":0},'
            '{"coinId":"one","amount":0.00,"price":0,"priceBtc":0}]'
        )
        assert third == fourth == '{"balances":[]'
        assert [p["connectionId"] for p in (one, two, other, okx)] == ["kraken"] * 3 + ["okx"]
        ids = [p["id"] for p in (one, two, other, okx)]
        assert len(set(ids)) == 4
        assert all(len(id) == 64 and set(id) <= set("0123456789abcdef") for id in ids)
        assert coins("k", apiKey="k1", apiSecret="s1")[1]["id"] == ids[0]
        server.reset()
        assert coins("k", apiKey="k1", apiSecret="s1")[1]["id"] == ids[0]
    with MockServer(world, seed=491) as server:
        assert coins("k", apiKey="k1", apiSecret="s1")[1]["id"] not in ids


def test_a_key_is_told_with_the_first_connection_of_its_account(
    server: MockServer, world: str
) -> None:
    assert server.coinstats.credentials == {
        "api_key": KEY, "connection_id": "binance", "connection_fields": SECRETS,
    }  # fmt: skip
    credential = worlds.load(world).parts["coinstats"].credentials[b"k"]
    assert (credential.connection_id, credential.connection_fields) == (
        "kraken",
        {"apiKey": "k1", "apiSecret": "s1"},
    )


def test_an_account_without_coins_gets_an_empty_list(server: MockServer) -> None:
    answer = read(server, NOTHING)
    assert (answer.status_code, answer.json()["balances"]) == (200, [])
    assert answer.json()["portfolio"]["connectionId"] == "coinbase"


def test_a_row_that_control_sets_is_shown(server: MockServer) -> None:
    server.coinstats.set_balance("main", "popcat", "binance", total="7.50", held="1")
    server.coinstats.set_balance("main", "new", "binance", total="0")
    text = read(server).text
    assert (
        '{"coinId":"popcat","amount":7.50,"price":0.25946,"priceBtc":0.0000023571544854315866}'
        in text
    )
    assert '{"coinId":"new","amount":0,"price":0,"priceBtc":0}]' in text


STRANGERS = [
    ("not connected", query(connectionId='"bybit"')),
    ("those of another exchange", query(connectionId='"coinbase"')),
    ("a byte more", query(connectionFields=json.dumps(SECRETS | {"apiSecret": SECRETS["apiSecret"] + "x"}))),
    ("the two swapped", query(connectionFields=f'{{"apiKey":{SECOND},"apiSecret":{FIRST}}}')),
]  # fmt: skip


@pytest.mark.parametrize(("about", "body"), STRANGERS, ids=[row[0] for row in STRANGERS])
def test_exchange_credentials_of_no_connection_are_a_401_with_its_own_message(
    server: MockServer, about: str, body: bytes
) -> None:
    is_refused(read(server, body), 401, "Exchange credentials expired")
    is_refused(read(server, body, {"X-API-KEY": "nobody"}), 401, "Unauthorized")
    assert [entry.reason for entry in server.journal] == [
        "bad_exchange_credentials",
        "unknown_credential",
    ]


# Quirks

BAD = QUERY | {"connectionFields": {"apiKey": "a", "apiSecret": "b"}}


@pytest.mark.parametrize("code", [400, 401, 403])
def test_refused_exchange_credentials_have_the_status_that_is_set(code: int) -> None:
    message = "Exchange credentials expired" if code == 401 else "Invalid exchange credentials"
    with MockServer(quirks={"coinstats.bad_exchange_credentials": str(code)}) as server:
        is_refused(read(server, BAD), code, message)
        key = {"X-API-KEY": "reject-bad_exchange_credentials"}
        is_refused(read(server, headers=key), code, message)
        is_refused(read(server, b"["), 400, "Bad Request")
        assert read(server).status_code == 200


OBSERVED = (
    "Your API Key is invalid. "
    "Please login to https://openapi.coinstats.app and generate your API Key."
)


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "nobody"}])
def test_a_wrong_key_may_have_the_message_that_was_observed(headers: dict[str, str]) -> None:
    with MockServer(quirks={"coinstats.key_error_text": "observed"}) as server:
        is_refused(read(server, QUERY, headers), 401, OBSERVED)
        is_refused(read(server, BAD), 401, "Exchange credentials expired")


@pytest.mark.parametrize("code", [429, 406])
def test_too_few_credits_have_the_status_that_is_set(code: int) -> None:
    quirks = {"coinstats.credits": "9", "coinstats.credits_exhausted": str(code)}
    with MockServer(quirks=quirks) as server:
        is_refused(read(server), code, "Insufficient credits for this request")


# A reject and its variant, and the status and message that it has.
BY_RULE = [
    ({"reject": "payment_required"}, 402, "Payment Required"),
    ({"reject": "forbidden"}, 403, "Forbidden"),
    ({"reject": "credits_exhausted", "variant": "406"}, 406, "Insufficient credits for this request"),
    ({"reject": "rate_limited"}, 429, "Rate limit exceeded"),
    ({"reject": "internal_error"}, 500, "Internal Server Error"),
    ({"reject": "not_implemented"}, 501, "Not Implemented"),
    ({"reject": "unknown_credential", "variant": "observed"}, 401, OBSERVED),
    ({"reject": "bad_exchange_credentials", "variant": "403"}, 403, "Invalid exchange credentials"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "status", "message"), BY_RULE, ids=[str(r[1]) for r in BY_RULE])
def test_a_rule_gives_the_statuses_that_the_official_client_knows(
    server: MockServer, answer: dict[str, str], status: int, message: str
) -> None:
    server.coinstats.fail(**answer)
    is_refused(read(server), status, message)


def test_numbers_may_come_with_an_exponent_and_keep_every_digit() -> None:
    with MockServer(quirks={"coinstats.numbers": "exponent"}) as server:
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


LEGACY = [
    ("bad_request", 400, '{"error":"Bad Request","message":"Bad Request"}'),
    ("bad_exchange_credentials", 401, '{"error":"Unauthorized","message":"Exchange credentials expired"}'),
    ("missing_credential", 401, '{"error":"Unauthorized","message":"Unauthorized"}'),
    ("unknown_credential", 401, '{"error":"Unauthorized","message":"Unauthorized"}'),
    ("revoked_credential", 401, '{"error":"Unauthorized","message":"Unauthorized"}'),
    ("payment_required", 402, '{"error":"Payment Required","message":"Payment Required"}'),
    ("forbidden", 403, '{"error":"Forbidden","message":"Forbidden"}'),
    ("not_found", 404, '{"error":"Not Found","message":"Not Found"}'),
    ("no_route", 404, '{"error":"Not Found","message":"Not Found"}'),
    ("bad_method", 405, '{"error":"Method Not Allowed","message":"Method Not Allowed"}'),
    ("not_synced", 409, '{"message":"Transactions not synced"}'),
    ("too_large", 413, '{"error":"Payload Too Large","message":"Payload Too Large"}'),
    ("rate_limited", 429, '{"error":"Rate limit exceeded","message":"Rate limit exceeded"}'),
    ("credits_exhausted", 429, '{"error":"Rate limit exceeded","message":"Insufficient credits for this request"}'),
    ("internal_error", 500, '{"error":"Internal Server Error","message":"Internal Server Error"}'),
    ("not_implemented", 501, '{"error":"Not Implemented","message":"Not Implemented"}'),
    ("service_unavailable", 503, '{"error":"Service Unavailable","message":"Service Unavailable. Please Contact Support"}'),
]  # fmt: skip


def test_errors_may_have_the_older_shape(server: MockServer) -> None:
    with MockServer(quirks={"coinstats.error_shape": "legacy"}) as legacy:
        for reason, code, body in LEGACY:
            answer = read(legacy, headers={"X-API-KEY": f"reject-{reason}"})
            assert (answer.status_code, answer.text) == (code, body)
        named = read(legacy, b"{}")
        assert named.text == '{"error":"Bad Request","message":"Invalid parameter: connectionId"}'
    assert sorted(row[0] for row in LEGACY) == sorted(server.coinstats.provider.errors)


# Portfolios


def test_two_polls_are_told_syncing_and_the_third_synced(frozen: MockServer) -> None:
    assert read(frozen).json()["portfolio"] == {
        "id": ID,
        "status": "syncing",
        "connectionId": "binance",
    }
    assert read(frozen).json()["portfolio"]["status"] == "syncing", "no poll"
    assert read(frozen).json()["portfolio"]["status"] == "syncing"
    assert [status(frozen) for _ in range(4)] == ["syncing", "syncing", "synced", "synced"]
    assert read(frozen).json()["portfolio"]["status"] == "synced"


POLLS = [("0", 0), ("1", 1), ("3", 3)]


@pytest.mark.parametrize(("polls", "syncing"), POLLS)
def test_how_many_polls_are_told_syncing_is_a_quirk(polls: str, syncing: int) -> None:
    quirks = {"coinstats.sync_polls": polls, "coinstats.sync_after": "never"}
    with MockServer(real=HandClock(), quirks=quirks) as server:
        first = read(server).json()["portfolio"]["status"]
        assert first == ("syncing" if syncing else "synced")
        server.clock.advance("1h")
        polled = [status(server) for _ in range(syncing + 2)]
        assert polled == ["syncing"] * syncing + ["synced"] * 2


AFTER = [(None, 5), ("7s", 7), ("1m", 60)]


@pytest.mark.parametrize(("after", "seconds"), AFTER)
def test_a_portfolio_is_synced_when_its_time_has_come(after: str | None, seconds: int) -> None:
    clock = HandClock(1_747_444_800 * 10**9)
    quirks = {"coinstats.sync_after": after} if after else {}
    with MockServer(real=clock, quirks=quirks) as server:
        for begin in (lambda: read(server), lambda: call(server, "PATCH", SYNC.format(ID))):
            begin()
            clock.advance(f"{seconds * 1000 - 1}ms")
            assert read(server).json()["portfolio"]["status"] == "syncing"
            assert status(server) == "syncing"
            clock.advance("1ms")
            assert read(server).json()["portfolio"]["status"] == "synced"
            assert status(server) == "synced"


def test_a_sync_starts_anew_with_its_own_polls_and_time(frozen: MockServer) -> None:
    read(frozen)
    for begin in ("once", "again"):
        assert [status(frozen) for _ in range(3)] == ["syncing", "syncing", "synced"], begin
        answer = call(frozen, "PATCH", SYNC.format(ID))
        assert (answer.status_code, answer.text) == (200, '{"success":true}')
        assert read(frozen).json()["portfolio"]["status"] == "syncing"
    frozen.clock.advance("5s")
    assert status(frozen) == "synced"


def test_an_event_ends_the_syncing(frozen: MockServer) -> None:
    with pytest.raises(ValueError, match=f"no portfolio {ID}"):
        frozen.coinstats.event("portfolio_synced", id=ID)
    read(frozen)
    frozen.coinstats.event("portfolio_synced", id=ID)
    assert status(frozen) == "synced"
    with pytest.raises(ValueError, match="synced already"):
        frozen.coinstats.event("portfolio_synced", id=ID)
    call(frozen, "PATCH", SYNC.format(ID))
    assert status(frozen) == "syncing"
    frozen.coinstats.event("portfolio_synced", id=ID)
    assert status(frozen) == "synced"


def test_the_last_name_given_counts(server: MockServer) -> None:
    def name(**members: str) -> Any:
        return read(server, QUERY | members).json()["portfolio"].get("name")

    assert [name(), name(name="a"), name(), name(name="b"), name(name=""), name()] == [
        None, "a", "a", "b", "", "",
    ]  # fmt: skip


def test_the_portfolio_is_shown_in_the_documented_order(server: MockServer) -> None:
    portfolio = read(server, QUERY | {"name": "My Binance Portfolio"}).json()["portfolio"]
    assert list(portfolio) == ["id", "status", "connectionId", "name"]


PORTFOLIO_IDS = [
    ("", 400, "Invalid parameter: portfolioId"),
    ("?portfolioId=", 400, "Invalid parameter: portfolioId"),
    ("?portfolioid=" + ID, 400, "Invalid parameter: portfolioId"),
    ("?portfolioId=no", 404, "Not Found"),
    ("?portfolioId=" + ID.upper(), 404, "Not Found"),
    ("?portfolioId=%ff%00", 404, "Not Found"),
    (f"?portfolioId=no&portfolioId={ID}", 404, "Not Found"),
    (f"?portfolioId={ID}&portfolioId=no", 200, ""),
    (f"?portfolioId=%36{ID[1:]}", 200, ""),
]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/exchange/status"), ("PATCH", "/v1/exchange/sync")]
)
@pytest.mark.parametrize(("query", "code", "message"), PORTFOLIO_IDS)
def test_a_portfolio_is_asked_for_by_its_id(
    server: MockServer, method: str, path: str, query: str, code: int, message: str
) -> None:
    read(server)
    answer = call(server, method, path + query)
    if code == 200:
        assert answer.status_code == 200
    else:
        is_refused(answer, code, message, path)


def test_every_key_has_its_own_portfolio(frozen: MockServer) -> None:
    token = {"X-API-KEY": TOKEN}
    id = read(frozen, NOTHING).json()["portfolio"]["id"]
    is_refused(
        call(frozen, "GET", STATUS.format(id), token), 404, "Not Found", "/v1/exchange/status"
    )
    assert read(frozen, NOTHING, token).json()["portfolio"]["id"] != id
    read(frozen, QUERY | {"name": "mine"})
    is_refused(call(frozen, "PATCH", SYNC.format(ID), token), 404, "Not Found", "/v1/exchange/sync")
    assert read(frozen, headers=token).json()["portfolio"] == {
        "id": ID, "status": "syncing", "connectionId": "binance",
    }  # fmt: skip
    assert [status(frozen) for _ in range(3)] == ["syncing", "syncing", "synced"]
    assert status(frozen, headers=token) == "syncing"
    frozen.coinstats.event("portfolio_synced", id=ID)
    assert status(frozen, headers=token) == "synced", "an event is about every key's"


def test_every_exchange_is_listed_with_what_it_asks_for(server: MockServer) -> None:
    listed = call(server, "GET", SUPPORT).json()
    pair = [{"name": "API Key", "key": "apiKey"}, {"name": "API Secret", "key": "apiSecret"}]
    triple = [*pair, {"name": "Passphrase", "key": "passphrase"}]
    assert listed[0] == {
        "connectionId": "binance",
        "name": "Binance",
        "icon": "https://static.coinstats.app/portfolio_images/binance_dark.png",
        "connectionFields": pair,
    }
    assert {e["connectionId"]: e["connectionFields"] for e in listed} == {
        "binance": pair, "coinbase": pair, "bybit": pair, "okx": triple, "kucoin": triple,
        "bitget": triple, "kraken": pair,
    }  # fmt: skip


# Credits and limits

COSTS = [
    ("POST", BALANCE, 10),
    ("GET", SUPPORT, 1),
    ("GET", STATUS.format(ID), 3),
    ("PATCH", SYNC.format(ID), 20),
    ("GET", USAGE, 0),
]


@pytest.mark.parametrize(("method", "target", "cost"), COSTS)
def test_a_call_costs_what_is_documented_while_there_is_enough(
    method: str, target: str, cost: int
) -> None:
    spent_before = 10 * (target != BALANCE)
    for total, code in ((spent_before + cost, 200), (spent_before + cost - 1, 429)):
        with MockServer(quirks={"coinstats.credits": str(total)}) as server:
            if spent_before:
                read(server)
            if code == 429 and not cost:
                continue
            answer = call(server, method, target, json=QUERY)
            assert answer.status_code == code
            left = 0 if code == 200 else cost - 1
            assert call(server, "GET", USAGE).json() == {
                "totalCredits": total,
                "usedCredits": total - left,
                "remainingCredits": left,
                "subscription": "PRO",
            }
            if code == 429:
                path = target.partition("?")[0]
                is_refused(answer, 429, "Insufficient credits for this request", path)
                assert server.journal[-2].reason == "credits_exhausted"


def test_credits_are_spent_by_each_key_and_by_good_calls_alone(server: MockServer) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    read(server)
    for refused in (
        read(server, b"{}"),
        read(server, BAD),
        call(server, "GET", STATUS.format("no")),
    ):
        assert refused.status_code in {400, 401, 404}
    assert read(server, headers={"X-API-KEY": "reject-forbidden"}).status_code == 403
    assert (spent(server), spent(server, token)) == (10, 0)
    call(server, "GET", SUPPORT, token)
    status(server)
    assert (spent(server), spent(server, token)) == (13, 1)
    server.reset()
    assert (spent(server), spent(server, token)) == (0, 0)


def test_a_poll_that_nobody_can_pay_for_is_no_poll() -> None:
    with MockServer(real=HandClock(), quirks={"coinstats.credits": "12"}) as server:
        read(server)
        assert [status(server) for _ in range(3)] == [None] * 3
        (portfolio,) = (
            server.app.sandboxes.default.states["coinstats"].ledger.records["portfolio"].values()
        )
        assert portfolio.polls == 0


def test_no_limit_holds_unless_one_is_set(server: MockServer) -> None:
    with requests.Session() as session:
        url = server.coinstats.base_url + USAGE
        assert {session.get(url, headers=HEADER).status_code for _ in range(200)} == {200}


@pytest.mark.parametrize(("counts", "good"), [("reached", 1), ("successful", 4)])
def test_what_a_limit_counts_is_a_quirk(counts: str, good: int) -> None:
    settings: Any = {"limits": {"coinstats.reads": "4/60s"}, "quirks": {"coinstats.counts": counts}}
    with MockServer(real=HandClock(1_747_444_859 * 10**9), **settings) as server:
        for _ in range(3):
            assert read(server, BAD).status_code == 401
        assert [read(server).status_code for _ in range(good + 1)] == [200] * good + [429]


def test_a_limit_that_is_set_counts_calls_of_a_key_in_the_span_that_ends_now() -> None:
    clock = HandClock(1_747_444_859 * 10**9)
    with MockServer(real=clock, limits={"coinstats.reads": "2/60s"}) as server:
        assert read(server).status_code == 200
        clock.advance("30s")
        assert call(server, "GET", SUPPORT).status_code == 200, "all operations count together"
        refused = exchange(server.coinstats.base_url, posted(QUERY))
        assert masked(without_noise(refused)) == rows("coinstats", "errors")["rate_limited"]
        assert read(server, headers={"X-API-KEY": TOKEN}).status_code == 200, "another key"
        clock.advance("29s")
        assert read(server).status_code == 429
        clock.advance("1s")
        assert read(server).status_code == 200
        assert read(server).status_code == 429


# Secrets

HUSH = ["hush-key-4711", "hush-secret-4712", "hush-phrase-4713", "hush-name-4714"]
KEPT = {"apiKey": HUSH[0], "apiSecret": HUSH[1], "passphrase": HUSH[2], HUSH[3]: "a"}
LEAKS: list[Callable[[dict[str, Any]], Any]] = [
    lambda f: {"connectionId": "okx", "connectionFields": f},
    lambda f: {"connectionId": "binance", "connectionFields": f},
    lambda f: {"connectionId": HUSH[0], "connectionFields": f},
    lambda f: {"connectionId": "kucoin", "connectionFields": f | {"passphrase": ""}},
    lambda f: {"connectionId": "binance", "connectionFields": f | {HUSH[3]: 7}},
    lambda f: {"connectionId": "binance", "connectionFields": f, "name": [HUSH[0]]},
    lambda f: json.dumps({"connectionId": "binance", "connectionFields": f})[:-1].encode(),
    lambda f: json.dumps([f]).encode(),
]


def test_a_secret_is_in_no_error_journal_record_or_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "hush.yaml"
    file.write_text(
        "coinstats:\n  keys: {main: {api_key: k, account: a}}\n  accounts:\n    a:\n"
        f"      connections: {{okx: {{fields: {json.dumps(KEPT)}}}}}\n"
    )
    with MockServer(str(file)) as server:
        answers = [read(server, leak(KEPT), {"X-API-KEY": "k"}) for leak in LEAKS]
        assert [a.status_code for a in answers] == [200, 401] + [400] * 6
        records = server.app.sandboxes.default.states["coinstats"].ledger.records
        texts = [a.text + repr(a.headers) for a in answers]
        texts += [repr(server.journal), repr(records), caplog.text]
    assert len(records) == 2
    assert [hush for hush in HUSH if any(hush in text for text in texts)] == []


def test_keys_are_secrets_of_both_headers(server: MockServer) -> None:
    assert server.coinstats.provider.secrets.headers == {b"x-api-key", b"authorization"}
    read(server)
    read(server, headers={"X-API-KEY": "somebodys-key"})
    entries = repr(server.journal[-2:])
    assert not any(key in entries for key in (KEY, "somebodys-key"))


# Worlds


def account(text: str) -> str:
    return f"coinstats:\n  accounts:\n    a: {text}\n"


PAIR = "{apiKey: k, apiSecret: s}"
WRONG = [
    ("no such exchange", "{connections: {mtgox: {fields: {}}}}", "connection mtgox: no exchange 'mtgox': there are binance,"),
    ("a field missing", "{connections: {mine: {exchange: okx, fields: " + PAIR + "}}}", "connection mine: okx needs the field passphrase"),
    ("an empty field", "{connections: {kraken: {fields: {apiKey: k, apiSecret: ''}}}}", "connection kraken: kraken needs the field apiSecret"),
    ("a row elsewhere", '{balances: [{asset: x, venue: y, total: "1"}]}', "x lies on 'y', which is no connection"),
    ("a negative price", '{balances: [{asset: x, total: "1", price: "-1"}]}', "never negative"),
    ("a negative price in BTC", '{balances: [{asset: x, total: "1", price_btc: "-1"}]}', "never negative"),
    ("one portfolio twice", "{connections: {kraken: {portfolio: p, fields: " + PAIR + "}, bybit: {portfolio: p, fields: " + PAIR + "}}}", "two connections have the same portfolio"),
    ("an unknown member", "{connections: {kraken: {secret: s, fields: " + PAIR + "}}}", "unknown field `secret`"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "text", "what"), WRONG, ids=[w[0] for w in WRONG])
def test_a_wrong_world_is_refused(tmp_path: Path, about: str, text: str, what: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(account(text))
    with pytest.raises(files.FileError, match=r"^[^\n]*:[34]: \$\.coinstats\.accounts\.a") as error:
        worlds.load(str(file))
    assert what in str(error.value)


def test_a_key_of_no_account_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("coinstats: {keys: {m: {api_key: k, account: nowhere}}}\n")
    with pytest.raises(files.FileError, match="key m names account 'nowhere'"):
        worlds.load(str(file))


def test_a_made_up_person_can_read(tmp_path: Path) -> None:
    key, id, account = holder(GeneratedUser("ann", "Ann", bytes(range(64))))
    section = {"keys": {"main": key}, "accounts": {id: account | {"generate": {"rows": 3}}}}
    file = tmp_path / "made.yaml"
    file.write_text(json.dumps({"coinstats": section}))
    with MockServer(str(file)) as server:
        sent = server.coinstats.example
        answer = read(server, sent.body, {"X-API-KEY": key["api_key"]})
        assert len(answer.json()["balances"]) == 3
    fields = account["connections"]["binance"]["fields"].values()
    assert len({key["api_key"], *fields}) == 3


def test_a_sample_is_exact_and_named_like_a_slug() -> None:
    row = sample(
        0, bytes.fromhex("00000002540be4010203000000000001"), GeneratedAsset("SHIB", "Shiba Inu")
    )
    assert (row.asset, row.venue) == ("shiba-inu", "binance")
    assert [f"{a:f}" for a in (row.total, row.price, row.price_btc)] == [
        "1.0000000001",
        "2.003",
        "0.000000000000000001",
    ]


def test_a_fresh_key_is_new_and_keeps_its_connection(server: MockServer) -> None:
    key = server.app.sandboxes.default.states["coinstats"].keyring.find(KEY.encode())
    fresh, other = key.regenerate(bytes(range(64))), key.regenerate(bytes(64))
    assert fresh.api_key != other.api_key != key.api_key
    assert (fresh.account, fresh.connection_fields) == (key.account, SECRETS)
