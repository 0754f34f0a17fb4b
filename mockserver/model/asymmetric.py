"""Ed25519 and ES256 (ECDSA on P-256 over SHA-256); a signature is 64 bytes in both.

A key is 32 secret bytes: a seed of Ed25519, or a scalar on P-256. This module is slow to
import, so it is imported when a token is first signed or verified.
"""

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from mockserver.caches import MIB, cached

SIGNATURE_SIZE = 64
HALF = SIGNATURE_SIZE // 2

PRIVATE_KEY_SIZE, PUBLIC_KEY_SIZE = 2500, 2100  # bytes of a key object on P-256
ECDSA_SHA256 = ECDSA(SHA256())


def ed25519_sign(secret: bytes, message: bytes) -> bytes:
    """Returns the signature."""
    signature: bytes = _ed25519(secret).sign(message)
    return signature


def ed25519_verify(secret: bytes, message: bytes, signature: bytes) -> bool:
    """Returns whether the secret's owner signed the message."""
    try:
        _ed25519_public(secret).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def es256_sign(secret: bytes, message: bytes) -> bytes:
    """Returns the signature: r and s, 32 bytes each."""
    return raw(_p256(secret).sign(message, ECDSA_SHA256))


def raw(signature: bytes) -> bytes:
    """Converts a signature from DER; raises ValueError, or OverflowError for a number too large."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(HALF, "big") + s.to_bytes(HALF, "big")


def es256_verify(secret: bytes, message: bytes, signature: bytes) -> bool:
    """Returns whether the secret's owner signed the message."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    r, s = int.from_bytes(signature[:HALF], "big"), int.from_bytes(signature[HALF:], "big")
    try:
        _p256_public(secret).verify(encode_dss_signature(r, s), message, ECDSA_SHA256)
    except InvalidSignature:
        return False
    return True


SIGN = {"EdDSA": ed25519_sign, "ES256": es256_sign}
VERIFY = {"EdDSA": ed25519_verify, "ES256": es256_verify}


@cached("Ed25519 signing keys", size=lambda _: PRIVATE_KEY_SIZE, room=2 * MIB, at_once=True)
def _ed25519(secret: bytes) -> Any:
    return Ed25519PrivateKey.from_private_bytes(secret)


@cached("Ed25519 public keys", size=lambda _: PUBLIC_KEY_SIZE, room=4 * MIB, at_once=True)
def _ed25519_public(secret: bytes) -> Any:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key()


@cached("P-256 signing keys", size=lambda _: PRIVATE_KEY_SIZE, room=2 * MIB, at_once=True)
def _p256(secret: bytes) -> Any:
    return derive_private_key(int.from_bytes(secret, "big"), SECP256R1())


@cached("P-256 public keys", size=lambda _: PUBLIC_KEY_SIZE, room=4 * MIB, at_once=True)
def _p256_public(secret: bytes) -> Any:
    return derive_private_key(int.from_bytes(secret, "big"), SECP256R1()).public_key()
