"""Explanations of rejected X-CPG requests: each names the rule that the request breaks.

The requests are signed by a signer of our own that takes the mistake as a parameter.
"""

import base64
import gzip
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import httpx
import pytest
import requests

from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer
from mockserver.explain import TRIES_MAX, signature
from mockserver.explain.attempts import digest, message

NOW = 1_747_444_800
SECOND = 10**9
SECRET = hashlib.sha256(b"main").hexdigest()  # can be read as hex and as base64
OTHER_SECRET = hashlib.sha256(b"other").hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()
UNSOLVED = "no known mistake reproduces this signature"

KEYS = {
    "main": {"key_id": "cpg_main_key", "secret": SECRET},
    "other": {"key_id": "cpg_other_key", "secret": OTHER_SECRET},
    "locked": {"key_id": "cpg_locked_key", "secret": SECRET, "ip_whitelist": ["203.0.113.7", "10.0.0.0/8"]},
    "poor": {"key_id": "cpg_poor_key", "secret": SECRET, "permissions": ["withdraw", "list_currencies"]},
    "revoked": {"key_id": "cpg_revoked_key", "secret": SECRET, "revoked": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """A server whose keys have secrets of their own, and whose time stands still."""
    world = tmp_path_factory.mktemp("world") / "mistakes.yaml"
    keys = {label: key | {"account": "main"} for label, key in KEYS.items()}
    world.write_text(json.dumps({"cpg": {"keys": keys, "accounts": {"main": {}}}}))
    with MockServer(str(world), limits="off", real=HandClock(NOW * SECOND)) as server:
        yield server


@pytest.fixture
def server(standing: MockServer) -> MockServer:
    standing.reset()
    return standing


# The signer


@dataclass(frozen=True)
class Call:
    """A request, and everything that makes its signature; right unless it was changed."""

    sent_method: str = "GET"
    sent_path: str = "/v1/balances"
    sent_query: str = ""
    sent_body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    key_id: str = "cpg_main_key"
    sent_timestamp: str = str(NOW)
    timestamp: bytes = str(NOW).encode()
    method: bytes = b"GET"
    path: bytes = b"/v1/balances"
    query: bytes = b""
    body: bytes = EMPTY.encode()
    key: bytes = b"cpg_main_key"
    order: tuple[str, ...] = ("timestamp", "method", "path", "query", "body")
    separator: bytes = b"\n"
    end: bytes = b""
    secret: bytes = SECRET.encode()
    digest: Callable[[bytes, bytes], bytes] = lambda key, text: hmac.digest(key, text, "sha256")
    write: Callable[[bytes], str] = bytes.hex

    def text(self) -> bytes:
        return self.separator.join([getattr(self, name) for name in self.order]) + self.end

    def signature(self) -> str:
        return self.write(self.digest(self.secret, self.text()))

    def signed(self) -> dict[str, str]:
        return {
            "X-CPG-Key": self.key_id,
            "X-CPG-Timestamp": self.sent_timestamp,
            "X-CPG-Signature": self.signature(),
            **dict(self.headers),
        }


def call(
    method: str = "GET", path: str = "/v1/balances", query: str = "", body: bytes = b""
) -> Call:
    hashed = hashlib.sha256(body).hexdigest().encode()
    return Call(method, path, query, body, method=method.encode(), path=path.encode(), query=query.encode(), body=hashed)  # fmt: skip


ORDER = b'{"currency":"USDT", "network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'
READ = call()
ASKED = call(query="network=ETH&currency=USDT%20%2F")
POSTED = call("POST", "/v1/withdrawals", body=ORDER)
NUMBERED = call("POST", "/v1/withdrawals", "n=1", ORDER)
SHOWN = call(path="/v1/withdrawals/12345")
TILDE = call(path="/v1/withdrawals/~1")
ESCAPED_QUERY = call(query="a=x%2Cy&b=~z")
PLAIN_QUERY = call(query="a=~x,y")
GAPS = call(query="a=&b=1&c=")
ENDED = call(query="a=1&")
ZIPPED = call("POST", "/v1/withdrawals", body=gzip.compress(ORDER, mtime=0))
REQUESTS = {
    "read": READ,
    "asked": ASKED,
    "posted": POSTED,
    "numbered": NUMBERED,
    "escaped": ESCAPED_QUERY,
    "plain": PLAIN_QUERY,
    "gaps": GAPS,
    "ended": ENDED,
    "zipped": ZIPPED,
    "tilde": TILDE,
}


def send(server: MockServer, wrong: Call, host: str = "127.0.0.1:8495") -> bytes:
    target = wrong.sent_path + (f"?{wrong.sent_query}" if wrong.sent_query else "")
    headers = {"Host": host, **wrong.signed()}
    return exchange(server.cpg.base_url, get(target, headers, wrong.sent_method, wrong.sent_body))


def explanation_of(
    server: MockServer, wrong: Call, reason: str = "bad_signature"
) -> dict[str, str]:
    """Sends a wrong request, holds why it was refused and returns the explanation."""
    server.clear_journal()  # a long one takes long to read
    send(server, wrong)
    entry = server.journal[-1]
    assert entry.reason == reason
    assert entry.explanation is not None
    return entry.explanation


# Mistakes, each as a change of the signer

Change = Callable[[Call], Call]
AUTHORITY = b"127.0.0.1:8495"


def put(**members: Any) -> Change:
    return lambda c: replace(c, **members)


def secret(change: Callable[[bytes], bytes]) -> Change:
    return lambda c: replace(c, secret=change(c.secret))


def hashing(change: Callable[[Any], str]) -> Change:
    """Hashes the JSON as a client writes it for the hash, not as it is sent."""
    return lambda c: replace(c, body=sha(change(json.loads(c.sent_body)).encode()))


def sha(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def left_out(name: str) -> Change:
    return lambda c: replace(c, order=tuple(n for n in c.order if n != name))


def ordered(*names: str) -> Change:
    return lambda c: replace(c, order=tuple(name for name in names if name in c.order))


def hashed(name: str, *order: str) -> Change:
    """Takes a plain hash of secret and text, in this order, for the HMAC."""

    def digest(key: bytes, text: bytes) -> bytes:
        parts = {"secret": key, "text": text}
        return hashlib.new(name, b"".join(parts[part] for part in order)).digest()

    return put(digest=digest)


def hmac_by(name: str) -> Change:
    return put(digest=lambda key, text: hmac.digest(key, text, name))


ANY = ("read", "asked", "posted")
QUERY = ("asked",)
BODY = ("posted",)
NO_BODY = ("read", "asked")

COMPACT = {"separators": (",", ":")}
MISTAKES: list[tuple[str, str, tuple[str, ...], Change]] = [
    # name of the row, rule, requests, change
    ("the query forgotten", "query not signed", QUERY, put(query=b"")),
    ("path and query in one", "query in the path", QUERY, lambda c: left_out("query")(replace(c, path=c.path + b"?" + c.query))),
    ("path and query in one, the field empty", "query in the path", QUERY, lambda c: replace(c, path=c.path + b"?" + c.query, query=b"")),
    ("path with query, and the query", "query signed twice", QUERY, lambda c: replace(c, path=c.path + b"?" + c.query)),
    ("the question mark", "? signed", QUERY, lambda c: replace(c, query=b"?" + c.query)),
    ("a question mark before nothing", "? signed", ("read", "posted"), put(query=b"?")),
    ("parameters sorted", "query sorted", QUERY, lambda c: replace(c, query=b"&".join(sorted(c.query.split(b"&"))))),
    ("parameters decoded", "query decoded", QUERY, put(query=b"network=ETH&currency=USDT /")),
    ("parameters with plus", "query re-encoded", QUERY, put(query=b"network=ETH&currency=USDT+%2F")),
    ("the slash left as it is", "query re-encoded", QUERY, put(query=b"network=ETH&currency=USDT%20/")),
    ("encoded twice", "query re-encoded", QUERY, put(query=b"network=ETH&currency=USDT%2520%252F")),
    ("the whole query encoded", "query re-encoded", QUERY, lambda c: replace(c, query=quote(c.query, safe="").encode())),
    ("one parameter forgotten", "a parameter not signed", QUERY, put(query=b"network=ETH")),
    ("escapes in lower case", "query re-encoded", ("escaped",), put(query=b"a=x%2cy&b=~z")),
    ("an escaped tilde", "query re-encoded", ("escaped",), put(query=b"a=x%2Cy&b=%7Ez")),
    ("an escaped tilde, lower case", "query re-encoded", ("escaped",), put(query=b"a=x%2cy&b=%7ez")),
    ("tilde and comma escaped", "query re-encoded", ("plain",), put(query=b"a=%7Ex%2Cy")),
    ("an ampersand at the end", "& after the query", QUERY, lambda c: replace(c, query=c.query + b"&")),
    ("no ampersand at the end", "& after the query", ("ended",), put(query=b"a=1")),
    ("empty parameters left out", "empty parameters not signed", ("gaps",), put(query=b"b=1")),
    ("an escaped digit in the path", "path re-encoded", ("tilde",), put(path=b"/v1/withdrawals/%7E1")),
    ("the body before gzip", "body signed before it was compressed", ("zipped",), put(body=sha(ORDER))),
    ("milliseconds signed, seconds sent", "milliseconds signed", ANY, lambda c: replace(c, timestamp=c.timestamp + b"000")),
    ("microseconds signed, seconds sent", "microseconds signed", ANY, lambda c: replace(c, timestamp=c.timestamp + b"000000")),
    ("a float signed", "timestamp signed with a fraction", ANY, lambda c: replace(c, timestamp=c.timestamp + b".0")),
    ("the time taken twice, one second apart", "another timestamp signed", ANY, put(timestamp=b"%d" % (NOW - 1))),
    ("the time taken twice, the signature later", "another timestamp signed", ANY, put(timestamp=b"%d" % (NOW + 1))),
    ("a slow request", "another timestamp signed", ANY, put(timestamp=b"%d" % (NOW - 5))),
    ("get for GET", "lower-case method", ANY, lambda c: replace(c, method=c.method.lower())),
    ("Get for GET", "another method signed", ANY, lambda c: replace(c, method=c.method.title())),
    ("another method", "another method signed", ANY, put(method=b"PUT")),
    ("the host in front", "host in the path", ANY, lambda c: replace(c, path=AUTHORITY + c.path)),
    ("the host without its port", "host in the path", ANY, lambda c: replace(c, path=b"127.0.0.1" + c.path)),
    ("the URL", "URL in the path", ANY, lambda c: replace(c, path=b"http://" + AUTHORITY + c.path)),
    ("the URL as it would be in production", "URL in the path", ANY, lambda c: replace(c, path=b"https://" + AUTHORITY + c.path)),
    ("the URL with its query", "URL in the path", QUERY, lambda c: left_out("query")(replace(c, path=b"http://" + AUTHORITY + c.path + b"?" + c.query))),
    ("/v1 in the base URL", "base path not signed", ANY, lambda c: replace(c, path=c.path.removeprefix(b"/v1"))),
    ("/v1 in the base URL, and in the path", "base path signed twice", ANY, lambda c: replace(c, path=b"/v1" + c.path)),
    ("a slash at the end", "slash after the path", ANY, lambda c: replace(c, path=c.path + b"/")),
    ("no slash at the start", "no slash before the path", ANY, lambda c: replace(c, path=c.path[1:])),
    ("nothing for the hash of nothing", "no hash for an empty body", NO_BODY, put(body=b"")),
    ("no line for the hash of nothing", "no hash for an empty body", NO_BODY, left_out("body")),
    ("the hash of an empty object", "hash of {}", ANY, put(body=sha(b"{}"))),
    ("the hash of null", "hash of null", ANY, put(body=sha(b"null"))),
    ("the hash of an empty JSON string", "hash of an empty value", ANY, put(body=sha(b'""'))),
    ("the hash of None", "hash of an empty value", ANY, put(body=sha(b"None"))),
    ("the hash of nothing with a body", "hash of nothing for a body", BODY, put(body=EMPTY.encode())),
    ("the body forgotten", "body not signed", BODY, put(body=b"")),
    ("the body's line forgotten", "body not signed", BODY, left_out("body")),
    ("the body itself", "body itself signed", BODY, put(body=ORDER)),
    ("JSON without spaces", "compact JSON hashed", BODY, hashing(lambda d: json.dumps(d, **COMPACT))),
    ("JSON with spaces", "spaced JSON hashed", BODY, hashing(json.dumps)),
    ("JSON sorted, with spaces", "sorted JSON hashed", BODY, hashing(lambda d: json.dumps(d, sort_keys=True))),
    ("JSON sorted, without spaces", "sorted JSON hashed", BODY, hashing(lambda d: json.dumps(d, sort_keys=True, **COMPACT))),
    ("the hash in capitals", "body hash in another encoding", ANY, lambda c: replace(c, body=c.body.upper())),
    ("the hash in base64", "body hash in another encoding", ANY, lambda c: replace(c, body=base64.b64encode(bytes.fromhex(c.body.decode())))),
    ("the hash as bytes", "body hash in another encoding", ANY, lambda c: replace(c, body=bytes.fromhex(c.body.decode()))),
    ("the body's MD5", "body hashed by another algorithm", ANY, lambda c: replace(c, body=hashlib.md5(c.sent_body).hexdigest().encode())),
    ("the body's SHA-512", "body hashed by another algorithm", ANY, lambda c: replace(c, body=hashlib.sha512(c.sent_body).hexdigest().encode())),
    ("joined by nothing", "no separator between fields", ANY, put(separator=b"")),
    ("joined by a bar", "another separator between fields", ANY, put(separator=b"|")),
    ("joined by a comma", "another separator between fields", ANY, put(separator=b",")),
    ("joined by a space", "another separator between fields", ANY, put(separator=b" ")),
    ("joined by CRLF", "another separator between fields", ANY, put(separator=b"\r\n")),
    ("joined by a dot", "another separator between fields", ANY, put(separator=b".")),
    ("joined by a tab", "another separator between fields", ANY, put(separator=b"\t")),
    ("the shell's backslash n", "backslash n for the newline", ANY, put(separator=b"\\n")),
    ("echo's newline", "newline after the string", ANY, put(end=b"\n")),
    ("a CRLF at the end", "newline after the string", ANY, put(end=b"\r\n")),
    ("the time last", "fields in another order", ANY, ordered("method", "path", "query", "body", "timestamp")),
    ("the method first", "fields in another order", ANY, ordered("method", "timestamp", "path", "query", "body")),
    ("the hash before the query", "fields in another order", ANY, put(order=("timestamp", "method", "path", "body", "query"))),
    ("backwards", "fields in another order", ANY, put(order=("body", "query", "path", "method", "timestamp"))),
    ("without the time", "timestamp not signed", ANY, left_out("timestamp")),
    ("without the method", "method not signed", ANY, left_out("method")),
    ("without the path", "path not signed", ANY, left_out("path")),
    ("without the empty line", "no line for the query", ("read", "posted"), left_out("query")),
    ("the key id signed first", "key id signed", ANY, lambda c: replace(c, order=("key", *c.order))),
    ("the key id signed last", "key id signed", ANY, lambda c: replace(c, order=(*c.order, "key"))),
    ("the webhooks' scheme", "the webhooks' string signed", BODY, put(order=("timestamp", "body"), body=ORDER)),
    ("as other exchanges sign", "another exchange's string signed", ("numbered",), lambda c: replace(c, path=c.path + b"?" + c.query, order=("timestamp", "method", "path", "body"), body=ORDER, separator=b"")),
    ("a line end from a file", "newline after the secret", ANY, secret(lambda s: s + b"\n")),
    ("a line end of Windows", "newline after the secret", ANY, secret(lambda s: s + b"\r\n")),
    ("a blank before the secret", "whitespace around the secret", ANY, secret(lambda s: b" " + s)),
    ("a blank behind the secret", "whitespace around the secret", ANY, secret(lambda s: s + b" ")),
    ("quotes from a .env file", "quotes around the secret", ANY, secret(lambda s: b'"' + s + b'"')),
    ("single quotes", "quotes around the secret", ANY, secret(lambda s: b"'" + s + b"'")),
    ("the secret taken for hex", "secret decoded from hex", ANY, secret(lambda s: bytes.fromhex(s.decode()))),
    ("the secret taken for base64", "secret decoded from base64", ANY, secret(base64.b64decode)),
    ("the secret encoded", "secret written in hex or base64", ANY, secret(base64.b64encode)),
    ("a variable that is not set", "no secret", ANY, put(secret=b"")),
    ("a variable that is None", "no secret", ANY, put(secret=b"None")),
    ("key id and secret swapped in the HMAC", "key id for the secret", ANY, put(secret=b"cpg_main_key")),
    ("another key's secret", "another key's secret", ANY, put(secret=OTHER_SECRET.encode())),
    ("HMAC-SHA512", "HMAC-SHA512 for HMAC-SHA256", ANY, hmac_by("sha512")),
    ("HMAC-SHA1", "HMAC-SHA1 for HMAC-SHA256", ANY, hmac_by("sha1")),
    ("HMAC-MD5", "HMAC-MD5 for HMAC-SHA256", ANY, hmac_by("md5")),
    ("HMAC-SHA3", "another algorithm", ANY, hmac_by("sha3_256")),
    ("a plain hash, the secret in front", "plain hash, secret first", ANY, hashed("sha256", "secret", "text")),
    ("a plain hash, the secret behind", "plain hash, secret last", ANY, hashed("sha256", "text", "secret")),
    ("a plain hash, the secret on a line of its own", "plain hash, secret first", ANY, lambda c: hashed("sha256", "text")(replace(c, order=("secret", *c.order)))),
    ("a hash without the secret", "hash without the secret", ANY, hashed("sha256", "text")),
    ("a plain MD5, the secret behind", "MD5 for HMAC-SHA256 + plain hash, secret last", ANY, hashed("md5", "text", "secret")),
    ("the HMAC's arguments swapped", "key and message of the HMAC swapped", ANY, put(digest=lambda key, text: hmac.digest(text, key, "sha256"))),
    ("base64", "base64 for hex", ANY, put(write=lambda d: base64.b64encode(d).decode())),
    ("base64 without padding", "base64 for hex", ANY, put(write=lambda d: base64.b64encode(d).decode().rstrip("="))),
    ("base64 of the hex", "base64 of the hex", ANY, put(write=lambda d: base64.b64encode(d.hex().encode()).decode())),
    ("capitals", "upper-case hex", ANY, put(write=lambda d: d.hex().upper())),
    ("sha256=", "prefix before the signature", ANY, put(write=lambda d: f"sha256={d.hex()}")),
    ("0x", "prefix before the signature", ANY, put(write=lambda d: f"0x{d.hex()}")),
    ("HMAC-SHA256 in front", "prefix before the signature", ANY, put(write=lambda d: f"HMAC-SHA256 {d.hex()}")),
    ("quotes", "quotes around the signature", ANY, put(write=lambda d: f'"{d.hex()}"')),
    ("bytes written as text", "bytes literal for the signature", ANY, put(write=lambda d: repr(d.hex().encode()))),
    ("half a signature", "signature cut short", ANY, put(write=lambda d: d.hex()[:32])),
    ("a signature twice", "more than the signature", ANY, put(write=lambda d: f"{d.hex()}, {d.hex()}")),
]  # fmt: skip

ROWS = [(f"{about}, {name}", rule, REQUESTS[name], change) for about, rule, names, change in MISTAKES for name in names]  # fmt: skip


@pytest.mark.parametrize(("about", "rule", "right", "change"), ROWS, ids=[row[0] for row in ROWS])
def test_a_known_mistake_is_named(
    server: MockServer, about: str, rule: str, right: Call, change: Change
) -> None:
    explanation = explanation_of(server, change(right))
    assert explanation["rule"] == rule
    assert explanation["expected"] != explanation["received"]
    assert explanation["fix"]


# Two mistakes at once: those of one line are of one kind, and hide each other

LIKELY = [
    {"the query forgotten", "path and query in one", "the question mark", "parameters sorted", "parameters decoded", "parameters with plus"},
    {"get for GET"},
    {"the URL", "/v1 in the base URL", "a slash at the end"},
    {"milliseconds signed, seconds sent"},
    {"nothing for the hash of nothing", "the hash of an empty object", "the hash of null", "the hash of nothing with a body", "the body forgotten", "the body itself", "JSON without spaces", "JSON with spaces", "JSON sorted, with spaces"},
    {"joined by nothing", "joined by a bar", "joined by a comma", "joined by a space", "joined by CRLF", "the shell's backslash n"},
    {"echo's newline"},
    {"the time last", "the method first"},
    {"a line end from a file", "a blank before the secret", "a blank behind the secret", "the secret taken for hex", "the secret taken for base64"},
    {"HMAC-SHA512", "HMAC-SHA1", "HMAC-MD5"},
    {"base64", "base64 of the hex", "capitals", "sha256=", "quotes", "bytes written as text"},
]  # fmt: skip

# What two mistakes make together, and one alone or two others make as well.
COINCIDE = {
    frozenset(names): rule
    for *names, rule in (
        (
            "the question mark",
            "joined by nothing",
            "query in the path + no separator between fields",
        ),
        ("the URL", "path and query in one", "URL in the path"),
    )
}
BY_NAME = {about: (rule, names, change) for about, rule, names, change in MISTAKES}


def pairs(name: str) -> Iterator[tuple[str, str]]:
    for n, kind in enumerate(LIKELY):
        for others in LIKELY[n + 1 :]:
            for one in sorted(kind):
                for other in sorted(others):
                    if name in BY_NAME[one][1] and name in BY_NAME[other][1]:
                        yield one, other


@pytest.mark.parametrize("name", ANY)
def test_two_known_mistakes_are_both_named(server: MockServer, name: str) -> None:
    wrong, count = [], 0
    for one, other in pairs(name):
        count += 1
        (rule, _, change), (other_rule, _, other_change) = BY_NAME[one], BY_NAME[other]
        explanation = explanation_of(server, other_change(change(REQUESTS[name])))["rule"]
        alike = COINCIDE.get(frozenset({one, other}), f"{rule} + {other_rule}")
        if sorted(explanation.split(" + ")) != sorted(alike.split(" + ")):
            wrong.append((one, other, explanation))
    assert wrong == []
    assert count > 200


# Real clients, which write what they were given in their own way

MEMBERS = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50.00"}
FILTER = {"network": "ETH", "currency": "US DT"}
WITHDRAWALS, BALANCES = "/v1/withdrawals", "/v1/balances"


def posting(body: bytes) -> dict[str, str]:
    return call("POST", WITHDRAWALS, body=body).signed()


def reading(query: str) -> dict[str, str]:
    return call(path=BALANCES, query=query).signed()


COMPACT_ORDER, SPACED_ORDER = (json.dumps(MEMBERS, **how).encode() for how in (COMPACT, {}))
CLIENTS = [
    ("requests writes JSON with spaces", "compact JSON hashed", lambda url: requests.post(url + WITHDRAWALS, json=MEMBERS, headers=posting(COMPACT_ORDER), timeout=10)),
    ("httpx writes JSON without spaces", "spaced JSON hashed", lambda url: httpx.post(url + WITHDRAWALS, json=MEMBERS, headers=posting(SPACED_ORDER))),
    ("requests writes a space as a plus", "query decoded", lambda url: requests.get(url + BALANCES, params=FILTER, headers=reading("network=ETH&currency=US DT"), timeout=10)),
    ("requests keeps the order", "query sorted", lambda url: requests.get(url + BALANCES, params=FILTER, headers=reading("currency=US+DT&network=ETH"), timeout=10)),
    ("httpx writes a space as a plus", "query re-encoded", lambda url: httpx.get(url + BALANCES, params=FILTER, headers=reading("network=ETH&currency=US%20DT"))),
    ("requests sends a form for data=", "bad signature", lambda url: requests.post(url + WITHDRAWALS, data=MEMBERS, headers=posting(SPACED_ORDER), timeout=10)),
    ("requests sends nothing for an empty dictionary", "hash of {}", lambda url: requests.post(url + WITHDRAWALS, data={}, headers=posting(b"{}"), timeout=10)),
]  # fmt: skip


@pytest.mark.parametrize(("about", "rule", "ask"), CLIENTS, ids=[row[0] for row in CLIENTS])
def test_what_a_real_client_makes_of_a_request_is_told(
    server: MockServer, about: str, rule: str, ask: Callable[[str], Any]
) -> None:
    ask(server.cpg.base_url)
    entry = server.journal[-1]
    assert entry.reason == "bad_signature"
    assert entry.explanation["rule"] == rule


# What people read


def test_both_strings_are_shown_with_what_differs_between_marks(server: MockServer) -> None:
    assert explanation_of(server, replace(ASKED, query=b"")) == {
        "rule": "query not signed",
        "expected": rf"{NOW}\nGET\n/v1/balances\n>>network=ETH&currency=USDT%20%2F<<\n{EMPTY}",
        "received": rf"{NOW}\nGET\n/v1/balances\n>><<\n{EMPTY}",
        "fix": "Sign the query exactly as it is sent, in its order and encoding, without the ?.",
    }


def test_of_two_mistakes_each_has_its_sentence(server: MockServer) -> None:
    explanation = explanation_of(
        server, replace(READ, method=b"get", write=lambda d: d.hex().upper())
    )
    assert explanation == {
        "rule": "upper-case hex + lower-case method",
        "expected": rf"{NOW}\n>>GET<<\n/v1/balances\n\n{EMPTY}; in 64 digits of lower-case hex",
        "received": rf"{NOW}\n>>get<<\n/v1/balances\n\n{EMPTY}; upper-case hex",
        "fix": "Write the hex in lower case. Sign the method that is sent, in upper case.",
    }


def veil(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


MAIN = f"main secret:{veil(SECRET)}"
ASIDE = [
    (put(secret=SECRET.encode() + b"\n"), f"with {MAIN}", rf"with {MAIN}\n"),
    (put(secret=b'"' + SECRET.encode() + b'"'), f"with {MAIN}", f'with "{MAIN}"'),
    (put(secret=OTHER_SECRET.encode()), f"with {MAIN}", f"with other secret:{veil(OTHER_SECRET)}"),
    (put(secret=b"cpg_main_key"), f"with {MAIN}", f"with main key_id:{veil('cpg_main_key')}"),
    (put(secret=b""), f"with {MAIN}", f"with another text:{veil('')}"),
    (hmac_by("sha512"), "HMAC-SHA256", "HMAC-SHA512"),
    (hashed("sha256", "secret", "text"), "HMAC-SHA256", "SHA256, secret first"),
    (put(write=lambda d: base64.b64encode(d).decode()), "in 64 digits of lower-case hex", "base64 for hex"),
    (put(write=lambda d: d.hex()[:63]), "in 64 digits of lower-case hex", "signature cut short"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected", "received"), ASIDE, ids=[r[2] for r in ASIDE])
def test_what_differs_beside_the_string_is_said_in_words(
    server: MockServer, change: Change, expected: str, received: str
) -> None:
    explanation = explanation_of(server, change(READ))
    string = rf"{NOW}\nGET\n/v1/balances\n\n{EMPTY}"
    assert (explanation["expected"], explanation["received"]) == (
        f"{string}; {expected}",
        f"{string}; {received}",
    )


def test_what_differs_inside_a_redacted_value_is_said_in_words(server: MockServer) -> None:
    wrong = replace(call(query="secret=abcdef%2Fghi"), query=b"secret=abcdef/ghi")
    explanation = explanation_of(server, wrong)
    assert explanation["rule"] == "query decoded"
    assert explanation["expected"].endswith("; exactly as sent")
    assert explanation["received"].endswith("; query decoded")
    for name in ("expected", "received"):
        assert "abcdef" not in explanation[name]


def test_a_body_that_was_signed_is_not_shown(server: MockServer) -> None:
    explanation = explanation_of(server, replace(POSTED, body=ORDER))
    assert explanation["received"] == (
        rf"{NOW}\nPOST\n/v1/withdrawals\n\n>>(the body itself, {len(ORDER)} bytes)<<"
    )


UNKNOWN = [
    ("of another request", put(path=b"/v1/other"), f"{UNSOLVED} (redacted:4bec4b70)"),
    ("made up", put(write=lambda d: "ab" * 32), f"{UNSOLVED} (redacted:271a413b)"),
    ("no hex", put(write=lambda d: "z" * 64), f"{UNSOLVED}: its 64 characters are no digest of 32 bytes in hex or base64"),
    ("a UUID", put(write=lambda d: "123e4567-e89b-12d3-a456-426614174000"), f"{UNSOLVED}: its 36 characters are no digest of 32 bytes in hex or base64"),
    ("too short to be known", put(write=lambda d: d.hex()[:15]), f"{UNSOLVED}: its 15 characters are no digest of 32 bytes in hex or base64"),
    ("of another size", put(write=lambda d: "ab" * 64), f"{UNSOLVED}: it has 64 bytes, the size of SHA512, not 32"),
    ("of no size", put(write=lambda d: "ab" * 33), f"{UNSOLVED}: its 66 characters are no digest of 32 bytes in hex or base64"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "change", "received"), UNKNOWN, ids=[r[0] for r in UNKNOWN])
def test_what_no_known_mistake_makes_is_said_to_be_so(
    server: MockServer, about: str, change: Change, received: str
) -> None:
    assert explanation_of(server, change(READ)) == {
        "rule": "bad signature",
        "expected": rf"{NOW}\nGET\n/v1/balances\n\n{EMPTY}",
        "received": received,
        "fix": f"Compare the string that you sign with the expected one, then the secret ({MAIN})."
        " Use HMAC-SHA256: the secret is its key, the string its message."
        " Write it in lower-case hex.",
    }


def test_a_header_that_comes_twice_is_named(server: MockServer) -> None:
    right, wrong = READ.signed(), replace(READ, secret=b"nobody knows").signed()
    lines = [f"{name}: {value}\r\n" for name, value in [*wrong.items(), *right.items()]]
    head = f"GET {READ.sent_path} HTTP/1.1\r\nHost: x\r\n{''.join(lines)}\r\n"
    exchange(server.cpg.base_url, head.encode())
    explanation = server.journal[-1].explanation
    assert explanation["rule"] == "header sent twice: x-cpg-signature"
    assert explanation["fix"] == "Send each header once: of two the first counts."


# What is refused for another reason


ALL_THREE = "the headers X-CPG-Key, X-CPG-Timestamp and X-CPG-Signature, none of them empty"
NO_HEADER = [
    # headers as sent, rule, received, fix
    ({"Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature", "Send X-CPG-Key."),
    ({"Key": "cpg_main_key", "Signature": "ab"}, "missing X-CPG-Timestamp", "X-CPG-Key, X-CPG-Signature", "Send X-CPG-Timestamp."),
    ({"Key": "cpg_main_key", "Timestamp": "1"}, "missing X-CPG-Signature", "X-CPG-Key, X-CPG-Timestamp", "Send X-CPG-Signature."),
    ({"Signature": "ab"}, "missing X-CPG-Key, X-CPG-Timestamp", "X-CPG-Signature", "Send X-CPG-Key. Send X-CPG-Timestamp."),
    ({"Key": "", "Timestamp": "1", "Signature": "ab"}, "empty X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature", "Check that the variables that hold X-CPG-Key are set."),
    ({"Key": "", "Timestamp": "", "Signature": ""}, "empty X-CPG-Key, X-CPG-Timestamp, X-CPG-Signature", "none of them", "Check that the variables that hold X-CPG-Key, X-CPG-Timestamp, X-CPG-Signature are set."),
    ({"X-API-Key": "cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x-api-key", "Send X-CPG-Key, not the header x-api-key."),
    ({"Authorization": "Bearer cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header authorization", "Send X-CPG-Key, not the header authorization."),
    ({"X-Api-Key": "not_known", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x-api-key", "Send X-CPG-Key, not the header x-api-key."),
    ({"Key": "cpg_main_key", "Timestamp": "1", "X-CPG-Sign": "ab"}, "missing X-CPG-Signature", "X-CPG-Key, X-CPG-Timestamp, the header x-cpg-sign", "Send X-CPG-Signature, not the header x-cpg-sign."),
    ({"Key": "cpg_main_key", "X-CPG-Nonce": "1", "Signature": "ab"}, "missing X-CPG-Timestamp", "X-CPG-Key, X-CPG-Signature, the header x-cpg-nonce", "Send X-CPG-Timestamp, not the header x-cpg-nonce."),
    ({"Key": "cpg_main_key", "X-Timestamp": "1", "X-Signature": "ab"}, "missing X-CPG-Timestamp, X-CPG-Signature", "X-CPG-Key, the header x-timestamp, the header x-signature", "Send X-CPG-Timestamp, not the header x-timestamp. Send X-CPG-Signature, not the header x-signature."),
    ({"api-key": "cpg_main_key", "time": "1", "hmac": "ab"}, "missing X-CPG-Key, X-CPG-Timestamp, X-CPG-Signature", "the header api-key, the header time, the header hmac", "Send X-CPG-Key, not the header api-key. Send X-CPG-Timestamp, not the header time. Send X-CPG-Signature, not the header hmac."),
    ({"X_CPG_KEY": "cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x_cpg_key", "Send X-CPG-Key, not the header x_cpg_key."),
]  # fmt: skip
OWN = {"Key", "Timestamp", "Signature"}


@pytest.mark.parametrize(("headers", "rule", "received", "fix"), NO_HEADER)
def test_a_header_that_is_not_there_is_named(
    server: MockServer, headers: dict[str, str], rule: str, received: str, fix: str
) -> None:
    sent = {f"X-CPG-{name}" if name in OWN else name: value for name, value in headers.items()}
    exchange(server.cpg.base_url, get("/v1/balances", sent))
    entry = server.journal[-1]
    assert entry.reason == "missing_credential"
    assert entry.explanation == {
        "rule": rule,
        "expected": ALL_THREE,
        "received": received,
        "fix": fix,
    }


def test_a_key_in_the_query_or_the_body_is_found_there(server: MockServer) -> None:
    for target, body, place in (
        ("/v1/balances?api_key=cpg_main_key", b"", "parameter api_key"),
        ("/v1/balances", b'{"key":"cpg_main_key"}', "member key"),
    ):
        exchange(server.cpg.base_url, get(target, {}, "GET", body))
        explanation = server.journal[-1].explanation
        assert explanation["received"] == f"the {place}"
        assert explanation["fix"].startswith(
            f"Send X-CPG-Key, not the {place}. Send X-CPG-Timestamp."
        )


def test_the_names_of_headers_may_be_written_in_any_case(server: MockServer) -> None:
    headers = {name.upper(): value for name, value in READ.signed().items()}
    assert b"200" in exchange(server.cpg.base_url, get("/v1/balances", headers))[:15]


def test_anothers_key_is_known_where_it_does_not_belong(server: MockServer) -> None:
    box = server.sandbox(world="default")
    foreign = box.coinstats.credentials["api_key"]
    for target, headers in (
        ("/v1/balances", {"X-API-KEY": foreign}),
        (f"/v1/balances?apikey={foreign}", {}),
        ("/v1/balances", {**READ.signed(), "X-CPG-Key": foreign}),
    ):
        exchange(server.cpg.base_url, get(target, headers))
        explanation = server.journal[-1].explanation
        assert explanation["rule"] == "foreign credential"
        assert "the coinstats key main" in explanation["fix"]


KEY_IDS = [
    # sent as key id, rule
    (SECRET, "secret for the key id"),
    (f'"{SECRET}"', "secret for the key id + quotes around the key"),
    (OTHER_SECRET, "secret for the key id"),
    ('"cpg_main_key"', "quotes around the key"),
    ("CPG_MAIN_KEY", "key in another case"),
    ("Bearer cpg_main_key", "a scheme such as Bearer before the key"),
    (base64.b64encode(b"cpg_main_key").decode(), "key in base64"),
    ("cpg%5Fmain%5Fkey", "key URL-encoded"),
    ("cpg_main_k", "key cut short"),
    ("cpg_main_key,cpg_main_key", "more than the key"),
    ("cpg_mein_key", "one character of the key wrong"),
    ("main", "label for the key id"),
    ("nobody", "unknown_credential"),
    ("cpg_mein_kay", "unknown_credential"),
]


@pytest.mark.parametrize(("key_id", "rule"), KEY_IDS)
def test_a_key_id_that_is_not_quite_one_is_told(server: MockServer, key_id: str, rule: str) -> None:
    explanation = explanation_of(server, replace(READ, key_id=key_id), "unknown_credential")
    assert explanation["rule"] == rule


def test_the_secret_for_the_key_id_is_told_in_full(server: MockServer) -> None:
    explanation = explanation_of(server, replace(READ, key_id=OTHER_SECRET), "unknown_credential")
    assert explanation == {
        "rule": "secret for the key id",
        "expected": "the key id of other",
        "received": f"value:{veil(OTHER_SECRET)}, the secret of the key other",
        "fix": "Send the key id; never send the secret, only sign with it.",
    }


SPAN = f"Unix seconds between {NOW - 300} and {NOW + 300}"
DRIFT = "Set the clock, or sign with the time of the exchange's Date header."
HOURS = "h: is local time used as UTC, or UTC as local time?"
TIMES = [
    # timestamp, rule, received behind it, fix
    (f"{NOW}000", "timestamp in milliseconds", ", which as milliseconds is right", "Send whole seconds: divide by 1000."),
    (f"{NOW}999", "timestamp in milliseconds", ", which as milliseconds is right", "Send whole seconds: divide by 1000."),
    (f"{NOW - 400}000", "timestamp in milliseconds", ", which as milliseconds is 400 s behind the exchange's clock", "Send whole seconds: divide by 1000."),
    (f"{NOW}000000", "timestamp in microseconds", ", which as microseconds is right", "Send whole seconds: divide by 1000000."),
    (f"{NOW}000000000", "timestamp in nanoseconds", ", which as nanoseconds is right", "Send whole seconds: divide by 1000000000."),
    (f"{NOW - 301}", "clock drift", ", 301 s behind the exchange's clock", DRIFT),
    (f"{NOW + 301}", "clock drift", ", 301 s ahead of the exchange's clock", DRIFT),
    (f"{NOW - 3600}", "clock drift", ", 3600 s behind the exchange's clock", f"{DRIFT} It differs by -1 {HOURS}"),
    (f"{NOW + 19_830}", "clock drift", ", 19830 s ahead of the exchange's clock", f"{DRIFT} It differs by +5.5 {HOURS}"),
    (f"{NOW + 19_861}", "clock drift", ", 19861 s ahead of the exchange's clock", DRIFT),
    ("0", "clock drift", f", {NOW} s behind the exchange's clock", DRIFT),
    (f"{NOW}.25", "timestamp with a fraction", "", "Send whole seconds, no fraction."),
    (f"-{NOW}", "negative timestamp", "", "Send the seconds since 1970, a positive number."),
    ("2025-05-17T01:20:00Z", "timestamp is a date", "", "Send Unix seconds, not ISO 8601."),
    ("Sat, 17 May 2025 01:20:00 GMT", "timestamp is a date", "", "Send Unix seconds, not an HTTP date."),
    (f'"{NOW}"', "quotes around the timestamp", "", "Send the digits alone, without quotes."),
    ("1.7474448e9", "timestamp with an exponent", "", "Send an integer."),
    ("NaN", "timestamp is no number", "", "Send the seconds since 1970 as digits alone."),
    ("9" * 15, "clock drift", f", {10**15 - 1 - NOW} s ahead of the exchange's clock", DRIFT),
    ("9" * 30, "timestamp too long", "", "Send whole seconds."),
]  # fmt: skip


@pytest.mark.parametrize(("timestamp", "rule", "received", "fix"), TIMES)
def test_a_time_outside_the_window_is_told_in_seconds(
    server: MockServer, timestamp: str, rule: str, received: str, fix: str
) -> None:
    wrong = replace(READ, sent_timestamp=timestamp, timestamp=timestamp.encode())
    assert explanation_of(server, wrong, "outside_window") == {
        "rule": rule,
        "expected": SPAN,
        "received": f"X-CPG-Timestamp: {timestamp}{received}",
        "fix": fix,
    }


def test_the_window_is_the_one_in_force(server: MockServer) -> None:
    server.set_quirks({"cpg.timestamp_window": "10s"})
    wrong = replace(READ, sent_timestamp=str(NOW - 11), timestamp=str(NOW - 11).encode())
    explanation = explanation_of(server, wrong, "outside_window")
    assert explanation["expected"] == f"Unix seconds between {NOW - 10} and {NOW + 10}"
    server.clock.skew("-1s")
    send(server, wrong)
    assert server.journal[-1].reason == ""


REPLAYED = (
    "Two equal requests in one second have the same signature: sign each in a second of its own,"
    " or let them differ in a parameter. Sign a retry again, too."
)


def test_two_equal_requests_in_one_second_are_told_to_be_one_signature(server: MockServer) -> None:
    send(server, READ)
    assert explanation_of(server, READ, "replayed") == {
        "rule": "signature used before",
        "expected": "a signature that was not accepted before",
        "received": f"the accepted signature of the second {NOW}, now",
        "fix": REPLAYED,
    }
    server.clock.skew("5s")
    explanation = explanation_of(server, READ, "replayed")
    assert explanation["received"] == f"the accepted signature of the second {NOW}, 5 s ago"


BEHIND = [
    ("cpg_revoked_key", "revoked_credential", {
        "rule": "revoked key",
        "expected": "a key that is not revoked",
        "received": "the key revoked, which is revoked",
        "fix": "Use another key: a revoked key stays revoked.",
    }),
    ("cpg_locked_key", "ip_not_allowed", {
        "rule": "address not on the whitelist",
        "expected": "a call from 203.0.113.7, 10.0.0.0/8",
        "received": "a call from 127.0.0.1 with the key locked",
        "fix": "Call from a listed address, or use another key.",
    }),
    ("cpg_poor_key", "forbidden", {
        "rule": "permission read_balance missing",
        "expected": "a key with the permission read_balance",
        "received": "the key poor, which has withdraw, list_currencies",
        "fix": "Give the key the permission read_balance, or use one that has it.",
    }),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key_id", "reason", "explanation"), BEHIND, ids=[row[1] for row in BEHIND]
)
def test_what_a_key_may_not_do_is_told(
    server: MockServer, key_id: str, reason: str, explanation: dict[str, str]
) -> None:
    assert explanation_of(server, replace(READ, key_id=key_id), reason) == explanation


# Sandboxes and quirks


@pytest.mark.parametrize(
    "raw_target_path", [True, False], ids=["path as dialled", "path below /~id"]
)
def test_a_sandboxs_path_may_be_signed_with_its_prefix_or_without(
    server: MockServer, raw_target_path: bool
) -> None:
    box = server.sandbox()
    secret, key_id = (box.cpg.credentials[name] for name in ("secret", "key_id"))
    sent_path = f"/~{box.id}/v1/balances"
    path = (sent_path if raw_target_path else "/v1/balances").encode()
    right = replace(READ, sent_path=sent_path, path=path, key_id=key_id, secret=secret.encode())
    for wrong, rule in (
        (replace(right, method=b"get"), "lower-case method"),
        (replace(right, separator=b"", body=b""), "no hash for an empty body + no separator between fields"),
        (replace(right, secret=right.secret + b"\n", timestamp=b"%d000" % NOW), "newline after the secret + milliseconds signed"),
        (replace(right, path=path.removesuffix(b"/v1/balances") + b"/balances"), "base path not signed"),
    ):  # fmt: skip
        send(server, wrong)
        explanation = box.journal[-1].explanation
        assert explanation["rule"] == rule
        assert path.decode() in explanation["expected"].replace(">>", "").replace("<<", "")
    send(server, right)
    assert box.journal[-1].reason == ""


def test_capitals_are_no_mistake_where_a_quirk_allows_them(server: MockServer) -> None:
    wrong = replace(ASKED, query=b"", write=lambda d: d.hex().upper())
    assert explanation_of(server, wrong)["rule"] == "upper-case hex + query not signed"
    server.set_quirks({"cpg.signature_case": "any"})
    assert explanation_of(server, wrong)["rule"] == "query not signed"


# What holds for all


def test_the_right_request_is_good_after_every_wrong_one(server: MockServer) -> None:
    for n, (_, _, names, change) in enumerate(MISTAKES):
        right = REQUESTS[names[0]]
        query = f"{right.sent_query}&n={n}".lstrip("&")
        right = replace(right, sent_query=query, query=query.encode())
        wrong = change(right)
        send(server, replace(wrong, sent_query=right.sent_query))
        assert server.journal[-1].reason
        send(server, right)
        assert server.journal[-1].reason in ("", "business_rule", "bad_request")


def test_no_more_ways_are_tried_than_the_bound_allows(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted_digest(attempt: Any) -> bytes:
        sizes.append(len(message(attempt)))
        return digest(attempt)

    monkeypatch.setattr(signature, "digest", counted_digest)
    for right in (READ, ASKED, POSTED, NUMBERED):
        sizes.clear()
        explanation_of(server, replace(right, secret=b"nobody knows"))
        assert len(sizes) == TRIES_MAX
    for long in (
        call(query="q=" + "a" * 7000),
        call("POST", "/v1/withdrawals", body=b" " * 8000 + ORDER),
    ):
        sizes.clear()
        explanation_of(server, replace(long, secret=b"nobody knows"))
        assert 100 < len(sizes) <= TRIES_MAX
        assert sum(sizes) < 2 * 1024 * 1024


def test_what_is_too_long_is_not_tried(server: MockServer) -> None:
    for right, rule in (
        (call(query="q=" + "a" * 8000), "query not signed"),
        (call(query="q=" + "a" * 9000), "bad signature"),
    ):
        assert explanation_of(server, replace(right, query=b""))["rule"] == rule
    explanation = explanation_of(server, replace(call(query="q=" + "a" * 9000), query=b""))
    assert explanation["received"] == (
        "a signature of a string that is too long to try known mistakes on"
    )
    large = call("POST", "/v1/withdrawals", body=b" " * 8192)
    assert (
        explanation_of(server, replace(large, body=large.sent_body))["rule"] == "body itself signed"
    )
    large = call("POST", "/v1/withdrawals", body=b" " * 8193)
    assert explanation_of(server, replace(large, body=large.sent_body))["rule"] == "bad signature"
    assert explanation_of(server, replace(large, method=b"post"))["rule"] == "lower-case method"


# One byte changed on the way

SEED = 490
CHANGES = 300
PRINTABLE = bytes(range(0x21, 0x7F))


def changed(rng: random.Random, right: Call, part: str) -> tuple[Call, bytes, bytes]:
    """Returns a signed call of which one byte is sent otherwise, and the part before and after."""
    before = {
        "query": right.sent_query.encode(),
        "body": right.sent_body,
        "path": right.sent_path.encode(),
        "timestamp": right.sent_timestamp.encode(),
        "signature": right.signature().encode(),
    }[part]
    n = rng.randrange(len("/v1/withdrawals/") if part == "path" else 0, len(before))
    allowed = {"timestamp": b"0123456789", "path": b"0123456789abcXYZ._-"}.get(part, PRINTABLE)
    byte = rng.choice([b for b in allowed if b != before[n] and chr(b) not in "?#"])
    after = before[:n] + bytes([byte]) + before[n + 1 :]
    text = after.decode()
    wrong = {
        "query": lambda: replace(right, sent_query=text),
        "body": lambda: replace(right, sent_body=after),
        "path": lambda: replace(right, sent_path=text),
        "timestamp": lambda: replace(right, sent_timestamp=text),
        "signature": lambda: replace(right, write=lambda _: text),
    }[part]()
    return wrong, before, after


def true_rules(part: str, before: bytes, after: bytes) -> set[str]:
    """Returns what may be said of a request of which a part was changed."""
    if part == "timestamp" and abs(int(after) - int(before)) <= 5:
        return {"another timestamp signed"}
    if part == "timestamp" and abs(int(after) - NOW) > 300:
        return {"clock drift"}
    if part == "signature" and before == after.lower():
        return {"upper-case hex"}
    if part == "query" and unquote_to_bytes(before) == unquote_to_bytes(after):
        return {"query re-encoded"}
    return {"bad signature"}


PARTS = {"path": SHOWN, "query": ASKED, "body": POSTED, "timestamp": READ, "signature": READ}


def test_one_changed_byte_is_never_taken_for_a_mistake_that_was_not_made(
    server: MockServer,
) -> None:
    rng, met = random.Random(SEED), Counter[str]()
    for _ in range(CHANGES):
        part = rng.choice(list(PARTS))
        wrong, before, after = changed(rng, PARTS[part], part)
        server.clear_journal()
        send(server, wrong)
        entry = server.journal[-1]
        assert entry.reason in ("bad_signature", "outside_window")
        rule = entry.explanation["rule"]
        assert rule in true_rules(part, before, after), (part, before, after)
        met[rule] += 1
    assert met["bad signature"] > CHANGES // 2
    assert {"another timestamp signed", "clock drift", "upper-case hex"} <= met.keys()


# Secrets


def writings(secret: str) -> set[str]:
    """Returns the ways in which a secret may stand in a text."""
    raw = secret.encode()
    bases = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    return {
        secret,
        quote(secret, safe=""),
        raw.hex(),
        raw.hex().upper(),
        *(base.decode().rstrip("=") for base in bases),
        repr(bytes.fromhex(secret))[2:-1] if len(secret) == 64 else secret,
    }


def hidden_in(texts: str, *more: str) -> list[str]:
    secrets = [value for key in KEYS.values() for value in (key["key_id"], key["secret"])]
    return [text for secret in (*secrets, *more) for text in writings(secret) if text in texts]


def test_no_secret_stands_in_an_explanation_of_a_mistake(server: MockServer) -> None:
    for _, _, names, change in MISTAKES:
        for name in names:
            wrong = change(REQUESTS[name])
            texts = " ".join(explanation_of(server, wrong).values())
            signatures = [REQUESTS[name].signature()]
            assert hidden_in(texts, *signatures) == []
            assert wrong.signature() not in texts


ESCAPED = "".join(f"%{ord(sign):02x}" for sign in SECRET)
B64 = base64.b64encode(SECRET.encode()).decode()
CARELESS = [
    replace(READ, secret=b"x", **{member: value})
    for secret in (SECRET, SECRET.upper(), B64, ESCAPED, SECRET.encode().hex(), "cpg_other_key")
    for member, value in (
        ("sent_query", f"secret={secret}&a=1"),
        ("sent_query", f"a={secret}"),
        ("sent_path", f"/v1/withdrawals/{secret}"),
        ("headers", (("X-Secret", secret),)),
        ("headers", (("X-CPG-Timestamp", secret),)),
        ("headers", (("X-CPG-Timestamp", f"the time is near, and so is {secret}"),)),
        ("headers", (("X-CPG-Key", secret),)),
        ("headers", (("X-CPG-Key", f"key {secret}"),)),
        ("headers", (("X-CPG-Signature", secret),)),
        ("headers", (("X-CPG-Key", ""), ("X-API-Key", secret))),
        ("headers", (("X-CPG-Signature", ""), ("X-Sign", secret))),
    )
]


def test_no_secret_stands_in_the_explanation_of_a_careless_request(server: MockServer) -> None:
    for wrong in CARELESS:
        for signed in (wrong, replace(wrong, secret=SECRET.encode(), query=wrong.sent_query.encode(), path=wrong.sent_path.encode(), method=b"get")):  # fmt: skip
            server.clear_journal()
            send(server, signed)
            explanation = server.journal[-1].explanation
            assert explanation is not None
            assert hidden_in(" ".join(explanation.values()), SECRET.upper()) == [], explanation
