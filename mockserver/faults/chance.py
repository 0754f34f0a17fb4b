"""Draws that repeat: a hash of seed, rule and the number of the match."""

import hashlib

from msgspec import Struct

WHOLE = 1 << 64


class Chance(Struct, frozen=True):
    """What one match of one rule draws from; each purpose draws on its own."""

    seed: int
    rule: str
    n: int

    def fraction(self, purpose: str = "") -> float:
        """Returns a number from 0 up to, but not, 1."""
        return int.from_bytes(self.noise(8, purpose)) / WHOLE

    def noise(self, size: int, purpose: str = "") -> bytes:
        """Returns so many bytes."""
        key = f"{self.seed}\n{self.rule}\n{self.n}\n{purpose}".encode()
        if size <= hashlib.blake2b.MAX_DIGEST_SIZE:
            return hashlib.blake2b(key, digest_size=size).digest()
        return hashlib.shake_256(key).digest(size)

    def digits(self, count: int, purpose: str = "") -> str:
        """Returns so many decimal digits, none of them 0."""
        return "".join(str(1 + byte % 9) for byte in self.noise(count, purpose)) if count else ""
