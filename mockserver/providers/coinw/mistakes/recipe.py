"""A signing recipe, right or wrong: everything that a CoinW signature depends on."""

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
KEYS_MAX = 64  # keys whose values are redacted
VALUES_MAX = 64  # values with a secret\'s name that are redacted
EXPLAINED_MAX = 16 * 1024  # bytes of query and form that are parsed for an explanation

# Hash algorithms by the bytes of their digests.
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
    """The parts of a request that a client may have signed, and the key that it named.

    Parameters are decoded, in the order in which they were sent, the query's first;
    ``other_secrets`` are the labels of other keys by secret.
    """

    request: Request
    query: Pairs
    form: Pairs
    key: Key
    other_secrets: Mapping[bytes, str]
    covers_command: bool


class SigningRecipe(Struct, frozen=True):
    """How a signature is made: parameters and secret are joined, then hashed.

    ``placement`` says where the secret goes, a key of PLACEMENTS. ``signed_text``, where set, is
    signed instead of the parameters, and so is their JSON where ``json_separators`` are set.
    ``is_hmac`` makes an HMAC with the secret as its key.
    """

    inputs: SigningInputs
    pairs: Pairs
    secret: bytes
    secret_name: bytes = b"secret_key"
    placement: str = "last"
    equals: bytes = b"="
    separator: bytes = b"&"
    prefix: bytes = b""
    suffix: bytes = b""
    case: str = ""
    signed_text: bytes = b""
    json_separators: tuple[str, str] | None = None
    is_hmac: bool = False
    algorithm: str = ALGORITHM


def form_of(request: Request) -> bytes:
    """Returns the body where it is a form, or nothing: no other body has parameters."""
    return request.body if is_form(request.header(b"content-type")) else b""


def too_long(request: Request) -> bool:
    """Returns whether query and form are too long to be parsed for an explanation."""
    return len(request.query) + len(form_of(request)) > EXPLAINED_MAX


def signing_inputs(rejected: RejectedRequest, key: Key) -> SigningInputs:
    """Returns the parts of a rejected request that a client may have signed."""
    request = rejected.request
    other_secrets = {other.secret_key.encode(): str(other.label) for other in rejected.keys}
    other_secrets.pop(key.secret_key.encode(), None)
    covers = rejected.quirks["sign_covers_command"] == "true"
    query, form = raw_pairs(request.query), raw_pairs(form_of(request))
    return SigningInputs(request, tuple(query), tuple(form), key, other_secrets, covers)


def right_recipe(inputs: SigningInputs) -> SigningRecipe:
    """Returns the recipe by which the request should have been signed."""
    left_out = (b"sign",) if inputs.covers_command else (b"sign", b"command")
    signed = {name: value for name, value in (*inputs.query, *inputs.form) if name not in left_out}
    return SigningRecipe(inputs, tuple(sorted(signed.items())), inputs.key.secret_key.encode())


def _sorted_in(parts: list[bytes], named: bytes, recipe: SigningRecipe) -> list[bytes]:
    position = sum(name <= recipe.secret_name for name, _ in recipe.pairs)
    return [*parts[:position], named, *parts[position:]]


# Where the secret goes: each takes the parameters as written, the secret with its name, and the
# recipe, and returns the parts to join.
PLACEMENTS: Mapping[str, Callable[[list[bytes], bytes, SigningRecipe], list[bytes]]] = {
    "last": lambda parts, named, recipe: [*parts, named],
    "first": lambda parts, named, recipe: [named, *parts],
    "last, without its name": lambda parts, named, recipe: [*parts, recipe.secret],
    "first, without its name": lambda parts, named, recipe: [recipe.secret, *parts],
    "appended": lambda parts, named, recipe: [*parts[:-1], b"".join(parts[-1:]) + recipe.secret],
    "prepended": lambda parts, named, recipe: [recipe.secret + b"".join(parts[:1]), *parts[1:]],
    "nowhere": lambda parts, named, recipe: parts,
    "sorted in": _sorted_in,
}


def message(recipe: SigningRecipe) -> bytes:
    """Returns the string that is hashed."""
    if recipe.signed_text:
        return recipe.signed_text
    if recipe.json_separators:
        return _json(recipe)
    parts = [name + recipe.equals + value for name, value in recipe.pairs]
    named = recipe.secret_name + recipe.equals + recipe.secret
    parts = PLACEMENTS[recipe.placement](parts, named, recipe)
    whole = recipe.prefix + recipe.separator.join(parts) + recipe.suffix
    return getattr(whole, recipe.case)() if recipe.case else whole


def _json(recipe: SigningRecipe) -> bytes:
    members = (*recipe.pairs, (recipe.secret_name, recipe.secret))
    data = {_text(name): _text(value) for name, value in members}
    text = json.dumps(data, separators=recipe.json_separators, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def digest(recipe: SigningRecipe) -> bytes:
    """Returns the signature's bytes."""
    if recipe.is_hmac:
        return hmac.digest(recipe.secret, message(recipe), recipe.algorithm)
    return hashlib.new(recipe.algorithm, message(recipe), usedforsecurity=False).digest()


def secret_labels(rejected: RejectedRequest) -> dict[str, str]:
    """Returns labels by secret: of keys, and of values with a secret's name."""
    request = rejected.request
    pairs = [*request.headers, *raw_pairs(request.query), *raw_pairs(form_of(request))]
    values = (value.decode("utf-8", "replace") for name, value in pairs if is_secret_name(name))
    labels = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented = {value for name, value in pairs if name == b"api_key"}
    keys = rejected.keys
    callers = [key for key in keys if key.api_key.encode() in presented]
    for key in (*keys[:KEYS_MAX], *callers):
        labels[key.secret_key] = f"{key.label} secret_key"
        labels[key.api_key] = f"{key.label} api_key"
    return labels
