"""Clients as careful users write them, against the documents and against the server.

First each meets answers that nobody thought of: whatever its document allows, drawn by
Schemathesis from the schema and served from memory. Then it meets the running server, whose
time passes only while a client sleeps.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import strategies as st

from contract_tests.clients.cdp import CdpClient, CdpCurlClient, CdpError
from contract_tests.clients.coinapi import CoinApiError, RejectedError
from contract_tests.clients.coinstats import CoinStatsError
from contract_tests.clients.coinw import CoinWError
from contract_tests.clients.cpg import LEAD, CpgError
from contract_tests.support.documents import examples, resolved
from contract_tests.support.fixture_rows import rows
from contract_tests.support.openapi import Document
from contract_tests.support.patient_clients import (
    ACCOUNT,
    CLIENTS,
    CLOCK,
    Patience,
    beyond_float,
    for_all,
    made,
)
from mockserver import MockServer
from mockserver.files.documents import openapi_document
from mockserver.model.http import Response
from mockserver.providers import discover

ERRORS = (CdpError, CoinApiError, CoinStatsError, CoinWError, CpgError)


MINUTE = 60 * 10**9


def balances(client: Any) -> Any:
    """Calls the main read."""
    return client.balances(ACCOUNT) if isinstance(client, CdpClient) else client.balances()


def written(found: Any) -> list[str]:
    """Writes rows digit for digit: 1.0 and 1 are equal, but look different here."""
    if isinstance(found, dict):
        return [repr((name, *_parts(held))) for name, held in found.items()]
    return [repr(tuple(row)) for row in found]


def _parts(held: Any) -> tuple[Any, ...]:
    return held if isinstance(held, tuple) else (held,)


def outcome(call: Callable[[], Any]) -> Any:
    """Returns what a call found, as it is written, or the code and message of its error."""
    try:
        return written(call())
    except ERRORS as error:
        return error.code, error.message


# Whatever the document allows

NUMBER = "a JSON number"
PLAIN = "a long amount in plain digits"
MARK = "number:"

MANY = 5

# What an unannounced member may be; any JSON at all would take ten times as long to draw.
EXTRA = {"enum": [None, True, 7, 0.5, "0.1", [], {"amount": "1", "balance": 1}]}

LONG = st.integers(10**40, 10**50).map(lambda n: f"{n}.{n % 10**21:021}7")
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.builds(
        "{}.{:04}e{}".format, st.integers(-99, 10**40), st.integers(0, 9999), st.integers(-60, 60)
    ),
    LONG,
)
# Schemathesis draws numbers as floats, which cannot hold what a JSON number can.
schemathesis.openapi.format(NUMBER, NUMBERS.map(MARK.__add__))
schemathesis.openapi.format(PLAIN, LONG)


def opened(node: Any) -> Any:
    """Returns schemas that allow members nobody has announced."""
    if isinstance(node, list):
        return [opened(value) for value in node]
    if not isinstance(node, dict):
        return node
    return {k: opened(v) for k, v in node.items() if (k, v) != ("additionalProperties", False)}


def widened(node: Any, least: int) -> Any:
    """Returns schemas from which at least so many rows are drawn, with long amounts if many."""
    if isinstance(node, list):
        return [widened(value, least) for value in node]
    return _widened(node, least) if isinstance(node, dict) else node


def _widened(node: dict[str, Any], least: int) -> dict[str, Any]:
    if node.get("type") == "number":
        return {"type": "string", "format": NUMBER}
    if re.match(r"\^(\[0-9\]|\(0\|)", str(node.get("pattern"))):
        return {"type": "string", "format": PLAIN} if least else node
    node = {name: widened(value, least) for name, value in node.items()}
    if node.get("type") == "array":
        return node | {"minItems": least}
    if node.get("type") != "object":
        return node
    if "properties" in node:
        return node | {"additionalProperties": EXTRA}
    return node | {"minProperties": node.get("minProperties", least)}


def answers(provider: str, operation: str) -> st.SearchStrategy[Any]:
    """Draws bodies of an operation's 200, every other one with many rows and long amounts."""
    data = opened(openapi_document(provider))
    declared = Document(data).operations()[operation][2]["responses"]["200"]
    schema = resolved(data, declared)["content"]["application/json"]["schema"]
    schemas = data["components"]["schemas"]
    return st.one_of(drawn(schema, schemas, 0), drawn(schema, schemas, MANY))


