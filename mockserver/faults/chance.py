"""Repeatable random draws: a hash of the seed, the rule and the number of the match."""

import hashlib

from msgspec import Struct

RANGE = 1 << 64


class Chance(Struct, frozen=True):
    """The draws of one match of one rule; each purpose draws independently."""

    seed: int
    rule: str
    n: int

    def fraction(self, purpose: str = "") -> float:
        """Returns a number from 0 up to, but not including, 1."""
        return int.from_bytes(self.noise(8, purpose)) / RANGE

    def noise(self, size: int, purpose: str = "") -> bytes:
        """Returns ``size`` bytes."""
        key = f"{self.seed}\n{self.rule}\n{self.n}\n{purpose}".encode()
        if size <= hashlib.blake2b.MAX_DIGEST_SIZE:
            return hashlib.blake2b(key, digest_size=size).digest()
        return hashlib.shake_256(key).digest(size)

    def digits(self, count: int, purpose: str = "") -> str:
        """Returns ``count`` decimal digits, none of them 0."""
        return "".join(str(1 + byte % 9) for byte in self.noise(count, purpose)) if count else ""
