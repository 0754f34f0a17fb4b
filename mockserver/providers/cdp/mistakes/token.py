"""Why a token could not be read, in the order in which it is read."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model import jwt
from mockserver.providers.cdp.mistakes.names import MAKE, WANTED, bearer, key_in, kind


class Form(Struct, frozen=True):
    """What may stand where a token has to be."""

    rule: str
    told: str
    fix: str
    holds: Callable[[bytes], Any]


FORMS = (
    Form(
        "Bearer twice",
        "Bearer before the token's own Bearer",
        "Write Bearer once: the library adds it, or you do.",
        lambda t: t.lower().startswith(b"bearer"),
    ),
    Form(
        "no token was made",
        "what stands for a value that is not there",
        "Wait for the token (await), and look whether the variable is set and expanded.",
        re.compile(
            rb"\[object \w+\]|undefined|null|none|nil|<[^<>]*>|\$\{?\w+\}?|\{\{[^{}]*\}\}",
            re.IGNORECASE,
        ).fullmatch,
    ),
    Form(
        "Python bytes for a text",
        "b and quotes around the token",
        "Decode the token to a text before it goes into the header.",
        re.compile(rb"b['\"]").match,
    ),
    Form(
        "quotes around the token",
        "quotes",
        "Send the token without quotes.",
        lambda t: t[:1] in (b'"', b"'") or t[-1:] in (b'"', b"'"),
    ),
    Form(
        "two tokens in one header",
        "a comma",
        "Send one Authorization header with one token.",
        lambda t: b"," in t,
    ),
    Form(
        "whitespace inside the token",
        "whitespace",
        "Send the token in one piece.",
        re.compile(rb"\S+\s").match,
    ),
    Form("token URL-encoded", "a percent sign", "Send the token as it is.", lambda t: b"%" in t),
    Form(
        "token too long",
        f"more than {jwt.TOKEN_MAX} bytes",
        f"Leave out claims: a token has at most {jwt.TOKEN_MAX} bytes.",
        lambda t: len(t) > jwt.TOKEN_MAX,
    ),
    Form(
        "encrypted token",
        "five parts",
        "Sign the token (JWS) and do not encrypt it (JWE).",
        lambda t: t.count(b".") == 4,
    ),
    Form(
        "unsigned token",
        "two parts: the signature is missing",
        "Sign the token, and send all three parts.",
        lambda t: t.count(b".") == 1,
    ),
    Form("not a JWT", "another number of parts than three", MAKE, lambda t: t.count(b".") != 2),
)

PARTS = ("header", "payload", "signature")


def unreadable(refused: RejectedRequest) -> Explanation:
    """Explains a token that cannot be read, or names no key."""
    token = bearer(refused.request)
    told = key_in(refused, token)
    if told:
        return Explanation("key in place of a token", WANTED, told, MAKE)
    for form in FORMS:
        if form.holds(token):
            return Explanation(form.rule, WANTED, form.told, form.fix)
    return _part(token.split(b"."))


def _part(parts: list[bytes]) -> Explanation:
    """Explains the first part that is wrong, in the order in which they are read."""
    for name, part in zip(PARTS, parts, strict=True):
        told = _base64url(name, part)
        if told is None and name != "signature":
            told = _object(name, part)
        if told is not None:
            return told
    return _no_kid(json.loads(_decoded(parts[0])))


def _base64url(name: str, part: bytes) -> Explanation | None:
    expected = f"the {name} in base64url without padding"
    for rule, told, fix, wrong in ALPHABET:
        if wrong(part):
            return Explanation(rule, expected, f"{told} in the {name}", fix)
    return None


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _turned(part: bytes) -> bool:
    return base64.urlsafe_b64encode(_decoded(part)).rstrip(b"=") != part


ALPHABET: tuple[tuple[str, str, str, Callable[[bytes], Any]], ...] = (
    ("padding in the token", "=", "Strip the padding from each part.", lambda p: b"=" in p),
    (
        "standard base64 for base64url",
        "+ or /",
        "Write - for + and _ for /.",
        lambda p: re.search(rb"[+/]", p) and not re.search(rb"[^\w+/-]", p),
    ),
    (
        "characters that are not base64url",
        "a sign that does not belong there",
        "Send the token as the library made it.",
        re.compile(rb"[^A-Za-z0-9_-]").search,
    ),
    (
        "part of the token cut short",
        "a number of signs that base64url cannot have",
        "Send the whole token.",
        lambda p: len(p) % 4 == 1,
    ),
    (
        "part of the token cut or changed",
        "bits behind the last byte",
        "Send the whole token, as the library made it.",
        _turned,
    ),
)


def _object(name: str, part: bytes) -> Explanation | None:
    expected = f"a JSON object in UTF-8 as {name}, each member given once"
    rule, told, fix = f"{name} is no object", "", "Sign an object, written as JSON once."
    try:
        found = jwt.decode(_decoded(part))
    except UnicodeDecodeError:
        rule, told = f"{name} is not UTF-8", "bytes that are none of UTF-8"
    except json.JSONDecodeError as error:
        rule, told = f"{name} is no JSON", f"{error.msg}, at character {error.pos}"
    except ValueError as error:
        rule, told = f"{name} cannot be read", str(error)
    else:
        if isinstance(found, dict):
            return _extension(found) if name == "header" else None
        told = kind(found)
    return Explanation(rule, expected, told, fix)


def _extension(header: dict[str, Any]) -> Explanation | None:
    found = [name for name in ("crit", "b64") if name in header]
    if not found:
        return None
    rule = f"{found[0]} in the header"
    fix = f"Leave {found[0]} out: it asks for an extension."
    return Explanation(rule, "alg, kid, and perhaps typ and nonce", found[0], fix)


def _no_kid(header: dict[str, Any]) -> Explanation:
    fix = "Put the key's id into the token's header as kid."
    if "kid" in header:
        return Explanation("kid is no text", "a key id", kind(header["kid"]), fix)
    return Explanation("kid missing", "a key id as kid in the token's header", "no kid", fix)