def drawn(schema: Any, schemas: Any, least: int) -> st.SearchStrategy[Any]:
    """Draws what a schema allows, by making it the schema of a request that is never sent."""
    body = {"application/json": {"schema": widened(schema, least)}}
    operation = {
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "Nobody answers."}},
    }
    throwaway = {
        "openapi": "3.1.0",
        "info": {"title": "Never served", "version": "1"},
        "paths": {"/": {"post": operation}},
        "components": {"schemas": widened(schemas, least)},
    }
    cases = schemathesis.openapi.from_dict(throwaway)["/"]["POST"].as_strategy()
    return cases.map(lambda case: numbered(case.body))


def numbered(node: Any) -> Any:
    """Puts decimals in the place of marked numbers."""
    if isinstance(node, list):
        return [numbered(value) for value in node]
    if isinstance(node, dict):
        return {name: numbered(value) for name, value in node.items()}
    if isinstance(node, str) and node.startswith(MARK):
        return Decimal(node.removeprefix(MARK))
    return node


ENCODER = msgspec.json.Encoder(decimal_format="number")

JSON = ((b"content-type", b"application/json"),)


def told(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, headers=JSON, content=ENCODER.encode(body))


Stub = Callable[[httpx.Request], httpx.Response]


class Reading(NamedTuple):
    """One read: how a client does it, what a good body means, and how such a body is served.

    ``small`` is a good answer but for ``?``, which stands for an amount; ``bad`` are none.
    """

    provider: str
    operation: str
    read: Callable[[Any], Any]
    rows: Callable[[Any], list[tuple[Any, ...]]]
    small: str
    bad: tuple[str, ...]
    serve: Callable[[Any], Stub] = lambda body: lambda request: told(body)


def cdp_rows(body: Any) -> list[tuple[Any, ...]]:
    own = [(row["asset"]["symbol"], row["amount"]) for row in body["balances"]]
    return [
        (asset, Decimal(amount[asset]["available"]), Decimal(amount[asset]["total"]))
        for asset, amount in own
    ]


def coinapi_rows(body: Any) -> list[tuple[Any, ...]]:
    names = ("asset_id_exchange", "balance", "available", "locked")
    return [
        (item.get("exchange_id"), *map(row.get, names))
        for item in body
        for row in item.get("data", [])
    ]


def coinstats_rows(body: Any) -> list[tuple[Any, ...]]:
    names = ("coinId", "amount", "price", "priceBtc")
    return [tuple(row[name] for name in names) for row in body["balances"]]


def coinw_rows(body: Any) -> list[tuple[Any, ...]]:
    return [(coin, Decimal(amount)) for coin, amount in body["data"].items()]


def coinw_complete_rows(body: Any) -> list[tuple[Any, ...]]:
    return [
        (coin, Decimal(held["onOrders"]), Decimal(held["available"]))
        for coin, held in body["data"].items()
    ]


def cpg_rows(body: Any) -> list[tuple[Any, ...]]:
    names = ("balance", "held", "available")
    return [
        (row["currency"], row["network"], *(Decimal(row[name]) for name in names))
        for row in body["data"]
    ]


def in_pages(body: Any) -> Stub:
    """Serves the rows two by two, however many are asked for; the last token is empty."""
    found = body["balances"]
    tokens = ["", *(f"from {n}" for n in range(2, len(found), 2)), ""]
    pages = {
        token: body | {"balances": found[2 * n : 2 * n + 2], "nextPageToken": following}
        for n, (token, following) in enumerate(pairwise(tokens))
    }
    return lambda request: told(pages[request.url.params.get("pageToken", "")])


def once_synced(body: Any) -> Stub:
    """Serves the body, and tells a poll that the portfolio is synced."""

    def answer(request: httpx.Request) -> httpx.Response:
        return told({"status": "synced"} if request.method == "GET" else body)

    return answer


def complete(client: Any) -> Any:
    return client.complete_balances()


TEXT = ("1.5", '"NaN"', '"-Infinity"', '"1,5"', '""', "true", "null", "[]")
BARE = ('"1.5"', "NaN", "Infinity", "true", "[]")

