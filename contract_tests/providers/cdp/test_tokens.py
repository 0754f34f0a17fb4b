"""Coinbase CDP over a socket: which tokens are accepted, signed by PyJWT, and those we sign."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt as pyjwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from contract_tests.providers.cdp.calls import (
    ABSENT,
    ACCOUNTS,
    BAD,
    BALANCES,
    CANONICAL,
    ED25519,
    KEY_ID,
    LATE,
    MISSING,
    OUTSIDE,
    P256,
    PUBLIC,
    SIGNERS,
    STRANGER,
    UNKNOWN,
    ask,
    claims,
    crafted,
    good,
    outcome,
    packed,
    plain,
    sent,
    token,
)
from contract_tests.support.fixture_rows import rows
from contract_tests.support.raw import get
from contract_tests.support.request_rows import CLOCK, NOW, Row, answered
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.model import jwt

NOBODY = "unknown_credential"

ACCEPTED = [
    ("as the Python SDK writes it", {}, {}),
    ("as the others write it", {"aud": ABSENT, "iat": NOW}, {"nonce": "0123456789abcdef" * 2}),
    ("as cdpcurl writes it", {"iss": "coinbase-cloud", "aud": [""], "exp": NOW + 60}, {"nonce": "9151314442816847872"}),
    ("an audience as text", {"aud": "cdp_service"}, {}),
    ("uri for uris", {"uris": ABSENT, "uri": CANONICAL}, {}),
    ("uri beside uris of another request", {"uris": ["GET a/b"], "uri": CANONICAL}, {}),
    ("several uris", {"uris": ["GET x/\u5e01", 7, CANONICAL]}, {}),
    ("another real host", {"uris": [CANONICAL.replace("api.", "sandbox.")]}, {}),
    ("neither nbf nor iat", {"nbf": ABSENT}, {}),
    ("null for nbf and iat", {"nbf": None, "iat": None}, {}),
    ("a fraction of a second", {"exp": NOW + 119.5}, {}),
    ("no typ, no nonce", {}, {"typ": None, "nonce": None}),
    ("more members", {"jti": "a", "more": {"b": [1]}}, {}),
    ("just within its bound", {"more": "m" * 5500}, {}),
    ("four seconds past", {"nbf": NOW - 124, "exp": NOW - 4.5}, {}),
    ("five seconds ahead", {"nbf": NOW + 5, "exp": NOW + 125}, {}),
    ("all of its life ahead, and late", {"nbf": ABSENT, "iat": NOW + 5, "exp": NOW + 125}, {}),
    ("an early nbf beside iat", {"nbf": NOW - 60, "iat": NOW}, {}),
    ("a life from iat", {"iat": NOW - 1, "nbf": NOW, "exp": NOW + 119}, {}),
    ("a life from iat, not from nbf", {"iat": NOW, "nbf": NOW - 1, "exp": NOW + 120}, {}),
    ("a life from nbf", {"nbf": NOW - 1, "exp": NOW + 119}, {}),
    ("a life from now", {"nbf": ABSENT, "exp": NOW + 120}, {}),
]  # fmt: skip
test_a_token_of_a_real_client_is_good = answered(
    "cdp",
    [
        sent(f"{label}-{about}", token(claims(label=label, **more), label, **header))
        for label in ("main", "es256")
        for about, more, header in ACCEPTED
    ],
)


REFUSED = [
    ("issuer", {"iss": KEY_ID}, {}, BAD),
    ("issuer in capitals", {"iss": "COINBASE-CLOUD"}, {}, BAD),
    ("issuers in a list", {"iss": ["cdp"]}, {}, BAD),
    ("no issuer", {"iss": ABSENT}, {}, BAD),
    ("subject of another key", {"sub": f"{KEY_ID}2"}, {}, BAD),
    ("no subject", {"sub": ABSENT}, {}, BAD),
    ("another key's id", {}, {"kid": f"{KEY_ID}2"}, BAD),
    ("an unknown key", {}, {"kid": "nobody"}, NOBODY),
    ("a key id that no text has", {}, {"kid": "\ud800"}, NOBODY),
    ("crit", {}, {"crit": ["exp"]}, BAD),
    ("b64", {}, {"b64": True}, BAD),
    ("no uris", {"uris": ABSENT}, {}, BAD),
    ("empty uris", {"uris": []}, {}, BAD),
    ("uris as text", {"uris": CANONICAL}, {}, BAD),
    ("uri as list", {"uris": ABSENT, "uri": [CANONICAL]}, {}, BAD),
    ("another method", {"uris": [CANONICAL.replace("GET", "POST")]}, {}, BAD),
    ("a method in small letters", {"uris": [CANONICAL.replace("GET", "get")]}, {}, BAD),
    ("another path", {"uris": [CANONICAL + "/btc"]}, {}, BAD),
    ("a path beyond Latin-1", {"uris": [CANONICAL + "\u5e01"]}, {}, BAD),
    ("the path without /platform", {"uris": [CANONICAL.replace("/platform", "")]}, {}, BAD),
    ("another host", {"uris": [CANONICAL.replace("cdp.", "cdq.")]}, {}, BAD),
    ("no host", {"uris": [f"GET {BALANCES}"]}, {}, BAD),
    ("a scheme", {"uris": [CANONICAL.replace(" ", " https://")]}, {}, BAD),
    ("two spaces", {"uris": [CANONICAL.replace(" ", "  ")]}, {}, BAD),
    ("the query", {"uris": [CANONICAL + "?pageSize=2"]}, {}, BAD),
    ("no exp", {"exp": ABSENT}, {}, BAD),
    ("null for exp", {"exp": None}, {}, BAD),
    ("exp as text", {"exp": str(NOW + 60)}, {}, BAD),
    ("true for exp", {"exp": True}, {}, BAD),
    ("a number that is none", {"exp": float("nan")}, {}, BAD),
    ("an enormous exp", {"exp": 10**400}, {}, BAD),
    ("an exp below zero", {"exp": -1}, {}, BAD),
    ("nbf as text", {"nbf": str(NOW)}, {}, BAD),
    ("iat as list", {"iat": [NOW]}, {}, BAD),
    ("nbf too late to be meant", {"nbf": 1 << 40}, {}, BAD),
    ("nbf as late as can be", {"nbf": (1 << 40) - 1}, {}, OUTSIDE),
    ("five seconds past", {"nbf": NOW - 125, "exp": NOW - 5}, {}, LATE),
    ("nbf six seconds ahead", {"nbf": NOW + 6, "exp": NOW + 126}, {}, OUTSIDE),
    ("iat half a second too early", {"iat": NOW + 5.5}, {}, OUTSIDE),
    ("good for 121 seconds", {"exp": NOW + 121}, {}, OUTSIDE),
    ("good for 121 seconds since iat", {"iat": NOW, "nbf": NOW + 1, "exp": NOW + 121}, {}, OUTSIDE),
    ("good since 1970", {"nbf": 0}, {}, OUTSIDE),
    ("good for 121 seconds from now", {"nbf": ABSENT, "exp": NOW + 121}, {}, OUTSIDE),
]  # fmt: skip
test_a_token_with_another_claim_is_refused = answered(
    "cdp",
    [
        sent(about, crafted(claims(**more), **header), reason)
        for about, more, header, reason in REFUSED
    ],
)


PEM = PUBLIC.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def hs256(secret: bytes) -> str:
    return crafted(
        claims(), lambda message: hmac.new(secret, message, hashlib.sha256).digest(), alg="HS256"
    )


def es256(signer: Any) -> str:
    return crafted(claims(label="es256"), signer, alg="ES256", kid=f"{KEY_ID}2")


def edited(part: int, edit: Any) -> str:
    """A good token with one of its three parts changed."""
    parts = token(claims()).split(".")
    parts[part] = edit(parts[part])
    return ".".join(parts)


def unused_bit(text: str) -> str:
    """Changes an unused bit after the last byte, which lax decoders ignore."""
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + signs[signs.index(text[-1]) ^ 1]


BODY = json.dumps(claims()).encode()
FORGED = [
    ("alg none, unsigned", crafted(claims(), lambda _: b"", alg="none")),
    ("alg none, signed", crafted(claims(), alg="none")),
    ("HS256 with the public key", hs256(PUBLIC.public_bytes_raw())),
    ("HS256 with the public PEM", hs256(PEM)),
    ("no alg", crafted(claims(), alg=None)),
    ("the newer name of EdDSA", crafted(claims(), alg="Ed25519")),
    ("alg as list", crafted(claims(), alg=["EdDSA"])),
    ("the algorithm of another key", crafted(claims(), alg="ES256")),
    ("another key of the type", crafted(claims(), STRANGER.sign)),
    ("ES256 by an Ed25519 key's id", pyjwt.encode(claims(), P256, "ES256", {"kid": f"{KEY_ID}1"})),
    ("EdDSA by an ES256 key's id", token(claims(label="es256"), kid=f"{KEY_ID}2")),
    ("ES256 as DER", es256(lambda message: P256.sign(message, ec.ECDSA(SHA256())))),
    ("ES256 of zeros", es256(lambda _: b"\0" * 64)),
    ("ES256 of large numbers", es256(lambda _: b"\xff" * 64)),
    ("no signature", edited(2, lambda _: "")),
    ("half a signature", edited(2, lambda s: s[:43])),
    ("a longer signature", crafted(claims(), lambda m: ED25519.sign(m) + b"\0")),
    ("other spelling of the signature", edited(2, unused_bit)),
    ("padding", edited(2, lambda s: s + "==")),
    ("a sign of plain base64", edited(0, lambda s: "+" + s[1:])),
    ("two parts", token(claims()).rpartition(".")[0]),
    ("four parts", token(claims()) + ".e30"),
    ("one part", "abc"),
    ("dots", ".."),
    ("a list for claims", crafted([claims()])),
    ("no JSON for claims", crafted(b"{")),
    ("no UTF-8 for claims", crafted(b'{"a":"\xff"}')),
    ("lists, 2000 deep", crafted(b"[" * 2000)),
    ("a mark before the claims", crafted(b"\xef\xbb\xbf" + BODY)),
    ("5,000 digits in a claim", crafted(BODY[:-1] + b',"a":' + b"1" * 5000 + b"}")),
    ("a list for the header", edited(0, lambda _: packed(b"[]").decode())),
    ("a claim given twice", crafted(BODY[:-1] + b',"iss":"cdp"}')),
    ("no key id", crafted(claims(), kid=None)),
    ("a list for key id", crafted(claims(), kid=[f"{KEY_ID}1"])),
    ("9 KiB", token(claims(more="m" * 6200))),
]  # fmt: skip
test_a_token_that_the_key_did_not_sign_is_refused = answered(
    "cdp", [sent(about, bearer, BAD) for about, bearer in FORGED]
)


VALID = token(claims())
HEADERS = [
    ("none", {}, MISSING),
    ("empty", {"Authorization": ""}, MISSING),
    ("another scheme", {"Authorization": f"Basic {VALID}"}, MISSING),
    ("no scheme", {"Authorization": VALID}, MISSING),
    ("spaces for a token", {"Authorization": "Bearer   "}, MISSING),
    ("a tab for the space", {"Authorization": f"Bearer\t{VALID}"}, MISSING),
    ("no such token", {"Authorization": "Bearer a b"}, BAD),
    ("in quotes", {"Authorization": f'Bearer "{VALID}"'}, BAD),
    ("two in one header", {"Authorization": f"Bearer {VALID}, Bearer a"}, BAD),
    ("60,000 signs", {"Authorization": "Bearer " + "A" * 60_000}, BAD),
    ("in small letters", {"authorization": f"bearer {VALID}"}, ""),
    ("in capitals, spaces around it", {"AUTHORIZATION": f"BEARER   {VALID}  "}, ""),
    ("the first of two is good", {"Authorization": f"Bearer {VALID}", "authorization": "Bearer a.b.c"}, ""),
    ("the first of two is bad", {"Authorization": "Bearer a.b.c", "authorization": f"Bearer {VALID}"}, BAD),
    ("the first of two is empty", {"Authorization": "Bearer ", "authorization": f"Bearer {VALID}"}, MISSING),
    ("beside what else the SDKs send", {"Authorization": f"Bearer {VALID}", "Content-Type": "application/json", "Correlation-Context": "sdk_version=1.51.0,sdk_language=python,source=sdk"}, ""),
]  # fmt: skip
test_the_token_comes_as_a_bearer = answered(
    "cdp", [Row(about, get(BALANCES, headers), reason) for about, headers, reason in HEADERS]
)


# Hosts and paths

PORT_FORM = "signed the port in place of the host, as the Python SDK does"
FULL_PATH = "signed the path exactly as requested"


def claiming(
    host: str, received: str, path: str = BALANCES, target: str = BALANCES, **row: Any
) -> Row:
    """A token for a host and a path, sent with a Host header to a target."""
    about = f"{host}{path} at {received}{target}".replace(BALANCES, "")
    about += " by the gateway" if row.get("gateway") else ""
    bearer = token(claims(f"GET {host}{path}"))
    quirks = row.pop("quirks", {})
    if quirks:
        row |= {"quirks": quirks, "status": 401 if row.get("reason") else 200}
    return sent(about + " ".join(("", *quirks)), bearer, target=target, host=received, **row)


HOSTS = [
    claiming("127.0.0.1:8491", "127.0.0.1:8491"),
    claiming("localhost", "LOCALHOST"),
    claiming("LOCALHOST", "LOCALHOST"),
    claiming("[::1]:8491", "[::1]:8491"),
    claiming("exchange:8080", "exchange:8080"),
    claiming("api.cdp.coinbase.com", "exchange:8080"),
    claiming("sandbox.cdp.coinbase.com", "exchange:8080"),
    claiming("8491", "localhost:8491", note=PORT_FORM),
    claiming("8080", "[::1]:8080", note=PORT_FORM),
    claiming("8080", "8080"),
    *(
        claiming(host, received, reason=BAD)
        for host, received in (
            ("exchange", "exchange:8080"),
            ("exchange:8080", "exchange"),
            ("exchange:8081", "exchange:8080"),
            ("8081", "exchange:8080"),
            ("8080", "exchange"),
            ("exchange:", "exchange:8080"),
            ("", "localhost:"),
            ("x", "localhost:x"),
            ("a/b", "a/b"),
            ("api.cdp.coinbase.com:443", "exchange"),
        )
    ),
]
test_the_claim_names_a_real_host_or_the_one_received = answered("cdp", HOSTS)

FORWARDED = {"X-Forwarded-Host": "exchange", "Forwarded": "host=exchange"}
FORWARDED["Authorization"] = f"Bearer {token(claims(f'GET exchange{BALANCES}'))}"
ENTRIES = [f"GET 8080/~default{BALANCES}", f"GET 8080{BALANCES}", f"GET a:8080/~default{BALANCES}"]
LOCAL = "localhost:8491"
SANDBOX = f"/~default{BALANCES}"
ESCAPED = BALANCES.replace("account_", "%61ccount%5F")
ESCAPED_BASE = BALANCES.replace("/platform", "/%70latform")


def dialled(target: str, signed: str, note: str | None, door: str = "") -> list[Row]:
    """Rows for a target, each host form, and the path in the claim."""
    rows_ = []
    for host, mangled in ((LOCAL, ""), ("8491", PORT_FORM)):
        notes = ", ".join(part for part in (note, mangled) if part)
        row = {"reason": BAD} if note is None else {"note": notes}
        rows_.append(claiming(host, LOCAL, signed, target, gateway=bool(door), **row))
    return rows_


PATHS = [
    Row("a forwarded host is not the one received", get(BALANCES, FORWARDED), BAD),
    Row("a Host header", get(BALANCES, FORWARDED | {"Host": "exchange"})),
    sent("the plainest of several entries is noted", token(claims(uris=[*ENTRIES, CANONICAL])), target=SANDBOX, host="a:8080"),
    sent("else that with the shortest note", token(claims(uris=ENTRIES)), target=SANDBOX, host="a:8080", note=FULL_PATH),
    *(
        sent(f"{target} for {path}".replace(BALANCES, "/balances"), token(claims(f"GET api.cdp.coinbase.com{path}")), reason, target)
        for target, path, reason in (
            (ESCAPED, ESCAPED, ""),
            (ESCAPED, BALANCES, BAD),
            (BALANCES, ESCAPED, BAD),
            (ESCAPED, ESCAPED.replace("%5F", "%5f"), BAD),
            (f"{BALANCES}/b%74c", f"{BALANCES}/b%74c", ""),
            (f"{BALANCES}/b%74c", f"{BALANCES}/btc", BAD),
            (ESCAPED_BASE, ESCAPED_BASE, ""),
            (ESCAPED_BASE, BALANCES, BAD),
        )
    ),
    *dialled(BALANCES, BALANCES, ""),
    *dialled(SANDBOX, BALANCES, ""),
    *dialled(SANDBOX, SANDBOX, FULL_PATH),
    *dialled(f"/cdp{BALANCES}", BALANCES, "", "gateway"),
    *dialled(f"/cdp{BALANCES}", f"/cdp{BALANCES}", FULL_PATH, "gateway"),
    *dialled(f"/cdp{SANDBOX}", f"/cdp{SANDBOX}", FULL_PATH, "gateway"),
    *dialled(f"/cdp{SANDBOX}", SANDBOX, None, "gateway"),
    *dialled(f"/cdp{BALANCES}", f"/cdp{SANDBOX}", None, "gateway"),
    *dialled(BALANCES, f"/cdp{BALANCES}", None),
]  # fmt: skip
test_the_path_is_signed_alone_or_exactly_as_requested = answered("cdp", PATHS)

HOST = {"strict_host": "true"}
BOTH = HOST | {"strict_claims": "true"}
STRICT_HOST = [
    claiming("exchange:8080", "exchange:8080", target=SANDBOX, quirks=HOST),
    claiming("api.cdp.coinbase.com", "exchange:8080", reason=BAD, quirks=HOST),
    claiming("8080", "exchange:8080", reason=BAD, quirks=HOST),
    claiming("exchange:8080", "exchange:8080", SANDBOX, SANDBOX, reason=BAD, quirks=HOST),
    claiming("api.cdp.coinbase.com", "api.cdp.coinbase.com", quirks=HOST),
    claiming("api.cdp.coinbase.com", "api.cdp.coinbase.com", quirks=BOTH),
    claiming("api.cdp.coinbase.com", "exchange", reason=BAD, quirks=BOTH),
]
test_a_strict_host_is_the_one_received = answered("cdp", STRICT_HOST)

STRICT_CLAIMS = [
    ("plain", {}, ""),
    ("one second left", {"nbf": NOW - 119, "exp": NOW + 1}, ""),
    ("the issuer of cdpcurl", {"iss": "coinbase-cloud"}, BAD),
    ("uri", {"uris": ABSENT, "uri": CANONICAL}, BAD),
    ("the sandbox's host", {"uris": [CANONICAL.replace("api.", "sandbox.")]}, BAD),
    ("the host received", {"uris": [f"GET exchange:8080{BALANCES}"]}, BAD),
    ("the port", {"uris": [f"GET 8080{BALANCES}"]}, BAD),
    ("at exp", {"nbf": NOW - 120, "exp": NOW}, LATE),
    ("a second early", {"nbf": NOW + 1, "exp": NOW + 121}, OUTSIDE),
]
LEEWAY, LIFETIME = {"leeway": "1s"}, {"max_token_lifetime": "121s"}
TIMES = [
    ("a second ahead", {"nbf": NOW + 1, "exp": NOW + 120}, LEEWAY, ""),
    ("two seconds ahead", {"nbf": NOW + 2, "exp": NOW + 120}, LEEWAY, OUTSIDE),
    ("a life as long as the quirk", {"exp": NOW + 121}, LIFETIME, ""),
    ("a longer life", {"exp": NOW + 122}, LIFETIME, OUTSIDE),
    ("a life of 120 s by default", {"exp": NOW + 120}, {"max_token_lifetime": "120s"}, ""),
]


def under(about: str, more: dict[str, Any], quirks: dict[str, str], reason: str) -> Row:
    status = 401 if reason else 200
    bearer = token(claims(**more))
    return sent(about, bearer, reason, host="exchange:8080", quirks=quirks, status=status)


test_strict_claims_are_those_of_the_sdk_at_the_real_host = answered(
    "cdp",
    [
        under(about, more, {"strict_claims": "true"}, reason)
        for about, more, reason in STRICT_CLAIMS
    ],
)
test_leeway_and_lifetime_are_quirks = answered("cdp", [under(*row) for row in TIMES])


# Clocks


@pytest.mark.parametrize("label", ["main", "es256"])
def test_a_token_is_good_until_it_expires_however_often_it_comes(
    still: MockServer, label: str
) -> None:
    bearer = token(claims(label=label), label)
    for _ in range(3):
        assert outcome(still, ask(still, bearer)) == (200, "", "")
    CLOCK.advance("124s")
    assert outcome(still, ask(still, bearer)) == (200, "", "")
    CLOCK.advance("1s")
    assert outcome(still, ask(still, bearer)) == (401, LATE, "")


def test_the_auth_clock_checks_tokens_and_the_sandbox_clock_does_not(still: MockServer) -> None:
    still.clock.advance("1h")
    for skew, reason in ("0s", ""), ("-6s", OUTSIDE), ("125s", LATE):
        still.clock.skew(skew)
        assert outcome(still, ask(still, VALID)) == (401 if reason else 200, reason, "")


# The order of the checks

CHECKS = [
    Row("the path before the token", plain("/platform/v2/account"), "no_route"),
    Row("two slashes", good(BALANCES.replace("/v2", "//v2")), "no_route"),
    Row("another case", good(BALANCES.replace("/balances", "/Balances")), "no_route"),
    Row("a slash behind", good(f"{BALANCES}/"), "no_route"),
    Row("the accounts with a slash", good(f"{ACCOUNTS}/"), "no_route"),
    Row("the method before the token", plain(BALANCES, method="POST"), "bad_method", allow="GET"),
    Row("the token before parameters", plain(BALANCES + "?pageSize=0"), MISSING),
    Row("the token before the account", plain(f"{ACCOUNTS}/x"), MISSING),
    sent("the key before the signature", crafted({}, STRANGER.sign, kid="x"), NOBODY),
    sent("the signature before the time", crafted(claims(now=0), STRANGER.sign), BAD),
    sent("the subject before the time", token(claims(now=0, sub="x")), BAD),
    sent("the time before the request", token(claims("GET a/b", now=0)), LATE),
    Row("the limit before parameters", good(BALANCES + "?pageSize=0"), "rate_limited", limits={"cdp.reads": "0/10s"}),
    Row("the size before the account", good(UNKNOWN + "?pageSize=0"), "bad_request"),
    Row("the page token before the account", good(UNKNOWN + "?pageToken=a"), "bad_page_token"),
    Row("the account", good(UNKNOWN), "not_found"),
    Row("somebody else's account", good(BALANCES, "stranger"), "not_found"),
    Row("an account that is none", good(f"{ACCOUNTS}/nobody/balances"), "bad_request"),
]  # fmt: skip
test_checks_come_in_order = answered("cdp", CHECKS)


# Tokens that we sign


@pytest.fixture
def signed(still: MockServer) -> list[tuple[str, Any, str]]:
    """Of each key the label, its public key and a token for a page of balances."""
    CLOCK.now += 999_999_999
    return [
        (
            label,
            SIGNERS[label][1].public_key(),
            still.cdp.auth_as(label)
            .headers("get", f"{BALANCES}?pageSize=2", host="a:1")["Authorization"]
            .removeprefix("Bearer "),
        )
        for label in ("main", "es256")
    ]


def test_our_token_is_that_of_the_python_sdk(signed: list[tuple[str, Any, str]]) -> None:
    for label, public, bearer in signed:
        key_id, _, algorithm = SIGNERS[label]
        unchecked = {"verify_exp": False, "verify_nbf": False}
        payload = pyjwt.decode(bearer, public, [algorithm], options=unchecked)
        entry = f"GET a:1{BALANCES}"
        expected = {"sub": key_id, "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uris": [entry]}
        assert payload == expected
        header = pyjwt.get_unverified_header(bearer)
        nonce = header.pop("nonce")
        assert header == {"alg": algorithm, "kid": key_id, "typ": "JWT"}
        assert len(nonce) == 16
        assert nonce.isdigit()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_joserfc_reads_our_token(signed: list[tuple[str, Any, str]]) -> None:
    registry = jws.JWSRegistry(algorithms=["EdDSA", "ES256"], strict_check_header=False)
    for (_, public, bearer), key in zip(signed, (OKPKey, ECKey), strict=True):
        pem = public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        read = jws.deserialize_compact(bearer, key.import_key(pem), registry=registry)
        assert json.loads(read.payload)["iss"] == "cdp"


def test_our_token_names_the_real_host_where_none_is_known(server: MockServer) -> None:
    bearer = server.cdp.auth.headers("GET", BALANCES)["Authorization"].removeprefix("Bearer ")
    assert jwt.read(bearer.encode()).claims["uris"] == [CANONICAL]


@each("row", [(row["name"], row) for row in rows("cdp", "vectors")])
def test_a_published_vector_verifies(row: dict[str, str]) -> None:
    message, _, encoded = row["token"].rpartition(".")
    secret, signature = (base64.urlsafe_b64decode(s + "==") for s in (row["secret"], encoded))
    key = jwt.Key(row["algorithm"], secret)
    header = {"alg": row["algorithm"]}
    assert jwt.genuine(jwt.Token(header, {}, message.encode(), signature), key)
    assert not jwt.genuine(jwt.Token(header, {}, message.encode() + b"A", signature), key)


def test_a_client_that_retries_as_the_python_sdk_does_is_refused_each_time(
    server: MockServer,
) -> None:
    for reason, times in (
        ("internal_error", 3),
        ("service_unavailable", 3),
        ("endpoint_unavailable", 3),
        ("rate_limited", 1),  # were there a Retry-After, urllib3 would retry a 429 as well
    ):
        server.clear_journal()
        with requests.Session() as session:
            retry = requests.adapters.Retry(2, status_forcelist=range(500, 600), raise_on_status=False)  # fmt: skip
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
            auth = server.cdp.auth_as(f"reject-{reason}")
            answer = session.get(f"{server.cdp.base_url}/v2/accounts", auth=auth, timeout=30)
        assert answer.status_code == server.cdp.provider.errors[reason].status
        assert [entry.reason for entry in server.journal] == [reason] * times
