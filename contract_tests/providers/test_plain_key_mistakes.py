"""Explanations of wrong keys, exchanges and bodies that CoinAPI and CoinStats reject."""

import base64
import gzip
import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer
from mockserver.explain import RejectedRequest, match_altered_key, sent_values
from mockserver.model.http import Request
from mockserver.providers.coinapi import mistakes as coinapi
from mockserver.providers.coinstats import mistakes as coinstats

NOW = 1_747_444_800 * 10**9
SEED = 490

KEY = "73034021-THIS-IS-SAMPLE-KEY"
READ = "/v1/balances"

OWN, TOKEN = "coinstats-test-key", "coinstats-test-oauth-token"
FIELDS = {"apiKey": "your_binance_api_key_here", "apiSecret": "your_binance_api_secret_here"}
EMPTY = {"apiKey": "empty-key", "apiSecret": "empty-secret"}
BALANCE, STATUS, SYNC = "/v1/exchange/balance", "/v1/exchange/status", "/v1/exchange/sync"
PORTFOLIO = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"

Texts = dict[str, str]


pytestmark = pytest.mark.usefixtures("no_failed_explanation")


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(NOW)) as server:
        yield server


def secrets(server: MockServer) -> set[str]:
    """Returns every key and every exchange's field, in writings that are easily undone."""
    texts = {*FIELDS.values(), *EMPTY.values()}
    for handle in (server.coinapi, server.coinstats):
        texts |= {key["api_key"] for key in (handle.credentials, *handle.others.values())}
    kept = {text for text in texts if not text.startswith("reject-")}
    writings = {
        w for t in kept for w in (t, t.encode().hex(), base64.b64encode(t.encode()).decode())
    }
    return {way for w in writings for way in (w, quote(w, safe=""), w.upper())}


def explanation_of(server: MockServer, url: str, request: bytes) -> Texts:
    """Sends a wrong request and returns its explanation, which has no secret."""
    exchange(url, request)
    entry = server.journal[-1]
    assert entry.reason, "the request was accepted"
    assert entry.explanation is not None
    text = "\n".join(entry.explanation.values())
    assert [secret for secret in secrets(server) if secret in text] == []
    assert len(text) < 6000
    return entry.explanation


def is_good(url: str, request: bytes) -> bool:
    return exchange(url, request).startswith(b"HTTP/1.1 200 ")


def typed(body: str) -> dict[str, str]:
    return {"Content-Type": "application/json"} if body else {}


# CoinAPI: where the key is

ELSEWHERE, PARAMETER, BODY = "key in another header", "key in another parameter", "key in the body"
QUOTES, BLANKS, WORD = (
    "quotes around the key",
    "whitespace around the key",
    "a scheme such as Bearer before the key",
)
NAME, ESCAPED, ENCODED = "name before the key", "key URL-encoded", "key in base64"
CASE, CUT, MORE = "key in another case", "key cut short", "more than the key"
SLIP, MISSING, UNKNOWN = (
    "one character of the key wrong",
    "missing_credential",
    "unknown_credential",
)
B64 = base64.b64encode(KEY.encode()).decode()
BASIC = base64.b64encode(f"{KEY}:".encode()).decode()

PLACES = [
    # headers, query, body, the rule
    ("the market data header", {"X-Api-Key": KEY}, "", "", ELSEWHERE),
    ("a name without dashes", {"apikey": KEY}, "", "", ELSEWHERE),
    ("another provider's header", {"X-CPG-Key": KEY}, "", "", ELSEWHERE),
    ("Authorization, plain", {"Authorization": KEY}, "", "", ELSEWHERE),
    ("Bearer", {"Authorization": f"Bearer {KEY}"}, "", "", f"{ELSEWHERE} + {WORD}"),
    ("Token", {"Authorization": f"Token {KEY}"}, "", "", f"{ELSEWHERE} + {WORD}"),
    ("Basic", {"Authorization": f"Basic {BASIC}"}, "", "", f"{ELSEWHERE} + {WORD} + {ENCODED}"),
    ("a cookie", {"Cookie": f"apikey={KEY}"}, "", "", f"{ELSEWHERE} + {NAME}"),
    ("quotes in another header", {"X-Api-Key": f'"{KEY}"'}, "", "", f"{ELSEWHERE} + {QUOTES}"),
    ("api_key", {}, f"api_key={KEY}", "", PARAMETER),
    ("apiKey", {}, f"exchange_id=KRAKEN&apiKey={KEY}", "", PARAMETER),
    ("the header's name", {}, f"X-CoinAPI-Key={KEY}", "", PARAMETER),
    ("key, and quotes", {}, f"key=%22{KEY}%22", "", f"{PARAMETER} + {QUOTES}"),
    ("JSON", {}, "", json.dumps({"apikey": KEY}), BODY),
    ("JSON among others", {}, "", json.dumps({"a": [1], "key": KEY}), BODY),
    ("a form", {}, "", f"a=1&apikey={KEY}", BODY),
    ("the header before the query", {"X-Api-Key": KEY}, f"key={KEY}", "", ELSEWHERE),
    ("an empty header", {"X-CoinAPI-Key": ""}, "", "", "empty key"),
    ("an empty parameter", {}, "apikey=", "", "empty key"),
    ("an empty header, the key elsewhere", {"X-CoinAPI-Key": ""}, f"key={KEY}", "", PARAMETER),
    ("a part of the key elsewhere", {"X-Api-Key": KEY[:-1]}, "", "", MISSING),
    ("nothing", {}, "", "", MISSING),
    ("nobody's", {"X-Api-Key": "nobody"}, "", "", MISSING),
    ("a key of another provider", {"X-CPG-Key": "cpg_test_key"}, "", "", "foreign credential"),
]  # fmt: skip


