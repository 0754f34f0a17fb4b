"""Digests and their comparison; to verify is to compare with the result of signing."""

import hashlib
import hmac

from mockserver.caches import MIB, cached

EMPTY_SHA256 = hashlib.sha256().hexdigest().encode()


def sha256_hex(data: bytes) -> bytes:
    """Returns the lower-case hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest().encode() if data else EMPTY_SHA256


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    """Returns the HMAC-SHA256 of ``message``."""
    inner, outer = _keyed(secret)
    inner, outer = inner.copy(), outer.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


BLOCK = 64  # bytes of SHA-256
INNER = bytes(byte ^ 0x36 for byte in range(256))
OUTER = bytes(byte ^ 0x5C for byte in range(256))


# A key in use is taken in once: OpenSSL's HMAC of a short message takes twice the instructions.
@cached("HMAC keys", size=lambda secret: 500 + len(secret), room=4 * MIB)
def _keyed(secret: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Returns the two hashes of HMAC (RFC 2104) that have taken in the secret alone."""
    key = hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret
    key = key.ljust(BLOCK, b"\0")
    return hashlib.sha256(key.translate(INNER)), hashlib.sha256(key.translate(OUTER))


def same(a: bytes, b: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(a, b)


def seeded(seed: int, *parts: object, size: int = 32) -> bytes:
    """Returns ``size`` bytes (at most 64) that depend on the seed and the parts alone."""
    name = "\x1f".join(map(str, (seed, *parts)))
    return hashlib.blake2b(name.encode(), digest_size=size).digest()
