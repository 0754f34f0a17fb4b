"""Coinbase CDP over a socket: accounts and their errors; keys and accounts of a world."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from contract_tests.providers.cdp.calls import (
    ACCOUNTS,
    BALANCES,
    ED25519,
    EMPTY,
    KEY_ID,
    MAIN,
    MANY,
    MISSING,
    NO_ACCOUNT,
    OWNER,
    P256,
    PUBLIC,
    good,
    ids,
    plain,
    read,
    symbols,
)
from contract_tests.support.request_rows import Row, answered
from contract_tests.support.rows import each
from mockserver import Auth, MockServer
from mockserver.errors import DataError
from mockserver.files import worlds
from mockserver.files.documents import openapi_document
from mockserver.model import jwt
from mockserver.providers.cdp import keys

ONE, TWO = (f"account_00000000-0000-4000-8000-00000000010{n}" for n in (1, 2))
CUSTOMER_ONE, CUSTOMER_TWO, CUSTOMER_THREE = (
    f"customer_00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)
)
STRANGERS = "entity_00000000-0000-4000-8000-000000000003"
CREATED = "2023-10-08T14:30:00Z"

# The lists

FILTERS = [
    ("none", "", [MAIN, MANY, EMPTY, ONE, TWO]),
    ("prime", "?type=prime", [MAIN]),
    ("business", "?type=business", [MANY]),
    ("cdp", "?type=cdp", [EMPTY, ONE, TWO]),
    ("entities", "?owner=entity", [MAIN, MANY, EMPTY]),
    ("customers", "?owner=customer", [ONE, TWO]),
    ("both, escaped", "?owner=customer%2Centity", [MAIN, MANY, EMPTY, ONE, TWO]),
    ("an owner", f"?owner={OWNER}", [MAIN, MANY, EMPTY]),
    ("an owner's of a type", f"?owner={OWNER}&type=cdp", [EMPTY]),
    ("a customer twice", f"?owner={CUSTOMER_TWO},{CUSTOMER_TWO}", [TWO]),
    ("entities and a customer", f"?owner=entity,{CUSTOMER_ONE}", [MAIN, MANY, EMPTY, ONE]),
    ("an unknown customer and a known one", f"?owner={CUSTOMER_THREE},{CUSTOMER_ONE}", [ONE]),
    ("an unknown customer", f"?owner={CUSTOMER_THREE}", []),
    ("somebody else", f"?owner={STRANGERS}", []),
    ("nothing", "?owner=customer&type=prime", []),
    ("the first of two", "?owner=customer&owner=entity", [ONE, TWO]),
    ("a page", "?pageSize=2", [MAIN, MANY]),
    ("a page of customers", "?owner=customer&pageSize=1", [ONE]),
]


@each("query, expected", FILTERS)
def test_accounts_are_listed_the_newest_first(
    server: MockServer, query: str, expected: list[str]
) -> None:
    assert ids(read(server, "/v2/accounts" + query)) == expected


def test_accounts_are_paged_too(server: MockServer) -> None:
    first = read(server, "/v2/accounts?owner=entity&pageSize=2")
    token = requests.utils.quote(first.json()["nextPageToken"], safe="")
    created = "2023-10-06T14:30:00Z"
    last = {"accountId": EMPTY, "type": "cdp", "owner": OWNER, "createdAt": created, "updatedAt": created}  # fmt: skip
    rest = read(server, f"/v2/accounts?owner=entity&pageSize=2&pageToken={token}")
    assert rest.json() == {"accounts": [last]}


def test_a_key_of_an_entity_sees_the_accounts_of_its_customers(server: MockServer) -> None:
    account = read(server, f"/v2/accounts/{ONE}").json()
    assert (account["accountId"], account["owner"]) == (ONE, CUSTOMER_ONE)
    assert "parent" not in account
    assert symbols(read(server, f"/v2/accounts/{ONE}/balances")) == ["usdc"]
    assert read(server, f"/v2/accounts/{TWO}/balances/eth").status_code == 200
    assert read(server, "/v2/accounts", "stranger").text == '{"accounts":[]}'


# Errors

ACCOUNT, ASSET, QUERY, ID = (
    "Account not found.",
    "Account or asset not found.",
    "Invalid query parameters.",
    "Invalid account ID.",
)
SYMBOL, ID_OR_QUERY = (
    "Invalid account ID or asset symbol.",
    "Invalid account ID or query parameters.",
)
NONE, INVALID = "not_found", "bad_request"


def resource(target: str, reason: str, message: str, label: str = "main") -> Row:
    about = f"{target} for {label}".replace(MAIN, "MAIN").removesuffix(" for main")
    body = {"errorMessage": message}
    return Row(about, good(f"{ACCOUNTS}{target}", label), reason, body)


RESOURCES = [
    resource(f"/{NO_ACCOUNT}", NONE, ACCOUNT),
    resource(f"/account_{'-' * 36}", NONE, ACCOUNT),
    resource(f"/{NO_ACCOUNT}/balances/btc", NONE, ASSET),
    resource(f"/{MAIN}/balances/eth", NONE, ASSET),
    resource(f"/{MAIN}/balances/BTC", NONE, ASSET),
    resource(f"/{MAIN}/balances/{'b' * 42}", NONE, ASSET),
    resource(f"/{MAIN}", NONE, ACCOUNT, "stranger"),
    resource(f"/{MAIN}/balances", NONE, ACCOUNT, "stranger"),
    resource(f"/{MAIN}/balances/btc", NONE, ASSET, "stranger"),
    resource(f"/{ONE}", NONE, ACCOUNT, "stranger"),
    resource("?type=spot", INVALID, QUERY),
    resource("?type=", INVALID, QUERY),
    resource("?pageSize=0", INVALID, QUERY),
    resource("?pageToken=made-up", "bad_page_token", QUERY),
    resource("?owner=nonsense", INVALID, QUERY),
    resource("?owner=", INVALID, QUERY),
    resource("?owner=entity,", INVALID, QUERY),
    resource("?owner=entity,%20customer", INVALID, QUERY),
    resource("?owner=entity_other", INVALID, QUERY),
    resource(f"?owner={OWNER.upper()}", INVALID, QUERY),
    resource(f"?owner={OWNER}0", INVALID, QUERY),
    resource(f"?owner=entity,{OWNER[7:]}", INVALID, QUERY),
    resource(f"/{MAIN}/balances?pageSize=0", INVALID, ID_OR_QUERY),
    resource("/x/balances", INVALID, ID_OR_QUERY),
    resource("/account_AF2937B0-9846-4FE7-BFE9-CCC22D935114", INVALID, ID),
    resource(f"/{MAIN}0", INVALID, ID),
    resource(f"/{MAIN[:-1]}", INVALID, ID),
    resource(f"/{MAIN[:-1]}g", INVALID, ID),
    resource(f"/{MAIN.replace('_', '-')}", INVALID, ID),
    resource(f"/{MAIN}/balances/{'b' * 43}", INVALID, SYMBOL),
    resource("/x/balances/btc", INVALID, SYMBOL),
]
test_a_missing_or_malformed_resource_has_its_error = answered("cdp", RESOURCES)


def error(server: MockServer, reason: str) -> dict[str, Any]:
    auth = server.cdp.auth_as(f"reject-{reason}")
    answer: dict[str, Any] = requests.get(
        f"{server.cdp.base_url}/v2/accounts", auth=auth, timeout=30
    ).json()
    return answer


TEXTS = {
    # a reason, the endpoint's own text and the one on the errors page
    "expired": ("Authentication required.", "Authentication error."),
    "unknown_credential": ("Authentication required.", "Authentication error."),
    "forbidden": ("User forbidden from performing the action.", "Forbidden."),
    "rate_limited": ("Rate limit exceeded. Please try again later.", "Too many requests. Please try again later."),
    "not_found": (ACCOUNT, ACCOUNT),
    "service_unavailable": ("Service unavailable. Please try again later.",) * 2,
}  # fmt: skip


def test_an_error_may_have_the_text_of_the_errors_page(server: MockServer) -> None:
    for value, column in ("documented", 0), ("alternative", 1):
        server.set_quirks({"cdp.error_text": None if value == "documented" else value})
        messages = {reason: error(server, reason)["errorMessage"] for reason in TEXTS}
        assert messages == {reason: texts[column] for reason, texts in TEXTS.items()}


def test_a_rule_may_choose_another_text(server: MockServer) -> None:
    server.cdp.fail(reject="rate_limited", variant="alternative", requests="1")
    answers = [read(server, "/v2/accounts") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 200]
    assert answers[0].json()["errorMessage"] == "Too many requests. Please try again later."


MEMBERS = ["errorType", "errorMessage", "correlationId", "errorLink"]
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FORMS = [("four", 4, "[0-9a-f]{16}-IAD"), ("uuid", 4, UUID), ("two", 2, "")]


@each("count, correlation", FORMS)
def test_an_error_may_have_the_members_of_a_guide(
    server: MockServer, count: int, correlation: str, request: pytest.FixtureRequest
) -> None:
    server.set_quirks({"cdp.error_members": request.node.callspec.id})
    for reason in server.cdp.provider.errors:
        body = error(server, reason)
        assert list(body) == MEMBERS[:count], reason
        assert re.fullmatch(correlation, body.get("correlationId", ""))


PLAIN = {"auth_failure_body": "plain"}
UNAUTHORIZED = [
    Row("no token", plain(BALANCES), MISSING, "Unauthorized", quirks=PLAIN, status=401),
    Row("a bad token", plain(BALANCES, "a.b.c"), "bad_signature", "Unauthorized", quirks=PLAIN, status=401),
    Row("another error", good(f"{ACCOUNTS}/x"), "bad_request", {"errorType": "invalid_request"}, quirks=PLAIN, status=400),
]  # fmt: skip
test_a_failed_authentication_may_be_plain_text = answered("cdp", UNAUTHORIZED)


def test_a_correlation_id_is_of_the_seed_and_the_request() -> None:
    pairs = []
    for seed in (490, 490, 7):
        with MockServer(seed=seed) as server:
            pairs.append([read(server, "/v2/accounts/x").json()["correlationId"] for _ in range(2)])
    assert pairs[0] == pairs[1]
    assert len({id for pair in pairs for id in pair}) == 4


def test_errors_of_other_endpoints_are_known_but_no_read_has_them(server: MockServer) -> None:
    data = openapi_document("cdp")
    types = {"timed_out", "client_closed_request", "bad_gateway"}
    assert types <= set(data["components"]["schemas"]["Error"]["properties"]["errorType"]["enum"])
    statuses = {status for item in data["paths"].values() for status in item["get"]["responses"]}
    assert {"200", "404"} < statuses
    assert not statuses & {"408", "499", "502", "504"}
    table = server.cdp.provider.errors.values()
    assert not types & {row.type for row in table}


# A world with keys and accounts of either form


def account(n: int) -> str:
    return f"account_00000000-0000-4000-8000-{n:012}"


SECRET = base64.b64encode(b"\x11" * 64).decode()
ENTITY = "entity_00000000-0000-4000-8000-00000000000a"
CUSTOMER = "customer_00000000-0000-4000-8000-00000000000b"
WORLD = {
    "keys": {
        "plain": {"key_id": KEY_ID[-35:] + "1", "key_secret": SECRET, "owner": ENTITY},
        "path": {"key_id": KEY_ID + "2", "key_secret": SECRET, "owner": CUSTOMER},
    },
    "accounts": {
        account(3): {"owner": ENTITY, "type": "business"},
        account(1): {"owner": ENTITY},
        account(2): {"owner": ENTITY, "type": "prime"},
        account(4): {"owner": CUSTOMER},
    },
}


@pytest.fixture(scope="module")
def small() -> Iterator[MockServer]:
    with MockServer(worlds.from_data({"cdp": WORLD}, "small")) as server:
        yield server


@each("length, owner, accounts", [("plain", 36, ENTITY, [1, 2, 3]), ("path", 95, CUSTOMER, [4])])
def test_a_key_id_and_an_owner_of_either_form_are_known_and_accounts_of_one_age_come_by_id(
    small: MockServer, length: int, owner: str, accounts: list[int], request: pytest.FixtureRequest
) -> None:
    label = request.node.callspec.id
    assert len(small.cdp.credential(label)["key_id"]) == length
    url, auth = f"{small.cdp.base_url}/v2/accounts", small.cdp.auth_as(label)
    answer = requests.get(url, auth=auth, timeout=30)
    assert small.journal[-1].credential == label
    assert ids(answer) == [account(n) for n in accounts]
    assert {each["owner"] for each in answer.json()["accounts"]} == {owner}


def test_an_account_of_which_no_more_is_said(small: MockServer) -> None:
    url = f"{small.cdp.base_url}/v2/accounts/{account(1)}"
    assert requests.get(url, auth=small.cdp.auth_as("plain"), timeout=30).json() == {
        "accountId": account(1),
        "type": "cdp",
        "owner": ENTITY,
        "createdAt": CREATED,
        "updatedAt": CREATED,
    }


def row(**members: Any) -> dict[str, Any]:
    return {"owner": "o", "balances": [{"asset": "btc", "total": "1"} | members]}


# What there may be in a world, and so in an answer: accounts, and the message of a refusal.
SECTIONS = {
    "symbols of 1 to 42 characters": [(row(asset="b"), ""), (row(asset="b" * 42), ""), (row(asset=""), "lower case"), (row(asset="b" * 43), "1 to 42 characters")],
    "symbols in lower case": [(row(asset="BTC"), "lower case"), (row(asset="btC"), "lower case")],
    "types of assets": [(row(type="crypto"), ""), (row(type="fiat"), ""), (row(type="token"), "crypto, fiat"), (row(type=""), "crypto, fiat")],
    "types of accounts": [({"owner": "o", "type": t}, "") for t in ("prime", "business", "cdp")] + [({"owner": "o", "type": t}, "prime, business, cdp") for t in ("spot", "Prime", "")],
    "rows": [
        (row(venue="ETH"), "no venue"),
        (row(decimals=40), ""),
        (row(decimals=41), "between 0 and 40"),
        (row(decimals=-1), "between 0 and 40"),
        (row(decimals=1, total="1.00"), "more than 1 decimals"),
        (row(decimals=1, held="0.00"), "more than 1 decimals"),
        (row(held="2"), "between 0 and total"),
        (row(usd="-1"), "must not be negative"),
        (row(usd=5), "quoted string"),
        (row(asset="usd", usd="1"), "usd itself has none"),
    ],
    "owners and times": [
        ({"type": "cdp"}, "owner"),
        ({"owner": "o", "created": "yesterday"}, "yesterday"),
        ({"owner": "o", "updated": "2023-10-08T14:30:00"}, "lacks Z or an offset"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("accounts", SECTIONS.values(), ids=SECTIONS)
def test_a_world_has_these_and_no_others(accounts: list[tuple[Any, str]]) -> None:
    for data, message in accounts:
        section = {"cdp": {"accounts": {MAIN: data}}}
        if message:
            with pytest.raises(DataError, match=message):
                worlds.from_data(section, "wrong")
        else:
            worlds.from_data(section, "good")


def test_an_account_has_an_account_id() -> None:
    with pytest.raises(DataError, match="not an account id"):
        worlds.from_data({"cdp": {"accounts": {"account_1": {"owner": "o"}}}}, "wrong")


# Keys: an Ed25519 secret in base64, or a P-256 key in PEM, laid out here as RFC 5915 and 5958 say

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR = b"\x22" * 32
VERSION = bytes.fromhex("0201010420")
CURVE = bytes.fromhex("06082a8648ce3d030107")
BARE = VERSION + SCALAR + b"\xa0\x0a" + CURVE


def tlv(content: bytes, size: bytes = b"", tag: int = 0x30) -> bytes:
    """Writes DER; ``size`` stands in the place of the shortest length."""
    n = len(content)
    if not size:
        size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + n.to_bytes(2)
    return bytes([tag]) + size + content


def filled(size: int) -> bytes:
    """A key whose sequence holds ``size`` bytes."""
    return BARE + b"\0" * (size - len(BARE))


def pem(der: bytes, label: str = "PRIVATE KEY") -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


def pkcs8_of(key: Any) -> bytes:
    der: bytes = key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
    return der


def p256(scalar: int) -> bytes:
    return pkcs8_of(ec.derive_private_key(scalar, ec.SECP256R1()))


PKCS8 = pkcs8_of(P256)
PKCS8_PEM = P256.private_bytes(
    form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
).decode()
SEC1_PEM = P256.private_bytes(
    form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
).decode()
# The marker of the scalar may stand in the scalar too; what comes first is the marker.
MARKED = b"\x11" * 10 + VERSION + b"\x11" * 17

PEMS = [
    ("PKCS#8", PKCS8_PEM, SCALAR),
    ("SEC1", SEC1_PEM, SCALAR),
    ("other line ends", "\n " + PKCS8_PEM.replace("\n", "\r\n"), SCALAR),
    ("SEC1 without a public key", pem(tlv(BARE), "EC PRIVATE KEY"), SCALAR),
    ("a marker in the scalar", pem(tlv(BARE.replace(SCALAR, MARKED))), MARKED),
    ("a scalar of one", pem(p256(1)), b"\0" * 31 + b"\1"),
    ("the last scalar", pem(p256(ORDER - 1)), (ORDER - 1).to_bytes(32)),
    *((f"{n} bytes", pem(tlv(filled(n))), SCALAR) for n in (127, 128, 255, 256, 770)),
    ("three bytes of length", pem(tlv(filled(256), b"\x83\0\1\0")), SCALAR),
]


@each("text, scalar", PEMS)
def test_a_pem_of_either_form_is_read(text: str, scalar: bytes) -> None:
    assert keys.parse(text) == jwt.Key("ES256", scalar)


NO_KEY, NO_BLOCK, NEITHER = "no private key on P-256", "not a PEM of one block", "neither base64 nor a PEM"  # fmt: skip
SECRETS = [
    *((f"{n} bytes", base64.b64encode(b"s" * n).decode(), f"base64 of 64 bytes, not of {n}") for n in (0, 32, 63, 65)),
    ("no base64", "no base64", NEITHER),
    ("no ASCII", "\u00e4" * 88, NEITHER),
    ("url-safe signs", base64.urlsafe_b64encode(b"\xff" * 64).decode(), NEITHER),
    ("a line end behind it", SECRET + "\n", NEITHER),
    ("no base64 in a PEM", PKCS8_PEM.replace("M", "-", 1), NEITHER),
    ("escaped line ends", PKCS8_PEM.replace("\n", "\\n"), "use line ends"),
    ("another label", pem(PKCS8, "PUBLIC KEY"), NO_BLOCK),
    ("the end of another", PKCS8_PEM.replace("END ", "END EC "), NO_BLOCK),
    ("no end", PKCS8_PEM.partition("-----END")[0], NO_BLOCK),
    ("one line", "-----BEGIN PRIVATE KEY-----", NO_BLOCK),
    ("two blocks", SEC1_PEM + PKCS8_PEM, f"{NEITHER}|{NO_BLOCK}"),
    ("Ed25519", pem(pkcs8_of(ED25519)), NO_KEY),
    ("P-384", pem(pkcs8_of(ec.derive_private_key(490, ec.SECP384R1()))), NO_KEY),
    ("secp256k1", pem(pkcs8_of(ec.derive_private_key(7, ec.SECP256K1()))), NO_KEY),
    ("another curve", pem(PKCS8.replace(CURVE, CURVE[:-1] + b"\x08")), NO_KEY),
    ("a byte too few", pem(PKCS8[:-1]), NO_KEY),
    ("a byte too many", pem(PKCS8 + b"\0"), NO_KEY),
    ("a short one with a byte too many", pem(tlv(BARE) + b"\0"), NO_KEY),
    ("a length of its own end", pem(b"\x30\x80" + filled(128)), NO_KEY),
    ("a long one with a byte too few", pem(tlv(filled(256))[:-1]), NO_KEY),
    ("a set", pem(tlv(BARE, tag=0x31)), NO_KEY),
    ("a set as long as a sequence's tag", pem(tlv(filled(0x30 + 16), b"\x40", 0x31)), NO_KEY),
    ("no bytes", pem(b""), NO_KEY),
    ("one byte", pem(b"\x30"), NO_KEY),
    ("no scalar", pem(tlv(CURVE)), NO_KEY),
    ("a scalar of nought", pem(PKCS8.replace(SCALAR, b"\0" * 32)), NO_KEY),
    ("a scalar of the order", pem(PKCS8.replace(SCALAR, ORDER.to_bytes(32))), NO_KEY),
]  # fmt: skip


@each("secret, message", SECRETS)
def test_a_bad_secret_is_refused_when_the_world_is_loaded(secret: str, message: str) -> None:
    key = json.dumps({"key_id": "k", "key_secret": secret, "owner": "o"})
    with pytest.raises(DataError, match=message) as wrong:
        worlds.read(f"cdp:\n  keys:\n    main: {key}\n", "bad")
    assert (wrong.value.line, wrong.value.path) == (3, ("cdp", "keys", "main", "key_secret"))


def test_a_bad_secret_of_a_client_is_a_value_error() -> None:
    credential = {"key_id": "k", "key_secret": "x", "key_type": "Ed25519", "accounts": {}}
    with pytest.raises(ValueError, match=NEITHER):
        Auth("cdp", credential).headers("GET", BALANCES)


def test_of_an_ed25519_secret_the_first_half_counts() -> None:
    secret = base64.b64encode(b"\x11" * 32 + b"\x33" * 32).decode()
    assert keys.parse(secret) == jwt.Key("EdDSA", b"\x11" * 32)


SCALARS = {0: 1, ORDER - 3: ORDER - 2, ORDER - 2: ORDER - 1, ORDER - 1: 1, ORDER: 2, (1 << 256) - 1: (1 << 256) - ORDER + 1}  # fmt: skip


def test_any_32_bytes_make_a_scalar_between_nought_and_the_order() -> None:
    for entropy, scalar in SCALARS.items():
        secret = keys.es256_secret(entropy.to_bytes(32))
        assert keys.parse(secret) == jwt.Key("ES256", scalar.to_bytes(32))
    assert keys.es256_secret((int.from_bytes(SCALAR) - 1).to_bytes(32)) == PKCS8_PEM


# A UUID of version 4 (RFC 9562): the 13th digit is 4, the 17th 8 to b.
FRESH_ID = (
    "organizations/20212223-2425-4627-a829-2a2b2c2d2e2f"
    "/apiKeys/30313233-3435-4637-b839-3a3b3c3d3e3f"
)


def test_a_regenerated_key_has_a_new_id_and_a_secret_of_its_type() -> None:
    makers = {"main": keys.ed25519_secret, "es256": keys.es256_secret}
    credentials = worlds.load("default").parts["cdp"].section.keys
    entropy = bytes(range(64))
    for label, make in makers.items():
        key = credentials[label].regenerate(entropy)
        assert (key.key_id, key.key_secret) == (FRESH_ID, make(entropy[:32]))
        assert (key.key_type, key.owner) == (credentials[label].key_type, OWNER)


def test_credentials_have_what_a_client_needs(server: MockServer) -> None:
    accounts = {"main": MAIN, "many": MANY, "empty": EMPTY, "customer1": ONE, "customer2": TWO}
    assert server.cdp.credentials == {
        "key_id": f"{KEY_ID}1",
        "key_secret": base64.b64encode(b"\x11" * 32 + PUBLIC.public_bytes_raw()).decode(),
        "key_type": "Ed25519",
        "accounts": accounts,
    }
    other = {"key_id": f"{KEY_ID}2", "key_type": "ES256", "key_secret": PKCS8_PEM}
    assert other.items() <= server.cdp.credential("es256").items()
    assert server.cdp.credential("stranger")["accounts"] == {}


def test_a_world_is_loaded_without_the_library_that_signs() -> None:
    code = (
        "import sys; from mockserver.files import worlds; worlds.load('default');"
        "sys.exit(any(name.startswith('cryptography') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
