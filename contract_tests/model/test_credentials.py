"""Credentials: how each provider signs, and the facts with which it refuses.

What is accepted and refused stands in the tests of the providers, over a socket; here are the
facts for explanations, and the bytes that are signed, made by the standard library alone.
"""

import hashlib
import hmac
from typing import Any

import jwt as pyjwt
import pytest
from msgspec.structs import replace

from contract_tests.support.rows import each
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
    headers: Headers | None = None, query: bytes = b"", body: bytes = b"", peer: str = "192.0.2.1"
) -> Request:
    return Request("GET", b"/v1/b", query, headers or [], body, peer, b"/~x/v1/b")


class OneKey:
    """A keyring of one key, which is found by one text alone."""

    def __init__(self, key: Any, presented: bytes = b"k") -> None:
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


def refusal(call: Any, *arguments: Any) -> tuple[str, Facts]:
    """Returns the reason and the facts of a refusal."""
    try:
        call(*arguments)
    except Reject as reject:
        return reject.reason, reject.facts
    return "", {}


# CDP: the key of RFC 8032 7.1 (test 1)

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
CDP_KEY = cdp.Key(label="main", key_id="k", key_secret=keys.ed25519_secret(SEED), owner="o")
DRAFT = UnsignedRequest("GET", "a:1", b"/v1/b", b"q=1", ((b"X-Other", b"1"),))


def bearer(draft: UnsignedRequest) -> str:
    *others, (name, value) = draft.headers
    assert (others, name) == ([(b"X-Other", b"1")], b"Authorization")
    return value.decode().removeprefix("Bearer ")


def nonce(draft: UnsignedRequest, key: cdp.Key = CDP_KEY, now: int = NOW * SECOND) -> str:
    return str(pyjwt.get_unverified_header(bearer(cdp.sign(draft, key, now)))["nonce"])


def test_a_signed_draft_keeps_its_other_parts() -> None:
    signed = cdp.sign(DRAFT, CDP_KEY, NOW * SECOND + 999_999_999)
    assert replace(signed, headers=DRAFT.headers) == DRAFT
    assert pyjwt.decode(bearer(signed), options={"verify_signature": False}) == {
        "sub": "k",
        "iss": "cdp",
        "nbf": NOW,
        "exp": NOW + 120,
        "uris": ["GET a:1/v1/b"],
    }


def test_the_nonce_is_of_time_method_host_path_and_key() -> None:
    nonces = [
        nonce(DRAFT),
        nonce(DRAFT, now=NOW * SECOND + 1),
        nonce(replace(DRAFT, method="POST")),
        nonce(replace(DRAFT, host="a:2")),
        nonce(replace(DRAFT, path=b"/v1/c")),
        nonce(DRAFT, replace(CDP_KEY, key_id="j")),
    ]
    assert len(set(nonces)) == len(nonces)
    assert nonce(replace(DRAFT, query=b"")) == nonce(DRAFT), "the token leaves the query out"


def test_a_nonce_is_sixteen_digits_of_which_each_may_be_any() -> None:
    nonces = [nonce(DRAFT, now=n) for n in range(100)]
    assert {len(one) for one in nonces} == {16}
    assert [set(digits) for digits in zip(*nonces, strict=True)] == [set("0123456789")] * 16


BAD, LATE, OUTSIDE = "bad_signature", "expired", "outside_window"
GOOD = {"sub": "k", "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uris": ["GET api.cdp.coinbase.com/v1/b"]}  # fmt: skip
STRICT = {"strict_claims": "true"}
MOST = (1 << 40) - 1  # seconds

