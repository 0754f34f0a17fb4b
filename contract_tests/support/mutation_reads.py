"""Reads whose good bodies are known to the byte."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx

from mockserver import HandClock, MockServer
from mockserver.faults.response_body import CONTENT_TYPE, MutableResponse
from mockserver.model.http import Response
from mockserver.model.provider import ResponsePaths

CLOCK = HandClock(1_747_444_800 * 10**9)


# Forty digits, what no double holds, what a double would write with an exponent
LONG, ODD, TINY = "1234567890123456789.123456789012345678901", "9007199254740993.10", "0.00000023"

ROWS: dict[str, list[dict[str, Any]]] = {
    "cdp": [
        {"asset": "long", "name": "Lång €", "decimals": 21, "total": LONG, "held": "0"},
        {"asset": "odd", "name": "Odd", "decimals": 8, "total": ODD, "held": TINY},
    ],
    "coinapi": [
        {"asset": "LONG", "venue": "KRAKEN", "total": LONG, "held": TINY},
        {"asset": "ODD", "venue": "KRAKEN", "total": ODD, "rate_usd": "1.50"},
    ],
    "coinstats": [
        {"asset": "long", "venue": "binance", "total": LONG, "price": ODD, "price_btc": TINY},
        {"asset": "odd", "venue": "binance", "total": "0", "price": "1.50"},
    ],
    "coinw": [{"asset": "LONG", "total": LONG}, {"asset": "ODD", "total": ODD, "held": TINY}],
    "cpg": [
        {"asset": "LONG", "venue": "ETH", "decimals": 21, "total": LONG, "held": "0"},
        {"asset": "ODD", "venue": "TRX", "decimals": 2, "total": ODD, "held": "1.50"},
    ],
}

LESS = "1234567890123456789.123456559012345678901"  # LONG - TINY
ODDER = "9007199254740993.09999977"  # ODD - TINY
ACCOUNT = "/v2/accounts/account_af2937b0-9846-4fe7-bfe9-ccc22d935114/balances"
PRIVATE = "/api/v1/private"

BINANCE = {
    "connectionId": "binance",
    "connectionFields": {
        "apiKey": "your_binance_api_key_here",
        "apiSecret": "your_binance_api_secret_here",
    },
}


class Read(NamedTuple):
    """One read, and what it answers without a rule."""

    provider: str
    method: str
    target: str
    body: bytes
    json: Any = None


def envelope(data: str) -> bytes:
    return f'{{"code":"200","data":{data},"msg":"SUCCESS","success":true,"failed":false}}'.encode()


READS = {
    "cdp": Read(
        "cdp",
        "GET",
        ACCOUNT,
        (
            '{"balances":['
            '{"asset":{"symbol":"long","type":"crypto","name":"Lång €","decimals":21},'
            f'"amount":{{"long":{{"available":"{LONG}","total":"{LONG}"}}}}}},'
            '{"asset":{"symbol":"odd","type":"crypto","name":"Odd","decimals":8},'
            f'"amount":{{"odd":{{"available":"{ODDER}","total":"{ODD}"}}}}}}'
            "]}"
        ).encode(),
    ),
    "coinapi": Read(
        "coinapi",
        "GET",
        "/v1/balances?exchange_id=KRAKEN",
        (
            '[{"exchange_id":"KRAKEN","data":['
            '{"asset_id_exchange":"LONG","asset_id_coinapi":"LONG",'
            f'"balance":{LONG},"available":{LESS},"locked":{TINY},'
            '"last_updated_by":"BALANCE_MANAGER","rate_usd":0,"traded":0},'
            '{"asset_id_exchange":"ODD","asset_id_coinapi":"ODD",'
            f'"balance":{ODD},"available":{ODD},"locked":0,'
            '"last_updated_by":"BALANCE_MANAGER","rate_usd":1.50,"traded":0}'
            "]}]"
        ).encode(),
    ),
    "coinstats": Read(
        "coinstats",
        "POST",
        "/v1/exchange/balance",
        (
            f'{{"balances":[{{"coinId":"long","amount":{LONG},"price":{ODD},"priceBtc":{TINY}}},'
            '{"coinId":"odd","amount":0,"price":1.50,"priceBtc":0}],'
            '"portfolio":{"id":"618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419",'
            '"status":"synced","connectionId":"binance"}}'
        ).encode(),
        BINANCE,
    ),
    "coinw": Read(
        "coinw",
        "POST",
        f"{PRIVATE}?command=returnBalances",
        envelope(f'{{"LONG":"{LONG}","ODD":"{ODDER}"}}'),
    ),
    "coinw complete": Read(
        "coinw",
        "POST",
        f"{PRIVATE}?command=returnCompleteBalances",
        envelope(
            f'{{"LONG":{{"onOrders":"0","available":"{LONG}"}},'
            f'"ODD":{{"onOrders":"{TINY}","available":"{ODDER}"}}}}'
        ),
    ),
    "cpg": Read(
        "cpg",
        "GET",
        "/v1/balances",
        (
            '{"success":true,"message":"OK","data":['
            f'{{"currency":"LONG","network":"ETH","balance":"{LONG}",'
            f'"held":"0.{"0" * 21}","available":"{LONG}"}},'
            f'{{"currency":"ODD","network":"TRX","balance":"{ODD}",'
            '"held":"1.50","available":"9007199254740991.60"}'
            '],"data_count":2}'
        ).encode(),
    ),
}


def ask(
    server: MockServer, provider: str, method: str, target: str, label: str = "main", **body: Any
) -> httpx.Response:
    """Asks in process, ten seconds after the request before."""
    CLOCK.advance("10s")
    handle = getattr(server, provider)
    with handle.client(label, transport=server.transport) as client:
        return client.request(method, target, **body)


def fetch(server: MockServer, name: str) -> tuple[bytes, bytes]:
    """Returns media type and body of a read; there is no other header."""
    read = READS[name]
    answer = ask(server, read.provider, read.method, read.target, json=read.json)
    assert answer.status_code == 200, answer.text
    assert set(answer.headers) - {"content-length"} == {"content-type"}
    return answer.headers["content-type"].encode(), answer.content


JSON = b"application/json"
Change = Callable[[bytes], bytes]


def swap(*pairs: str) -> Change:
    """Puts each second text in the place of the one before it, which must be there just once."""

    def change(body: bytes) -> bytes:
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert body.count(old.encode()) == 1, old
            body = body.replace(old.encode(), new.encode())
        return body

    return change


AMOUNTS = {"cdp": 4, "coinapi": 10, "coinstats": 6, "coinw": 2, "coinw complete": 4, "cpg": 6}


def plain(body: bytes) -> MutableResponse:
    return MutableResponse(
        Response(200, ((CONTENT_TYPE, JSON),), body), ResponsePaths(), "main", b"", ""
    )


MIB = 1024 * 1024


def total(server: MockServer, target: str = "", label: str = "main") -> bytes:
    return ask(server, "cdp", "GET", ACCOUNT + target, label).content
