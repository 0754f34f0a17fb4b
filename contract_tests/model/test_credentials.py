"""Credentials: how each is read, refused, made anew and signed with, and what it is refused for.

The keys are those of standards: RFC 8032 (Ed25519), RFC 6979 A.2.5 (P-256), laid out by hand as
RFC 5915 and RFC 5958 have it. Signatures come from the standard library alone.
"""

import base64
import hashlib
import hmac
from typing import Any

import jwt as pyjwt
import pytest
from msgspec.structs import replace

from mockserver.model import jwt
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Route, parse_nothing
from mockserver.model.reject import Reject
from mockserver.model.signing_recipe import message_builder, parameters_builder
from mockserver.model.times import SECOND
from mockserver.providers import discover
from mockserver.providers.cdp import auth as cdp
from mockserver.providers.cdp import claims, keys
from mockserver.providers.coinapi import auth as coinapi
from mockserver.providers.coinstats import auth as coinstats
from mockserver.providers.coinw import auth as coinw
from mockserver.providers.cpg import auth as cpg

NOW = 1_747_444_800

Headers = list[tuple[bytes, bytes]]
Facts = dict[str, Any]


def request(
    headers: Headers | None = None,
    query: bytes = b"",
    body: bytes = b"",
    peer: str = "192.0.2.1",
    raw_target_path: bytes = b"/v1/b",
) -> Request:
    return Request("GET", b"/v1/b", query, headers or [], body, peer, raw_target_path)


class Drawer:
    """A vault of one key, which is found by one text alone."""

    def __init__(self, key: Any, presented: bytes) -> None:
        self.key, self.presented = key, presented

    def find(self, presented: bytes) -> Any:
        if presented != self.presented:
            raise Reject("unknown_credential")
        return self.key

    def with_label(self, label: str) -> Any:
        return self.key if label == self.key.label else None


def quirks(provider: str, **more: Any) -> dict[str, Any]:
    """The provider's defaults, with others in their place."""
    return {q.name: q.read(q.default) for q in discover()[provider].quirks} | more


def outcome(call: Any, *given: Any) -> tuple[str, Facts]:
    """Returns the note of what is accepted, or the reason and the facts of what is refused."""
    try:
        key, note = call(*given)
    except Reject as reject:
        return reject.reason, reject.facts
    return note, {"label": key.label}


# Fresh keys

ENTROPY = bytes(range(64))
FRESH = [
    (
        cpg.Key(label="a", key_id="k", secret="s", account="main", permissions=("withdraw",)),
        {"key_id": "cpg_0001020304050607", "secret": bytes(range(8, 40)).hex()},
    ),
    (
        coinw.Key(label="a", api_key="k", secret_key="s", account="main", user="7"),
        {"api_key": bytes(range(16)).hex(), "secret_key": bytes(range(16, 48)).hex()},
    ),
    (
        coinapi.Key(label="a", api_key="k", account="main"),
        {"api_key": "00010203-0405-0607-0809-0A0B0C0D0E0F"},
    ),
    (
        coinstats.Key(label="a", api_key="k", account="main"),
        {"api_key": bytes(range(32)).hex()},
    ),
]


@pytest.mark.parametrize(("key", "made"), FRESH, ids=[type(r[0]).__module__ for r in FRESH])
def test_a_fresh_key_is_made_of_its_entropy_and_keeps_the_rest(key: Any, made: Facts) -> None:
    assert key.regenerate(ENTROPY) == replace(key, **made)


