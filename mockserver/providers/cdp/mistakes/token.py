"""Explains a missing token, one that cannot be read, and a ``kid`` that is no known key id."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.explain import (
    Explanation,
    RejectedRequest,
    first_explanation,
    printable,
    sent_values,
)
from mockserver.explain.plain_keys import NETRC, explain_altered_key
from mockserver.model import jwt
from mockserver.model.redaction import is_secret_name
from mockserver.model.rule_table import KeyRules, Rule
from mockserver.providers.cdp.auth import read_bearer
from mockserver.providers.cdp.mistakes import lookup

EXPECTED = "Authorization: Bearer, a space and a JWT"
FIX_SIGN = "Sign a JWT with the secret for each request; send neither key id nor secret."
FIX_BEARER = "Put Bearer and one space before the token, and nothing else."
FIX_VARIABLE = "Check that the variable that holds the token is set."

KEY_SENT = Rule("key in place of a token", lambda t: t.key, FIX_SIGN, "{match}")

# The Authorization header: ``value`` is all of it, ``bearer`` stands where the token belongs, and
# ``token`` is one anywhere in it

NOT_BEARER = (
    KEY_SENT,
    Rule("Bearer missing", lambda t: t.token and t.value == t.token, FIX_BEARER),
    Rule("quotes around the header", lambda t: t.token and t.value[:1] in b"\"'", FIX_BEARER),
    Rule("no space after Bearer", lambda t: t.token and t.scheme[:6] == b"bearer", FIX_BEARER),
    Rule("scheme is not Bearer", lambda t: t.token, FIX_BEARER),
    Rule("empty token", lambda t: t.scheme == b"bearer", FIX_VARIABLE, "Bearer without a token"),
    Rule("scheme is not Bearer", lambda t: t.scheme == b"basic", FIX_SIGN + NETRC),
    Rule("scheme is not Bearer", lambda t: True, FIX_SIGN, "{shape}", EXPECTED),
)

PLACEHOLDER = re.compile(
    rb"\[object \w+\]|undefined|null|none|nil|<[^<>]*>|\$\{?\w+\}?|\{\{[^{}]*\}\}", re.IGNORECASE
)
BYTES = re.compile(rb"b['\"]")

FIX_ONCE = "Send Bearer once, and one token, unchanged."
FIX_BYTES = "Decode the token to a string."
FIX_AWAIT = "Await it, and check that the variable is set."
FIX_SHORTER = f"Omit claims: a token has at most {jwt.TOKEN_MAX} bytes."

NOT_A_TOKEN = (
    KEY_SENT,
    Rule("Bearer twice", lambda t: t.bearer.lower().startswith(b"bearer"), FIX_ONCE),
    Rule("placeholder in place of a token", lambda t: PLACEHOLDER.fullmatch(t.bearer), FIX_AWAIT),
    Rule("Python bytes in place of a string", lambda t: BYTES.match(t.bearer), FIX_BYTES),
    Rule("quotes around the token", lambda t: lookup.is_readable(t.bearer.strip(b"\"'")), FIX_ONCE),
    Rule("two tokens in one header", lambda t: b"," in t.bearer and t.dots > 2, FIX_ONCE),
    Rule("whitespace inside the token", lambda t: len(t.bearer.split()) > 1, FIX_ONCE),
    Rule("token URL-encoded", lambda t: lookup.is_readable(unquote_to_bytes(t.bearer)), FIX_ONCE),
    Rule("token too long", lambda t: len(t.bearer) > jwt.TOKEN_MAX, FIX_SHORTER),
    Rule("encrypted token", lambda t: t.dots == 4, "Sign it (JWS) instead of encrypting it (JWE)."),
    Rule("unsigned token", lambda t: lookup.is_readable(t.bearer + b"."), "Send all three parts."),
    Rule("not a JWT", lambda t: t.dots != 2, FIX_SIGN, "{shape}", EXPECTED),
)


def _authorization(rejected: RejectedRequest) -> dict[str, Any]:
    value = rejected.request.header(b"authorization").strip()
    scheme, _, rest = value.partition(b" ")
    bearer = read_bearer(rejected.request)
    return {
        "value": value,
        "scheme": scheme.lower(),
        "bearer": bearer,
        "dots": bearer.count(b"."),
        "token": _token_in(value),
        "key": lookup.describe_key(rejected, value) or lookup.describe_key(rejected, rest),
        "shape": f"a value of {len(value)} bytes with {value.count(b'.')} dots",
    }


def _token_in(value: bytes) -> bytes:
    """Returns the token within a value, or nothing."""
    parts = re.split(rb"[^\w.-]+", value[: jwt.TOKEN_MAX])
    return next((part for part in parts if part.count(b".") == 2 and lookup.is_readable(part)), b"")


# A token elsewhere, or none

FIX_HEADER = "Send it in the Authorization header."
FIX_FIRST = "Send the header once: only the first is read."

MISPLACED = (
    Rule("two Authorization headers", lambda t: t.name == "authorization", FIX_FIRST),
    Rule("wallet token alone", lambda t: t.name == "x-wallet-auth"),
    Rule("token in another header", lambda t: t.where == "header"),
    Rule("token in the query", lambda t: t.where == "parameter"),
    Rule("token in the body", lambda t: True, FIX_HEADER, "a token in {place}", EXPECTED),
)

FIX_LEGACY = "CB-ACCESS-* is of another Coinbase API: this one takes a JWT of a CDP key."

NO_TOKEN = (
    Rule("legacy headers", lambda t: t.legacy, FIX_LEGACY, "the headers {match}"),
    KEY_SENT,
    Rule("empty Authorization header", lambda t: b"authorization" in t.names, FIX_VARIABLE),
    Rule("no Authorization header", lambda t: not t.others, FIX_SIGN, "no value in it", EXPECTED),
)


def explain_missing(rejected: RejectedRequest) -> Explanation | None:
    """Explains a request without a token, or returns None if it may have another credential."""
    request = rejected.request
    if request.header(b"authorization").strip():
        return first_explanation(NOT_BEARER, **_authorization(rejected))
    sent = [*sent_values(request)]
    for value in sent:
        if _token_in(value.value):
            where = {"where": value.where, "name": value.name, "place": value.place}
            return first_explanation(MISPLACED, **where)
    keys = ((lookup.describe_key(rejected, value.value), value.place) for value in sent)
    names = [name for name, _ in request.headers]
    legacy = [printable(name).upper() for name in names if name.startswith(b"cb-access-")]
    return first_explanation(
        NO_TOKEN,
        names=names,
        legacy=", ".join(legacy),
        key=next((f"{key} in {place}" for key, place in keys if key), ""),
        others=request.query or any(is_secret_name(name) or b"key" in name for name in names),
    )


# A part that cannot be read

PADDED = re.compile(rb"[^=]+={1,2}")
# Base64 of the other alphabet: one such character may be a typo.
STANDARD = re.compile(rb"\w*[+/]\w*[+/][\w+/]*")
FIX_STANDARD = "Use - for + and _ for /."
FIX_WHOLE = "Send the whole token, unchanged."
FIX_OBJECT = "Sign JSON objects, each serialized once."
ENCODED = "the {part} in base64url without padding"
VALID_PART = "a JSON object in UTF-8 as {part}, without repeated members"

BAD_ENCODING = (
    Rule("padding in the token", lambda t: PADDED.fullmatch(t.text), "Strip the padding."),
    Rule("standard base64 for base64url", lambda t: STANDARD.fullmatch(t.text), FIX_STANDARD),
    Rule("characters that are not base64url", lambda t: re.search(rb"[^\w-]", t.text)),
    Rule("part of the token cut short", lambda t: len(t.text) % 4 == 1),
    Rule("part of the token cut or changed", lambda t: True, FIX_WHOLE, "{detail}", ENCODED),
)
BAD_CONTENT = (
    Rule("{detail} in the header", lambda t: t.problem == jwt.EXTENDED, "Omit {detail}."),
    Rule("{part} {problem}", lambda t: True, FIX_OBJECT, "{detail}", VALID_PART),
)

NO_KID = (
    Rule("kid is not a string", lambda t: "kid" in t.header, received="{type}"),
    Rule("kid missing", lambda t: True, "Set kid to the key id.", "no kid", "a key id as kid"),
)


def explain_form(rejected: RejectedRequest) -> Explanation | None:
    """Explains a token that cannot be read, or has no key id."""
    bearer = read_bearer(rejected.request)
    if lookup.is_readable(bearer):
        header = jwt.read(bearer).header
        return first_explanation(NO_KID, header=header, type=lookup.json_type(header.get("kid")))
    form = first_explanation(NOT_A_TOKEN, **_authorization(rejected))
    if form is not None:
        return form
    part, text, problem, detail = jwt.first_problem(bearer)
    table = BAD_ENCODING if problem == jwt.NOT_BASE64URL else BAD_CONTENT
    return first_explanation(table, part=part, text=text, problem=problem, detail=detail)


# A kid that is not the id of a key

KEY_ID_RULES = KeyRules(places=(), key="key_id", secret="key_secret", name="key id")  # noqa: S106
FIX_KID = "Set kid to the whole key id."
FIX_KEY = "Use a key of this sandbox's world."

UNKNOWN_KID = (
    Rule("only the last part of the key id", lambda t: t.last_part, FIX_KID),
    Rule("account in place of the key id", lambda t: t.kid in t.accounts, FIX_KID),
    Rule("owner in place of the key id", lambda t: t.kid in t.owners, FIX_KID),
    Rule("unknown key id", lambda t: True, FIX_KEY, "{shown}", "the id of a key: {labels}"),
)


def explain_unknown_key(rejected: RejectedRequest) -> Explanation | None:
    """Explains an unknown key id."""
    kid, keys = lookup.read_token(rejected).header["kid"], rejected.keys
    presented = kid.encode("utf-8", "surrogatepass")
    return explain_altered_key(rejected, KEY_ID_RULES, presented) or first_explanation(
        UNKNOWN_KID,
        kid=kid,
        shown=lookup.describe_value(rejected, kid),
        labels=lookup.listed(key.label for key in keys),
        last_part=any(key.key_id.endswith(f"/{kid}") for key in keys),
        accounts={id for key in keys for id in key.accounts.values()},
        owners={key.owner for key in keys},
    )
