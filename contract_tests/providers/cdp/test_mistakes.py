"""Explanations of CDP: a table of requests with the mistakes that clients make, and one driver.

Tokens are signed here without the package.
"""

import base64
import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from contract_tests.providers.cdp.calls import (
    ABSENT,
    BALANCES,
    ED25519,
    EMPTY,
    KEY_ID,
    MAIN,
    MANY,
    NO_ACCOUNT,
    NOW,
    OWNER,
    P256,
    STRANGER,
    packed,
)
from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer
from mockserver.explain import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.jwt import OPENED_MAX
from mockserver.providers.cdp import mistakes
from mockserver.providers.cdp.mistakes import signature

HOST = "exchange:8491"
UUID = MAIN.removeprefix("account_")
REST = BALANCES.removeprefix("/platform")
OTHER = BALANCES.replace(MAIN, MANY)
ENTRY = f"GET {HOST}{BALANCES}"
REAL_ENTRY = f"GET api.cdp.coinbase.com{BALANCES}"
LAST = KEY_ID.rpartition("/")[2]
SECRET = "ERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw=="
PEM = P256.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()

Sign = Callable[[bytes], bytes]

# The signer: makes a valid token, or one with a mistake


def der(message: bytes) -> bytes:
    return P256.sign(message, ec.ECDSA(hashes.SHA256()))


def p256(message: bytes) -> bytes:
    return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(der(message)))


def keyed(secret: bytes, digest: str = "sha256") -> Sign:
    return lambda message: hmac.new(secret, message, digest).digest()


def compact(content: Any) -> bytes:
    return (
        content
        if isinstance(content, bytes)
        else json.dumps(content, separators=(",", ":")).encode()
    )


