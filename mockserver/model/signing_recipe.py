"""A symmetric signing scheme as a declaration; signer and verifier are built from it, once.

What is signed is either ``parts`` of a request in their order, or all parameters of its query and
its form, sorted by name. ``explain`` derives the known mistakes of clients from the same recipe.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from msgspec import Struct

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.query import parameters
from mockserver.model.reject import Reject
from mockserver.model.signing import hmac_sha256, same, sha256_hex
from mockserver.model.times import SECOND


class Hashed(Struct, frozen=True, gc=False):
    """A part that is the digest of others, joined by nothing.

    In a recipe the others are names; ``explain`` puts names with values in their place.
    """

    parts: tuple[Any, ...]
    algorithm: str = "sha256"
    written: str = "hex"


class SigningRecipe(Struct, frozen=True, kw_only=True):
    """How a signature is made.

    ``key`` and ``secret`` are members of the credential; ``encoding`` of the secret is ``text``,
    ``hex`` or ``base64``. ``parts`` are ``timestamp``, ``method``, ``path``, ``query``, ``target``
    (the path, with ? and the query where there is one), ``body``, ``key`` or Hashed; without any,
    all parameters but those in ``left_out`` are signed; ``operation`` is that which names the
    operation. ``placement`` of the secret is ``HMAC key``,
    or ``last`` as the parameter ``placed_as``. ``written`` is a key of WRITERS, ``unit`` that of
    the timestamp in nanoseconds.
    """

    key: str
    secret: str
    key_at: KeyPlacement
    signature_at: KeyPlacement
    timestamp_at: KeyPlacement | None = None
    unit: int = SECOND
    parts: tuple[str | Hashed, ...] = ()
    left_out: tuple[str, ...] = ()
    operation: str = ""
    equals: bytes = b"="
    joiner: bytes = b""
    placement: str = "HMAC key"
    placed_as: str = ""
    encoding: str = "text"
    algorithm: str = "sha256"
    written: str = "hex"

    def __post_init__(self) -> None:
        if bool(self.parts) is not self.is_hmac:
            raise ValueError("parts are signed by an HMAC, parameters by a hash over the secret")
        for name in _names(self.parts):
            if name not in NAMES:
                raise ValueError(f"a recipe has no part {name!r}: there are {', '.join(NAMES)}")

    @property
    def key_text(self) -> str:
        """What the key is called: ``key id``, or the name of its parameter."""
        return self.key.replace("_", " ") if self.key_at.where == "header" else self.key_at.name

    @property
    def has_target(self) -> bool:
        """Whether path and query are signed as one part, alone or inside a digest."""
        inner = (part.parts for part in self.parts if isinstance(part, Hashed))
        return any("target" in parts for parts in (self.parts, *inner))

    @property
    def is_hmac(self) -> bool:
        """Whether the secret is the key of an HMAC; otherwise it is part of what is hashed."""
        return self.placement == "HMAC key"


# Digests by name, with their size in bytes.
ALGORITHMS = {
    "md5": 16,
    "sha1": 20,
    "sha224": 28,
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "sha3_256": 32,
    "blake2s": 32,
}

# How parts and digests are written, as expressions: a recipe becomes one function, which costs a
# request no more than if it were written by hand.
ARGUMENTS = "timestamp, method, path, query, body, key"
PARTS = {
    "method": "method.upper().encode()",
    "target": "(path + b'?' + query if query else path)",
}
NAMES = (*ARGUMENTS.split(", "), "target")
WRITERS: Mapping[str, str] = {
    "raw": "{}",
    "hex": "{}.hex().encode()",
    "HEX": "{}.hex().upper().encode()",
    "base64": "b64encode({})",
}
SECRET_READERS: Mapping[str, Callable[[str], bytes]] = {
    "text": str.encode,
    "hex": bytes.fromhex,
    "base64": base64.b64decode,
}


def _compiled(parameters: str, expression: str) -> Callable[..., bytes]:
    """Returns the function of an expression of parts and WRITERS."""
    names = {"b64encode": base64.b64encode, "sha256_hex": sha256_hex, "hmac": hmac.digest}
    names |= {"hmac_sha256": hmac_sha256}
    names |= {name: getattr(hashlib, name) for name in ALGORITHMS}
    function: Callable[..., bytes] = eval(f"lambda {parameters}: {expression}", names)  # noqa: S307
    return function


def _names(parts: tuple[str | Hashed, ...]) -> Iterator[str]:
    """Yields the names of parts, those inside a digest too."""
    for part in parts:
        yield from (part,) if isinstance(part, str) else _names(part.parts)


def secret_reader(recipe: SigningRecipe) -> Callable[[Any], bytes]:
    """Returns the function that reads a credential's secret as the scheme uses it."""
    read, decode = attrgetter(recipe.secret), SECRET_READERS[recipe.encoding]
    return lambda credential: decode(read(credential))