READINGS = [
    Reading(
        "cdp",
        "listBalances",
        balances,
        cdp_rows,
        '{"balances":[{"asset":{"symbol":"btc"},"amount":{"btc":{"available":"1","total":?}}}]}',
        TEXT,
        in_pages,
    ),
    Reading(
        "coinapi",
        "getBalances",
        balances,
        coinapi_rows,
        '[{"exchange_id":"KRAKEN","data":[{"asset_id_exchange":"XBT","balance":?}]}]',
        BARE,
    ),
    Reading(
        "coinstats",
        "get-exchange-balance",
        balances,
        coinstats_rows,
        '{"balances":[{"coinId":"bitcoin","amount":?,"price":1,"priceBtc":1}],"portfolio":{"status":"synced"}}',
        (*BARE, "null"),
        once_synced,
    ),
    Reading(
        "coinw",
        "returnBalances",
        balances,
        coinw_rows,
        '{"code":"200","msg":"SUCCESS","data":{"BTC":?}}',
        TEXT[1:],  # older pages have numbers
    ),
    Reading(
        "coinw",
        "returnCompleteBalances",
        complete,
        coinw_complete_rows,
        '{"code":"200","msg":"SUCCESS","data":{"BTC":{"onOrders":"0","available":?}}}',
        TEXT[1:],
    ),
    Reading(
        "cpg",
        "listBalances",
        balances,
        cpg_rows,
        '{"data":[{"currency":"BTC","network":"BTC","balance":"2","held":"0","available":?}]}',
        TEXT,
    ),
]
MAIN = {reading.provider: reading for reading in reversed(READINGS)}
every_reading = pytest.mark.parametrize("reading", READINGS, ids=[r.operation for r in READINGS])
every_provider = pytest.mark.parametrize("provider", CLIENTS)

# What the clients are given where nobody checks it.
CREDENTIAL = {
    "key_id": "key",
    "key_secret": "ERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw==",
    "api_key": "key",
    "secret_key": "secret",
    "secret": "secret",
    "connection_id": "binance",
    "connection_fields": {"apiKey": "key", "apiSecret": "secret"},
}


def asked(reading: Reading, stub: Stub, patience: Patience | None = None) -> Any:
    """Returns the outcome of a read that a stub answers."""
    patience = patience or Patience()
    with httpx.Client(transport=httpx.MockTransport(stub)) as http:
        client = made(reading.provider, http, "http://stub", CREDENTIAL, patience)
        return outcome(lambda: reading.read(client))


def named(reading: Reading, body: Any) -> Any:
    """Gives each balance of CDP an amount of its own symbol: a schema cannot ask for that."""
    if reading.provider == "cdp":
        for row in body["balances"]:
            row["amount"].setdefault(row["asset"]["symbol"], *list(row["amount"].values())[:1])
    return body


def meant(reading: Reading, body: Any) -> Any:
    """Returns what a body says, read here and apart from the client."""
    if reading.provider == "coinw" and body["code"] != "200":
        return str(body["code"]), body["msg"]
    return written(reading.rows(body))


def amounts(found: Sequence[tuple[Any, ...]]) -> list[Decimal]:
    return [value for row in found for value in row if isinstance(value, Decimal)]


def unannounced(data: Any, body: Any) -> set[str]:
    """Returns the outermost members that a document does not name."""
    schemas = data["components"]["schemas"].values()
    known = {name for schema in schemas for name in schema.get("properties", ())}
    return {name for node in (body if isinstance(body, list) else [body]) for name in node} - known


@every_reading
def test_a_client_reads_exactly_what_the_document_allows(reading: Reading) -> None:
    data = openapi_document(reading.provider)
    allowed = Document(opened(data))
    seen: list[list[tuple[Any, ...]]] = []
    extra: set[str] = set()

    def check(body: Any) -> None:
        body = named(reading, body)
        allowed.check(reading.operation, Response(200, JSON, ENCODER.encode(body)))
        expected = meant(reading, body)
        assert asked(reading, reading.serve(body)) == expected
        extra.update(unannounced(data, body))
        seen.append(reading.rows(body) if isinstance(expected, list) else [])

    for_all(answers(reading.provider, reading.operation), check, 16)
    found = [amount for listed in seen for amount in amounts(listed)]
    # Without these the clients would prove little, and one with floats would pass.
    assert min(map(len, seen)) == 0
    assert max(map(len, seen)) >= MANY
    assert max(len(amount.as_tuple().digits) for amount in found) >= 40
    assert any(amount == amount.to_integral_value() for amount in found)
    assert sum(map(beyond_float, found)) > 10
    assert extra


# What the documents show

CODES: dict[str, Callable[[int, Any], str]] = {
    "cdp": lambda status, body: body["errorType"],
    "coinapi": lambda status, body: body.get("reject_reason", str(status)),
    "coinstats": lambda status, body: str(status),
    "coinw": lambda status, body: str(body["code"]),
    "cpg": lambda status, body: str(status),
}
MESSAGES = ("errorMessage", "message", "msg", "error")