def without(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


def claims(**more: Any) -> dict[str, Any]:
    defaults = {"sub": f"{KEY_ID}1", "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uris": [ENTRY]}
    return without(defaults | more)


def header(**more: Any) -> dict[str, Any]:
    return without({"alg": "EdDSA", "kid": f"{KEY_ID}1", "typ": "JWT", "nonce": "1234"} | more)


ES256 = {"alg": "ES256", "kid": f"{KEY_ID}2"}


def token(
    payload: Any = None,
    head: Any = None,
    sign: Sign = ED25519.sign,
    signed: Callable[[bytes, bytes], bytes] | None = None,
    write: Callable[[bytes], bytes] = packed,
) -> str:
    """Makes a token; ``signed`` makes the signed message from the two encoded parts."""
    parts = [packed(compact(p)) for p in (header() if head is None else head, payload or claims())]
    message = b".".join(parts) if signed is None else signed(*parts)
    return b".".join([*parts, write(sign(message))]).decode()


def es256(payload: Any = None, sign: Sign = p256, **how: Any) -> str:
    return token(payload or claims(sub=f"{KEY_ID}2"), header(**ES256), sign, **how)


# Requests and their explanations


pytestmark = pytest.mark.usefixtures("no_failed_explanation")


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        yield server


def secrets(server: MockServer) -> set[str]:
    """Returns the secrets of every key, in every reversible notation."""
    keys = [server.cdp.credentials, *server.cdp.others.values()]
    texts = {key["key_secret"] for key in keys}
    raws = [text.encode() for text in texts]
    raws += [base64.b64decode(text) for text in texts if not text.startswith("-----")]
    raws += [raw[:32] for raw in raws if len(raw) == 64] + [b"\x22" * 32]
    raws += [
        line for raw in raws for line in raw.splitlines() if len(line) > 30 and b"--" not in line
    ]
    writings = {raw.hex() for raw in raws} | {base64.b64encode(raw).decode() for raw in raws}
    writings |= {raw.decode() for raw in raws if raw.isascii()}
    return writings | {quote(text, safe="") for text in writings}


def explain(server: MockServer, sent: bytes) -> dict[str, str]:
    """Sends a request that is rejected; returns its explanation, checked to show no secret."""
    exchange(server.cdp.base_url, sent)
    entry = server.journal[-1]
    assert entry.reason, "this request must be rejected"
    assert entry.explanation is not None
    text = "\n".join(entry.explanation.values())
    assert [secret for secret in secrets(server) if secret in text] == []
    assert len(text) < 6000
    return entry.explanation


def carrying(headers: dict[str, str], target: str = BALANCES, host: str = HOST) -> bytes:
    return get(target, {"Host": host} | headers)


def bearing(bearer: str, target: str = BALANCES, host: str = HOST) -> bytes:
    return carrying({"Authorization": f"Bearer {bearer}"}, target, host)


def reading(target: str, key: str = "1", sign: Sign = ED25519.sign) -> bytes:
    """Returns a valid request for a target below the base URL."""
    entry = f"GET {HOST}/platform{target.partition('?')[0]}"
    id = KEY_ID + key
    return bearing(token(claims(uris=[entry], sub=id), header(kid=id), sign), f"/platform{target}")


def escaped(text: str) -> str:
    return quote(text, safe="")


def is_good(server: MockServer, sent: bytes) -> bool:
    return exchange(server.cdp.base_url, sent).startswith(b"HTTP/1.1 200 ")


def test_the_signer_of_these_tests_makes_valid_tokens(server: MockServer) -> None:
    for bearer in (token(), es256()):
        assert is_good(server, bearing(bearer))
        assert server.journal[-1].explanation is None
    assert is_good(server, reading("/v2/accounts"))


# The table: what is sent, the rule, and what was received, which may end in "..."

CLAIMS = [
    ("iss of another product", {"iss": "coinbase"}, "unexpected iss", "iss 'coinbase'"),
    ("iss in capitals", {"iss": "CDP"}, "unexpected iss", "iss 'CDP'"),
    ("the key's id as iss", {"iss": f"{KEY_ID}1"}, "unexpected iss", "iss the key id of the key main"),
    ("iss of 7", {"iss": 7}, "unexpected iss", "iss 7"),
    ("no iss", {"iss": ABSENT}, "iss missing", "no iss"),
    ("null for iss", {"iss": None}, "iss missing", "no iss"),
    ("sub of another key", {"sub": f"{KEY_ID}2"}, "sub differs from kid", "sub the key id of the key es256"),
    ("the secret as sub", {"sub": SECRET}, "sub differs from kid", "sub the secret of the key main"),
    ("a strange id as sub", {"sub": f"{KEY_ID}9"}, "sub differs from kid", f"sub {KEY_ID}9"),
    ("a strange text as sub", {"sub": "hush"}, "sub differs from kid", "sub value:dc8331bc"),
    ("no sub", {"sub": ABSENT}, "sub missing", "no sub"),
    ("uris missing, aud there", {"uris": ABSENT, "aud": ["cdp_service"]}, "uris missing", "the claims sub, iss, nbf, exp, aud"),
    ("null for uris", {"uris": None}, "uris missing", "the claims sub, iss, nbf, exp, uris"),
    ("url for uri", {"uris": ABSENT, "url": ENTRY, ENTRY: 1}, "uris missing", "the claims sub, iss, nbf, exp, url"),
    ("empty uris", {"uris": []}, "uris empty", "the claims sub, iss, nbf, exp, uris"),
    ("a number in uris", {"uris": [7]}, "uris contains no string", "the claims sub, iss, nbf, exp, uris"),
    ("an object as uris", {"uris": {"GET": BALANCES}}, "uris contains no string", "the claims sub, iss, nbf, exp, uris"),
    ("iss before sub", {"iss": "x", "sub": "y", "exp": 0}, "unexpected iss", "iss value:2d711642"),
    ("sub before exp", {"sub": ABSENT, "exp": ABSENT}, "sub missing", "no sub"),
    ("exp before uris", {"exp": ABSENT, "uris": ABSENT}, "exp missing", "no exp"),
]  # fmt: skip

MS, US, NS = NOW * 10**3, NOW * 10**6, NOW * 10**9
TIMES = [
    ("exp in milliseconds", {"exp": MS + 120_000}, "milliseconds instead of seconds", f"exp {MS + 120_000}"),
    ("exp in microseconds", {"exp": US + 120}, "microseconds instead of seconds", f"exp {US + 120}"),
    ("exp in nanoseconds", {"exp": NS}, "nanoseconds instead of seconds", f"exp {NS}"),
    ("nbf in milliseconds", {"nbf": MS}, "milliseconds instead of seconds", f"nbf {MS}"),
    ("a fraction of milliseconds", {"exp": MS + 0.5}, "milliseconds instead of seconds", f"exp {MS}.5"),
    ("milliseconds of another age", {"exp": 3 * MS}, "exp is not a time", f"exp {3 * MS}"),
    ("an enormous exp", {"exp": 10**400}, "exp is not a time", f"exp 1{'0' * 39}"),
    ("an endless exp", {"exp": float("inf")}, "exp is not a time", "exp inf"),
    ("exp below zero", {"exp": -1}, "exp is not a time", "exp -1"),
    ("no exp", {"exp": ABSENT}, "exp missing", "no exp"),
    ("exp as text", {"exp": str(NOW + 120)}, "exp is not a number", "exp a string"),
    ("exp as RFC 3339", {"exp": "2025-05-17T01:22:00Z"}, "exp is not a number", "exp a string"),
    ("true for exp", {"exp": True}, "exp is not a number", "exp a boolean"),
    ("nbf as text", {"nbf": str(NOW)}, "nbf is not a number", "nbf a string"),
    ("iat as list", {"iat": [NOW]}, "iat is not a number", "iat a list"),
    ("five seconds late", {"nbf": NOW - 125, "exp": NOW - 5}, "token expired", f"exp {NOW - 5}, 5 s before the exchange's time; issued 125 s ago"),
    ("iat for when it was made", {"iat": NOW - 130, "exp": NOW - 20}, "token expired", f"exp {NOW - 20}, 20 s before the exchange's time; issued 130 s ago"),
    ("neither iat nor nbf", {"nbf": ABSENT, "exp": NOW - 9}, "token expired", f"exp {NOW - 9}, 9 s before the exchange's time"),
    ("a fraction late", {"nbf": NOW - 125, "exp": NOW - 5.5}, "token expired", f"exp {NOW - 6}.5, 6 s before the exchange's time; issued 125 s ago"),
    ("a span for exp", {"nbf": ABSENT, "exp": 120}, "exp is a duration", "exp 120"),
    ("a day for exp", {"nbf": ABSENT, "exp": 86_400}, "token expired", f"exp 86400, {NOW - 86_400} s before the exchange's time"),
    ("nbf six seconds ahead", {"nbf": NOW + 6}, "token not valid yet", f"nbf {NOW + 6}, 6 s ahead of the exchange's time"),
    ("iat a minute ahead", {"iat": NOW + 60}, "token not valid yet", f"iat {NOW + 60}, 60 s ahead of the exchange's time"),
    ("121 seconds of life", {"exp": NOW + 121}, "lifetime too long", f"exp {NOW + 121}, 121 s after nbf"),
    ("an hour since iat", {"iat": NOW, "exp": NOW + 3600}, "lifetime too long", f"exp {NOW + 3600}, 3600 s after iat"),
    ("a minute more than now", {"nbf": ABSENT, "exp": NOW + 180}, "lifetime too long", f"exp {NOW + 180}, 180 s after now"),
    ("nbf of 1970", {"nbf": 0}, "lifetime too long", f"exp {NOW + 120}, {NOW + 120} s after nbf"),
]  # fmt: skip

# Seconds since a token was issued, and the hours in the question.
ZONES = [
    (3600, "-1"), (3660, "-1"), (3540, "-1"), (5400, "-1.5"), (14 * 3600, "-14"), (3661, None),
    (3539, None), (300, None), (15 * 3600, None), (-3600, "+1"), (-300, None),
]  # fmt: skip

# What uris names, in each shape of the claim.
ENTRIES = [
    ("the query", f"{ENTRY}?pageSize=2", "query in the claim"),
    ("a question mark", f"{ENTRY}?", "query in the claim"),
    ("a scheme", f"GET https://{HOST}{BALANCES}", "scheme in the claim"),
    ("the other scheme", f"GET http://{HOST}{BALANCES}", "scheme in the claim"),
    ("another method", f"POST {HOST}{BALANCES}", "another method"),
    ("small letters", f"get {HOST}{BALANCES}", "method in lower case"),
    ("capitals and small letters", f"Get {HOST}{BALANCES}", "method in lower case"),
    ("no method", f"{HOST}{BALANCES}", "method missing"),
    ("a blank for the method", f" {HOST}{BALANCES}", "method missing"),
    ("two blanks", f"GET  {HOST}{BALANCES}", "separator is not one space"),
    ("a tab", f"GET\t{HOST}{BALANCES}", "separator is not one space"),
    ("a colon", f"GET:{HOST}{BALANCES}", "separator is not one space"),
    ("no host", f"GET {BALANCES}", "host missing"),
    ("another host", f"GET elsewhere:8491{BALANCES}", "another host"),
    ("the host of Advanced Trade", f"GET api.coinbase.com{BALANCES}", "another host"),
    ("no port", f"GET exchange{BALANCES}", "port missing"),
    ("another port", f"GET exchange:8490{BALANCES}", "another port"),
    ("the port of https", f"GET api.cdp.coinbase.com:443{BALANCES}", "another port"),
    ("another port alone", f"GET 8490{BALANCES}", "port in place of the host"),
    ("a colon and the port", f"GET :8491{BALANCES}", "port in place of the host"),
    ("no base path", f"GET {HOST}{REST}", "base path missing"),
    ("the base path twice", f"GET {HOST}/platform{BALANCES}", "base path twice"),
    ("a slash too many", f"GET {HOST}/platform/{REST}", "double slash"),
    ("a slash behind the host", f"GET {HOST}/{BALANCES}", "double slash"),
    ("a slash at the end", f"{ENTRY}/", "slash at the end"),
    ("no path", f"GET {HOST}", "path missing"),
    ("the path escaped", f"GET {HOST}{quote(BALANCES, safe='')}", "another host + path missing"),
    ("capitals in the path", f"GET {HOST}{BALANCES.replace('balances', 'Balances')}", "path in another case"),
    ("a whole URL behind the host", f"GET {HOST}http://{HOST}{BALANCES}", "whole URL in the path"),
    ("a whole URL beside the base URL", f"GET {HOST}/platformhttp://{HOST}{BALANCES}", "whole URL in the path"),
    ("a whole URL behind the base path", f"GET {HOST}/platform/https://{HOST}{BALANCES}", "whole URL in the path"),
    ("a whole URL, method and all", f"get https://{HOST}http://{HOST}{BALANCES}", "method in lower case + whole URL in the path"),
    ("of another account", f"GET {HOST}{OTHER}", "token of another request"),
    ("of the list of accounts", f"GET {HOST}/platform/v2/accounts", "token of another request"),
    ("of one asset", f"{ENTRY}/btc", "token of another request"),
    ("a path of another API", f"GET {HOST}/api/v3/brokerage/accounts", "another path"),
    ("this mock's prefix", f"GET {HOST}/cdp{BALANCES}", "another path"),
    ("no text at all", "", "method missing + host missing + path missing"),
    # pairs
    ("scheme and query", f"GET https://{HOST}{BALANCES}?pageSize=2", "scheme in the claim + query in the claim"),
    ("method and scheme", f"get https://{HOST}{BALANCES}", "method in lower case + scheme in the claim"),
    ("a URL alone", f"https://{HOST}{BALANCES}", "method missing + scheme in the claim"),
    ("a path alone", BALANCES, "method missing + host missing"),
    ("a path and its query", f"GET {BALANCES}?a=1", "host missing + query in the claim"),
    ("no base path, with query", f"GET {HOST}{REST}?a", "base path missing + query in the claim"),
    ("no base path, a slash too many", f"GET {HOST}/{REST}", "base path missing + double slash"),
    ("no base path, a slash at the end", f"GET {HOST}{REST}/", "base path missing + slash at the end"),
    ("no port, no base path", f"GET exchange{REST}", "port missing + base path missing"),
    ("another host, another account", f"GET a{OTHER}", "another host + token of another request"),
    ("another method and host", f"PUT a{BALANCES}", "another method + another host"),
    ("two blanks and a scheme", f"GET  http://{HOST}{BALANCES}", "separator is not one space + scheme in the claim"),
]  # fmt: skip
SHAPES_OF_URIS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "uris": ("", lambda entry: {"uris": [entry]}),
    "uri": ("", lambda entry: {"uris": ABSENT, "uri": entry}),
    "a text for uris": ("uris is a string + ", lambda entry: {"uris": entry}),
    "a list for uri": ("uri is a list + ", lambda entry: {"uris": ABSENT, "uri": [entry]}),
}