def _hashed(part: Hashed, content: str) -> str:
    if (part.algorithm, part.written) == ("sha256", "hex"):
        return f"sha256_hex({content})"
    return WRITERS[part.written].format(_plain(part.algorithm, content))


def _plain(algorithm: str, content: str) -> str:
    return f"{algorithm}({content}, usedforsecurity=False).digest()"


@lru_cache(64)
def hasher(algorithm: str, written: str) -> Callable[[bytes], bytes]:
    """Returns the function that hashes a content and writes its digest."""
    return _compiled("content", _hashed(Hashed((), algorithm, written), "content"))


def _expression(part: str | Hashed) -> str:
    if isinstance(part, str):
        return PARTS.get(part, part)
    return _hashed(part, " + ".join(map(_expression, part.parts)))


def message_builder(recipe: SigningRecipe) -> Callable[..., bytes]:
    """Returns the function that builds the canonical string of a recipe with parts.

    It takes timestamp, method, path, query, body and key; all but the method as on the wire.
    """
    parts = "".join(f"{_expression(part)}, " for part in recipe.parts)
    return _compiled(ARGUMENTS, f"{recipe.joiner!r}.join(({parts}))")


def parameters_builder(recipe: SigningRecipe) -> Callable[[Mapping[bytes, bytes], bytes], bytes]:
    """Returns the function that builds the canonical string of decoded parameters and a secret."""
    left_out = frozenset(name.encode() for name in recipe.left_out)
    equals, join = recipe.equals, recipe.joiner.join
    named = recipe.placed_as.encode() + equals

    def message(params: Mapping[bytes, bytes], secret: bytes) -> bytes:
        signed = [name + equals + params[name] for name in sorted(params) if name not in left_out]
        return join([*signed, named + secret])

    return message


def digest_builder(recipe: SigningRecipe) -> Callable[[bytes, bytes], bytes]:
    """Returns the function that makes the signature of a secret and a message, as it is sent."""
    name = recipe.algorithm
    if not recipe.is_hmac:
        make = _plain(name, "message")
    elif name == "sha256":
        make = "hmac_sha256(secret, message)"
    else:
        make = f"hmac(secret, message, {name!r})"
    return _compiled("secret, message", WRITERS[recipe.written].format(make))


def signer(recipe: SigningRecipe) -> Callable[[UnsignedRequest, Any, int], UnsignedRequest]:
    """Returns the function that signs a request; its ``now`` is in nanoseconds."""
    build, build_parameters = message_builder(recipe), parameters_builder(recipe)
    digest, secret_of = digest_builder(recipe), secret_reader(recipe)

    def message(request: UnsignedRequest, key_id: bytes, timestamp: bytes, secret: bytes) -> bytes:
        method, path, query, body = request.method, request.path, request.query, request.body
        if recipe.parts:
            return build(timestamp, method, path, query, body, key_id)
        headers = {name.lower(): value for name, value in request.headers}
        params = dict(parameters(query, headers.get(b"content-type", b""), body))
        return build_parameters(params | {recipe.key_at.name.encode(): key_id}, secret)

    def sign(request: UnsignedRequest, credential: Any, now: int) -> UnsignedRequest:
        key_id, secret = getattr(credential, recipe.key).encode(), secret_of(credential)
        timestamp = b"%d" % (now // recipe.unit)
        signature = digest(secret, message(request, key_id, timestamp, secret))
        request = recipe.key_at.put(request, key_id)
        if recipe.timestamp_at is not None:
            request = recipe.timestamp_at.put(request, timestamp)
        return recipe.signature_at.put(request, signature)

    return sign


def verifier(recipe: SigningRecipe) -> Callable[[Request, Any, bytes, bytes], str]:
    """Returns the function that verifies a signature over parts.

    It takes request, credential, timestamp and signature, and returns a note for the journal;
    raises Reject. A signature over the path exactly as requested is good, too.
    """
    build, digest = message_builder(recipe), digest_builder(recipe)
    key_of, secret_of = attrgetter(recipe.key), secret_reader(recipe)

    def verify(request: Request, credential: Any, timestamp: bytes, signature: bytes) -> str:
        secret, key = secret_of(credential), key_of(credential).encode()
        method, path, query, body = request.method, request.full_path, request.query, request.body
        if same(digest(secret, build(timestamp, method, path, query, body, key)), signature):
            return ""
        raw_path = request.raw_target_path
        if raw_path != path:
            message = build(timestamp, method, raw_path, query, body, key)
            if same(digest(secret, message), signature):
                return "signed the path exactly as requested"
        raise Reject("bad_signature", credential=credential.label)

    return verify
