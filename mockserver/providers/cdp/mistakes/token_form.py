"""Explains a token that cannot be read, in the order in which its parts are read."""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model import jwt
from mockserver.model.rule_table import Rule, first_rule
from mockserver.providers.cdp.auth import read_bearer
from mockserver.providers.cdp.mistakes.lookup import (
    EXPECTED_HEADER,
    FIX_SIGN_JWT,
    describe_key_value,
    json_type,
)


def _is_readable(token: bytes) -> bool:
    try:
        jwt.read(token)
    except ValueError:
        return False
    return True


def _has_json(parts: list[bytes]) -> bool:
    """Returns whether each part is JSON in base64url."""
    try:
        return all(isinstance(jwt.decode(_decode_base64url(part)), dict) for part in parts)
    except ValueError:
        return False


FIX_UNCHANGED = "Send the token unchanged."
PLACEHOLDER = re.compile(
    rb"\[object \w+\]|undefined|null|none|nil|<[^<>]*>|\$\{?\w+\}?|\{\{[^{}]*\}\}", re.IGNORECASE
)

FORM_MISTAKES = (
    Rule(
        "Bearer twice",
        lambda t: t.lower().startswith(b"bearer"),
        "Put Bearer before the token once, in your code or in the library.",
        "Bearer twice before the token",
    ),
    Rule(
        "placeholder in place of a token",
        PLACEHOLDER.fullmatch,
        "Await the token, and check that the variable is set and expanded.",
        "the text of a missing value",
    ),
    Rule(
        "Python bytes in place of a string",
        re.compile(rb"b['\"]").match,
        "Decode the token to a string before you put it into the header.",
        "b and quotes around the token",
    ),
    Rule(
        "quotes around the token",
        lambda t: t != t.strip(b"\"'") and _is_readable(t.strip(b"\"'")),
        "Send the token without quotes.",
        "quotes",
    ),
    Rule(
        "two tokens in one header",
        lambda t: t.count(b",") and t.count(b".") > 2,
        "Send one Authorization header with one token.",
        "a comma",
    ),
    Rule(
        "whitespace inside the token",
        re.compile(rb"\S+\s").match,
        "Send the token without whitespace.",
        "whitespace",
    ),
    Rule(
        "token URL-encoded",
        lambda t: b"%" in t and _is_readable(unquote_to_bytes(t)),
        FIX_UNCHANGED,
        "a percent sign",
    ),
    Rule(
        "token too long",
        lambda t: len(t) > jwt.TOKEN_MAX,
        f"Omit claims: a token has at most {jwt.TOKEN_MAX} bytes.",
        f"more than {jwt.TOKEN_MAX} bytes",
    ),
    Rule(
        "encrypted token",
        lambda t: t.count(b".") == 4,
        "Sign the token (JWS) instead of encrypting it (JWE).",
        "five parts",
    ),
    Rule(
        "unsigned token",
        lambda t: t.count(b".") == 1 and _has_json(t.split(b".")),
        "Sign the token, and send all three parts.",
        "two parts: the signature is missing",
    ),
    Rule("not a JWT", lambda t: t.count(b".") != 2, FIX_SIGN_JWT, "not three parts"),
)

PARTS = ("header", "payload", "signature")


def explain_form(rejected: RejectedRequest) -> Explanation:
    """Explains a token that cannot be read, or has no key id."""
    token = read_bearer(rejected.request)
    key = describe_key_value(rejected, token)
    if key:
        return Explanation("key in place of a token", EXPECTED_HEADER, key, FIX_SIGN_JWT)
    mistake = first_rule(FORM_MISTAKES, token)
    if mistake is not None:
        return Explanation(mistake.name, EXPECTED_HEADER, mistake.received, mistake.fix)
    return _explain_parts(token.split(b"."))


def _explain_parts(parts: list[bytes]) -> Explanation:
    """Explains the first bad part, or a missing key id."""
    for name, part in zip(PARTS, parts, strict=True):
        explanation = _explain_encoding(name, part)
        if explanation is None and name != "signature":
            explanation = _explain_json(name, part)
        if explanation is not None:
            return explanation
    return _explain_missing_kid(json.loads(_decode_base64url(parts[0])))


def _explain_encoding(name: str, part: bytes) -> Explanation | None:
    rule = first_rule(ENCODING_MISTAKES, part)
    if rule is None:
        return None
    expected = f"the {name} in base64url without padding"
    return Explanation(rule.name, expected, f"{rule.received} in the {name}", rule.fix)


def _decode_base64url(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _has_unused_bits(part: bytes) -> bool:
    """Returns whether bits are set after the last whole byte."""
    return base64.urlsafe_b64encode(_decode_base64url(part)).rstrip(b"=") != part


def _is_standard(part: bytes) -> bool:
    """Returns whether a part is base64 of the other alphabet: JSON, or with several such signs."""
    signs = re.findall(rb"[+/]", part)
    if not signs or re.search(rb"[^\w+/]", part):
        return False
    return len(signs) > 1 or _has_json([part.translate(bytes.maketrans(b"+/", b"-_"))])


ENCODING_MISTAKES = (
    Rule(
        "padding in the token",
        re.compile(rb"[^=]+={1,2}").fullmatch,
        "Strip the padding from each part.",
        "=",
    ),
    Rule(
        "standard base64 for base64url",
        _is_standard,
        "Use - in place of + and _ in place of /.",
        "+ or /",
    ),
    Rule(
        "characters that are not base64url",
        re.compile(rb"[^A-Za-z0-9_-]").search,
        FIX_UNCHANGED,
        "a character outside the alphabet",
    ),
    Rule(
        "part of the token cut short",
        lambda p: len(p) % 4 == 1,
        "Send the whole token.",
        "a length that base64url cannot have",
    ),
    Rule(
        "part of the token cut or changed",
        _has_unused_bits,
        "Send the whole token, unchanged.",
        "unused bits that are set",
    ),
)


def _explain_json(name: str, part: bytes) -> Explanation | None:
    """Explains a part that is not a JSON object, or a header with an extension."""
    expected = f"a JSON object in UTF-8 as {name}, without repeated members"
    rule, received = f"{name} is not an object", ""
    try:
        content = jwt.decode(_decode_base64url(part))
    except UnicodeDecodeError:
        rule, received = f"{name} is not UTF-8", "bytes that are not UTF-8"
    except json.JSONDecodeError as error:
        rule, received = f"{name} is not JSON", f"{error.msg}, at character {error.pos}"
    except ValueError as error:
        rule, received = f"{name} cannot be read", str(error)
    else:
        if isinstance(content, dict):
            return _explain_extension(content) if name == "header" else None
        received = json_type(content)
    return Explanation(rule, expected, received, "Sign an object, serialized as JSON once.")


def _explain_extension(header: dict[str, Any]) -> Explanation | None:
    extension = next((name for name in ("crit", "b64") if name in header), None)
    if extension is None:
        return None
    rule = f"{extension} in the header"
    fix = f"Omit {extension}: extensions are not supported."
    return Explanation(rule, "alg, kid, and optionally typ and nonce", extension, fix)


def _explain_missing_kid(header: dict[str, Any]) -> Explanation:
    fix = "Set kid in the token's header to the key id."
    if "kid" in header:
        return Explanation("kid is not a string", "a key id", json_type(header["kid"]), fix)
    return Explanation("kid missing", "a key id as kid in the token's header", "no kid", fix)
