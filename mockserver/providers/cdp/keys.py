"""API key secrets as CDP hands them out, read and written.

An Ed25519 secret is the base64 of 64 bytes, the seed and the public key. An ES256 secret is
a P-256 key in PEM: PKCS#8 (``PRIVATE KEY``) or SEC1 (``EC PRIVATE KEY``). Both hold 32 bytes
that matter. They are found by the shape of the file, so that a world with a bad secret is
refused at load, and fast: ``cryptography`` is imported only where a public key is needed.
"""

import base64
import binascii
from functools import lru_cache

from mockserver.model import jwt

TYPES = {"EdDSA": "Ed25519", "ES256": "ES256"}

REMEMBERED = 16_384  # keys
SIZE = 32
LABELS = ("PRIVATE KEY", "EC PRIVATE KEY")

# DER: the curve's name, and in front of the scalar version 1 and the scalar's length.
P256 = bytes.fromhex("06082a8648ce3d030107")
SCALAR = bytes.fromhex("0201010420")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SEQUENCE = 0x30
LONG = 0x80


@lru_cache(REMEMBERED)
def read(secret: str) -> jwt.Key:
    """Returns the key that a secret is; raises ValueError."""
    if secret.lstrip().startswith("-----"):
        return jwt.Key("ES256", _scalar(_pem(secret)))
    raw = _base64(secret)
    if len(raw) != 2 * SIZE:
        raise ValueError(f"an Ed25519 key_secret is the base64 of 64 bytes, not of {len(raw)}")
    return jwt.Key("EdDSA", raw[:SIZE])


def ed25519(seed: bytes) -> str:
    """Returns the secret made from a seed of 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return base64.b64encode(seed + public).decode()


def es256(entropy: bytes) -> str:
    """Returns the secret, PKCS#8 in PEM, made from 32 bytes."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    scalar = int.from_bytes(entropy, "big") % (ORDER - 1) + 1
    return (
        derive_private_key(scalar, SECP256R1())
        .private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        .decode()
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("key_secret is neither base64 nor a PEM") from None


def _pem(text: str) -> bytes:
    if "\\n" in text:
        raise ValueError(r"key_secret is a PEM with \n for its line ends: write them as line ends")
    first, *lines = text.strip().splitlines()
    last = lines.pop() if lines else ""
    label = first.removeprefix("-----BEGIN ").removesuffix("-----")
    if label not in LABELS or last != f"-----END {label}-----":
        raise ValueError(f"key_secret is no PEM of one block: {' or '.join(LABELS)}")
    return _base64("".join(lines))


def _scalar(der: bytes) -> bytes:
    before, mark, rest = der.partition(SCALAR)
    scalar, behind = rest[:SIZE], rest[SIZE:]
    named = P256 in before or P256 in behind
    if not (_whole(der) and mark and named and 0 < int.from_bytes(scalar, "big") < ORDER):
        raise ValueError("key_secret is a PEM, but holds no private key on P-256")
    return scalar


def _whole(der: bytes) -> bool:
    """Tells whether the outer sequence is as long as it says."""
    if len(der) < 2 or der[0] != SEQUENCE:
        return False
    if der[1] < LONG:
        return len(der) == 2 + der[1]
    size = der[1] - LONG
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")
