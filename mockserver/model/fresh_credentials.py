"""New random text in the shape of an old one: what a sandbox's own credentials are made of.

A digit becomes a digit, a letter a letter of the same case, and a text in hex stays one; all
other signs stay where they are. A text with fewer than ``FREE_MIN`` digits and letters becomes
that much longer, so that no two keys are ever the same.
"""

import hashlib
import re
import string
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

FREE_MIN = 12  # digits and letters
HEX = {"0123456789abcdef": r"[0-9a-f]", "0123456789ABCDEF": r"[0-9A-F]"}
ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


def renewed(credential: Any, names: Iterable[str], entropy: bytes) -> Any:
    """Returns a credential with new text in these members; raises ValueError if it refuses it."""
    texts = {name: getattr(credential, name) for name in names}
    return replace(credential, **{n: like(t, entropy + n.encode()) for n, t in texts.items()})


def like(text: str, entropy: bytes) -> str:
    """Returns random text in the shape of ``text``, a function of ``entropy`` alone."""
    free = [c for c in text if c.isascii() and c.isalnum()]
    padding = "x" * (FREE_MIN - len(free)) if text else ""
    alphabets = _hex(free) or ALPHABETS
    chance = hashlib.shake_256(entropy).digest(2 * len(text + padding))
    pairs = [chance[at : at + 2] for at in range(0, len(chance), 2)]
    return "".join(
        _other(c, pair, alphabets) for c, pair in zip(text + padding, pairs, strict=True)
    )


def _hex(free: list[str]) -> tuple[str, ...]:
    """Returns the alphabet of a text in hex, which has digits and letters; nothing for others."""
    if all(c.isdigit() for c in free) or all(c.isalpha() for c in free):
        return ()
    return tuple(alphabet for alphabet, one in HEX.items() if all(re.match(one, c) for c in free))


def _other(sign: str, chance: bytes, alphabets: tuple[str, ...]) -> str:
    for alphabet in alphabets:
        if sign in alphabet:
            return alphabet[int.from_bytes(chance, "big") % len(alphabet)]
    return sign
