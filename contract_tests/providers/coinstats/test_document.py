"""What the page about CoinStats' balance call says of its schema, and nothing beside it."""

import json
from typing import Any

import pytest

from mockserver.files.documents import openapi_document

DOCUMENT = openapi_document("coinstats")
CALL = DOCUMENT["paths"]["/v1/exchange/balance"]["post"]
SCHEMAS = "#/components/schemas"

SECRETS = {"apiKey": "your_binance_api_key_here", "apiSecret": "your_binance_api_secret_here"}
PORTFOLIO_ID = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"
MADE_UP_ID = "11111111-2222-3333-4444-555555555555"
DOWN = {"statusCode": 503, "message": "Service Unavailable. Please Contact Support"}


def text(example: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "example": example, **more}


def number(example: float) -> dict[str, Any]:
    return {"type": "number", "example": example}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"{SCHEMAS}/{name}"}


def a_record(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


FIELDS = {"type": "object", "additionalProperties": {"type": "string"}, "example": SECRETS}
PAGE = {
    "ExchangeBalanceQueryDto": a_record(
        {"connectionFields": FIELDS, "connectionId": text("binance"), "name": text("My Binance Portfolio")},
        "connectionFields", "connectionId",
    ),
    "ExchangeBalanceResponseDto": a_record(
        {
            "balances": {"type": "array", "items": ref("ExchangeBalanceItemDto")},
            "portfolio": {"allOf": [ref("PortfolioResponseDto")]},
        },
        "balances", "portfolio",
    ),
    "ExchangeBalanceItemDto": a_record(
        {
            "coinId": text("popcat"),
            "amount": number(0.00342),
            "price": number(0.25946),
            "priceBtc": number(0.0000023571544854315866),
        },
        "coinId", "amount", "price", "priceBtc",
    ),
    "PortfolioResponseDto": a_record(
        {
            "id": text(PORTFOLIO_ID),
            "status": text("syncing", enum=["syncing", "synced"]),
            "connectionId": text("bybit"),
            "name": text("My Binance Portfolio"),
        },
        "id", "status", "connectionId",
    ),
}  # fmt: skip


def without_descriptions(node: Any) -> Any:
    """Drops our own words."""
    if isinstance(node, list):
        return [without_descriptions(value) for value in node]
    if not isinstance(node, dict):
        return node
    return {n: without_descriptions(value) for n, value in node.items() if n != "description"}


@pytest.mark.parametrize("name", PAGE)
def test_a_schema_says_what_the_page_says_in_its_order(name: str) -> None:
    schema = without_descriptions(DOCUMENT["components"]["schemas"][name])
    assert json.dumps(schema) == json.dumps(PAGE[name])


def test_the_call_is_described_as_on_the_page() -> None:
    body = CALL["requestBody"]
    assert DOCUMENT["info"].items() >= {"title": "CoinStats Public API", "version": "1.0"}.items()
    assert DOCUMENT["servers"][0]["url"] == "https://openapiv1.coinstats.app"
    assert (CALL["operationId"], CALL.get("parameters")) == ("get-exchange-balance", None)
    assert (body["required"], list(body["content"])) == (True, ["application/json"])
    assert body["content"]["application/json"]["schema"] == ref("ExchangeBalanceQueryDto")
    assert list(CALL["responses"]["200"]["content"]) == ["application/json"]
    answer = CALL["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == ref("ExchangeBalanceResponseDto")
    assert list(DOCUMENT["security"][0]) == ["X-API-KEY"]
    scheme = without_descriptions(DOCUMENT["components"]["securitySchemes"]["X-API-KEY"])
    assert scheme == {"type": "apiKey", "in": "header", "name": "X-API-KEY"}


FAILURES = [
    (400, "documented", "Bad Request"),
    (401, "key", "Unauthorized"),
    (403, "", "Forbidden"),
    (404, "", "Not Found"),
    (409, "", "Transactions not synced"),
    (429, "rate", "Rate limit exceeded"),
    (503, "", ""),
]


@pytest.mark.parametrize(("status", "example", "message"), FAILURES)
def test_a_failure_has_the_example_of_the_page(status: int, example: str, message: str) -> None:
    declared: Any = CALL["responses"][str(status)]
    while "$ref" in declared:
        declared = DOCUMENT["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    content = declared["content"]["application/json"]
    example_shown = content["examples"][example]["value"] if example else content["example"]
    assert example_shown == DOWN if status == 503 else example_shown == {
        "statusCode": status,
        "message": message,
        "requestId": MADE_UP_ID,
        "path": "<requested-endpoint>",
    }  # fmt: skip
