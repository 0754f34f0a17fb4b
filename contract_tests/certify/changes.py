"""Ways in which planted clients change what they receive, or send it, before they read it."""

import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import httpx

Change = Callable[[str, httpx.Response], httpx.Response]

EMPTY: dict[str, bytes] = {
    "cdp": b'{"balances":[]}',
    "coinapi": b"[]",
    "coinstats": b'{"balances":[],"portfolio":{"id":"0","status":"synced","connectionId":"x"}}',
    "coinw": b'{"code":"200","data":{},"msg":"SUCCESS"}',
    "cpg": b'{"success":true,"data":[],"data_count":0}',
}
ROWS = {"cdp": "balances", "coinstats": "balances", "coinw": "data", "cpg": "data"}
DOCUMENTED = {
    *("balances", "nextPageToken", "asset", "symbol", "type", "name", "decimals", "amount"),
    *("available", "total", "exchange_id", "data", "asset_id_exchange", "asset_id_coinapi"),
    *("balance", "locked", "last_updated_by", "rate_usd", "traded", "coinId", "price"),
    *("priceBtc", "portfolio", "id", "status", "connectionId", "code", "msg", "success"),
    *("failed", "message", "data_count", "currency", "network", "held"),
}
ENUMS = {
    "type": {"crypto", "fiat"},
    "last_updated_by": {"EXCHANGE", "INITIALIZATION", "BALANCE_MANAGER"},
}
NEEDED = {
    "cdp": ("balances", 0, "amount", "usd"),
    "coinapi": (0, "data", 0, "rate_usd"),
    "coinw": ("success",),
}


class Changed(httpx.BaseTransport):
    """Passes requests on, and changes each response."""

    def __init__(self, provider: str, change: Change, *, partial: bool = False) -> None:
        self._provider, self._change, self._partial = provider, change, partial
        self._inner = httpx.HTTPTransport(verify=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = b""
        try:
            for part in response.stream:
                body += part
        except httpx.TransportError:
            if not self._partial:
                raise
        dropped = {"content-length", "transfer-encoding"}
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in dropped]
        return self._change(
            self._provider, httpx.Response(response.status_code, headers=headers, content=body)
        )

    def close(self) -> None:
        self._inner.close()


