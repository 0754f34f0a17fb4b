"""Keys that are altered: what was done to one before it was sent."""

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from mockserver.explain.solver import Mistake, solve
from mockserver.explain.text import common_prefix

KEY_MAX = 512  # bytes of a value that may be a key
PART_MIN = 6  # bytes of a key that identify it


def match_altered_key(
    value: bytes, keys: Mapping[bytes, str], whole: bool = False
) -> tuple[tuple[Mistake, ...], str] | None:
    """Returns the mistakes that turned a key into a value, and the label of the key.

    ``keys`` maps keys to labels. ``whole`` accepts only mistakes that leave the key itself
    intact. There are no mistakes where the value is a key; returns None where it is no form of
    one.
    """
    if value in keys:
        return (), keys[value]
    if not value or len(value) > KEY_MAX:
        return None
    tables = (WRAPPERS,) if whole else ((*WRAPPERS, *_damages(keys)), (_surplus(keys),))
    solutions = (solve(value, table, keys.__contains__) for table in tables)
    solution = next(filter(None, solutions), None)
    return solution and (solution[0], keys[solution[1]])


# How a key is taken out of what surrounds it: each returns the inner values, or none


def _without_quotes(value: bytes) -> list[bytes]:
    inner = value[1:] if value[:2] in (b"b'", b'b"') else value
    return [inner.strip(b"\"'`<>{}[]")]


def _without_scheme(value: bytes) -> list[bytes]:
    scheme, *rest = value.split(None, 1) or [b""]
    return rest if scheme.isalpha() else []


def _without_name(value: bytes) -> list[bytes]:
    named = re.fullmatch(rb"[\w-]{1,40}\s{0,3}[:=]\s{0,3}(.+)", value)
    return [named[1]] if named else []


def _from_base64(value: bytes) -> list[bytes]:
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        return []
    return [decoded, decoded.partition(b":")[0]]


QUOTES = Mistake(
    "quotes around the key", "Send the key without quotes or brackets.", _without_quotes
)
WHITESPACE = Mistake(
    "whitespace around the key", "Strip whitespace and line ends.", lambda v: [v.strip()]
)
SCHEME = Mistake(
    "a scheme such as Bearer before the key",
    "Send the key without a scheme before it.",
    _without_scheme,
)
WRAPPERS = (
    QUOTES,
    WHITESPACE,
    SCHEME,
    Mistake("name before the key", "Send the value alone, without its name.", _without_name),
    Mistake(
        "key URL-encoded", "Send the key without encoding it.", lambda v: [unquote_to_bytes(v)]
    ),
    Mistake("key in base64", "Send the key without encoding it.", _from_base64),
    QUOTES,  # again, for those inside another wrapper
    WHITESPACE,
)


# How a key is completed or corrected


def _damages(keys: Mapping[bytes, str]) -> tuple[Mistake, ...]:
    """Returns the mistakes that alter a key itself; each applies where one key alone fits."""

    def recased(value: bytes) -> list[bytes]:
        return _unambiguous([key for key in keys if key.lower() == value.lower()])

    def completed(value: bytes) -> list[bytes]:
        fitting = _unambiguous([k for k in keys if k.startswith(value) or k.endswith(value)])
        return [key for key in fitting if len(value) >= max(PART_MIN, len(key) // 2)]

    def corrected(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= PART_MIN]
        return _unambiguous([key for key in long if _one_character_off(key, value)])

    return (
        Mistake("key in another case", "Send the key's exact upper and lower case.", recased),
        Mistake("key cut short", "Send the whole key.", completed),
        Mistake("one character of the key wrong", "Copy the key again.", corrected),
    )


def _surplus(keys: Mapping[bytes, str]) -> Mistake:
    """Returns the mistake that leaves a key at one end of a longer value."""

    def extracted(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= PART_MIN]
        return [key for key in long if value.startswith(key) or value.endswith(key)]

    return Mistake("more than the key", "Send the key and nothing else.", extracted)


def _unambiguous(keys: list[bytes]) -> list[bytes]:
    return keys if len(keys) == 1 else []


def _one_character_off(one: bytes, other: bytes) -> bool:
    prefix = common_prefix(one, other)
    suffix = common_prefix(one[prefix:][::-1], other[prefix:][::-1])
    return max(len(one), len(other)) - prefix - suffix == 1