# CDP: RFC 8032 7.1 (test 1) and RFC 6979 A.2.5

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SCALAR = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
POINT = bytes.fromhex(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

VERSION = bytes.fromhex("0201010420")
CURVE = bytes.fromhex("06082a8648ce3d030107")
EC = bytes.fromhex("06072a8648ce3d0201")


def tlv(tag: int, content: bytes, size: bytes = b"") -> bytes:
    """Writes DER; ``size`` stands in the place of the shortest length."""
    n = len(content)
    if not size:
        size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + n.to_bytes(2)
    return bytes([tag]) + size + content


def inner(scalar: bytes, point: bytes = POINT) -> bytes:
    return tlv(0x30, VERSION + scalar + tlv(0xA1, tlv(0x03, b"\0" + point)))


PKCS8 = tlv(0x30, b"\x02\x01\0" + tlv(0x30, EC + CURVE) + tlv(0x04, inner(SCALAR)))
BARE = VERSION + SCALAR + tlv(0xA0, CURVE)


def pem(der: bytes, label: str = "PRIVATE KEY") -> str:
    text = base64.b64encode(der).decode()
    lines = [text[n : n + 64] for n in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def test_an_ed25519_secret_is_the_base64_of_seed_and_public_key() -> None:
    secret = keys.ed25519_secret(SEED)
    assert secret == base64.b64encode(SEED + PUBLIC).decode()
    assert keys.parse(secret) == jwt.Key("EdDSA", SEED)


def whole(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_an_es256_secret_is_a_pkcs8_pem() -> None:
    assert keys.es256_secret(whole(int.from_bytes(SCALAR, "big") - 1)) == pem(PKCS8)


SCALARS = [
    (whole(0), whole(1)),
    (whole(ORDER - 3), whole(ORDER - 2)),
    (whole(ORDER - 2), whole(ORDER - 1)),
    (whole(ORDER - 1), whole(1)),
    (whole(ORDER), whole(2)),
    (b"\xff" * 32, whole((1 << 256) - ORDER + 1)),
]


@pytest.mark.parametrize(("entropy", "scalar"), SCALARS)
def test_any_32_bytes_make_a_scalar_between_nought_and_the_order(
    entropy: bytes, scalar: bytes
) -> None:
    assert keys.parse(keys.es256_secret(entropy)) == jwt.Key("ES256", scalar)


# The marker of the scalar may stand in the scalar too; what comes first is the marker.
TWICE = b"\x11" * 10 + VERSION + b"\x11" * 17


def filled(size: int) -> bytes:
    """A key whose sequence holds ``size`` bytes."""
    return BARE + b"\0" * (size - len(BARE))


READ = [
    ("PKCS#8", PKCS8, "PRIVATE KEY", SCALAR),
    ("SEC1 without a public key", tlv(0x30, BARE), "EC PRIVATE KEY", SCALAR),
    ("SEC1 with one", tlv(0x30, BARE + tlv(0xA1, tlv(0x03, b"\0" + POINT))), "EC PRIVATE KEY", SCALAR),
    ("a marker in the scalar", tlv(0x30, VERSION + TWICE + tlv(0xA0, CURVE)), "EC PRIVATE KEY", TWICE),
    ("a scalar of one", tlv(0x30, VERSION + whole(1) + tlv(0xA0, CURVE)), "EC PRIVATE KEY", whole(1)),
    ("the last scalar", tlv(0x30, VERSION + whole(ORDER - 1) + tlv(0xA0, CURVE)), "EC PRIVATE KEY", whole(ORDER - 1)),
    ("127 bytes", tlv(0x30, filled(127)), "PRIVATE KEY", SCALAR),
    ("128 bytes", tlv(0x30, filled(128)), "PRIVATE KEY", SCALAR),
    ("255 bytes", tlv(0x30, filled(255)), "PRIVATE KEY", SCALAR),
    ("256 bytes", tlv(0x30, filled(256)), "PRIVATE KEY", SCALAR),
    ("770 bytes", tlv(0x30, filled(770)), "PRIVATE KEY", SCALAR),
    ("three bytes of length", tlv(0x30, filled(256), b"\x83\0\1\0"), "PRIVATE KEY", SCALAR),
]  # fmt: skip


@pytest.mark.parametrize(("about", "der", "label", "scalar"), READ, ids=[row[0] for row in READ])
def test_a_p256_key_is_read_from_either_form(
    about: str, der: bytes, label: str, scalar: bytes
) -> None:
    assert keys.parse(pem(der, label)) == jwt.Key("ES256", scalar)
    assert keys.parse("\n " + pem(der, label).replace("\n", "\r\n")) == jwt.Key("ES256", scalar)


NO_KEY = "key_secret is a PEM, but contains no private key on P-256"
NO_BLOCK = "key_secret is not a PEM of one block: PRIVATE KEY or EC PRIVATE KEY"
NO_LINES = r"key_secret is a PEM with \n in place of line ends: use line ends"
NEITHER = "key_secret is neither base64 nor a PEM"

REFUSED = [
    ("a byte too few", pem(PKCS8[:-1]), NO_KEY),
    ("a byte too many", pem(PKCS8 + b"\0"), NO_KEY),
    ("a short one with a byte too many", pem(tlv(0x30, BARE) + b"\0"), NO_KEY),
    ("a short one with a byte too few", pem(tlv(0x30, BARE)[:-1]), NO_KEY),
    ("a length of its own end", pem(b"\x30\x80" + filled(128)), NO_KEY),
    ("a long one with a byte too few", pem(tlv(0x30, filled(256))[:-1]), NO_KEY),
    ("a set", pem(tlv(0x31, BARE)), NO_KEY),
    ("a set as long as a sequence's tag", pem(tlv(0x31, filled(0x30 + 16), b"\x40")), NO_KEY),
    ("no bytes", pem(b""), NO_KEY),
    ("one byte", pem(b"\x30"), NO_KEY),
    ("an empty sequence", pem(b"\x30\0"), NO_KEY),
    ("no scalar", pem(tlv(0x30, CURVE)), NO_KEY),
    ("another curve", pem(PKCS8.replace(CURVE, CURVE[:-1] + b"\x08")), NO_KEY),
    ("a scalar of nought", pem(PKCS8.replace(SCALAR, whole(0))), NO_KEY),
    ("a scalar of the order", pem(PKCS8.replace(SCALAR, whole(ORDER))), NO_KEY),
    ("another label", pem(PKCS8, "PUBLIC KEY"), NO_BLOCK),
    ("no end", pem(PKCS8).partition("-----END")[0], NO_BLOCK),
    ("the end of another", pem(PKCS8).replace("END ", "END EC "), NO_BLOCK),
    ("one line", "-----BEGIN PRIVATE KEY-----", NO_BLOCK),
    ("another marker", pem(PKCS8).replace("-----BEGIN", "----- BEGIN"), NO_BLOCK),
    ("escaped line ends", pem(PKCS8).replace("\n", "\\n"), NO_LINES),
    ("no base64 in a PEM", pem(PKCS8).replace("M", "-", 1), NEITHER),
    ("no base64", "no base64", NEITHER),
    ("no ASCII", "\u00e4" * 88, NEITHER),
    ("url-safe signs", base64.urlsafe_b64encode(b"\xff" * 64).decode(), NEITHER),
    ("63 bytes", base64.b64encode(b"s" * 63).decode(), "an Ed25519 key_secret is the base64 of 64 bytes, not of 63"),
    ("65 bytes", base64.b64encode(b"s" * 65).decode(), "an Ed25519 key_secret is the base64 of 64 bytes, not of 65"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "secret", "told"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_no_secret_of_a_key_is_refused(about: str, secret: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        keys.parse(secret)
    assert str(refused.value) == told
    with pytest.raises(ValueError):
        cdp.Key(key_id="k", key_secret=secret, owner="o")


# A UUID of version 4 (RFC 9562): the 13th digit is 4, the 17th 8 to b.
FRESH_ID = (
    "organizations/20212223-2425-4627-a829-2a2b2c2d2e2f"
    "/apiKeys/30313233-3435-4637-b839-3a3b3c3d3e3f"
)


@pytest.mark.parametrize(
    ("secret", "kind", "made"),
    [
        (keys.ed25519_secret(SEED), "Ed25519", keys.ed25519_secret),
        (pem(PKCS8), "ES256", keys.es256_secret),
    ],
)
def test_a_fresh_cdp_key_has_a_new_id_and_a_secret_of_its_type(
    secret: str, kind: str, made: Any
) -> None:
    key = cdp.Key(label="main", key_id="k", key_secret=secret, owner="o")
    assert key.key_type == kind
    assert key.regenerate(ENTROPY) == replace(key, key_id=FRESH_ID, key_secret=made(ENTROPY[:32]))
    assert cdp.new_key_id(ENTROPY[32:] + b"more") == FRESH_ID


CDP_KEY = cdp.Key(label="main", key_id="k", key_secret=keys.ed25519_secret(SEED), owner="o")
DRAFT = UnsignedRequest("GET", "a:1", b"/v1/b", b"q=1", ((b"X-Other", b"1"),))


def bearer(draft: UnsignedRequest) -> str:
    *others, (name, value) = draft.headers
    assert (others, name) == ([(b"X-Other", b"1")], b"Authorization")
    scheme, _, token = value.decode().partition(" ")
    assert scheme == "Bearer"
    return token


def nonce(draft: UnsignedRequest, key: cdp.Key = CDP_KEY, now: int = NOW * SECOND) -> str:
    return str(pyjwt.get_unverified_header(bearer(cdp.sign(draft, key, now)))["nonce"])


def test_a_signed_draft_keeps_what_it_had() -> None:
    signed = cdp.sign(DRAFT, CDP_KEY, NOW * SECOND + 999_999_999)
    assert replace(signed, headers=DRAFT.headers) == DRAFT
    told = pyjwt.decode(bearer(signed), options={"verify_signature": False})
    assert told == {
        "sub": "k",
        "iss": "cdp",
        "nbf": NOW,
        "exp": NOW + 120,
        "uris": ["GET a:1/v1/b"],
    }


def test_the_nonce_is_of_time_method_host_path_and_key() -> None:
    others = [
        nonce(DRAFT),
        nonce(DRAFT, now=NOW * SECOND + 1),
        nonce(replace(DRAFT, method="POST")),
        nonce(replace(DRAFT, host="a:2")),
        nonce(replace(DRAFT, path=b"/v1/c")),
        nonce(DRAFT, replace(CDP_KEY, key_id="j")),
    ]
    assert len(set(others)) == len(others)
    assert nonce(replace(DRAFT, query=b"")) == nonce(DRAFT), "the token leaves the query out"


def test_a_nonce_is_sixteen_digits_of_which_each_may_be_any() -> None:
    found = [nonce(DRAFT, now=n) for n in range(100)]
    assert {len(one) for one in found} == {16}
    assert [set(place) for place in zip(*found, strict=True)] == [set("0123456789")] * 16


def told(**more: Any) -> Facts:
    made = {
        "sub": "k", "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uris": ["GET api.cdp.coinbase.com/v1/b"]
    }  # fmt: skip
    return {name: value for name, value in (made | more).items() if value is not ...}


BAD, LATE, OUTSIDE = "bad_signature", "expired", "outside_window"
FULL_PATH = "signed the path exactly as requested"
MANGLED = "signed the port in place of the host, as the Python SDK does"
STRICT = {"strict_claims": "true"}
LEAST, MOST = 0, (1 << 40) - 1  # seconds

JUDGED = [
    ("good", told(), {}, "", {}),
    ("another issuer", told(iss="CDP"), {}, BAD, {"claim": "iss"}),
    ("another subject", told(sub="j"), {}, BAD, {"claim": "sub"}),
    ("no entry", told(uris=[]), {}, BAD, {"claim": "uris"}),
    ("no exp", told(exp=...), {}, BAD, {"claim": "exp"}),
    ("exp as text", told(exp="1"), {}, BAD, {"claim": "exp"}),
    ("nbf below zero", told(nbf=-1), {}, BAD, {"claim": "nbf"}),
    ("iat as truth", told(iat=True), {}, BAD, {"claim": "iat"}),
    ("nbf too late to be meant", told(nbf=MOST + 1), {}, BAD, {"claim": "nbf"}),
    ("nbf as late as can be", told(nbf=MOST), {}, OUTSIDE, {"drift": MOST - NOW}),
    ("iat in 1970", told(iat=LEAST, nbf=...), {}, OUTSIDE, {"claim": "exp"}),
    ("nbf in 1970", told(nbf=LEAST), {}, OUTSIDE, {"claim": "exp"}),
    ("late by five seconds", told(nbf=NOW - 125, exp=NOW - 5), {}, LATE, {"drift": -5}),
    ("late by a bit less", told(nbf=NOW - 124, exp=NOW - 4.5), {}, "", {}),
    ("late by a bit more", told(nbf=NOW - 125, exp=NOW - 5.5), {}, LATE, {"drift": -6}),
    ("late at once", told(nbf=NOW - 120, exp=NOW), STRICT, LATE, {"drift": 0}),
    ("five seconds early", told(nbf=NOW + 5, exp=NOW + 125), {}, "", {}),
    ("six seconds early", told(nbf=NOW + 6, exp=NOW + 126), {}, OUTSIDE, {"drift": 6}),
    ("issued half a second too early", told(iat=NOW + 5.5), {}, OUTSIDE, {"drift": 5}),
    ("early at all", told(nbf=NOW + 1), STRICT, OUTSIDE, {"drift": 1}),
    ("a life of 121 seconds", told(exp=NOW + 121), {}, OUTSIDE, {"claim": "exp"}),
    ("a life since iat", told(iat=NOW - 1), {}, OUTSIDE, {"claim": "exp"}),
    ("an entry of two spaces", told(uris=["GET  api.cdp.coinbase.com/v1/b"]), {}, BAD, {"claim": "uris"}),
    ("an entry with a word before it", told(uris=["X GET api.cdp.coinbase.com/v1/b"]), {}, BAD, {"claim": "uris"}),
    ("an entry with spaces in its path", told(uris=["GET api.cdp.coinbase.com/v1/b c"]), {}, BAD, {"claim": "uris"}),
    ("an entry beyond Latin-1", told(uris=["GET api.cdp.coinbase.com/v1/\u5e01"]), {}, BAD, {"claim": "uris"}),
    ("an entry beyond Latin-1 beside a good one", told(uris=["GET x/\u5e01", *told()["uris"]]), {}, "", {}),
    ("the host received", told(uris=["GET 127.0.0.1:8491/v1/b"]), {}, "", {}),
    ("the port alone", told(uris=["GET 8491/v1/b"]), {}, MANGLED, {}),
    ("another port alone", told(uris=["GET 8492/v1/b"]), {}, BAD, {"claim": "uris"}),
    ("the host without its port", told(uris=["GET 127.0.0.1/v1/b"]), {}, BAD, {"claim": "uris"}),
    ("no host", told(uris=["GET /v1/b"]), {}, BAD, {"claim": "uris"}),
    ("as dialled", told(uris=["GET api.cdp.coinbase.com/~x/v1/b"]), {}, FULL_PATH, {}),
    ("both", told(uris=["GET 8491/~x/v1/b"]), {}, f"{FULL_PATH}, {MANGLED}", {}),
    ("the plainest counts", told(uris=["GET 8491/v1/b", "GET api.cdp.coinbase.com/~x/v1/b"]), {}, FULL_PATH, {}),
    ("the shortest note counts", told(uris=["GET 8491/~x/v1/b", "GET 8491/v1/b"]), {}, MANGLED, {}),
    ("a good one counts before all", told(uris=["GET 8491/v1/b", *told()["uris"]]), {}, "", {}),
]  # fmt: skip


def noted(given: Facts, asked: Request, chosen: Facts) -> tuple[str, Facts]:
    """Returns the note on good claims, or the reason and the facts of their refusal."""
    try:
        return claims.check(given, "k", asked, NOW * SECOND, chosen), {}
    except Reject as reject:
        return reject.reason, reject.facts


@pytest.mark.parametrize(
    ("about", "given", "more", "result", "facts"), JUDGED, ids=[row[0] for row in JUDGED]
)
def test_claims_are_judged_and_the_facts_told(
    about: str, given: Facts, more: Facts, result: str, facts: Facts
) -> None:
    asked = request([(b"host", b"127.0.0.1:8491")], raw_target_path=b"/~x/v1/b")
    found, told = noted(given, asked, quirks("cdp", **more))
    assert (found, told) == (result, facts)


PORTS = [
    (b"localhost", "GET localhost", ""),
    (b"localhost:x", "GET x", BAD),
    (b"8491", "GET 8491", ""),
    (b"", "GET ", BAD),
    (b"[::1]:8491", "GET 8491", MANGLED),
    (b"localhost:", "GET ", BAD),
    (b"LOCALHOST", "GET localhost", ""),
    (b"LOCALHOST", "GET LOCALHOST", ""),
    (b"a/b", "GET a/b", BAD),
]


@pytest.mark.parametrize(("host", "entry", "result"), PORTS)
def test_a_port_stands_for_its_host_where_there_is_one(
    host: bytes, entry: str, result: str
) -> None:
    asked = request([(b"host", host)])
    assert noted(told(uris=[f"{entry}/v1/b"]), asked, quirks("cdp"))[0] == result


TOKEN = jwt.sign({"kid": "k"}, told(), jwt.Key("EdDSA", SEED))

BEARERS = [
    ("good", b"Bearer " + TOKEN, "", {"label": "main"}),
    ("small letters", b"bearer " + TOKEN, "", {"label": "main"}),
    ("more spaces", b"Bearer   " + TOKEN + b" ", "", {"label": "main"}),
    ("none", b"", "missing_credential", {}),
    ("the scheme alone", b"Bearer ", "missing_credential", {}),
    ("another scheme", b"Basic " + TOKEN, "missing_credential", {}),
    ("the token alone", TOKEN, "missing_credential", {}),
    ("no token", b"Bearer x", BAD, {}),
    ("no kid", b"Bearer " + jwt.sign({}, told(), jwt.Key("EdDSA", SEED)), BAD, {}),
    ("an unknown kid", b"Bearer " + jwt.sign({"kid": "j"}, told(), jwt.Key("EdDSA", SEED)), "unknown_credential", {}),
    ("a surrogate", b"Bearer " + jwt.sign({"kid": "\ud800"}, told(), jwt.Key("EdDSA", SEED)), "unknown_credential", {}),
    ("another's", b"Bearer " + jwt.sign({"kid": "k"}, told(), jwt.Key("EdDSA", PUBLIC)), BAD, {"credential": "main"}),
    ("of another algorithm", b"Bearer " + jwt.sign({"kid": "k"}, told(), jwt.Key("ES256", SCALAR)), BAD, {"credential": "main"}),
    ("a bad claim", b"Bearer " + jwt.sign({"kid": "k"}, told(iss=""), jwt.Key("EdDSA", SEED)), BAD, {"claim": "iss", "credential": "main"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "value", "result", "facts"), BEARERS, ids=[row[0] for row in BEARERS]
)
def test_a_cdp_token_is_judged(about: str, value: bytes, result: str, facts: Facts) -> None:
    asked = request([(b"x-other", b"1"), (b"authorization", value)])
    given = (asked, Drawer(CDP_KEY, b"k"), NOW * SECOND, quirks("cdp"))
    assert outcome(cdp.authenticate, *given) == (result, facts)


# CPG

CPG_KEY = cpg.Key(label="main", key_id="k", secret="s3cret", account="a")


def cpg_signature(timestamp: bytes, path: bytes = b"/v1/b", body: bytes = b"") -> bytes:
    message = b"\n".join(
        [timestamp, b"GET", path, b"q=1", hashlib.sha256(body).hexdigest().encode()]
    )
    return hmac.new(b"s3cret", message, hashlib.sha256).hexdigest().encode()


def test_a_cpg_draft_is_signed_in_three_headers() -> None:
    draft = replace(DRAFT, method="get", body=b"{}")
    signed = cpg.sign(draft, CPG_KEY, NOW * SECOND + 999_999_999)
    stamp = b"%d" % NOW
    assert signed == replace(
        draft,
        headers=(
            (b"X-Other", b"1"),
            (b"X-CPG-Key", b"k"),
            (b"X-CPG-Timestamp", stamp),
            (b"X-CPG-Signature", cpg_signature(stamp, body=b"{}")),
        ),
    )


def test_the_canonical_string_of_cpg_has_five_lines() -> None:
    empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    build = message_builder(cpg.RECIPE)
    assert build(b"1", "post", b"/p%2F", b"a=%20", b"", b"") == b"1\nPOST\n/p%2F\na=%20\n" + empty


SIGNED = cpg_signature(b"%d" % NOW)


def stamped(timestamp: bytes, drift: int = 0) -> Any:
    facts: Facts = {"drift": drift} if drift else {}
    return (b"k", timestamp, cpg_signature(timestamp), {}, OUTSIDE, facts)


CPG = [
    ("good", (b"k", b"%d" % NOW, SIGNED, {}, "", {"label": "main"})),
    ("upper case", (b"k", b"%d" % NOW, SIGNED.upper(), {}, BAD, {"credential": "main"})),
    ("upper case where any is good", (b"k", b"%d" % NOW, SIGNED.upper(), {"signature_case": "any"}, "", {"label": "main"})),
    ("no key", (b"", b"%d" % NOW, SIGNED, {}, "missing_credential", {})),
    ("no timestamp", (b"k", b"", SIGNED, {}, "missing_credential", {})),
    ("no signature", (b"k", b"%d" % NOW, b"", {}, "missing_credential", {})),
    ("another key", (b"j", b"%d" % NOW, SIGNED, {}, "unknown_credential", {})),
    ("the path as dialled", (b"k", b"%d" % NOW, cpg_signature(b"%d" % NOW, b"/~x/v1/b"), {}, FULL_PATH, {"label": "main"})),
    ("another path", (b"k", b"%d" % NOW, cpg_signature(b"%d" % NOW, b"/v1/c"), {}, BAD, {"credential": "main"})),
    ("another timestamp", (b"k", b"%d" % (NOW + 1), SIGNED, {}, BAD, {"credential": "main"})),
    ("no digits", stamped(b"%d." % NOW)),
    ("a sign", stamped(b"+%d" % NOW)),
    ("fifteen digits", stamped(b"9" * 15, 10**15 - 1 - NOW)),
    ("sixteen digits", stamped(b"9" * 16)),
    ("301 seconds early", stamped(b"%d" % (NOW + 301), 301)),
    ("301 seconds late", stamped(b"%d" % (NOW - 301), -301)),
    ("a wider window", (b"k", b"%d" % (NOW - 301), cpg_signature(b"%d" % (NOW - 301)), {"timestamp_window": 301 * SECOND}, "", {"label": "main"})),
] + [
    (f"{drift} seconds off", (b"k", b"%d" % (NOW + drift), cpg_signature(b"%d" % (NOW + drift)), {}, "", {"label": "main"}))
    for drift in (300, -300)
]  # fmt: skip


@pytest.mark.parametrize(("about", "row"), CPG, ids=[row[0] for row in CPG])
@pytest.mark.parametrize("fraction", [0, 999_999_999])
def test_a_cpg_signature_is_judged(fraction: int, about: str, row: Any) -> None:
    key, timestamp, signature, more, result, facts = row
    headers = [
        (b"x-cpg-key", key),
        (b"x-cpg-timestamp", timestamp),
        (b"x-cpg-signature", signature),
    ]
    asked = request(headers, b"q=1", raw_target_path=b"/~x/v1/b")
    given = (asked, Drawer(CPG_KEY, b"k"), NOW * SECOND + fraction, quirks("cpg", **more))
    found = outcome(cpg.authenticate, *given)
    assert str(found) == str((result, facts)), "a drift is a whole number, written as one"


def test_a_cpg_signature_covers_the_body() -> None:
    stamp = b"%d" % NOW
    headers = [
        (b"x-cpg-key", b"k"), (b"x-cpg-timestamp", stamp), (b"x-cpg-signature", cpg_signature(stamp, body=b"{}")),
    ]  # fmt: skip
    given = (Drawer(CPG_KEY, b"k"), NOW * SECOND, quirks("cpg"))
    assert outcome(cpg.authenticate, request(headers, b"q=1", b"{}"), *given) == (
        "",
        {"label": "main"},
    )
    assert outcome(cpg.authenticate, request(headers, b"q=1", b"[]"), *given)[0] == BAD


def test_a_replay_is_known_by_key_and_half_the_signature() -> None:
    headers = [(b"x-cpg-key", b"k"), (b"x-cpg-signature", bytes(range(32)).hex().encode())]
    assert cpg.replay_digest(request(headers)) == b"k" + bytes(range(16))


@pytest.mark.parametrize(
    ("replay", "window", "span"),
    [("on", 300, 601), ("on", 0, 1), ("on", 10, 21), ("off", 300, 0)],
)
def test_a_signature_is_remembered_as_long_as_it_could_be_good(
    replay: str, window: int, span: int
) -> None:
    told = {"replay": replay, "timestamp_window": window * SECOND}
    assert cpg.replay_window(told) == span * SECOND


ADDRESSES = [
    ((), "192.0.2.1", True),
    ((), "testclient", True),
    (("192.0.2.0/24",), "192.0.2.0", True),
    (("192.0.2.0/24",), "192.0.2.255", True),
    (("192.0.2.0/24",), "192.0.3.0", False),
    (("192.0.2.7",), "192.0.2.7", True),
    (("192.0.2.7",), "192.0.2.8", False),
    (("198.51.100.1", "192.0.2.7"), "192.0.2.7", True),
    (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
    (("192.0.2.0/24",), "::ffff:192.0.3.1", False),
    (("2001:db8::/32",), "2001:db8::1", True),
    (("2001:db8::/32",), "192.0.2.1", False),
    (("0.0.0.0/0",), "testclient", False),
    (("0.0.0.0/0",), "", False),
]

ROUTE = Route("r", "GET", "/r", parse_nothing, None, permission="withdraw")  # type: ignore[arg-type]


def refusal(call: Any, *given: Any) -> tuple[str, Facts]:
    try:
        call(*given)
    except Reject as reject:
        return reject.reason, reject.facts
    return "", {}


@pytest.mark.parametrize(("listed", "peer", "good"), ADDRESSES)
def test_a_cpg_key_works_from_the_addresses_it_lists(
    listed: tuple[str, ...], peer: str, good: bool
) -> None:
    key = replace(CPG_KEY, ip_whitelist=listed)
    found = refusal(cpg.check_address, request(peer=peer), ROUTE, key)
    assert found == (("" if good else "ip_not_allowed"), {})


def test_a_cpg_key_needs_the_permission_of_the_route() -> None:
    without = replace(CPG_KEY, permissions=("read_balance",))
    lacks = ("forbidden", {"permission": "withdraw"})
    assert refusal(cpg.check_permission, request(), ROUTE, CPG_KEY) == ("", {})
    assert refusal(cpg.check_permission, request(), ROUTE, without) == lacks
    assert refusal(cpg.check_permission, request(), replace(ROUTE, permission=""), without) == (
        "",
        {},
    )


MAY = (
    "request_deposit_address, request_withdrawal_funding_address, withdraw, read_balance, "
    "read_deposit_status, read_withdrawal_status, list_transactions, list_currencies"
)


def test_a_cpg_key_is_refused_for_what_it_may_not_have() -> None:
    with pytest.raises(ValueError) as refused:
        replace(CPG_KEY, permissions=("withdraw", "all"))
    assert str(refused.value) == f"$.permissions[1]: no permission 'all': there are {MAY}"
    with pytest.raises(ValueError, match=r"'192\.0\.2\.256' does not appear"):
        replace(CPG_KEY, ip_whitelist=("192.0.2.0/24", "192.0.2.256"))
    with pytest.raises(ValueError, match="has host bits set"):
        replace(CPG_KEY, ip_whitelist=("192.0.2.1/24",))


# CoinW

COINW_KEY = coinw.Key(label="main", api_key="k", secret_key="s3cret", account="a")


def md5(message: bytes) -> bytes:
    return hashlib.md5(message).hexdigest().upper().encode()


FORM = b"application/x-www-form-urlencoded"
PLAIN = md5(b"api_key=k&b=x y&secret_key=s3cret")
COMMAND = md5(b"api_key=k&b=x y&command=c&secret_key=s3cret")

COINW = [
    ("good", b"command=c&b=x+y&api_key=k&sign=%s" % PLAIN, b"", {}, "", {"label": "main"}),
    ("in a form", b"command=c", b"b=x%%20y&api_key=k&sign=%s" % PLAIN, {}, "", {"label": "main"}),
    ("given twice alike", b"b=x+y&api_key=k&sign=%s" % PLAIN, b"b=x%20y", {}, "", {"label": "main"}),
    ("given twice", b"b=x+y&api_key=k&sign=%s" % PLAIN, b"b=z", {}, "bad_request", {"parameter": "b"}),
    ("given twice, no UTF-8", b"%ff=1&%ff=2", b"", {}, "bad_request", {"parameter": "\ufffd"}),
    ("small letters", b"b=x+y&api_key=k&sign=%s" % PLAIN.lower(), b"", {}, BAD, {"credential": "main"}),
    ("small letters where any are good", b"b=x+y&api_key=k&sign=%s" % PLAIN.lower(), b"", {"signature_case": "any"}, "", {"label": "main"}),
    ("the command too", b"command=c&b=x+y&api_key=k&sign=%s" % COMMAND, b"", {}, BAD, {"credential": "main"}),
    ("the command too where it is", b"command=c&b=x+y&api_key=k&sign=%s" % COMMAND, b"", {"sign_covers_command": "true"}, "", {"label": "main"}),
    ("no command where it is", b"command=c&b=x+y&api_key=k&sign=%s" % PLAIN, b"", {"sign_covers_command": "true"}, BAD, {"credential": "main"}),
    ("no signature", b"api_key=k", b"", {}, BAD, {"credential": "main", "missing": "sign"}),
    ("no key", b"b=x+y&sign=%s" % PLAIN, b"", {}, "missing_credential", {}),
    ("an empty key", b"api_key=", b"", {}, "missing_credential", {}),
    ("another key", b"api_key=j&sign=%s" % PLAIN, b"", {}, "unknown_credential", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "query", "body", "more", "result", "facts"), COINW, ids=[row[0] for row in COINW]
)
def test_a_coinw_signature_is_judged(
    about: str, query: bytes, body: bytes, more: Facts, result: str, facts: Facts
) -> None:
    asked = request([(b"content-type", FORM)], query, body)
    given = (asked, Drawer(COINW_KEY, b"k"), NOW * SECOND, quirks("coinw", **more))
    assert outcome(coinw.authenticate, *given) == (result, facts)


def test_a_body_of_coinw_that_is_no_form_gives_no_parameters() -> None:
    asked = request([(b"content-type", b"text/plain")], b"", b"api_key=k")
    given = (asked, Drawer(COINW_KEY, b"k"), NOW * SECOND, quirks("coinw"))
    assert outcome(coinw.authenticate, *given) == ("missing_credential", {})


CANONICAL = {b"b": b"2", b"sign": b"S", b"a": b"1=1", b"command": b"c", b"B": b"3"}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("false", b"B=3&a=1=1&b=2&secret_key=s"),
        ("true", b"B=3&a=1=1&b=2&command=c&secret_key=s"),
    ],
)
def test_the_canonical_string_of_coinw_is_sorted_and_ends_with_the_secret(
    how: str, message: bytes
) -> None:
    recipe = coinw.recipe_in_force({"sign_covers_command": how})
    assert parameters_builder(recipe)(CANONICAL, b"s") == message


def test_the_digest_of_coinw_is_that_of_rfc_1321_in_upper_case() -> None:
    assert coinw.digest(b"no HMAC key", b"message digest") == b"F96B697D7CB7938D525A2F31AAF161D0"


SIGNED_DRAFTS = [
    (b"command=c&b=x+y", (), b"", b"command=c&b=x+y&"),
    (b"b=x%20y", (), b"", b"b=x%20y&"),
    (b"command=c", ((b"Content-Type", FORM),), b"b=x+y", b"command=c&"),
    (b"b=x+y", ((b"Content-Type", b"text/plain"),), b"z=1", b"b=x+y&"),
    (b"b=x+y", (), b"z=1", b"b=x+y&"),
    (b"", ((b"CONTENT-TYPE", FORM),), b"b=x+y", b""),
]


@pytest.mark.parametrize(("query", "headers", "body", "before"), SIGNED_DRAFTS)
def test_a_coinw_draft_is_signed_behind_its_query(
    query: bytes, headers: Any, body: bytes, before: bytes
) -> None:
    draft = UnsignedRequest("POST", "h", b"/p", query, headers, body)
    signed = coinw.sign(draft, COINW_KEY, 0)
    assert signed == replace(draft, query=before + b"api_key=k&sign=" + PLAIN)


# CoinAPI and CoinStats

COINAPI_KEY = coinapi.Key(label="main", api_key="k", account="a")
COINSTATS_KEY = coinstats.Key(label="main", api_key="k", account="a")


def test_a_key_alone_is_sent_in_the_documented_header() -> None:
    for provider, key, header in (
        (coinapi, COINAPI_KEY, b"X-CoinAPI-Key"),
        (coinstats, COINSTATS_KEY, b"X-API-KEY"),
    ):
        signed = provider.sign(DRAFT, key, 0)  # type: ignore[attr-defined]
        assert signed == replace(DRAFT, headers=((b"X-Other", b"1"), (header, b"k")))


MISSING, UNKNOWN = ("missing_credential", {}), ("unknown_credential", {})
GOOD = ("", {"label": "main"})
NONE = {"auth": "none"}

PRESENTED = [
    (coinapi, [(b"x-coinapi-key", b"k")], b"", {}, GOOD),
    (coinapi, [], b"apikey=k", {}, GOOD),
    (coinapi, [], b"a=1&apikey=%6b&apikey=j", {}, GOOD),
    (coinapi, [(b"x-coinapi-key", b"k")], b"apikey=j", {}, GOOD),
    (coinapi, [(b"x-coinapi-key", b"j")], b"apikey=k", {}, UNKNOWN),
    (coinapi, [(b"x-coinapi-key", b"")], b"apikey=k", {}, GOOD),
    (coinapi, [], b"APIKEY=k", {}, MISSING),
    (coinapi, [], b"apikey=", {}, MISSING),
    (coinapi, [(b"authorization", b"k")], b"", {}, MISSING),
    (coinapi, [], b"", NONE, GOOD),
    (coinapi, [(b"x-coinapi-key", b"j")], b"", NONE, GOOD),
    (coinstats, [(b"x-api-key", b"k")], b"", {}, GOOD),
    (coinstats, [(b"authorization", b"Bearer k")], b"", {}, GOOD),
    (coinstats, [(b"authorization", b"bEARER  k ")], b"", {}, GOOD),
    (coinstats, [(b"x-api-key", b"k"), (b"authorization", b"Bearer j")], b"", {}, GOOD),
    (coinstats, [(b"x-api-key", b"j"), (b"authorization", b"Bearer k")], b"", {}, UNKNOWN),
    (coinstats, [(b"authorization", b"k")], b"", {}, MISSING),
    (coinstats, [(b"authorization", b"Basic k")], b"", {}, MISSING),
    (coinstats, [(b"authorization", b"Bearer ")], b"", {}, MISSING),
    (coinstats, [], b"x-api-key=k", {}, MISSING),
]


@pytest.mark.parametrize(("provider", "headers", "query", "more", "expected"), PRESENTED)
def test_a_key_is_found_where_the_provider_looks_for_it(
    provider: Any, headers: Headers, query: bytes, more: Facts, expected: tuple[str, Facts]
) -> None:
    name, key = {
        coinapi: ("coinapi", COINAPI_KEY),
        coinstats: ("coinstats", COINSTATS_KEY),
    }[provider]
    given = (request(headers, query), Drawer(key, b"k"), 0, quirks(name, **more))
    assert outcome(provider.authenticate, *given) == expected


def test_without_authentication_there_must_be_a_main_key() -> None:
    other = Drawer(replace(COINAPI_KEY, label="other"), b"k")
    given = (request([(b"x-coinapi-key", b"k")]), other, 0, quirks("coinapi", **NONE))
    assert outcome(coinapi.authenticate, *given) == MISSING
