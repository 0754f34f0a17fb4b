"""Explains a missing token: it is in the wrong place, or another value is in its place."""

import re

from mockserver.explain import Explanation, RejectedRequest, SentValue, printable, sent_values
from mockserver.explain.plain_keys import NETRC
from mockserver.model import jwt
from mockserver.model.http import Request
from mockserver.model.redaction import is_secret_name
from mockserver.providers.cdp.mistakes.lookup import (
    EXPECTED_HEADER,
    FIX_SIGN_JWT,
    describe_key_value,
)

# Schemes that this API does not use.
OTHER_SCHEMES = (b"basic", b"digest", b"token", b"jwt", b"key", b"apikey", b"hmac")
LEGACY_PREFIX = b"CB-ACCESS-"
NAMED_MAX = 12  # headers that are named
WALLET_HEADER = "x-wallet-auth"

FIX_HEADER = "Send it in the Authorization header."
FIX_VARIABLE = "Check that the variable that holds the token is set."

RULES = {  # by SentValue.where
    "header": "token in another header",
    "parameter": "token in the query",
    "member": "token in the body",
}


def explain_missing_token(rejected: RejectedRequest) -> Explanation | None:
    """Explains a request without a token, or returns None for one without any credential."""
    authorization = rejected.request.header(b"authorization").strip()
    if authorization:
        return _explain_authorization(rejected, authorization)
    for value in sent_values(rejected.request):
        if _find_token(value.value):
            return _explain_location(value)
    return (
        _explain_legacy_headers(rejected.request)
        or _explain_sent_key(rejected)
        or _explain_no_value(rejected.request)
    )


def _find_token(value: bytes) -> bytes:
    """Returns the token within a value, or an empty one."""
    for part in re.split(rb"[^\w.-]+", value[: jwt.TOKEN_MAX]):
        if part.count(b".") == 2 and _is_readable(part):
            return part
    return b""


def _is_readable(token: bytes) -> bool:
    try:
        jwt.read(token)
    except ValueError:
        return False
    return True


def _explain_location(value: SentValue) -> Explanation:
    rule, fix = RULES[value.where], FIX_HEADER
    if value.name == "authorization":
        rule, fix = "two Authorization headers", "Send the header once: only the first is read."
    elif value.name == WALLET_HEADER:
        rule, fix = "wallet token alone", "Send X-Wallet-Auth only in addition to Authorization."
    return Explanation(rule, EXPECTED_HEADER, f"a token in {value.place}", fix)


def _explain_legacy_headers(request: Request) -> Explanation | None:
    names = [name for name, _ in request.headers if name.upper().startswith(LEGACY_PREFIX)]
    if not names:
        return None
    legacy = ", ".join(printable(name).upper() for name in names[:NAMED_MAX])
    received = f"the headers {legacy}"
    fix = "CB-ACCESS-* headers are for another Coinbase API: this one takes a JWT of a CDP key."
    return Explanation("legacy headers", EXPECTED_HEADER, received, fix)


def _explain_sent_key(rejected: RejectedRequest) -> Explanation | None:
    for value in sent_values(rejected.request):
        key = describe_key_value(rejected, value.value)
        if key:
            return _key_in_place_of_token(f"{key} in {value.place}")
    return None


def _key_in_place_of_token(received: str) -> Explanation:
    return Explanation("key in place of a token", EXPECTED_HEADER, received, FIX_SIGN_JWT)


def _explain_no_value(request: Request) -> Explanation | None:
    """Explains a request without a credential; returns None if another value may be one."""
    names = [name for name, _ in request.headers]
    if b"authorization" in names:
        rule = "empty Authorization header"
        return Explanation(rule, EXPECTED_HEADER, "an empty header", FIX_VARIABLE)
    if request.query or any(is_secret_name(name) or b"key" in name for name in names):
        return None
    rule = "no Authorization header"
    return Explanation(rule, EXPECTED_HEADER, "no such header", FIX_SIGN_JWT)


def _explain_authorization(rejected: RejectedRequest, value: bytes) -> Explanation | None:
    """Explains an Authorization header that is not Bearer and a token."""
    scheme, _, rest = value.partition(b" ")
    key = describe_key_value(rejected, rest.strip() or value)
    if key:
        return _key_in_place_of_token(key)
    token = _find_token(value)
    known_scheme = scheme.lower() in OTHER_SCHEMES
    if token:
        rule, fix = _bad_scheme(value, token)
        prefix = printable(scheme) if known_scheme else "no Bearer and space"
        return Explanation(rule, EXPECTED_HEADER, f"a token with {prefix} before it", fix)
    if value.lower() == b"bearer":
        return Explanation("empty token", EXPECTED_HEADER, "Bearer without a token", FIX_VARIABLE)
    if known_scheme:
        rule, hint = "scheme is not Bearer", NETRC if scheme.lower() == b"basic" else ""
        return Explanation(rule, EXPECTED_HEADER, printable(scheme), FIX_SIGN_JWT + hint)
    return None


def _bad_scheme(value: bytes, token: bytes) -> tuple[str, str]:
    """Returns rule and fix for a header that contains a token without ``Bearer`` and a space."""
    if value == token:
        return "Bearer missing", "Put Bearer and one space before the token."
    if value[:1] in (b'"', b"'"):
        return "quotes around the header", "Send the header without quotes."
    if value.lower().startswith(b"bearer"):
        return "no space after Bearer", "Put one space between Bearer and the token."
    return "scheme is not Bearer", "Put Bearer before the token."
