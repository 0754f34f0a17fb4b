"""Digests and their comparison; to verify is to compare with the result of signing."""

import hashlib
import hmac

EMPTY_SHA256 = hashlib.sha256().hexdigest().encode()


def sha256_hex(data: bytes) -> bytes:
    """Returns the lower-case hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest().encode() if data else EMPTY_SHA256


def same(a: bytes, b: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(a, b)


def seeded(seed: int, *parts: object, size: int = 32) -> bytes:
    """Returns ``size`` bytes (at most 64) that depend on the seed and the parts alone."""
    name = "\x1f".join(map(str, (seed, *parts)))
    return hashlib.blake2b(name.encode(), digest_size=size).digest()
