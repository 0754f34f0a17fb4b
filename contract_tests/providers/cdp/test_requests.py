"""Coinbase CDP over a socket, with tokens signed by PyJWT."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from contract_tests.providers.cdp.calls import (
    ABSENT,
    BAD,
    BALANCES,
    CANONICAL,
    ED25519,
    GOOD,
    KEY_ID,
    LATE,
    MAIN,
    MANY,
    NOW,
    OUTSIDE,
    P256,
    SIGNERS,
    STRANGER,
    UNKNOWN,
    ask,
    claims,
    crafted,
    ids,
    outcome,
    packed,
    paged,
    read,
    symbols,
    token,
)
from contract_tests.support.fixture_rows import masked, rows
from contract_tests.support.raw import exchange, get, without_noise
from mockserver import Auth, HandClock, MockServer
from mockserver.errors import DataError
from mockserver.files import lookup as files
from mockserver.files import worlds
from mockserver.model import jwt
from mockserver.model.amounts import Amount
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import GeneratedUser
from mockserver.providers.cdp import keys
from mockserver.providers.cdp.balances import RowsByValue

EMPTY = "account_00000000-0000-4000-8000-000000000000"
OWNER = "entity_af2937b0-9846-4fe7-bfe9-ccc22d935114"
BTC = f"{BALANCES}/btc"


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        yield server


# Tokens

ACCEPTED = [
    ("as the Python SDK writes it", {}, {}),
    ("as the others write it", {"aud": ABSENT, "iat": NOW}, {"nonce": "0123456789abcdef" * 2}),
    ("as cdpcurl writes it", {"iss": "coinbase-cloud", "aud": [""], "exp": NOW + 60}, {"nonce": "9151314442816847872"}),
    ("an audience", {"aud": ["cdp_service"]}, {}),
    ("an audience as text", {"aud": "cdp_service"}, {}),
    ("uri for uris", {"uris": ABSENT, "uri": CANONICAL}, {}),
    ("uri beside uris of another request", {"uris": ["GET a/b"], "uri": CANONICAL}, {}),
    ("several uris", {"uris": ["GET elsewhere/path", 7, CANONICAL]}, {}),
    ("another real host", {"uris": [CANONICAL.replace("api.", "sandbox.")]}, {}),
    ("neither nbf nor iat", {"nbf": ABSENT}, {}),
    ("null for nbf", {"nbf": None}, {}),
    ("a fraction of a second", {"exp": NOW + 119.5}, {}),
    ("no typ, no nonce", {}, {"typ": None, "nonce": None}),
    ("more members", {"jti": "a", "more": {"b": [1]}}, {}),
    ("four seconds past", {"nbf": NOW - 124, "exp": NOW - 4}, {}),
    ("five seconds ahead", {"nbf": NOW + 5, "exp": NOW + 125}, {}),
    ("all of its life ahead, and late", {"nbf": ABSENT, "iat": NOW + 5, "exp": NOW + 125}, {}),
    ("an early nbf beside iat", {"nbf": NOW - 60, "iat": NOW}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("about", "more", "header"), ACCEPTED, ids=[r[0] for r in ACCEPTED])
@pytest.mark.parametrize("label", ["main", "es256"])
def test_a_token_of_a_real_client_is_good(
    server: MockServer, label: str, about: str, more: dict[str, Any], header: dict[str, Any]
) -> None:
    answer = ask(server, token(claims(label=label, **more), label, **header))
    assert outcome(server, answer) == GOOD
    assert server.journal[-1].credential == label


REFUSED = [
    ("issuer", {"iss": KEY_ID}, {}, BAD),
    ("issuer in capitals", {"iss": "COINBASE-CLOUD"}, {}, BAD),
    ("issuers in a list", {"iss": ["cdp"]}, {}, BAD),
    ("no issuer", {"iss": ABSENT}, {}, BAD),
    ("subject of another key", {"sub": f"{KEY_ID}2"}, {}, BAD),
    ("no subject", {"sub": ABSENT}, {}, BAD),
    ("another key's id", {}, {"kid": f"{KEY_ID}2"}, BAD),
    ("an unknown key", {}, {"kid": "nobody"}, "unknown_credential"),
    ("a key id that no text has", {}, {"kid": "\ud800"}, "unknown_credential"),
    ("crit", {}, {"crit": ["exp"]}, BAD),
    ("b64", {}, {"b64": True}, BAD),
    ("no uris", {"uris": ABSENT}, {}, BAD),
    ("empty uris", {"uris": []}, {}, BAD),
    ("uris as text", {"uris": CANONICAL}, {}, BAD),
    ("uri as list", {"uris": ABSENT, "uri": [CANONICAL]}, {}, BAD),
    ("another method", {"uris": [CANONICAL.replace("GET", "POST")]}, {}, BAD),
    ("a method in small letters", {"uris": [CANONICAL.replace("GET", "get")]}, {}, BAD),
    ("another path", {"uris": [CANONICAL + "/btc"]}, {}, BAD),
    ("another account", {"uris": [CANONICAL.replace("5114", "5115")]}, {}, BAD),
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
    ("an endless exp", {"exp": float("inf")}, {}, BAD),
    ("an enormous exp", {"exp": 10**400}, {}, BAD),
    ("an exp below zero", {"exp": -1}, {}, BAD),
    ("nbf as text", {"nbf": str(NOW)}, {}, BAD),
    ("iat as list", {"iat": [NOW]}, {}, BAD),
    ("five seconds past", {"nbf": NOW - 125, "exp": NOW - 5}, {}, LATE),
    ("an hour past", {"nbf": NOW - 3720, "exp": NOW - 3600}, {}, LATE),
    ("nbf six seconds ahead", {"nbf": NOW + 6, "exp": NOW + 126}, {}, OUTSIDE),
    ("iat six seconds ahead", {"iat": NOW + 6}, {}, OUTSIDE),
    ("good for 121 seconds", {"exp": NOW + 121}, {}, OUTSIDE),
    ("good for 121 seconds since iat", {"iat": NOW, "nbf": NOW + 1, "exp": NOW + 121}, {}, OUTSIDE),
    ("good since 1970", {"nbf": 0}, {}, OUTSIDE),
    ("good for 121 seconds from now", {"nbf": ABSENT, "exp": NOW + 121}, {}, OUTSIDE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "more", "header", "reason"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_a_token_that_says_something_else_is_refused(
    server: MockServer, about: str, more: dict[str, Any], header: dict[str, Any], reason: str
) -> None:
    answer = ask(server, crafted(claims(**more), **header))
    assert outcome(server, answer) == (401, reason, "")
    assert answer.json()["errorMessage"] == "Authentication required."


PUBLIC = ED25519.public_key()
PEM = PUBLIC.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def keyed(secret: bytes) -> Any:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


def dotted(bearer: str, part: int, edit: Any) -> str:
    parts = bearer.split(".")
    parts[part] = edit(parts[part])
    return ".".join(parts)


def turned(text: str) -> str:
    """Changes an unused bit after the last byte, which lax decoders ignore."""
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + signs[signs.index(text[-1]) ^ 1]


FORGED = [
    ("alg none, unsigned", crafted(claims(), lambda _: b"", alg="none")),
    ("alg none, signed", crafted(claims(), alg="none")),
    ("HS256 with the public key", crafted(claims(), keyed(PUBLIC.public_bytes_raw()), alg="HS256")),
    ("HS256 with the public PEM", crafted(claims(), keyed(PEM), alg="HS256")),
    ("HS256 with nothing", crafted(claims(), keyed(b""), alg="HS256")),
    ("no alg", crafted(claims(), alg=None)),
    ("the newer name of EdDSA", crafted(claims(), alg="Ed25519")),
    ("alg as list", crafted(claims(), alg=["EdDSA"])),
    ("the algorithm of another key", crafted(claims(), alg="ES256")),
    ("another key of the type", crafted(claims(), STRANGER.sign)),
    ("ES256 by an Ed25519 key's id", pyjwt.encode(claims(), P256, "ES256", {"kid": f"{KEY_ID}1"})),
    ("EdDSA by an ES256 key's id", token(claims(label="es256"), kid=f"{KEY_ID}2")),
    ("no signature", dotted(token(claims()), 2, lambda s: "")),
    ("half a signature", dotted(token(claims()), 2, lambda s: s[:43])),
    ("a longer signature", crafted(claims(), lambda m: ED25519.sign(m) + b"\0")),
    ("other spelling of the signature", dotted(token(claims()), 2, turned)),
    ("padding", dotted(token(claims()), 2, lambda s: s + "==")),
    ("a sign of plain base64", dotted(token(claims()), 0, lambda s: "+" + s[1:])),
    ("a sign of no base64", dotted(token(claims()), 1, lambda s: s[:9] + "*" + s[10:])),
    ("two parts", token(claims()).rpartition(".")[0]),
    ("four parts", token(claims()) + ".e30"),
    ("one part", "abc"),
    ("dots", ".."),
    ("a list for claims", crafted([claims()])),
    ("no JSON for claims", crafted(b"{")),
    ("no UTF-8 for claims", crafted(b'{"a":"\xff"}')),
    ("lists, 2000 deep", crafted(b"[" * 2000)),
    ("a mark before the claims", crafted(b"\xef\xbb\xbf" + json.dumps(claims()).encode())),
    ("UTF-16 for claims", crafted(json.dumps(claims()).encode("utf-16"))),
    ("5,000 digits in a claim", crafted(json.dumps(claims()).encode()[:-1] + b',"a":' + b"1" * 5000 + b"}")),
    ("a list for the header", packed(b"[]").decode() + token(claims())[token(claims()).index(".") :]),
    ("a claim given twice", crafted(json.dumps(claims()).encode()[:-1] + b',"iss":"cdp"}')),
    ("no key id", crafted(claims(), kid=None)),
    ("a list for key id", crafted(claims(), kid=[f"{KEY_ID}1"])),
    ("9 KiB", token(claims(more="m" * 6200))),
]  # fmt: skip


@pytest.mark.parametrize(("about", "bearer"), FORGED, ids=[row[0] for row in FORGED])
def test_a_token_that_the_key_did_not_sign_is_refused(
    server: MockServer, about: str, bearer: str
) -> None:
    assert outcome(server, ask(server, bearer)) == (401, BAD, "")


def test_a_token_just_within_its_bound_is_read(server: MockServer) -> None:
    bearer = token(claims(more="m" * 5500))
    assert 7900 < len(bearer) <= 8192
    assert outcome(server, ask(server, bearer)) == GOOD


def test_an_es256_signature_as_der_or_of_another_message_is_refused(server: MockServer) -> None:
    def der(message: bytes) -> bytes:
        return P256.sign(message, ec.ECDSA(keys_hash()))

    head = {"alg": "ES256", "kid": f"{KEY_ID}2"}
    payload = claims(label="es256")
    for signer in (der, lambda _: b"\0" * 64, lambda _: b"\xff" * 64):
        assert outcome(server, ask(server, crafted(payload, signer, **head))) == (401, BAD, "")


def keys_hash() -> Any:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


HEADERS = [
    ("none", {}, "missing_credential"),
    ("empty", {"Authorization": ""}, "missing_credential"),
    ("another scheme", {"Authorization": f"Basic {token(claims())}"}, "missing_credential"),
    ("no scheme", {"Authorization": token(claims())}, "missing_credential"),
    ("no token", {"Authorization": "Bearer"}, "missing_credential"),
    ("spaces for a token", {"Authorization": "Bearer   "}, "missing_credential"),
    ("no such token", {"Authorization": "Bearer a b"}, BAD),
    ("in small letters", {"authorization": f"bearer {token(claims())}"}, ""),
    ("two spaces", {"Authorization": f"Bearer  {token(claims())}"}, ""),
    ("in capitals", {"AUTHORIZATION": f"BEARER {token(claims())}"}, ""),
    ("spaces behind it", {"Authorization": f"Bearer {token(claims())}  "}, ""),
    ("a tab for the space", {"Authorization": f"Bearer\t{token(claims())}"}, "missing_credential"),
    ("in quotes", {"Authorization": f'Bearer "{token(claims())}"'}, BAD),
    ("two in one header", {"Authorization": f"Bearer {token(claims())}, Bearer a"}, BAD),
    ("60,000 signs", {"Authorization": "Bearer " + "A" * 60_000}, BAD),
]  # fmt: skip


VALID, MISSING = token(claims()), "missing_credential"


@pytest.mark.parametrize(("about", "headers", "reason"), HEADERS, ids=[r[0] for r in HEADERS])
def test_the_token_comes_as_a_bearer(
    server: MockServer, about: str, headers: dict[str, str], reason: str
) -> None:
    url = server.cdp.base_url.removesuffix("/platform") + BALANCES
    answer = requests.get(url, headers=headers, timeout=10)
    assert outcome(server, answer) == (401 if reason else 200, reason, "")


@pytest.mark.parametrize(
    ("bearers", "reason"), [((VALID, "a.b.c"), ""), (("a.b.c", VALID), BAD), (("", VALID), MISSING)]
)
def test_of_two_tokens_the_first_counts(
    server: MockServer, bearers: tuple[str, str], reason: str
) -> None:
    names = ("Authorization", "authorization")
    headers = {name: f"Bearer {bearer}" for name, bearer in zip(names, bearers, strict=True)}
    exchange(server.cdp.base_url, get(BALANCES, headers))
    assert server.journal[-1].reason == reason


def test_a_token_is_good_until_it_expires_however_often_it_comes() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        for label in ("main", "es256"):
            bearer = token(claims(label=label, now=clock.now // 10**9), label)
            for _ in range(3):
                assert outcome(server, ask(server, bearer)) == GOOD
            clock.advance("124s")
            assert outcome(server, ask(server, bearer)) == GOOD
            clock.advance("1s")
            assert outcome(server, ask(server, bearer)) == (401, LATE, "")


def test_a_key_revoked_in_the_world_is_refused_though_its_token_was_good(tmp_path: Path) -> None:
    text = (files.fixtures() / "worlds" / "default.yaml").read_text()
    gone = text.replace("    es256:\n", "    es256:\n      revoked: true\n")
    assert gone != text
    world = tmp_path / "revoked.yaml"
    world.write_text(gone)
    with MockServer(str(world), real=HandClock(NOW * 10**9)) as server:
        bearer = token(claims(label="es256"), "es256")
        assert outcome(server, ask(server, bearer)) == (401, "revoked_credential", "")


# Hosts

PORT_FORM = "signed the port in place of the host, as the Python SDK does"
FULL_PATH = "signed the path exactly as requested"

HOSTS = [
    # the host in the claim, the Host header, both as host:port of the running server
    ("127.0.0.1:{port}", "127.0.0.1:{port}", ""),
    ("localhost:{port}", "localhost:{port}", ""),
    ("[::1]:{port}", "[::1]:{port}", ""),
    ("exchange:8080", "exchange:8080", ""),
    ("exchange", "exchange", ""),
    ("api.cdp.coinbase.com", "exchange:8080", ""),
    ("sandbox.cdp.coinbase.com", "exchange:8080", ""),
    ("{port}", "localhost:{port}", PORT_FORM),
    ("8080", "exchange:8080", PORT_FORM),
    ("8080", "[::1]:8080", PORT_FORM),
    ("exchange", "exchange:8080", None),
    ("exchange:8080", "exchange", None),
    ("exchange:8081", "exchange:8080", None),
    ("8081", "exchange:8080", None),
    ("8080", "8080", ""),
    ("8080", "exchange", None),
    ("exchange:", "exchange:8080", None),
    ("api.cdp.coinbase.com:443", "exchange", None),
]


@pytest.mark.parametrize(("claimed", "received", "note"), HOSTS)
def test_the_claim_names_a_real_host_or_the_one_received(
    server: MockServer, claimed: str, received: str, note: str | None
) -> None:
    port = server.cdp.base_url.split(":")[2].partition("/")[0]
    bearer = token(claims(f"GET {claimed.format(port=port)}{BALANCES}"))
    answer = ask(server, bearer, host=received.format(port=port))
    expected = (401, BAD, "") if note is None else (200, "", note)
    assert outcome(server, answer) == expected


def test_a_forwarded_host_is_not_the_one_received(server: MockServer) -> None:
    bearer = token(claims(f"GET exchange{BALANCES}"))
    headers = {"Authorization": f"Bearer {bearer}", "X-Forwarded-Host": "exchange"}
    request = get(BALANCES, headers | {"Forwarded": "host=exchange"})
    assert exchange(server.cdp.base_url, request).startswith(b"HTTP/1.1 401 ")
    assert exchange(server.cdp.base_url, get(BALANCES, headers | {"Host": "exchange"})).startswith(
        b"HTTP/1.1 200 "
    )


ESCAPED = BALANCES.replace("account_", "%61ccount%5F")
ESCAPED_BASE = BALANCES.replace("/platform", "/%70latform")
ESCAPES = [
    # the path dialled, the one in the claim
    (ESCAPED, ESCAPED, GOOD),
    (ESCAPED, BALANCES, (401, BAD, "")),
    (BALANCES, ESCAPED, (401, BAD, "")),
    (ESCAPED, ESCAPED.replace("%5F", "%5f"), (401, BAD, "")),
    (f"{BALANCES}/b%74c", f"{BALANCES}/b%74c", GOOD),
    (f"{BALANCES}/b%74c", f"{BALANCES}/btc", (401, BAD, "")),
    (ESCAPED_BASE, ESCAPED_BASE, GOOD),
    (ESCAPED_BASE, BALANCES, (401, BAD, "")),
]


@pytest.mark.parametrize(("raw_target_path", "claimed", "expected"), ESCAPES)
def test_a_path_is_signed_as_it_is_sent_escapes_included(
    server: MockServer, raw_target_path: str, claimed: str, expected: tuple[int, str, str]
) -> None:
    bearer = token(claims(f"GET api.cdp.coinbase.com{claimed}"))
    exchange(server.cdp.base_url, plain(raw_target_path, bearer))
    entry = server.journal[-1]
    assert (entry.status, entry.reason, entry.note) == expected


DIALS = [
    # where the request goes, the claimed host and path before /platform
    ("own", "", "", ""),
    ("own", "/~default", "", ""),
    ("own", "/~default", "/~default", FULL_PATH),
    ("gateway", "/cdp", "", ""),
    ("gateway", "/cdp", "/cdp", FULL_PATH),
    ("gateway", "/cdp/~default", "/cdp/~default", FULL_PATH),
    ("gateway", "/cdp/~default", "/~default", None),
    ("gateway", "/cdp", "/cdp/~default", None),
    ("own", "", "/cdp", None),
]


@pytest.mark.parametrize(("door", "raw_target_path", "signed", "note"), DIALS)
@pytest.mark.parametrize("mangled", [False, True])
def test_the_path_is_signed_alone_or_exactly_as_requested(
    server: MockServer,
    mangled: bool,
    door: str,
    raw_target_path: str,
    signed: str,
    note: str | None,
) -> None:
    url = server.url if door == "gateway" else server.cdp.base_url.removesuffix("/platform")
    port = url.split(":")[2]
    host = port if mangled else f"localhost:{port}"
    bearer = token(claims(f"GET {host}{signed}{BALANCES}"))
    answer = ask(server, bearer, raw_target_path + BALANCES, f"localhost:{port}", url)
    if note is None:
        assert outcome(server, answer) == (401, BAD, "")
    else:
        notes = ", ".join(part for part in (note, PORT_FORM if mangled else "") if part)
        assert outcome(server, answer) == (200, "", notes)


def test_the_plainest_of_several_entries_is_noted(server: MockServer) -> None:
    entries = [f"GET 8080{BALANCES}", CANONICAL]
    assert outcome(server, ask(server, token(claims(uris=entries)), host="a:8080")) == GOOD


STRICT_HOST = [
    ("exchange:8080", "", 200),
    ("api.cdp.coinbase.com", "", 401),
    ("8080", "", 401),
    ("exchange:8080", "/~default", 401),
]


@pytest.mark.parametrize(("claimed", "signed", "status"), STRICT_HOST)
def test_a_strict_host_is_the_one_received(claimed: str, signed: str, status: int) -> None:
    quirks = {"cdp.strict_host": "true"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        bearer = token(claims(f"GET {claimed}{signed}{BALANCES}"))
        answer = ask(server, bearer, "/~default" + BALANCES, "exchange:8080")
        assert answer.status_code == status


def test_a_strict_host_may_be_a_real_one() -> None:
    for quirk in ("cdp.strict_host", "cdp.strict_claims"):
        both = {quirk: "true", "cdp.strict_host": "true"}
        with MockServer(real=HandClock(NOW * 10**9), quirks=both) as server:
            assert ask(server, token(claims()), host="api.cdp.coinbase.com").status_code == 200
            assert ask(server, token(claims()), host="exchange").status_code == 401


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
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "more", "reason"), STRICT_CLAIMS, ids=[r[0] for r in STRICT_CLAIMS]
)
def test_strict_claims_are_those_of_the_sdk_at_the_real_host(
    about: str, more: dict[str, Any], reason: str
) -> None:
    quirks = {"cdp.strict_claims": "true"}
    with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
        answer = ask(server, token(claims(**more)), host="exchange:8080")
        assert outcome(server, answer) == (401 if reason else 200, reason, "")


def test_by_how_much_the_clocks_may_differ_is_a_quirk() -> None:
    with MockServer(real=HandClock(NOW * 10**9), quirks={"cdp.leeway": "1s"}) as server:
        ahead = [token(claims(nbf=NOW + n, exp=NOW + 120)) for n in (1, 2)]
        assert [ask(server, bearer).status_code for bearer in ahead] == [200, 401]


def test_the_longest_life_of_a_token_is_a_quirk() -> None:
    for span, status in (("121s", 200), ("120s", 401), ("2m", 401)):
        quirks = {"cdp.max_token_lifetime": span}
        with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
            assert ask(server, token(claims(exp=NOW + 121))).status_code == status


def test_the_auth_clock_judges_tokens_and_the_sandbox_clock_does_not() -> None:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        server.clock.advance("1h")
        assert outcome(server, ask(server, token(claims()))) == GOOD
        server.clock.skew("-6s")
        assert outcome(server, ask(server, token(claims()))) == (401, OUTSIDE, "")
        server.clock.skew("125s")
        assert outcome(server, ask(server, token(claims()))) == (401, LATE, "")


# Errors


def plain(target: str, bearer: str = "", method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    if bearer:
        lines.append(f"Authorization: Bearer {bearer}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def good(target: str, label: str = "main") -> bytes:
    path = target.partition("?")[0]
    return plain(target, token(claims(f"GET api.cdp.coinbase.com{path}", label), label))


CAUSED = [
    ("no_route", plain("/v2/accounts"), ""),
    ("no_route", good(f"/platform//v2/accounts/{MAIN}/balances"), ""),
    ("bad_method", plain(BALANCES, method="POST"), "allow: GET\n"),
    ("too_large", plain(BALANCES, body=b" " * (1024 * 1024 + 1)), ""),
    ("missing_credential", plain(BALANCES), ""),
    ("unknown_credential", plain(BALANCES, token(claims(), kid="nobody")), ""),
    ("bad_signature", plain(BALANCES, "a.b.c"), ""),
    ("expired", plain(BALANCES, token(claims(now=NOW - 200))), ""),
    ("outside_window", plain(BALANCES, token(claims(now=NOW + 200))), ""),
    ("bad_request", good("/platform/v2/accounts/nobody/balances"), ""),
    ("bad_request", good(BALANCES + "?pageSize=0"), ""),
    ("bad_page_token", good(BALANCES + "?pageToken=abc"), ""),
    ("not_found", good(BALANCES.replace(MAIN, UNKNOWN)), ""),
    ("not_found", good(BALANCES, "stranger"), ""),
]


@pytest.mark.parametrize(("reason", "request_", "more"), CAUSED)
def test_what_a_client_can_cause_is_answered_byte_for_byte(
    server: MockServer, reason: str, request_: bytes, more: str
) -> None:
    expected = rows("cdp", "errors")[reason].replace("content-length", more + "content-length")
    if reason == "too_large":
        expected = expected.replace("\n\n", "\nconnection: close\n\n")
    assert masked(without_noise(exchange(server.cdp.base_url, request_))) == expected
    assert server.journal[-1].reason == reason


WRONG_PATHS = [
    f"/v2/accounts/{MAIN}/balances",
    f"//v2/accounts/{MAIN}/balances",
    f"/platform//v2/accounts/{MAIN}/balances",
    f"/Platform/v2/accounts/{MAIN}/balances",
    f"/platform/v2/accounts/{MAIN}/Balances",
    f"/platform/v2/accounts/{MAIN}/balances/",
    f"/platform/v2/accounts/{MAIN}/",
    f"/platform/v2/accounts/x/../{MAIN}/balances",
    "/platform/v2/accounts/",
    "/platform/v2/accounts//balances",
    f"{BALANCES}%3FpageSize=2",
    f"{BALANCES}/btc/",
    "/platform",
    "/",
]


@pytest.mark.parametrize("target", WRONG_PATHS)
def test_a_path_that_is_not_quite_one_is_a_404(server: MockServer, target: str) -> None:
    answer = json.loads(exchange(server.cdp.base_url, good(target)).partition(b"\r\n\r\n")[2])
    assert server.journal[-1].reason == "no_route"
    assert (answer["errorType"], answer["errorMessage"]) == (
        "not_found",
        "The requested resource was not found.",
    )


CHECKS = [
    ("the path before the token", plain("/platform/v2/account"), "no_route"),
    ("the method before the token", plain(BALANCES, method="PUT"), "bad_method"),
    ("the token before parameters", plain(BALANCES + "?pageSize=0"), "missing_credential"),
    ("the token before the account", plain("/platform/v2/accounts/x"), "missing_credential"),
    ("the key before the signature", plain(BALANCES, crafted({}, STRANGER.sign, kid="x")), "unknown_credential"),
    ("the signature before the time", plain(BALANCES, crafted(claims(now=0), STRANGER.sign)), BAD),
    ("who before when", plain(BALANCES, token(claims(now=0, sub="x"))), BAD),
    ("when before where", plain(BALANCES, token(claims("GET a/b", now=0))), LATE),
    ("the page token before the account", good(BALANCES.replace(MAIN, UNKNOWN) + "?pageToken=a"), "bad_page_token"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "request_", "reason"), CHECKS, ids=[r[0] for r in CHECKS])
def test_checks_come_in_order(server: MockServer, about: str, request_: bytes, reason: str) -> None:
    exchange(server.cdp.base_url, request_)
    assert server.journal[-1].reason == reason


def test_a_correlation_id_is_of_the_seed_and_the_request() -> None:
    pairs = []
    for seed in (490, 490, 7):
        with MockServer(seed=seed) as server:
            pairs.append([read(server, "/v2/accounts/x").json()["correlationId"] for _ in range(2)])
    assert pairs[0] == pairs[1]
    assert len({id for pair in pairs for id in pair}) == 4


TEXTS = [
    # a reason, the endpoint's own text and the one on the errors page
    ("expired", "Authentication required.", "Authentication error."),
    ("unknown_credential", "Authentication required.", "Authentication error."),
    ("forbidden", "User forbidden from performing the action.", "Forbidden."),
    ("rate_limited", "Rate limit exceeded. Please try again later.", "Too many requests. Please try again later."),
    ("not_found", "Account not found.", "Account not found."),
    ("service_unavailable", "Service unavailable. Please try again later.", "Service unavailable. Please try again later."),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "own", "other"), TEXTS, ids=[row[0] for row in TEXTS])
def test_an_error_may_have_the_text_of_the_errors_page(
    server: MockServer, reason: str, own: str, other: str
) -> None:
    sandbox = server.sandbox()

    def text() -> str:
        auth = sandbox.cdp.auth_as(f"reject-{reason}")
        answer = requests.get(sandbox.cdp.base_url + "/v2/accounts", auth=auth, timeout=10)
        return str(answer.json()["errorMessage"])

    assert text() == own
    sandbox.set_quirks({"cdp.error_text": "alternative"})
    assert text() == other


def test_a_rule_may_choose_another_text(server: MockServer) -> None:
    sandbox = server.sandbox()
    sandbox.cdp.fail(reject="rate_limited", variant="alternative", requests="1")
    url, auth = sandbox.cdp.base_url + "/v2/accounts", sandbox.cdp.auth
    answers = [requests.get(url, auth=auth, timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 200]
    assert answers[0].json()["errorMessage"] == "Too many requests. Please try again later."


@pytest.mark.parametrize(
    ("members", "names", "correlation"),
    [
        ("four", 4, "[0-9a-f]{16}-IAD"),
        ("uuid", 4, "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("two", 2, ""),
    ],
)
def test_an_error_may_have_the_members_of_a_guide(
    server: MockServer, members: str, names: int, correlation: str
) -> None:
    sandbox = server.sandbox(quirks={"cdp.error_members": members})
    error = requests.get(sandbox.cdp.base_url + "/v2/accounts", timeout=10).json()
    assert [*error] == ["errorType", "errorMessage", "correlationId", "errorLink"][:names]
    assert re.fullmatch(correlation, error.get("correlationId", ""))


def test_a_failed_authentication_may_be_plain_text() -> None:
    with MockServer(quirks={"cdp.auth_failure_body": "plain"}) as server:
        for request in (plain(BALANCES), plain(BALANCES, "a.b.c")):
            assert without_noise(exchange(server.cdp.base_url, request)) == (
                "HTTP/1.1 401\ncontent-type: text/plain\ncontent-length: 12\n\nUnauthorized"
            )
        assert read(server, "/v2/accounts/x").json()["errorType"] == "invalid_request"


# The rate


def rated(server: MockServer, target: str = "/v2/accounts", label: str = "main") -> str:
    path = f"/platform{target}".partition("?")[0]
    now = server.app.sandboxes.default.clock.read()[1] // 10**9
    bearer = token(claims(f"GET api.cdp.coinbase.com{path}", label, now), label)
    return masked(without_noise(exchange(server.cdp.base_url, plain(f"/platform{target}", bearer))))


def test_the_601st_read_in_ten_seconds_is_refused_and_time_alone_mends_it() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server, requests.Session() as session:
        url = server.cdp.base_url + f"/v2/accounts/{MAIN}/balances"
        session.headers["Authorization"] = f"Bearer {token(claims())}"
        assert session.get(url, timeout=10).status_code == 200
        clock.advance("1ms")
        assert {session.get(url, timeout=10).status_code for _ in range(599)} == {200}
        assert rated(server) == rows("cdp", "errors")["rate_limited"]
        assert server.journal[-1].reason == "rate_limited"
        assert rated(server, label="es256").startswith("HTTP/1.1 200"), "each key has its own"
        clock.advance("9998ms")
        assert rated(server).startswith("HTTP/1.1 429")
        clock.advance("1ms")
        assert rated(server).startswith("HTTP/1.1 200"), "the first of all has left the window"
        assert rated(server).startswith("HTTP/1.1 429"), "the others have not"


@pytest.mark.parametrize(("counts", "good"), [("reached", 1), ("successful", 4)])
def test_a_read_counts_when_it_reaches_the_limit_or_when_it_succeeds(
    counts: str, good: int
) -> None:
    settings: Any = {"limits": {"cdp.reads": "4/10s"}, "quirks": {"cdp.counts": counts}}
    with MockServer(real=HandClock(NOW * 10**9), **settings) as server:
        for target in ("/v2/accounts/x", f"/v2/accounts/{UNKNOWN}", "/v2/accounts?pageToken=a"):
            rated(server, target)
        found = [rated(server)[:12] for _ in range(good + 1)]
        assert found == ["HTTP/1.1 200"] * good + ["HTTP/1.1 429"]
        assert rated(server, "/v2/accounts/x").startswith("HTTP/1.1 429"), "before parameters"


def test_a_429_may_say_when_to_come_back() -> None:
    clock = HandClock(NOW * 10**9)
    quirks = {"cdp.retry_after": "true"}
    with MockServer(real=clock, limits={"cdp.reads": "1/10s"}, quirks=quirks) as server:
        rated(server)
        for wait, seconds in (("1ms", 10), ("8999ms", 1), ("999ms", 1)):
            clock.advance(wait)
            assert f"\nretry-after: {seconds}\n" in rated(server)
        clock.advance("1ms")
        assert rated(server).startswith("HTTP/1.1 200")


# Balances


def test_the_documented_page_is_that_of_two(server: MockServer) -> None:
    answer = read(server, f"/v2/accounts/{MAIN}/balances?pageSize=2")
    body, sealed = answer.text.rsplit(',"nextPageToken":', 1)
    documented = rows("cdp", "examples")[2]["body"]
    assert documented.startswith(body.removesuffix("]"))
    assert symbols(answer) == ["btc", "usd"]
    assert sealed.startswith('"eyJsYXN0X2lkIjoidXNkIiwidGltZXN0YW1wIjox')
    rest = read(
        server,
        f"/v2/accounts/{MAIN}/balances?pageToken={answer.json()['nextPageToken'].replace('+', '%2B')}",
    )
    assert rest.json().keys() == {"balances"}
    assert symbols(rest) == ["usdc"]


def test_the_highest_worth_comes_first_and_what_has_none_last(server: MockServer) -> None:
    handle, places = server.cdp, server.app.sandboxes.default.states["cdp"].ledger
    row = handle.provider.row
    for asset, total, usd in (
        ("zec", "1", "25.50"),
        ("ape", "25.5", "1"),
        ("dust", "9007199254740993.000000000000000001", "0"),
        ("note", "5", None),
        ("item", "7", None),
        ("huge", "123456789.123456789123456789", "0.000000000123456789"),
    ):
        price = None if usd is None else Amount.parse(usd)
        amount = Amount.parse(total)
        places.apply([_set(row(asset=asset, total=amount, usd=price))])
    answer = read(server, f"/v2/accounts/{MAIN}/balances")
    order = ["btc", "usd", "ape", "usdc", "zec", "huge", "dust", "item", "note"]
    assert symbols(answer) == order
    found = {b["asset"]["symbol"]: b for b in answer.json()["balances"]}
    assert found["huge"]["amount"] == {
        "huge": {
            "available": "123456789.123456789123456789",
            "total": "123456789.123456789123456789",
        },
        "usd": {
            "available": "0.015241578765432099765432099750190521",
            "total": "0.015241578765432099765432099750190521",
        },
    }
    assert found["dust"]["amount"]["usd"] == {"available": "0", "total": "0"}
    assert found["note"]["amount"] == {"note": {"available": "5", "total": "5"}}
    assert found["note"]["asset"] == {
        "symbol": "note",
        "type": "crypto",
        "name": "NOTE",
        "decimals": 18,
    }
    walked = []
    page = {"nextPageToken": ""}
    while "nextPageToken" in page:
        page = paged(server, MAIN, 1, page["nextPageToken"]).json()
        walked += [b["asset"]["symbol"] for b in page["balances"]]
    assert walked == order


def _set(row: Any) -> Any:
    from mockserver.model.world import SetRow

    return SetRow(MAIN, row)


def test_a_balance_that_is_set_is_shown_with_its_own_scale(server: MockServer) -> None:
    server.cdp.set_balance("main", "btc", total="2.00", held="0.5")
    amount = read(server, f"/v2/accounts/{MAIN}/balances/btc").json()["amount"]
    assert amount == {
        "btc": {"available": "1.50", "total": "2.00"},
        "usd": {"available": "151623.24", "total": "202164.32"},
    }


# Pages


def walk(server: MockServer, size: int | None) -> list[list[str]]:
    pages, token = [], ""
    while True:
        answer = paged(server, MANY, size, token)
        assert answer.status_code == 200, answer.text
        pages.append(symbols(answer))
        token = answer.json().get("nextPageToken", "")
        if not token:
            return pages


WALKS = [(7, 36, 7, 5), (20, 13, 20, 10), (None, 13, 20, 10), (100, 3, 100, 50), (101, 3, 100, 50), (125, 3, 100, 50), (10**17, 3, 100, 50)]  # fmt: skip


@pytest.mark.parametrize(("size", "count", "full", "last"), WALKS)
def test_a_walk_is_complete_and_disjoint(
    server: MockServer, size: int | None, count: int, full: int, last: int
) -> None:
    pages = walk(server, size)
    assert [len(page) for page in pages] == [full] * (count - 1) + [last]
    found = [symbol for page in pages for symbol in page]
    rows = sorted(
        server.cdp.balances("many"),
        key=lambda r: (r.usd is None, -(r.usd or Decimal(0)) * r.total, r.asset),
    )
    assert found == [row.asset for row in rows]
    assert any(row.usd is None for row in rows)


def test_a_walk_of_single_items_is_complete_and_disjoint(server: MockServer) -> None:
    assert [page[0] for page in walk(server, 1)] == [s for page in walk(server, 100) for s in page]


def test_a_page_that_ends_the_list_has_no_token(server: MockServer) -> None:
    assert "nextPageToken" in paged(server, MAIN, 2).json()
    assert "nextPageToken" not in paged(server, MAIN, 3).json()
    assert paged(server, EMPTY).text == '{"balances":[]}'


def test_the_last_page_may_have_an_empty_token() -> None:
    with MockServer(quirks={"cdp.last_page_token": "empty"}) as server:
        assert paged(server, EMPTY).text == '{"balances":[],"nextPageToken":""}'
        assert paged(server, MAIN).json()["nextPageToken"] == ""
        assert paged(server, MAIN, 2).json()["nextPageToken"]
        assert read(server, "/v2/accounts").json()["nextPageToken"] == ""


SIZES = [
    ("pageSize=1", 200, 1),
    ("pageSize=002", 200, 2),
    ("pageSize=100", 200, 100),
    ("pageSize=101", 200, 100),
    ("pageSize=999999999999999999", 200, 100),
    ("pageSize=2&pageSize=0", 200, 2),
    ("pageToken=", 200, 20),
    ("pageSize=2&more=1", 200, 2),
    ("&&pageSize=2&", 200, 2),
    ("%70ageSize=%32", 200, 2),
    ("pagesize=2", 200, 20),
    ("pageSize=2;pageToken=a", 400, 0),
    ("pageSize=2%00", 400, 0),
    ("pageSize=2_0", 400, 0),
    ("pageSize=0x2", 400, 0),
    ("pageSize=2%20", 400, 0),
    ("pageSize=null", 400, 0),
    ("pageSize=%EF%BC%92", 400, 0),
    ("pageSize=1000000000000000000", 200, 100),
    ("pageSize=0&pageSize=2", 400, 0),
    ("pageSize=0", 400, 0),
    ("pageSize=00", 400, 0),
    ("pageSize=-1", 400, 0),
    ("pageSize=%2B1", 400, 0),
    ("pageSize=1.0", 400, 0),
    ("pageSize=1e1", 400, 0),
    ("pageSize=", 400, 0),
    ("pageSize", 400, 0),
    ("pageSize=ten", 400, 0),
    ("pageSize=%D9%A5", 400, 0),
    ("pageSize=%C2%B2", 400, 0),
    ("pageSize=%202", 400, 0),
]


@pytest.mark.parametrize(("query", "status", "count"), SIZES)
def test_a_page_size_is_a_number_above_zero(
    server: MockServer, query: str, status: int, count: int
) -> None:
    answer = read(server, f"/v2/accounts/{MANY}/balances?{query}")
    assert (answer.status_code, len(answer.json().get("balances", []))) == (status, count)


def test_a_page_size_over_the_most_may_be_refused() -> None:
    with MockServer(quirks={"cdp.page_size_over_max": "reject"}) as server:
        assert len(paged(server, MANY, 100).json()["balances"]) == 100
        assert outcome(server, paged(server, MANY, 101)) == (400, "bad_request", "")
        assert outcome(server, read(server, "/v2/accounts?pageSize=101"))[0] == 400


def foreign(seed: int) -> str:
    with MockServer(seed=seed) as other:
        return str(paged(other, MANY).json()["nextPageToken"])


TOKENS = [
    ("one letter changed at its start", lambda t: "f" + t[1:]),
    ("one letter changed inside", lambda t: t[:50] + ("A" if t[50] != "A" else "B") + t[51:]),
    ("one letter changed at its end", lambda t: t.rstrip("=")[:-1] + "=" * t.count("=")),
    ("cut", lambda t: t[:-4]),
    ("without its padding, or with some", lambda t: t.rstrip("=") if "=" in t else t + "===="),
    ("with more padding", lambda t: t + "="),
    ("with a space", lambda t: t + " "),
    ("twice", lambda t: t + t),
    ("the documented one", lambda t: "eyJsYXN0X2lkIjogImFiYzEyMyIsICJ0aW1lc3RhbXAiOiAxNzA3ODIzNzAxfQ=="),
    ("no base64", lambda t: "\u00e4*"),
    ("very long", lambda t: "A" * 8000),
    ("60,000 signs", lambda t: "A" * 60_000),
    ("escaped twice", lambda t: requests.utils.quote(t, safe="")),
    ("in the other case", lambda t: t.swapcase()),
    ("with a mark before it", lambda t: "\ufeff" + t),
    ("a NUL", lambda t: "\0"),
    ("another server's", lambda t: foreign(7)),
]  # fmt: skip


@pytest.mark.parametrize(("about", "edit"), TOKENS, ids=[row[0] for row in TOKENS])
def test_a_page_token_that_this_list_did_not_give_is_a_400(
    server: MockServer, about: str, edit: Any
) -> None:
    token = paged(server, MANY).json()["nextPageToken"]
    assert paged(server, MANY, token=token).status_code == 200
    answer = paged(server, MANY, token=edit(token))
    assert outcome(server, answer) == (400, "bad_page_token", "")
    assert answer.json()["errorType"] == "invalid_request"


def test_a_page_token_is_good_for_its_own_list_only(server: MockServer) -> None:
    token = requests.utils.quote(paged(server, MANY).json()["nextPageToken"], safe="")
    accounts = read(server, "/v2/accounts?pageSize=1").json()["nextPageToken"]
    accounts = requests.utils.quote(accounts, safe="")
    for target in (
        f"/v2/accounts/{MAIN}/balances?pageToken={token}",
        f"/v2/accounts?pageToken={token}",
        f"/v2/accounts/{MANY}/balances?pageToken={accounts}",
        f"/v2/accounts?type=cdp&pageToken={accounts}",
        f"/v2/accounts?owner={OWNER}&pageToken={accounts}",
    ):
        assert outcome(server, read(server, target)) == (400, "bad_page_token", "")
    assert read(server, f"/v2/accounts?pageToken={accounts}").status_code == 200
    assert (
        read(server, f"/v2/accounts/{MANY}/balances?pageToken={token}", "es256").status_code == 200
    )


def test_a_page_token_expires_on_the_sandbox_clock() -> None:
    for quirks, span in (({}, "15m"), ({"cdp.page_token_ttl": "2s"}, "2s")):
        with MockServer(real=HandClock(NOW * 10**9), quirks=quirks) as server:
            token = paged(server, MANY).json()["nextPageToken"]
            server.clock.advance(span)
            assert paged(server, MANY, token=token).status_code == 200
            server.clock.advance("1ms")
            assert outcome(server, paged(server, MANY, token=token)) == (400, "bad_page_token", "")


def test_the_size_may_change_in_a_walk_unless_tokens_bind_it(server: MockServer) -> None:
    token = paged(server, MANY, 7).json()["nextPageToken"]
    whole = paged(server, MANY, 10)
    assert symbols(paged(server, MANY, 3, token)) == symbols(whole)[7:]
    with MockServer(quirks={"cdp.page_token_binds_size": "true"}) as bound:
        token = paged(bound, MANY, 7).json()["nextPageToken"]
        assert paged(bound, MANY, 7, token).status_code == 200
        assert outcome(bound, paged(bound, MANY, 8, token)) == (400, "bad_page_token", "")
        assert outcome(bound, paged(bound, MANY, None, token)) == (400, "bad_page_token", "")
        full = paged(bound, MANY, 100).json()["nextPageToken"]
        assert paged(bound, MANY, 101, full).status_code == 200, "both are 100"


@pytest.mark.parametrize(("at", "total"), [(0, "0"), (19, "0"), (0, None), (20, None), (249, None)])
def test_a_change_during_a_walk_neither_repeats_nor_drops_what_did_not_change(
    server: MockServer, at: int, total: str | None
) -> None:
    before = [s for page in walk(server, 100) for s in page]
    first = paged(server, MANY, 20)
    changed = before[at]
    server.cdp.set_balance("many", changed, total=total or "99999999")
    found, token = symbols(first), first.json()["nextPageToken"]
    while token:
        answer = paged(server, MANY, 20, token)
        found += symbols(answer)
        token = answer.json().get("nextPageToken", "")
    unchanged = [s for s in before if s != changed]
    assert [s for s in found if s != changed] == unchanged


def test_a_token_is_good_though_its_last_item_is_gone(server: MockServer) -> None:
    first = paged(server, MANY, 5)
    server.cdp.set_balance("many", symbols(first)[-1], total="0")
    rest = paged(server, MANY, 5, first.json()["nextPageToken"])
    assert not set(symbols(first)) & set(symbols(rest))


def test_the_order_of_a_large_account_is_found_once(tmp_path: Path) -> None:
    text = (files.fixtures() / "worlds" / "default.yaml").read_text()
    world = tmp_path / "large.yaml"
    world.write_text(text.replace("{rows: 250, seed: 1}", "{rows: 5000, seed: 1}"))
    with MockServer(str(world)) as server:
        first = paged(server, MANY, 100)
        second = paged(server, MANY, 100, first.json()["nextPageToken"])
        account = server.app.sandboxes.default.states["cdp"].ledger.accounts[MANY]
        assert account.indexes is not None
        assert account.derive(RowsByValue) is account.indexes[RowsByValue], "sorted once"
        items = account.indexes[RowsByValue].sorted_rows.items
        assert len(items) == 5000
        assert [row.asset for row in items[:200]] == symbols(first) + symbols(second)


# Siblings


ONE, TWO = (f"account_00000000-0000-4000-8000-00000000010{n}" for n in (1, 2))
CUSTOMER_ONE, CUSTOMER_TWO, CUSTOMER_THREE = (
    f"customer_00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)
)
STRANGERS = "entity_00000000-0000-4000-8000-000000000003"

ACCOUNTS = [
    ("", [MAIN, MANY, EMPTY, ONE, TWO]),
    ("?type=prime", [MAIN]),
    ("?type=business", [MANY]),
    ("?type=cdp", [EMPTY, ONE, TWO]),
    ("?owner=entity", [MAIN, MANY, EMPTY]),
    ("?owner=customer", [ONE, TWO]),
    ("?owner=entity,customer", [MAIN, MANY, EMPTY, ONE, TWO]),
    ("?owner=customer%2Centity", [MAIN, MANY, EMPTY, ONE, TWO]),
    (f"?owner={OWNER}", [MAIN, MANY, EMPTY]),
    (f"?owner={OWNER}&type=cdp", [EMPTY]),
    (f"?owner={CUSTOMER_TWO}", [TWO]),
    (f"?owner={CUSTOMER_TWO},{CUSTOMER_TWO}", [TWO]),
    (f"?owner=entity,{CUSTOMER_ONE}", [MAIN, MANY, EMPTY, ONE]),
    (f"?owner={CUSTOMER_THREE},{CUSTOMER_ONE}", [ONE]),
    (f"?owner={CUSTOMER_THREE}", []),
    (f"?owner={STRANGERS}", []),
    ("?owner=customer&type=prime", []),
    ("?owner=customer&owner=entity", [ONE, TWO]),
    ("?pageSize=2", [MAIN, MANY]),
    ("?owner=customer&pageSize=1", [ONE]),
]


@pytest.mark.parametrize(("query", "expected"), ACCOUNTS)
def test_accounts_are_listed_the_newest_first(
    server: MockServer, query: str, expected: list[str]
) -> None:
    assert ids(read(server, "/v2/accounts" + query)) == expected


def test_accounts_are_paged_too(server: MockServer) -> None:
    first = read(server, "/v2/accounts?owner=entity&pageSize=2")
    token = requests.utils.quote(first.json()["nextPageToken"], safe="")
    assert read(server, f"/v2/accounts?owner=entity&pageSize=2&pageToken={token}").json() == {
        "accounts": [
            {
                "accountId": EMPTY,
                "type": "cdp",
                "owner": OWNER,
                "createdAt": "2023-10-06T14:30:00Z",
                "updatedAt": "2023-10-06T14:30:00Z",
            }
        ]
    }


def test_a_key_of_an_entity_sees_the_accounts_of_its_customers(server: MockServer) -> None:
    account = read(server, f"/v2/accounts/{ONE}").json()
    assert (account["accountId"], account["owner"]) == (ONE, CUSTOMER_ONE)
    assert "parent" not in account
    assert symbols(read(server, f"/v2/accounts/{ONE}/balances")) == ["usdc"]
    assert read(server, f"/v2/accounts/{TWO}/balances/eth").status_code == 200
    assert read(server, f"/v2/accounts/{ONE}", "stranger").status_code == 404
    assert server.cdp.credentials["accounts"]["customer2"] == TWO


def test_a_stranger_sees_nothing_of_it(server: MockServer) -> None:
    assert read(server, "/v2/accounts", "stranger").text == '{"accounts":[]}'
    for target in (
        f"/v2/accounts/{MAIN}",
        f"/v2/accounts/{MAIN}/balances",
        f"/v2/accounts/{MAIN}/balances/btc",
    ):
        assert outcome(server, read(server, target, "stranger")) == (404, "not_found", "")


SIBLINGS = [
    (f"/v2/accounts/{UNKNOWN}", 404, "Account not found."),
    (f"/v2/accounts/{UNKNOWN}/balances/btc", 404, "Account or asset not found."),
    (f"/v2/accounts/{MAIN}/balances/eth", 404, "Account or asset not found."),
    (f"/v2/accounts/{MAIN}/balances/BTC", 404, "Account or asset not found."),
    ("/v2/accounts?type=spot", 400, "Invalid query parameters."),
    ("/v2/accounts?type=", 400, "Invalid query parameters."),
    ("/v2/accounts?pageSize=0", 400, "Invalid query parameters."),
    ("/v2/accounts?pageToken=made-up", 400, "Invalid query parameters."),
    ("/v2/accounts?owner=nonsense", 400, "Invalid query parameters."),
    ("/v2/accounts?owner=", 400, "Invalid query parameters."),
    ("/v2/accounts?owner=entity,", 400, "Invalid query parameters."),
    ("/v2/accounts?owner=entity,%20customer", 400, "Invalid query parameters."),
    ("/v2/accounts?owner=entity_other", 400, "Invalid query parameters."),
    (f"/v2/accounts?owner={OWNER.upper()}", 400, "Invalid query parameters."),
    (f"/v2/accounts?owner={OWNER}0", 400, "Invalid query parameters."),
    (f"/v2/accounts?owner=entity,{OWNER[7:]}", 400, "Invalid query parameters."),
    (f"/v2/accounts/{MAIN}/balances?pageSize=0", 400, "Invalid account ID or query parameters."),
    ("/v2/accounts/x/balances", 400, "Invalid account ID or query parameters."),
    ("/v2/accounts/account_AF2937B0-9846-4FE7-BFE9-CCC22D935114", 400, "Invalid account ID."),
    (f"/v2/accounts/{MAIN}0", 400, "Invalid account ID."),
    (f"/v2/accounts/{MAIN[:-1]}", 400, "Invalid account ID."),
    (f"/v2/accounts/{MAIN[:-1]}g", 400, "Invalid account ID."),
    (f"/v2/accounts/{MAIN.replace('_', '-')}", 400, "Invalid account ID."),
    (f"/v2/accounts/{MAIN}/balances/{'b' * 42}", 404, "Account or asset not found."),
    (f"/v2/accounts/{MAIN}/balances/{'b' * 43}", 400, "Invalid account ID or asset symbol."),
    ("/v2/accounts/x/balances/btc", 400, "Invalid account ID or asset symbol."),
]  # fmt: skip


@pytest.mark.parametrize(("target", "status", "message"), SIBLINGS)
def test_a_missing_or_malformed_resource_has_its_error(
    server: MockServer, target: str, status: int, message: str
) -> None:
    answer = read(server, target)
    assert (answer.status_code, answer.json()["errorMessage"]) == (status, message)


def test_an_account_id_has_36_signs_of_a_few_but_no_other_form(server: MockServer) -> None:
    assert read(server, "/v2/accounts/account_" + "-" * 36).status_code == 404


# Worlds

SEC1 = P256.private_bytes(
    form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
).decode()
PKCS8 = P256.private_bytes(
    form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
).decode()


def other_pem(key: Any) -> str:
    return key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    ).decode()


def wrapped(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"


def der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SECRETS = [
    (base64.b64encode(b"s" * 63).decode(), "base64 of 64 bytes, not of 63"),
    (base64.b64encode(b"s" * 32).decode(), "base64 of 64 bytes, not of 32"),
    ("", "base64 of 64 bytes, not of 0"),
    ("no base64", "neither base64 nor a PEM"),
    ("\u00e4" * 88, "neither base64 nor a PEM"),
    (base64.b64encode(b"s" * 64).decode() + "\n", "neither base64 nor a PEM"),
    (PKCS8.replace("\n", "\\n"), "use line ends"),
    (PKCS8.replace("PRIVATE", "PUBLIC"), "not a PEM of one block"),
    (PKCS8.replace("END PRIVATE", "END EC PRIVATE"), "not a PEM of one block"),
    (SEC1 + PKCS8, "neither base64 nor a PEM|not a PEM of one block"),
    (other_pem(ED25519), "no private key on P-256"),
    (other_pem(ec.derive_private_key(490, ec.SECP384R1())), "no private key on P-256"),
    (other_pem(ec.derive_private_key(7, ec.SECP256K1())), "no private key on P-256"),
    (wrapped(der(PKCS8)[:-1]), "no private key on P-256"),
    (wrapped(der(PKCS8) + b"\0"), "no private key on P-256"),
    (wrapped(der(PKCS8).replace(b"\x22" * 32, b"\0" * 32)), "no private key on P-256"),
    (wrapped(der(PKCS8).replace(b"\x22" * 32, ORDER.to_bytes(32, "big"))), "no private key on P-256"),
    (wrapped(b""), "no private key on P-256"),
    (wrapped(b"0"), "no private key on P-256"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "message"), SECRETS)
def test_a_bad_secret_is_refused_when_the_world_is_loaded(secret: str, message: str) -> None:
    key = json.dumps({"key_id": "k", "key_secret": secret, "owner": "o"})
    with pytest.raises(DataError, match=message) as wrong:
        worlds.read(f"cdp:\n  keys:\n    main: {key}\n", "bad")
    assert (wrong.value.line, wrong.value.path) == (3, ("cdp", "keys", "main", "key_secret"))


@pytest.mark.parametrize(
    ("pem", "scalar"),
    [
        (SEC1, b"\x22" * 32),
        (PKCS8, b"\x22" * 32),
        ("\n" + PKCS8.replace("\n", "\r\n"), b"\x22" * 32),
        (other_pem(ec.derive_private_key(1, ec.SECP256R1())), b"\0" * 31 + b"\1"),
        (
            other_pem(ec.derive_private_key(ORDER - 1, ec.SECP256R1())),
            (ORDER - 1).to_bytes(32, "big"),
        ),
    ],
)
def test_a_pem_of_either_form_is_read(pem: str, scalar: bytes) -> None:
    assert keys.parse(pem) == jwt.Key("ES256", scalar)


ROWS = [
    ('asset: BTC, total: "1"', "lower case"),
    ('asset: "", total: "1"', "lower case"),
    (f'asset: {"b" * 43}, total: "1"', "1 to 42 characters"),
    ('asset: btc, venue: ETH, total: "1"', "no venue"),
    ('asset: btc, type: token, total: "1"', "crypto, fiat"),
    ('asset: btc, decimals: 41, total: "1"', "between 0 and 40"),
    ('asset: btc, decimals: -1, total: "1"', "between 0 and 40"),
    ('asset: btc, decimals: 1, total: "1.00"', "more than 1 decimals"),
    ('asset: btc, decimals: 1, total: "1.0", held: "0.00"', "more than 1 decimals"),
    ('asset: btc, total: "1", held: "2"', "between 0 and total"),
    ('asset: btc, total: "1", usd: "-1"', "must not be negative"),
    ('asset: btc, total: "1", usd: 5', "quoted string"),
    ('asset: usd, total: "1", usd: "1"', "usd itself has none"),
]


@pytest.mark.parametrize(("row", "message"), ROWS)
def test_a_row_that_cannot_be_is_refused(row: str, message: str) -> None:
    text = f"cdp:\n  accounts:\n    {MAIN}:\n      owner: o\n      balances:\n        - {{{row}}}\n"
    with pytest.raises(DataError, match=message):
        worlds.read(text, "bad")


PORTFOLIOS = [
    ("account_1", "owner: o", "not an account id"),
    (MAIN, "type: cdp", "owner"),
    (MAIN, "owner: o, type: spot", "prime, business, cdp"),
    (MAIN, "owner: o, created: yesterday", "yesterday"),
    (MAIN, 'owner: o, updated: "2023-10-08T14:30:00"', "lacks Z or an offset"),
]


@pytest.mark.parametrize(("id", "account", "message"), PORTFOLIOS)
def test_an_account_that_cannot_be_is_refused(id: str, account: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        worlds.read(f"cdp:\n  accounts:\n    {id}: {{{account}}}\n", "bad")


def test_credentials_have_what_a_client_needs(server: MockServer) -> None:
    assert server.cdp.credentials == {
        "key_id": f"{KEY_ID}1",
        "key_secret": base64.b64encode(b"\x11" * 32 + PUBLIC.public_bytes_raw()).decode(),
        "key_type": "Ed25519",
        "accounts": {
            "main": MAIN,
            "many": MANY,
            "empty": EMPTY,
            "customer1": ONE,
            "customer2": TWO,
        },
    }
    other = server.cdp.credential("es256")
    assert (other["key_id"], other["key_type"], other["key_secret"]) == (
        f"{KEY_ID}2",
        "ES256",
        PKCS8,
    )
    assert server.cdp.credential("stranger")["accounts"] == {}


def test_a_regenerated_key_is_a_new_one_of_the_same_type() -> None:
    credentials = worlds.load("default").parts["cdp"].section.keys
    for label, kind in (("main", "Ed25519"), ("es256", "ES256")):
        key = credentials[label]
        fresh, again = (key.regenerate(bytes(range(n, n + 64))) for n in (1, 1))
        other = key.regenerate(bytes(range(2, 66)))
        assert (fresh.key_id, fresh.key_secret) == (again.key_id, again.key_secret)
        assert len({k.key_id for k in (key, fresh, other)}) == 3
        assert len({k.key_secret for k in (key, fresh, other)}) == 3
        assert (fresh.key_type, fresh.owner) == (kind, key.owner)
        name, organization, kid = fresh.key_id.split("/")[0], *fresh.key_id.split("/")[1::2]
        assert (name, len(organization), len(kid)) == ("organizations", 36, 36)


def test_a_generated_user_has_a_key_and_an_account_that_work(tmp_path: Path) -> None:
    provider = MockServer().app.providers["cdp"]
    key, id, account = provider.holder(GeneratedUser("ann", "Ann", bytes(range(64))))
    world = tmp_path / "made.yaml"
    part = {"keys": {"main": key}, "accounts": {id: account | {"generate": {"rows": 3}}}}
    world.write_text(json.dumps({"cdp": part}))
    with MockServer(str(world)) as server:
        assert server.cdp.credentials["accounts"] == {"ann": id}
        url = f"{server.cdp.base_url}/v2/accounts/{id}"
        shown = requests.get(url, auth=server.cdp.auth, timeout=10).json()
        assert (shown["name"], shown["owner"][:7]) == ("Ann", "entity_")
        found = requests.get(f"{url}/balances", auth=server.cdp.auth, timeout=10)
        assert sorted(symbols(found)) == ["t000000", "t000001", "t000002"]


def test_a_world_is_loaded_without_the_library_that_signs() -> None:
    code = (
        "import sys; from mockserver.files import worlds; worlds.load('default');"
        "sys.exit(any(name.startswith('cryptography') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


# Signing


def test_no_part_of_a_token_is_kept_in_the_journal(server: MockServer) -> None:
    bearer = token(claims())
    assert ask(server, bearer).status_code == 200
    entry = repr(server.journal[-1])
    assert not any(part in entry for part in bearer.split("."))


def test_what_else_the_sdks_send_is_not_looked_at(server: MockServer) -> None:
    headers = {
        "Authorization": f"Bearer {token(claims())}",
        "Content-Type": "application/json",
        "Correlation-Context": "sdk_version=1.51.0,sdk_language=python,source=sdk",
        "User-Agent": "OpenAPI-Generator/1.0.0/python",
    }
    url = server.cdp.base_url.removesuffix("/platform") + BALANCES
    assert requests.get(url, headers=headers, timeout=10).status_code == 200


def test_our_token_is_that_of_the_python_sdk() -> None:
    with MockServer(real=HandClock(NOW * 10**9 + 999_999_999)) as server:
        for label, public in (("main", PUBLIC), ("es256", P256.public_key())):
            signed = server.cdp.auth_as(label).headers("get", f"{BALANCES}?pageSize=2", host="a:1")
            bearer = signed["Authorization"].removeprefix("Bearer ")
            key_id, _, algorithm = SIGNERS[label]
            payload = pyjwt.decode(
                bearer, public, [algorithm], options={"verify_exp": False, "verify_nbf": False}
            )
            assert payload == {
                "sub": key_id,
                "iss": "cdp",
                "nbf": NOW,
                "exp": NOW + 120,
                "uris": [f"GET a:1{BALANCES}"],
            }
            header = pyjwt.get_unverified_header(bearer)
            nonce = header.pop("nonce")
            assert header == {"alg": algorithm, "kid": key_id, "typ": "JWT"}
            assert len(nonce) == 16
            assert nonce.isdigit()


def test_our_token_names_the_real_host_where_none_is_known(server: MockServer) -> None:
    draft = server.cdp.auth.sign("GET", BALANCES)
    assert isinstance(draft, UnsignedRequest)
    bearer = draft.headers[0][1].removeprefix(b"Bearer ")
    assert jwt.read(bearer).claims["uris"] == [CANONICAL]


def test_the_nonce_is_of_the_request_and_the_time() -> None:
    clock = HandClock(NOW * 10**9)
    with MockServer(real=clock) as server:
        auth = server.cdp.auth

        def nonce(target: str) -> str:
            bearer = auth.headers("GET", target)["Authorization"].removeprefix("Bearer ")
            return str(pyjwt.get_unverified_header(bearer)["nonce"])

        first = nonce(BALANCES)
        assert nonce(BALANCES) == first
        assert nonce(BTC) != first
        clock.advance("1ms")
        assert nonce(BALANCES) != first


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_joserfc_reads_what_we_sign(server: MockServer) -> None:
    registry = jws.JWSRegistry(algorithms=["EdDSA", "ES256"], strict_check_header=False)
    for label, key in (("main", OKPKey), ("es256", ECKey)):
        bearer = server.cdp.auth_as(label).headers("GET", BALANCES)["Authorization"][7:]
        pem = (
            SIGNERS[label][1]
            .public_key()
            .public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        )
        read = jws.deserialize_compact(bearer, key.import_key(pem), registry=registry)
        assert json.loads(read.payload)["iss"] == "cdp"


@pytest.mark.parametrize("row", rows("cdp", "vectors"), ids=lambda row: row["name"])
def test_a_published_vector_verifies(row: dict[str, str]) -> None:
    signed, _, encoded = row["token"].rpartition(".")
    secret, signature = (base64.urlsafe_b64decode(s + "==") for s in (row["secret"], encoded))
    key = jwt.Key(row["algorithm"], secret)
    token = jwt.Token({"alg": row["algorithm"]}, {}, signed.encode(), signature)
    assert jwt.genuine(token, key)
    changed = jwt.Token(token.header, {}, signed.encode() + b"A", signature)
    assert not jwt.genuine(changed, key)


def test_a_bad_secret_of_a_client_is_a_value_error() -> None:
    credential = {"key_id": "k", "key_secret": "x", "key_type": "Ed25519", "accounts": {}}
    with pytest.raises(ValueError, match="neither base64 nor a PEM"):
        Auth("cdp", credential).headers("GET", BALANCES)
