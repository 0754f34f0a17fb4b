"""A symmetric signing scheme as a declaration; signer and verifier are built from it, once.

What is signed is either ``parts`` of a request in their order, or all parameters of its query and
its form, sorted by name. ``explain`` derives the known mistakes of clients from the same recipe.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.durations import SECOND
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.query import parameters
from mockserver.model.reject import Reject
from mockserver.model.signing import same, sha256_hex


class Hashed(Struct, frozen=True):
    """A part that is the digest of others, joined by nothing.

    In a recipe the others are names; ``explain`` puts names with values in their place.
    """

    parts: tuple[Any, ...]
    algorithm: str = "sha256"
    written: str = "hex"


class SigningRecipe(Struct, frozen=True, kw_only=True):
    """How a signature is made.

    ``key`` and ``secret`` are members of the credential; ``encoding`` is ``text``, ``hex``
    or ``base64``. ``parts`` are ``timestamp``, ``method``, ``path``, ``query``, ``body``, ``key``
    or Hashed; without any, all parameters but those in ``left_out`` are signed. ``placement``
    is ``HMAC key``, or ``last`` as the parameter ``placed_as``. ``written`` is a key of WRITERS,
    ``unit`` that of the timestamp in nanoseconds.
    """

    key: str
    secret: str
    key_at: KeyPlacement
    signature_at: KeyPlacement
    timestamp_at: KeyPlacement | None = None
    unit: int = SECOND
    parts: tuple[str | Hashed, ...] = ()
    left_out: tuple[str, ...] = ()
    equals: bytes = b"="
    joiner: bytes = b""
    placement: str = "HMAC key"
    placed_as: str = ""
    encoding: str = "text"
    algorithm: str = "sha256"
    written: str = "hex"

    @property
    def is_hmac(self) -> bool:
        """Whether the secret is the key of an HMAC; otherwise it is part of what is hashed."""
        return self.placement == "HMAC key"


class SigningInputs(Struct, frozen=True):
    """What parts are read from, as on the wire."""

    method: str
    path: bytes
    query: bytes
    body: bytes
    timestamp: bytes = b""
    key: bytes = b""


# Digests and parts as bytes.
WRITERS: Mapping[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda raw: raw.hex().encode(),
    "HEX": lambda raw: raw.hex().upper().encode(),
    "base64": base64.b64encode,
}
PARTS: Mapping[str, Callable[[SigningInputs], bytes]] = {
    "timestamp": lambda inputs: inputs.timestamp,
    "method": lambda inputs: inputs.method.upper().encode(),
    "path": lambda inputs: inputs.path,
    "query": lambda inputs: inputs.query,
    "body": lambda inputs: inputs.body,
    "key": lambda inputs: inputs.key,
}
SECRET_READERS: Mapping[str, Callable[[str], bytes]] = {
    "text": str.encode,
    "hex": bytes.fromhex,
    "base64": base64.b64decode,
}


def secret_bytes(recipe: SigningRecipe, credential: Any) -> bytes:
    """Returns the secret of a credential as the scheme uses it."""
    return SECRET_READERS[recipe.encoding](getattr(credential, recipe.secret))


def hashed(node: Hashed, content: bytes) -> bytes:
    """Returns the digest of the content, as the node writes it."""
    if node.algorithm == "sha256" and node.written == "hex":
        return sha256_hex(content)
    digest = hashlib.new(node.algorithm, content, usedforsecurity=False).digest()
    return WRITERS[node.written](digest)


def _part_reader(part: str | Hashed) -> Callable[[SigningInputs], bytes]:
    if isinstance(part, str):
        return PARTS[part]
    readers = [_part_reader(inner) for inner in part.parts]
    if len(readers) == 1:
        [read] = readers
        return lambda inputs: hashed(part, read(inputs))
    return lambda inputs: hashed(part, b"".join([read(inputs) for read in readers]))


def message_builder(recipe: SigningRecipe) -> Callable[[SigningInputs], bytes]:
    """Returns the function that builds the canonical string of a recipe with parts."""
    readers, join = [_part_reader(part) for part in recipe.parts], recipe.joiner.join
    return lambda inputs: join([read(inputs) for read in readers])


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
    algorithm, write = recipe.algorithm, WRITERS[recipe.written]
    if recipe.is_hmac:
        return lambda secret, message: write(hmac.digest(secret, message, algorithm))
    new = getattr(hashlib, algorithm)
    return lambda secret, message: write(new(message, usedforsecurity=False).digest())


def signer(recipe: SigningRecipe) -> Callable[[UnsignedRequest, Any, int], UnsignedRequest]:
    """Returns the function that signs a request; its ``now`` is in nanoseconds."""
    build, digest = message_builder(recipe), digest_builder(recipe)
    build_parameters = parameters_builder(recipe)

    def message(request: UnsignedRequest, key_id: bytes, timestamp: bytes, secret: bytes) -> bytes:
        method, path, query, body = request.method, request.path, request.query, request.body
        if recipe.parts:
            return build(SigningInputs(method, path, query, body, timestamp, key_id))
        headers = {name.lower(): value for name, value in request.headers}
        params = dict(parameters(query, headers.get(b"content-type", b""), body))
        return build_parameters(params | {recipe.key_at.name.encode(): key_id}, secret)

    def sign(request: UnsignedRequest, credential: Any, now: int) -> UnsignedRequest:
        key_id, secret = getattr(credential, recipe.key).encode(), secret_bytes(recipe, credential)
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

    def verify(request: Request, credential: Any, timestamp: bytes, signature: bytes) -> str:
        secret, key_id = secret_bytes(recipe, credential), getattr(credential, recipe.key).encode()
        inputs = SigningInputs(
            request.method, request.path, request.query, request.body, timestamp, key_id
        )
        if same(digest(secret, build(inputs)), signature):
            return ""
        if request.raw_target_path != request.path:
            inputs = replace(inputs, path=request.raw_target_path)
            if same(digest(secret, build(inputs)), signature):
                return "signed the path exactly as requested"
        raise Reject("bad_signature", credential=credential.label)

    return verify