# An entry, and both entries as they are shown.
MARKS = [
    (f"{ENTRY}?pageSize=2&q={SECRET}", f"{ENTRY}>><<", f"{ENTRY}>>?pageSize=...&q=...<<"),
    (f"get {HOST}{BALANCES}", f">>GET<< {HOST}{BALANCES}", f">>get<< {HOST}{BALANCES}"),
    (f"GET {HOST}{REST}", f"GET {HOST}/>>platform/<<{REST[1:]}", f"GET {HOST}/>><<{REST[1:]}"),
    (f"GET sandbox.cdp.coinbase.com{REST}", f"GET sandbox.cdp.coinbase.com/>>platform/<<{REST[1:]}", f"GET sandbox.cdp.coinbase.com/>><<{REST[1:]}"),
    (f"GET me:hush@{HOST}{BALANCES}", f"GET >>{HOST}<<{BALANCES}", f"GET >>value:480b9fcf<<{BALANCES}"),
    (ENTRY + "\x00\ud800", f"{ENTRY}>><<", f"{ENTRY}>>\\x00\\xed\\xa0\\x80<<"),
    ("hush", f">>GET {HOST}{BALANCES}<<", ">>value:dc8331bc<<"),
]  # fmt: skip

# The path in the claim, the path sent, and the rule.
ESCAPES = [
    (BALANCES, BALANCES.replace("account_", "%61ccount_"), "path unescaped"),
    (f"{BALANCES}/a%2Cb", f"{BALANCES}/a,b", "path escaped"),
    (BALANCES.replace("balances", "b%61lances"), BALANCES, "path escaped in another way"),
]

# Strict quirks, what the token says, the Host header, the rule.
STRICT = [
    # quirks, what the token says, the Host header, the rule
    (("host",), {"uris": [REAL_ENTRY]}, HOST, "another host"),
    (("host",), {"uris": [f"GET 8491{BALANCES}"]}, HOST, "port in place of the host"),
    (("host",), {"uris": [f"GET {HOST}/~default{BALANCES}"]}, HOST, "path with this mock's prefix"),
    (("claims",), {"iss": "coinbase-cloud"}, HOST, "unexpected iss"),
    (("claims",), {"uris": ABSENT, "uri": REAL_ENTRY}, HOST, "uri in place of uris"),
    (("claims",), {"uris": [], "uri": REAL_ENTRY}, HOST, "uris empty"),
    (("claims",), {"uris": [ENTRY]}, HOST, "another host"),
    (("claims",), {"uris": [f"GET sandbox.cdp.coinbase.com{BALANCES}"]}, HOST, "another host"),
    (("claims",), {"uris": [f"GET 8491{BALANCES}"]}, HOST, "port in place of the host"),
    (("claims", "host"), {"uris": [ENTRY]}, HOST, "Host is not the real one"),
    (("claims", "host"), {"uris": [ENTRY]}, "api.cdp.coinbase.com", "another host"),
]  # fmt: skip


def dumped(part: bytes, **how: Any) -> bytes:
    raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    return packed(json.dumps(json.loads(raw), **how).encode())


def stripped(part: bytes, name: str) -> bytes:
    raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    return packed(compact({k: v for k, v in json.loads(raw).items() if k != name}))


def padded(part: bytes) -> bytes:
    return part + b"=" * (-len(part) % 4)


def by(secret: bytes) -> Sign:
    return ed25519.Ed25519PrivateKey.from_private_bytes(secret).sign


ANEW, PART, SEED = (
    "token serialized again after signing",
    "part of the token signed",
    "wrong bytes of the secret",
)
UNSOLVED, UNSOLVED_ES = "alg EdDSA; no known", "alg ES256; no known"
KID, SHARED = "another key than kid", "symmetric algorithm"
HS = {"alg": "HS256"}

