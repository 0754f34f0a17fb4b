"""A signing recipe, right or wrong: everything that an X-CPG signature depends on."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from itertools import islice

from msgspec import Struct

from mockserver.explain import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.model.signing import sha256_hex
from mockserver.providers.cpg.auth import Key

ORDER = ("timestamp", "method", "path", "query", "body")
ALGORITHM = "sha256"
KEYS_MAX = 64  # keys whose values are redacted
VALUES_MAX = 64  # values with a secret\'s name that are redacted

# Hash algorithms by the bytes of their digests.
ALGORITHMS = {16: "md5", 20: "sha1", 28: "sha224", 32: ALGORITHM, 48: "sha384", 64: "sha512"}
NAMES = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "sha3_256": "SHA3-256",
    "blake2s": "BLAKE2s",
}


class SigningInputs(Struct, frozen=True, eq=False):
    """The parts of a request that a client may have signed, and the key that it named.

    ``path`` is the path to sign; ``other_secrets`` are the labels of other keys by secret.
    """

    request: Request
    path: bytes
    host: bytes
    body_hash: bytes
    key: Key
    other_secrets: Mapping[bytes, str]


class SigningRecipe(Struct, frozen=True):
    """How a signature is made: ``order`` names the fields that are joined, then hashed.

    ``construction`` names how secret and string are combined, a key of CONSTRUCTIONS.
    """

    inputs: SigningInputs
    timestamp: bytes
    method: bytes
    path: bytes
    query: bytes
    body: bytes
    key_id: bytes
    secret: bytes
    order: tuple[str, ...] = ORDER
    separator: bytes = b"\n"
    suffix: bytes = b""
    construction: str = "HMAC"
    algorithm: str = ALGORITHM


def right_recipes(rejected: RejectedRequest, key: Key) -> list[SigningRecipe]:
    """Returns the right recipes: over the provider's path, and over the path as requested."""
    request = rejected.request
    other_secrets = _other_secrets(rejected, key)
    body_hash = sha256_hex(request.body)
    host = request.header(b"host")
    return [
        SigningRecipe(
            SigningInputs(request, path, host, body_hash, key, other_secrets),
            request.header(b"x-cpg-timestamp"),
            request.method.upper().encode(),
            path,
            request.query,
            body_hash,
            key.key_id.encode(),
            key.secret.encode(),
        )
        for path in dict.fromkeys((request.full_path, request.raw_target_path))
    ]


def _other_secrets(rejected: RejectedRequest, key: Key) -> dict[bytes, str]:
    """Returns the labels of all keys with another secret, by secret."""
    labels = {other.secret.encode(): str(other.label) for other in rejected.keys}
    labels.pop(key.secret.encode(), None)
    return labels


def secret_labels(rejected: RejectedRequest) -> dict[str, str]:
    """Returns labels by secret: of keys, and of values with a secret's name."""
    request = rejected.request
    pairs = [*request.headers, *raw_pairs(request.query)]
    values = (value.decode("utf-8", "replace") for name, value in pairs if is_secret_name(name))
    labels = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented = request.header(b"x-cpg-key")
    keys = rejected.keys
    callers = [key for key in keys if key.key_id.encode() == presented]
    for key in (*keys[:KEYS_MAX], *callers):
        labels[key.secret] = f"{key.label} secret"
        labels[key.key_id] = f"{key.label} key_id"
    return labels


def message(recipe: SigningRecipe) -> bytes:
    """Returns the string that is signed."""
    return recipe.separator.join([getattr(recipe, name) for name in recipe.order]) + recipe.suffix


def _hash(recipe: SigningRecipe, data: bytes) -> bytes:
    return hashlib.new(recipe.algorithm, data, usedforsecurity=False).digest()


# How secret and string are combined.
CONSTRUCTIONS: Mapping[str, Callable[[SigningRecipe], bytes]] = {
    "HMAC": lambda recipe: hmac.digest(recipe.secret, message(recipe), recipe.algorithm),
    "HMAC, key and message swapped": lambda recipe: hmac.digest(
        message(recipe), recipe.secret, recipe.algorithm
    ),
    "hash, secret first": lambda recipe: _hash(recipe, recipe.secret + message(recipe)),
    "hash, secret last": lambda recipe: _hash(recipe, message(recipe) + recipe.secret),
    "hash without secret": lambda recipe: _hash(recipe, message(recipe)),
}


def digest(recipe: SigningRecipe) -> bytes:
    """Returns the signature's bytes."""
    return CONSTRUCTIONS[recipe.construction](recipe)
