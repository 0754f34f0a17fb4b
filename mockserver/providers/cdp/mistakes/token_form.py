"""Explains a token that cannot be read, in the order in which its parts are read."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model import jwt
from mockserver.providers.cdp.auth import read_bearer
from mockserver.providers.cdp.mistakes.lookup import (
    EXPECTED_HEADER,
    FIX_SIGN_JWT,
    describe_key_value,
    json_type,
)


class FormMistake(Struct, frozen=True):
    """A value that is not a token; ``matches`` recognizes it."""

    rule: str
    received: str
    fix: str
    matches: Callable[[bytes], Any]


FORM_MISTAKES = (
    FormMistake(
        "Bearer twice",
        "Bearer twice before the token",
        "Put Bearer before the token once, in your code or in the library.",
        lambda t: t.lower().startswith(b"bearer"),
    ),
    FormMistake(
        "placeholder in place of a token",
        "the text of a missing value",
        "Await the token, and check that the variable is set and expanded.",
        re.compile(
            rb"\[object \w+\]|undefined|null|none|nil|<[^<>]*>|\$\{?\w+\}?|\{\{[^{}]*\}\}",
            re.IGNORECASE,
        ).fullmatch,
    ),
    FormMistake(
        "Python bytes in place of a string",
        "b and quotes around the token",
        "Decode the token to a string before you put it into the header.",
        re.compile(rb"b['\"]").match,
    ),
    FormMistake(
        "quotes around the token",
        "quotes",
        "Send the token without quotes.",
        lambda t: t[:1] in (b'"', b"'") or t[-1:] in (b'"', b"'"),
    ),
    FormMistake(
        "two tokens in one header",
        "a comma",
        "Send one Authorization header with one token.",
        lambda t: b"," in t,
    ),
    FormMistake(
        "whitespace inside the token",
        "whitespace",
        "Send the token without whitespace.",
        re.compile(rb"\S+\s").match,
    ),
    FormMistake(
        "token URL-encoded", "a percent sign", "Send the token unchanged.", lambda t: b"%" in t
    ),
    FormMistake(
        "token too long",
        f"more than {jwt.TOKEN_MAX} bytes",
        f"Omit claims: a token has at most {jwt.TOKEN_MAX} bytes.",
        lambda t: len(t) > jwt.TOKEN_MAX,
    ),
    FormMistake(
        "encrypted token",
        "five parts",
        "Sign the token (JWS) instead of encrypting it (JWE).",
        lambda t: t.count(b".") == 4,
    ),
    FormMistake(
        "unsigned token",
        "two parts: the signature is missing",
        "Sign the token, and send all three parts.",
        lambda t: t.count(b".") == 1,
    ),
    FormMistake("not a JWT", "not three parts", FIX_SIGN_JWT, lambda t: t.count(b".") != 2),
)

PARTS = ("header", "payload", "signature")


def explain_form(rejected: RejectedRequest) -> Explanation:
    """Explains a token that cannot be read, or has no key id."""
    token = read_bearer(rejected.request)
    key = describe_key_value(rejected, token)
    if key:
        return Explanation("key in place of a token", EXPECTED_HEADER, key, FIX_SIGN_JWT)
    for mistake in FORM_MISTAKES:
        if mistake.matches(token):
            return Explanation(mistake.rule, EXPECTED_HEADER, mistake.received, mistake.fix)
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
    expected = f"the {name} in base64url without padding"
    for rule, received, fix, matches in ENCODING_MISTAKES:
        if matches(part):
            return Explanation(rule, expected, f"{received} in the {name}", fix)
    return None


def _decode_base64url(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _has_unused_bits(part: bytes) -> bool:
    """Returns whether bits are set after the last whole byte."""
    return base64.urlsafe_b64encode(_decode_base64url(part)).rstrip(b"=") != part


# Rule, what was received, fix, and the test of the part.
ENCODING_MISTAKES: tuple[tuple[str, str, str, Callable[[bytes], Any]], ...] = (
    ("padding in the token", "=", "Strip the padding from each part.", lambda p: b"=" in p),
    (
        "standard base64 for base64url",
        "+ or /",
        "Use - in place of + and _ in place of /.",
        lambda p: re.search(rb"[+/]", p) and not re.search(rb"[^\w+/-]", p),
    ),
    (
        "characters that are not base64url",
        "a character outside the alphabet",
        "Send the token unchanged.",
        re.compile(rb"[^A-Za-z0-9_-]").search,
    ),
    (
        "part of the token cut short",
        "a length that base64url cannot have",
        "Send the whole token.",
        lambda p: len(p) % 4 == 1,
    ),
    (
        "part of the token cut or changed",
        "unused bits that are set",
        "Send the whole token, unchanged.",
        _has_unused_bits,
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