CLAIMS = [
    ("another issuer", {"iss": "CDP"}, {}, BAD, {"claim": "iss"}),
    ("another subject", {"sub": "j"}, {}, BAD, {"claim": "sub"}),
    ("exp as text", {"exp": "1"}, {}, BAD, {"claim": "exp"}),
    ("nbf below zero", {"nbf": -1}, {}, BAD, {"claim": "nbf"}),
    ("iat as truth", {"iat": True}, {}, BAD, {"claim": "iat"}),
    ("nbf as late as can be", {"nbf": MOST}, {}, OUTSIDE, {"drift": MOST - NOW}),
    ("late by five seconds", {"nbf": NOW - 125, "exp": NOW - 5}, {}, LATE, {"drift": -5}),
    ("late by a bit more", {"nbf": NOW - 125, "exp": NOW - 5.5}, {}, LATE, {"drift": -6}),
    ("late at once", {"nbf": NOW - 120, "exp": NOW}, STRICT, LATE, {"drift": 0}),
    ("six seconds early", {"nbf": NOW + 6, "exp": NOW + 126}, {}, OUTSIDE, {"drift": 6}),
    ("issued half a second too early", {"iat": NOW + 5.5}, {}, OUTSIDE, {"drift": 5}),
    ("another host", {"uris": ["GET x/v1/b"]}, {}, BAD, {"claim": "uris"}),
    ("a life of 121 seconds", {"exp": NOW + 121}, {}, OUTSIDE, {"claim": "exp"}),
]


@each("more, settings, reason, facts", CLAIMS)
def test_refused_claims_come_with_the_facts(
    more: Facts, settings: Facts, reason: str, facts: Facts
) -> None:
    sent = request([(b"host", b"127.0.0.1:8491")])
    assert refusal(
        claims.check, GOOD | more, "k", sent, NOW * SECOND, quirks("cdp", **settings)
    ) == (reason, facts)


@pytest.mark.parametrize("signer", [jwt.Key("EdDSA", b"\x33" * 32), jwt.Key("ES256", b"\x33" * 32)])
def test_a_token_that_another_key_signed_is_refused_under_the_label_of_its_kid(
    signer: jwt.Key,
) -> None:
    token = b"Bearer " + jwt.sign({"kid": "k"}, GOOD, signer)
    arguments = (request([(b"authorization", token)]), OneKey(CDP_KEY), NOW * SECOND)
    assert refusal(cdp.authenticate, *arguments, quirks("cdp")) == (BAD, {"credential": "main"})


# CPG

CPG_KEY = cpg.Key(label="main", key_id="k", secret="s3cret", account="a")
STAMP = b"%d" % NOW


def cpg_signature(timestamp: bytes, path: bytes = b"/v1/b", body: bytes = b"") -> bytes:
    digest = hashlib.sha256(body).hexdigest().encode()
    message = b"\n".join([timestamp, b"GET", path, b"q=1", digest])
    return hmac.new(b"s3cret", message, hashlib.sha256).hexdigest().encode()


def test_a_cpg_draft_is_signed_in_three_headers() -> None:
    draft = replace(DRAFT, method="get", body=b"{}")
    signed = cpg.sign(draft, CPG_KEY, NOW * SECOND + 999_999_999)
    signature = cpg_signature(STAMP, body=b"{}")
    headers = ((b"X-CPG-Key", b"k"), (b"X-CPG-Timestamp", STAMP), (b"X-CPG-Signature", signature))
    assert signed == replace(draft, headers=((b"X-Other", b"1"), *headers))


def test_the_canonical_string_of_cpg_has_five_lines() -> None:
    empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    build = message_builder(cpg.RECIPE)
    assert build(b"1", "post", b"/p%2F", b"a=%20", b"", b"") == b"1\nPOST\n/p%2F\na=%20\n" + empty


def cpg_request(timestamp: bytes, signature: bytes, body: bytes = b"") -> Request:
    names = (b"x-cpg-key", b"x-cpg-timestamp", b"x-cpg-signature")
    values = (b"k", timestamp, signature)
    return request(list(zip(names, values, strict=True)), b"q=1", body)


SIGNATURES = [
    ("no digits", b"%d." % NOW, b"/v1/b", OUTSIDE, {}),
    ("fifteen digits", b"9" * 15, b"/v1/b", OUTSIDE, {"drift": 10**15 - 1 - NOW}),
    ("301 seconds early", b"%d" % (NOW + 301), b"/v1/b", OUTSIDE, {"drift": 301}),
    ("301 seconds late", b"%d" % (NOW - 301), b"/v1/b", OUTSIDE, {"drift": -301}),
    ("another path", STAMP, b"/v1/c", BAD, {"credential": "main"}),
]


