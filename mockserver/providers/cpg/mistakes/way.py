"""A way of signing, right or wrong: everything on which an X-CPG signature can hang."""

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
KEYS_MAX = 64  # keys whose secrets are looked for
VALUES_MAX = 64  # values with a name that says they are secret, which are looked for

# What a digest of so many bytes was made with.
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
    """What a request brings that may have got into its signature, and whose it is."""

    request: Request
    path: bytes
    host: bytes
    body_hash: bytes
    key: Key
    others: Mapping[bytes, str]


class SigningRecipe(Struct, frozen=True):
    """How a signature is made: ``order`` names the fields that are joined, then hashed."""

    given: SigningInputs
    timestamp: bytes
    method: bytes
    path: bytes
    query: bytes
    body: bytes
    key_id: bytes
    secret: bytes
    order: tuple[str, ...] = ORDER
    separator: bytes = b"\n"
    end: bytes = b""
    keyed: str = "HMAC"
    algorithm: str = ALGORITHM


def right_ways(refused: RejectedRequest, key: Key) -> list[SigningRecipe]:
    """Returns the ways that are right: over the path, and over the path as it was dialled."""
    request = refused.request
    others = _others(refused, key)
    body_hash = sha256_hex(request.body)
    host = request.header(b"host")
    return [
        SigningRecipe(
            SigningInputs(request, path, host, body_hash, key, others),
            request.header(b"x-cpg-timestamp"),
            request.method.upper().encode(),
            path,
            request.query,
            body_hash,
            key.key_id.encode(),
            key.secret.encode(),
        )
        for path in dict.fromkeys((request.path, request.raw_target_path))
    ]


def _others(refused: RejectedRequest, key: Key) -> dict[bytes, str]:
    """Returns the labels of other keys by their secrets."""
    found = {other.secret.encode(): str(other.label) for other in refused.keys}
    found.pop(key.secret.encode(), None)
    return found


def secrets_of(refused: RejectedRequest) -> dict[str, str]:
    """Returns labels of what nobody may read, by itself: keys, and what is named like one."""
    request = refused.request
    named = [*request.headers, *raw_pairs(request.query)]
    values = (value.decode("utf-8", "replace") for name, value in named if is_secret_name(name))
    found = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented = request.header(b"x-cpg-key")
    keys = refused.keys
    callers = [key for key in keys if key.key_id.encode() == presented]
    for key in (*keys[:KEYS_MAX], *callers):
        found[key.secret] = f"{key.label} secret"
        found[key.key_id] = f"{key.label} key_id"
    return found


def message(way: SigningRecipe) -> bytes:
    """Returns the string that is signed."""
    return way.separator.join([getattr(way, name) for name in way.order]) + way.end


def _hashed(way: SigningRecipe, plain: bytes) -> bytes:
    return hashlib.new(way.algorithm, plain, usedforsecurity=False).digest()


# How the secret gets in.
KEYED: Mapping[str, Callable[[SigningRecipe], bytes]] = {
    "HMAC": lambda way: hmac.digest(way.secret, message(way), way.algorithm),
    "HMAC, key and text swapped": lambda way: hmac.digest(message(way), way.secret, way.algorithm),
    "hash, secret in front": lambda way: _hashed(way, way.secret + message(way)),
    "hash, secret behind": lambda way: _hashed(way, message(way) + way.secret),
    "hash without secret": lambda way: _hashed(way, message(way)),
}


def digest(way: SigningRecipe) -> bytes:
    """Returns the signature's bytes."""
    return KEYED[way.keyed](way)
