"""Reference clients against answers from memory: whatever a document allows, drawn by Schemathesis
from the schema, the answers that it shows, and answers that no client may believe.
"""

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import strategies as st

from contract_tests.clients.cpg import LEAD
from contract_tests.support.client_outcomes import (
    PAUSES,
    balances,
    complete,
    outcome,
    pauses,
    refusal,
    written,
)
from contract_tests.support.documents import examples, resolved
from contract_tests.support.openapi import Document
from contract_tests.support.patient_clients import (
    CLIENTS,
    Patience,
    beyond_float,
    for_all,
    new_client,
)
from mockserver.files.documents import openapi_document
from mockserver.model.http import Response

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
    """Returns schemas that allow undocumented members."""
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
        "responses": {"200": {"description": "Never sent."}},
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


def answer_of(body: Any, status: int = 200) -> httpx.Response:
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
    serve: Callable[[Any], Stub] = lambda body: lambda request: answer_of(body)


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
    rows = body["balances"]
    tokens = ["", *(f"from {n}" for n in range(2, len(rows), 2)), ""]
    pages = {
        token: body | {"balances": rows[2 * n : 2 * n + 2], "nextPageToken": following}
        for n, (token, following) in enumerate(pairwise(tokens))
    }
    return lambda request: answer_of(pages[request.url.params.get("pageToken", "")])