@each("timestamp, path, reason, facts", SIGNATURES)
@pytest.mark.parametrize("fraction", [0, 999_999_999])
def test_a_refused_cpg_signature_comes_with_the_facts(
    timestamp: bytes, path: bytes, reason: str, facts: Facts, fraction: int
) -> None:
    sent = cpg_request(timestamp, cpg_signature(timestamp, path))
    result = refusal(
        cpg.authenticate, sent, OneKey(CPG_KEY), NOW * SECOND + fraction, quirks("cpg")
    )
    assert str(result) == str((reason, facts)), "a drift is a whole number, written as one"


def test_a_cpg_signature_may_be_of_the_path_exactly_as_requested_and_covers_the_body() -> None:
    rest = (OneKey(CPG_KEY), NOW * SECOND, quirks("cpg"))
    signature = cpg_signature(STAMP, b"/~x/v1/b", b"{}")
    _, note = cpg.authenticate(cpg_request(STAMP, signature, b"{}"), *rest)
    assert note == "signed the path exactly as requested"
    assert refusal(cpg.authenticate, cpg_request(STAMP, signature, b"[]"), *rest)[0] == BAD


def test_a_replay_is_known_by_key_and_half_the_signature() -> None:
    sent = cpg_request(STAMP, bytes(range(32)).hex().encode())
    assert cpg.replay_digest(sent) == b"k" + bytes(range(16))


@pytest.mark.parametrize(
    ("replay", "window", "span"),
    [("on", 300, 601), ("on", 0, 1), ("on", 10, 21), ("off", 300, 0)],
)
def test_a_signature_is_remembered_as_long_as_it_could_be_good(
    replay: str, window: int, span: int
) -> None:
    settings = {"replay": replay, "timestamp_window": window * SECOND}
    assert cpg.replay_window(settings) == span * SECOND


ADDRESSES = [
    ((), "192.0.2.1", True),
    ((), "testclient", True),
    (("192.0.2.0/24",), "192.0.2.0", True),
    (("192.0.2.0/24",), "192.0.2.255", True),
    (("192.0.2.0/24",), "192.0.3.0", False),
    (("198.51.100.1", "192.0.2.7"), "192.0.2.7", True),
    (("192.0.2.7",), "192.0.2.8", False),
    (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
    (("192.0.2.0/24",), "::ffff:192.0.3.1", False),
    (("2001:db8::/32",), "2001:db8::1", True),
    (("2001:db8::/32",), "192.0.2.1", False),
    (("0.0.0.0/0",), "testclient", False),
    (("0.0.0.0/0",), "", False),
]

ROUTE = Route("r", "GET", "/r", parse_nothing, None, permission="withdraw")  # type: ignore[arg-type]


@pytest.mark.parametrize(("networks", "peer", "good"), ADDRESSES)
def test_a_cpg_key_works_from_the_addresses_it_lists(
    networks: tuple[str, ...], peer: str, good: bool
) -> None:
    key = replace(CPG_KEY, ip_whitelist=networks)
    result = refusal(cpg.check_address, request(peer=peer), ROUTE, key)
    assert result == (("" if good else "ip_not_allowed"), {})


def test_a_cpg_key_needs_the_permission_of_the_route() -> None:
    without = replace(CPG_KEY, permissions=("read_balance",))
    lacks = ("forbidden", {"permission": "withdraw"})
    for route, key, result in (
        (ROUTE, CPG_KEY, ("", {})),
        (ROUTE, without, lacks),
        (replace(ROUTE, permission=""), without, ("", {})),
    ):
        assert refusal(cpg.check_permission, request(), route, key) == result


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"permissions": ("withdraw", "all")}, r"^\$\.permissions\[1\]: no permission 'all': "),
        ({"ip_whitelist": ("192.0.2.0/24", "192.0.2.256")}, r"'192\.0\.2\.256' does not appear"),
        ({"ip_whitelist": ("192.0.2.1/24",)}, "has host bits set"),
    ],
)
def test_a_cpg_key_with_a_wrong_permission_or_address_is_refused(
    members: Facts, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CPG_KEY, **members)


# CoinW