def test_an_explanation_names_where_the_key_was_and_where_it_belongs(server: MockServer) -> None:
    explanation = explanation_of(server, server.coinapi.base_url, get(f"{READ}?api_key={KEY}", {}))
    assert explanation == {
        "rule": PARAMETER,
        "expected": "a key in the header X-CoinAPI-Key or the parameter apikey",
        "received": "the key main in the parameter api_key",
        "fix": "Rename the parameter to apikey.",
    }
    explanation = explanation_of(server, server.coinapi.base_url, get(f"{READ}?apikey=", {}))
    assert explanation["received"] == "nothing in the parameter apikey"


# CoinAPI and CoinStats: what was done to the key


def dressed(key: str) -> list[tuple[str, str]]:
    """Returns wrong writings of a key, and the rule of each."""
    encoded = base64.b64encode(key.encode()).decode()
    return [
        (f'"{key}"', QUOTES),
        (f"'{key}'", QUOTES),
        (f"<{key}>", QUOTES),
        (f"b'{key}'", QUOTES),
        (f"Bearer {key}", WORD),
        (f"Token {key}", WORD),
        (f"key={key}", NAME),
        (f"X-Key: {key}", NAME),
        (key.replace("-", "%2D"), ESCAPED),
        (encoded, ENCODED),
        (base64.b64encode(f"{key}:".encode()).decode(), ENCODED),
        (key.swapcase(), CASE),
        (key[:-1], CUT),
        (key[len(key) // 4 :], CUT),
        (key[1:], CUT),
        (f"{key}{key}", MORE),
        (f"{key}, {key}", MORE),
        (f"xy{key}", MORE),
        (f"{key}xy", MORE),
        (f"x{key}", SLIP),
        (f"{key}x", SLIP),
        (key[:5] + "_" + key[6:], SLIP),
        (key[:5] + key[6:], SLIP),
        (key[:5] + "_" + key[5:], SLIP),
        (f'"Bearer {key}"', f"{QUOTES} + {WORD}"),
        (f'Bearer "{key}"', f"{QUOTES} + {WORD}"),
        (f'"{key.swapcase()}"', f"{QUOTES} + {CASE}"),
        (f"Bearer {key[:-1]}", f"{WORD} + {CUT}"),
        (f"%22{key}%22", f"{QUOTES} + {ESCAPED}"),
        (key[: len(key) // 2 - 1], UNKNOWN),
        (key[:5] + "__" + key[7:], UNKNOWN),
        ("nobody", UNKNOWN),
        ("k" * 600, UNKNOWN),
        ("main", "label for the key"),
        ("cpg_test_key", "foreign credential"),
    ]


HEADERS = [
    ("coinapi", READ, "X-CoinAPI-Key", KEY),
    ("coinstats", "/v1/usage/credits", "X-API-KEY", OWN),
    ("coinstats", "/v1/usage/credits", "X-API-KEY", TOKEN),
]


@pytest.mark.parametrize(("provider", "target", "header", "key"), HEADERS)
@pytest.mark.parametrize("row", range(len(dressed(KEY))))
def test_an_altered_key_is_explained(
    server: MockServer, provider: str, target: str, header: str, key: str, row: int
) -> None:
    url = getattr(server, provider).base_url
    value, rule = dressed(key)[row]
    explanation = explanation_of(server, url, get(target, {header: value}))
    assert sorted(explanation["rule"].split(" + ")) == sorted(rule.split(" + "))
    assert is_good(url, get(target, {header: key}))


def test_a_key_in_the_query_may_have_blanks_and_be_escaped_twice(server: MockServer) -> None:
    url = server.coinapi.base_url
    for value, rule in (
        (f"%20{KEY}%0A", BLANKS),
        (f"{KEY}+", BLANKS),
        (quote(quote_plus(f"{KEY}\n")), f"{BLANKS} + {ESCAPED}"),
    ):
        explanation = explanation_of(server, url, get(f"{READ}?apikey={value}", {}))
        assert sorted(explanation["rule"].split(" + ")) == sorted(rule.split(" + "))
        assert explanation["expected"] == "the key main"


def test_a_fingerprint_stands_for_the_key_that_came(server: MockServer) -> None:
    explanation = explanation_of(
        server, server.coinapi.base_url, get(READ, {"X-CoinAPI-Key": KEY.lower()})
    )
    assert explanation == {
        "rule": CASE,
        "expected": "the key main",
        "received": "value:438ef0cf, which is similar to it",
        "fix": "Send the key's exact upper and lower case.",
    }


def test_a_wrong_key_that_hides_a_right_one_is_explained(server: MockServer) -> None:
    wrong = get(f"{READ}?apikey={KEY}", {"X-CoinAPI-Key": KEY.lower()})
    explanation = explanation_of(server, server.coinapi.base_url, wrong)
    assert explanation["rule"] == "X-CoinAPI-Key before apikey"
    assert explanation["received"].endswith(", the key main in the parameter apikey")
    both = {"X-API-KEY": "nobody", "Authorization": f"Bearer {TOKEN}"}
    explanation = explanation_of(server, server.coinstats.base_url, get("/v1/usage/credits", both))
    assert explanation["rule"] == "X-API-KEY before Authorization"
    assert explanation["received"].endswith(
        ", the key oauth in the header Authorization after Bearer"
    )


def test_a_key_of_another_sandbox_is_explained(server: MockServer) -> None:
    box = server.sandbox("other")
    rows = [("coinapi", READ, "X-CoinAPI-Key"), ("coinstats", "/v1/usage/credits", "X-API-KEY")]
    for provider, target, header in rows:
        handle = getattr(box, provider)
        request = get(target, {header: handle.credentials["api_key"]})
        explanation = explanation_of(server, getattr(server, provider).base_url, request)
        assert explanation["rule"] == "foreign credential"
        assert f"the {provider} key main of the sandbox other" in explanation["received"]
        assert handle.credentials["api_key"] not in "\n".join(explanation.values())


def test_no_key_is_needed_where_there_is_no_authentication() -> None:
    with MockServer(quirks={"coinapi.auth": "none"}) as server:
        assert is_good(server.coinapi.base_url, get(READ, {}))
        box = server.sandbox("nobody", world={}, quirks={"coinapi.auth": "none"})
        exchange(box.coinapi.base_url, get(f"/~nobody{READ}", {}))
        assert box.journal[-1].explanation["rule"] == MISSING


# What CoinAPI is asked for

EXCHANGES = [
    # what was asked for, the rule, what to do
    ("BITMEX", "exchange unreachable", "Omit exchange_id to get the reachable ones; the request itself is correct."),
    ("kraken", "exchange id in another case", "Did you mean KRAKEN?"),
    ("Binance", "exchange id in another case", "Did you mean BINANCE?"),
    ("KRAKN", "exchange not connected", "Did you mean KRAKEN?"),
    ("BINANCEUS", "exchange not connected", "Did you mean BINANCE?"),
    ("COINBASE", "exchange not connected", "Request a connected one, or all."),
]  # fmt: skip


def test_an_account_without_exchanges_is_explained(server: MockServer) -> None:
    request = get(f"{READ}?exchange_id=KRAKEN", {"X-CoinAPI-Key": "00000000-EMPTY-KEY"})
    explanation = explanation_of(server, server.coinapi.base_url, request)
    assert explanation["expected"] == "no exchange: none is connected"


def test_an_unreachable_exchange_is_explained(server: MockServer) -> None:
    url, header = server.coinapi.base_url, {"X-CoinAPI-Key": KEY}
    explanation = explanation_of(server, url, get(f"{READ}?exchange_id=BITMEX", header))
    assert (explanation["rule"], explanation["received"]) == ("exchange unreachable", "BITMEX")
    server.set_quirks({"coinapi.unfiltered_unreachable": "reject"})
    assert explanation_of(server, url, get(READ, header))["received"] == "BITMEX"


# CoinStats: where the key is

NO_BEARER, QUERY = "no Bearer", "key in the query"
USAGE = "/v1/usage/credits"

OWN_PLACES = [
    ("no Bearer", {"Authorization": OWN}, "", "", NO_BEARER),
    ("Token", {"Authorization": f"Token {OWN}"}, "", "", NO_BEARER),
    ("a tab", {"Authorization": f"Bearer\t{OWN}"}, "", "", NO_BEARER),
    ("a colon", {"Authorization": f"Bearer: {OWN}"}, "", "", f"{NO_BEARER} + {NAME}"),
    ("quotes round all of it", {"Authorization": f'"Bearer {OWN}"'}, "", "", f"{NO_BEARER} + {QUOTES}"),
    ("quotes, no Bearer", {"Authorization": f"'{OWN}'"}, "", "", f"{NO_BEARER} + {QUOTES}"),
    ("another header", {"apikey": OWN}, "", "", ELSEWHERE),
    ("the older header", {"X-Access-Token": OWN}, "", "", ELSEWHERE),
    ("another header, with Bearer", {"X-Authorization": f"Bearer {OWN}"}, "", "", f"{ELSEWHERE} + {WORD}"),
    ("the query", {}, f"X-API-KEY={OWN}", "", QUERY),
    ("the query, escaped", {}, f"key={OWN.replace('-', '%252D')}", "", f"{QUERY} + {ESCAPED}"),
    ("the body", {}, "", json.dumps({"apiKey": OWN}), BODY),
    ("an empty X-API-KEY", {"X-API-KEY": ""}, "", "", "empty key"),
    ("an empty Authorization", {"Authorization": ""}, "", "", "empty key"),
    ("Bearer and nothing", {"Authorization": "Bearer"}, "", "", "empty key"),
    ("an exchange's key", {"Authorization": FIELDS["apiKey"]}, "", "", MISSING),
    ("nothing", {}, "", "", MISSING),
]  # fmt: skip


def asking(body: Any, key: str = OWN) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-API-KEY": key, "Content-Type": "application/json"}
    return get(BALANCE, headers, "POST", raw)


def connecting(exchange_id: Any = "binance", fields: Any = None, **more: Any) -> dict[str, Any]:
    some_fields = FIELDS if fields is None else fields
    return {"connectionId": exchange_id, "connectionFields": some_fields} | more


FOREIGN = "exchange's key for the key"


@pytest.mark.parametrize(
    ("key", "body", "name"),
    [
        (FIELDS["apiKey"], connecting(), "apiKey"),
        (FIELDS["apiSecret"], connecting(), "apiSecret"),
        ("mine-alone", connecting(fields={"apiKey": "mine-alone"}), "apiKey"),
        (FIELDS["apiKey"], b"no JSON", "apiKey"),
    ],
)
def test_an_exchanges_key_in_the_place_of_coinstats_own_is_explained(
    server: MockServer, key: str, body: Any, name: str
) -> None:
    explanation = explanation_of(server, server.coinstats.base_url, asking(body, key))
    assert explanation["rule"] == FOREIGN
    assert explanation["received"].endswith(f", the {name} of an exchange")
    assert key not in "\n".join(explanation.values())


# CoinStats: the body

INVALID = [
    ("nothing", b"", "empty body", "nothing"),
    ("blanks", b" \n", "empty body", "nothing"),
    ("half", json.dumps(connecting()).encode()[:-1], "body is not JSON", None),
    ("UTF-16", json.dumps(connecting()).encode("utf-16"), "UTF-16", "a body in UTF-16"),
    ("a mark", b"\xef\xbb\xbf{}", "byte order mark", "a byte order mark before the JSON"),
    ("a form", b"connectionId=binance&x=1", "form for JSON", "name=value, as in a form"),
    ("Python", str(connecting()).encode(), "Python for JSON", "single quotes"),
    ("JSON twice", json.dumps(json.dumps(connecting())).encode(), "JSON encoded twice", "a string that contains JSON"),
    ("a list", [connecting()], "body is not an object", "a list"),
    ("null", b"null", "body is not an object", "null"),
    ("a number", b"7", "body is not an object", "a number"),
    ("a string", b'"a"', "body is not an object", "a string"),
    ("not UTF-8", b'{"a":"\xff"}', "body is not UTF-8", "byte 6 is not UTF-8"),
    ("a member twice", b'{"name":"a","name":"b"}', "body is not JSON", "a member is given twice"),
    ("NaN", b'{"a":NaN}', "body is not JSON", "NaN or Infinity for a number"),
    ("lists without end", b"[" * 100_000, "body is not JSON", None),
    ("a comma too many", b'{"a":1,}', "body is not JSON", None),
]  # fmt: skip


@pytest.mark.parametrize("fields", [FIELDS | {"apiKey": "x"}, {"apiKey": "x"}])
def test_a_body_as_deep_as_can_be_read_is_explained(server: MockServer, fields: Texts) -> None:
    good = json.dumps(connecting(fields=fields)).encode()[:-1]
    rules = set()
    for depth in range(900, 1020, 3):
        body = good + b',"a":' + b"[" * depth + b"]" * depth + b"}"
        rules.add(explanation_of(server, server.coinstats.base_url, asking(body))["rule"])
    assert "body is not JSON" in rules
    assert rules & {"wrong apiKey", "apiSecret missing"}


KEY_ONLY = {"apiKey": FIELDS["apiKey"]}
LIST = "one of binance, coinbase, bybit, okx, kucoin, bitget, kraken"
MEMBERS = [
    ("no connectionId", {"connectionFields": FIELDS}, "connectionId missing", "none", "Add connectionId."),
    ("snake case", {"connection_id": "binance"}, "misspelt name", "connection_id", "Call it connectionId."),
    ("exchange", {"exchange": "binance"}, "misspelt name", "exchange", "Call it connectionId."),
    ("in capitals", connecting("Binance"), "connectionId in another case", "Binance", "Did you mean binance?"),
    ("its name", connecting("OKX"), "connectionId in another case", "OKX", "Did you mean okx?"),
    ("misspelt", connecting("binnance"), "unknown connectionId", "binnance", "Did you mean binance?"),
    ("not supported", connecting("hush"), "unknown connectionId", "value:dc8331bc", "GET /v1/exchange/support lists them."),
    ("of 7", connecting(7), "connectionId of another type", "a number", "Send a string."),
    ("null", connecting(fields={}) | {"connectionId": None}, "connectionId of another type", "null", "Send a string."),
    ("half a pair", connecting("\ud800"), "unknown connectionId", "value:8a8de823", "GET /v1/exchange/support lists them."),
    ("no fields", {"connectionId": "binance"}, "connectionFields missing", "none", "Add connectionFields."),
    ("credentials", {"connectionId": "binance", "credentials": FIELDS}, "misspelt name", "credentials", "Call it connectionFields."),
    ("a text of fields", connecting(fields=json.dumps(FIELDS)), "connectionFields of another type", "a string", "Send an object whose values are strings."),
    ("a list of fields", connecting(fields=[FIELDS]), "connectionFields of another type", "a list", "Send an object whose values are strings."),
    ("a strange field of 7", connecting(fields=FIELDS | {"hush": 7}), "connectionFields of another type", "a field that is not a string", "Send an object whose values are strings."),
    ("apiKey of 7", connecting(fields={"apiKey": 7}), "apiKey of another type", "a number", "Send a string."),
    ("half a pair in apiKey", connecting(fields={"apiKey": "\ud800"}), "apiKey is not Unicode", "half of a surrogate pair", "Send UTF-8 without halves of surrogate pairs."),
    ("no apiSecret", connecting(fields=KEY_ONLY), "apiSecret missing", "none", "Add apiSecret."),
    ("an empty apiSecret", connecting(fields=KEY_ONLY | {"apiSecret": ""}), "empty apiSecret", "an empty string", "Check that the variable that holds it is set."),
    ("api_secret", connecting(fields=KEY_ONLY | {"api_secret": "s"}), "misspelt name", "api_secret", "Call it apiSecret."),
    ("secret", connecting(fields=KEY_ONLY | {"secret": "s"}), "misspelt name", "secret", "Call it apiSecret."),
    ("fields beside", connecting(fields={}, apiKey="k"), "field in another place", "apiKey next to connectionFields", "Put the fields into connectionFields."),
    ("no passphrase", connecting("okx"), "passphrase missing", "none", "Add passphrase."),
    ("password", connecting("okx", FIELDS | {"password": "p"}), "misspelt name", "password", "Call it passphrase."),
    ("a name of 7", connecting(name=7), "name of another type", "a number", "Send a string."),
    ("half a pair in name", connecting(name="\ud800"), "name is not Unicode", "half of a surrogate pair", "Send UTF-8 without halves of surrogate pairs."),
]  # fmt: skip


def test_an_explanation_says_what_a_member_should_be(server: MockServer) -> None:
    rows = [
        (connecting("binnance"), LIST),
        (connecting("okx"), "the field of okx passphrase"),
        ({}, "the member connectionId"),
        (connecting(fields=KEY_ONLY | {"apiSecret": ""}), "the apiSecret of binance"),
    ]
    for body, expected in rows:
        assert (
            explanation_of(server, server.coinstats.base_url, asking(body))["expected"] == expected
        )


# CoinStats: an exchange's credentials

SWAPPED = dict(zip(FIELDS, reversed(FIELDS.values()), strict=True))
KEY_WRONG, SECRET_WRONG = FIELDS | {"apiKey": "other"}, FIELDS | {"apiSecret": "other"}
NO_CONNECTION = "no such connection"

CREDENTIALS = [
    ("another apiKey", "binance", KEY_WRONG, "wrong apiKey", ["apiKey value:d9298a10"]),
    ("another apiSecret", "binance", SECRET_WRONG, "wrong apiSecret", ["apiSecret value:d9298a10"]),
    ("both", "binance", {"apiKey": "a", "apiSecret": "b"}, "wrong apiKey + wrong apiSecret", ["apiKey value:", "apiSecret value:"]),
    ("swapped", "binance", SWAPPED, "apiKey and apiSecret swapped", ["apiKey value:", "apiSecret value:"]),
    ("a blank", "binance", FIELDS | {"apiKey": FIELDS["apiKey"] + "\n"}, "wrong apiKey", [f"({BLANKS})"]),
    ("cut", "binance", FIELDS | {"apiSecret": FIELDS["apiSecret"][:-3]}, "wrong apiSecret", [f"({CUT})"]),
    ("capitals", "binance", FIELDS | {"apiSecret": FIELDS["apiSecret"].upper()}, "wrong apiSecret", [f"({CASE})"]),
    ("quotes", "binance", FIELDS | {"apiKey": f'"{FIELDS["apiKey"]}"'}, "wrong apiKey", [f"({QUOTES})"]),
    ("a field too many", "binance", KEY_WRONG | {"passphrase": "p"}, "wrong apiKey", ["apiKey value:d9298a10"]),
    ("another connectionId", "coinbase", FIELDS, "fields of another connection", ["those of binance"]),
    ("another connectionId, a field too many", "okx", FIELDS | {"passphrase": "p"}, "fields of another connection", ["those of binance"]),
    ("nobody's", "bybit", {"apiKey": "a", "apiSecret": "b"}, NO_CONNECTION, ["apiKey value:", "apiSecret value:"]),
    ("nearly those of the second", "coinbase", EMPTY | {"apiSecret": "x"}, "wrong apiSecret", ["apiSecret value:"]),
    ("those of the second elsewhere", "binance", EMPTY, "fields of another connection", ["those of coinbase"]),
]  # fmt: skip


def explained_by_facts(server: MockServer, reason: str, facts: dict[str, Any], body: Any) -> Any:
    """Explains a refusal that only a rule can bring about."""
    state = server.app.sandboxes.default.states["coinstats"]
    headers = [(b"x-api-key", OWN.encode())]
    path = BALANCE.encode()
    raw = json.dumps(body).encode()
    request = Request("POST", path, b"", headers, raw, "127.0.0.1", path)
    return coinstats.explain(
        RejectedRequest(request, reason, facts, state.keyring, state.quirks, NOW)
    )


# What CoinStats is asked for

UNKNOWN_ID = "0" * 64
PORTFOLIOS = [
    ("unknown", f"{STATUS}?portfolioId={UNKNOWN_ID}", "", "unknown portfolio", UNKNOWN_ID),
    ("before any balance call", f"{SYNC}?portfolioId={PORTFOLIO}", "", "unknown portfolio", PORTFOLIO),
    ("a connectionId", f"{STATUS}?portfolioId=binance", "", "connectionId for the portfolioId", "binance"),
    ("none", STATUS, "", "portfolioId missing", "none"),
    ("an empty one", f"{STATUS}?portfolioId=", "", "empty portfolioId", "an empty one"),
    ("snake case", f"{STATUS}?portfolio_id=a", "", "misspelt name", "portfolio_id"),
    ("id", f"{SYNC}?id=a", "", "misspelt name", "id"),
    ("the body", SYNC, json.dumps({"portfolioId": "a"}), "portfolioId in the body", "portfolioId in the body"),
]  # fmt: skip


# One driver for these tables


def at(method: str, target: str, headers: dict[str, str], body: str) -> bytes:
    return get(target, headers | typed(body), method, body.encode())


def placed(target: str, headers: dict[str, str], query: str, body: str) -> bytes:
    return at("GET", f"{target}?{query}" if query else target, headers, body)


def in_portfolio(target: str, body: str) -> bytes:
    method = "GET" if target.startswith(STATUS) else "PATCH"
    return at(method, target, {"X-API-KEY": OWN}, body)


ALONE = {"X-CoinAPI-Key": KEY}
ROWS = [
    # provider, about, request, rule, received, or parts of it, fix
    *(("coinapi", about, placed(READ, *sent), rule, "", "") for about, *sent, rule in PLACES),
    *(("coinstats", about, placed(USAGE, *sent), rule, "", "") for about, *sent, rule in OWN_PLACES),
    *(("coinapi", id, placed(READ, ALONE, f"exchange_id={id}", ""), rule, id, fix) for id, rule, fix in EXCHANGES),
    *(("coinstats", about, asking(body), rule, received, "") for about, body, rule, received in INVALID),
    *(("coinstats", about, asking(body), rule, received, fix) for about, body, rule, received, fix in MEMBERS),
    *(("coinstats", about, asking(connecting(id, fields)), rule, received, "") for about, id, fields, rule, received in CREDENTIALS),
    *(("coinstats", about, in_portfolio(target, body), rule, received, "") for about, target, body, rule, received in PORTFOLIOS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "about", "request_bytes", "rule", "received", "fix"),
    ROWS,
    ids=[f"{row[0]} {row[1]}, {n}" for n, row in enumerate(ROWS)],
)
def test_a_wrong_request_is_explained_without_a_secret(  # noqa: PLR0917
    server: MockServer,
    provider: str,
    about: str,
    request_bytes: bytes,
    rule: str,
    received: str | list[str] | None,
    fix: str,
) -> None:
    explanation = explanation_of(server, getattr(server, provider).base_url, request_bytes)
    assert explanation["rule"] == rule
    if isinstance(received, list):
        assert [part for part in received if part not in explanation["received"]] == []
    elif received:
        assert explanation["received"] == received
    assert fix in ("", explanation["fix"])
    assert is_good(server.coinapi.base_url, get(READ, ALONE))
    assert is_good(server.coinstats.base_url, asking(connecting()))
    assert is_good(server.coinstats.base_url, asking(connecting("coinbase", EMPTY)))


COSTS = [
    ("POST", BALANCE, 10),
    ("POST", "/exchange/balance", 10),
    ("GET", "/v1/exchange/support", 1),
    ("GET", f"{STATUS}?portfolioId={PORTFOLIO}", 3),
    ("PATCH", f"{SYNC}?portfolioId={PORTFOLIO}", 20),
]


@pytest.mark.parametrize(("method", "target", "cost"), COSTS)
def test_used_up_credits_are_explained_with_figures(
    server: MockServer, method: str, target: str, cost: int
) -> None:
    url = server.coinstats.base_url
    assert is_good(url, asking(connecting()))
    server.set_quirks({"coinstats.credits": "10"})
    body = json.dumps(connecting()).encode() if method == "POST" else b""
    explanation = explanation_of(server, url, get(target, {"X-API-KEY": OWN}, method, body))
    assert explanation == {
        "rule": "credits exhausted",
        "expected": f"{cost} credits for this call",
        "received": "0 left of 10",
        "fix": "Reset the sandbox, use another key, or raise the quirk coinstats.credits.",
    }


def test_a_portfolio_that_still_syncs_is_to_be_polled(server: MockServer) -> None:
    explanation = explained_by_facts(server, "not_synced", {}, connecting())
    assert explanation.rule == "not synced"
    assert explanation.fix == "Poll GET /v1/exchange/status until it says synced, then retry."


def test_every_refusal_that_needs_no_knowledge_is_left_to_the_engine(server: MockServer) -> None:
    for reason in ("too_large", "revoked_credential", "internal_error", "forbidden"):
        assert explained_by_facts(server, reason, {}, {}) is None
        request = Request("GET", b"/", b"", [], b"", "127.0.0.1", b"/")
        keyring = server.app.sandboxes.default.states["coinapi"].keyring
        assert coinapi.explain(RejectedRequest(request, reason, {}, keyring, {}, NOW)) is None


# One byte changed, anywhere

SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
TRUE = {CASE, CUT, SLIP, MORE}


@pytest.mark.parametrize(("provider", "target", "header", "key"), HEADERS)
def test_one_changed_byte_of_a_key_is_explained(
    server: MockServer, provider: str, target: str, header: str, key: str
) -> None:
    chance = random.Random(SEED)
    url = getattr(server, provider).base_url
    for at in range(len(key)):
        other = chance.choice([sign for sign in SIGNS if sign != key[at]])
        value = key[:at] + other + key[at + 1 :]
        rule = explanation_of(server, url, get(target, {header: value}))["rule"]
        assert rule == (CASE if value.lower() == key.lower() else SLIP), value


def test_one_changed_byte_of_a_field_is_explained(server: MockServer) -> None:
    chance = random.Random(SEED)
    for name, value in FIELDS.items():
        for at in range(0, len(value), 3):
            other = chance.choice([sign for sign in SIGNS if sign != value[at]])
            fields = FIELDS | {name: value[:at] + other + value[at + 1 :]}
            explanation = explanation_of(
                server, server.coinstats.base_url, asking(connecting(fields=fields))
            )
            assert explanation["rule"] == f"wrong {name}"
            assert explanation["received"].endswith((f"({SLIP})", f"({CASE})"))


# What both share


def test_a_key_is_looked_for_in_bounded_places() -> None:
    def places_in(body: bytes, **how: Any) -> list[str]:
        request = Request("POST", b"/", b"", [], body, "127.0.0.1", b"/", **how)
        return [value.place for value in sent_values(request)]

    just = json.dumps({"a": "b" * (16 * 1024 - 9)}).encode()
    assert len(just) == 16 * 1024
    assert places_in(just) == ["the member a"]
    assert places_in(just + b" ") == []
    assert places_in(b"[" * 10_000) == []
    assert places_in(json.dumps({"n" * 41: "v", "a": {"b": "c"}, "d": 1}).encode()) == [
        f"the member {'n' * 40}"
    ]


def test_a_value_is_compared_with_keys_up_to_its_bound() -> None:
    key = b"k" * 20 + b"x"
    assert match_altered_key(key + b"y" * (512 - len(key)), {key: "main"}) is not None
    assert match_altered_key(key + b"y" * (513 - len(key)), {key: "main"}) is None
    assert match_altered_key(b"", {key: "main"}) is None
    assert match_altered_key(key, {key: "main"}) == ((), "main")
    assert match_altered_key(b"abcde", {b"abcdefg": "short"}) is None
    assert match_altered_key(b"abcdef", {b"abcdefg": "short"}) is not None


TWINS = {b"twin-key-one": "one", b"twin-key-two": "two"}
AMBIGUOUS = [
    (b"twin-key-on", "one"),
    (b"twin-key-", None),
    (b"twin-key-oxe", "one"),
    (b"Twin-Key-One", "one"),
    (b"twin-key-onetwin-key-two", "one"),
]


@pytest.mark.parametrize(("value", "label"), AMBIGUOUS)
def test_a_key_that_may_be_one_of_two_is_not_named(value: bytes, label: str | None) -> None:
    match = match_altered_key(value, TWINS)
    assert (match and match[1]) == label
    assert match_altered_key(b"a-key-3", {b"a-key-1": "one", b"a-key-2": "two"}) is None
    assert match_altered_key(b"A-KEY", {b"a-key": "one", b"a-Key": "two"}) is None


def test_a_secret_is_veiled_wherever_it_is_sent(server: MockServer) -> None:
    texts = [KEY, "00000000-EMPTY-KEY", OWN, TOKEN, *FIELDS.values(), *EMPTY.values()]
    handles = [(server.coinapi, READ), (server.coinstats, USAGE)]
    for text, (handle, target) in product(texts, handles):
        for value in (text, f'"{text}"', text.upper(), text[:-1], f"Bearer {text}"):
            for name in ("X-CoinAPI-Key", "X-API-KEY", "Authorization", "X-Other"):
                request = get(f"{target}?key={quote(value)}", {name: value + "~"})
                explanation_of(server, handle.base_url, request)
    for text in texts:
        for body in (
            connecting(text),
            connecting(fields={"apiKey": text, "apiSecret": text}),
            {text: text},
        ):
            explanation_of(server, server.coinstats.base_url, asking(body))


# No credential at all, or none that is one of ours

THREE_HEADERS = "the headers X-CPG-Key, X-CPG-Timestamp and X-CPG-Signature"
NOT_OURS = [
    # provider, method, target, where its credentials belong
    ("coinapi", "GET", READ, "the header X-CoinAPI-Key"),
    ("coinstats", "GET", "/v1/usage/credits", "the header X-API-KEY"),
    ("cpg", "GET", READ, THREE_HEADERS),
    ("cdp", "GET", "/platform/v2/accounts", "the header Authorization"),
    ("coinw", "POST", "/api/v1/private?command=returnBalances", "the parameters api_key and sign"),
]


@pytest.mark.parametrize(
    ("provider", "method", "target", "places", "is_sent"),
    [
        (*row, is_sent)
        for row in NOT_OURS
        for is_sent in (True, False)
        if is_sent or row[0] != "cdp"
    ],
)
def test_a_missing_credential_names_where_it_belongs(
    server: MockServer, provider: str, method: str, target: str, places: str, is_sent: bool
) -> None:
    url = getattr(server, provider).base_url.removesuffix("/platform")
    token = ("&" if "?" in target else "?") + "token=x" if is_sent else ""
    explanation = explanation_of(
        server, url, get(target + token, {"X-My-Key": "no"} if is_sent else {}, method)
    )
    assert explanation == {
        "rule": "missing_credential",
        "expected": f"a credential in {places}",
        "received": "the header x-my-key, the parameter token" if is_sent else "none of them",
        "fix": f"Send {places}.",
    }


BASIC_LOGIN = {"Authorization": "Basic " + base64.b64encode(b"user:password").decode()}


@pytest.mark.parametrize(
    ("provider", "target", "rule"),
    [
        ("coinstats", "/v1/usage/credits", "Basic in place of Bearer"),
        ("cdp", "/platform/v2/accounts", "scheme is not Bearer"),
    ],
)
def test_a_login_from_netrc_in_place_of_the_token_is_named(
    server: MockServer, provider: str, target: str, rule: str
) -> None:
    url = getattr(server, provider).base_url.removesuffix("/platform")
    explanation = explanation_of(server, url, get(target, BASIC_LOGIN))
    assert explanation["rule"] == rule
    assert "~/.netrc" in explanation["fix"]


def test_a_body_in_gzip_is_named(server: MockServer) -> None:
    body = gzip.compress(b'{"connectionId": "binance"}', mtime=0)
    request = get(BALANCE, {"X-API-KEY": OWN, **typed("{}")}, "POST", body)
    explanation = explanation_of(server, server.coinstats.base_url, request)
    assert (explanation["rule"], explanation["received"]) == ("compressed body", "a body in gzip")


def test_a_key_in_a_body_in_gzip_is_found(server: MockServer) -> None:
    body = gzip.compress(json.dumps({"apikey": KEY}).encode(), mtime=0)
    explanation = explanation_of(server, server.coinapi.base_url, get(READ, {}, "GET", body))
    assert explanation["rule"] == BODY
