"""Damage to requests, byte by byte."""

import random
from collections.abc import Callable

OFFER = b"Connection: Upgrade\r\nUpgrade: h2c"

WORDS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b": ",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    OFFER + b"\r\n",
    b"HTTP/1.0",
    b"Host: y\r\n",
    b"%zz",
    b"Connection: close\r\n",
]


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    """Cuts data into up to six pieces."""
    at = sorted(chance.sample(range(len(data)), min(len(data), chance.randrange(6))))
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.randrange(256)


def _drop(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 9)]


def _double(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randrange(1, 60)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.choice([chance.randrange(len(data)), data.find(b"\r\n") + 2])
    data[at:at] = chance.choice(WORDS)


DAMAGE: list[Callable[[bytearray, random.Random], None]] = [_flip, _drop, _double, _insert]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Returns data that is damaged at one to three places."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        chance.choice(DAMAGE)(changed, chance)
    return bytes(changed)
