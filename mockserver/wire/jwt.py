"""Compact JWS: a JSON header, a JSON payload and a signature, in base64url without padding.

A key says which algorithm signs: EdDSA (Ed25519) or ES256 (ECDSA on P-256 over SHA-256).
The token's own ``alg`` has to agree with it; it never chooses. ``crit`` and ``b64`` would
change what is signed, so a header with one of them is not read, and neither is a member
given twice. Whether a signature is genuine depends on nothing but bytes, and is remembered.

``cryptography`` takes a while to import, so only signing and verifying do so.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from mockserver.wire.members import once_each

TOKEN_MAX = 8192  # bytes
SIGNATURE_SIZE = 64
HALF = SIGNATURE_SIZE // 2

REMEMBERED = 1024  # tokens, and signatures


class Key(Struct, frozen=True):
    """A private key: ``EdDSA`` with an Ed25519 seed, or ``ES256`` with a P-256 scalar."""

    algorithm: str
    secret: bytes


class Token(Struct, frozen=True):
    """A token as read, its signature not yet judged."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key) -> bytes:
    """Returns the token; ``alg`` is put in front of the header's members."""
    head = {"alg": key.algorithm, **header}
    signed = b".".join(_packed(_written(part)) for part in (head, claims))
    return signed + b"." + _packed(_signature(signed, key))


@lru_cache(REMEMBERED)
def read(token: bytes) -> Token:
    """Takes a token apart; raises ValueError for one that is not written as it must be."""
    if len(token) > TOKEN_MAX:
        raise ValueError("the token is too long")
    signed, _, signature = token.rpartition(b".")
    head, dot, payload = signed.partition(b".")
    if not dot:
        raise ValueError("a token has three parts")
    header = _object(_unpacked(head))
    if "crit" in header or "b64" in header:
        raise ValueError("the header asks for an extension")
    return Token(header, _object(_unpacked(payload)), signed, _unpacked(signature))


def genuine(token: Token, key: Key) -> bool:
    """Tells whether ``key`` signed the token, with the algorithm that the token names."""
    same = token.header.get("alg") == key.algorithm
    return same and _verified(token.signed, token.signature, key)


def _packed(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _unpacked(part: bytes) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("a part is no base64url") from None
    if _packed(raw) != part:  # other signs, padding, or bits behind the last byte
        raise ValueError("a part is written in another way")
    return raw


def _written(part: Mapping[str, Any]) -> bytes:
    return json.dumps(part, separators=(",", ":")).encode()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=once_each)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("a part is no object")
    return found


def _signature(message: bytes, key: Key) -> bytes:
    private = _private(key)
    if key.algorithm == "EdDSA":
        signature: bytes = private.sign(message)
        return signature
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(private.sign(message, _ecdsa()))
    return r.to_bytes(HALF, "big") + s.to_bytes(HALF, "big")


@lru_cache(REMEMBERED)
def _verified(message: bytes, signature: bytes, key: Key) -> bool:
    from cryptography.exceptions import InvalidSignature

    if len(signature) != SIGNATURE_SIZE:
        return False
    public = _public(key)
    try:
        if key.algorithm == "EdDSA":
            public.verify(signature, message)
        else:
            public.verify(_der(signature), message, _ecdsa())
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    r, s = signature[:HALF], signature[HALF:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _ecdsa() -> Any:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256())


@lru_cache(REMEMBERED)
def _public(key: Key) -> Any:
    return _private(key).public_key()


@lru_cache(REMEMBERED)
def _private(key: Key) -> Any:
    if key.algorithm == "EdDSA":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(key.secret)
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    return derive_private_key(int.from_bytes(key.secret, "big"), SECP256R1())