# The codes after which a client tries again, and how long it waits each time.
PASSING = {
    "cdp": (
        "rate_limit_exceeded",
        "internal_server_error",
        "service_unavailable",
        "endpoint_unavailable",
    ),
    "coinapi": ("429", "500", "503"),
    "coinstats": ("409", "429", "500", "501", "503"),
    "coinw": ("29001", "10001", "500"),
    "cpg": ("429", "500", "503"),
}
PAUSES = {
    "cdp": [1, 2, 4, 8],
    "coinapi": [1, 2, 4, 8],
    "coinstats": [1, 2, 4, 8, 16, 32],
    "coinw": [1, 2, 4, 8],
    "cpg": [1, 2, 4, 8, 16, 32],
}


def refusal(provider: str, status: int, body: Any) -> tuple[str, str]:
    """Returns code and message of an error, read here and apart from the clients."""
    if isinstance(body, str):
        return str(status), body
    message = next(body[name] for name in MESSAGES if name in body)
    return CODES[provider](status, body), message


def pauses(provider: str, code: str, message: str) -> list[int]:
    """Returns how a client waits for an answer to change that never does."""
    helps = code in PASSING[provider] and "credits" not in message
    return PAUSES[provider] if helps else []


class Shown(NamedTuple):
    """An answer that a document shows."""

    reading: Reading
    status: int
    media_type: str
    body: Any


def decimals(body: Any) -> Any:
    """Reads the numbers of an example as they are printed."""
    return json.loads(json.dumps(body), parse_float=Decimal, parse_int=Decimal)


def shown() -> list[Shown]:
    found = []
    for reading in READINGS:
        data = openapi_document(reading.provider)
        responses = Document(data).operations()[reading.operation][2]["responses"]
        for status, declared in responses.items():
            for media_type, content in resolved(data, declared)["content"].items():
                found += [
                    Shown(reading, int(status), media_type, decimals(example))
                    for example in examples(content)
                ]
    return found


@pytest.mark.parametrize(
    "row",
    shown(),
    ids=[f"{n}-{row.reading.operation}-{row.status}" for n, row in enumerate(shown())],
)
def test_a_client_understands_every_answer_that_its_document_shows(row: Shown) -> None:
    reading, body, patience = row.reading, row.body, Patience()
    if row.status == httpx.codes.OK:
        expected = meant(reading, body)
        assert asked(reading, reading.serve(body), patience) == expected
    else:
        content = body.encode() if isinstance(body, str) else ENCODER.encode(body)
        headers = {"Content-Type": row.media_type}
        expected = refusal(reading.provider, row.status, body)
        answer = httpx.Response(row.status, headers=headers, content=content)
        assert asked(reading, lambda request: answer, patience) == expected
    failed = isinstance(expected, tuple)
    assert patience.slept == (pauses(reading.provider, *expected) if failed else [])


# What no client may take for an amount


def says(content: str, status: int = 200) -> Stub:
    return lambda request: httpx.Response(status, headers=JSON, content=content.encode())


def in_turn(*stubs: Stub) -> Stub:
    left = iter(stubs)

    def answer(request: httpx.Request) -> httpx.Response:
        return next(left)(request)

    return answer


def small(reading: Reading, amount: str = "") -> Stub:
    """Says one row; the amount is 1.5, or what is given."""
    good = "1.5" if reading.bad[0] == BARE[0] else '"1.5"'
    return says(reading.small.replace("?", amount or good))


@every_reading
def test_a_client_takes_nothing_for_an_amount_that_is_none(reading: Reading) -> None:
    (row,) = asked(reading, small(reading))
    assert row.count("Decimal('1.5')") == 1
    codes = {hole: asked(reading, small(reading, hole))[0] for hole in reading.bad}
    assert codes == dict.fromkeys(reading.bad, "malformed")


@every_reading
@pytest.mark.parametrize(
    "content", ["<p>", "7", "null", '{"a":1}', '{"balances":7,"data":7}', "[[7]]"]
)
def test_a_client_reads_nothing_from_an_answer_of_another_kind(
    reading: Reading, content: str
) -> None:
    patience = Patience()
    code, _ = asked(reading, says(content), patience)
    assert (code, patience.slept) == ("malformed", [])


# What passes, and what does not


@every_reading
def test_a_client_gives_up_in_the_end(reading: Reading) -> None:
    asks: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asks.append(request)
        return httpx.Response(502, text="Bad gateway")

    patience = Patience()
    assert asked(reading, refuse, patience) == ("502", "Bad gateway")
    assert patience.slept == PAUSES[reading.provider]
    assert len(asks) == len(PAUSES[reading.provider]) + 1


@every_reading
def test_a_client_tells_that_nobody_listens(reading: Reading) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens")

    patience = Patience()
    assert asked(reading, fail, patience) == ("unreachable", "nobody listens")
    assert patience.slept == PAUSES[reading.provider]