def once_synced(body: Any) -> Stub:
    """Serves the body, and tells a poll that the portfolio is synced."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answer_of({"status": "synced"} if request.method == "GET" else body)

    return answer


TEXT = ("1.5", '"NaN"', '"-Infinity"', '"1,5"', '""', "true", "null", "[]")
BARE = ('"1.5"', "NaN", "Infinity", "true", "[]")

READINGS = [
    Reading("cdp", "listBalances", balances, cdp_rows, '{"balances":[{"asset":{"symbol":"btc"},"amount":{"btc":{"available":"1","total":?}}}]}', TEXT, in_pages),
    Reading("coinapi", "getBalances", balances, coinapi_rows, '[{"exchange_id":"KRAKEN","data":[{"asset_id_exchange":"XBT","balance":?}]}]', BARE),
    Reading("coinstats", "get-exchange-balance", balances, coinstats_rows, '{"balances":[{"coinId":"bitcoin","amount":?,"price":1,"priceBtc":1}],"portfolio":{"status":"synced"}}', (*BARE, "null"), once_synced),
    # Older pages of CoinW have numbers.
    Reading("coinw", "returnBalances", balances, coinw_rows, '{"code":"200","msg":"SUCCESS","data":{"BTC":?}}', TEXT[1:]),
    Reading("coinw", "returnCompleteBalances", complete, coinw_complete_rows, '{"code":"200","msg":"SUCCESS","data":{"BTC":{"onOrders":"0","available":?}}}', TEXT[1:]),
    Reading("cpg", "listBalances", balances, cpg_rows, '{"data":[{"currency":"BTC","network":"BTC","balance":"2","held":"0","available":?}]}', TEXT),
]  # fmt: skip
MAIN = {reading.provider: reading for reading in reversed(READINGS)}
every_reading = pytest.mark.parametrize("reading", READINGS, ids=[r.operation for r in READINGS])
every_provider = pytest.mark.parametrize("provider", CLIENTS)

# What the clients receive, unchecked.
CREDENTIAL = {
    "key_id": "key",
    "key_secret": "ERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw==",
    "api_key": "key",
    "secret_key": "secret",
    "secret": "secret",
    "connection_id": "binance",
    "connection_fields": {"apiKey": "key", "apiSecret": "secret"},
}


def read_from(reading: Reading, stub: Stub, patience: Patience | None = None) -> Any:
    """Returns the outcome of a read that a stub answers."""
    patience = patience or Patience()
    with httpx.Client(transport=httpx.MockTransport(stub)) as http:
        client = new_client(reading.provider, http, "http://stub", CREDENTIAL, patience)
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


def amounts(rows: Sequence[tuple[Any, ...]]) -> list[Decimal]:
    return [value for row in rows for value in row if isinstance(value, Decimal)]


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
        assert read_from(reading, reading.serve(body)) == expected
        extra.update(unannounced(data, body))
        seen.append(reading.rows(body) if isinstance(expected, list) else [])

    for_all(answers(reading.provider, reading.operation), check, 16)
    drawn_amounts = [amount for listed in seen for amount in amounts(listed)]
    # Without these the clients would prove little, and one with floats would pass.
    assert min(map(len, seen)) == 0
    assert max(map(len, seen)) >= MANY
    assert max(len(amount.as_tuple().digits) for amount in drawn_amounts) >= 40
    assert any(amount == amount.to_integral_value() for amount in drawn_amounts)
    assert sum(map(beyond_float, drawn_amounts)) > 10
    assert extra


# What the documents show


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
    answers_shown = []
    for reading in READINGS:
        data = openapi_document(reading.provider)
        responses = Document(data).operations()[reading.operation][2]["responses"]
        for status, declared in responses.items():
            for media_type, content in resolved(data, declared)["content"].items():
                answers_shown += [
                    Shown(reading, int(status), media_type, decimals(example))
                    for example in examples(content)
                ]
    return answers_shown


@pytest.mark.parametrize(
    "row",
    shown(),
    ids=[f"{n}-{row.reading.operation}-{row.status}" for n, row in enumerate(shown())],
)
def test_a_client_understands_every_answer_that_its_document_shows(row: Shown) -> None:
    reading, body, patience = row.reading, row.body, Patience()
    if row.status == httpx.codes.OK:
        expected = meant(reading, body)
        assert read_from(reading, reading.serve(body), patience) == expected
    else:
        content = body.encode() if isinstance(body, str) else ENCODER.encode(body)
        headers = {"Content-Type": row.media_type}
        expected = refusal(reading.provider, row.status, body)
        answer = httpx.Response(row.status, headers=headers, content=content)
        assert read_from(reading, lambda request: answer, patience) == expected
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
def test_a_client_refuses_a_value_that_is_no_amount(reading: Reading) -> None:
    (row,) = read_from(reading, small(reading))
    assert row.count("Decimal('1.5')") == 1
    codes = {hole: read_from(reading, small(reading, hole))[0] for hole in reading.bad}
    assert codes == dict.fromkeys(reading.bad, "malformed")


@every_reading
@pytest.mark.parametrize(
    "content", ["<p>", "7", "null", '{"a":1}', '{"balances":7,"data":7}', "[[7]]"]
)
def test_a_client_reads_nothing_from_an_answer_of_another_kind(
    reading: Reading, content: str
) -> None:
    patience = Patience()
    code, _ = read_from(reading, says(content), patience)
    assert (code, patience.slept) == ("malformed", [])


# What passes, and what does not


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no server")


@every_reading
def test_a_client_gives_up_in_the_end(reading: Reading) -> None:
    bad_gateway = httpx.Response(502, text="Bad gateway")
    for stub, expected in (
        (lambda request: bad_gateway, ("502", "Bad gateway")),
        (unreachable, ("unreachable", "no server")),
    ):
        patience = Patience()
        assert read_from(reading, stub, patience) == expected
        assert patience.slept == PAUSES[reading.provider]


@every_reading
@pytest.mark.parametrize(("status", "tries"), [(428, 1), (429, 2), (499, 1), (500, 2), (599, 2)])
def test_a_client_tries_again_after_429_and_5xx_alone(
    reading: Reading, status: int, tries: int
) -> None:
    stubs = [says("busy", status), small(reading)]
    patience = Patience()
    result = read_from(reading, in_turn(*stubs), patience)
    assert patience.slept == [1] * (tries - 1)
    assert result == ((str(status), "busy") if tries == 1 else read_from(reading, small(reading)))


@pytest.mark.parametrize("provider", ["cdp", "coinapi", "cpg"])
@pytest.mark.parametrize(("seconds", "slept"), [("7", 7), ("0", 1), ("", 1), ("no", 1), ("²", 1)])
def test_a_client_waits_as_long_as_it_is_answer_of(provider: str, seconds: str, slept: int) -> None:
    headers = {"Retry-After": seconds.encode("latin-1")}
    stubs = [lambda request: httpx.Response(429, headers=headers), small(MAIN[provider])]
    patience = Patience()
    read_from(MAIN[provider], in_turn(*stubs), patience)
    assert patience.slept == [slept]


def test_a_walk_that_leads_back_ends() -> None:
    pages = ["", "a", "b", "a"]
    asks: list[str] = []
    bearers: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        asks.append(request.url.params.get("pageToken", ""))
        bearers.add(request.headers["Authorization"])
        return answer_of({"balances": [], "nextPageToken": pages[len(asks)]})

    assert read_from(MAIN["cdp"], answer) == ("malformed", "a page token repeats")
    assert asks == ["", "a", "b"]
    assert len(bearers) == 3  # no two requests share a token, not even of one second


def test_timestamps_of_cpg_are_each_their_own_and_never_far_ahead() -> None:
    stamps: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        stamps.append(int(request.headers["X-CPG-Timestamp"]))
        return answer_of({"data": []})

    patience = Patience()
    start = int(patience.now())
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = new_client("cpg", http, "http://stub", CREDENTIAL, patience)
        for _ in range(LEAD + 1):
            client.balances()
        assert patience.slept == []
        client.balances()
    assert patience.slept == [1]
    assert stamps == [start + n for n in range(LEAD + 2)]
