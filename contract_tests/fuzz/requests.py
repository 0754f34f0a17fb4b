"""Well-formed requests to a provider: signed, then changed in one to three places, or not at all.

Changes before signing give a valid signature over odd content, changes behind it a wrong one.
"""

import json
import random
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from mockserver.client.provider import ProviderHandle
from mockserver.model.http import UnsignedRequest
from mockserver.model.times import SECOND

SENDABLE = re.compile(rb"[^\x21-\x7e]|#")  # what a target may not have, for HTTP's own sake
VALUES = [
    b"", b"0", b"1", b"-1", b"2", b"100", b"101", b"1e9", b"0.10", b"true", b"null", b"%00", b"%F0%9F%92%B0",
    b"%zz", b"%", b"+", b"a" * 300, b"9" * 40, b"USDT", b"ETH", b"btc", b"KRAKEN", b"BITMEX", b"binance",
    b"returnBalances", b"[]", b"..", b"%2F", b"1;2", b"\xff", "é".encode(), b"<b>", b"'", b"=", b"&",
]  # fmt: skip
NAMES = [
    b"pageSize", b"pageToken", b"exchange_id", b"currency", b"network", b"command", b"api_key", b"sign",
    b"connectionId", b"exchangeId", b"apikey", b"x", b"", b"__proto__", b"page", b"limit", b"timestamp",
]  # fmt: skip
HEADERS = [
    b"Authorization", b"X-CoinAPI-Key", b"X-API-KEY", b"X-CPG-Key", b"X-CPG-Timestamp", b"X-CPG-Signature",
    b"Content-Type", b"Accept", b"Origin", b"X-Forwarded-For", b"Cookie", b"X-Odd", b"Accept-Encoding", b"Range",
    b"Access-Control-Request-Method", b"If-None-Match",
]  # fmt: skip
METHODS = ["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
MEMBERS = [
    "connectionId", "connectionFields", "apiKey", "apiSecret", "currency", "network", "to_address", "amount",
    "reference", "exchangeId", "page", "",
]  # fmt: skip
JSON_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "0", "50.00", "-50", "1e5", "NaN", "USDT", "ETH", "binance", [], {}, [[]],
    {"a": 1}, "\ud83d\udcb0", "x" * 500,
]  # fmt: skip
SERVER_ERRORS = (
    "internal_error",
    "service_unavailable",
    "endpoint_unavailable",
    "not_implemented",
)


class Sent(NamedTuple):
    """A request as bytes; ``good`` says that nothing was changed, so that it must succeed."""

    data: bytes
    head: bool
    good: bool


def wire(request: UnsignedRequest) -> bytes:
    """Writes a request; what HTTP does not carry is replaced, the rest is sent as it is."""
    lines = [f"{request.method} ".encode() + SENDABLE.sub(b"~", request.target) + b" HTTP/1.1"]
    lines.append(b"Host: " + request.host.encode())
    lines += [name + b": " + re.sub(rb"[\x00-\x1f\x7f]", b"?", v) for name, v in request.headers]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(b"Content-Length: %d" % len(request.body))
    return b"\r\n".join([*lines, b"", b""]) + request.body


