"""A way of signing, right or wrong: everything on which a CoinW signature can hang."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from itertools import islice

from msgspec import Struct

from mockserver.explain import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import is_form, raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.providers.coinw.auth import Key

ALGORITHM = "md5"
KEYS_MAX = 64  # keys whose secrets are looked for
VALUES_MAX = 64  # values with a name that says they are secret, which are looked for
READ_MAX = 16 * 1024  # bytes of query and form that are taken apart once more

# What a digest of so many bytes was made with.
ALGORITHMS = {16: ALGORITHM, 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}
NAMES = {
    "md5": "MD5",
    "sha1": "SHA1",
    "sha224": "SHA224",
    "sha256": "SHA256",
    "sha384": "SHA384",
    "sha512": "SHA512",
}

Pairs = tuple[tuple[bytes, bytes], ...]


class SigningInputs(Struct, frozen=True, eq=False):
    """What a request brings that may have got into its signature, and whose it is.

    Parameters are decoded, in the order in which they were sent, the query's first.
    """

    request: Request
    query: Pairs
    form: Pairs
    key: Key
    others: Mapping[bytes, str]
    covers_command: bool


class SigningRecipe(Struct, frozen=True):
    """How a signature is made: parameters and secret are joined, then hashed.

    ``place`` says where the secret stands. ``text`` is signed instead, where there is one, or
    JSON with the separators ``json``.
    """

    given: SigningInputs
    pairs: Pairs
    secret: bytes
    secret_name: bytes = b"secret_key"
    place: str = "behind"
    equals: bytes = b"="
    joiner: bytes = b"&"
    head: bytes = b""
    end: bytes = b""
    case: str = ""
    text: bytes = b""
    json: tuple[str, str] | None = None
    keyed: str = ""
    algorithm: str = ALGORITHM


def form_of(request: Request) -> bytes:
    """Returns the body where it is a form, which alone has parameters; or nothing."""
    return request.body if is_form(request.header(b"content-type")) else b""


def too_long(request: Request) -> bool:
    """Tells whether there is so much that it is not taken apart for an explanation."""
    return len(request.query) + len(form_of(request)) > READ_MAX


def given_by(refused: RejectedRequest, key: Key) -> SigningInputs:
    """Returns what is known of a refused request."""
    request = refused.request
    others = {other.secret_key.encode(): str(other.label) for other in refused.keys}
    others.pop(key.secret_key.encode(), None)
    covers = refused.quirks["sign_covers_command"] == "true"
    query, form = raw_pairs(request.query), raw_pairs(form_of(request))
    return SigningInputs(request, tuple(query), tuple(form), key, others, covers)


def right_way(given: SigningInputs) -> SigningRecipe:
    """Returns the way in which the request should have been signed."""
    aside = (b"sign",) if given.covers_command else (b"sign", b"command")
    signed = {name: value for name, value in (*given.query, *given.form) if name not in aside}
    return SigningRecipe(given, tuple(sorted(signed.items())), given.key.secret_key.encode())


def _sorted_in(parts: list[bytes], named: bytes, way: SigningRecipe) -> list[bytes]:
    before = sum(name <= way.secret_name for name, _ in way.pairs)
    return [*parts[:before], named, *parts[before:]]


# Where the secret may stand.
PLACES: Mapping[str, Callable[[list[bytes], bytes, SigningRecipe], list[bytes]]] = {
    "behind": lambda parts, named, way: [*parts, named],
    "in front": lambda parts, named, way: [named, *parts],
    "behind, without its name": lambda parts, named, way: [*parts, way.secret],
    "in front, without its name": lambda parts, named, way: [way.secret, *parts],
    "right behind": lambda parts, named, way: [*parts[:-1], b"".join(parts[-1:]) + way.secret],
    "right in front": lambda parts, named, way: [way.secret + b"".join(parts[:1]), *parts[1:]],
    "nowhere": lambda parts, named, way: parts,
    "sorted in": _sorted_in,
}


def message(way: SigningRecipe) -> bytes:
    """Returns the string that is hashed."""
    if way.text:
        return way.text
    if way.json:
        return _json(way)
    parts = [name + way.equals + value for name, value in way.pairs]
    named = way.secret_name + way.equals + way.secret
    whole = way.head + way.joiner.join(PLACES[way.place](parts, named, way)) + way.end
    return getattr(whole, way.case)() if way.case else whole


def _json(way: SigningRecipe) -> bytes:
    members = (*way.pairs, (way.secret_name, way.secret))
    data = {_text(name): _text(value) for name, value in members}
    text = json.dumps(data, separators=way.json, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def digest(way: SigningRecipe) -> bytes:
    """Returns the signature's bytes."""
    if way.keyed:
        return hmac.digest(way.secret, message(way), way.algorithm)
    return hashlib.new(way.algorithm, message(way), usedforsecurity=False).digest()


def secrets_of(refused: RejectedRequest) -> dict[str, str]:
    """Returns labels of what nobody may read, by itself: keys, and what is named like one."""
    request = refused.request
    named = [*request.headers, *raw_pairs(request.query), *raw_pairs(form_of(request))]
    values = (value.decode("utf-8", "replace") for name, value in named if is_secret_name(name))
    found = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented = {value for name, value in named if name == b"api_key"}
    keys = refused.keys
    callers = [key for key in keys if key.api_key.encode() in presented]
    for key in (*keys[:KEYS_MAX], *callers):
        found[key.secret_key] = f"{key.label} secret_key"
        found[key.api_key] = f"{key.label} api_key"
    return found
