"""Good requests of which one byte changed after signing are accused of nothing that was not done."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import pytest
from msgspec.structs import replace

from contract_tests.support.raw import exchange
from mockserver import HandClock, MockServer
from mockserver.model.http import UnsignedRequest

SEED = 1790
REQUESTS = 400  # of each provider
NOW = 1_747_444_800 * 10**9
PRINTABLE = bytes(range(0x21, 0x7F))

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
JSON = (b"Content-Type", b"application/json")
DRAFTS = {
    "coinapi": UnsignedRequest("GET", "", b"/v1/balances", b"exchange_id=KRAKEN"),
    "coinstats": UnsignedRequest("GET", "", b"/v1/usage/credits", b"note=a%2Cb"),
    "cpg": UnsignedRequest("POST", "", b"/v1/withdrawals", b"note=a%2Cb", (JSON,), b'{"a": "1,2"}'),
    "cpg path": UnsignedRequest("GET", "", b"/v1/withdrawals/12345"),
    "coinw": UnsignedRequest("POST", "", b"/api/v1/private", b"command=returnBalances&n=x+%2C", (FORM,), b"zone=1&b=2~"),
    "cdp": UnsignedRequest("GET", "", b"/platform/v2/accounts", b"pageSize=20"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer(limits="off", real=HandClock(NOW), quirks={"cpg.replay": "off"}) as server:
        yield server


def raw(signed: UnsignedRequest, host: str) -> bytes:
    """Returns a request as sent, with Content-Length at the front."""
    head = f"{signed.method} {signed.target.decode('latin-1')} HTTP/1.1\r\nHost: {host}\r\n"
    headers = b"".join(b"%b: %b\r\n" % pair for pair in signed.headers)
    length = b"Content-Length: %d\r\n" % len(signed.body) if signed.body else b""
    return head.encode("latin-1") + length + headers + b"\r\n" + signed.body


Change = Callable[[bytes], UnsignedRequest]


def places(signed: UnsignedRequest) -> Iterator[tuple[str, bytes, Change]]:
    """Yields the parts whose bytes may change: name, value, and the request with another value."""
    if signed.query:
        yield "query", signed.query, lambda new: replace(signed, query=new)
    start, _, end = signed.path.rpartition(b"/")
    if end.isdigit():
        yield "path", end, lambda new: replace(signed, path=start + b"/" + new)
    if signed.body:
        yield "body", signed.body, lambda new: replace(signed, body=new)
    for n, (name, value) in enumerate(signed.headers):
        if name != b"Content-Type":
            yield name.decode(), value, partial(with_header, signed, n)


def with_header(signed: UnsignedRequest, n: int, value: bytes) -> UnsignedRequest:
    headers = list(signed.headers)
    headers[n] = (headers[n][0], value)
    return replace(signed, headers=tuple(headers))


# What a request with a changed byte is, whoever changed it; "signed" rules say what was signed.
KEYS = {"one character of the key wrong", "key in another case", "unknown_credential"}
PATHS = {"unknown path", "double slash", "trailing slash"}  # a slash in the place of a digit
NO_TIME = ("is no number", "with a fraction", "with an exponent")
SEEN = {
    "coinapi": {*KEYS, "exchange not connected", "exchange id in another case"},
    "coinstats": KEYS,
    "cpg": {*KEYS, *PATHS, "clock drift", "negative timestamp", *(f"timestamp {t}" for t in NO_TIME)},
    "coinw": {*KEYS, "unknown operation", "missing sign", "missing api_key", "more than the key",
              "api_key under another name", "api_key under another name + name before the key"},
    "cdp": {"pageSize is 0", "whitespace or quotes around pageSize", "pageSize is empty", "pageSize is not a number", "pageSize is negative",
            "semicolon between parameters", "characters that are not base64url", "not a JWT",
            "header is not JSON", "header is not UTF-8", "payload is not JSON", "payload is not UTF-8",
            "part of the token cut or changed", "alg missing", "wrong alg", "kid missing",
            *KEYS, "unknown key id", "scheme is not Bearer", "no space after Bearer", "missing_credential"},
}  # fmt: skip


def is_true(part: str, before: bytes, after: bytes, rule: str) -> bool:
    """Returns whether a rule about what was signed holds for a changed part."""
    if rule == "another timestamp signed":
        return part == "X-CPG-Timestamp" and abs(int(before) - int(after)) <= 5
    if rule in ("upper-case hex", "lower-case hex"):
        return before.lower() == after.lower()
    if rule == "query re-encoded":
        return unquote_to_bytes(before) == unquote_to_bytes(after)
    return rule == "bad signature"


@pytest.mark.parametrize("name", list(DRAFTS))
def test_a_changed_byte_is_never_a_mistake_that_was_not_made(server: MockServer, name: str) -> None:
    provider = name.partition(" ")[0]
    rng, rules, wrong = random.Random(f"{SEED} {name}"), Counter[str](), []
    handle = getattr(server, provider)
    host = handle.base_url.split("/")[2]
    draft, key = replace(DRAFTS[name], host=host), SimpleNamespace(**handle.credentials)
    for _ in range(REQUESTS):
        signed = handle.provider.sign(draft, key, NOW)
        part, before, change = rng.choice(list(places(signed)))
        at = rng.randrange(len(before))
        byte = rng.choice([b for b in PRINTABLE if b != before[at] and chr(b) not in "?#"])
        after = before[:at] + bytes([byte]) + before[at + 1 :]
        server.clear_journal()
        exchange(handle.base_url, raw(change(after), host))
        [entry] = server.journal
        rule = entry.explanation["rule"] if entry.explanation else ""
        rules[rule] += 1
        if rule and rule not in SEEN[provider] and not is_true(part, before, after, rule):
            wrong.append((part, before, after, rule))
    assert wrong == []
    assert sum(rules.values()) - rules[""] > REQUESTS // 3