class Untrailed(httpx.HTTPTransport):
    """Decodes gzip without a look at its trailer."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if response.headers.get("content-encoding") != "gzip":
            return response
        body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(b"".join(response.stream)[10:])
        response.close()
        return with_body(response, body, response.status_code)


def with_body(response: httpx.Response, body: bytes, status: int = 200) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "application/json"}, content=body)


def rewritten(response: httpx.Response, body: bytes) -> httpx.Response:
    """Returns a response with another body, which is not in gzip."""
    headers = [(k, v) for k, v in response.headers.multi_items() if k != "content-encoding"]
    return httpx.Response(response.status_code, headers=headers, content=body)


def unchanged(provider: str, response: httpx.Response) -> httpx.Response:
    return response


def status_as_empty(*codes: int) -> Change:
    """An answer with one of these statuses is an account without rows."""

    def change(provider: str, response: httpx.Response) -> httpx.Response:
        return with_body(response, EMPTY[provider]) if response.status_code in codes else response

    return change


def code_as_empty(*codes: str) -> Change:
    """A CoinW envelope with one of these codes is an account without coins."""

    def change(provider: str, response: httpx.Response) -> httpx.Response:
        data = parsed(response)
        code = str(data.get("code")) if isinstance(data, dict) else ""
        return with_body(response, EMPTY[provider]) if code in codes else response

    return change


def parsed(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def unreadable_as_empty(provider: str, response: httpx.Response) -> httpx.Response:
    """A body that is no JSON, under a success, is an account without rows."""
    broken = response.is_success and parsed(response) is None
    return with_body(response, EMPTY[provider]) if broken else response


def first_document(provider: str, response: httpx.Response) -> httpx.Response:
    """Of several JSON documents the first is read."""
    try:
        _, end = json.JSONDecoder().raw_decode(response.text)
    except ValueError:
        return response
    return rewritten(response, response.content[:end])


def repaired(provider: str, response: httpx.Response) -> httpx.Response:
    """JSON that ends early is closed behind its last whole row."""
    if parsed(response) is not None or not response.is_success:
        return response
    ends = {"cdp": b"]}", "coinapi": b"]}]", "cpg": b"]}", "coinw": b'},"code":"200","msg":""}'}
    end = ends.get(provider, b"],%b" % EMPTY["coinstats"].partition(b"],")[2])
    separator = {"coinw": b",", "cdp": b"}}},"}.get(provider, b"},")
    rows = response.content.rpartition(separator)[0] + separator[:-1]
    return with_body(response, rows + end)


def missing_as_empty(provider: str, response: httpx.Response) -> httpx.Response:
    """A body without the rows is an account without rows."""
    data = parsed(response)
    if provider == "coinapi":
        wrong = isinstance(data, dict) and response.is_success
    else:
        wrong = isinstance(data, dict) and response.is_success and ROWS[provider] not in data
    polled = provider == "coinstats" and isinstance(data, dict) and data.keys() == {"status"}
    polled = polled and data["status"] in ("syncing", "synced")
    return with_body(response, EMPTY[provider]) if wrong and not polled else response


def null_as_empty(provider: str, response: httpx.Response) -> httpx.Response:
    """Rows that are null are no rows."""
    data = parsed(response)
    if isinstance(data, dict) and data.get(ROWS.get(provider, ""), 0) is None:
        return with_body(response, EMPTY[provider])
    if isinstance(data, list) and any(item["data"] is None for item in data):
        return with_body(response, EMPTY[provider])
    return response


def strict_members(provider: str, response: httpx.Response) -> httpx.Response:
    """An unknown member is an error."""
    if response.is_success:
        _require_known(parsed(response))
    return response


def _require_known(node: Any) -> None:
    if isinstance(node, dict):
        names = {name for name in node if any(c.isupper() for c in name) or "_" in name}
        unknown = {name for name in names if not name.isupper()} - DOCUMENTED
        if unknown:
            raise ValueError(f"unknown members {unknown}")
        if not isinstance(node.get("success", True), bool):
            raise ValueError("success is no boolean")
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        _require_known(value)


def strict_enums(provider: str, response: httpx.Response) -> httpx.Response:
    """An unknown word is an error."""

    def look(node: Any) -> None:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name in ENUMS and value not in ENUMS[name]:
                raise ValueError(f"{name} cannot be {value}")
            if isinstance(value, dict | list):
                look(value)

    if response.is_success and isinstance(data := parsed(response), dict | list):
        look(data)
    return response


def needs_optional(provider: str, response: httpx.Response) -> httpx.Response:
    """An absent optional member is an error."""
    node = parsed(response)
    rows = isinstance(node, list) or (isinstance(node, dict) and node.get(ROWS.get(provider, "")))
    if response.is_success and node and rows:
        for step in NEEDED[provider]:
            if node != []:
                node = node[step]
    return response


def exact_media_type(provider: str, response: httpx.Response) -> httpx.Response:
    """A media type with a parameter is an error."""
    if response.is_success and response.headers.get("content-type") != "application/json":
        raise ValueError(f"media type {response.headers.get('content-type')}")
    return response


# The places from which an amount was dropped, and what a careless client puts there.
ABSENT = {
    "cdp": (rb'\{"available":("[^"]*")\}', rb'{"available":\1,"total":"0"}'),
    "coinapi": (rb'("asset_id_coinapi":"\w*"),"available"', rb'\1,"balance":0,"available"'),
    "coinstats": (rb'("coinId":"\w*"),"price"', rb'\1,"amount":0,"price"'),
    "coinw": (rb'("BTC"):null', rb'\1:"0"'),
    "cpg": (rb'("network":"\w*"),"held"', rb'\1,"balance":"0","held"'),
}


def absent_as_zero(provider: str, response: httpx.Response) -> httpx.Response:
    """An absent amount is zero."""
    body = re.sub(*ABSENT[provider], response.content)
    return rewritten(response, body)


def null_as_zero(provider: str, response: httpx.Response) -> httpx.Response:
    """An amount of null is zero."""
    zero = rb"\1:0" if provider in ("coinapi", "coinstats") else rb'\1:"0"'
    body = re.sub(rb'("total"|"balance"|"amount"):null', zero, response.content)
    return rewritten(response, body)