SIGNATURES = [
    ("by another key", token(sign=STRANGER.sign), KID, "signed by the key stranger"),
    ("by a key of another type", token(sign=p256), KID, "signed by the key es256"),
    ("by a key of another type, with its alg", token(head=header(alg="ES256"), sign=p256), KID, "signed by the key es256"),
    ("ES256 by an Ed25519 key", es256(sign=ED25519.sign), KID, "signed by the key main"),
    ("in DER", es256(sign=der), "signature in DER", "encoded in"),
    ("in DER, by another key", token(sign=der), f"signature in DER + {KID}", "encoded in"),
    ("nearly in DER", es256(write=lambda s: packed(b"\x30" + s)), "bad signature", UNSOLVED_ES),
    ("in hex", token(write=lambda s: packed(s.hex().encode())), "signature encoded twice", "encoded in 128 bytes"),
    ("in base64, twice", token(write=lambda s: packed(base64.b64encode(s))), "signature encoded twice", "encoded in 88 bytes"),
    ("in base64url, twice", token(write=lambda s: packed(packed(s) + b"==")), "signature encoded twice", "encoded in 88 bytes"),
    ("by the public half", token(sign=by(base64.b64decode(SECRET)[32:])), SEED, "signed with other bytes as the private key"),
    ("by the secret not decoded", token(sign=by(SECRET.encode()[:32])), SEED, "signed with other bytes as the private key"),
    ("by the secret hashed", token(sign=by(hashlib.sha256(SECRET.encode()).digest())), SEED, "signed with other bytes as the private key"),
    ("of the payload with blanks", token(signed=lambda h, p: h + b"." + dumped(p)), ANEW, "the signature is of other"),
    ("of both with blanks", token(signed=lambda h, p: dumped(h) + b"." + dumped(p)), ANEW, "the signature is of other"),
    ("of the payload in order", token(signed=lambda h, p: h + b"." + dumped(p, sort_keys=True)), ANEW, "the signature is of other"),
    ("before kid was added", token(signed=lambda h, p: stripped(h, "kid") + b"." + p), ANEW, "the signature is of other"),
    ("before nonce was added", token(signed=lambda h, p: stripped(h, "nonce") + b"." + p), ANEW, "the signature is of other"),
    ("of padded parts", token(signed=lambda h, p: padded(h) + b"." + padded(p)), ANEW, "the signature is of other"),
    ("of the payload alone", token(signed=lambda h, p: p), PART, "the signature is of other"),
    ("of both without the dot", token(signed=lambda h, p: h + p), PART, "the signature is of other"),
    ("of the hash", token(signed=lambda h, p: hashlib.sha256(h + b"." + p).digest()), PART, "the signature is of other 32 bytes:"),
    ("of the hash in hex", es256(signed=lambda h, p: hashlib.sha256(h + b"." + p).hexdigest().encode()), PART, "the signature is of other 64 bytes:"),
    ("none", token(write=lambda s: b""), "unsigned token", "no signature"),
    ("alg none", token(head=header(alg="none")), "alg none", "alg none"),
    ("alg none and no signature", token(head=header(alg="none"), write=lambda s: b""), "unsigned token", "no signature"),
    ("the newer name", token(head=header(alg="Ed25519")), "Ed25519 instead of EdDSA", "alg Ed25519"),
    ("alg of another key", token(head=header(alg="ES256")), "wrong alg", "alg ES256"),
    ("another curve", token(head=header(alg="ES256K")), "wrong alg", "alg ES256K"),
    ("alg in small letters", token(head=header(alg="eddsa")), "wrong alg", "alg eddsa"),
    ("a secret as alg", token(head=header(alg=SECRET)), "wrong alg", "alg a string"),
    ("a list as alg", token(head=header(alg=["EdDSA"])), "wrong alg", "alg a list"),
    ("null as alg", token(head=header(alg=None)), "wrong alg", "alg null"),
    ("no alg", token(head=header(alg=ABSENT)), "alg missing", "no alg"),
    ("HS256 with the secret", token(head=header(**HS), sign=keyed(SECRET.encode())), SHARED, "alg HS256, keyed with the secret of the key main (value:"),
    ("HS512 with the secret", token(head=header(alg="HS512"), sign=keyed(SECRET.encode(), "sha512")), SHARED, "alg HS512, keyed with the secret of the key main (value:"),
    ("HS256 with the decoded secret", token(head=header(**HS), sign=keyed(base64.b64decode(SECRET))), SHARED, "alg HS256, keyed with the decoded secret of the key main (value:"),
    ("HS256 with the seed", token(head=header(**HS), sign=keyed(b"\x11" * 32)), SHARED, "alg HS256, keyed with the private bytes of the key main (value:02d449a3)"),
    ("HS256 with the PEM", token(claims(sub=f"{KEY_ID}2"), header(**ES256 | HS), keyed(PEM.encode())), SHARED, "alg HS256, keyed with the secret of the key es256 (value:"),
    ("HS256 with the PEM, line ends written out", token(claims(sub=f"{KEY_ID}2"), header(**ES256 | HS), keyed(PEM.strip().replace("\n", "\\n").encode())), SHARED, "alg HS256, keyed with the stripped secret with \\n of the key es256 (value:"),
    ("HS256 with another's PEM", token(head=header(**HS), sign=keyed(PEM.encode())), SHARED, "alg HS256, keyed with the secret of the key es256 (value:"),
    ("HS256 with the key id", token(head=header(**HS), sign=keyed(f"{KEY_ID}1".encode())), SHARED, "alg HS256, keyed with the key id of the key main (value:"),
    ("HS256 with an unknown secret", token(head=header(**HS), sign=keyed(b"?")), SHARED, "alg HS256"),
    ("by an unknown key", token(sign=by(b"\x44" * 32)), "bad signature", UNSOLVED),
    ("ES256 by an unknown key", es256(sign=lambda m: b"\x01" * 64), "bad signature", UNSOLVED_ES),
    ("of another message", token(signed=lambda h, p: b"?"), "bad signature", UNSOLVED),
    ("a byte too long", token(write=lambda s: packed(s + b"\0")), "bad signature", UNSOLVED),
]  # fmt: skip

BODY = token()
UNREADABLE = [
    ("Bearer twice", f"Bearer {BODY}", "Bearer twice"),
    ("a promise", "[object Promise]", "placeholder in place of a token"),
    ("undefined", "undefined", "placeholder in place of a token"),
    ("null", "null", "placeholder in place of a token"),
    ("None", "None", "placeholder in place of a token"),
    ("a coroutine", "<coroutine object make at 0x7f00>", "placeholder in place of a token"),
    ("a variable", "$CDP_TOKEN", "placeholder in place of a token"),
    ("a variable in braces", "${CDP_TOKEN}", "placeholder in place of a token"),
    ("a template", "{{ token }}", "placeholder in place of a token"),
    ("bytes", f"b'{BODY}'", "Python bytes in place of a string"),
    ("quotes", f'"{BODY}"', "quotes around the token"),
    ("a quote behind it", f"{BODY}'", "quotes around the token"),
    ("two tokens", f"{BODY}, Bearer {BODY}", "two tokens in one header"),
    ("a blank inside", BODY.replace(".", ". ", 1), "whitespace inside the token"),
    ("escaped", BODY.replace(".", "%2E"), "token URL-encoded"),
    ("8193 bytes", "a" * 8193, "token too long"),
    ("8192 bytes", "a" * 8192, "not a JWT"),
    ("encrypted", f"{BODY}.e30.e30", "encrypted token"),
    ("two parts", BODY.rpartition(".")[0], "unsigned token"),
    ("one part", "abc", "not a JWT"),
    ("four parts", f"{BODY}.e30", "not a JWT"),
    ("padded", BODY + "==", "padding in the token"),
    ("standard base64", "+/" + BODY[2:], "standard base64 for base64url"),
    ("both alphabets and more", "+*" + BODY[2:], "characters that are not base64url"),
    ("a sign of no base64", "*" + BODY[1:], "characters that are not base64url"),
    ("a header cut short", BODY[: BODY.index(".")][:5] + BODY[BODY.index(".") :], "part of the token cut short"),
    ("a signature cut short", BODY[:-1], "part of the token cut short"),
    ("a signature cut by more", BODY[:-43], "part of the token cut or changed"),
    ("the key's id", f"{KEY_ID}1", "key in place of a token"),
    ("the secret", SECRET, "key in place of a token"),
    ("the PEM, line ends written out", PEM.strip().replace("\n", "\\n"), "key in place of a token"),
    ("the PEM in one line", PEM.replace("\n", " ").strip(), "key in place of a token"),
    ("nothing before the dots", "..", "header is not JSON"),
    ("a list as header", token(head=[]), "header is not an object"),
    ("a header in UTF-16", token(head="{}".encode("utf-16")), "header is not UTF-8"),
    ("a kid twice", token(head=b'{"kid":"a","kid":"b"}'), "header cannot be read"),
    ("a list as payload", token([claims()]), "payload is not an object"),
    ("JSON written twice", token(json.dumps(json.dumps(claims())).encode()), "payload is not an object"),
    ("a form as payload", token(b"sub=a&iss=cdp"), "payload is not JSON"),
    ("Python as payload", token(repr(claims()).encode()), "payload is not JSON"),
    ("a mark before the payload", token(b"\xef\xbb\xbf{}"), "payload is not JSON"),
    ("lists, 2000 deep", token(b"[" * 2000), "payload cannot be read"),
    ("crit", token(head=header(crit=["exp"])), "crit in the header"),
    ("b64", token(head=header(b64=False)), "b64 in the header"),
    ("no kid", token(head=header(kid=ABSENT)), "kid missing"),
    ("null for kid", token(head=header(kid=None)), "kid is not a string"),
    ("a list for kid", token(head=header(kid=[f"{KEY_ID}1"])), "kid is not a string"),
    ("header before payload", token([], header(crit=[])), "crit in the header"),
    ("payload before kid", token([1], header(kid=ABSENT)), "payload is not an object"),
]  # fmt: skip

