"""Parts of a token are parsed fast where they are flat, to what the exact parser returns."""

import random

import pytest

from mockserver.model import jwt

NAMES = (b'"a"', b'"b"', b'"\\u0061"', b'"\\":"', b'"\xc3\xa9"')
NUMBERS = (b"1", b"-0", b"1.5", b"null", b"true", b"NaN", b"18446744073709551616")
TEXTS = (
    b'"a"',
    b'"\\":"',
    b'"x:"',
    b'"\\ud800"',
    b'"\\/"',
    b'"\x01"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
)
CASES = 5_000


def value(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.85:
        return chance.choice(NUMBERS if kind < 0.3 else TEXTS)
    return member_list(chance) if kind < 0.95 else b"[" + value(chance) + b"]"


def member_list(chance: random.Random) -> bytes:
    colon = chance.choice((b":", b" :"))
    count = chance.randrange(4)
    return (
        b"{" + b",".join(chance.choice(NAMES) + colon + value(chance) for _ in range(count)) + b"}"
    )


def parsed_exactly(part: bytes) -> object:
    members = jwt.decode(part)
    assert isinstance(members, dict)
    return members


def test_flat_members_are_parsed_as_by_the_exact_parser() -> None:
    chance = random.Random(490)
    parts = [member_list(chance) for _ in range(CASES)]
    good = 0
    for part in parts:
        try:
            expected = parsed_exactly(part)
        except ValueError:
            with pytest.raises(ValueError):
                jwt.members(part)
        else:
            assert repr(jwt.members(part)) == repr(expected)
            good += 1
    assert CASES / 5 < good < CASES * 4 / 5
