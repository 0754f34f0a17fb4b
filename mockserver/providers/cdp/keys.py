"""API key secrets in the forms that CDP issues, parsed and generated.

An Ed25519 secret is the base64 of 64 bytes, the seed and the public key. An ES256 secret is
a P-256 key in PEM: PKCS#8 (``PRIVATE KEY``) or SEC1 (``EC PRIVATE KEY``). Both contain 32
secret bytes. They are located by the structure of the DER, so that loading a world checks its
secrets without importing ``cryptography``, which is slow.
"""

import base64
import binascii

from mockserver.caches import MIB, cached
from mockserver.model import jwt

TYPES = {"EdDSA": "Ed25519", "ES256": "ES256"}

SECRET_SIZE = 32  # bytes
PEM_LABELS = ("PRIVATE KEY", "EC PRIVATE KEY")

# DER: the object identifier of the curve, and what precedes the scalar: version 1 and a length.
P256 = bytes.fromhex("06082a8648ce3d030107")
SCALAR_PREFIX = bytes.fromhex("0201010420")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SEQUENCE = 0x30
LONG_FORM = 0x80


@cached("cdp keys", size=lambda secret: 200 + len(secret), room=8 * MIB, at_once=True)
def parse(secret: str) -> jwt.Key:
    """Returns the private key of a secret; raises ValueError."""
    if secret.lstrip().startswith("-----"):
        # fact: cdp-es256-secret, cdp-sdk-keys
        return jwt.Key("ES256", _scalar(_pem_content(secret)))
    raw = _base64(secret)
    if len(raw) != 2 * SECRET_SIZE:
        raise ValueError(f"an Ed25519 key_secret is the base64 of 64 bytes, not of {len(raw)}")
    return jwt.Key("EdDSA", raw[:SECRET_SIZE])  # fact: cdp-ed25519-secret


def ed25519_secret(seed: bytes) -> str:
    """Returns the secret for a seed of 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return base64.b64encode(seed + public).decode()


def es256_secret(entropy: bytes) -> str:
    """Returns a secret made from 32 bytes, as PKCS#8 in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    scalar = int.from_bytes(entropy, "big") % (ORDER - 1) + 1
    return (
        derive_private_key(scalar, SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("key_secret is neither base64 nor a PEM") from None


def _pem_content(text: str) -> bytes:
    if "\\n" in text:  # fact: cdp-pem-newlines
        raise ValueError(r"key_secret is a PEM with \n in place of line ends: use line ends")
    first, *lines = text.strip().splitlines()
    last = lines.pop() if lines else ""
    label = first.removeprefix("-----BEGIN ").removesuffix("-----")
    if label not in PEM_LABELS or last != f"-----END {label}-----":
        raise ValueError(f"key_secret is not a PEM of one block: {' or '.join(PEM_LABELS)}")
    return _base64("".join(lines))


def _scalar(der: bytes) -> bytes:
    before, prefix, rest = der.partition(SCALAR_PREFIX)
    scalar, after = rest[:SECRET_SIZE], rest[SECRET_SIZE:]
    on_p256 = P256 in before or P256 in after
    in_range = 0 < int.from_bytes(scalar, "big") < ORDER
    if not (_is_complete(der) and prefix and on_p256 and in_range):
        raise ValueError("key_secret is a PEM, but contains no private key on P-256")
    return scalar


def _is_complete(der: bytes) -> bool:
    """Returns whether the outer sequence has the length that it states."""
    if len(der) < 2 or der[0] != SEQUENCE:
        return False
    if der[1] < LONG_FORM:
        return len(der) == 2 + der[1]
    size = der[1] - LONG_FORM
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")