OF_MAIN = "the key id of main"
LISTED = "the id of a key: main, es256, stranger"
KIDS = [
    ("the label", "main", "label for the key id", OF_MAIN, "its label main"),
    ("the last part", f"{LAST}1", "only the last part of the key id", LISTED, f"{LAST}1"),
    ("a blank behind it", f"{KEY_ID}1 ", "whitespace around the key", OF_MAIN, None),
    ("quotes", f'"{KEY_ID}1"', "quotes around the key", OF_MAIN, None),
    ("a line end written out", f"{KEY_ID}1\\n", "more than the key", OF_MAIN, None),
    ("capitals", f"{KEY_ID}1".upper(), "key in another case", OF_MAIN, None),
    ("a slash before it", f"/{KEY_ID}1", "one character of the key wrong", OF_MAIN, None),
    ("an account", MAIN, "account in place of the key id", LISTED, None),
    ("an owner", OWNER, "owner in place of the key id", LISTED, None),
    ("the secret", SECRET, "secret for the key id", OF_MAIN, None),
    ("another's PEM", PEM, "secret for the key id", "the key id of es256", None),
    ("one digit off, of several keys", f"{KEY_ID}9", "unknown key id", LISTED, f"{KEY_ID}9"),
    ("one digit missing", KEY_ID[:20] + KEY_ID[21:] + "3", "one character of the key wrong", "the key id of stranger", None),
    ("a strange id", "12345678-1234-1234-1234-123456789012", "unknown key id", LISTED, "12345678-1234-1234-1234-123456789012"),
    ("a strange text", "hush", "unknown key id", LISTED, "value:dc8331bc"),
    ("a half of a pair", "\ud800", "unknown key id", LISTED, "value:91a681b9"),
    ("nothing", "", "unknown key id", LISTED, "value:e3b0c442"),
]  # fmt: skip

ELSEWHERE = [
    ("nothing", {}, "no Authorization header"),
    ("an empty one", {"Authorization": ""}, "empty Authorization header"),
    ("Bearer and nothing", {"Authorization": "Bearer"}, "empty token"),
    ("no Bearer", {"Authorization": BODY}, "Bearer missing"),
    ("a tab", {"Authorization": f"Bearer\t{BODY}"}, "no space after Bearer"),
    ("a colon", {"Authorization": f"Bearer:{BODY}"}, "no space after Bearer"),
    ("Basic", {"Authorization": f"Basic {BODY}"}, "scheme is not Bearer"),
    ("Token", {"Authorization": f"Token {BODY}"}, "scheme is not Bearer"),
    ("Basic and no token", {"Authorization": "Basic bWU6aHVzaA=="}, "scheme is not Bearer"),
    ("quotes", {"Authorization": f'"Bearer {BODY}"'}, "quotes around the header"),
    ("the secret", {"Authorization": SECRET}, "key in place of a token"),
    ("Basic and the secret", {"Authorization": f"Basic {SECRET}"}, "key in place of a token"),
    ("the key's id", {"X-API-Key": f"{KEY_ID}1"}, "key in place of a token"),
    ("the secret in a header", {"X-API-Secret": SECRET}, "key in place of a token"),
    ("another header", {"X-Auth-Token": BODY}, "token in another header"),
    ("another header, with Bearer", {"X-Authorization": f"Bearer {BODY}"}, "token in another header"),
    ("a cookie", {"Cookie": f"a=1; token={BODY}"}, "token in another header"),
    ("the wallet's header", {"X-Wallet-Auth": BODY}, "wallet token alone"),
    ("the second of two", {"Authorization": "", "authorization": f"Bearer {BODY}"}, "two Authorization headers"),
    ("the older scheme", {"CB-ACCESS-KEY": "k", "CB-ACCESS-SIGN": "s", "CB-ACCESS-TIMESTAMP": "1"}, "legacy headers"),
    ("a key of another provider", {"X-CPG-Key": "cpg_test_key"}, "foreign credential"),
    ("an unknown value", {"X-Api-Key": "nobody"}, "missing_credential"),
]  # fmt: skip

