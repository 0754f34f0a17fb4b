"""The known mistakes of clients of the gateway.

The requests are signed by a signer of our own that takes the mistake as a parameter.
"""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from contract_tests.support.mistake_table import (
    NOW,
    OTHER_SECRET,
    SECRET,
    UNSOLVED,
    WRITINGS,
    Change,
    MistakeTable,
    fingerprint,
)
from contract_tests.support.raw import get

WITHDRAWALS = "/v1/withdrawals"
EMPTY = hashlib.sha256(b"").hexdigest()

KEYS = {
    "main": {"key_id": "cpg_main_key", "secret": SECRET},
    "other": {"key_id": "cpg_other_key", "secret": OTHER_SECRET},
    "locked": {"key_id": "cpg_locked_key", "secret": SECRET, "ip_whitelist": ["203.0.113.7", "10.0.0.0/8"]},
    "poor": {"key_id": "cpg_poor_key", "secret": SECRET, "permissions": ["withdraw", "list_currencies"]},
    "revoked": {"key_id": "cpg_revoked_key", "secret": SECRET, "revoked": True},
}  # fmt: skip

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


def raw(wrong: Call) -> bytes:
    """Returns a call as it is sent."""
    target = wrong.sent_path + (f"?{wrong.sent_query}" if wrong.sent_query else "")
    headers = {"Host": AUTHORITY.decode(), **wrong.signed()}
    return get(target, headers, wrong.sent_method, wrong.sent_body)


# Mistakes, each as a change of the signer

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
RULES = {about: rule for about, rule, _, _ in MISTAKES}


def both(name: str, one: str, other: str) -> list[str]:
    alike = COINCIDE.get(frozenset({one, other}), f"{RULES[one]} + {RULES[other]}")
    return sorted(alike.split(" + "))


MAIN = fingerprint(SECRET, "main secret")
STRING = rf"{NOW}\nGET\n/v1/balances\n\n{EMPTY}"
ASIDE = [
    (put(secret=SECRET.encode() + b"\n"), f"with {MAIN}", rf"with {MAIN}\n"),
    (put(secret=b'"' + SECRET.encode() + b'"'), f"with {MAIN}", f'with "{MAIN}"'),
    (put(secret=OTHER_SECRET.encode()), f"with {MAIN}", f"with {fingerprint(OTHER_SECRET, 'other secret')}"),
    (put(secret=b"cpg_main_key"), f"with {MAIN}", f"with {fingerprint('cpg_main_key', 'main key_id')}"),
    (put(secret=b""), f"with {MAIN}", f"with {fingerprint('', 'another text')}"),
    (hmac_by("sha512"), "HMAC-SHA256", "HMAC-SHA512"),
    (hashed("sha256", "secret", "text"), "HMAC-SHA256", "SHA256, secret first"),
    (put(write=lambda d: base64.b64encode(d).decode()), "in 64 digits of lower-case hex", "base64 for hex"),
    (put(write=lambda d: d.hex()[:63]), "in 64 digits of lower-case hex", "signature cut short"),
]  # fmt: skip


UNKNOWN = [
    ("of another request", put(path=b"/v1/other"), f"{UNSOLVED} (redacted:4bec4b70)"),
    ("made up", put(write=lambda d: "ab" * 32), f"{UNSOLVED} (redacted:271a413b)"),
    ("no hex", put(write=lambda d: "z" * 64), f"{UNSOLVED}: its 64 characters are no digest of 32 bytes in hex or base64"),
    ("a UUID", put(write=lambda d: "123e4567-e89b-12d3-a456-426614174000"), f"{UNSOLVED}: its 36 characters are no digest of 32 bytes in hex or base64"),
    ("too short to be known", put(write=lambda d: d.hex()[:15]), f"{UNSOLVED}: its 15 characters are no digest of 32 bytes in hex or base64"),
    ("of another size", put(write=lambda d: "ab" * 64), f"{UNSOLVED}: it has 64 bytes, the size of SHA512, not 32"),
    ("of no size", put(write=lambda d: "ab" * 33), f"{UNSOLVED}: its 66 characters are no digest of 32 bytes in hex or base64"),
]  # fmt: skip


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


CARELESS = [
    replace(READ, secret=b"x", **{member: value})
    for secret in (*WRITINGS, "cpg_other_key")
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


def long_query(size: int) -> Call:
    return replace(call(query="q=" + "a" * size), query=b"")


LARGE, LARGER = (call("POST", WITHDRAWALS, body=b" " * size) for size in (8192, 8193))

TABLE = MistakeTable(
    provider="cpg",
    keys=KEYS,
    raw=raw,
    requests=REQUESTS,
    mistakes=MISTAKES,
    likely=LIKELY,
    both=both,
    right=READ,
    shown=[(change, f"{STRING}; {one}", f"{STRING}; {other}") for change, one, other in ASIDE],
    unknown=UNKNOWN,
    unknown_text={
        "expected": STRING,
        "fix": f"Compare the string that you sign with the expected one, then the secret ({MAIN})."
        " Use HMAC-SHA256: the secret is its key, the string its message."
        " Write it in lower-case hex.",
    },
    long=[
        (long_query(8000), "query not signed"),
        (long_query(9000), "bad signature"),
        (replace(LARGE, body=LARGE.sent_body), "body itself signed"),
        (replace(LARGER, body=LARGER.sent_body), "bad signature"),
        (replace(LARGER, method=b"post"), "lower-case method"),
    ],
    bounded=[replace(right, secret=b"nobody knows") for right in (READ, ASKED, POSTED, NUMBERED)],
    bounded_by_size=[
        replace(call(query="q=" + "a" * 7000), secret=b"nobody knows"),
        replace(call("POST", WITHDRAWALS, body=b" " * 8000 + ORDER), secret=b"nobody knows"),
    ],
    key_name="key id",
    with_key=lambda key_id: replace(READ, key_id=key_id),
    keys_sent=KEY_IDS,
    careless=[
        raw(signed)
        for wrong in CARELESS
        for signed in (
            wrong,
            replace(wrong, secret=SECRET.encode(), query=wrong.sent_query.encode(), path=wrong.sent_path.encode(), method=b"get"),
        )
    ],
)  # fmt: skip