@every_reading
@pytest.mark.parametrize(("status", "tries"), [(428, 1), (429, 2), (499, 1), (500, 2), (599, 2)])
def test_a_client_tries_again_after_429_and_5xx_alone(
    reading: Reading, status: int, tries: int
) -> None:
    stubs = [says("busy", status), small(reading)]
    patience = Patience()
    found = asked(reading, in_turn(*stubs), patience)
    assert patience.slept == [1] * (tries - 1)
    assert found == ((str(status), "busy") if tries == 1 else asked(reading, small(reading)))


@pytest.mark.parametrize("provider", ["cdp", "coinapi", "cpg"])
@pytest.mark.parametrize(("seconds", "slept"), [("7", 7), ("0", 1), ("", 1), ("no", 1), ("²", 1)])
def test_a_client_waits_as_long_as_it_is_told(provider: str, seconds: str, slept: int) -> None:
    headers = {"Retry-After": seconds.encode("latin-1")}
    stubs = [lambda request: httpx.Response(429, headers=headers), small(MAIN[provider])]
    patience = Patience()
    asked(MAIN[provider], in_turn(*stubs), patience)
    assert patience.slept == [slept]


def test_a_walk_that_leads_back_ends() -> None:
    pages = ["", "a", "b", "a"]
    asks: list[str] = []
    bearers: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        asks.append(request.url.params.get("pageToken", ""))
        bearers.add(request.headers["Authorization"])
        return told({"balances": [], "nextPageToken": pages[len(asks)]})

    assert asked(MAIN["cdp"], answer) == ("malformed", "a page token repeats")
    assert asks == ["", "a", "b"]
    assert len(bearers) == 3  # no two requests share a token, not even of one second


def test_timestamps_of_cpg_are_each_their_own_and_never_far_ahead() -> None:
    stamps: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        stamps.append(int(request.headers["X-CPG-Timestamp"]))
        return told({"data": []})

    patience = Patience()
    start = int(patience.now())
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = made("cpg", http, "http://stub", CREDENTIAL, patience)
        for _ in range(LEAD + 1):
            client.balances()
        assert patience.slept == []
        client.balances()
    assert patience.slept == [1]
    assert stamps == [start + n for n in range(LEAD + 2)]


# The running server


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
    return made(provider, http, handle.base_url, handle.credential(label), patience, **more)


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
    Case("somebody else's account", "cdp", balances, ("not_found", "Account not found."), label="stranger"),
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
    found = client.balances(server.cdp.credentials["accounts"]["many"])
    ledger = [
        (row.asset, Decimal(row.total - row.held), Decimal(row.total))
        for row in server.cdp.balances("many")
    ]
    assert sorted(written(found)) == sorted(written(ledger))
    assert len(found) == 250
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
    found = client.by_exchange(["KRAKEN", "BITMEX", "BITSTAMP", "GEMINI"])
    kinds = {id: type(result) for id, result in found.items()}
    assert kinds == {
        "KRAKEN": list,
        "BITMEX": RejectedError,
        "BITSTAMP": list,
        "GEMINI": RejectedError,
    }
    assert (len(found["KRAKEN"]), found["BITSTAMP"]) == (1, [])
    assert found["BITMEX"].code == "EXCHANGE_UNREACHABLE"
    with pytest.raises(CoinApiError, match="403: Forbidden"):
        client_of(server, "coinapi", http, patience, "reject-forbidden").by_exchange(["KRAKEN"])


BALANCE, STATUS = "get-exchange-balance", "get-exchange-sync-status"


def test_a_client_reads_again_when_the_portfolio_is_synced(
    server: MockServer, http: httpx.Client, patience: Patience
) -> None:
    client = client_of(server, "coinstats", http, patience)
    assert written(client.balances()) == written(COINS)
    # Two polls are told that it syncs, the next comes six seconds after the first call.
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
        found = balances(client_of(sandbox, provider, http, patience))
    with httpx.Client(trust_env=False) as http:
        patience.sleep(1)  # an equal request within the second would be a replay
        assert written(found) == written(balances(client_of(sandbox, provider, http, patience)))
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
        made = client.withdraw(*order, "first")
        assert usdt(server) == ("1500.000000", "251.500000")
        assert client.withdraw(*order, "first") == made
        assert usdt(server) == ("1500.000000", "251.500000")
        other = client.withdraw(*order, "second")
        assert usdt(server) == ("1500.000000", "303.000000")
    assert (made.id, made.status, other.id) == (1, "broadcasted", 2)
    assert (str(made.amount), str(made.fee)) == ("50.000000", "1.500000")
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