READS = [
    ("a label", "/v2/accounts/main", "label in place of accountId", "main"),
    ("capitals", f"/v2/accounts/{MAIN.upper()}", "accountId in another case", MAIN.upper()),
    ("no prefix", f"/v2/accounts/{UUID}", "accountId without account_", UUID),
    ("a blank", f"/v2/accounts/{MAIN}%20", "whitespace or quotes around accountId", f"{MAIN} "),
    ("a template", "/v2/accounts/%7BaccountId%7D", "accountId not filled in", "{accountId}"),
    ("undefined", "/v2/accounts/undefined/balances", "accountId not filled in", "undefined"),
    ("an owner", f"/v2/accounts/{OWNER}", "owner in place of accountId", OWNER),
    ("the secret", f"/v2/accounts/{quote(SECRET, safe='')}", "malformed accountId", "the secret of the key main"),
    ("anything", "/v2/accounts/x", "malformed accountId", "x"),
    ("no number", f"/v2/accounts/{MANY}/balances?pageSize=ten", "pageSize is not a number", "ten"),
    ("a fraction", f"/v2/accounts/{MANY}/balances?pageSize=1.0", "pageSize is not a number", "1.0"),
    ("zero", f"/v2/accounts/{MANY}/balances?pageSize=0", "pageSize is 0", "0"),
    ("below zero", f"/v2/accounts/{MANY}/balances?pageSize=-1", "pageSize is negative", "-1"),
    ("an empty size", "/v2/accounts?pageSize=", "pageSize is empty", ""),
    ("a semicolon", "/v2/accounts?pageSize=2;pageToken=a", "semicolon between parameters", "2;pageToken=a"),
    ("the first of two", "/v2/accounts?pageSize=0&pageSize=9", "pageSize is 0", "0"),
    ("a type nearly right", "/v2/accounts?type=Prime", "type in another case", "Prime"),
    ("a type of nothing", "/v2/accounts?type=", "type is empty", ""),
    ("an owner of nothing", "/v2/accounts?owner=", "owner is empty", ""),
    ("a blank before an owner", "/v2/accounts?owner=entity,%20customer", "whitespace or quotes around owner", " customer"),
    ("an owner in capitals", "/v2/accounts?owner=ENTITY", "owner in another case", "ENTITY"),
    ("an owner without its kind", f"/v2/accounts?owner={UUID}", "owner without entity_ or customer_", UUID),
    ("no owner", "/v2/accounts?owner=customer,alice", "malformed owner", "alice"),
    ("the secret for an owner", f"/v2/accounts?owner={quote(SECRET, safe='')}", "malformed owner", "the secret of the key main"),
    ("a symbol too long", f"{REST}/{'a' * 43}", "malformed asset", "a" * 43),
    ("a strange account", f"/v2/accounts/{NO_ACCOUNT}", "unknown account", NO_ACCOUNT),
    ("a strange account's asset", f"/v2/accounts/{NO_ACCOUNT}/balances/btc", "unknown account", NO_ACCOUNT),
    ("capitals in a symbol", f"{REST}/BTC", "asset in upper case", "BTC"),
    ("an asset not held", f"{REST}/doge", "asset not held", "doge"),
    ("an asset not held there", f"/v2/accounts/{EMPTY}/balances/btc", "asset not held", "btc"),
]  # fmt: skip

RENEW = "Make a new token for each request; if this one was new, set the clock."
SET_CLOCK = "Set the clock, or use the time of the exchange's Date header."
SHOWN_NOW = f"{NOW} (2025-05-17T01:20:00Z)"
SHORT_LIVED = {"cdp.strict_claims": "true", "cdp.max_token_lifetime": "60s"}
DIALLED = f"/~default{BALANCES}"
SEVERAL = [f"post a{OTHER}", f"{ENTRY}?a", "GET a/b", 7]
IN_DER = es256(sign=der)
SIGNED = IN_DER.rpartition(".")[0].encode()
SEES = (
    f"the key main sees main {MAIN}, many {MANY}, empty {EMPTY}, "
    "customer1 account_00000000-0000-4000-8000-000000000101, "
    "customer2 account_00000000-0000-4000-8000-000000000102"
)


class Case(NamedTuple):
    """A request, the rule, and texts; one that ends in "..." is the beginning of a text."""

    about: str
    sent: bytes
    rule: str | None
    texts: dict[str, str] = {}
    quirks: dict[str, str] = {}


def of_claims(about: str, more: dict[str, Any], rule: str | None, **texts: str) -> Case:
    return Case(about, bearing(token(claims(**more))), rule, texts)


def claim_cases() -> Iterator[Case]:
    for about, more, rule, received in (*CLAIMS, *TIMES):
        yield of_claims(about, more, rule, received=received)
    for late, hours in ZONES:
        rule, fix = ("token expired", RENEW) if late > 0 else ("token not valid yet", SET_CLOCK)
        hint = f" It differs by {hours} h: is local time used as UTC, or UTC as local time?"
        more = {"nbf": NOW - late, "exp": NOW - late + 120}
        yield of_claims(f"{late} seconds late", more, rule, fix=fix + hint * bool(hours))
    for (shape, (before, of)), (about, entry, rule) in product(SHAPES_OF_URIS.items(), ENTRIES):
        yield of_claims(f"{about}, in {shape}", of(entry), before + rule)
    for entry, expected, received in MARKS:
        texts = {"expected": expected, "received": received}
        yield of_claims(f"{entry!r} marked", {"uris": [entry]}, None, **texts)
    for signed, path, rule in ESCAPES:
        sent = bearing(token(claims(uris=[f"GET {HOST}{signed}"])), path)
        yield Case(f"{signed} signed, {path} sent", sent, rule)
    for strict, more, host, rule in STRICT:
        quirks = {f"cdp.strict_{name}": "true" for name in strict}
        sent = bearing(token(claims(**more)), DIALLED, host)
        yield Case(f"{strict} and {more}", sent, rule, quirks=quirks)


def other_cases() -> Iterator[Case]:
    for about, bearer, rule, received in SIGNATURES:  # sizes and fingerprints differ
        yield Case(f"signed {about}", bearing(bearer), rule, {"received": f"{received}..."})
    for about, bearer, rule in UNREADABLE:
        yield Case(about, bearing(bearer), rule)
    for about, kid, rule, expected, received in KIDS:
        texts = {"expected": expected} | ({} if received is None else {"received": received})
        yield Case(f"{about} as kid", bearing(token(head=header(kid=kid))), rule, texts)
    for about, headers, rule in ELSEWHERE:
        yield Case(f"{about} and no token", carrying(headers), rule)
    for about, target, rule, received in READS:
        yield Case(f"{about} in a read", reading(target), rule, {"received": received})


SINGLE = [
    of_claims("exp before the time in force", {"nbf": NOW - 61, "exp": NOW - 1}, None, expected=f"an exp at most 0s before {SHOWN_NOW}")._replace(quirks=SHORT_LIVED),
    of_claims("nbf after the time in force", {"nbf": NOW + 1, "exp": NOW + 61}, None, expected=f"nbf at most 0s after {SHOWN_NOW}")._replace(quirks=SHORT_LIVED),
    of_claims("exp after the lifetime in force", {"exp": NOW + 61}, None, expected="exp at most 60s after nbf")._replace(quirks=SHORT_LIVED),
    of_claims("the nearest of several entries", {"uris": SEVERAL}, "query in the claim"),
    of_claims("the nearest of uris and uri", {"uris": SEVERAL[:1], "uri": SEVERAL[1]}, "query in the claim"),
    of_claims("a right entry as text", {"uris": ENTRY}, "uris is a string", received=f"uris, a string: {ENTRY}"),
    of_claims("a right entry in a list as uri", {"uris": ABSENT, "uri": [ENTRY]}, "uri is a list", received=f"uri, a list: {ENTRY}"),
    Case("sub of another key", bearing(es256(claims())), "sub differs from kid", {"expected": f"sub {KEY_ID}2", "received": "sub the key id of the key main", "fix": "Set sub to the key id in the header's kid."}),
    Case("a token reused for another path", bearing(token(), f"{BALANCES}/btc"), "token of another request", {"expected": f"{ENTRY}>>/btc<<", "received": f"{ENTRY}>><<", "fix": f"Make a token for each request: this one is for {BALANCES}/btc."}),
    *(Case(f"a query after {entry}", bearing(token(claims(uris=[f"{entry}?a"])), DIALLED), "query in the claim") for entry in (f"GET 8491{BALANCES}", f"GET 8491{DIALLED}", f"GET {HOST}{DIALLED}")),
    Case("DER, whose right message is not shown", bearing(IN_DER), "signature in DER", {"expected": f"ES256 with the secret of the key es256, of header.payload of {len(SIGNED)} bytes:{hashlib.sha256(SIGNED).hexdigest()[:8]}", "received": "encoded in 7...", "fix": "Encode r and s in 32 bytes each, one after the other."}),
    Case("a token in the query", carrying({}, f"{BALANCES}?access_token={BODY}"), "token in the query", {"expected": "Authorization: Bearer, a space and a JWT", "received": "a token in the parameter access_token", "fix": "Send it in the Authorization header."}),
    Case("legacy headers without their values", carrying({"CB-ACCESS-KEY": "open sesame", "CB-ACCESS-PASSPHRASE": "hush"}), "legacy headers", {"received": "the headers CB-ACCESS-KEY, CB-ACCESS-PASSPHRASE"}),
    Case("the accounts that a key sees", reading(f"/v2/accounts/{NO_ACCOUNT}"), "unknown account", {"expected": SEES}),
    Case("the account of a label", reading("/v2/accounts/main"), "label in place of accountId", {"fix": f"Send {MAIN}.", "expected": f"account_ and 36 of 0-9, a-f and -; {SEES}"}),
    Case("the account of another owner", reading(f"/v2/accounts/{MAIN}", "3", STRANGER.sign), "account of another owner", {"expected": "the key stranger sees no account", "received": f"{MAIN}, which the key main sees", "fix": "Use one of those, or a key of the account's owner."}),
    Case("a page size above the maximum", reading("/v2/accounts?pageSize=101"), "pageSize above 100", quirks={"cdp.page_size_over_max": "reject"}),
]  # fmt: skip


