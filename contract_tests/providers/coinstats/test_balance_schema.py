"""What the page about CoinStats' balance call says of its schema, one fact to a row.

A row is a place in the document, an attribute there and its value; ``names`` stands for the
names of what is there, in order. References are followed on the way.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.files.documents import openapi_document

DOCUMENT = openapi_document("coinstats")

CALL = "paths > /v1/exchange/balance > post"
SCHEMAS = "components > schemas"
QUERY = f"{SCHEMAS} > ExchangeBalanceQueryDto"
ANSWER = f"{SCHEMAS} > ExchangeBalanceResponseDto"
ITEM = f"{SCHEMAS} > ExchangeBalanceItemDto"
PORTFOLIO = f"{SCHEMAS} > PortfolioResponseDto"
KEY = "components > securitySchemes > X-API-KEY"


def ref(path: str) -> str:
    return "#/" + path.replace(" > ", "/")


PORTFOLIO_ID = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"

CALLED = [
    ("info", "title", "CoinStats Public API"),
    ("info", "version", "1.0"),
    ("servers > 0", "url", "https://openapiv1.coinstats.app"),
    (CALL, "operationId", "get-exchange-balance"),
    (CALL, "parameters", None),
    (f"{CALL} > requestBody", "required", True),
    (f"{CALL} > requestBody > content", "names", ["application/json"]),
    (f"{CALL} > requestBody > content > application/json > schema", "$ref", ref(QUERY)),
    (f"{CALL} > responses > 200 > content", "names", ["application/json"]),
    (f"{CALL} > responses > 200 > content > application/json > schema", "$ref", ref(ANSWER)),
    ("security > 0", "names", ["X-API-KEY"]),
    (KEY, "type", "apiKey"),
    (KEY, "in", "header"),
    (KEY, "name", "X-API-KEY"),
]

SHAPES = [
    (QUERY, "type", "object"),
    (QUERY, "required", ["connectionFields", "connectionId"]),
    (f"{QUERY} > properties", "names", ["connectionFields", "connectionId", "name"]),
    (f"{QUERY} > properties > connectionFields", "type", "object"),
    (f"{QUERY} > properties > connectionFields > additionalProperties", "type", "string"),
    (
        f"{QUERY} > properties > connectionFields",
        "example",
        {"apiKey": "your_binance_api_key_here", "apiSecret": "your_binance_api_secret_here"},
    ),
    (f"{QUERY} > properties > connectionId", "type", "string"),
    (f"{QUERY} > properties > connectionId", "example", "binance"),
    (f"{QUERY} > properties > name", "type", "string"),
    (f"{QUERY} > properties > name", "example", "My Binance Portfolio"),
    (ANSWER, "type", "object"),
    (ANSWER, "required", ["balances", "portfolio"]),
    (f"{ANSWER} > properties", "names", ["balances", "portfolio"]),
    (f"{ANSWER} > properties > balances", "type", "array"),
    (f"{ANSWER} > properties > balances > items", "$ref", ref(ITEM)),
    (f"{ANSWER} > properties > portfolio > allOf > 0", "$ref", ref(PORTFOLIO)),
    (ITEM, "type", "object"),
    (ITEM, "required", ["coinId", "amount", "price", "priceBtc"]),
    (f"{ITEM} > properties", "names", ["coinId", "amount", "price", "priceBtc"]),
    (f"{ITEM} > properties > coinId", "type", "string"),
    (f"{ITEM} > properties > coinId", "example", "popcat"),
    (f"{ITEM} > properties > amount", "type", "number"),
    (f"{ITEM} > properties > amount", "example", 0.00342),
    (f"{ITEM} > properties > price", "type", "number"),
    (f"{ITEM} > properties > price", "example", 0.25946),
    (f"{ITEM} > properties > priceBtc", "type", "number"),
    (f"{ITEM} > properties > priceBtc", "example", 0.0000023571544854315866),
    (PORTFOLIO, "type", "object"),
    (PORTFOLIO, "required", ["id", "status", "connectionId"]),
    (f"{PORTFOLIO} > properties", "names", ["id", "status", "connectionId", "name"]),
    (f"{PORTFOLIO} > properties > id", "type", "string"),
    (f"{PORTFOLIO} > properties > id", "example", PORTFOLIO_ID),
    (f"{PORTFOLIO} > properties > status", "type", "string"),
    (f"{PORTFOLIO} > properties > status", "example", "syncing"),
    (f"{PORTFOLIO} > properties > status", "enum", ["syncing", "synced"]),
    (f"{PORTFOLIO} > properties > connectionId", "type", "string"),
    (f"{PORTFOLIO} > properties > connectionId", "example", "bybit"),
    (f"{PORTFOLIO} > properties > name", "type", "string"),
    (f"{PORTFOLIO} > properties > name", "example", "My Binance Portfolio"),
]


def failure(status: int, message: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "message": message,
        "requestId": "11111111-2222-3333-4444-555555555555",
        "path": "<requested-endpoint>",
    }


DOWN = {"statusCode": 503, "message": "Service Unavailable. Please Contact Support"}

# Status, where its answer has the page's example, and that example.
FAILURES = [
    (400, " > examples > documented", "value", failure(400, "Bad Request")),
    (401, " > examples > key", "value", failure(401, "Unauthorized")),
    (403, "", "example", failure(403, "Forbidden")),
    (404, "", "example", failure(404, "Not Found")),
    (409, "", "example", failure(409, "Transactions not synced")),
    (429, " > examples > rate", "value", failure(429, "Rate limit exceeded")),
    (503, "", "example", DOWN),
]

ROWS = [
    *CALLED,
    *SHAPES,
    *(
        (f"{CALL} > responses > {status} > content > application/json{place}", name, value)
        for status, place, name, value in FAILURES
    ),
]


def step(node: Any, name: str) -> Any:
    return node[int(name)] if isinstance(node, list) else node[name]


def at(path: str) -> Any:
    """Returns what stands at a place; a reference is followed where the place lies behind it."""
    node: Any = DOCUMENT
    for name in path.split(" > "):
        if "$ref" in node:
            node = at(node["$ref"].removeprefix("#/").replace("/", " > "))
        node = step(node, name)
    return node


def said(path: str, attribute: str) -> Any:
    node = at(path)
    return list(node) if attribute == "names" else node.get(attribute)


@pytest.mark.parametrize(("path", "attribute", "value"), ROWS)
def test_document_says_what_the_page_says(path: str, attribute: str, value: Any) -> None:
    assert said(path, attribute) == value
    assert type(said(path, attribute)) is type(value)


# Where a schema goes on, and what is said in our own words.
INNER = ("properties", "items", "allOf", "additionalProperties")
OUR_OWN = ("description",)


def stated(path: str) -> Iterator[tuple[str, str]]:
    """Yields all that a schema states, by place and attribute."""
    node = at(path)
    for attribute in node.keys() - {*INNER, *OUR_OWN}:
        yield path, attribute
    if "properties" in node:
        yield f"{path} > properties", "names"
        for name in node["properties"]:
            yield from stated(f"{path} > properties > {name}")
    for n in range(len(node.get("allOf", []))):
        yield from stated(f"{path} > allOf > {n}")
    for inner in ("items", "additionalProperties"):
        if inner in node:
            yield from stated(f"{path} > {inner}")


@pytest.mark.parametrize("schema", [QUERY, ANSWER, ITEM, PORTFOLIO])
def test_document_says_nothing_that_the_page_does_not(schema: str) -> None:
    rows = {(path, attribute) for path, attribute, _ in SHAPES if path.startswith(schema)}
    assert set(stated(schema)) == rows