class Requests:
    """Draws requests to one provider of a sandbox."""

    def __init__(self, handle: ProviderHandle, gateway: str, *, withdrawals: bool) -> None:
        self.handle = handle
        self.host = urlsplit(gateway).netloc
        name = handle.provider.name
        # By the gateway's prefix or the provider's own port, the path below it is the same.
        self.prefix = urlsplit(handle.base_url).path.removesuffix(handle.provider.full_path())
        self.prefix = f"/{name}{self.prefix}"
        self._routes = [
            r for r in handle.provider.routes if withdrawals or "withdrawals" not in r.path
        ]
        labels = ["main", *handle.others]
        self._labels = [label for label in labels if not label.endswith(SERVER_ERRORS)]
        self._auth = {label: handle.auth_as(label) for label in labels}
        self.last_id = 1

    def good(self, chance: random.Random) -> Sent:
        """Draws a read that must be answered by 200; each is signed anew."""
        query = f"fuzz={chance.getrandbits(48)}" if self.handle.provider.name == "cpg" else ""
        signed = self._auth["main"].example(
            f"http://{self.host}{self.handle.provider.full_path()}", query
        )
        return Sent(wire(self._prefixed(signed)), head=False, good=True)

    def odd(self, chance: random.Random) -> Sent:
        """Draws a request that is changed in one to three places."""
        request = self._plain(chance)
        for _ in range(chance.randrange(3)):
            request = chance.choice(BEFORE)(request, chance)
        if chance.random() < 0.9:
            request = self._signed(request, chance)
        for _ in range(chance.choice([0, 0, 1, 2])):
            request = chance.choice(BEHIND)(request, chance)
        request = self._prefixed(request)
        return Sent(wire(request), request.method == "HEAD", good=False)

    def _plain(self, chance: random.Random) -> UnsignedRequest:
        route = chance.choice(self._routes)
        path, _, query = route.path.partition("?")
        account = [*(self.handle.credentials.get("accounts") or {}).values(), "main", ""]
        path = path.replace("{accountId}", chance.choice(account))
        path = path.replace("{asset}", chance.choice(["btc", "usd", "BTC", "none"]))
        path = path.replace("{id}", str(chance.randrange(self.last_id + 2)))
        body, headers = b"", ()
        if route.method in ("POST", "PATCH"):
            example = self._auth["main"].example(self.handle.base_url)
            body = example.body
            headers = tuple(h for h in example.headers if h[0] == b"Content-Type")
        if route.path.endswith("withdrawals"):
            amount = f"{chance.randrange(1, 3000) / 100:.2f}"
            order = {
                "currency": "USDT",
                "network": "TRX",
                "to_address": "0xrecipient0",
                "amount": amount,
            }
            body = json.dumps(order).encode()
            headers = ((b"Content-Type", b"application/json"),)
        full = self.handle.provider.full_path(path).encode()
        return UnsignedRequest(route.method, self.host, full, query.encode(), headers, body)

    def _signed(self, request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
        label = "main" if chance.random() < 0.8 else chance.choice(self._labels)
        drift = 0 if chance.random() < 0.9 else chance.randrange(-1000, 1000) * SECOND
        auth = self._auth[label]
        sign = self.handle.provider.sign
        key: Any = auth._credential  # noqa: SLF001 - signs at another time
        return sign(request, key, time.time_ns() + drift)

    def _prefixed(self, request: UnsignedRequest) -> UnsignedRequest:
        return replace(request, path=self.prefix.encode() + request.path)


# Changes


Change = Callable[[UnsignedRequest, random.Random], UnsignedRequest]


def _another_method(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    return replace(request, method=chance.choice(METHODS))


def _another_segment(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    segments = request.path.split(b"/")
    at = chance.randrange(1, len(segments) + 1)
    segments[at : at + chance.randrange(2)] = [chance.choice(VALUES)]
    return replace(request, path=b"/".join(segments))


def _segment_less(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    segments = request.path.split(b"/")
    del segments[chance.randrange(1, len(segments))]
    return replace(request, path=b"/".join(segments) or b"/")


def _escaped(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    at = chance.randrange(1, max(2, len(request.path)))
    path = request.path[:at] + b"%%%02x" % request.path[at - 1] + request.path[at:]
    return replace(request, path=path)


def _parameter(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    pair = chance.choice(NAMES) + chance.choice([b"=", b"=", b""]) + chance.choice(VALUES)
    parts = [part for part in request.query.split(b"&") if part]
    parts.insert(chance.randrange(len(parts) + 1), pair)
    return replace(request, query=b"&".join(parts))


def _parameter_less(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    parts = request.query.split(b"&")
    del parts[chance.randrange(len(parts))]
    return replace(request, query=b"&".join(parts))


def _member(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return replace(request, body=json.dumps(chance.choice(JSON_VALUES)).encode())
    if not isinstance(body, dict):
        return replace(request, body=b"{}")
    name = chance.choice([*body, *MEMBERS])
    if chance.random() < 0.3:
        body.pop(name, None)
    else:
        body[name] = chance.choice(JSON_VALUES)
    return replace(request, body=json.dumps(body).encode())


def _damaged_body(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    body = bytearray(request.body or b"{}")
    at = chance.randrange(len(body))
    body[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return replace(request, body=bytes(body))


def _nested_body(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    depth = chance.choice([10, 200, 2000])
    return replace(request, body=chance.choice([b"[", b'{"a":']) * depth)


def _header(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    value = chance.choice(
        [*VALUES, b"application/json", b"http://evil.test", b"Bearer x", b"text/plain"]
    )
    pair = chance.choice(HEADERS), value
    at = chance.randrange(len(request.headers) + 1)
    return replace(request, headers=(*request.headers[:at], pair, *request.headers[at:]))


def _header_less(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    if not request.headers:
        return request
    at = chance.randrange(len(request.headers))
    return replace(request, headers=(*request.headers[:at], *request.headers[at + 1 :]))


def _header_twice(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    return replace(request, headers=(*request.headers, *request.headers[:1]))


def _damaged_header(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    if not request.headers:
        return request
    at = chance.randrange(len(request.headers))
    name, value = request.headers[at]
    place = chance.randrange(len(value) + 1)
    changed = value[:place] + chance.randbytes(1) + value[place + chance.randrange(2) :]
    pairs = list(request.headers)
    pairs[at] = chance.choice([name, name.lower(), name.upper()]), changed
    return replace(request, headers=tuple(pairs))


def _damaged_query(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    if not request.query:
        return request
    at = chance.randrange(len(request.query))
    query = request.query[:at] + b"%c" % chance.choice(b"aZ0%&=+~") + request.query[at + 1 :]
    return replace(request, query=query)


def _unchanged(request: UnsignedRequest, chance: random.Random) -> UnsignedRequest:
    return request


CONTENT: list[Change] = [
    _another_method,
    _another_segment,
    _segment_less,
    _escaped,
    _parameter,
    _parameter_less,
    _member,
    _damaged_body,
    _nested_body,
    _header,
]
BEFORE: list[Change] = [_unchanged, *CONTENT]
BEHIND: list[Change] = [*CONTENT, _header_less, _header_twice, _damaged_header, _damaged_query]