CASES = [*claim_cases(), *other_cases(), *SINGLE]


@pytest.mark.parametrize("case", CASES, ids=[case.about for case in CASES])
def test_a_mistake_is_explained(server: MockServer, case: Case) -> None:
    server.set_quirks(case.quirks)
    explanation = explain(server, case.sent)
    assert case.rule in {explanation["rule"], None}
    for name, text in case.texts.items():
        shown = explanation[name]
        assert shown.startswith(text[:-3]) if text.endswith("...") else shown == text
    signature = re.search(rb"Bearer [\w-]+\.[\w-]+\.([\w-]{40})", case.sent)
    assert not signature or signature[1].decode() not in "\n".join(explanation.values())


def test_a_deeply_nested_payload_is_explained(server: MockServer) -> None:
    rules = []
    for depth in (OPENED_MAX - 3, OPENED_MAX - 2, OPENED_MAX - 1, 1000, 2500):
        nested = b',"a":' + b"[" * depth + b"]" * depth + b"}"
        bearer = token(compact(claims())[:-1] + nested, sign=by(b"\x44" * 32))
        rules.append(explain(server, bearing(bearer))["rule"])
    assert rules == ["bad signature"] * 2 + ["payload cannot be read"] * 3


def world_of(keys: int) -> dict[str, Any]:
    def secret(n: int) -> str:
        private = ed25519.Ed25519PrivateKey.from_private_bytes(n.to_bytes(32, "big"))
        return base64.b64encode(
            n.to_bytes(32, "big") + private.public_key().public_bytes_raw()
        ).decode()

    keys_by_label = {
        f"k{n}": {"key_id": f"key-{n}", "key_secret": secret(n), "owner": "o"} for n in range(keys)
    }
    return {"cdp": {"keys": keys_by_label}}


@pytest.mark.parametrize("keys", [2, 40])
def test_tries_are_few_however_many_keys_there_are(
    server: MockServer, monkeypatch: pytest.MonkeyPatch, keys: int
) -> None:
    tries: list[object] = []
    is_genuine = signature.SigningAttempt.is_genuine
    monkeypatch.setattr(
        signature.SigningAttempt,
        "is_genuine",
        lambda attempt: tries.append(attempt) or is_genuine(attempt),
    )
    box = server.sandbox("crowd", world=world_of(keys))
    bearer = token(head=header(kid=box.cdp.credential("k1")["key_id"]), sign=by(b"\x44" * 32))
    sent = bearing(bearer, f"/~crowd{BALANCES}")
    exchange(box.cdp.base_url, sent)
    assert box.journal[-1].explanation["rule"] == "bad signature"
    assert len(tries) == len(set(tries))
    assert 15 < len(tries) <= 40


# Page tokens

LIST = f"/v2/accounts/{MANY}/balances"
ANOTHER = "page token of another list"
LATE = "one issued at 2025-05-17T01:20:00Z, expired {} s ago on the sandbox clock"
BOUND = {"cdp.page_token_binds_size": "true"}


class Page(NamedTuple):
    """A page token of ``issued``, as it is sent: the rule, and what was received."""

    about: str
    target: Callable[[str], str]
    rule: str
    received: str = ""
    issued: str = f"{LIST}?pageSize=1"
    wait: str = ""
    quirks: dict[str, str] = {}


def to_list(edit: Callable[[str], str], more: str = "") -> Callable[[str], str]:
    return lambda token: f"{LIST}?pageToken={edit(token)}{more}"


# As documented, of an absurd time, and without a seal; it is right without padding.
FORGED = base64.urlsafe_b64encode(
    compact({"last_id": "x", "timestamp": 10**30, "value": None, "of": "", "size": 1}) + b"0" * 16
).decode()

PAGES = [
    Page("escaped twice", to_list(lambda t: escaped(escaped(t))), "pageToken escaped twice"),
    Page("a blank behind it", to_list(lambda t: escaped(t + " ")), "whitespace or quotes around pageToken"),
    Page("quotes", to_list(lambda t: escaped(f'"{t}"')), "whitespace or quotes around pageToken"),
    Page("cut", to_list(lambda t: escaped(t[:40])), "malformed pageToken"),
    Page("the documented one", to_list(lambda t: "eyJsYXN0X2lkIjogImFiYzEyMyIsICJ0aW1lc3RhbXAiOiAxNzA3ODIzNzAxfQ%3D%3D"), "malformed pageToken"),
    Page("a number", to_list(lambda t: "2"), "malformed pageToken"),
    Page("4097 signs", to_list(lambda t: "A" * 4097), "pageToken too long"),
    Page("4096 signs", to_list(lambda t: "A" * 4096), "malformed pageToken"),
    Page("forged, of an absurd time", to_list(lambda t: escaped(FORGED)), "page token changed, or of another sandbox"),
    Page("no padding", to_list(lambda t: t.rstrip("=")), "pageToken without its padding"),
    Page("of other balances", lambda t: f"/v2/accounts/{MAIN}/balances?pageToken={escaped(t)}", ANOTHER, f"one of balances of {MANY}"),
    Page("of balances, for accounts", lambda t: f"/v2/accounts?pageToken={escaped(t)}", ANOTHER, f"one of balances of {MANY}"),
    Page("of a list without a filter", lambda t: f"/v2/accounts?type=cdp&pageToken={escaped(t)}", ANOTHER, f"one of accounts of {OWNER}, None, None", "/v2/accounts?pageSize=1"),
    *(Page(f"of another size than {size}", to_list(escaped, more), "page token of another size", f"one for pageSize 1, with pageSize {size}", quirks=BOUND) for more, size in (("&pageSize=2", 2), ("", 20), ("&pageSize=101", 101))),
    *(Page(f"{wait} old", to_list(escaped), "page token expired", LATE.format(since), wait=wait) for wait, since in (("901s", 1), ("900001ms", 1), ("1h", 2700))),
]  # fmt: skip