COINW_KEY = coinw.Key(label="main", api_key="k", secret_key="s3cret", account="a")
FORM = b"application/x-www-form-urlencoded"
SIGN = hashlib.md5(b"api_key=k&b=x y&secret_key=s3cret").hexdigest().upper().encode()
REFUSED = [
    ("given twice", b"b=x+y&api_key=k&sign=%s" % SIGN, b"b=z", "bad_request", {"parameter": "b"}),
    ("given twice, no UTF-8", b"%ff=1&%ff=2", b"", "bad_request", {"parameter": "\ufffd"}),
    ("small letters", b"b=x+y&api_key=k&sign=%s" % SIGN.lower(), b"", BAD, {"credential": "main"}),
    ("no signature", b"api_key=k", b"", BAD, {"credential": "main", "missing": "sign"}),
]


@each("query, body, reason, facts", REFUSED)
def test_a_refused_coinw_signature_comes_with_the_facts(
    query: bytes, body: bytes, reason: str, facts: Facts
) -> None:
    sent = request([(b"content-type", FORM)], query, body)
    rest = (OneKey(COINW_KEY), NOW * SECOND, quirks("coinw"))
    assert refusal(coinw.authenticate, sent, *rest) == (reason, facts)


CANONICAL = {b"b": b"2", b"sign": b"S", b"a": b"1=1", b"command": b"c", b"B": b"3"}


@pytest.mark.parametrize(
    ("covers", "message"),
    [
        ("false", b"B=3&a=1=1&b=2&secret_key=s"),
        ("true", b"B=3&a=1=1&b=2&command=c&secret_key=s"),
    ],
)
def test_the_canonical_string_of_coinw_is_sorted_and_ends_with_the_secret(
    covers: str, message: bytes
) -> None:
    recipe = coinw.recipe_in_force({"sign_covers_command": covers})
    assert parameters_builder(recipe)(CANONICAL, b"s") == message


def test_the_digest_of_coinw_is_that_of_rfc_1321_in_upper_case() -> None:
    assert coinw.digest(b"no HMAC key", b"message digest") == b"F96B697D7CB7938D525A2F31AAF161D0"


DRAFTS = [
    (b"command=c&b=x+y", (), b"", b"command=c&b=x+y&"),
    (b"command=c", ((b"Content-Type", FORM),), b"b=x+y", b"command=c&"),
    (b"b=x+y", ((b"Content-Type", b"text/plain"),), b"z=1", b"b=x+y&"),
    (b"b=x%20y", (), b"z=1", b"b=x%20y&"),
    (b"", ((b"CONTENT-TYPE", FORM),), b"b=x+y", b""),
]


@pytest.mark.parametrize(("query", "headers", "body", "before"), DRAFTS)
def test_a_coinw_draft_is_signed_behind_its_query(
    query: bytes, headers: Any, body: bytes, before: bytes
) -> None:
    draft = UnsignedRequest("POST", "h", b"/p", query, headers, body)
    signed = coinw.sign(draft, COINW_KEY, 0)
    assert signed == replace(draft, query=before + b"api_key=k&sign=" + SIGN)


# CoinAPI and CoinStats

COINAPI_KEY = coinapi.Key(label="main", api_key="k", account="a")
COINSTATS_KEY = coinstats.Key(label="main", api_key="k", account="a")


@pytest.mark.parametrize(
    ("sign", "key", "header"),
    [
        (coinapi.sign, COINAPI_KEY, b"X-CoinAPI-Key"),
        (coinstats.sign, COINSTATS_KEY, b"X-API-KEY"),
    ],
)
def test_a_key_alone_is_sent_in_the_documented_header(sign: Any, key: Any, header: bytes) -> None:
    assert sign(DRAFT, key, 0) == replace(DRAFT, headers=((b"X-Other", b"1"), (header, b"k")))


def test_without_authentication_there_must_be_a_main_key() -> None:
    settings = quirks("coinapi", auth="none")
    for label, reason in ("main", ""), ("other", "missing_credential"):
        keyring = OneKey(replace(COINAPI_KEY, label=label))
        sent = request([(b"x-coinapi-key", b"k")])
        assert refusal(coinapi.authenticate, sent, keyring, 0, settings) == (reason, {})
