"""Explanations of CDP: tokens and reads with the mistakes that clients make.

Tokens are signed here without the package.
"""

import base64
import hashlib
import hmac
import json
import logging
import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer
from mockserver.explain import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.jwt import OPENED_MAX
from mockserver.providers.cdp import mistakes
from mockserver.providers.cdp.mistakes import signature

NOW = 1_747_444_800
HOST = "exchange:8491"
MAIN = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
MANY = "account_00000000-0000-4000-8000-000000000250"
EMPTY = "account_00000000-0000-4000-8000-000000000000"
UNKNOWN = "account_00000000-0000-4000-8000-00000000dead"
OWNER = "entity_af2937b0-9846-4fe7-bfe9-ccc22d935114"
BALANCES = f"/platform/v2/accounts/{MAIN}/balances"
ENTRY = f"GET {HOST}{BALANCES}"

LAST = "00000000-0000-4000-8000-00000000000"
KEY_ID = f"organizations/00000000-0000-4000-8000-000000000490/apiKeys/{LAST}"
ED = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x11" * 32)
STRANGER = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x33" * 32)
P256 = ec.derive_private_key(int.from_bytes(b"\x22" * 32, "big"), ec.SECP256R1())
SECRET = "ERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw=="
PEM = P256.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()

Sign = Callable[[bytes], bytes]
ABSENT = object()


# The signer: makes a valid token, or one with a mistake


def der(message: bytes) -> bytes:
    return P256.sign(message, ec.ECDSA(hashes.SHA256()))


def p256(message: bytes) -> bytes:
    return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(der(message)))


def keyed(secret: bytes, digest: str = "sha256") -> Sign:
    return lambda message: hmac.new(secret, message, digest).digest()


