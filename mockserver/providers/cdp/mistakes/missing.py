"""Why no token was found: it is somewhere else, or something else came in its place."""

import re
from itertools import islice

from mockserver.explain import Explanation, RejectedRequest, SentValue, printable, sent_values
from mockserver.model import jwt
from mockserver.model.http import Request
from mockserver.model.redaction import is_secret_name
from mockserver.providers.cdp.mistakes.names import MAKE, WANTED, key_in

# Words before something that is no token of this API.
SCHEMES = (b"basic", b"digest", b"token", b"jwt", b"key", b"apikey", b"hmac")
LEGACY = "CB-ACCESS-"
WALLET = "x-wallet-auth"
NAMED_MAX = 12  # headers that are named

PLACES = {
    "header": ("token in another header", "Send it in the header Authorization."),
    "parameter": ("token in the query", "Send it in the header Authorization."),
    "member": ("token in the body", "Send it in the header Authorization."),
}


def missing(refused: RejectedRequest) -> Explanation | None:
    """Explains a request without a token where one has to be."""
    value = refused.request.header(b"authorization").strip()
    if value:
        return _scheme(refused, value)
    for found in sent_values(refused.request):
        if _token_in(found.value):
            return _elsewhere(found)
    return _legacy(refused.request) or _key_sent(refused) or _nothing(refused.request)


def _token_in(value: bytes) -> bytes:
    """Returns the token within a value, or nothing."""
    for part in re.split(rb"[^\w.-]+", value[: jwt.TOKEN_MAX]):
        if part.count(b".") == 2 and _reads(part):
            return part
    return b""


def _reads(token: bytes) -> bool:
    try:
        jwt.read(token)
    except ValueError:
        return False
    return True


def _elsewhere(found: SentValue) -> Explanation:
    rule, fix = PLACES[found.where]
    if found.name == "authorization":
        rule, fix = "two Authorization headers", "Send the header once: the first one counts."
    elif found.name == WALLET:
        rule, fix = "wallet token alone", "X-Wallet-Auth comes beside Authorization, if at all."
    return Explanation(rule, WANTED, f"a token in {found.place}", fix)


def _legacy(request: Request) -> Explanation | None:
    names = [name for name, _ in request.headers if name.upper().startswith(LEGACY.encode())]
    found = ", ".join(printable(name).upper() for name in islice(names, NAMED_MAX))
    if not found:
        return None
    fix = "CB-ACCESS-* signs for another API of Coinbase: this one takes a JWT of a CDP key."
    return Explanation("legacy headers", WANTED, f"the headers {found}", fix)


def _key_sent(refused: RejectedRequest) -> Explanation | None:
    for value in sent_values(refused.request):
        told = key_in(refused, value.value)
        if told:
            told = f"{told} in {value.place}"
            return Explanation("key in place of a token", WANTED, told, MAKE)
    return None


def _nothing(request: Request) -> Explanation | None:
    """Explains that nothing came; None where something did that may be a credential."""
    names = [name for name, _ in request.headers]
    if b"authorization" in names:
        fix = "Look whether the variable is set from which the token is taken."
        return Explanation("empty Authorization header", WANTED, "nothing in it", fix)
    if request.query or any(is_secret_name(name) or b"key" in name for name in names):
        return None
    return Explanation("no Authorization header", WANTED, "no such header", MAKE)


def _scheme(refused: RejectedRequest, value: bytes) -> Explanation | None:
    """Explains an Authorization header that has not the form of Bearer and a token."""
    word, _, rest = value.partition(b" ")
    told = key_in(refused, rest.strip() or value)
    if told:
        return Explanation("key in place of a token", WANTED, told, MAKE)
    token = _token_in(value)
    if token:
        rule, fix = _unschemed(value, token)
        before = printable(word) if word.lower() in SCHEMES else "no Bearer and space"
        return Explanation(rule, WANTED, f"a token with {before} before it", fix)
    if value.lower() == b"bearer":
        fix = "Look whether the variable is set from which the token is taken."
        return Explanation("empty token", WANTED, "Bearer and nothing behind it", fix)
    if word.lower() in SCHEMES:
        return Explanation("another scheme than Bearer", WANTED, printable(word), MAKE)
    return None


def _unschemed(value: bytes, token: bytes) -> tuple[str, str]:
    if value == token:
        return "Bearer missing", "Put the word Bearer and one space before the token."
    if value[:1] in (b'"', b"'"):
        return "quotes around the header", "Send the header without quotes."
    if value.lower().startswith(b"bearer"):
        return "no space behind Bearer", "Put one space between Bearer and the token."
    return "another scheme than Bearer", "Write Bearer before the token."
