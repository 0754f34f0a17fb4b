"""A signing scheme that no provider has: declared once, it signs, verifies and explains mistakes."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from mockserver.explain import RejectedRequest
from mockserver.explain.signature import explain_signature
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.reject import Reject
from mockserver.model.signing_recipe import Hashed, SigningRecipe, signer, verifier
from mockserver.model.world import Credential


class Key(Credential, frozen=True, kw_only=True):
    api_key: str
    api_secret: str


RECIPE = SigningRecipe(
    key="api_key",
    secret="api_secret",
    encoding="base64",
    key_at=KeyPlacement("header", "API-Key"),
    timestamp_at=KeyPlacement("header", "API-Nonce"),
    signature_at=KeyPlacement("header", "API-Sign"),
    unit=10**6,
    parts=("path", Hashed(("timestamp", "body"), written="raw")),
    algorithm="sha512",
)
sign, verify = signer(RECIPE), verifier(RECIPE)

# No line below declares anything of the scheme.

SECRET, OTHER = (hashlib.sha512(name).digest() for name in (b"main", b"other"))
MAIN = Key(label="main", api_key="main-api-key", api_secret=base64.b64encode(SECRET).decode())
KEYS = [
    MAIN,
    replace(MAIN, label="other", api_key="o", api_secret=base64.b64encode(OTHER).decode()),
]
NOW = 1_747_444_800 * 10**9
BODY = b'{"pair": "XBT", "volume": 1}'
PATH, HOST = b"/0/private/AddOrder", b"api.example"


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def sha512(secret: bytes, message: bytes) -> str:
    return hmac.digest(secret, message, "sha512").hex()


def received(draft: UnsignedRequest) -> Request:
    headers = [(b"host", HOST), *((name.lower(), value) for name, value in draft.headers)]
    return Request(draft.method, draft.path, draft.query, headers, draft.body, "", draft.path)


DRAFT = UnsignedRequest("POST", "", PATH, b"", (), BODY)
RIGHT = received(sign(DRAFT, MAIN, NOW))
NONCE, SIGNATURE = RIGHT.header(b"api-nonce"), RIGHT.header(b"api-sign")


def test_it_signs_as_written_by_hand() -> None:
    assert RIGHT.header(b"api-key") == b"main-api-key"
    assert int(NONCE) == NOW // 10**6
    assert SIGNATURE.decode() == sha512(SECRET, PATH + sha256(NONCE + BODY))


def test_it_verifies_what_was_signed_and_nothing_else() -> None:
    assert verify(RIGHT, MAIN, NONCE, SIGNATURE) == ""
    dialled = replace(RIGHT, path=b"/AddOrder", raw_target_path=PATH)
    assert verify(dialled, MAIN, NONCE, SIGNATURE) == "signed the path exactly as requested"
    for wrong in (replace(RIGHT, body=b"{}"), replace(RIGHT, path=b"/", raw_target_path=b"/")):
        with pytest.raises(Reject, match="bad_signature"):
            verify(wrong, MAIN, NONCE, SIGNATURE)
    with pytest.raises(Reject, match="bad_signature"):
        verify(RIGHT, MAIN, NONCE + b"0", SIGNATURE)


def explained(signature: str, request: Request = RIGHT, recipe: SigningRecipe = RECIPE) -> Any:
    keyring: Any = SimpleNamespace(
        labels={key.label: key for key in KEYS}, find=lambda presented: MAIN
    )
    others = [(name, value) for name, value in request.headers if name != b"api-sign"]
    wrong = replace(request, headers=[*others, (b"api-sign", signature.encode())])
    rejected = RejectedRequest(wrong, "bad_signature", {}, keyring, {}, NOW)
    return explain_signature(rejected, recipe)


def of(message: bytes, secret: bytes = SECRET) -> Callable[[], str]:
    return lambda: sha512(secret, message)


INNER = sha256(NONCE + BODY)
GOOD = of(PATH + INNER)
MISTAKES = [
    ("base64 for hex", lambda: base64.b64encode(bytes.fromhex(GOOD())).decode()),
    ("upper-case hex", lambda: GOOD().upper()),
    ("fields in another order", of(INNER + PATH)),
    ("fields in another order", of(PATH + sha256(BODY + NONCE))),
    ("hash in another encoding", of(PATH + INNER.hex().encode())),
    ("hashed by another algorithm", of(PATH + hashlib.sha512(NONCE + BODY).digest())),
    ("parts not hashed", of(PATH + NONCE + BODY)),
    ("another separator between fields", of(PATH + b"\n" + INNER)),
    ("URL in the path", of(b"https://" + HOST + PATH + INNER)),
    ("host in the path", of(HOST + PATH + INNER)),
    ("base path not signed", of(PATH.removeprefix(b"/0") + INNER)),
    ("slash after the path", of(PATH + b"/" + INNER)),
    ("path not signed", of(INNER)),
    ("API-Nonce not signed", of(PATH + sha256(BODY))),
    ("body not signed", of(PATH + sha256(NONCE))),
    ("another API-Nonce signed", of(PATH + sha256(b"%d" % (int(NONCE) + 1) + BODY))),
    ("quotes or whitespace around the API-Nonce", of(PATH + sha256(b'"' + NONCE + b'"' + BODY))),
    ("quotes or whitespace around the API-Nonce", of(PATH + sha256(NONCE + b" " + BODY))),
    ("compact JSON hashed", of(PATH + sha256(NONCE + b'{"pair":"XBT","volume":1}'))),
    ("secret not decoded from base64", of(PATH + INNER, MAIN.api_secret.encode())),
    ("another key's secret", of(PATH + INNER, OTHER)),
    ("api key for the secret", of(PATH + INNER, b"main-api-key")),
    ("api key signed", of(b"main-api-key" + PATH + INNER)),
    ("newline after the string", of(PATH + INNER + b"\n")),
    ("HMAC-SHA256 for HMAC-SHA512", lambda: hmac.new(SECRET, PATH + INNER, "sha256").hexdigest()),
    ("plain hash, secret first", lambda: hashlib.sha512(SECRET + PATH + INNER).hexdigest()),
    ("signature cut short", lambda: GOOD()[:64]),
    ("fields in another order + upper-case hex", lambda: of(INNER + PATH)().upper()),
    ("bad signature", of(PATH + b"nothing known")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "signature"), MISTAKES, ids=[f"{n}: {row[0]}" for n, row in enumerate(MISTAKES)])  # fmt: skip
def test_mistakes_are_named_without_another_line(rule: str, signature: Callable[[], str]) -> None:
    explanation = explained(signature())
    assert sorted(explanation.rule.split(" + ")) == sorted(rule.split(" + "))
    assert explanation.fix
    texts = f"{explanation.expected} {explanation.received}"
    assert MAIN.api_secret not in texts
    assert SECRET.hex() not in texts
    if rule != "bad signature":
        assert explanation.expected != explanation.received


HASHED = "Sign the raw SHA-256 of API-Nonce and body"
FIXES = [
    (of(INNER + PATH), "Sign path and the raw SHA-256 of API-Nonce and body: both, in this order."),
    (of(PATH + hashlib.sha512(NONCE + BODY).digest()), f"{HASHED}."),
    (of(PATH + INNER.hex().encode()), f"{HASHED}."),
    (of(PATH + NONCE + BODY), f"{HASHED}, not these themselves."),
]


@pytest.mark.parametrize(("signature", "fix"), FIXES, ids=range(len(FIXES)))
def test_fixes_say_what_this_scheme_wants(signature: Callable[[], str], fix: str) -> None:
    assert explained(signature()).fix == fix


def test_parts_without_a_body_are_hashed_too() -> None:
    bare = replace(RIGHT, body=b"")
    assert explained(of(PATH + NONCE)(), bare).rule == "parts not hashed"
    alone = replace(RECIPE, parts=("path", "timestamp", Hashed(("body",))))
    assert explained(of(PATH + NONCE)(), bare, alone).rule == "no hash for an empty body"


def test_raw_digests_are_shown_in_hex() -> None:
    explanation = explained(of(PATH + sha256(BODY + NONCE))())
    shown = (f"{explanation.expected} {explanation.received}").replace(">>", "").replace("<<", "")
    for digest in (INNER, sha256(BODY + NONCE)):
        assert f"{PATH.decode()}<32 raw bytes: {digest.hex()}>" in shown


# A signature in base64

IN_BASE64 = replace(RECIPE, written="base64")
DIGEST = bytes.fromhex(GOOD())
TEXT = base64.b64encode(DIGEST).decode()
URLSAFE = TEXT.replace("+", "-").replace("/", "_")
BASE64_MISTAKES = [
    ("hex for base64", DIGEST.hex(), "Write the digest in base64, not in hex."),
    ("base64 of the hex", base64.b64encode(DIGEST.hex().encode()).decode(), "Write the digest's bytes in base64, not their hex."),
    ("base64url in place of base64", URLSAFE, "Use the alphabet with + and /, not - and _."),
    ("base64 without padding", TEXT.rstrip("="), "Keep the = at the end of the base64."),
    ("base64url in place of base64 + base64 without padding", URLSAFE.rstrip("="), ""),
    ("base64 written otherwise", TEXT[:-1], ""),
    ("base64 written otherwise", TEXT + "=", ""),
    ("base64 written otherwise", TEXT.replace("+", " "), ""),
    ("signature cut short", TEXT[:60], "Send the whole signature: 88 characters of base64."),
    ("signature cut short", TEXT[:64], ""),
    ("more than the signature", TEXT + "xyz", "Send the signature alone: 88 characters of base64."),
    ("signature URL-encoded", quote(TEXT, safe=""), ""),
    ("fields in another order", base64.b64encode(bytes.fromhex(of(INNER + PATH)())).decode(), ""),
    ("bad signature", TEXT.lower(), ""),
    ("bad signature", TEXT[:9], ""),
    ("bad signature", "A" * 60, ""),
    ("bad signature", base64.urlsafe_b64encode(b"\xff" * 64).decode(), ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "sent", "fix"), BASE64_MISTAKES, ids=[f"{n}: {row[0]}" for n, row in enumerate(BASE64_MISTAKES)])  # fmt: skip
def test_a_signature_in_base64_has_mistakes_of_its_own(rule: str, sent: str, fix: str) -> None:
    explanation = explained(sent, recipe=IN_BASE64)
    assert (explanation.rule, explanation.fix) == (rule, fix or explanation.fix)
    assert explanation.expected != explanation.received


def test_a_signature_in_base64_is_sent_so() -> None:
    assert {"+", "="} <= set(TEXT)  # else the rows above have no mistake in them
    draft = signer(IN_BASE64)(DRAFT, MAIN, NOW)
    assert dict(draft.headers)[b"API-Sign"] == TEXT.encode()


# A target: the path with its query

ON_TARGET = replace(RECIPE, joiner=b"\n", parts=("timestamp", "target", "body"))
ASKED = replace(DRAFT, query=b"b=2&a=1")
TARGETS = [
    ("", b"/0/private/AddOrder?b=2&a=1", ""),
    ("query not signed", PATH, "with the ? before it"),
    ("no ? before the query", PATH + b"b=2&a=1", "with the ? before it"),
    ("query sorted", PATH + b"?a=1&b=2", "in its order"),
    ("host in the path", HOST + PATH + b"?b=2&a=1", "Sign the path with its ?query, as it is on the request line: no host, nothing"),
    ("URL in the path", b"https://" + HOST + PATH + b"?b=2&a=1", "with its ?query"),
    ("slash after the path", PATH + b"/?b=2&a=1", ""),
    ("path not signed", b"b=2&a=1", "Sign API-Nonce, path with its ?query and body: all three, in this order."),
]  # fmt: skip


@pytest.mark.parametrize("recipe", [ON_TARGET, replace(RECIPE, parts=(Hashed(ON_TARGET.parts),))])
@pytest.mark.parametrize(("rule", "target", "fix"), TARGETS, ids=[row[0] for row in TARGETS])
def test_a_target_is_signed_verified_and_explained(
    recipe: SigningRecipe, rule: str, target: bytes, fix: str
) -> None:
    request = received(signer(recipe)(ASKED, MAIN, NOW))
    fields, right = (NONCE, target, BODY), request.header(b"api-sign")
    message = b"\n".join(fields) if recipe.joiner else sha256(b"".join(fields)).hex().encode()
    if rule:
        explanation = explained(sha512(SECRET, message), request, recipe)
        assert explanation.rule == rule
        assert recipe is not ON_TARGET or fix in explanation.fix
    else:
        assert right.decode() == sha512(SECRET, message)
        assert verifier(recipe)(request, MAIN, NONCE, right) == ""


def test_a_target_without_a_query_is_the_path() -> None:
    signed = received(signer(ON_TARGET)(DRAFT, MAIN, NOW)).header(b"api-sign").decode()
    assert signed == sha512(SECRET, b"\n".join((NONCE, PATH, BODY)))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"placement": "last"}, "parts are signed by an HMAC"),
        ({"parts": ()}, "parts are signed by an HMAC"),
        (
            {"parts": ("path", Hashed(("nonce",)))},
            "a recipe has no part 'nonce': there are timestamp",
        ),
    ],
)
def test_a_scheme_that_nothing_can_build_is_no_recipe(
    members: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **members)


def test_a_query_in_the_path_is_named() -> None:
    asked = replace(RIGHT, query=b"a=1")
    assert explained(of(PATH + b"?a=1" + INNER)(), asked).rule == "query in the path"