def packed(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


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
    sign: Sign = ED.sign,
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


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        yield server


@pytest.fixture(autouse=True)
def unbroken(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Checks that no explanation raised an error."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


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


def reading(target: str, key: str = "1", sign: Sign = ED.sign) -> bytes:
    """Returns a valid request for a target below the base URL."""
    entry = f"GET {HOST}/platform{target.partition('?')[0]}"
    id = KEY_ID + key
    return bearing(token(claims(uris=[entry], sub=id), header(kid=id), sign), f"/platform{target}")


def is_good(server: MockServer, sent: bytes) -> bool:
    return exchange(server.cdp.base_url, sent).startswith(b"HTTP/1.1 200 ")


def test_the_signer_of_these_tests_makes_valid_tokens(server: MockServer) -> None:
    for bearer in (token(), es256()):
        assert is_good(server, bearing(bearer))
        assert server.journal[-1].explanation is None
    assert is_good(server, reading("/v2/accounts"))


# Claims

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


@pytest.mark.parametrize(("about", "more", "rule", "received"), CLAIMS, ids=[r[0] for r in CLAIMS])
def test_a_wrong_claim_is_explained(
    server: MockServer, about: str, more: dict[str, Any], rule: str, received: str
) -> None:
    explanation = explain(server, bearing(token(claims(**more))))
    assert (explanation["rule"], explanation["received"]) == (rule, received)
    assert is_good(server, bearing(token()))


def test_a_sub_of_another_key_is_explained(server: MockServer) -> None:
    explanation = explain(server, bearing(es256(claims())))
    assert explanation == {
        "rule": "sub differs from kid",
        "expected": f"sub {KEY_ID}2",
        "received": "sub the key id of the key main",
        "fix": "Set sub to the key id in the header's kid.",
    }


MS, US, NS = NOW * 10**3, NOW * 10**6, NOW * 10**9
NOT_NOW = "about 1747444800"

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


@pytest.mark.parametrize(("about", "more", "rule", "received"), TIMES, ids=[r[0] for r in TIMES])
def test_a_wrong_time_is_explained_with_its_distance(
    server: MockServer, about: str, more: dict[str, Any], rule: str, received: str
) -> None:
    explanation = explain(server, bearing(token(claims(**more))))
    assert (explanation["rule"], explanation["received"]) == (rule, received)


ZONES = [
    # seconds since a token was issued, and the hours in the question
    (3600, "-1"), (3660, "-1"), (3540, "-1"), (5400, "-1.5"), (14 * 3600, "-14"),
    (3661, None), (3539, None), (300, None), (15 * 3600, None), (-3600, "+1"), (-300, None),
]  # fmt: skip


@pytest.mark.parametrize(("late", "hours"), ZONES)
def test_a_time_that_is_off_by_hours_may_be_local_time(
    server: MockServer, late: int, hours: str | None
) -> None:
    issued = NOW - late
    fix = explain(server, bearing(token(claims(nbf=issued, exp=issued + 120))))["fix"]
    question = f" It differs by {hours} h: is local time used as UTC, or UTC as local time?"
    assert fix.endswith(question) if hours else "UTC" not in fix


def test_the_expected_times_are_those_in_force() -> None:
    quirks = {"cdp.strict_claims": "true", "cdp.max_token_lifetime": "60s"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        shown = f"{NOW} (2025-05-17T01:20:00Z)"
        rows = [
            ({"nbf": NOW - 61, "exp": NOW - 1}, f"an exp at most 0s before {shown}"),
            ({"nbf": NOW + 1, "exp": NOW + 61}, f"nbf at most 0s after {shown}"),
            ({"exp": NOW + 61}, "exp at most 60s after nbf"),
        ]
        for more, expected in rows:
            assert explain(server, bearing(token(claims(**more))))["expected"] == expected


# The request of a token

REST = BALANCES.removeprefix("/platform")
OTHER = BALANCES.replace(MAIN, MANY)

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


@pytest.mark.parametrize(("about", "entry", "rule"), ENTRIES, ids=[r[0] for r in ENTRIES])
@pytest.mark.parametrize("shape", ["uris", "uri", "a text for uris", "a list for uri"])
def test_an_entry_for_another_request_is_explained_part_by_part(
    server: MockServer, shape: str, about: str, entry: str, rule: str
) -> None:
    more, before = {
        "uris": ({"uris": [entry]}, ""),
        "uri": ({"uris": ABSENT, "uri": entry}, ""),
        "a text for uris": ({"uris": entry}, "uris is a string + "),
        "a list for uri": ({"uris": ABSENT, "uri": [entry]}, "uri is a list + "),
    }[shape]
    assert explain(server, bearing(token(claims(**more))))["rule"] == before + rule
    assert is_good(server, bearing(token()))


MARKS = [
    (f"{ENTRY}?pageSize=2&q={SECRET}", f"{ENTRY}>><<", f"{ENTRY}>>?pageSize=...&q=...<<"),
    (f"get {HOST}{BALANCES}", f">>GET<< {HOST}{BALANCES}", f">>get<< {HOST}{BALANCES}"),
    (f"GET {HOST}{REST}", f"GET {HOST}/>>platform/<<{REST[1:]}", f"GET {HOST}/>><<{REST[1:]}"),
    (f"GET sandbox.cdp.coinbase.com{REST}", f"GET sandbox.cdp.coinbase.com/>>platform/<<{REST[1:]}", f"GET sandbox.cdp.coinbase.com/>><<{REST[1:]}"),
    (f"GET me:hush@{HOST}{BALANCES}", f"GET >>{HOST}<<{BALANCES}", f"GET >>value:480b9fcf<<{BALANCES}"),
    (ENTRY + "\x00\ud800", f"{ENTRY}>><<", f"{ENTRY}>>\\x00\\xed\\xa0\\x80<<"),
    ("hush", f">>GET {HOST}{BALANCES}<<", ">>value:dc8331bc<<"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "expected", "received"), MARKS)
def test_both_entries_are_shown_with_their_difference(
    server: MockServer, entry: str, expected: str, received: str
) -> None:
    explanation = explain(server, bearing(token(claims(uris=[entry]))))
    assert (explanation["expected"], explanation["received"]) == (expected, received)


def test_of_several_entries_the_nearest_is_explained(server: MockServer) -> None:
    entries = [f"post a{OTHER}", f"{ENTRY}?a", "GET a/b", 7]
    for more in ({"uris": entries}, {"uris": entries[:1], "uri": entries[1]}):
        assert explain(server, bearing(token(claims(**more))))["rule"] == "query in the claim"


def test_a_right_entry_in_the_wrong_json_type_is_explained(
    server: MockServer,
) -> None:
    for more, rule in (
        ({"uris": ENTRY}, "uris is a string"),
        ({"uris": ABSENT, "uri": [ENTRY]}, "uri is a list"),
    ):
        explanation = explain(server, bearing(token(claims(**more))))
        assert (explanation["rule"], explanation["received"]) == (rule, ENTRY)


def test_a_token_reused_for_another_path_is_explained_with_both(server: MockServer) -> None:
    bearer = token()
    assert is_good(server, bearing(bearer))
    explanation = explain(server, bearing(bearer, f"{BALANCES}/btc"))
    assert explanation == {
        "rule": "token of another request",
        "expected": f"{ENTRY}>>/btc<<",
        "received": f"{ENTRY}>><<",
        "fix": f"Make a token for each request: this one is for {BALANCES}/btc.",
    }


ESCAPES = [
    # the path in the claim, the path sent
    (BALANCES, BALANCES.replace("account_", "%61ccount_"), "path unescaped"),
    (f"{BALANCES}/a%2Cb", f"{BALANCES}/a,b", "path escaped"),
    (BALANCES.replace("balances", "b%61lances"), BALANCES, "path escaped in another way"),
]


@pytest.mark.parametrize(("signed", "path", "rule"), ESCAPES)
def test_a_path_escaped_in_another_way_is_explained(
    server: MockServer, signed: str, path: str, rule: str
) -> None:
    sent = bearing(token(claims(uris=[f"GET {HOST}{signed}"])), path)
    assert explain(server, sent)["rule"] == rule


def test_an_accepted_deviation_is_not_part_of_an_explanation(server: MockServer) -> None:
    raw_target_path = f"/~default{BALANCES}"
    for entry in (
        f"GET 8491{BALANCES}?a",
        f"GET 8491{raw_target_path}?a",
        f"GET {HOST}{raw_target_path}?a",
    ):
        explanation = explain(server, bearing(token(claims(uris=[entry])), raw_target_path))
        assert explanation["rule"] == "query in the claim"


STRICT = [
    # quirks, what the token says, the Host header, the rule
    (("host",), {"uris": [f"GET api.cdp.coinbase.com{BALANCES}"]}, HOST, "another host"),
    (("host",), {"uris": [f"GET 8491{BALANCES}"]}, HOST, "port in place of the host"),
    (("host",), {"uris": [f"GET {HOST}/~default{BALANCES}"]}, HOST, "path with this mock's prefix"),
    (("claims",), {"iss": "coinbase-cloud"}, HOST, "unexpected iss"),
    (("claims",), {"uris": ABSENT, "uri": f"GET api.cdp.coinbase.com{BALANCES}"}, HOST, "uri in place of uris"),
    (("claims",), {"uris": [], "uri": f"GET api.cdp.coinbase.com{BALANCES}"}, HOST, "uris empty"),
    (("claims",), {"uris": [ENTRY]}, HOST, "another host"),
    (("claims",), {"uris": [f"GET sandbox.cdp.coinbase.com{BALANCES}"]}, HOST, "another host"),
    (("claims",), {"uris": [f"GET 8491{BALANCES}"]}, HOST, "port in place of the host"),
    (("claims", "host"), {"uris": [ENTRY]}, HOST, "Host is not the real one"),
    (("claims", "host"), {"uris": [ENTRY]}, "api.cdp.coinbase.com", "another host"),
]  # fmt: skip


@pytest.mark.parametrize(("strict", "more", "host", "rule"), STRICT)
def test_what_a_strict_quirk_rejects_is_explained(
    strict: tuple[str, ...], more: dict[str, Any], host: str, rule: str
) -> None:
    quirks = {f"cdp.strict_{name}": "true" for name in strict}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        sent = bearing(token(claims(**more)), f"/~default{BALANCES}", host)
        assert explain(server, sent)["rule"] == rule


# The signature


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
UNSOLVED = ("alg EdDSA; no known", "alg ES256; no known")
KID, SHARED = "another key than kid", "symmetric algorithm"
HS = {"alg": "HS256"}

SIGNATURES = [
    ("by another key", token(sign=STRANGER.sign), KID, "signed by the key stranger"),
    ("by a key of another type", token(sign=p256), KID, "signed by the key es256"),
    ("by a key of another type, with its alg", token(head=header(alg="ES256"), sign=p256), KID, "signed by the key es256"),
    ("ES256 by an Ed25519 key", es256(sign=ED.sign), KID, "signed by the key main"),
    ("in DER", es256(sign=der), "signature in DER", "encoded in"),
    ("in DER, by another key", token(sign=der), f"signature in DER + {KID}", "encoded in"),
    ("nearly in DER", es256(write=lambda s: packed(b"\x30" + s)), "bad signature", UNSOLVED),
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
    ("ES256 by an unknown key", es256(sign=lambda m: b"\x01" * 64), "bad signature", UNSOLVED),
    ("of another message", token(signed=lambda h, p: b"?"), "bad signature", UNSOLVED),
    ("a byte too long", token(write=lambda s: packed(s + b"\0")), "bad signature", UNSOLVED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "bearer", "rule", "received"), SIGNATURES, ids=[r[0] for r in SIGNATURES]
)
def test_a_wrong_signature_is_explained_by_its_message_and_key(
    server: MockServer, about: str, bearer: str, rule: str, received: str
) -> None:
    explanation = explain(server, bearing(bearer))
    assert explanation["rule"] == rule
    assert explanation["received"].startswith(received)  # sizes and fingerprints differ
    signature = bearer.rpartition(".")[2]
    assert not signature or signature[:40] not in "\n".join(explanation.values())
    assert is_good(server, bearing(token()))


def test_the_right_message_is_identified_without_being_shown(server: MockServer) -> None:
    bearer = es256(sign=der)
    signed = bearer.rpartition(".")[0]
    size = len(base64.urlsafe_b64decode(bearer.rpartition(".")[2] + "=="))
    digest = hashlib.sha256(signed.encode()).hexdigest()[:8]
    assert explain(server, bearing(bearer)) == {
        "rule": "signature in DER",
        "expected": "ES256 with the secret of the key es256,"
        f" of header.payload of {len(signed)} bytes:{digest}",
        "received": f"encoded in {size} bytes",
        "fix": "Encode r and s in 32 bytes each, one after the other.",
    }


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


# The form of a token, and its key id

BODY = token()
SHAPES = [
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


@pytest.mark.parametrize(("about", "bearer", "rule"), SHAPES, ids=[r[0] for r in SHAPES])
def test_an_unreadable_token_is_explained_by_its_first_mistake(
    server: MockServer, about: str, bearer: str, rule: str
) -> None:
    assert explain(server, bearing(bearer))["rule"] == rule
    assert is_good(server, bearing(token()))


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


@pytest.mark.parametrize(
    ("about", "kid", "rule", "expected", "received"), KIDS, ids=[r[0] for r in KIDS]
)
def test_an_unknown_key_id_is_explained_by_what_it_is(
    server: MockServer, about: str, kid: str, rule: str, expected: str, received: str | None
) -> None:
    explanation = explain(server, bearing(token(head=header(kid=kid))))
    assert (explanation["rule"], explanation["expected"]) == (rule, expected)
    assert received is None or explanation["received"] == received


# No token

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


@pytest.mark.parametrize(("about", "headers", "rule"), ELSEWHERE, ids=[r[0] for r in ELSEWHERE])
def test_a_token_that_is_not_a_bearer_token_is_explained(
    server: MockServer, about: str, headers: dict[str, str], rule: str
) -> None:
    assert explain(server, carrying(headers))["rule"] == rule


def test_a_token_in_the_query_is_explained(server: MockServer) -> None:
    explanation = explain(server, carrying({}, f"{BALANCES}?access_token={BODY}"))
    assert explanation == {
        "rule": "token in the query",
        "expected": "Authorization: Bearer, a space and a JWT",
        "received": "a token in the parameter access_token",
        "fix": "Send it in the Authorization header.",
    }


def test_legacy_headers_are_listed_without_their_values(server: MockServer) -> None:
    sent = carrying({"CB-ACCESS-KEY": "open sesame", "CB-ACCESS-PASSPHRASE": "hush"})
    assert explain(server, sent)["received"] == "the headers CB-ACCESS-KEY, CB-ACCESS-PASSPHRASE"


# Reads

SEES = (
    f"the key main sees main {MAIN}, many {MANY}, empty {EMPTY}, "
    "customer1 account_00000000-0000-4000-8000-000000000101, "
    "customer2 account_00000000-0000-4000-8000-000000000102"
)
UUID = MAIN.removeprefix("account_")

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
    ("a strange account", f"/v2/accounts/{UNKNOWN}", "unknown account", UNKNOWN),
    ("a strange account's asset", f"/v2/accounts/{UNKNOWN}/balances/btc", "unknown account", UNKNOWN),
    ("capitals in a symbol", f"{REST}/BTC", "asset in upper case", "BTC"),
    ("an asset not held", f"{REST}/doge", "asset not held", "doge"),
    ("an asset not held there", f"/v2/accounts/{EMPTY}/balances/btc", "asset not held", "btc"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "target", "rule", "received"), READS, ids=[r[0] for r in READS])
def test_a_rejected_read_is_explained(
    server: MockServer, about: str, target: str, rule: str, received: str
) -> None:
    explanation = explain(server, reading(target))
    assert (explanation["rule"], explanation["received"]) == (rule, received)


def test_the_accounts_that_a_key_sees_are_listed(server: MockServer) -> None:
    explanation = explain(server, reading(f"/v2/accounts/{UNKNOWN}"))
    assert explanation["expected"] == SEES
    explanation = explain(server, reading("/v2/accounts/main"))
    assert explanation["fix"] == f"Send {MAIN}."
    assert explanation["expected"].endswith(SEES)
    stranger = explain(server, reading(f"/v2/accounts/{MAIN}", "3", STRANGER.sign))
    assert stranger == {
        "rule": "account of another owner",
        "expected": "the key stranger sees no account",
        "received": f"{MAIN}, which the key main sees",
        "fix": "Use one of those, or a key of the account's owner.",
    }


def test_a_page_size_above_the_maximum_is_explained() -> None:
    quirks = {"cdp.page_size_over_max": "reject"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        assert is_good(server, reading("/v2/accounts?pageSize=100"))
        assert explain(server, reading("/v2/accounts?pageSize=101"))["rule"] == "pageSize above 100"


# Page tokens


def first_page(server: MockServer, target: str = f"/v2/accounts/{MANY}/balances") -> str:
    answer = exchange(server.cdp.base_url, reading(f"{target}?pageSize=1"))
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["nextPageToken"])


def escaped(text: str) -> str:
    return quote(text, safe="")


PAGES = [
    ("escaped twice", lambda t: escaped(escaped(t)), "pageToken escaped twice"),
    ("a blank behind it", lambda t: escaped(t + " "), "whitespace or quotes around pageToken"),
    ("quotes", lambda t: escaped(f'"{t}"'), "whitespace or quotes around pageToken"),
    ("cut", lambda t: escaped(t[:40]), "malformed pageToken"),
    ("the documented one", lambda t: "eyJsYXN0X2lkIjogImFiYzEyMyIsICJ0aW1lc3RhbXAiOiAxNzA3ODIzNzAxfQ%3D%3D", "malformed pageToken"),
    ("a number", lambda t: "2", "malformed pageToken"),
    ("4097 signs", lambda t: "A" * 4097, "pageToken too long"),
    ("4096 signs", lambda t: "A" * 4096, "malformed pageToken"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "edit", "rule"), PAGES, ids=[r[0] for r in PAGES])
def test_a_changed_page_token_is_explained(
    server: MockServer, about: str, edit: Callable[[str], str], rule: str
) -> None:
    bearer = first_page(server)
    explanation = explain(server, reading(f"/v2/accounts/{MANY}/balances?pageToken={edit(bearer)}"))
    assert explanation["rule"] == rule
    assert explanation["expected"] == f"the nextPageToken of the page before, of balances of {MANY}"
    good = reading(f"/v2/accounts/{MANY}/balances?pageToken={escaped(bearer)}")
    assert is_good(server, good)


def test_a_page_token_without_its_padding_is_explained(server: MockServer) -> None:
    bearer = next(t for n in range(1, 9) if (t := sized(server, n)).endswith("="))
    target = f"/v2/accounts/{MANY}/balances?pageToken={bearer.rstrip('=')}"
    assert explain(server, reading(target))["rule"] == "pageToken without its padding"


def sized(server: MockServer, size: int) -> str:
    answer = exchange(server.cdp.base_url, reading(f"/v2/accounts/{MANY}/balances?pageSize={size}"))
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["nextPageToken"])


LISTS = [
    (f"/v2/accounts/{MAIN}/balances", f"one of balances of {MANY}"),
    ("/v2/accounts", f"one of balances of {MANY}"),
]


@pytest.mark.parametrize(("target", "received"), LISTS)
def test_a_page_token_of_another_list_is_explained(
    server: MockServer, target: str, received: str
) -> None:
    bearer = escaped(first_page(server))
    explanation = explain(server, reading(f"{target}?pageToken={bearer}"))
    assert (explanation["rule"], explanation["received"]) == (
        "page token of another list",
        received,
    )


def test_a_page_token_of_a_filtered_list_is_explained(server: MockServer) -> None:
    bearer = escaped(first_page(server, "/v2/accounts"))
    assert is_good(server, reading(f"/v2/accounts?pageToken={bearer}"))
    explanation = explain(server, reading(f"/v2/accounts?type=cdp&pageToken={bearer}"))
    assert explanation["rule"] == "page token of another list"
    assert explanation["received"] == f"one of accounts of {OWNER}, None, None"


def test_a_page_token_of_another_size_is_explained() -> None:
    quirks = {"cdp.page_token_binds_size": "true"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        bearer = escaped(first_page(server))
        target = f"/v2/accounts/{MANY}/balances?pageToken={bearer}"
        assert is_good(server, reading(f"{target}&pageSize=1"))
        for size, page_size in (("&pageSize=2", 2), ("", 20), ("&pageSize=101", 100)):
            explanation = explain(server, reading(target + size))
            assert explanation["rule"] == "page token of another size"
            assert explanation["received"] == f"one for pageSize 1, with pageSize {page_size}"


def test_a_page_token_of_another_seed_is_explained() -> None:
    with MockServer(seed=7, real=HandClock(NOW * 10**9)) as other:
        bearer = escaped(first_page(other))
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        explanation = explain(server, reading(f"/v2/accounts/{MANY}/balances?pageToken={bearer}"))
        assert explanation["rule"] == "page token changed, or of another sandbox"


@pytest.mark.parametrize(("wait", "since"), [("901s", 1), ("900001ms", 1), ("1h", 2700)])
def test_an_expired_page_token_is_explained_with_its_age(wait: str, since: int) -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        target = f"/v2/accounts/{MANY}/balances?pageToken={escaped(first_page(server))}"
        server.clock.freeze()
        assert is_good(server, reading(target))
        server.clock.advance(wait)
        explanation = explain(server, reading(target))
        assert explanation["rule"] == "page token expired"
        assert explanation["expected"].endswith(", at most 900s old")
        assert explanation["received"] == (
            f"one issued at 2025-05-17T01:20:00Z, expired {since} s ago on the sandbox clock"
        )


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
    bearer = first_page(server)
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