def first_token(server: MockServer, target: str = f"{LIST}?pageSize=1") -> str:
    answer = exchange(server.cdp.base_url, reading(target))
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["nextPageToken"])


@pytest.mark.parametrize("page", PAGES, ids=[page.about for page in PAGES])
def test_a_page_token_is_explained(server: MockServer, page: Page) -> None:
    server.clock.freeze()
    server.set_quirks(page.quirks)
    bearer = first_token(server, page.issued)
    own = page.issued.partition("?")[0]
    assert is_good(server, reading(f"{own}?pageToken={escaped(bearer)}&pageSize=1"))
    if page.wait:
        server.clock.advance(page.wait)
    sent = page.target(bearer)
    explanation = explain(server, reading(sent))
    assert explanation["rule"] == page.rule
    assert page.received in {"", explanation["received"]}
    if sent.startswith(LIST):
        right = f"the nextPageToken of the page before, of balances of {MANY}"
        assert explanation["expected"] == right + ", at most 900s old" * bool(page.wait)


def test_a_page_token_of_another_seed_is_explained(server: MockServer) -> None:
    with MockServer(seed=7, real=HandClock(NOW * 10**9)) as other:
        bearer = escaped(first_token(other))
    rule = explain(server, reading(f"{LIST}?pageToken={bearer}"))["rule"]
    assert rule == "page token changed, or of another sandbox"


# One changed byte anywhere: the right rule or a general one

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SEED_OF_CHANGES = 490


def decoded(part: str) -> bytes | None:
    """Decodes a part in canonical base64url; returns None for any other."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return raw if packed(raw).decode() == part else None


def truth(bearer: str) -> str:
    """Returns the right rule for a token with one character changed after signing."""
    names = ("header", "payload", "signature")
    for name, part in zip(names, bearer.split("."), strict=True):
        raw = decoded(part)
        if raw is None:
            return "part of the token cut or changed"
        if name != "signature" and not is_json(raw):
            return f"{name} is not JSON" if is_text(raw) else f"{name} is not UTF-8"
    return truth_of_header(json.loads(decoded(bearer.partition(".")[0]) or b""))


def is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode())
    except ValueError:
        return False
    return True


def truth_of_header(head: dict[str, Any]) -> str:
    if "kid" not in head:
        return "kid missing"
    if head["kid"] != f"{KEY_ID}1":
        if head["kid"].lower() == f"{KEY_ID}1".lower():
            return "key in another case"
        changed = [a != b for a, b in zip(head["kid"], f"{KEY_ID}1", strict=True)]
        is_last = changed[-1]  # then the id is as near to those of other keys
        return "unknown key id" if is_last or sum(changed) > 1 else "one character of the key wrong"
    if "alg" not in head:
        return "alg missing"
    return "bad signature" if head["alg"] == "EdDSA" else "wrong alg"


def changed(chance: random.Random, text: str, signs: str, at: int) -> str:
    other = chance.choice([sign for sign in signs if sign != text[at]])
    return text[:at] + other + text[at + 1 :]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_changed_character_of_a_token_is_never_explained_wrongly(
    server: MockServer, part: int
) -> None:
    chance = random.Random(SEED_OF_CHANGES + part)
    rules = set()
    for _ in range(60):
        parts = BODY.split(".")
        at = chance.choice([chance.randrange(len(parts[part])), len(parts[part]) - 1])
        parts[part] = changed(chance, parts[part], SIGNS, at)
        bearer = ".".join(parts)
        rule = explain(server, bearing(bearer))["rule"]
        assert rule == truth(bearer), bearer
        rules.add(rule)
    assert len(rules) >= 2
    assert is_good(server, bearing(BODY))


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PATH_RULES = {"another path", "token of another request", "path in another case"}


def entry_rules(entry: str, at: int) -> set[str]:
    """Returns the right rules for an entry with a letter changed at this position."""
    slash = 4 + len(HOST)
    if at < 3:
        return {"another method", "method in lower case"}
    if at == 3:
        return {"method missing + another host"}
    name, _, port = entry[4:].partition("/")[0].partition(":")
    host = "another port" if name.lower() == "exchange" and port.isdigit() else "another host"
    if at < slash:
        return {host}
    return {f"{host} + base path missing"} if at == slash else PATH_RULES


def test_one_changed_letter_of_an_entry_is_located(server: MockServer) -> None:
    chance = random.Random(SEED_OF_CHANGES)
    for at in [*range(4), *(chance.randrange(4, len(ENTRY)) for _ in range(80))]:
        entry = changed(chance, ENTRY, LETTERS, at)
        if entry.lower() == ENTRY.lower() and 3 < at < 4 + len(HOST):
            continue  # hosts have no case
        assert explain(server, bearing(token(claims(uris=[entry]))))["rule"] in entry_rules(
            entry, at
        ), entry


def test_one_changed_character_of_a_page_token_is_never_explained_wrongly(
    server: MockServer,
) -> None:
    chance = random.Random(SEED_OF_CHANGES)
    bearer = first_token(server)
    allowed = {
        "malformed pageToken",
        "page token changed, or of another sandbox",
        "pageToken without its padding",
    }
    for _ in range(60):
        edited = changed(chance, bearer, SIGNS, chance.randrange(len(bearer)))
        explanation = explain(
            server, reading(f"/v2/accounts/{MANY}/balances?pageToken={escaped(edited)}")
        )
        assert explanation["rule"] in allowed, edited


# Without a server


def test_general_reasons_are_not_explained_by_cdp(server: MockServer) -> None:
    keyring = server.app.sandboxes.default.states["cdp"].keyring
    request = Request("GET", b"/", b"", [], b"", "127.0.0.1", b"/")
    for reason in ("too_large", "revoked_credential", "internal_error", "service_unavailable"):
        assert mistakes.explain(RejectedRequest(request, reason, {}, keyring, {}, 0)) is None


def test_no_explanation_shows_a_secret(server: MockServer) -> None:
    places: list[Callable[[str], bytes]] = [
        lambda s: bearing(token(head=header(kid=s))),
        lambda s: bearing(token(claims(sub=s))),
        lambda s: bearing(token(claims(iss=s))),
        lambda s: bearing(token(claims(uris=[s]))),
        lambda s: bearing(token(claims(uris=[f"GET {HOST}{BALANCES}?secret={s}"]))),
        lambda s: bearing(token(head=header(alg=s))),
        lambda s: bearing(s.replace("\n", " ")),
        lambda s: carrying({"X-Api-Secret": s.replace("\n", " ")}),
        lambda s: carrying({}, f"{BALANCES}?secret={escaped(s)}"),
        lambda s: reading(f"/v2/accounts/{escaped(s)}"),
        lambda s: reading(f"/v2/accounts/{MAIN}/balances?pageSize={escaped(s)}"),
        lambda s: reading(f"/v2/accounts?type={escaped(s)}"),
        lambda s: reading(f"{REST}/{escaped(s[:40])}"),
    ]
    keys = [server.cdp.credentials, *server.cdp.others.values()]
    for place, key in product(places, keys[:3]):
        explain(server, place(key["key_secret"]))
